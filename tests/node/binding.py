#!/usr/bin/env python3
"""binding.py CACHE LIBONWARD.so ONWARD.FFI.JSON LIBOLDER.so: the binding for
Node, by its own tests, its types by tsc, each listing of its README, and the
program of the main README. npm's packages go to CACHE."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import npm

SOURCE = npm.ROOT / "examples/bindings/node"
DATA = npm.ROOT / "tests/data"
RULES = """{"version": 1, "zones": [{"name": "zone.example", "rules": [
 {"matchers": [{"type": "literal", "field": "to", "value": "sales@zone.example"}],
  "actions": [{"type": "forward", "value": ["box@one.example"]}]},
 {"matchers": [{"type": "literal", "field": "to", "value": "tickets@zone.example"}],
  "actions": [{"type": "handler", "value": ["desk"]}]}]}],
 "addresses": [{"email": "box@one.example", "verified": true}]}
"""
# What a line of each listing's output says, in their order.
SAYS = ["^pass ", "^pass ip4:192.0.2.0/24$", "", "^Grüße See the table",
        "^250 OK Forwarded$", "^CLOSED$"]


def run(args, folder, **how):
    return subprocess.run(args, cwd=folder, capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL, **how)


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def files(folder):
    for name, path in (("zone.txt", "cli/zone.txt"), ("key.pem", "key/ed25519.pem"),
                       ("message.eml", "cli/signed.eml")):
        shutil.copy(DATA / path, folder / name)
    (folder / "rules.json").write_text(RULES)


def check_tests(folder):
    done = run(["node", "--test"], folder)
    print(done.stdout[-400:] if done.returncode == 0
          else done.stdout + done.stderr)
    # Node 18 counts files, 20 what is in them: both name each test.
    if done.returncode != 0 or len(
            re.findall(r"^ *ok \d+ - ", done.stdout, re.M)) < 45:
        yield "the binding's own tests"


def check_types(folder):
    """types.ts as a user's project has it, and a call that is wrong."""
    (folder / "wrong.ts").write_text(
        "import { Onward } from 'onward';\nnew Onward().parse(5);\n")
    done = run(["node", "node_modules/typescript/bin/tsc", "--noEmit",
                "--strict", "--module", "nodenext", "--target", "es2022",
                "--types", "node", "test/types.ts", "wrong.ts"], folder)
    if [*re.findall(r"^([\w/]+\.ts)\((\d+)", done.stdout, re.M)] != [
            ("wrong.ts", "2")]:
        yield f"tsc: expected one error, in wrong.ts: {done.stdout}"


def check_listings(folder):
    listings = re.findall(r"^```js\n(.*?)^```$",
                          (SOURCE / "README.md").read_text(), re.M | re.S)
    if len(listings) != len(SAYS) or listings[0].count("\n") != 5:
        yield f"README.md: {len(listings)} listings, expected {len(SAYS)}, " \
            "the first of five lines"
    for i, (listing, says) in enumerate(zip(listings, SAYS)):
        (folder / f"listing{i}.mjs").write_text(listing)
        done = run(["node", f"listing{i}.mjs"], folder)
        if done.returncode != 0 or not re.search(says, done.stdout, re.M):
            yield f"README.md, listing {i + 1}: {done}"
    signed = (folder / "signed.eml").read_bytes()
    if not (signed.startswith(b"DKIM-Signature: ") and signed.endswith(
            crlf((folder / "message.eml").read_bytes()))):
        yield "signed.eml"


def check_readme(folder):
    """The program of the main README: ten lines, and the message verified."""
    source = npm.ROOT / "examples/readme/verify.mjs"
    text = source.read_text()
    blocks = re.findall(r"^```js\n(.*?)^```$",
                        (npm.ROOT / "README.md").read_text(), re.M | re.S)
    if text not in blocks or text.count("\n") > 10:
        yield "README.md: examples/readme/verify.mjs is not in it, or longer " \
            "than 10 lines"
    shutil.copy(source, folder)

    def verify(message):
        return subprocess.run(["node", "verify.mjs", "zone.txt"], cwd=folder,
                              input=message, capture_output=True, timeout=60)

    signed = crlf((folder / "message.eml").read_bytes())
    done = verify(signed)
    if done.returncode != 0 or b"dkim=pass" not in done.stdout:
        yield f"verify.mjs, a good message: {done}"
    done = verify(signed + b"more\r\n")
    if done.returncode != 1 or b"dkim=fail" not in done.stdout:
        yield f"verify.mjs, a changed one: {done}"


def main():
    cache, library, declarations, older = map(
        lambda p: pathlib.Path(p).resolve(), sys.argv[1:])
    os.environ.update(
        ONWARD_LIBRARY=str(library), ONWARD_DECLARATIONS=str(declarations),
        ONWARD_TEST_OLD=str(older), ONWARD_TEST_DATA=str(DATA))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        modules = npm.prepare(cache, folder, SOURCE)
        os.symlink(folder, modules / "onward")
        files(folder)
        faults = [*check_tests(folder), *check_types(folder),
                  *check_listings(folder), *check_readme(folder)]
    print("\n".join(faults) or "tests, types and listings are right")
    sys.exit(1 if faults else 0)


main()
