#!/usr/bin/env python3
"""Compare the functions that the public headers declare with the names that
lib/libonward.map exports. --write makes the block of the unreleased version
anew."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
map_path = root / "lib" / "libonward.map"


def declared():
    names = set()
    for header in sorted((root / "include").rglob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        text = re.sub(r"^\s*#.*(\\\n.*)*$", "", text, flags=re.M)
        for decl in re.findall(r"\bONWARD_API\b([^;{]*);", text):
            name = re.search(r"\b(onward_\w+)\s*\(", decl)
            if not name:
                sys.exit(f"{header}: ONWARD_API without a function: {decl}")
            names.add(name.group(1))
    return names


def exported():
    text = re.sub(r"/\*.*?\*/", "", map_path.read_text(), flags=re.S)
    listed = re.findall(r"^\s*(onward_\w+);", text, flags=re.M)
    return listed


def main():
    want = declared()
    if "--write" in sys.argv:
        lines = "".join(f"    {n};\n" for n in sorted(want))
        map_path.write_text(
            "ONWARD_0.1 {\n  global:\n" + lines + "  local:\n    *;\n};\n")
        return
    have = exported()
    bad = [f"in a header, not in the map: {n}" for n in sorted(want - set(have))]
    bad += [f"in the map, not in a header: {n}" for n in sorted(set(have) - want)]
    if have != sorted(have):
        bad.append("the map is not sorted")
    for line in bad:
        print(line)
    if bad:
        sys.exit(1)
    print(f"{len(have)} names, headers and map agree")


main()
