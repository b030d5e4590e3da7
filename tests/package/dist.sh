#!/bin/sh
# dist.sh: the tarball of a release is the same whoever makes it, wherever and
# whenever; it holds what it should, and its checksum is right.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$here/tree.sh"
onward_tree "$top" >/dev/null || exit 77
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Two people: other folders, masks, clocks, zones, languages and habits.
mkdir "$tmp/one" "$tmp/other people's folder" "$tmp/home"
git -c safe.directory="$top/.git" clone -q --no-hardlinks "$top" "$tmp/one/a"
(
    umask 077
    git -c safe.directory="$top/.git" clone -q --no-hardlinks "$top" \
        "$tmp/other people's folder/b"
)
one=$tmp/one/a
other="$tmp/other people's folder/b"
find "$other" -path "$other/.git" -prune -o -exec touch -d 2001-02-03 {} +
printf '[tar]\n\tumask = 0077\n[core]\n\tautocrlf = true\n' >"$tmp/home/.gitconfig"
echo 'not of the release' >"$other/README.md"
(umask 022 && cd "$one" && sh tools/dist.sh -o "$tmp/out1") >/dev/null
(
    umask 077
    HOME=$tmp/home TZ=Pacific/Chatham LC_ALL=C.UTF-8 XZ_OPT=-9
    export HOME TZ LC_ALL
    # It is somebody's setting of xz, and may not count either.
    export XZ_DEFAULTS="$XZ_OPT --threads=2"
    unset XZ_OPT
    cd / && faketime '2031-05-06 07:08:09' sh "$other/tools/dist.sh" \
        -o "$tmp/out2"
) >/dev/null

set -- "$tmp"/out1/*.tar.xz
tarball=$1
name=${tarball##*/}
cmp "$tarball" "$tmp/out2/$name"
(cd "$tmp/out2" && sha256sum --quiet -c "$name.sha256")

LC_ALL=C tar --numeric-owner -tvf "$tarball" >"$tmp/list"
folder=${name%.tar.xz}
awk '{print $1, $2}' "$tmp/list" | sort -u >"$tmp/modes"
printf '%s\n' '-rw-r--r-- 0/0' '-rwxr-xr-x 0/0' 'drwxr-xr-x 0/0' | sort |
    comm -23 "$tmp/modes" - >"$tmp/odd"
awk '{print $6}' "$tmp/list" | grep -v "^$folder/" >>"$tmp/odd" || true
awk '{print $6}' "$tmp/list" |
    grep -E "^$folder/(debian|\.ci|\.git[a-z]*|build[^/]*)(/|\$)" \
        >>"$tmp/odd" || true
if grep . "$tmp/odd"; then
    echo "does not belong into it"
    exit 1
fi
for file in meson.build LICENSE README.md CHANGELOG.md include/onward.h \
    lib/libonward.map tests/run.sh doc/man/onward.1; do
    grep -q " $folder/$file\$" "$tmp/list" || {
        echo "$file is not in it"
        exit 1
    }
done

# A version that is not said the same everywhere makes no release.
sed -i "s/^## [0-9.]*/## 9.9.9/" "$one/CHANGELOG.md"
git -C "$one" -c user.name=a -c user.email=a@example.com commit -qam wrong
if sh "$one/tools/dist.sh" -o "$tmp/out3" 2>"$tmp/said"; then
    echo "two versions, and a tarball all the same"
    exit 1
fi
grep -q 'CHANGELOG.md says 9.9.9' "$tmp/said"
echo "$name is the same from two folders, masks, clocks and habits"
