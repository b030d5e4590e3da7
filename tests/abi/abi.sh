#!/bin/sh
# abi.sh BUILD: the library still serves programs built against each release
# kept here: abidiff finds nothing but growth that was planned for, and the
# program of that release, compiled with its headers, runs with this library.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1
lib=$(readlink -f "$build/lib/libonward.so")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
command -v abidw >/dev/null || {
    echo "skipped: abidw (Debian: abigail-tools) is not here"
    exit 77
}
count=0
for release in "$here"/[0-9]*; do
    abidw --headers-dir "$here/../../include" --no-comp-dir-path \
        --no-corpus-path --no-show-locs --drop-private-types "$lib" \
        >"$tmp/now.abi"
    # 8 is what is proven broken, 4 a change that may be; both are failures.
    abidiff --no-added-syms --suppressions "$here/grow.suppr" \
        "$release/onward.abi" "$tmp/now.abi" || {
        echo "$release: the ABI has changed"
        exit 1
    }
    cc -std=c11 -Wall -Werror -I"$release/include" "$release/program.c" \
        -o "$tmp/program" -L"$(dirname "$lib")" -lonward
    LD_LIBRARY_PATH=$(dirname "$lib") "$tmp/program"
    count=$((count + 1))
done
[ "$count" -gt 0 ]
echo "$count releases: their programs run with this library"
