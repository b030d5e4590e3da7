#!/bin/sh
# debian.sh BUILD: the Debian packages build from the tarball of a release, find
# favour with lintian, and install into a clean root, where a program builds
# with them and the service takes its settings.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$here/tree.sh"
for tool in dpkg-buildpackage dh lintian mmdebstrap; do
    command -v "$tool" >/dev/null || {
        echo "skipped: no $tool (Debian: dpkg-dev debhelper lintian mmdebstrap)"
        exit 77
    }
done
tree=$(onward_tree "$top") || exit 77
# The same folder each time, for the compiler's cache.
work=$1/package
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
quietly() {
    "$@" >"$work/log" 2>&1 || {
        tail -n 100 "$work/log"
        echo "failed: $*"
        exit 1
    }
}
took() {
    now=$(date +%s)
    echo "$1: $((now - began)) s"
    began=$now
}
began=$(date +%s)

# ---- Build, as doc/packages.md says it.
for line in 'cp -r CHECKOUT/debian .' 'dpkg-buildpackage -us -uc'; do
    grep -qF "    $line" "$top/doc/packages.md" || {
        echo "doc/packages.md does not say: $line"
        exit 1
    }
done
tarball=$(sh "$top/tools/dist.sh" -o "$work" "$tree")
name=$(basename "$tarball" .tar.xz)
version=${name#onward-}
mv "$tarball" "$work/onward_$version.orig.tar.xz"
tar -C "$work" -xf "$work/onward_$version.orig.tar.xz"
cp -r "$top/debian" "$work/$name/"
if command -v ccache >/dev/null; then
    # debhelper gives the build a HOME of its own.
    CCACHE_DIR=${CCACHE_DIR:-$(ccache -k cache_dir)}
    export CCACHE_DIR
fi
cd "$work/$name"
# What meson sets for the test is none of the packages' business.
unset LD_LIBRARY_PATH MALLOC_PERTURB_ DESTDIR CFLAGS LDFLAGS || true
DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=2"
export DEB_BUILD_OPTIONS
quietly dpkg-buildpackage -us -uc -Pnocheck
cd "$work"
for package in libonward0 libonward-dev onward-tools onward-forwarder; do
    ls "${package}_$version"-*.deb >/dev/null || exit 1
done
if grep -E '^dpkg-(gensymbols|shlibdeps): (warning|error)' "$work/log"; then
    exit 1
fi
took "built by dpkg-buildpackage"

# ---- Judge. Whoever built it is root here, and it is no upload.
lintian --allow-root --display-info --pedantic \
    --fail-on error,warning,info,pedantic \
    --suppress-tags-from-file "$here/lintian.tags" \
    onward_"$version"-*.changes || {
    echo "lintian finds fault"
    exit 1
}
took "lintian is content"

# ---- Install into a root that never saw our sources.
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
root=$work/root
if [ "$(id -u)" -ne 0 ] || ! mmdebstrap --variant=minbase \
    --include=gcc,libc6-dev,pkgconf "$release" "$root" >"$work/log" 2>&1; then
    tail -n 5 "$work/log" || true
    echo "skipped: no clean root (mmdebstrap as root, and a mirror, are needed)"
    exit 77
fi
took "a clean root"
mkdir "$root/packages"
cp ./*.deb "$root/packages/"
cp "$here/inside.sh" "$top/examples/subproject/hello.c" "$root/packages/"
cp "$top/debian/tests/forwarder" "$root/packages/forwarder"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# A daemon started by a package would be one too many.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
quietly chroot "$root" sh /packages/inside.sh install
chroot "$root" sh /packages/inside.sh try
quietly chroot "$root" sh /packages/inside.sh purge
took "installed, tried and purged"
echo "four packages: built, installed into a clean root, a program built there"
