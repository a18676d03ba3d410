#!/usr/bin/env bash
# A policy is scored beside baselines, and the scoring is stopped.
# shellcheck source-path=SCRIPTDIR disable=SC2154
. "$(dirname "$0")/expect.sh"

small_recipe pusht "$work/pusht.yaml"
expect 0 "trained 20 steps" "$genba" train "$work/pusht.yaml" --steps 20 --out "$work/whole"
expect 0 "2 episodes from seeds" "$genba" eval "$work/whole" --episodes 2 --resamples 0
[ "$(grep -c "nearest demonstration done" "$work/out")" = 1 ] && [ "$(grep -cx "pusht done" "$work/out")" = 0 ] ||
    failed "progress does not say what is done"
expect 0 "model in bf16" "$genba" eval pusht "$work/whole/model" --episodes 1 --resamples 0 --baselines "" --precision bf16
expect 2 "f32 or bf16" "$genba" eval pusht --precision half
# ---- what is not there
expect 3 'no machine "grasps"; there are: pusht, grasp, mobile' "$genba" eval machines --only "grasp grasps" --episodes 1
expect 3 "model 1 commands none of: grasp" "$genba" eval machines "$work/whole" --only grasp --episodes 1
expect 3 'no set "ETTh9"' "$genba" eval ett --only "ETTh1 ETTh9"
expect 3 'suite pusht: is one whole; leave "only ETTh1" out' "$genba" eval pusht --only ETTh1 --episodes 1
expect 3 "no folder of a run; there are: ett" "$genba" eval runs/nowhere
# ---- Ctrl-C: the flag, not the end by the signal, and it says how far it got (--foreground: one
# signal, not another to the group, which would end the program at once)
expect 130 "NOT COMPLETE: stopped" timeout --foreground --preserve-status -s INT 3 "$genba" eval machines --only grasp --episodes 100000
expect 130 '"complete":false' timeout --foreground --preserve-status -s INT 3 "$genba" eval pusht "$work/whole" --episodes 100000 --json
sed '/^eval:/,$d' examples/pusht.yaml >"$work/whole/recipe.yaml"
expect 3 "names no suite" "$genba" eval "$work/whole"

finish
