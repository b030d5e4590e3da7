#!/bin/sh
# dist.sh [-o FOLDER] [REVISION]: the source of a release, onward-VERSION.tar.xz,
# and its checksum beside it. Who runs this at the same revision gets the same
# octets, whatever the folder, the time, the user and the umask are: names,
# order, times and modes come from git, and settings of the user do not count.
#
# REVISION is HEAD if it is not given. What is not committed is not in it.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
out=$(pwd)
while getopts o: option; do
    case $option in
    o) out=$OPTARG ;;
    *)
        echo "usage: dist.sh [-o FOLDER] [REVISION]" >&2
        exit 2
        ;;
    esac
done
shift $((OPTIND - 1))
revision=${1:-HEAD}

GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
unset XZ_OPT XZ_DEFAULTS
GIT_ATTR_NOSYSTEM=1 TZ=UTC LC_ALL=C
export GIT_CONFIG_NOSYSTEM GIT_CONFIG_GLOBAL GIT_ATTR_NOSYSTEM TZ LC_ALL
# A checkout of somebody else's (a container's, a builder's) is read all the
# same: nothing of it is run.
git() {
    command git -c safe.directory="$top" -c core.attributesFile=/dev/null \
        -C "$top" "$@"
}
git rev-parse --git-dir >/dev/null || {
    echo "dist.sh: $top is no git checkout; a release is made from one" >&2
    exit 3
}

# Every place that says the version says the same.
at() { # FILE SED-SCRIPT
    git show "$revision:$1" | sed -n "$2" | head -n 1
}
version=$(at meson.build "s/^  version: '\(.*\)',/\1/p")
for place in \
    "lib/meson.build:s/^  version: '\(.*\)',/\1/p" \
    'lib/core/errors.c:s/^    return "\([0-9.]*\)";/\1/p' \
    'CHANGELOG.md:s/^## \([0-9.]*\).*/\1/p' \
    'debian/changelog:s/^onward (\([0-9.]*\)-.*/\1/p'; do
    said=$(at "${place%%:*}" "${place#*:}")
    [ "$said" = "$version" ] || {
        echo "dist.sh: meson.build says $version," \
            "${place%%:*} says ${said:-nothing}" >&2
        exit 3
    }
done

name=onward-$version
mkdir -p "$out"
git -c tar.umask=0022 archive --format=tar --prefix="$name/" "$revision" \
    >"$out/$name.tar"
# One thread: the blocks of several depend on how many there are.
xz -T1 -3 -f "$out/$name.tar"
chmod 644 "$out/$name.tar.xz"
(cd "$out" && sha256sum "$name.tar.xz" >"$name.tar.xz.sha256")
echo "$out/$name.tar.xz"
