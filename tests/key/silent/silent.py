#!/usr/bin/env python3
"""silent.py VALGRIND PROGRAM [--control]: signing under valgrind reports no
branch and no address that a secret decides.

The program judges what is ours. Nettle's Ed25519 asserts that carries are what
they must be: a jump that goes to __assert_fail and nowhere else is taken by no
secret. Each report in there must be such a jump, which is looked up in the
library's own code."""
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET


def code(path, start, octets):
    """Instructions from there on: (address, name, operands)."""
    text = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", f"--start-address={start}",
         f"--stop-address={start + octets}", path],
        capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\s*([0-9a-f]+):\t(\S+)\s*(.*)$", text, re.M)
    return [(int(at, 16), name, rest) for at, name, rest in found]


def only_asserts(path, start):
    """Does it set up arguments and call __assert_fail, and nothing else?"""
    for _, name, rest in code(path, start, 64):
        if name.startswith("call"):
            return "__assert_fail" in rest
        if name not in ("lea", "mov", "endbr64"):
            return False
    return False


def is_assertion(path, at):
    here = code(path, at, 32)
    jump = re.match(r"([0-9a-f]+)", here[0][2])
    if here[0][0] != at or not here[0][1].startswith("j") or not jump:
        return False
    return (only_asserts(path, int(jump.group(1), 16))
            or only_asserts(path, here[1][0]))


def frames(error):
    return [(int(f.findtext("ip"), 16), f.findtext("obj") or "",
             f.findtext("fn") or "?") for f in error.find("stack")]


def judge(reports, bases):
    asserted, faults = set(), []
    for error in ET.parse(reports).getroot().iter("error"):
        stack = frames(error)
        if any(fn in ("test_seen_row", "test_sec_powm") for _, _, fn in stack):
            continue
        ip, obj, _ = stack[0]
        if "libhogweed" in obj and is_assertion(obj, ip - bases[obj]):
            asserted.add(ip)
        else:
            faults.append(error.findtext("what") + "\n    " + "\n    ".join(
                f"{fn} ({os.path.basename(o)})" for _, o, fn in stack[:8]))
    print(f"Ed25519: {len(asserted)} reports, all of them assertions of Nettle"
          if not faults else "\n".join(faults))
    return faults


def main():
    valgrind, program, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        reports = f"{folder}/reports.xml"
        run = subprocess.run(
            [valgrind, "-q", "--error-limit=no", "--num-callers=20",
             "--xml=yes", f"--xml-file={reports}", program, *options],
            capture_output=True, text=True)
        bases = {}
        for line in re.findall(r"^map (.*)$", run.stdout, re.M):
            bases.setdefault(line.split()[-1], int(line.split("-")[0], 16))
        print(re.sub(r"^map .*\n", "", run.stdout, flags=re.M) + run.stderr)
        if run.returncode != 0:
            sys.exit(1)
        sys.exit(1 if judge(reports, bases) and not options else 0)


main()
