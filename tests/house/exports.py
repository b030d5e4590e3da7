#!/usr/bin/env python3
"""Compare the functions that the public headers declare with the names that
lib/libonward.map exports, and the map with what was released. --write puts new
names into the block of the unreleased version, and begins that if needed."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
map_path = root / "lib" / "libonward.map"
BLOCK = re.compile(r"ONWARD_([\d.]+) \{\s*(.*?)\}\s*(?:ONWARD_([\d.]+))?\s*;",
                   re.S)


def bare(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def declared():
    names = set()
    for header in sorted((root / "include").rglob("*.h")):
        text = bare(header.read_text())
        text = re.sub(r"^\s*#.*(\\\n.*)*$", "", text, flags=re.M)
        for decl in re.findall(r"\bONWARD_API\b([^;{]*);", text):
            name = re.search(r"\b(onward_\w+)\s*\(", decl)
            if not name:
                sys.exit(f"{header}: ONWARD_API without a function: {decl}")
            names.add(name.group(1))
    return names


def blocks(text):
    """{version: (its names, the version that it builds on or "")}"""
    return {version: (re.findall(r"^\s*(onward_\w+);", body, re.M), parent)
            for version, body, parent in BLOCK.findall(bare(text))}


def released():
    """Versions (without the patch) whose chapter in CHANGELOG.md has a day."""
    text = (root / "CHANGELOG.md").read_text()
    return {version for version, state in
            re.findall(r"^## (\d+\.\d+)\.\d+(.*)$", text, re.M)
            if "not released" not in state}


def version_now():
    return re.search(r"version: '(\d+\.\d+)\.",
                     (root / "meson.build").read_text())[1]


def remade(text, want, done, now):
    """The map with all wanted names: those that no release has are of now."""
    kept = {v: names for v, (names, _) in blocks(text).items() if v in done}
    old = {name for names in kept.values() for name in names}
    kept[now] = sorted(want - old) if now not in done else kept[now]
    result, parent = "", ""
    for version, names in kept.items():
        lines = "".join(f"    {name};\n" for name in names)
        # One block hides the rest; a second would say the same.
        local = "" if parent else "  local:\n    *;\n"
        result += (f"ONWARD_{version} {{\n  global:\n{lines}{local}}}"
                   f"{parent};\n")
        parent = f" ONWARD_{version}"
    return result


def faults_of(text, want, done, was):
    """was: {version: its block as it was released}."""
    have = blocks(text)
    every = [name for names, _ in have.values() for name in names]
    yield from (f"in a header, not in the map: {n}"
                for n in sorted(want - set(every)))
    yield from (f"in the map, not in a header: {n}"
                for n in sorted(set(every) - want))
    yield from (f"twice in the map: {n}"
                for n in sorted({n for n in every if every.count(n) > 1}))
    before = ""
    for version, (names, parent) in have.items():
        if names != sorted(names):
            yield f"ONWARD_{version} is not sorted"
        if parent != before:
            yield f"ONWARD_{version} does not build on ONWARD_{before}"
        before = version
        if version in done and have[version] != was.get(version):
            yield f"ONWARD_{version} is not as it was released"
    yield from (f"ONWARD_{version} was released, and is gone"
                for version in sorted(done - set(have)))
    # Only the newest may be open: what was released is not added to.
    yield from (f"ONWARD_{version} is not released, and not the last"
                for version in list(have)[:-1] if version not in done)


def deprecated_faults(names):
    """A function that is given up says which takes its place."""
    for header in sorted((root / "include").rglob("*.h")):
        for said in re.findall(r"@deprecated(.*?)(?:\n \* @|\*/)",
                               header.read_text(), re.S):
            if not any(name in names for name in
                       re.findall(r"\b(onward_\w+)\(\)", said)):
                yield f"{header.name}: @deprecated without its heir"


def self_test():
    """How the map of a second release comes to be, and what it may not do."""
    first = remade("", {"onward_a", "onward_b"}, set(), "0.1")
    was = {"0.1": blocks(first)["0.1"]}
    want = {"onward_a", "onward_aa", "onward_b"}
    second = remade(first, want, {"0.1"}, "0.2")
    assert second.startswith(first) and blocks(second) == {
        "0.1": (["onward_a", "onward_b"], ""), "0.2": (["onward_aa"], "0.1")}
    assert not list(faults_of(second, want, {"0.1"}, was))
    assert remade(second, want, {"0.1"}, "0.2") == second
    for wrong in (remade(second, want, set(), "0.1"),      # put into 0.1
                  second.replace("    onward_b;\n", ""),   # taken out of it
                  second.replace("} ONWARD_0.1;", "};"),   # stands alone
                  second[len(first):]):
        assert list(faults_of(wrong, want, {"0.1"}, was)), wrong
    done = {"0.1", "0.2"}
    assert list(faults_of(second, want, done, was))


def main():
    self_test()
    want = declared()
    done = released()
    if "--write" in sys.argv:
        map_path.write_text(remade(map_path.read_text(), want, done,
                                   version_now()))
        return
    was = {}
    for version in done:
        kept = root / "tests/abi" / version / "libonward.map"
        if kept.exists():
            was[version] = blocks(kept.read_text()).get(version)
    bad = [*faults_of(map_path.read_text(), want, done, was),
           *deprecated_faults(want)]
    for line in bad:
        print(line)
    if bad:
        sys.exit(1)
    print(f"{len(want)} names, headers and map agree")


main()
