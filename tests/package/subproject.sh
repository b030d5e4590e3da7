#!/bin/sh
# subproject.sh BUILD: a project with libonward as a subproject builds and runs,
# with nothing but the tarball of a release and without a network; the library
# shared, and static.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$here/tree.sh"
tree=$(onward_tree "$top") || exit 77
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp -r "$top/examples/subproject" "$tmp/hello"
sh "$top/tools/dist.sh" -o "$tmp/hello/subprojects/packagefiles" "$tree" \
    >/dev/null
set -- "$tmp"/hello/subprojects/packagefiles/*.tar.xz
tarball=${1##*/}
grep -q "^source_filename = $tarball\$" \
    "$tmp/hello/subprojects/libonward.wrap" || {
    echo "libonward.wrap is of another version than $tarball"
    exit 1
}
# A library of the system would do as well; this is about the other.
cd "$tmp/hello"
quietly() {
    "$@" >"$tmp/log" 2>&1 || {
        cat "$tmp/log"
        exit 1
    }
}
# What doc/embedding.md tells the reader to do is what is done here.
for line in 'meson setup build && ninja -C build' \
    '`meson configure -Ddefault_library=static -Dlibonward:default_library=static`' \
    '-Dexamples=false -Dtests=false -Dfuzz=off'; do
    grep -qF -- "$line" "$top/doc/embedding.md" || {
        echo "doc/embedding.md does not say: $line"
        exit 1
    }
done
# No optimisation: this is about the build. No debug information: a compiler's
# cache then knows objects of other folders.
quietly meson setup build --force-fallback-for=onward -Dwerror=true \
    -Dbuildtype=plain
quietly ninja -C build
try() {
    build/hello ann@example.com >"$tmp/said"
    grep -q '^ann@example.com goes on as SRS0=.*=example.com=ann@example.org$' \
        "$tmp/said"
    grep -q '^and bounces to ann@example.com$' "$tmp/said"
}
try
LC_ALL=C readelf -d build/hello | grep -q 'NEEDED.*libonward.so.0'
# Only the library: none of our programs, tests and fuzz targets.
if find build/subprojects -type f \( -name 'test_*' -o -name 'fuzz_*' \
    -o -name 'onward*-*' ! -name '*.so*' ! -name '*.p' \) -perm -u+x | grep .; then
    echo "more was built than the library"
    exit 1
fi
quietly meson configure build -Ddefault_library=static \
    -Dlibonward:default_library=static
quietly ninja -C build
try
# Nor is drawn in what SRS does not use.
if LC_ALL=C readelf -d build/hello | grep -E 'NEEDED.*(libonward|gnutls)'; then
    echo "a static library, and these are still needed"
    exit 1
fi

# The tarball by itself, as the page has it.
tar -C "$tmp" -xf "subprojects/packagefiles/$tarball"
cd "$tmp/${tarball%.tar.xz}"
quietly meson setup build -Dexamples=false -Dtests=false -Dfuzz=off \
    -Dbuildtype=plain --prefix="$tmp/usr"
quietly ninja -C build
quietly meson install -C build
PKG_CONFIG_PATH=$(dirname "$(find "$tmp/usr" -name onward.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # flags are words
cc "$tmp/hello/hello.c" -o "$tmp/hello/build/hello" \
    $(pkg-config --cflags --libs onward) \
    "-Wl,-rpath,$(pkg-config --variable=libdir onward)"
cd "$tmp/hello"
try
echo "a project with $tarball inside builds and runs, shared and static"
