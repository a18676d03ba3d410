#!/usr/bin/env bash
# A model drives a machine, and the black box of that is looked at and decided again.
# shellcheck source-path=SCRIPTDIR disable=SC2154
. "$(dirname "$0")/expect.sh"

small_recipe pusht "$work/pusht.yaml"
expect 0 "trained 20 steps" "$genba" train "$work/pusht.yaml" --steps 20 --out "$work/whole"
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
for part in 20 30 40 50 60 70 80 90 95 98; do # per cent; later ones may hold the whole run, but not the file
    head -c $((size * part / 100)) "$work/box.mcap" >"$work/part.mcap"
    expect 3 "NOT COMPLETE" "$genba" replay "$work/part.mcap"
done
for bytes in 1 8 30 400; do # of the index at the end
    head -c $((size - bytes)) "$work/box.mcap" >"$work/part.mcap"
    expect 3 "NOT COMPLETE: the run is there to its end, but the file was cut" "$genba" replay "$work/part.mcap"
    expect 3 '"complete": false' "$genba" replay "$work/part.mcap" --json
done
"$genba" replay "$work/part.mcap" >/dev/null 2>"$work/said" # also when nobody reads the answer
grep -q "part.mcap is NOT COMPLETE" "$work/said" || failed "a redirected replay says nothing of what is missing"
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
expect 2 "for --seconds N" "$genba" run "$work/whole" --link shm://x --map examples/links/pusht.yaml --no-envelope --episodes 3
expect 3 "leave the map out" "$genba" run "$work/whole" --link plant:pusht --map examples/links/pusht.yaml --no-envelope --stepped
expect 3 "plant" "$genba" run "$work/whole/model" --plant moon --no-envelope --stepped --episodes 1

finish
