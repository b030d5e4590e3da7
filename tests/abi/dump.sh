#!/bin/sh
# dump.sh BUILD VERSION: keep the ABI of this build as that of a release: a
# dump, the public headers, the symbol map, the table of sizes, offsets and
# numbers, and what program.c of that release may use. A released one is never
# written again.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
out=$top/tests/abi/$2
mkdir -p "$out/include/onward"
cp "$top/include/onward.h" "$out/include/"
cp "$top"/include/onward/*.h "$out/include/onward/"
cp "$top/lib/libonward.map" "$out/"
python3 "$top/tests/abi/layout.py" --write "$out"
# Paths of this machine are of no use to others.
abidw --headers-dir "$top/include" --no-comp-dir-path --no-corpus-path \
    --no-show-locs --drop-private-types \
    "$(readlink -f "$build/lib/libonward.so")" >"$out/onward.abi"
