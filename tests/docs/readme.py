#!/usr/bin/env python3
"""readme.py VERIFY [SUFFIX=COMMAND...]: the program in README.md is
examples/readme/verify.c, and works; so are those of other languages, which
COMMAND runs, where it is there; what the documents link to and name is there."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data/cli"
PATH = re.compile(r"^(?:examples|tests|lib|include|doc|fuzz)/[\w./-]+$")
PLACEHOLDER = re.compile(r"\b(X|MODULE|VERSION|topic|test_topic|fuzz_topic|X_shared)\b")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


# In which block of README.md the program in examples/readme stands.
LANGUAGES = {"py": "python", "mjs": "js"}


def verify(program, message, records=DATA / "zone.txt"):
    return subprocess.run([*program, records], input=message,
                          capture_output=True, timeout=60)


def signed_message():
    signed = (DATA / "signed.eml").read_bytes()
    return signed.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def check_verdicts(program):
    signed = signed_message()
    done = verify(program, signed)
    if done.returncode != 0 or b"dkim=pass" not in done.stdout:
        yield f"a good message: {done}"
    done = verify(program, signed + b"more\r\n")
    if done.returncode != 1 or b"dkim=fail" not in done.stdout:
        yield f"a changed message: {done}"


def check_other(suffix, command):
    """A program of 10 lines in another language."""
    path = ROOT / f"examples/readme/verify.{suffix}"
    source = path.read_text()
    shown = blocks((ROOT / "README.md").read_text(), LANGUAGES[suffix])
    if source not in shown:
        yield f"README.md: no {LANGUAGES[suffix]} block is {path.name}"
    if source.count("\n") > 10:
        yield f"{path.name} has more than 10 lines"
    if command:
        yield from check_verdicts([*command.split(), path])


def check_program(program):
    source = (ROOT / "examples/readme/verify.c").read_text()
    if blocks((ROOT / "README.md").read_text(), "c") != [source]:
        yield "README.md: the C block is not examples/readme/verify.c"
    if source.count("\n") > 30:
        yield "examples/readme/verify.c has more than 30 lines"
    signed = signed_message()
    yield from check_verdicts([program])
    done = verify([program], signed, "absent")
    if done.returncode != 1 or done.stdout or b"absent: No" not in done.stderr:
        yield f"no records: {done}"
    done = verify([program], signed, DATA / "signed.eml")
    if done.returncode != 1 or b"signed.eml:1: " not in done.stderr:
        yield f"records that are none: {done}"


def check_links():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("doc/**/*.md")]:
        text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if "://" not in link and not (path.parent / link).exists():
                yield f"{path.name}: links to {link}, which is not there"
        for name in re.findall(r"`([^`\s]+)`", text):
            if (PATH.match(name) and not PLACEHOLDER.search(name)
                    and not (ROOT / name).exists()):
                yield f"{path.name}: names {name}, which is not there"


def main():
    faults = [*check_program(sys.argv[1]), *check_links()]
    for word in sys.argv[2:]:
        faults += check_other(*word.split("=", 1))
    print("\n".join(faults) or "README and links are right")
    sys.exit(1 if faults else 0)


main()
