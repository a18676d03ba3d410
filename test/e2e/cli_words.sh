#!/usr/bin/env bash
# The command line: what the program says of itself, and of what it is told wrongly.
# shellcheck source-path=SCRIPTDIR disable=SC2154
. "$(dirname "$0")/expect.sh"

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

# ---- recipes
sed 's/batch:/bacth:/' examples/ett.yaml >"$work/key.yaml"
expect 3 'batch' "$genba" train "$work/key.yaml" --out "$work/no"
expect 3 'key.yaml:' "$genba" train "$work/key.yaml" --out "$work/no"
sed 's/steps: 200/steps: soon/' examples/ett.yaml >"$work/type.yaml"
expect 3 'type.yaml:' "$genba" train "$work/type.yaml" --out "$work/no"
sed 's/patch: 32/patch: 33/' examples/ett.yaml >"$work/value.yaml"
expect 3 'patch' "$genba" train "$work/value.yaml" --out "$work/no"
expect 4 'nowhere.yaml' "$genba" train nowhere.yaml --out "$work/no"
cp examples/ett.yaml "$work/copy.yaml"
expect 4 "starts at the recipe's folder" "$genba" train "$work/copy.yaml" --out "$work/no"
[ ! -e "$work/no/model" ] || failed "a wrong recipe left a model"

finish
