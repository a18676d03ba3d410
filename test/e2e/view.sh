#!/bin/sh
# test/e2e/view.sh DRIVER GENBA SOURCES: opens the viewer in a headless Chromium, looks whether plots
# and scene are drawn, presses the button, and opens the report of the same run; then the same for
# genba run where GENBA_DATA gives a model something to learn from.
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "skipped: no chromium on this machine (apt install chromium)"
    exit 77
}
command -v python3 >/dev/null || {
    echo "skipped: no python3 on this machine"
    exit 77
}
exec python3 "$(dirname "$0")/view.py" "$chromium" "$@"
