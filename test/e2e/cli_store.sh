#!/usr/bin/env bash
# Which recordings of a store are meant, and what is said when none is.
# shellcheck source-path=SCRIPTDIR disable=SC2154
. "$(dirname "$0")/expect.sh"

store=$work/nab.store
mkdir "$work/data"
number=0
for name in one two three four five six seven; do
    printf 'timestamp,value\n2014-01-01 00:00:00,1\n2014-01-01 00:05:00,%s\n' "$((++number))" >"$work/data/$name.csv"
done
sed 's/^files: .*/files: ["*.csv"]/' examples/maps/nab.yaml >"$work/map.yaml"
expect 0 "14 rows read = 14 stored" "$genba" ingest "$work/data" --map "$work/map.yaml" --to "$store"
expect 0 "7 recordings" "$genba" store list "$store"
name=$("$genba" store list "$store" --json | grep -o '"name": *"[^"]*two[^"]*"' | cut -d'"' -f4)
expect 0 "1 recording," "$genba" inspect "$store" --recording "$name"
none="matches name nothing*; it holds 7: "
expect 3 "$none" "$genba" inspect "$store" --recording 'nothing*'
expect 3 "$none" "$genba" inspect "$store" --recording 'nothing*' --html "$work/page.html"
[ ! -e "$work/page.html" ] || failed "a page of nothing was written"
expect 3 "$none" "$genba" store list "$store" --name 'nothing*'
expect 3 "$none" "$genba" store list "$store" --name 'nothing*' --json
expect 3 "$none" "$genba" store show "$store" 'nothing*'
expect 3 "$none" "$genba" store split "$store" a=0.5 --name 'nothing*'
expect 3 "$none" "$genba" store export "$store" "$work/exported" --name 'nothing*'
expect 3 "$none" "$genba" store export "$store" "$work/exported" --name 'nothing*' --format lerobot
[ ! -e "$work/exported" ] || failed "an export of nothing left a folder"
expect 3 "$none" "$genba" store remove "$store" 'nothing*'
expect 3 "matches split test stream pressure; it" "$genba" store list "$store" --split test --stream pressure
expect 3 ", ... (genba store list" "$genba" store list "$store" --split test # the first few names only
expect 3 "chooses among those of a store" "$genba" inspect "$work/data/one.csv" --recording one
expect 0 "0 recordings" bash -c '"$1" store init "$2" && "$1" store list "$2"' - "$genba" "$work/empty.store"
expect 3 "holds no recording yet" "$genba" inspect "$work/empty.store" --recording one

finish
