#!/usr/bin/env python3
"""unit.py UNIT PROGRAM EXPOSURE (TEST.py ARG...)...: the unit of a service is one that
systemd takes, its sandbox is as narrow as it says (in tenths, as systemd-analyze
counts), and not too narrow: what the program asks of the kernel while these
tests of its own run is allowed by the unit's filter."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile



def run(argv, **how):
    return subprocess.run(argv, capture_output=True, text=True, timeout=300,
                          **how)


def check_form(unit, program, exposure, folder):
    """systemd-analyze looks for the program, so it gets ours."""
    text = re.sub(rf"^(Exec\w+=)\S*/{program.name}", rf"\1{program}",
                  unit.read_text(), flags=re.M)
    copy = folder / unit.name
    copy.write_text(text)
    done = run(["systemd-analyze", "--man=no", "verify", copy])
    said = done.stdout + done.stderr
    # What other units of this machine get wrong is not ours.
    if "onward" in said or "nknown command" in said:
        yield f"systemd-analyze verify: {said}"
    done = run(["systemd-analyze", "security", "--offline=yes",
                f"--threshold={exposure}", copy])
    level = re.search(r"exposure level.*?: ([\d.]+)", done.stdout)
    if done.returncode != 0 or not level:
        yield f"systemd-analyze security: {done.stdout[-400:]}{done.stderr}"
    else:
        print(f"exposure {level[1]}, at most {exposure / 10}")


def check_user(unit):
    """A name that keys and secrets can be given to, the same after each start:
    who finds none makes them readable to everybody."""
    if re.findall(r"^User=(.*)$", unit.read_text(), re.M) != ["onward"]:
        yield "User=onward is missing"


def calls_of(group):
    """The names in a group of systemd's, with those of groups in it."""
    found = set()
    for line in run(["systemd-analyze", "syscall-filter",
                     group]).stdout.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            found |= calls_of(name)
        elif name and not name.startswith("#"):
            found.add(name)
    return found


def allowed(unit):
    """In the order of the unit: the first line is what may be, ~ takes out."""
    found = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(),
                            re.M):
        names = set()
        for word in value.lstrip("~").split():
            names |= calls_of(word) if word.startswith("@") else {word}
        found = found - names if value.startswith("~") else found | names
    return found


def used(program, tests, folder):
    """What it calls, it alone: its parents in the tests do as they like."""
    wrapper = folder / "traced"
    wrapper.write_text("#!/bin/sh\nexec strace -D -f -qq -o "
                       f"'{folder}/calls.'$$ -- '{program}' \"$@\"\n")
    wrapper.chmod(0o755)
    for test in tests:
        done = run([sys.executable, test[0], wrapper, *test[1:]])
        if done.returncode != 0:
            sys.exit(f"{test[0]}, traced: {done.stdout}{done.stderr}")
    found = set()
    for path in folder.glob("calls.*"):
        found |= set(re.findall(r"^\d+ +([a-z_0-9]+)\(", path.read_text(
            errors="replace"), re.M))
    return found


def main():
    unit = pathlib.Path(sys.argv[1])
    program = pathlib.Path(sys.argv[2]).resolve()
    exposure, tests = int(sys.argv[3]), []
    for word in sys.argv[4:]:
        if word.endswith(".py"):
            tests.append([])
        tests[-1].append(word)
    if shutil.which("systemd-analyze") is None:
        print("skipped: no systemd-analyze (Debian: systemd)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        faults = [*check_form(unit, program, exposure, folder),
                  *check_user(unit)]
        if shutil.which("strace") is None:
            print("skipped in part: what the filter keeps out (no strace)")
        else:
            calls = used(program, tests, folder)
            if len(calls) < 30:
                faults.append(f"not traced: {sorted(calls)}")
            for name in sorted(calls - allowed(unit)):
                faults.append(f"the unit's filter keeps out {name}")
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


main()
