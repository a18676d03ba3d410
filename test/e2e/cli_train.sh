#!/usr/bin/env bash
# Training that is stopped goes on to the same bits, at any number of threads.
# shellcheck source-path=SCRIPTDIR disable=SC2154
. "$(dirname "$0")/expect.sh"

# ---- the examples as they stand
expect 0 "trained 1 steps" "$genba" train examples/pusht.yaml --steps 1 --out "$work/one"
expect 0 "trained 1 steps" "$genba" train examples/ett.yaml --steps 1 --out "$work/ett"

# ---- stopped and continued: the same bits
# Ctrl-C comes once the first steps are written down; a machine so fast that nothing was left to stop
# gets more steps.
small_recipe pusht "$work/pusht.yaml"
for steps in 300 3000 30000; do
    rm -rf "$work/stopped"
    "$genba" train "$work/pusht.yaml" --steps "$steps" --threads 1 --out "$work/stopped" >"$work/log" 2>&1 &
    training=$!
    until [ -s "$work/stopped/metrics.jsonl" ] || ! kill -0 $training 2>/dev/null; do sleep 0.02; done
    kill -INT $training 2>/dev/null
    wait $training
    code=$?
    [ "$code" -eq 0 ] || break
done
[ "$code" -eq 130 ] || failed "a stopped training gave $code (expected 130): $(tail -3 "$work/log")"
[ ! -e "$work/stopped/model" ] || failed "a stopped training left a model"
expect 0 "trained $steps steps" "$genba" train "$work/pusht.yaml" --steps "$steps" --threads 2 --out "$work/stopped"
expect 0 "trained $steps steps" "$genba" train "$work/pusht.yaml" --steps "$steps" --threads 2 --out "$work/whole"
cmp "$work/stopped/model/weights.safetensors" "$work/whole/model/weights.safetensors" ||
    failed "a stopped and continued run gives other bits"

finish
