#!/usr/bin/env python3
"""examples.py ONWARD: what --help lists exists, and each example that it shows
runs as it stands."""
import re
import sys

from cli import Count, Folder


def section(text, name):
    found = re.search(rf"^{name}:\n((?:  .*\n)+)", text, re.M)
    return found.group(1).splitlines() if found else []


def faults_of(folder, line):
    done = folder.shell(line)
    if done.returncode != 0:
        yield f"exit status {done.returncode}"
    if done.stderr:
        yield f"said {done.stderr.decode()}"
    if not done.stdout:
        yield "printed nothing"


def main():
    folder = Folder(sys.argv[1])
    folder.fill_ticket()
    count = Count()
    top = folder.run(["--help"])
    commands = [re.match(r"  (\S+(?: \S+)?)  ", line).group(1)
                for line in section(top.stdout.decode(), "Commands")]
    count.check("onward --help", [] if commands else ["lists no command"])
    for command in commands:
        done = folder.run([*command.split(), "--help"])
        text = done.stdout.decode()
        faults = []
        if done.returncode != 0 or done.stderr:
            faults.append(f"exit status {done.returncode}, {done.stderr!r}")
        if not text.startswith(f"Usage: onward {command} "):
            faults.append("does not begin with its usage")
        options = {m for line in section(text, "Options")
                   for m in re.findall(r"^  (--[a-z-]+)", line)}
        examples = [line.strip() for line in section(text, "Examples")]
        if "--help" not in options or not examples:
            faults.append("lists no options, or no examples")
        for line in examples:
            shown = set(re.findall(r"(--[a-z-]+)", line))
            if not shown <= options:
                faults.append(f"does not list {sorted(shown - options)}")
        count.check(f"{command} --help", faults)
        for line in examples:
            count.check(line, list(faults_of(folder, line)))
    count.finish()


main()
