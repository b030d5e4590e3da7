#!/usr/bin/env python3
"""mime_corpus.py MIME_TOOL [--gmime TOOL] [--count N] [--seed S]
[--collect CACHE] [FOLDER...]: messages beside Python's email package, and
beside GMime.

N messages are generated from a printed seed and must read alike: number of
leaves, their types, their decoded octets. Each is then mutated. With --collect
real messages are fetched, those that Debian packages hold as data for their
tests; .eml files below the folders are added. Every one must be given back by
its events, for any cut. Where a mutated or a real message is read differently,
differences.txt must say so: "mime mutated KIND" for a kind of difference, "mime
FILE" for a real message, each with the peer; a line that no longer holds is a
fault too. Nobody's reading of a damaged message is the right one. Where both
agree against us it was one of these: a line that is no field (both end the
header there), a bare LF (a line end for both), blanks at the end of
quoted-printable without a line end (kept by both). What else was looked at:
Python ends a header at the first line that is no field, takes bare
CR and LF as line ends, leaves a base64 body encoded when its padding is wrong,
has a leaf for a multipart without parts, and takes "text/x y" as a type; we
keep such a line in the header (mime.h), flag a bare LF, decode what is whole,
tell a preamble, and read the type up to the blank.
"""
import argparse
import collections
import email
import email.policy
import pathlib
import random
import subprocess
import sys
from email.message import EmailMessage

import debs

TEXTS = ["plain words ", "Gr\u00fc\u00dfe ", "\u65e5\u672c\u8a9e ", "=3D ? _ ",
         "-- \n", "--b\n", "From x\n", ".\n", "\t tab ", "\U0001f4e7 "]
SMTP = email.policy.SMTP
# Packages that hold real mail, and how many messages they have together.
COLLECTION = ["golang-github-gatherstars-com-jwz-dev", "mailman3"]
COLLECTED_LEAST = 2000
LIST = pathlib.Path(__file__).resolve().parent / "differences.txt"


def text_of(rng):
    return "".join(rng.choice(TEXTS) for _ in range(rng.randrange(40))) + "\n"


def add_parts(rng, message):
    message.set_content(text_of(rng), cte=rng.choice(
        ["quoted-printable", "base64", "8bit"]))
    if rng.random() < 0.6:
        message.add_alternative(f"<p>{text_of(rng)}</p>", subtype="html")
    for _ in range(rng.randrange(4)):
        kind = rng.randrange(3)
        if kind == 0:
            message.add_attachment(rng.randbytes(rng.randrange(3000)),
                                   maintype="application", subtype="pdf",
                                   filename=text_of(rng)[:30].split("\n")[0])
        elif kind == 1:
            message.add_attachment(text_of(rng), subtype="csv")
        else:
            inner = EmailMessage()
            inner["Subject"] = "inside"
            inner.set_content("inner text\n")
            message.add_attachment(inner)


def generate(rng):
    message = EmailMessage()
    message["From"] = "a@example.com"
    message["Subject"] = text_of(rng).split("\n")[0][:60].strip() or "x"
    add_parts(rng, message)
    return message.as_bytes(policy=SMTP)


def mutate(rng, octets):
    out = bytearray(octets)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(out))
        kind = rng.randrange(5)
        if kind == 0:
            out[at] = rng.randrange(256)
        elif kind == 1:
            del out[at:at + rng.randrange(1, 60)]
        elif kind == 2:
            piece = out[at:at + rng.randrange(1, 200)]
            place = rng.randrange(len(out))
            out[place:place] = piece
        elif kind == 3:
            out[at:at] = rng.choice([b"\r", b"\n", b"\0", b"\r\n", b"--",
                                     b"\r\n\r\n", b"\xff", b"="])
        else:
            del out[at:]
        if not out:
            out = bytearray(b"\r\n")
    return bytes(out)


def fnv(octets):
    value = 14695981039346656037
    for octet in octets:
        value = (value ^ octet) * 1099511628211 & 0xffffffffffffffff
    return f"{value:016x}"


def by_python(octets):
    message = email.message_from_bytes(octets)
    leaves = []
    for part in message.walk():
        if part.is_multipart():
            continue
        body = part.get_payload(decode=True) or b""
        leaves.append(f"{part.get_content_type()}:{len(body)}:{fnv(body)}")
    return leaves


def by_us(tool, messages):
    """All of them in one run of the tool."""
    data = b"".join(b"%d\n" % len(m) + m for m in messages)
    done = subprocess.run([tool], input=data, capture_output=True, timeout=600)
    lines = done.stdout.decode("latin1").splitlines()
    if done.returncode != 0 or len(lines) != len(messages):
        sys.exit(f"the tool ended with {done.returncode} after {len(lines)} "
                 f"messages: {done.stderr[-300:]!r}")
    return [line.split(" ") for line in lines]


def kind_of(ours, theirs):
    if len(ours) != len(theirs):
        return "number of leaves"
    if [x.split(":")[0] for x in ours] != [x.split(":")[0] for x in theirs]:
        return "types"
    return "decoded octets"


def readings(name, tool, messages):
    """What another makes of each message; an exception is theirs to fix."""
    if tool is not None:
        return [leaves for _, *leaves in by_us(tool, messages)]
    found = []
    for octets in messages:
        try:
            found.append(by_python(octets))
        except Exception as error:
            found.append(type(error).__name__)
    return found


def listed():
    """{(what, peer)} of the lines of differences.txt that are ours."""
    lines = set()
    for line in LIST.read_text().splitlines():
        if line.startswith("mime "):
            what, peer, _ = line[5:].split(" | ", 2)
            lines.add((what, peer))
    return lines


def compare(name, args, messages, names=None):
    """(messages that were not given back, Counter of (what, peer))"""
    ours, faults = [], 0
    for octets, (whole, *leaves) in zip(messages, by_us(args.tool, messages)):
        ours.append(leaves)
        if whole != "same":
            print(f"{name}: not given back: {octets[:200]!r}")
            faults += 1
    peers = {"Python": None}
    if args.gmime:
        peers["GMime"] = args.gmime
    found = collections.Counter()
    for peer, tool in peers.items():
        equal = 0
        for i, (a, b) in enumerate(zip(ours, readings(name, tool, messages))):
            if a == b:
                equal += 1
                continue
            kind = b if isinstance(b, str) else kind_of(a, b)
            found[names[i] if names else f"{name} {kind}", peer] += 1
        print(f"{name}: {len(messages)} messages, {equal} read as {peer} does")
    for (what, peer), count in sorted(found.items()):
        print(f"  {what} | {peer}: {count}")
    return faults, found


def collect(cache):
    folders = []
    for package in COLLECTION:
        try:
            folders.append(debs.unpack(package, cache))
        except debs.Unavailable as why:
            print(f"skipped: {why}")
    return folders


def real_messages(folders):
    messages, names = [], []
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob("*.eml")):
            octets = path.read_bytes()
            if b"\r" not in octets:
                octets = octets.replace(b"\n", b"\r\n")
            messages.append(octets)
            names.append(path.name)
    return messages, names


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--gmime")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--collect")
    parser.add_argument("folders", nargs="*")
    args = parser.parse_intermixed_args()
    rng = random.Random(args.seed)
    print(f"seed {args.seed}")
    sound = [generate(rng) for _ in range(args.count)]
    damaged = [mutate(rng, m) for m in sound]
    faults, found = compare("generated", args, sound)
    more, differs = compare("mutated", args, damaged)
    faults += more
    found += differs
    wanted = {line for line in listed() if line[0].startswith("mutated ")}
    if args.collect:
        folders = collect(args.collect)
        messages, names = real_messages(folders + args.folders)
        more, differs = compare("real", args, messages, names)
        faults += more
        found += differs
        if len(folders) == len(COLLECTION):
            wanted = listed()
            faults += len(messages) < COLLECTED_LEAST
    if not args.gmime:
        wanted = {line for line in wanted if line[1] != "GMime"}
    for what, peer in sorted(set(found) - listed()):
        print(f"not in differences.txt: mime {what} | {peer}")
        faults += 1
    for what, peer in sorted(wanted - set(found)):
        print(f"does not differ any more: mime {what} | {peer}")
        faults += 1
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
