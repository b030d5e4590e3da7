#!/usr/bin/env python3
"""mime.py ONWARD: what `onward mime parse` prints, and where it writes."""
import json
import os
import sys

from cli import Count, Folder

folder = Folder(sys.argv[1])
count = Count()

HEAD = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
NAMES = ["../../up.txt", "/etc/passwd", "same", "same", "..", "a\\b.txt",
         "link", "=?utf-8?q?=C3=A9=2Etxt?="]
PARTS = "".join(
    f'--b\nContent-Disposition: attachment; filename="{name}"\n'
    f"Content-Transfer-Encoding: base64\n\nQUJD\n" for name in
    (n.replace("\\", "\\\\") for n in NAMES))
(folder.path / "names.eml").write_text(
    "Subject: =?iso-2022-jp?b?GyRCRnxLXBsoQg==?=\nSubject: two\n" + HEAD
    + PARTS + "--b--\n")
(folder.path / "many.mbox").write_text(
    "From a@example.com Thu Jan  1 00:00:00 1970\nSubject: one\n\n"
    ">From here\nx\n\nFrom no empty line follows\nSubject: two\n\ny\n")


def run(name, args, status, check, data=b""):
    done = folder.run(["mime", "parse", *args], data)
    faults = []
    if done.returncode != status:
        faults.append(f"exit status {done.returncode}, {done.stderr!r}")
    else:
        faults += list(check(done))
    count.check(name, faults)


def same(got, want):
    if got != want:
        yield f"got {got!r}, expected {want!r}"


def objects(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


run("parts for people", ["names.eml"], 0,
    lambda done: same(done.stdout.decode().splitlines()[:3],
                      ["0 multipart/mixed",
                       '  1 text/plain 3 base64 attachment "../../up.txt"',
                       '  2 text/plain 3 base64 attachment "/etc/passwd"']))
run("anomalies for people", ["names.eml"], 0,
    lambda done: same(done.stdout.decode().splitlines()[9:],
                      ["malformed: duplicate-field at 45 in part 0",
                       "odd: odd-parameters at 831 in part 8"]))
run("parts for programs", ["--json", "names.eml"], 0,
    lambda done: same([p["name"] for p in objects(done)[0]["parts"]],
                      [None, *NAMES[:-1], "\u00e9.txt"]))
run("a field, charset of iconv", ["--header", "SUBJECT", "names.eml"], 0,
    lambda done: same(done.stdout.decode(), "\u65e5\u672c\ntwo\n"))
run("a field for programs", ["--json", "--header", "subject", "names.eml"], 0,
    lambda done: same(objects(done)[0]["values"], ["\u65e5\u672c", "two"]))
run("mbox", ["--json", "--mbox", "--header", "subject", "many.mbox"], 0,
    lambda done: same([(o["message"], o["values"]) for o in objects(done)],
                      [(1, ["one"]), (2, ["two"])]))
run("mbox unquotes", ["--json", "--mbox", "many.mbox"], 0,
    lambda done: same([o["parts"][0]["decoded"] for o in objects(done)],
                      [14, 3]))
run("no mbox", ["--mbox", "names.eml"], 3, lambda done: ())
run("no folder", ["--extract", "nowhere", "names.eml"], 3, lambda done: ())
run("standard input", ["-"], 0,
    lambda done: same(done.stdout, b"0 text/plain 3 7bit\n"),
    b"Subject: a\n\nb\n")

# A link in the folder leads out of it, and a file is in the way.
out = folder.path / "out"
out.mkdir()
outside = folder.path / "outside"
outside.write_text("untouched")
os.symlink(outside, out / "link")
(out / "passwd").write_text("untouched")


def written(done):
    names = sorted(os.listdir(out))
    want = sorted(["2-link", "2-passwd", "2-same",
                   "b.txt", "link", "passwd", "same", "unnamed", "up.txt",
                   "\u00e9.txt"])
    yield from same(names, want)
    yield from same(outside.read_text(), "untouched")
    yield from same((out / "passwd").read_text(), "untouched")
    yield from same({(out / n).read_text() for n in names
                     if n not in ("link", "passwd")}, {"ABC"})
    yield from same(sorted(os.listdir(folder.path / "..")),
                    sorted(set(os.listdir(folder.path / "..")) - {"up.txt"}))


run("nothing leaves the folder", ["--extract", "out", "names.eml"], 0, written)

count.finish()
