#!/usr/bin/env bash
# The program as people use it, and misuse it: what it prints, and how it exits.
set -u
genba=$1/genba source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$source" || exit 1
failures=0

# expect CODE "words that must appear" command...
expect() {
    local code=$1 words=$2
    shift 2
    "$@" >"$work/out" 2>&1
    local got=$?
    if [ $got -ne "$code" ] || ! grep -qF -- "$words" "$work/out"; then
        echo "FAILED: $* gave $got (expected $code) without \"$words\":"
        head -c 2000 "$work/out"
        failures=$((failures + 1))
    fi
}

# ---- the command line
expect 2 "usage" "$genba"
expect 0 "usage" "$genba" help
expect 2 'did you mean "train"' "$genba" trian
expect 2 'did you mean "steps"' "$genba" train examples/ett.yaml --step 3
expect 2 "whole number" "$genba" train examples/ett.yaml --steps many
expect 2 "from 1 to 1000000," "$genba" run a --episodes 0.5 # not 1e+06
expect 2 "needs a value" "$genba" train examples/ett.yaml --steps
expect 2 "one word too many" "$genba" train a.yaml b.yaml
for command in demo train eval forecast run replay inspect recover doctor; do
    expect 0 "example: " "$genba" $command --help
done
expect 0 "AVX2" "$genba" doctor
expect 0 '"cpu"' "$genba" doctor --json

# ---- links
expect 0 "example: " "$genba" machine --help
expect 0 "values 2 to 3: block.position, px" "$genba" machine --map examples/links/pusht.yaml --layout
expect 2 "--link URL" "$genba" machine pusht
expect 2 "FROM,SECONDS" "$genba" machine pusht --link shm://x --map examples/links/pusht.yaml --cut 2
expect 3 'source_unit: stream "arm.joint.position"' "$genba" machine --layout --map <(sed '0,/deg/s//kg/' examples/links/arm_udp.yaml)
expect 0 '"commands_cut": 0' "$genba" machine pusht --link "shm://genba-e2e-$$" --map examples/links/pusht.yaml \
    --seconds 0.5 --cut 0.2,0.2 --json

# ---- a teacher
expect 0 "2 episodes kept of 2 tried; the teacher succeeded in 2 and failed in 0 (refused)" \
    "$genba" record grasp --teacher --episodes 2 --to "$work/grasp.store"
expect 0 "2 recordings" "$genba" inspect "$work/grasp.store"
expect 3 "is there, but is no store" "$genba" record grasp --teacher --episodes 2 --to README.md
cp examples/grasp.yaml "$work"
expect 3 "starts at the recipe's folder" "$genba" train "$work/grasp.yaml" --steps 2 --out "$work/no"
expect 3 "grasp, mobile" "$genba" record gasp --teacher --to "$work/no.store"
[ ! -e "$work/no.store" ] || { echo "FAILED: a wrong name left a store"; failures=$((failures + 1)); }

# ---- recipes
sed 's/batch:/bacth:/' examples/ett.yaml >"$work/key.yaml"
expect 3 'batch' "$genba" train "$work/key.yaml" --out "$work/no"
expect 3 'key.yaml:' "$genba" train "$work/key.yaml" --out "$work/no"
sed 's/steps: 200/steps: soon/' examples/ett.yaml >"$work/type.yaml"
expect 3 'type.yaml:' "$genba" train "$work/type.yaml" --out "$work/no"
sed 's/patch: 32/patch: 33/' examples/ett.yaml >"$work/value.yaml"
expect 3 'patch' "$genba" train "$work/value.yaml" --out "$work/no"
expect 4 'nowhere.yaml' "$genba" train nowhere.yaml --out "$work/no"
[ ! -e "$work/no/model" ] || { echo "FAILED: a wrong recipe left a model"; failures=$((failures + 1)); }

# ---- a model, a forecast of a file it has never seen
expect 0 "trained 4 steps" "$genba" train examples/ett.yaml --steps 4 --out "$work/run"
expect 0 "was finished before" "$genba" train examples/ett.yaml --steps 4 --out "$work/run"
expect 0 "checksum holds" "$genba" inspect "$work/run/model"
expect 0 "ETTh1" "$genba" eval "$work/run" --window-step 100 --resamples 0
nab=data/nab/machine_temperature_system_failure.csv
[ -f $nab ] || nab=$(find data/nab -name 'machine_temperature*.csv' | head -1)
expect 0 "time,series,q0.1" "$genba" forecast "$work/run/model" "$nab" --horizon 96
expect 0 "time,series,q0.1" "$genba" forecast "$work/run" "$nab" --horizon 96 # a run folder, too
"$genba" forecast "$work/run/model" "$nab" --horizon 96 2>/dev/null >"$work/forecast.csv"
[ "$(wc -l <"$work/forecast.csv")" -eq 97 ] || { echo "FAILED: not 96 rows and a header"; failures=$((failures + 1)); }
if grep -qi nan "$work/forecast.csv"; then echo "FAILED: NaN in a forecast"; failures=$((failures + 1)); fi
expect 0 '"quantiles"' "$genba" forecast "$work/run/model" data/ett/ETTh1.csv --columns OT --json
expect 3 "to forecast" "$genba" forecast "$work/run/model" data/ett/ETTh1.csv --columns oil
expect 4 "nowhere.csv" "$genba" forecast "$work/run/model" nowhere.csv

# ---- tables that are wrong
printf 'date,a\n' >"$work/header_only.csv"
: >"$work/empty.csv"
expect 3 "empty" "$genba" inspect "$work/empty.csv"
expect 3 "header_only.csv" "$genba" forecast "$work/run/model" "$work/header_only.csv"
head -c 20000000 /dev/zero | tr '\0' '7' >"$work/one_line.csv"
expect 3 "row 1" "$genba" inspect "$work/one_line.csv"
{
    echo 'date,a,b'
    for day in 01 02 03 04 05 06 07 08 09; do echo "2020-01-$day,1,2"; done
    echo '2020-01-10,1'
    echo '2020-01-11,x,3'
} >"$work/ragged.csv"
expect 0 "1 rejected" "$genba" inspect "$work/ragged.csv"
expect 0 "row 11" "$genba" inspect "$work/ragged.csv"
expect 0 'row 12, column a: "x"' "$genba" inspect "$work/ragged.csv"

# ---- a model that was cut or edited
cp -r "$work/run/model" "$work/cut"
truncate -s -100 "$work/cut/weights.safetensors"
expect 3 "weights.safetensors" "$genba" inspect "$work/cut"
cp -r "$work/run/model" "$work/edited"
printf 'damaged!' | dd of="$work/edited/weights.safetensors" bs=1 seek=200000 conv=notrunc 2>/dev/null
expect 3 "weights.safetensors" "$genba" forecast "$work/edited" "$nab"
expect 3 "flow" "$genba" run "$work/run/model" --no-envelope --stepped --episodes 1

# ---- recordings that were cut
mcap=${GENBA_DATA:-nowhere}/mcap_samples/talker.mcap
if [ -f "$mcap" ]; then
    expect 0 "is whole: 20 messages" "$genba" recover "$mcap"
    expect 3 "is no black box" "$genba" replay "$mcap"
    head -c 12000 "$mcap" >"$work/cut.mcap"
    expect 0 "saved     20 messages" "$genba" recover "$work/cut.mcap"
    expect 0 "is whole: 20 messages" "$genba" recover "$work/cut.recovered.mcap"
    expect 3 "exists already" "$genba" recover "$work/cut.mcap"
    head -c 60 "$mcap" >"$work/head.mcap"
    expect 3 "nothing" "$genba" recover "$work/head.mcap" "$work/none.mcap"
    [ ! -e "$work/none.mcap" ] || { echo "FAILED: nothing was saved, but a file is there"; failures=$((failures + 1)); }
fi
expect 3 "is no MCAP file" "$genba" recover README.md
expect 4 "nowhere.mcap" "$genba" recover nowhere.mcap

# ---- stopped and continued: the same bits
timeout --foreground -s INT 3 "$genba" train examples/pusht.yaml --steps 120 --threads 1 --out "$work/stopped" >/dev/null 2>&1
expect 0 "trained 120 steps" "$genba" train examples/pusht.yaml --steps 120 --threads 2 --out "$work/stopped"
expect 0 "trained 120 steps" "$genba" train examples/pusht.yaml --steps 120 --threads 2 --out "$work/whole"
cmp "$work/stopped/model/weights.safetensors" "$work/whole/model/weights.safetensors" ||
    { echo "FAILED: a stopped and continued run gives other bits"; failures=$((failures + 1)); }
expect 0 "decisions" "$genba" run "$work/whole/model" --plant pusht --envelope examples/envelopes/pusht.yaml --stepped --episodes 1 --log "$work/box.mcap"
expect 0 "bit for bit" "$genba" replay "$work/box.mcap" --model "$work/whole/model"
expect 0 "bit for bit" "$genba" replay "$work/box.mcap" --model "$work/whole/" # a run folder, too
expect 0 "on the virtual clock a decision took 10 ms" "$genba" run "$work/whole" --no-envelope --stepped --episodes 1
expect 0 "whole" "$genba" replay "$work/box.mcap"
expect 0 "decisions in bf16" "$genba" run "$work/whole/model" --plant pusht --envelope examples/envelopes/pusht.yaml --stepped --episodes 1 --precision bf16 --log "$work/half.mcap"
expect 0 "in bf16, the one given" "$genba" replay "$work/half.mcap" --model "$work/whole/model"
expect 0 "bit for bit" "$genba" replay "$work/half.mcap" --model "$work/whole/model"
expect 0 '"precision": "bf16"' "$genba" replay "$work/half.mcap" --json
expect 2 "f32 or bf16" "$genba" run "$work/whole/model" --no-envelope --precision fp16
mkdir "$work/begun" && echo '{}' >"$work/begun/run.json"
expect 3 "a run without a model yet" "$genba" run "$work/begun" --no-envelope --stepped
expect 3 "a run without a model yet" "$genba" replay "$work/box.mcap" --model "$work/begun"
expect 4 "there is no folder $work/nowhere" "$genba" run "$work/nowhere" --no-envelope --stepped
expect 3 "neither a model's folder" "$genba" run examples --no-envelope --stepped
expect 2 "usage: genba run MODEL" "$genba" run --no-envelope --stepped
expect 2 "--view-port is of --view" "$genba" run "$work/whole" --no-envelope --view-port 8080
expect 0 "taking pusht" "$genba" run "$work/whole" --no-envelope --stepped --episodes 1
expect 4 "is it on" "$genba" run "$work/whole" --link "shm://genba-none-$$" --map examples/links/pusht.yaml \
    --envelope examples/envelopes/pusht.yaml --seconds 1 --priority 0 # nobody there is no success
head -c 20000 "$work/box.mcap" >"$work/killed.mcap.part"
expect 4 "killed.mcap.part, of a run that was cut" "$genba" replay "$work/killed.mcap"
expect 3 "footer" "$genba" inspect "$work/killed.mcap.part"
expect 3 "takes 100 commands a second" "$genba" run "$work/whole" --no-envelope --rate 33
expect 0 "proposal.agent.target" "$genba" inspect "$work/box.mcap"
size=$(stat -c %s "$work/box.mcap")
head -c $((size * 2 / 3)) "$work/box.mcap" >"$work/shortened.mcap" # whole as far as it goes, but not the run
expect 3 "Of what is there, every proposal" "$genba" replay "$work/shortened.mcap" --model "$work/whole"
expect 3 "NOT COMPLETE: the recording ends after" "$genba" replay "$work/shortened.mcap" --model "$work/whole"
expect 3 "NOT COMPLETE" "$genba" replay "$work/shortened.mcap"
expect 3 '"complete": false' "$genba" replay "$work/shortened.mcap" --json
expect 0 '"complete": true' "$genba" replay "$work/box.mcap" --json
expect 3 "NOT the expected one" "$genba" replay "$work/box.mcap" --head 0123
expect 4 "nowhere.mcap" "$genba" replay nowhere.mcap
expect 3 "not overwritten" "$genba" run "$work/whole/model" --no-envelope --stepped --episodes 1 --log "$work/box.mcap"
expect 2 "inside an envelope" "$genba" run "$work/whole/model" --plant pusht
expect 2 "contradict" "$genba" run "$work/whole/model" --no-envelope --envelope examples/envelopes/pusht.yaml
expect 2 "two machines" "$genba" run "$work/whole/model" --plant pusht --link udp://localhost:1 --no-envelope
expect 0 "black box" "$genba" run "$work/whole/model" --envelope examples/envelopes/pusht.yaml --seconds 1 --priority 0 --log "$work/real.mcap" --report "$work/run.html"
expect 0 "bit for bit" "$genba" replay "$work/real.mcap" --model "$work/whole/model"
# A run whose terminal goes, or whose reader, brings the machine to rest and closes its record.
"$genba" run "$work/whole/model" --envelope examples/envelopes/pusht.yaml --seconds 60 --priority 0 --log "$work/gone.mcap" >/dev/null 2>&1 &
run=$!
for _ in $(seq 100); do [ -s "$work/gone.mcap.part" ] && break; sleep 0.1; done
sleep 1
kill -HUP $run
expect 130 "" wait $run
expect 0 '"complete": true' "$genba" replay "$work/gone.mcap" --json
expect 0 "" bash -c 'set -o pipefail; "$@" 2>&1 | true' - "$genba" run "$work/whole/model" --envelope examples/envelopes/pusht.yaml --seconds 1
expect 3 "name of a black box" "$genba" run "$work/whole/model" --no-envelope --stepped --episodes 1 --log "$work/one" --report "$work/one"
expect 0 "2 episodes from seeds" "$genba" eval "$work/whole" --episodes 2 --resamples 0
[ "$(grep -c "nearest demonstration done" "$work/out")" = 1 ] && [ "$(grep -cx "pusht done" "$work/out")" = 0 ] ||
    { echo "FAILED: progress does not say what is done"; failures=$((failures + 1)); }
expect 0 "model in bf16" "$genba" eval pusht "$work/whole/model" --episodes 1 --resamples 0 --baselines "" --precision bf16
expect 2 "f32 or bf16" "$genba" eval pusht --precision half
# ---- Ctrl-C: the flag, not the end by the signal, and it says how far it got (--foreground: one
# signal, not another to the group, which would end the program at once)
expect 130 "NOT COMPLETE: stopped" timeout --foreground --preserve-status -s INT 2 "$genba" eval machines --only grasp --episodes 100000
expect 130 '"complete":false' timeout --foreground --preserve-status -s INT 2 "$genba" eval pusht "$work/whole" --episodes 100000 --json
sed '/^eval:/,$d' examples/pusht.yaml >"$work/whole/recipe.yaml"
expect 3 "names no suite" "$genba" eval "$work/whole"
expect 3 "plant" "$genba" run "$work/whole/model" --plant moon --no-envelope --stepped --episodes 1

[ $failures -eq 0 ] && echo "all as expected"
exit $failures
