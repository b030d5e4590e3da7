#!/usr/bin/env python3
"""layout.py [--write FOLDER]: sizes, offsets and numbers of the public headers
on LP64, i386 and armhf against the table of each release kept beside this
file. --write puts the table of the headers in a release's folder into it.

abidiff sees what a function's types reach, on the machine of the test. It does
not see the other two, nor the numbers that travel as int or size_t, which
most of ours do."""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TARGETS = {"lp64": "x86_64-linux-gnu", "i386": "i386-linux-gnu",
           "armhf": "arm-linux-gnueabihf"}
TITLE = ("# struct.field, or constant: octets (of a whole struct its size) on "
         + ", ".join(TARGETS) + "; or the number\n")


def clang(source, target, include):
    done = subprocess.run(
        ["clang", f"--target={target}", "-std=c11", "-ffreestanding",
         f"-I{include}", "-fsyntax-only", "-Xclang", "-fdump-record-layouts",
         source], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        sys.exit(f"{target}: {done.stderr}")
    return done.stdout


def layouts(structs, folder, include):
    """{name: {target: octets}}, in the order of the headers."""
    source = folder / "sizes.c"
    source.write_text("#include <onward.h>\n" + "".join(
        f"extern char size_{it}[sizeof(struct {it})];\n" for it in structs))
    found = {}
    for label, target in TARGETS.items():
        for block in clang(source, target, include).split("*** Dumping")[1:]:
            name = re.search(r"^ +0 \| struct (\w+)$", block, re.M)
            if not name or name[1] not in structs:
                continue
            size = re.search(r"\[sizeof=(\d+)", block)[1]
            found.setdefault(name[1], {})[label] = int(size)
            # Two blanks more: what a field of its own consists of.
            for offset, field in re.findall(r"^ +(\d+) \|   \S.*?(\w+)$",
                                            block, re.M):
                found.setdefault(f"{name[1]}.{field}", {})[label] = int(offset)
    missing = [it for it in structs if len(found.get(it, {})) != len(TARGETS)]
    if missing:
        sys.exit(f"not laid out: {missing}")
    return found


def constants(text, folder, include):
    """{name: number}: enumerators, and macros that are numbers."""
    plain = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    names = []
    for body in re.findall(r"\benum onward_\w+ \{(.*?)\}", plain, re.S):
        names += re.findall(r"\b(ONWARD_\w+)\b(?=[^,]*(?:,|$))", body)
    names += re.findall(r"^#define (ONWARD_\w+) [\w(]", plain, re.M)
    names = [it for it in dict.fromkeys(names) if it != "ONWARD_API"]
    source = folder / "numbers.c"
    source.write_text(
        "#include <onward.h>\n#include <stdio.h>\n"
        # As signed numbers SIZE_MAX and its kin are the same on all machines.
        "int main(void)\n{\n"
        + "".join(f"    printf(\"%s %lld\\n\", \"{it}\", (long long){it});\n"
                  for it in names) + "    return 0;\n}\n")
    program = folder / "numbers"
    subprocess.run(["cc", "-std=c11", f"-I{include}", source, "-o", program],
                   check=True, timeout=60)
    lines = subprocess.run([program], capture_output=True, text=True,
                           check=True, timeout=60).stdout.splitlines()
    return {name: int(number) for name, number in map(str.split, lines)}


def table_of(include):
    text = "\n".join(path.read_text() for path in
                     sorted((include / "onward").glob("*.h")))
    structs = re.findall(r"^struct (onward_\w+) \{", text, re.M)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, found in layouts(structs, folder, include).items():
            rows[name] = tuple(found[label] for label in TARGETS)
        for name, number in constants(text, folder, include).items():
            rows[name] = (number,)
    return rows


def read(path):
    rows = {}
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            name, *numbers = line.split("\t")
            rows[name] = tuple(map(int, numbers))
    return rows


def compare(old, new):
    for name, numbers in old.items():
        struct, _, field = name.partition(".")
        if name not in new:
            heirs = [it for it, at in new.items()
                     if it.startswith(struct + ".") and at == numbers]
            # What was kept free may be put to use where it stands.
            if not (field.startswith("reserved") and heirs):
                yield f"{name} is gone"
        elif new[name] != numbers:
            is_open = not field and f"{name}.size" in new
            if not (is_open and all(a <= b for a, b in
                                    zip(numbers, new[name]))):
                yield f"{name}: {numbers} before, {new[name]} now"


def self_test():
    """It sees what it is there for."""
    old = {"s": (16, 8, 8), "s.size": (0, 0, 0), "s.x": (8, 4, 4),
           "s.reserved": (12, 6, 6), "fixed": (8, 4, 4), "ONWARD_A": (1,)}
    assert not list(compare(old, {**old, "s": (24, 12, 12),
                                  "s.y": (16, 8, 8), "ONWARD_B": (2,)}))
    used = {**old, "s.y": (12, 6, 6)}
    del used["s.reserved"]
    assert not list(compare(old, used))
    gone = dict(old)
    del gone["s.x"]
    for new in ({**old, "s": (8, 8, 8)}, {**old, "s.x": (8, 8, 4)},
                {**old, "fixed": (16, 8, 8)}, {**old, "ONWARD_A": (2,)}, gone):
        assert len(list(compare(old, new))) == 1, new


def main():
    self_test()
    if sys.argv[1:2] == ["--write"]:
        folder = pathlib.Path(sys.argv[2])
        (folder / "layout.tsv").write_text(TITLE + "".join(
            "\t".join(map(str, (name, *numbers))) + "\n"
            for name, numbers in table_of(folder / "include").items()))
        return
    rows = table_of(HERE.parents[1] / "include")
    tables = sorted(HERE.glob("[0-9]*/layout.tsv"))
    faults = [f"{table.parent.name}: {fault}" for table in tables
              for fault in compare(read(table), rows)]
    if len(tables) != len(list(HERE.glob("[0-9]*"))):
        faults.append("a release without its layout.tsv")
    print("\n".join(faults) or f"{len(rows)} sizes, offsets and numbers are "
          f"those of {len(tables)} releases")
    sys.exit(1 if faults else 0)


main()
