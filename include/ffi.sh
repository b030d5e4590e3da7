#!/bin/sh
# ffi.sh OUT SOURCE_ROOT CC...: the public headers as plain declarations, for
# FFI users to include (python's cffi, LuaJIT).
set -eu
out=$1
root=$2
shift 2
{
    echo "/* libonward: generated from the public headers. */"
    "$@" -E -P -nostdinc -I"$root/tests/ffi/stub" -I"$root/include" \
        -DONWARD_API= "$root/include/onward.h"
} >"$out"
