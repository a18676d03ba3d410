# shellcheck shell=bash disable=SC2034
# What the tests of the program share, read in with `. expect.sh BUILD SOURCES`: the program, a
# folder that goes away, and expect. No test of its own.
set -u
genba=$1/genba source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$source" || exit 1
failures=0

# failed "what was seen": counts it and goes on
failed() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect CODE "words that must appear" command...   ("" when it may be silent)
expect() {
    local code=$1 words=$2
    shift 2
    "$@" >"$work/out" 2>&1
    local got=$?
    if [ $got -ne "$code" ] || { [ -n "$words" ] && ! grep -qF -- "$words" "$work/out"; }; then
        failed "$* gave $got (expected $code) without \"$words\":"
        head -c 2000 "$work/out"
    fi
}

# small_recipe NAME FILE: an example's recipe with a network that a Debug build trains in seconds
small_recipe() {
    sed -e "s|\.\./data|$source/data|; s|map: maps|map: $source/examples/maps|" \
        -e 's/hidden: 512/hidden: 48/; s/\bwidth: 256/width: 48/; s/blocks: 4/blocks: 2/' \
        -e 's/batch: 256/batch: 16/; s/log_every: 50/log_every: 1/' \
        -e 's/look_back: 512/look_back: 128/; s/horizon: 720/horizon: 96/; s/examples: 1024/examples: 32/' "examples/$1.yaml" >"$2"
}

# The last line of a test.
finish() {
    [ $failures -eq 0 ] && echo "all as expected"
    exit $failures
}
