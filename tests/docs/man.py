#!/usr/bin/env python3
"""man.py ONWARD FORWARDER POLICYD SOCKETMAP MILTER OPENSMTPD-FILTER: every command,
option and key has its entry in the man pages, with the default that the program
has, and no entry is left over."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

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


def check_service(program, name, *settings, without=()):
    """A program with a configuration file, its page, and its tables of keys but
    those that it has no use for."""
    page = (MAN / name).read_text()
    yield from compare(name, options(said([program, "--help"])),
                       entries(page))
    source = "".join((ROOT / path).read_text() for path in settings)
    keys = set(re.findall(r'\{\s*\.name = "(\w+)"', source)) - set(without)
    if not keys:
        yield f"{settings[0]}: no keys found"
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


def keys_of(source, function):
    """Those that a function of the loader of rules takes in an object."""
    body = re.search(rf"^static \w+ \*?{function}\(.*?^}}", source,
                     re.M | re.S)[0]
    found = set()
    for listed in re.findall(r"const char \*const \w+\[\] =\s*\{(.*?)\};",
                             body, re.S):
        if '"id"' not in listed and "NULL" in listed:
            found |= set(re.findall(r'"(\w+)"', listed))
    return found - {"comment"}  # every object has it, and it is said once


def check_rules(onward):
    """onward-rules.5 against the loader's tables, and its example."""
    name = "onward-rules.5"
    page = (MAN / name).read_text()
    source = {path.name: path.read_text() for path in
              (ROOT / "lib/ruleset").glob("load*.c")}
    parts = re.split(r"^\.Ss (.+)$", page, flags=re.M)
    section = dict(zip(parts[1::2], parts[2::2]))
    described = {title: set(re.findall(r"^\.It Cm (\w+)$", text, re.M))
                 for title, text in section.items()}
    for title, file, function in (
            ("The file", "load.c", "read_frame"),
            ("Zones", "load.c", "read_zone_head"),
            ("Settings", "load.c", "read_settings"),
            ("Rules", "load_rule.c", "read_head"),
            ("Addresses", "load.c", "read_address")):
        there = keys_of(source[file], function)
        if title == "The file":
            there = {"version", "zones", "addresses"} & there
        if title == "Rules":
            # Passed over by the list of keys, and read all the same.
            there |= set(re.findall(r'"(source|owner_worker_tag)"',
                                    source[file]))
        yield from compare(f"{name}: {title}", there, described[title])

    keys = set()
    for function in ("compile_tree", "compile_text", "compile_number",
                     "compile_tls", "compile_client"):
        file = "load_match.c" if function == "compile_tree" else "load_test.c"
        keys |= keys_of(source[file], function)
    yield from compare(f"{name}: Matchers", keys, described["Matchers"])
    table = section["Matchers"].partition(".Bl -column")[2].partition(".El")[0]
    cells = [re.findall(r"\b[a-z_]+\b", re.sub(r"\b(It|Cm|Em|none: .*)\b|Ta",
                                               " ", cell))
             for line in table.splitlines()[2:] for cell in line.split(" Ta ")]
    said = {word for cell in cells for word in cell}
    types = re.search(r'"unknown matcher"?,?\s*((?:"[^"]*"\s*)+)',
                      source["load_match.c"].replace('", "', '", "'))[1]
    fields = re.search(r'"unknown field",\s*((?:"[^"]*"\s*)+)',
                       source["load_test.c"])[1]
    there = set(re.findall(r"[a-z_]+", types + fields)) - {"all"}
    yield from compare(f"{name}: table of Matchers", there, said)

    actions = set(re.findall(r'\{"(\w+)", read_\w+\}',
                             source["load_action.c"]))
    keys = set()
    for function in ("get_values", "read_add_field", "read_drop",
                     "read_reply", "read_going"):
        keys |= keys_of(source["load_action.c"], function)
    yield from compare(f"{name}: Actions", actions | keys,
                       described["Actions"])
    for number in re.findall(r"(?:DESTINATIONS|LINE|VALUES)_MAX\w* = (\d+)",
                             source["load_action.c"] + source["load_test.c"]):
        if not re.search(rf"\b{number}\b", page):
            yield f"{name}: a limit of {number} is not said"

    example = re.search(r"^\.Bd -literal.*?\n(.*?)^\.Ed", page, re.M | re.S)[1]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(example)
        file.flush()
        done = subprocess.run([onward, "rules", "check", file.name],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            yield f"{name}: the example: {done.stdout}{done.stderr}"


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
              *check_service(sys.argv[5], "onward-milter.8",
                             "examples/filter/settings.c",
                             "examples/milter/setup.c"),
              *check_service(sys.argv[6], "onward-opensmtpd-filter.8",
                             "examples/filter/settings.c",
                             "examples/opensmtpd-filter/setup.c",
                             without=("srs_domain", "srs_secret", "forward")),
              *check_rules(sys.argv[1]), *check_form()]
    print("\n".join(faults) or "the man pages have all that is there")
    sys.exit(1 if faults else 0)


main()
