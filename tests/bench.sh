#!/bin/sh
# Measure us beside others: sh tests/bench.sh [AREA] [--check] [JOB...]
#
# Builds what it needs and runs both sides in one go; doc/performance.md says
# what each column is. With --check a ratio below tests/bench/limits is exit
# status 1. Without AREA all areas run.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/tests/packages.sh"
build=${ONWARD_BUILD_DIR:-$top/build-tests}/bench

areas=
rest=
for word in "$@"; do
    if [ -z "$areas" ] && [ -f "$top/tests/bench/$word/area.json" ]; then
        areas=$word
    else
        rest="$rest $word"
    fi
done
if [ -z "$areas" ]; then
    for file in "$top"/tests/bench/*/area.json; do
        areas="$areas $(basename "$(dirname "$file")")"
    done
fi

# shellcheck disable=SC2086 # lists of names
onward_packages $ONWARD_BUILD_PACKAGES $ONWARD_BENCH_PACKAGES
[ -f "$build/build.ninja" ] ||
    meson setup "$build" "$top" -Dbuildtype=release -Dbench=true \
        -Dtests=false -Dfuzz=off >/dev/null
ninja -C "$build" >"$build/ninja.log" 2>&1 || {
    grep -A30 -m1 FAILED "$build/ninja.log" || cat "$build/ninja.log"
    exit 3
}

status=0
for area in $areas; do
    echo "== $area"
    # shellcheck disable=SC2086 # options
    python3 "$top/tests/bench/bench.py" "$area" "$build" $rest || status=$?
    [ ! -f "$top/tests/bench/$area/run.py" ] ||
        # shellcheck disable=SC2086 # options
        python3 "$top/tests/bench/$area/run.py" "$build" $rest || status=$?
done
exit "$status"
