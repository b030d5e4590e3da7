#!/usr/bin/env python3
"""mime_build_peers.py ONWARD [--gmime TOOL] [--npm] [--count N]
[--seed S]: what `onward mime build` writes, read by Python's email package, by
GMime and by postal-mime.

N messages are generated from a printed seed: random Unicode, long lines, odd
names. Subject, a field, names, addresses, texts, file names, content ids and
octets must read back as they were said. Where one does not, differences.txt
must say so: "built KIND | PEER | section: why"; a line that no longer holds
is a fault too. With --npm, postal-mime is got with npm, and skipped
with a word where that cannot be."""
import argparse
import collections
import email
import email.policy
import json
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PIECES = ["a", "B", "plain", " ", " ", "  ", "\t", "\"", "\\", "=?", "?=", "=",
          "_", "(", ")", "<", ">", "@", ",", ";", ":", "%41", "'", "*", ".",
          "\u00e9", "\u65e5\u672c", "\U0001f4e7", "\u202e", "\u0301", "\u05d0",
          "=?utf-8?q?x?=", "0123456789" * 9, "From "]
POSTAL = "2.4.4"


def text(r, most):
    return "".join(r.choice(PIECES) for _ in range(r.randint(0, most)))


def body(r):
    lines = [text(r, r.choice([0, 3, 10, 40])) for _ in range(r.randint(0, 8))]
    return "".join(line + "\n" for line in lines)


class Message:
    def __init__(self, seed, number):
        r = random.Random(f"{seed}/{number}")
        self.subject = text(r, r.choice([0, 2, 8, 30]))
        self.field = text(r, r.choice([1, 8, 30]))
        self.sender = (text(r, r.choice([0, 2, 6])).strip(" \t"),
                       "a@example.com")
        self.to = [(text(r, r.choice([0, 2, 20])).strip(" \t"),
                    f"u{i}.x+y@example.org") for i in range(r.randint(0, 4))]
        self.text = body(r) if r.random() < .8 else None
        self.html = body(r) if r.random() < .5 else None
        self.files = []
        for i in range(r.choice([0, 0, 1, 3])):
            name = text(r, r.choice([1, 4, 12])).replace("/", "_").strip(" \t")
            while len(name.encode()) > 200:
                name = name[:-1]
            cid = "" if r.random() < .6 or self.html is None else f"c{i}@x"
            self.files.append((r.choice(["image/png", "text/csv",
                                         "application/x-a"]),
                               f"{i}{name}", cid, r.randbytes(r.choice(
                                   [0, 1, 56, 57, 58, 5000]))))
        self.is_8bit = r.random() < .5

    def build(self, onward, folder):
        args = [onward, "mime", "build", "--time", "1600000000", "--subject",
                self.subject, "--field", "X-Text:" + self.field, "--from",
                quoted(self.sender)]
        if self.is_8bit:
            args.append("--8bit")
        for who in self.to:
            args += ["--to", quoted(who)]
        for name in ("text", "html"):
            value = getattr(self, name)
            if value is not None:
                (folder / name).write_bytes(value.encode())
                args += ["--" + name, name]
        for kind, name, cid, octets in self.files:
            (folder / name).write_bytes(octets)
            args += (["--inline", f"{cid}={name}:{kind}"] if cid else
                     ["--attach", f"{name}:{kind}"])
        done = subprocess.run(args, cwd=folder, capture_output=True)
        for item in folder.iterdir():
            item.unlink()
        if done.returncode != 0:
            sys.exit(f"{args}: {done.stderr.decode()}")
        return done.stdout

    def said(self):
        """What must be read, by kind. Blanks at the ends of the field are those
        of --field."""
        is_empty = self.text is None and self.html is None and not self.files
        return {"subject": self.subject, "field": self.field.lstrip(" \t"),
                "from": [self.sender], "to": self.to,
                "text": b"" if is_empty else crlf(self.text),
                "html": crlf(self.html),
                "files": sorted((n, k, c, o) for k, n, c, o in self.files)}


def quoted(who):
    name = who[0].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{who[1]}>'


def crlf(value):
    return None if value is None else value.replace("\n", "\r\n").encode()


def parts(leaves):
    """(type, name, cid, octets) of leaves into texts and files."""
    got = {"text": None, "html": None, "files": []}
    for kind, name, cid, octets in leaves:
        if not name and kind in ("text/plain", "text/html"):
            got["html" if kind == "text/html" else "text"] = octets
        else:
            got["files"].append((name, kind, cid, octets))
    got["files"].sort()
    return got


def without_blanks(value):
    if isinstance(value, str):
        return "".join(value.split())
    return [(without_blanks(name), *rest) for name, *rest in value]


def kind_of(kind, want, got):
    """Which kind of difference it is."""
    if kind in ("subject", "field", "from", "to") and \
            without_blanks(want) == without_blanks(got):
        return kind + ", blanks alone"
    return kind


def unix(value):
    """A text as postal-mime gives it: LF, any number at its end, none for an
    empty one."""
    return (value or b"").replace(b"\r\n", b"\n").rstrip(b"\n")


def read_python(data):
    m = email.message_from_bytes(data, policy=email.policy.SMTP)
    got = parts((p.get_content_type(), p.get_filename() or "",
                 (p["Content-ID"] or "").strip("<>"),
                 p.get_payload(decode=True))
                for p in m.walk() if not p.is_multipart())
    got["subject"] = str(m["Subject"])
    got["field"] = str(m["X-Text"])
    for name in ("from", "to"):
        got[name] = [(a.display_name, a.addr_spec)
                     for a in (m[name].addresses if m[name] else ())]
    return got


def read_gmime(tool, paths):
    done = subprocess.run([tool, *paths], capture_output=True, check=True)
    for one in done.stdout.decode().split("\n\n")[:-1]:
        got = {"from": [], "to": []}
        leaves = []
        for line in one.split("\n"):
            what, *values = line.split(" ")
            if what == "part":
                kind = values.pop(0)
            values = [b"" if v == "-" else bytes.fromhex(v) for v in values]
            if what == "part":
                leaves.append((kind, values[0].decode(), values[1].decode(),
                               values[2]))
            elif what in ("from", "to"):
                got[what].append(tuple(v.decode() for v in values))
            else:
                got[what] = values[0].decode()
        yield {**got, **parts(leaves)}


def read_postal(folder, paths):
    done = subprocess.run(["node", "mime_build_postal.mjs", *paths],
                          cwd=folder, capture_output=True, check=True)
    for line in done.stdout.decode().splitlines():
        got = json.loads(line)
        for name in ("from", "to"):
            got[name] = [tuple(a) for a in got[name]]
        got["files"] = sorted((n, k, c, bytes.fromhex(o))
                              for k, n, c, o in got["files"])
        for name in ("text", "html"):
            got[name] = None if got[name] is None else got[name].encode()
        yield got


def get_postal(folder):
    try:
        subprocess.run(["npm", "install", "--silent", "--no-audit",
                        "--no-fund", f"postal-mime@{POSTAL}"], cwd=folder,
                       check=True, capture_output=True, timeout=120)
        (folder / "mime_build_postal.mjs").write_text(
            (HERE / "mime_build_postal.mjs").read_text())
        return True
    except (OSError, subprocess.SubprocessError):
        print("postal-mime cannot be got with npm: skipped")
        return False


def known():
    rows = set()
    for line in (HERE / "differences.txt").read_text().splitlines():
        if line.startswith("built "):
            kind, peer, _ = line.split(" | ", 2)
            rows.add((kind[len("built "):], peer))
    return rows


def main():
    p = argparse.ArgumentParser()
    p.add_argument("onward")
    p.add_argument("--gmime")
    p.add_argument("--npm", action="store_true")
    p.add_argument("--count", type=int, default=1000)
    p.add_argument("--seed", default="20200913")
    p.add_argument("--show", type=int, default=0)
    a = p.parse_args()
    onward = str(pathlib.Path(a.onward).resolve())
    print(f"seed {a.seed}, {a.count} messages")
    found = collections.Counter()
    examples = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "in").mkdir()
        messages = [Message(a.seed, i) for i in range(a.count)]
        paths = []
        for i, m in enumerate(messages):
            path = folder / f"{i}.eml"
            path.write_bytes(m.build(onward, folder / "in"))
            paths.append(str(path))
        peers = {"Python": [read_python(pathlib.Path(path).read_bytes())
                            for path in paths]}
        if a.gmime:
            peers["GMime"] = list(read_gmime(
                str(pathlib.Path(a.gmime).resolve()), paths))
        if a.npm and get_postal(folder):
            peers["postal-mime"] = list(read_postal(folder, paths))
        for peer, all_got in peers.items():
            assert len(all_got) == len(messages)
            for i, (m, got) in enumerate(zip(messages, all_got)):
                for kind, want in m.said().items():
                    if peer == "postal-mime" and kind == "field":
                        continue # it gives fields as they are
                    if peer == "postal-mime" and kind in ("text", "html"):
                        want, got[kind] = unix(want), unix(got[kind])
                    if got[kind] != want:
                        row = kind_of(kind, want, got[kind]), peer
                        found[row] += 1
                        examples[row].append((i, want, got[kind]))
    expected = {row for row in known() if row[1] in peers}
    for row in sorted(found):
        print(f"{row[0]} | {row[1]}: {found[row]} of {a.count}"
              + ("" if row in expected else " NOT EXPECTED"))
        for example in examples[row][:a.show]:
            print("   ", *example, sep="\n    ")
    gone = expected - set(found)
    for row in sorted(gone):
        print(f"{row[0]} | {row[1]}: in differences.txt, and not there")
    bad = gone or set(found) - expected
    print(f"{', '.join(peers)}: {a.count} messages each,"
          f" {sum(found.values())} values read differently")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
