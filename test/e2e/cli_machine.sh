#!/usr/bin/env bash
# A machine behind a link, and a machine that its teacher works.
# shellcheck source-path=SCRIPTDIR disable=SC2154
. "$(dirname "$0")/expect.sh"

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
[ ! -e "$work/no.store" ] || failed "a wrong name left a store"
# Nothing comes of it: the store and the folders made for it are gone; what was there before is not.
mkdir "$work/there"
expect 3 "the teacher succeeded in 0 of 20" "$genba" record grasp --teacher --episodes 1 --noise 1 --to "$work/there/new/no.store/"
[ -d "$work/there" ] && [ ! -e "$work/there/new" ] || failed "a teacher that failed left $(find "$work/there")"
expect 4 "nowhere.yaml" env GENBA_SITE=nowhere.yaml "$genba" record grasp --teacher --episodes 1 --to "$work/no.store"
expect 4 "nokey" "$genba" record grasp --teacher --episodes 1 --key "$work/nokey" --to "$work/no.store"
expect 130 "nothing was kept" timeout --foreground --preserve-status -s INT 3 \
    "$genba" record mobile --teacher --noise 1 --episodes 1000 --to "$work/no.store"
expect 3 "" "$genba" ingest "$work/there" --map examples/maps/nab.yaml --to "$work/no.store"
[ ! -e "$work/no.store" ] || failed "a command that failed left a store: $(find "$work/no.store")"
expect 3 "the teacher succeeded in 0 of 20" "$genba" record grasp --teacher --episodes 1 --noise 1 --seed 50 --to "$work/grasp.store"
expect 0 "2 recordings" "$genba" inspect "$work/grasp.store"

finish
