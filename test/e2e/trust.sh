#!/usr/bin/env bash
# Keys, labels, the audit log and anonymising, as people use them and misuse them.
# shellcheck source-path=SCRIPTDIR disable=SC2154
. "$(dirname "$0")/expect.sh"
unset GENBA_SITE GENBA_KEY

for command in anonymise audit key; do
    expect 0 "example: " "$genba" $command --help
done
expect 2 "there is no" "$genba" key old "$work/k"
expect 2 "--key FILE is missing" "$genba" anonymise "$work/a" --to "$work/b"
expect 2 "--policy FILE is missing" "$genba" anonymise "$work/a" --to "$work/b" --key "$work/k"
expect 2 "LINES:HASH" "$genba" audit verify "$work/a" --head 3

# ---- keys
expect 0 "Keep a copy" "$genba" key new "$work/k"
expect 3 "is not replaced" "$genba" key new "$work/k"
expect 0 "made" "$genba" key new "$work/k2"
chmod 644 "$work/k2"
expect 3 "can be read by others" "$genba" anonymise "$work/a" --policy x --to "$work/b" --key "$work/k2"
chmod 600 "$work/k2"

# ---- a store that must stay in JP, and machines that are elsewhere
ingest="$genba ingest data/nab --map examples/maps/nab.yaml"
$ingest --to "$work/store" --residency JP >"$work/out" 2>&1
code=$?
[ $code -eq 0 ] || failed "ingest gave $code: $(cat "$work/out")"
printf 'name: p\ndefault: keep\nrecording: {name: keep}\n' >"$work/keep.yaml"
anonymise="$genba anonymise $work/store --policy $work/keep.yaml --key $work/k --to"
expect 3 "does not say where it is" $anonymise "$work/copy"
expect 3 "matches name nothing*; it holds" $anonymise "$work/none" --name 'nothing*'
printf 'name: p\ndefault: hide\n' >"$work/bad.yaml"
expect 3 "bad.yaml" "$genba" anonymise "$work/store" --policy "$work/bad.yaml" --key "$work/k" --to "$work/none"
[ ! -e "$work/none" ] || failed "a refused anonymise left a store"
printf 'name: lyon\nresidency: [FR]\n' >"$work/fr.yaml"
printf 'name: nagoya\nresidency: [JP-23]\n' >"$work/jp.yaml"
export GENBA_SITE="$work/fr.yaml"
expect 3 "lyon, is in FR" $anonymise "$work/copy"
expect 0 '"refuse"' "$genba" audit list "$work/store" --json
export GENBA_SITE="$work/jp.yaml"
expect 0 "went to" $anonymise "$work/copy" --report "$work/r.html"
grep -q "What is left to find" "$work/r.html" || failed "no report"
expect 0 '"privacy"' $anonymise "$work/copy2" --json

# ---- rescaled, and back
printf 'name: p\nstreams: [{match: "*", rule: rescale, range: {min: 0, max: 100}}]\n' >"$work/r.yaml"
expect 0 "went to" "$genba" anonymise "$work/store" --policy "$work/r.yaml" --key "$work/k" --to "$work/hidden"
expect 3 "was anonymised with key" "$genba" anonymise "$work/hidden" --undo --key "$work/k2" --to "$work/back"
expect 0 "as they were" "$genba" anonymise "$work/hidden" --undo --key "$work/k" --to "$work/back"
expect 0 "under the new key" "$genba" anonymise "$work/hidden" --rotate --key "$work/k" --new-key "$work/k2" --to "$work/moved"
expect 3 "was anonymised before" "$genba" anonymise "$work/hidden" --policy "$work/r.yaml" --key "$work/k" --to "$work/twice"
cp "$work/k" "$work/store/k"
expect 3 "move it elsewhere" "$genba" anonymise "$work/store" --policy "$work/r.yaml" --key "$work/store/k" --to "$work/no"
rm "$work/store/k"

# ---- the audit log
log=$work/store/audit.jsonl
expect 0 "is whole" "$genba" audit verify "$work/store"
head=$(grep -o '[0-9]*:[0-9a-f]\{64\}' "$work/out")
expect 0 "is whole" "$genba" audit verify "$work/store" --head "$head"
cp "$log" "$work/log"
sed -i '2s/"action":"[a-z]*"/"action":"nothing"/' "$log"
expect 3 "audit.jsonl:2: was edited" "$genba" audit verify "$work/store"
sed '2d' "$work/log" >"$log"
expect 3 "audit.jsonl:2:" "$genba" audit verify "$work/store"
sed '$d' "$work/log" >"$log"
expect 3 "cut off" "$genba" audit verify "$work/store" --head "$head"
cp "$work/log" "$log"
expect 0 "is whole" "$genba" audit verify "$log"

finish
