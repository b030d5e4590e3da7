#!/bin/sh
# next.sh BUILD: the release after this one, as doc/abi.md says it is made: a
# library with one function more, in a block of its own in the map. What was
# linked with today's library runs with it; what uses the new function says at
# its start, and not in the middle of its work, that today's is too old.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
build=$1
now=$(dirname "$(readlink -f "$build/lib/libonward.so")")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/next"

last=$(sed -n 's/^\(ONWARD_[0-9.]*\) {.*/\1/p' "$top/lib/libonward.map" | tail -n 1)
{
    cat "$top/lib/libonward.map"
    printf 'ONWARD_99.0 {\n  global:\n    onward_next;\n} %s;\n' "$last"
} >"$tmp/next.map"
cat >"$tmp/next.c" <<'END'
int onward_next(void);
__attribute__((visibility("default"))) int onward_next(void)
{
    return 99;
}
END
PKG_CONFIG_PATH=$build/meson-uninstalled
export PKG_CONFIG_PATH
# Everything that stands below the library, and not itself.
# shellcheck disable=SC2046 # flags are words
cc -shared -fPIC "$tmp/next.c" -o "$tmp/next/libonward.so.0" \
    -Wl,-soname,libonward.so.0 "-Wl,--version-script=$tmp/next.map" \
    -Wl,--whole-archive "$build/lib/libonward.a" -Wl,--no-whole-archive \
    $(pkg-config --libs nettle hogweed gnutls libidn2 libpsl) \
    $(if grep -q '^Requires.private:.*expat' "$build/pkgconfig/onward.pc"; then
        pkg-config --libs expat
    fi) -lgmp -lunistring
ln -s libonward.so.0 "$tmp/next/libonward.so"

# Each name is still there, under the version that it had.
names() {
    LC_ALL=C readelf --dyn-syms -W "$1" |
        sed -n 's/.* \(onward_[a-z0-9_]*@@ONWARD_[0-9.]*\)$/\1/p' | sort
}
names "$now/libonward.so" >"$tmp/before"
names "$tmp/next/libonward.so" >"$tmp/after"
test -s "$tmp/before"
comm -23 "$tmp/before" "$tmp/after" >"$tmp/lost"
[ ! -s "$tmp/lost" ] || {
    echo "not in the next release:"
    cat "$tmp/lost"
    exit 1
}
[ "$(comm -13 "$tmp/before" "$tmp/after")" = onward_next@@ONWARD_99.0 ]

for release in "$here"/[0-9]*; do
    cc -std=c11 -Wall -Werror -I"$release/include" "$release/program.c" \
        -o "$tmp/program" -L"$now" -lonward
    LD_LIBRARY_PATH=$now "$tmp/program"
    LD_LIBRARY_PATH=$tmp/next "$tmp/program"
done

cat >"$tmp/user.c" <<'END'
int onward_next(void);
int main(void)
{
    return onward_next() == 99 ? 0 : 1;
}
END
cc "$tmp/user.c" -o "$tmp/user" -L"$tmp/next" -lonward
LD_LIBRARY_PATH=$tmp/next "$tmp/user"
if LD_LIBRARY_PATH=$now "$tmp/user" 2>"$tmp/said"; then
    echo "a program that needs the next release ran with this one"
    exit 1
fi
grep -q 'ONWARD_99.0' "$tmp/said" || {
    cat "$tmp/said"
    exit 1
}
echo "the next release serves the programs of this one"
