#!/usr/bin/python3
"""DKIM and ARC against dkimpy and Mail::DKIM, in both directions.

    dkim_peers.py DKIM_TOOL

What we sign or seal they must take, what they sign or seal we must take, and
what was changed on the way nobody may take. Exit 77: a peer is not here.
"""
import base64
import pathlib
import subprocess
import sys
import tempfile

try:
    import dkim
    import nacl  # noqa: F401  dkimpy's ed25519
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

tool = sys.argv[1]
here = pathlib.Path(__file__).resolve().parent
work = pathlib.Path(tempfile.mkdtemp())
failures = 0
checks = 0

DOMAIN = "example.org"
HEADER = (
    b"From: Ann <ann@example.org>\r\nTo: Bob <bob@example.net>\r\n"
    b"Subject: =?utf-8?q?caf=C3=A9?=  and   more\r\n\t folded \r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700\r\n"
    b"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Received: from a by b;\r\n Fri, 11 Jul 2003 21:00:37 -0700\r\n"
    b"Received: from c by d; Fri, 11 Jul 2003 21:00:36 -0700\r\n\r\n"
)
BODIES = {
    "text": b"Hello  world \t\r\n\r\nbye.\r\n",
    "empty": b"",
    "blank lines": b"\r\n\r\nx \r\n \r\n\t\r\n\r\n",
    "no final line end": b"last line",
    "8 bit": "caf\u00e9 \u2603\r\n".encode() * 50,
    "long": b"".join(b"%d " % i * (i % 40) + b"\r\n" for i in range(3000)),
}


def run(*args, data):
    done = subprocess.run([tool, *args], input=data, capture_output=True)
    if done.returncode != 0:
        return done.stderr.decode().strip() or f"exit {done.returncode}"
    return done.stdout


def check(name, ok):
    global failures, checks
    checks += 1
    if not ok:
        failures += 1
        print("FAILED:", name)


def openssl(*args, data=None):
    return subprocess.run(
        ["openssl", *args], input=data, capture_output=True, check=True
    ).stdout


class Key:
    def __init__(self, selector, kind):
        self.selector, self.kind = selector, kind
        self.path = str(work / f"{selector}.pem")
        if kind == "rsa":
            pem = openssl("genrsa", "-traditional", "2048")
            self.peer_key = pem
            der = openssl("rsa", "-pubout", "-outform", "DER", data=pem)
            p = base64.b64encode(der).decode()
        else:
            pem = openssl("genpkey", "-algorithm", "ed25519")
            der = openssl("pkey", "-outform", "DER", data=pem)
            self.peer_key = base64.b64encode(der[-32:])
            pub = openssl("pkey", "-pubout", "-outform", "DER", data=pem)
            p = base64.b64encode(pub[-32:]).decode()
        pathlib.Path(self.path).write_bytes(pem)
        self.txt = f"v=DKIM1; k={kind}; p={p}"
        self.name = f"{selector}._domainkey.{DOMAIN}"

    def record(self):
        parts = [self.txt[i : i + 200] for i in range(0, len(self.txt), 200)]
        return f"{self.name} TXT " + " ".join(f'"{p}"' for p in parts) + "\n"


KEYS = [Key("rsa1", "rsa"), Key("ed1", "ed25519")]
ZONE = work / "zone"
ZONE.write_text("".join(k.record() for k in KEYS))
TXT = {k.name: k.txt for k in KEYS}


def dnsfunc(name, timeout=5):
    name = (name.decode() if isinstance(name, bytes) else name).rstrip(".")
    return TXT.get(name, "").encode()


def ours(message):
    out = run("verify", str(ZONE), data=message)
    return out.decode().split() if isinstance(out, bytes) else [out]


def ours_arc(message):
    out = run("arc", str(ZONE), data=message)
    return out.decode().split() if isinstance(out, bytes) else [out]


def perl(mode, message):
    done = subprocess.run(
        ["perl", str(here / "dkim_peers.pl"), mode, str(ZONE)],
        input=message,
        capture_output=True,
    )
    if done.returncode == 77:
        return None
    return (done.stdout + done.stderr).decode().strip()


def dkim_both_ways(key, canon, name, message):
    label = f"{key.kind} {canon}, {name}"
    field = run("sign", key.path, DOMAIN, key.selector, canon, data=message)
    if not isinstance(field, bytes):
        check(f"we sign: {label}: {field}", False)
        return
    signed = field + message
    check(f"we take ours: {label}", ours(signed)[0] == "pass")
    check(f"dkimpy takes ours: {label}", dkim.verify(signed, dnsfunc=dnsfunc))
    # Mail::DKIM adds no line end to a last line in the simple form, as RFC
    # 6376 section 3.4.3 wants; and it has no ed25519 here.
    if key.kind == "rsa" and not (
        canon.endswith("/simple") and name == "no final line end"
    ):
        got = perl("verify", signed)
        check(f"Mail::DKIM takes ours: {label}: {got}", got in (None, "pass"))
    check(
        f"we refuse a change: {label}",
        ours(signed + b"x\r\n")[0] == "fail"
        and ours(signed.replace(b"Bob", b"Rob"))[0] == "fail"
        and ours(b"Cc: eve@example.com\r\n" + signed)[0] == "fail",
    )
    head, body = canon.encode().split(b"/")
    theirs = dkim.sign(
        message,
        key.selector.encode(),
        DOMAIN.encode(),
        key.peer_key,
        canonicalize=(head, body),
        signature_algorithm=f"{key.kind}-sha256".encode(),
        include_headers=[b"from", b"to", b"subject", b"from", b"date"],
    )
    got = ours(theirs + message)
    check(f"we take dkimpy's: {label}: {got}", got[0] == "pass")


def arc_both_ways(key, name, message):
    label = f"{key.kind}, {name}"
    sealed = message
    for hop in range(1, 4):
        got = ours_arc(sealed)[0]
        check(
            f"we validate hop {hop}: {label}: {got}",
            got == ("none" if hop == 1 else "pass"),
        )
        if hop == 2 and key.kind == "rsa":  # dkimpy seals rsa alone
            theirs = dkim.arc_sign(
                b"Authentication-Results: lists.example.org; arc=pass;\r\n"
                b" spf=pass smtp.mailfrom=a@example.org\r\n" + sealed,
                key.selector.encode(),
                DOMAIN.encode(),
                key.peer_key,
                b"lists.example.org",
                include_headers=[b"from", b"to", b"subject"],
            )
            sealed = b"".join(theirs) + sealed
        else:
            fields = run(
                "seal", key.path, DOMAIN, key.selector, str(ZONE), data=sealed
            )
            if not isinstance(fields, bytes):
                check(f"we seal: {label}: {fields}", False)
                return
            sealed = fields + sealed
    check(f"we take the whole chain: {label}", ours_arc(sealed)[0] == "pass")
    if key.kind == "rsa":
        cv, results, reason = dkim.arc_verify(sealed, dnsfunc=dnsfunc)
        check(f"dkimpy takes the chain: {label}: {reason}", cv == b"pass")
        got = perl("arc", sealed)
        check(f"Mail::DKIM takes the chain: {label}: {got}", got in (None, "pass"))
    check(
        f"we refuse a change: {label}",
        ours_arc(sealed + b"x\r\n")[0] == "fail"
        and ours_arc(sealed.replace(b"spf=pass", b"spf=fail", 1))[0] == "fail",
    )


for key in KEYS:
    for name, body in BODIES.items():
        for canon in (
            "simple/simple",
            "simple/relaxed",
            "relaxed/simple",
            "relaxed/relaxed",
        ):
            dkim_both_ways(key, canon, name, HEADER + body)
        arc_both_ways(key, name, HEADER + body)

print(f"{checks - failures} of {checks} checks with dkimpy and Mail::DKIM agree")
sys.exit(1 if failures else 0)
