#!/usr/bin/env python3
"""guide.py [--write] NAME=PROGRAM...: each listing in doc/guide is the file
that the comment above it names, each command there prints what stands below
it. --write puts both into the pages."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ROOT / "doc/guide"
PROGRAMS = ROOT / "examples/guide"
DATA = ROOT / "tests/data"
LISTING = re.compile(r"(<!-- (\S+) -->\n```(?:c|json|text)\n)(.*?)(^```$)",
                     re.M | re.S)
# This page is one story, in a network of its own: start.py runs it.
STORY = "start.md"
CONSOLE = re.compile(r"(^```console\n)(.*?)(^```$)", re.M | re.S)


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def make_certificate(folder):
    """For mta-sts.example.com, and its authority."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True,
                       capture_output=True, timeout=60)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem",
            "-days", "2", "-subj", "/CN=authority")
    openssl("req", *key, "-keyout", "mta-sts.key", "-out", "csr", "-subj",
            "/CN=host")
    (folder / "ext").write_text("subjectAltName=DNS:mta-sts.example.com\n")
    openssl("x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out",
            "mta-sts.pem")


def fill(folder, programs):
    """What the pages assume to be there."""
    (folder / "bin").mkdir()
    for name, program in programs.items():
        (folder / "bin" / name).symlink_to(os.path.abspath(program))
    for name in ("message.eml", "signed.eml"):
        (folder / name).write_bytes(crlf((DATA / "cli" / name).read_bytes()))
    for name in ("zone.txt", "rules.json", "mta-sts.txt"):
        (folder / name).write_bytes((DATA / "cli" / name).read_bytes())
    for path in PROGRAMS.glob("*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "key.pem").write_bytes((DATA / "key/rsa2048.pem").read_bytes())


def run(command, folder):
    env = dict(os.environ, PATH=f"{folder}/bin:{os.environ['PATH']}",
               LC_ALL="C.UTF-8", TZ="UTC",
               # What a program of the guide reads whole it keeps to its end.
               ASAN_OPTIONS="detect_leaks=0")
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    text = done.stdout.decode("utf-8", "replace").replace("\r\n", "\n")
    return text if text.endswith("\n") or not text else text + "\n"


def played(block, folder):
    """The block with the output that its commands have now."""
    result = ""
    command = None
    for line in block.splitlines():
        if line.startswith("$ "):
            command = line[2:]
        elif command is not None and command.endswith("\\"):
            command = command[:-1] + line.strip()
        else:
            continue
        result += line + "\n"
        if not command.endswith("\\"):
            result += run(command, folder)
    return result


def remade(text, folder, faults, page):
    def listing(match):
        source = ROOT / match[2]
        if not source.exists():
            faults.append(f"{page}: {match[2]} is not there")
            return match[0]
        if source.read_text() != match[3]:
            faults.append(f"{page}: the listing is not {match[2]}")
        return match[1] + source.read_text() + match[4]

    def console(match):
        with tempfile.TemporaryDirectory() as fresh:
            fresh = pathlib.Path(fresh)
            fill(fresh, folder)
            if "mta-sts.pem" in match[2]:
                make_certificate(fresh)
            now = played(match[2], fresh)
        if now != match[2]:
            faults.append(f"{page}: shown is\n{match[2]}printed is\n{now}")
        return match[1] + now + match[3]

    for block in re.findall(r"^(.*)\n```(?:c|json|text)$", text, re.M):
        if not block.startswith("<!-- "):
            faults.append(f"{page}: a listing without its file above it")
    text = LISTING.sub(listing, text)
    return text if page == STORY else CONSOLE.sub(console, text)


def main():
    words = [word for word in sys.argv[1:] if word != "--write"]
    programs = dict(word.split("=", 1) for word in words)
    faults = []
    shown = set()
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text()
        now = remade(text, programs, faults, path.name)
        shown.update(found for _, found, _, _ in LISTING.findall(now))
        if "--write" in sys.argv:
            path.write_text(now)
    for path in [*PROGRAMS.glob("*.c"), *PROGRAMS.glob("*.h"),
                 *PROGRAMS.glob("*.json"), *PROGRAMS.glob("start/*")]:
        if str(path.relative_to(ROOT)) not in shown:
            faults.append(f"{path.name} stands on no page of doc/guide")
    print("\n".join(faults) or "the guide is as it says")
    sys.exit(1 if faults and "--write" not in sys.argv else 0)


if __name__ == "__main__":
    main()
