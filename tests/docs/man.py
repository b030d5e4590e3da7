#!/usr/bin/env python3
"""man.py ONWARD FORWARDER POLICYD SOCKETMAP: every command, option and key has its entry in the
man pages, with the default that the program has, and no entry is left over."""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAN = ROOT / "doc/man"


def said(argv):
    return subprocess.run(argv, capture_output=True, text=True,
                          timeout=60).stdout


def options(text):
    """Those that are listed in a table of --help."""
    return set(re.findall(r"^  --([a-z-]+)", text, re.M))


def entries(page):
    return set(re.findall(r"^\.It Fl -([a-z-]+)", page, re.M))


def compare(what, there, described):
    for name in sorted(there - described):
        yield f"{what}: {name} has no entry"
    for name in sorted(described - there):
        yield f"{what}: {name} has an entry, and is not there"


def check_onward(program):
    page = (MAN / "onward.1").read_text()
    top = said([program, "--help"])
    table = re.search(r"^Commands:\n((?:  .*\n)+)", top, re.M).group(1)
    commands = re.findall(r"^  (\S+(?: \S+)?)  ", table, re.M)
    there = options(top)
    for command in commands:
        there |= options(said([program, *command.split(), "--help"]))
    yield from compare("onward.1", there, entries(page))
    yield from compare("onward.1", set(commands),
                       set(re.findall(r"^\.It Cm (.+)", page, re.M)))


def check_service(program, name, settings):
    """A program with a configuration file, its page, and its table of keys."""
    page = (MAN / name).read_text()
    yield from compare(name, options(said([program, "--help"])),
                       entries(page))
    source = (ROOT / settings).read_text()
    keys = set(re.findall(r'\{\s*\.name = "(\w+)"', source))
    if not keys:
        yield f"{settings}: no keys found"
    parts = re.split(r"^\.It Cm (\w+) No =", page, flags=re.M)
    described = dict(zip(parts[1::2], parts[2::2]))
    yield from compare(name, keys, set(described))
    # What fill_keys() sets before the file is read.
    for key, value in re.findall(r"^    s->(\w+) = (\d+|true);", source, re.M):
        want = {"true": "Default: yes."}.get(value, f"Default: {value}.")
        if key in described and key != "out_tls" \
                and want not in described[key]:
            yield f"{name}: {key}: expected \"{want}\""
    for key in re.findall(r'\{\s*\.name = "(\w+)"[^}]*?\.is_required', source):
        if key != "listen" and "Required." not in described.get(key, ""):
            yield f"{name}: {key} is required, and that is not said"


def check_form():
    """groff finds nothing odd in the pages."""
    if shutil.which("groff") is None:
        print("skipped: form of the pages (no groff)")
        return
    for page in sorted(MAN.iterdir()):
        done = subprocess.run(["groff", "-mdoc", "-ww", "-z", page],
                              capture_output=True, text=True)
        for line in done.stderr.splitlines():
            yield f"{page.name}: groff: {line}"


def main():
    faults = [*check_onward(sys.argv[1]), *check_service(sys.argv[2], "onward-forwarder.8",
                             "examples/forwarder/settings.c"),
              *check_service(sys.argv[3], "onward-policyd.8",
                             "examples/policyd/setup.c"),
              *check_service(sys.argv[4], "onward-socketmap.8",
                             "examples/socketmap/setup.c"),
              *check_form()]
    print("\n".join(faults) or "the man pages have all that is there")
    sys.exit(1 if faults else 0)


main()
