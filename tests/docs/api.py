#!/usr/bin/env python3
"""api.py VERSION: the reference is made from the headers without a warning, and
each exported function has its place on the page of its module; a header that
says something wrong, or nothing, is found."""
import html
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def make(source, version, out):
    return subprocess.run(["sh", ROOT / "doc/api/api.sh", source, version, out],
                          capture_output=True, text=True, timeout=120)


def check_pages(pages):
    names = re.findall(r"^\s*(onward_\w+);",
                       (ROOT / "lib/libonward.map").read_text(), re.M)
    groups = re.findall(r"@defgroup (\w+)",
                        (ROOT / "doc/api/groups.dox").read_text())
    found = set()
    for group in groups:
        # Doxygen escapes some letters of a file's name.
        page = pages / f"group__{group}.html"
        if not page.exists():
            yield f"the module {group} has no page"
            continue
        for cell in re.findall(r'<td class="memname">(.*?)</td>',
                               page.read_text()):
            # "int onward_srs_new", with links where a word is known.
            found.add(html.unescape(re.sub(r"<[^>]*>", "", cell)).split()[-1])
    for name in names:
        if name not in found:
            yield f"{name} is on no module's page"
    if "desk" not in (pages / "index.html").read_text():
        yield "the first page is empty"


def check_seen(version, folder):
    """What Doxygen is there for."""
    copy = folder / "copy"
    for name in ("include", "doc"):
        shutil.copytree(ROOT / name, copy / name)
    header = copy / "include/onward/srs.h"
    text = header.read_text()
    for old, new in (
            (r"@param sender ", "@param from "),
            (r"/\*\*\n \* Count one more owner.*?\*/\n", ""),
            (r"/\*\*< enum onward_srs_hash: signs \*/", ""),
            (r"@return static text", "@retrun static text")):
        text, count = re.subn(old, new, text, count=1, flags=re.S)
        if count != 1:
            yield f"not to be tried: {old}"
    header.write_text(text)
    said = make(copy, version, folder / "wrong").stdout
    for what, words in (
            ("a parameter that is not there", r"argument 'from'"),
            ("a function without a comment", r"onward_srs_ref.*not documented"),
            ("a member without one", r"Member hash .*not documented"),
            ("a command that is none", r"unknown command '@retrun'")):
        if not re.search(rf"srs\.h:\d+: .*{words}", said):
            yield f"{what} is not found: {said}"


def main():
    if shutil.which("doxygen") is None:
        print("skipped: no doxygen")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        done = make(ROOT, sys.argv[1], folder / "api")
        faults = [done.stdout + done.stderr] if done.returncode != 0 else [
            *check_pages(folder / "api/html"),
            *check_seen(sys.argv[1], folder)]
    print("\n".join(faults) or "the reference has everything, and says nothing "
          "that Doxygen minds")
    sys.exit(1 if faults else 0)


main()
