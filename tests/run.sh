#!/bin/sh
# All tests: sh tests/run.sh [--quick | --fuzz [SECONDS]]
#
# Installs what it needs, builds with gcc (the tests run here), with clang
# (compiled only) and with ASan+UBSan (the tests run again), all with warnings
# as errors, and ends in a line that counts. --quick: the gcc build alone.
# --fuzz: instead, each fuzz target under libFuzzer, ASan and UBSan for that
# time (60 seconds).
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/tests/packages.sh"
quick=
fuzz=
case ${1-} in
--quick) quick=1 ;;
--fuzz) fuzz=${2:-60} ;;
esac
build=${ONWARD_BUILD_DIR:-$top/build-tests}

# shellcheck disable=SC2086 # lists of names
onward_packages $ONWARD_BUILD_PACKAGES $ONWARD_TEST_PACKAGES

# Test vectors of others; what needs them says that it was skipped.
if [ -z "${ONWARD_CONFORMANCE-}" ] && [ -d "$top/../shared/conformance" ]; then
    ONWARD_CONFORMANCE=$top/../shared/conformance
fi
export ONWARD_CONFORMANCE
# Where unpacked packages of the interop tests stay, for all builds.
export ONWARD_DEBS="$build/debs"

low= # what runs beside something else goes behind it
set_up() { # NAME OPTION...
    dir=$build/$1
    shift
    [ -f "$dir/build.ninja" ] ||
        meson setup "$dir" "$top" -Dwerror=true "$@" >/dev/null
    $low ninja -C "$dir" -j "$(nproc)" >"$dir/ninja.log" 2>&1 || {
        cat "$dir/ninja.log"
        echo "the build in $dir failed"
        exit 1
    }
}

passed=0
failed=0
skipped=0
run_tests() { # NAME
    dir=$build/$1
    echo "== tests, $1 build"
    status=0
    meson test -C "$dir" --no-rebuild --print-errorlogs \
        >"$dir/tests.log" 2>&1 || status=$?
    grep -E '^ *[0-9]+/[0-9]+ .*(FAIL|TIMEOUT|ERROR|SKIP)' "$dir/tests.log" || true
    if [ "$status" -ne 0 ]; then
        sed -n '/Summary of Failures/,$p' "$dir/tests.log"
        grep -vE '^ *[0-9]+/[0-9]+ .*(OK|SKIP)' "$dir/tests.log" | tail -n 300
    fi
    log=$dir/meson-logs/testlog.txt
    count=$(python3 "$top/tests/count.py" "$log")
    # shellcheck disable=SC2086 # three numbers
    set -- $count
    echo "   $1 passed, $2 failed, $3 skipped"
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
    # A run that failed without a failing test must not look like success.
    if [ "$status" -ne 0 ] && [ "$2" -eq 0 ]; then
        failed=$((failed + 1))
    fi
}

if [ -n "$fuzz" ]; then
    echo "== fuzz targets, $fuzz s each"
    CC=clang CXX=clang++ set_up fuzz -Dfuzz=libfuzzer -Dtests=false \
        -Dexamples=false -Db_sanitize=address,undefined -Db_lundef=false
    for target in "$build"/fuzz/fuzz/fuzz_*; do
        [ -x "$target" ] && [ -f "$target" ] || continue
        topic=${target##*/fuzz_}
        found=$build/fuzz/found/$topic
        mkdir -p "$found"
        set -- "-max_total_time=$fuzz" -timeout=10 -rss_limit_mb=2048
        [ ! -f "$top/fuzz/$topic.dict" ] || set -- "$@" "-dict=$top/fuzz/$topic.dict"
        if "$target" "$@" "-artifact_prefix=$found/crash-" "$found" \
            "$top/fuzz/corpus/$topic" >"$found.log" 2>&1; then
            echo "   $topic: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$found.log")"
            passed=$((passed + 1))
        else
            tail -n 40 "$found.log"
            echo "   $topic: failed"
            failed=$((failed + 1))
        fi
    done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit
fi
set_up_others() {
    CC=clang CXX=clang++ set_up clang
    set_up asan -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debug
}

echo "== build with gcc"
set_up gcc
# Tests wait for much of their time: the other builds are made meanwhile.
others=
if [ -z "$quick" ]; then
    low="nice -n 10"
    (set_up_others) >"$build/others.log" 2>&1 &
    others=$!
fi
run_tests gcc
if [ -n "$others" ]; then
    echo "== build with clang, build with ASan and UBSan"
    wait "$others" || {
        cat "$build/others.log"
        exit 1
    }
    passed=$((passed + 1))
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run_tests asan
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
