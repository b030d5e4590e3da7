#!/usr/bin/python3
"""peers.py ONWARD: what the tool signs and seals is taken by dkimpy and
Mail::DKIM, and what these sign and seal is taken by it, all with the records of
one --dns file. Exit 77: a peer is not here."""
import json
import re
import subprocess
import sys

try:
    import authres  # noqa: F401  dkimpy's ARC
    import dkim
    import nacl  # noqa: F401  dkimpy's ed25519
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

from cli import DATA, HERE, Count, Folder

folder = Folder(sys.argv[1])
count = Count()
ZONE = folder.path / "zone.txt"
PKCS1 = DATA / "key" / "rsa2048-pkcs1.pem"
MESSAGE = (folder.path / "message.eml").read_bytes().replace(b"\n", b"\r\n")


def read_zone():
    records = {}
    for line in ZONE.read_text().splitlines():
        found = re.match(r"(\S+?)\.?\s+(?:\d+\s+)?(?:IN\s+)?TXT\s+(\".*)", line)
        if found:
            records[found.group(1)] = "".join(
                re.findall(r'"([^"]*)"', found.group(2))).encode()
    return records


RECORDS = read_zone()


def dnsfunc(name, timeout=5):
    if isinstance(name, bytes):
        name = name.decode()
    return RECORDS.get(name.rstrip("."))


def perl(*args, data):
    done = subprocess.run(["perl", str(HERE / "mail_dkim.pl"),
                           *map(str, args)], input=data, capture_output=True)
    if done.returncode == 77:
        print("skipped: Mail::DKIM is not here")
        sys.exit(77)
    return done


def verdict(mode, message):
    return perl(mode, ZONE, data=message).stdout.decode().strip()


def onward(*args, data):
    done = folder.run(args, data)
    if done.returncode != 0 or done.stderr:
        print(args, done.returncode, done.stderr.decode())
    return done.stdout


def verify(message, *args):
    return json.loads(onward("verify", "--json", "--dns", "zone.txt",
                             "--authserv-id", "mx.example.net", *args,
                             data=message) or b"{}")


def check(name, got, want):
    count.check(name, [] if got == want else [f"got {got}, expected {want}"])


def changed(message):
    return message.replace(b"noon?", b"noon!")


def peers_take_what_we_sign():
    for key, selector in ("key.pem", "sel"), ("ed25519.pem", "ed"):
        for canon in ("relaxed/relaxed", "relaxed/simple", "simple/relaxed",
                      "simple/simple"):
            name = f"sign, {selector}, {canon}"
            signed = onward("sign", "--key", key, "--domain", "example.com",
                            "--selector", selector, "--canon", canon,
                            data=MESSAGE)
            check(f"{name}: only a field more",
                  signed.endswith(MESSAGE)
                  and signed.startswith(b"DKIM-Signature:"), True)
            check(f"{name}: dkimpy",
                  dkim.verify(signed, dnsfunc=dnsfunc), True)
            check(f"{name}: dkimpy, changed",
                  dkim.verify(changed(signed), dnsfunc=dnsfunc), False)
            # Mail::DKIM 1.2 knows no Ed25519.
            if selector == "sel":
                check(f"{name}: Mail::DKIM", verdict("dkim", signed), "pass")


def lf_files_keep_their_line_ends():
    """The converted output passes, so that what was hashed had CRLF."""
    message = MESSAGE.replace(b"\r\n", b"\n")
    signed = onward("sign", "--key", "key.pem", "--domain", "example.com",
                    "--selector", "sel", data=message)
    check("LF: no CR is written", b"\r" in signed, False)
    check("LF: dkimpy", dkim.verify(signed.replace(b"\n", b"\r\n"),
                                    dnsfunc=dnsfunc), True)
    check("LF: verify reads it as CRLF",
          verify(signed)["dkim"][0]["result"], "pass")
    check("LF: --raw takes the bytes as they are",
          verify(signed, "--raw")["dkim"][0]["result"] == "pass", False)


def seal(message, *args, domain="fwd.example.net", selector="arc"):
    return onward("seal", "--key", "key.pem", "--domain", domain, "--selector",
                  selector, "--authserv-id", "mx.example.net", "--dns",
                  "zone.txt", *args, data=message)


def peers_take_what_we_seal():
    signed = onward("sign", "--key", "key.pem", "--domain", "example.com",
                    "--selector", "sel", data=MESSAGE)
    once = seal(signed, "--ip", "192.0.2.1", "--mail-from",
                "alice@example.com", "--helo", "mail.example.com")
    twice = seal(once)
    for name, sealed, instances in ("one set", once, 1), ("two", twice, 2):
        cv, found, reason = dkim.arc_verify(sealed, dnsfunc=dnsfunc)
        check(f"seal, {name}: dkimpy", (cv, len(found)),
              (dkim.CV_Pass, instances))
        check(f"seal, {name}: dkimpy, changed",
              dkim.arc_verify(changed(sealed), dnsfunc=dnsfunc)[0],
              dkim.CV_Fail)
        check(f"seal, {name}: Mail::DKIM", verdict("arc", sealed), "pass")
        check(f"seal, {name}: verify", verify(sealed)["arc"],
              {"result": "pass", "instances": instances, "reason": None})
    # What was verified stands in the set, for the next hop to read.
    field = re.search(rb"^ARC-Authentication-Results:(.*?)\r\n(?=\S)", once,
                      re.M | re.S).group(1)
    found = authres.AuthenticationResultsHeader.parse(
        "Authentication-Results:"
        + re.sub(rb"\r\n", b"", field.split(b";", 1)[1]).decode())
    check("seal: ARC-Authentication-Results",
          (found.authserv_id, [(r.method, r.result) for r in found.results]),
          ("mx.example.net",
           [("dkim", "pass"), ("dmarc", "pass"), ("spf", "pass"),
            ("spf", "pass"), ("arc", "none")]))
    broken = seal(changed(once))
    check("seal: a broken chain gets cv=fail",
          re.search(rb"^ARC-Seal:.*?cv=(\w+)", broken, re.M | re.S).group(1),
          b"fail")
    ended = folder.run(["seal", "--key", "key.pem", "--domain",
                        "fwd.example.net", "--selector", "arc",
                        "--authserv-id", "mx.example.net", "--dns",
                        "zone.txt"], broken)
    check("seal: an ended chain gets nothing",
          (ended.returncode, ended.stdout, ended.stderr.decode()),
          (0, broken, "onward seal: -: the chain ended with cv=fail, nothing "
                      "added\n"))


def we_take_what_peers_made():
    """Signed by dkimpy, sealed by Mail::DKIM."""
    field = dkim.sign(MESSAGE, b"sel", b"example.com", PKCS1.read_bytes(),
                      canonicalize=(b"relaxed", b"simple"))
    signed = field + MESSAGE
    results = onward("verify", "--dns", "zone.txt", "--authserv-id",
                     "border.example.net", data=signed)
    marked = results.replace(b"\n", b"\r\n") + signed
    sealed = perl("seal", PKCS1, "fwd.example.net", "arc",
                  "border.example.net", data=marked)
    check("Mail::DKIM seals", (sealed.returncode, sealed.stderr), (0, b""))
    check("dkimpy takes that seal too",
          dkim.arc_verify(sealed.stdout, dnsfunc=dnsfunc)[0], dkim.CV_Pass)
    got = verify(sealed.stdout, "--ip", "192.0.2.1", "--mail-from",
                 "alice@example.com", "--helo", "mail.example.com")
    authres_text = got.pop("authres")
    check("peers' message", got, {
        "v": 1,
        "file": "-",
        "spf": {
            "mailfrom": {"result": "pass", "reason": "match",
                         "explanation": None, "mechanism": "ip4:192.0.2.1",
                         "lookups": 0, "void_lookups": 0},
            "helo": {"result": "pass", "reason": "match", "explanation": None,
                     "mechanism": "a", "lookups": 1, "void_lookups": 0}},
        "dkim": [{"result": "pass", "d": "example.com", "s": "sel",
                  "i": None if b"i=" not in field else "@example.com",
                  "a": "rsa-sha256", "reason": None}],
        "arc": {"result": "pass", "instances": 1, "reason": None},
        "dmarc": {"result": "pass", "policy": "reject", "disposition": "none",
                  "author_domain": "example.com",
                  "policy_domain": "example.com", "reason": "aligned"},
    })
    found = authres.AuthenticationResultsHeader.parse(
        "Authentication-Results: " + authres_text)
    check("authres, read by another parser",
          [(r.method, r.result) for r in found.results],
          [("dkim", "pass"), ("dmarc", "pass"), ("spf", "pass"),
           ("spf", "pass"), ("arc", "pass")])
    got = verify(changed(sealed.stdout))
    check("peers' message, changed",
          (got["dkim"][0]["result"], got["dkim"][0]["reason"],
           got["arc"]["result"], got["arc"]["reason"],
           got["dmarc"]["result"], got["dmarc"]["disposition"]),
          ("fail", "body-hash", "fail", "message", "fail", "reject"))


peers_take_what_we_sign()
lf_files_keep_their_line_ends()
peers_take_what_we_seal()
we_take_what_peers_made()
count.finish()
