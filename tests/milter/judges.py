"""What others say of a message: dkimpy and Mail::DKIM, which must verify what we
have signed and sealed."""
import json
import random
import re
import subprocess

from server import TESTS

from forwarder import equal

PYTHON = "/usr/bin/python3"  # that has Debian's modules


def fields_of(message):
    """(name, octets) of the header."""
    head = message.split(b"\r\n\r\n", 1)[0] + b"\r\n"
    return [(m[1].decode(), m[0]) for m in re.finditer(
        rb"([^\s:]+)[ \t]*:(?:.|\r\n[ \t])*?\r\n(?![ \t])", head)]


def judge(milter, message):
    """{by: (d= that pass, ARC)} of those that are here."""
    found = {}
    zone = str(milter.path / "zone.txt")
    for argv in ([PYTHON, str(TESTS / "interop/with_dkimpy.py")],
                 ["perl", str(TESTS / "interop/with_maildkim.pl")]):
        got = subprocess.run([*argv, "verify", zone], input=message,
                             capture_output=True, timeout=60)
        if got.returncode != 0:
            missing = got.stderr.decode()
            assert "No module named" in missing or \
                "Can't locate" in missing, missing
            print("SKIP a judge:", missing.splitlines()[-1])
            continue
        word = json.loads(got.stdout)
        found[word["by"]] = (sorted(s["d"] for s in word["dkim"]
                                    if s["result"] == "pass"), word["arc"])
    return found


def judged(milter, message, domains, arc):
    for by, got in judge(milter, message).items():
        equal((by, got), (by, (domains, arc)))


def mixed_results():
    """Fields that claim to be ours and others, in no order: (all, the others)."""
    draw = random.Random(4)
    lines = [b"Authentication-Results: mx.fwd.example; spf=pass n=%d\r\n" % i
             for i in range(9)]
    lines += [b"authentication-RESULTS:\r\n\tMX.fwd.example (%d) 1; none\r\n"
              % i for i in range(9)]
    others = [b"Authentication-Results: other%d.example; none\r\n" % i
              for i in range(9)]
    lines += others
    draw.shuffle(lines)
    return b"".join(lines), [one for one in lines if one in others]


SIGN = """
import sys, dkim
key, domain = open(sys.argv[1], "rb").read(), sys.argv[2].encode()
message = sys.stdin.buffer.read()
names = [n for n, _ in dkim.rfc822_parse(message)[0]]
sys.stdout.buffer.write(dkim.sign(
    message, b"r", domain, key, canonicalize=(b"simple", b"simple"),
    include_headers=names) + message)
"""


def signed_to_the_octet(milter, message, domain):
    """Signed by dkimpy in the simple forms of header and body, which a changed
    blank breaks; None: it is not here."""
    got = subprocess.run([PYTHON, "-c", SIGN, str(milter.path / "rsa.pem"),
                          domain], input=message, capture_output=True,
                         timeout=60)
    if got.returncode != 0:
        print("SKIP simple forms:", got.stderr.decode().splitlines()[-1])
        return None
    return got.stdout
