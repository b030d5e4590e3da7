#!/bin/sh
# api.sh SOURCE VERSION OUT: the reference of the public headers into OUT/html,
# by Doxygen. Anything that it warns of is an error.
set -eu
source=$1
version=$2
out=$3
rm -rf "$out"
mkdir -p "$out"
sed -e "s#@source@#$source#g" -e "s#@version@#$version#g" -e "s#@out@#$out#g" \
    -e "s#@python@#$(command -v python3)#g" "$source/doc/api/Doxyfile.in" \
    >"$out/Doxyfile"
doxygen "$out/Doxyfile" >"$out/log" 2>&1 || {
    cat "$out/log"
    exit 1
}
[ -s "$out/html/index.html" ]
