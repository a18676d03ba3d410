#!/usr/bin/env bash
# Installs into an empty folder and compiles every example program against what was installed,
# with the shared and with the static library.
set -eu
build=$1 source=$2
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --install "$build" --prefix "$prefix" >/dev/null
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name genba.pc)")
export PKG_CONFIG_PATH
test -n "$PKG_CONFIG_PATH"
libdir=$(pkg-config --variable=libdir genba)
for example in "$source"/examples/*.c; do
    name=$(basename "$example" .c)
    # shellcheck disable=SC2046
    cc -std=c17 -Wall -Werror "$example" -o "$prefix/$name" $(pkg-config --cflags --libs genba) -lm
    # shellcheck disable=SC2046
    cc -std=c17 -Wall -Werror "$example" -o "$prefix/$name-static" $(pkg-config --cflags genba) \
        "$libdir/libgenba.a" $(pkg-config --libs --static genba | sed 's/-lgenba//') -lm
    (cd "$source" && LD_LIBRARY_PATH=$libdir "$prefix/$name" --help >/dev/null)
done
# Nothing but the documented names leaves the shared library.
if nm -D --defined-only "$libdir/libgenba.so" | awk '{print $3}' | grep -v '^gb_' | grep .; then
    echo "names above leave libgenba.so without the gb_ prefix" >&2
    exit 1
fi
