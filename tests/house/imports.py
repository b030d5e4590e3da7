#!/usr/bin/env python3
"""imports.py LIBONWARD.so LIBONWARD.a: what the library asks of others is on
the committed list, the allocator's names come from one object file, and there
is no writable static data of ours."""
import fnmatch
import re
import sys

from house import ROOT, finish, need


def undefined(path):
    found = {}
    member = ""
    for line in need(["nm", "-u", path]).splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif line.strip():
            name = line.split()[-1].split("@")[0]
            found.setdefault(name, set()).add(member)
    return found


def main():
    shared, static = sys.argv[1:3]
    faults = []
    allowed = set()
    for line in (ROOT / "tests/house/imports.allow").read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line:
            allowed.add(line)
    sanitized = False
    for name in sorted(undefined(shared)):
        if name.startswith(("__asan", "__ubsan", "__sanitizer")):
            sanitized = True
        elif not any(fnmatch.fnmatchcase(name, a) for a in allowed):
            faults.append(f"imports {name}, which imports.allow does not list")
    for name in ("malloc", "calloc", "realloc", "free"):
        for member in undefined(static).get(name, ()):
            if "default_allocator" not in member:
                faults.append(f"{member} uses {name}")
    # .data.rel.ro is constant after relocation; .data and .bss are not.
    for line in need(["objdump", "-t", static]).splitlines():
        match = re.search(r"\s(\.data|\.bss|\.tdata|\.tbss)(\.[\w.]+)?\t"
                          r"([0-9a-f]+)\s+(.*)$", line)
        if not match or (match.group(2) or "").startswith(".rel.ro"):
            continue
        if int(match.group(3), 16) and not match.group(4).startswith("."):
            faults.append(f"writable static data: {match.group(4)}")
    if sanitized:
        print("skipped: a sanitized build imports its runtime")
        sys.exit(77)
    finish(faults, f"imports are as listed ({len(allowed)} names)")


main()
