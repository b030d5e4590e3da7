#!/bin/sh
# installed.sh BUILD_DIR: install into a DESTDIR and build a program outside of
# the tree against it by pkg-config alone, shared and static.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT
DESTDIR=$dest meson install -C "$build" --no-rebuild --quiet
pc=$(dirname "$(find "$dest" -name onward.pc)")
PKG_CONFIG_PATH=$pc
PKG_CONFIG_SYSROOT_DIR=$dest
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
lib=$(dirname "$(find "$dest" -name 'libonward.so' | head -n 1)")
# shellcheck disable=SC2046 # flags are words
cc -std=c11 -Wall -Wextra -Werror "$here/outside.c" -o "$dest/outside" \
    $(pkg-config --cflags --libs onward)
LD_LIBRARY_PATH=$lib "$dest/outside"
# The program of README.md, as it says there.
# shellcheck disable=SC2046
cc "$here/../../examples/readme/verify.c" -o "$dest/verify" -Wall -Wextra \
    -Werror $(pkg-config --cflags --libs onward)
sed 's/$/\r/' "$here/../data/cli/signed.eml" |
    LD_LIBRARY_PATH=$lib "$dest/verify" "$here/../data/cli/zone.txt" |
    grep -q dkim=pass
rm "$lib"/libonward.so*
# System libraries are not below DESTDIR.
static=$(pkg-config --static --cflags --libs onward | sed "s#-I$dest/usr/include#&#g")
# shellcheck disable=SC2086
cc -std=c11 -Wall -Wextra -Werror "$here/outside.c" -o "$dest/outside" $static
"$dest/outside"
test -s "$(find "$dest" -name onward.ffi.h)"
test -s "$(find "$dest" -name onward.ffi.json)"
if [ -n "$(find "$dest" -path '*/bin/onward')" ]; then
    test -s "$(find "$dest" -path '*/bash-completion/completions/onward')"
    test -s "$(find "$dest" -path '*/zsh/site-functions/_onward')"
fi
echo "a program outside the tree builds by pkg-config onward, shared and static"
