#!/bin/sh
# All tests: sh tests/run.sh [--quick]
#
# Installs what it needs, builds with gcc (the tests run here), with clang
# (compiled only) and with ASan+UBSan (the tests run again), all with warnings
# as errors, and ends in a line that counts. --quick: the gcc build alone.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/tests/packages.sh"
quick=
[ "${1-}" = --quick ] && quick=1
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

set_up() { # NAME OPTION...
    dir=$build/$1
    shift
    [ -f "$dir/build.ninja" ] ||
        meson setup "$dir" "$top" -Dwerror=true "$@" >/dev/null
    ninja -C "$dir" -j "$(nproc)" >"$dir/ninja.log" 2>&1 || {
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

echo "== build with gcc"
set_up gcc
run_tests gcc
if [ -z "$quick" ]; then
    echo "== build with clang"
    CC=clang CXX=clang++ set_up clang
    passed=$((passed + 1))
    echo "== build with ASan and UBSan"
    set_up asan -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debug
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run_tests asan
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
