#!/usr/bin/env bash
# Recordings that were cut.
# shellcheck source-path=SCRIPTDIR disable=SC2154
. "$(dirname "$0")/expect.sh"

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
    [ ! -e "$work/none.mcap" ] || failed "nothing was saved, but a file is there"
fi
expect 3 "is no MCAP file" "$genba" recover README.md
expect 4 "nowhere.mcap" "$genba" recover nowhere.mcap

finish
