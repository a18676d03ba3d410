#!/usr/bin/env bash
# A model that forecasts: trained, asked about tables it has never seen, wrong ones among them, and
# damaged itself.
# shellcheck source-path=SCRIPTDIR disable=SC2154
. "$(dirname "$0")/expect.sh"

# ---- a model, a forecast of a file it has never seen
small_recipe ett "$work/ett.yaml"
expect 0 "trained 4 steps" "$genba" train "$work/ett.yaml" --steps 4 --out "$work/run"
expect 0 "was finished before" "$genba" train "$work/ett.yaml" --steps 4 --out "$work/run"
expect 0 "checksum holds" "$genba" inspect "$work/run/model"
expect 0 "ETTh1" "$genba" eval "$work/run" --window-step 100 --resamples 0
nab=data/nab/machine_temperature_system_failure.csv
[ -f $nab ] || nab=$(find data/nab -name 'machine_temperature*.csv' | head -1)
expect 0 "time,series,q0.1" "$genba" forecast "$work/run/model" "$nab" --horizon 96
expect 0 "time,series,q0.1" "$genba" forecast "$work/run" "$nab" --horizon 96 # a run folder, too
"$genba" forecast "$work/run/model" "$nab" --horizon 96 2>/dev/null >"$work/forecast.csv"
[ "$(wc -l <"$work/forecast.csv")" -eq 97 ] || failed "not 96 rows and a header"
if grep -qi nan "$work/forecast.csv"; then failed "NaN in a forecast"; fi
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
weights=$work/edited/weights.safetensors
printf 'damaged!' | dd of="$weights" bs=1 seek=$(($(stat -c %s "$weights") / 2)) conv=notrunc 2>/dev/null
expect 3 "weights.safetensors" "$genba" forecast "$work/edited" "$nab"
expect 3 "flow" "$genba" run "$work/run/model" --no-envelope --stepped --episodes 1

finish
