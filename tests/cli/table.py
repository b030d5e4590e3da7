#!/usr/bin/env python3
"""table.py ONWARD: command lines, and what they print and end with. Objects
are compared whole: their field names are what scripts build on."""
import gzip
import io
import json
import pathlib
import re
import sys
import zipfile
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from cli import Count, Folder

folder = Folder(sys.argv[1])
count = Count()

SIGNED = (folder.path / "signed.eml").read_bytes()
CRLF = SIGNED.replace(b"\n", b"\r\n")
# One LF stands alone in the body, at the end of line BARE.
MIXED = CRLF.replace(b"lunch at  noon?\r\n", b"lunch at  noon?\n")
BARE = 1 + MIXED[:MIXED.index(b"noon?")].count(b"\n")
UNSIGNED = (folder.path / "message.eml").read_bytes()
CHANGED = SIGNED.replace(b"noon", b"one")
(folder.path / "changed.eml").write_bytes(CHANGED)
(folder.path / "foreign.eml").write_bytes(
    UNSIGNED.replace(b"alice@example.com", b"alice@nowhere.example"))
(folder.path / "two-authors.eml").write_bytes(
    UNSIGNED.replace(b"From: Alice <alice@example.com>",
                     b"From: a@example.com, b@example.net"))
ZONE = ["--dns", "zone.txt"]
ID = ["--authserv-id", "mx.example.net"]
ENVELOPE = ["--ip", "192.0.2.1", "--mail-from", "alice@example.com"]


def row(name, args, status, out=None, err="", data=b"", holds=()):
    """out: bytes to compare, or the objects of its lines; err: the text on
    standard error; holds: parts of standard output."""
    done = folder.run(args, data)
    faults = []
    if done.returncode != status:
        faults.append(f"exit status {done.returncode}, expected {status}")
    if done.stderr.decode() != err:
        faults.append(f"said {done.stderr.decode()!r}, expected {err!r}")
    got = done.stdout
    if isinstance(out, list):
        try:
            got = [json.loads(line) for line in got.decode().splitlines()]
        except ValueError as error:
            faults.append(f"{got!r}: {error}")
    if out is not None and got != out:
        faults.append(f"printed  {got!r}\n    expected {out!r}")
    for part in holds:
        if part not in done.stdout:
            faults.append(f"{part!r} is not in {done.stdout!r}")
    count.check(name, faults)


def spf(result, reason, mechanism, lookups, explanation=None, void=0):
    return {"v": 1, "result": result, "reason": reason, "explanation": explanation,
            "mechanism": mechanism, "lookups": lookups, "void_lookups": void}


# ---- onward ---------------------------------------------------------------

row("version", ["--version"], 0, b"onward 0.1.0\n")
done = folder.run([])
count.check("no command", [] if done.returncode == 2 and not done.stdout and
            done.stderr.startswith(b"Usage: onward COMMAND") else ["no usage"])
done = folder.shell("onward --help >/dev/full")
count.check("a full disk is no success",
            [] if done.returncode == 3 and
            done.stderr == b"onward: standard output: No space left on "
            b"device\n" else [f"{done.returncode} {done.stderr!r}"])

# ---- verify ---------------------------------------------------------------

SIGNATURE = {"result": "pass", "d": "example.com", "s": "sel",
             "i": "@example.com", "a": "rsa-sha256", "reason": None}
DMARC = {"result": "pass", "policy": "reject", "disposition": "none",
         "author_domain": "example.com", "policy_domain": "example.com",
         "reason": "aligned"}
NO_ARC = {"result": "none", "instances": 0, "reason": None}
TAGS = "header.d=example.com header.s=sel header.b=\"WkuO/Pop\""
GOOD = {"v": 1, "file": "signed.eml", "spf": None, "dkim": [SIGNATURE],
        "arc": NO_ARC, "dmarc": DMARC,
        "authres": f"mx.example.net; dkim=pass {TAGS}; dmarc=pass "
                   "header.from=example.com policy.dmarc=reject; arc=none"}

row("verify --json", ["verify", *ZONE, *ID, "--json", "signed.eml"], 0, [GOOD])
row("verify, CRLF from standard input",
    ["verify", *ZONE, *ID, "--json"], 0, [{**GOOD, "file": "-"}], data=CRLF)
row("verify, standard input by its name",
    ["verify", *ZONE, *ID, "--json", "-"], 0, [{**GOOD, "file": "-"}],
    data=SIGNED)
row("verify, a field for people", ["verify", *ZONE, *ID, "signed.eml"], 0,
    holds=[b"Authentication-Results: mx.example.net;\n dkim=pass ",
           b";\n dmarc=pass header.from=example.com policy.dmarc=reject;\n"])
row("verify, mixed line ends are kept and said",
    ["verify", *ZONE, *ID, "--json"], 0, data=MIXED,
    err=f"onward verify: -:{BARE}: a bare LF, expected CRLF at each line's "
        "end; all are kept as they are\n",
    holds=[b'"reason":"body-hash"'])
row("verify, --raw says nothing of line ends",
    ["verify", *ZONE, *ID, "--raw", "--json"], 0, data=MIXED,
    holds=[b'"reason":"body-hash"'])
row("verify, changed", ["verify", *ZONE, *ID, "--json", "changed.eml"], 0, [{
    **GOOD, "file": "changed.eml",
    "dkim": [{**SIGNATURE, "result": "fail", "reason": "body-hash"}],
    "dmarc": {**DMARC, "result": "fail", "disposition": "reject",
              "reason": "not-aligned"},
    "authres": "mx.example.net; dkim=fail reason=\"body hash did not verify\" "
               f"{TAGS}; dmarc=fail reason=\"no aligned identifier passed\" "
               "header.from=example.com policy.dmarc=reject; arc=none",
}])
row("verify --check, pass", ["verify", *ZONE, *ID, "--check", "signed.eml"], 0)
row("verify --check, fail", ["verify", *ZONE, *ID, "--check", "changed.eml"],
    1)
row("verify --check, SPF alone is aligned",
    ["verify", *ZONE, *ID, "--check", *ENVELOPE, "message.eml"], 0,
    holds=[b"spf=pass (mx.example.net: domain of alice@example.com designates "
           b"192.0.2.1\n as permitted sender) smtp.mailfrom=alice@example.com"])
row("verify --check, no policy is not pass",
    ["verify", *ZONE, *ID, "--check", "--json", "foreign.eml"], 1,
    holds=[b'"dmarc":{"result":"none","policy":null,"disposition":"none",'
           b'"author_domain":"nowhere.example"'])
row("verify, two author domains",
    ["verify", *ZONE, *ID, "--json", "two-authors.eml"], 0,
    holds=[b'"dmarc":{"result":"permerror","policy":null,"disposition":'
           b'"reject","author_domain":null,"policy_domain":null,"reason":'
           b'"many-authors"}'])
row("verify, a file that is not there wins, and the rest is read",
    ["verify", *ZONE, *ID, "--check", "--json", "changed.eml", "absent.eml",
     "signed.eml"], 3,
    err="onward verify: absent.eml: No such file or directory, expected a "
        "readable message\n",
    holds=[b'{"v":1,"file":"changed.eml",',
           b'{"v":1,"file":"absent.eml","error":"No such file or directory"}',
           b'{"v":1,"file":"signed.eml",'])
row("verify, several files are told apart",
    ["verify", *ZONE, *ID, "signed.eml", "message.eml"], 0,
    holds=[b"signed.eml:\nAuth", b"message.eml:\nAuth"])
row("verify, an empty message", ["verify", *ZONE, *ID, "--json"], 0,
    holds=[b'"dkim":[]', b'"reason":"no-author"'])
row("verify, options behind operands",
    ["verify", "signed.eml", "--json", "--dns=zone.txt", *ID], 0, [GOOD])
(folder.path / "--json").write_bytes(SIGNED)
row("verify, a file that looks like an option",
    ["verify", "--json", *ZONE, *ID, "--", "--json"], 0,
    [{**GOOD, "file": "--json"}])
(folder.path / "\udcff.eml".encode("utf-8", "surrogateescape").decode(
    "utf-8", "surrogateescape")).write_bytes(SIGNED)
row("verify, a file name that is no UTF-8",
    [b"verify", b"--json", b"--dns", b"zone.txt", b"--authserv-id",
     b"mx.example.net", b"\xff.eml"], 0, [{**GOOD, "file": "\ufffd.eml"}])

# ---- sign -----------------------------------------------------------------

KEY = ["--key", "key.pem", "--domain", "example.com", "--selector", "sel"]
row("sign --time", ["sign", *KEY, "--time", "1700000000", "message.eml"], 0,
    holds=[b"t=1700000000;", b"d=example.com;", b"\n" + UNSIGNED[:50]])
row("sign --headers", ["sign", *KEY, "--headers", "from:from:to",
                       "message.eml"], 0, holds=[b"h=from:from:to"])
row("sign --canon, header alone means a simple body",
    ["sign", *KEY, "--canon", "relaxed", "message.eml"], 0,
    holds=[b"c=relaxed/simple"])
row("sign --algorithm", ["sign", *KEY, "--algorithm", "rsa-sha256",
                         "message.eml"], 0, holds=[b"a=rsa-sha256"])
row("sign --identity", ["sign", *KEY, "--identity", "@news.example.com",
                        "message.eml"], 0, holds=[b"i=@news.example.com"])
row("sign, two From", ["sign", *KEY], 3, b"", data=b"From: a@example.com\n"
    b"From: b@example.com\n\n",
    err="onward sign: -: several From fields, expected a "
        "message to sign\n")

row("sign, mixed line ends are not vouched for", ["sign", *KEY], 3, b"",
    data=MIXED,
    err=f"onward sign: -:{BARE}: a bare LF, expected CRLF at each line's end; "
        "all are kept as they are\nonward sign: -: a bare CR or LF in the "
        "body, expected a message to sign\n")

# ---- seal -----------------------------------------------------------------

SEAL = ["seal", "--key", "key.pem", "--domain", "fwd.example.net",
        "--selector", "arc", *ID]
row("seal --time", [*SEAL, *ZONE, "--time", "1700000000", "signed.eml"], 0,
    holds=[b"ARC-Seal: ", b"ARC-Message-Signature: ",
           b"ARC-Authentication-Results: i=1; mx.example.net",
           b"t=1700000000", b"cv=none", b"dkim=pass", b"\n" + SIGNED[:40]])
sealed = folder.run([*SEAL, *ZONE, "signed.eml"]).stdout
(folder.path / "sealed.eml").write_bytes(sealed)
(folder.path / "down.txt").write_text(
    "arc._domainkey.fwd.example.net TXT !SERVFAIL\n")
row("seal, a chain that cannot be checked now",
    [*SEAL, "--dns", "down.txt", "sealed.eml"], 3, b"",
    err="onward seal: sealed.eml: DNS gave no answer for a key of the chain, "
        "try again later\n")

row("seal --expire", [*SEAL, *ZONE, "--time", "1700000000", "--expire", "3600",
                      "signed.eml"], 0, holds=[b"t=1700000000; x=1700003600\n"])
spf_sealed = folder.run([*SEAL, *ZONE, *ENVELOPE, "message.eml"]).stdout
(folder.path / "spf-sealed.eml").write_bytes(spf_sealed)
FAILED = {**DMARC, "result": "fail", "disposition": "reject",
          "reason": "not-aligned"}
for name, options, dmarc in (
        ("nobody", [], FAILED),
        ("another", ["--trust-sealer", "else.example"], FAILED),
        ("the sealer", ["--trust-sealer", "else.example", "--trust-sealer",
                        "FWD.example.net"],
         {**FAILED, "disposition": "none", "reason": "trusted-forwarder"})):
    done = folder.run(["verify", *ZONE, *ID, "--json", *options,
                       "spf-sealed.eml"])
    got = json.loads(done.stdout)["dmarc"]
    count.check(f"verify --trust-sealer, {name}",
                [] if got == dmarc else [f"{got}"])

# ---- sign, several at once ------------------------------------------------

KEYS = ["--key", "key.pem", "--key", "ed25519.pem"]


def signatures(*options):
    done = folder.run(["sign", *options, "message.eml"])
    return re.findall(rb"^DKIM-Signature: v=1; a=(\S+?);.*? d=(\S+?);"
                      rb"\s+s=(\w+);\s+t=(\d+);(?: x=(\d+);)?", done.stdout,
                      re.M | re.S)


for name, got, want in (
        ("two keys of one domain, for a week",
         signatures("--domain", "example.com", *KEYS, "--selector", "sel",
                    "--selector", "ed", "--expire", "604800", "--time",
                    "1700000000"),
         [(b"rsa-sha256", b"example.com", b"sel", b"1700000000",
           b"1700604800"),
          (b"ed25519-sha256", b"example.com", b"ed", b"1700000000",
           b"1700604800")]),
        ("one key of two domains",
         signatures("--domain", "example.net", "--domain", "example.com",
                    "--key", "key.pem", "--selector", "sel", "--time", "7"),
         [(b"rsa-sha256", b"example.net", b"sel", b"7", b""),
          (b"rsa-sha256", b"example.com", b"sel", b"7", b"")])):
    count.check("sign, " + name, [] if got == want else [f"{got}"])

# ---- spf check ------------------------------------------------------------

SPF = ["spf", "check", *ZONE]
row("spf check --json, pass", [*SPF, *ENVELOPE, "--json"], 0,
    [spf("pass", "match", "ip4:192.0.2.1", 0)])
row("spf check --json, fail",
    [*SPF, "--ip", "192.0.2.9", "--mail-from", "alice@example.com", "--json"],
    0, [spf("fail", "match", "-all", 1,
            "192.0.2.9 is no host of example.com")])
row("spf check --json, include",
    [*SPF, "--ip", "2001:db8::5", "--mail-from", "alice@example.com",
     "--json"], 0, [spf("pass", "match", "include:_spf.example.com", 1)])
row("spf check --json, none",
    [*SPF, "--ip", "192.0.2.9", "--mail-from", "a@nowhere.example", "--json"],
    0, [spf("none", "no-record", None, 0)])
row("spf check --json, DNS is down",
    [*SPF, "--ip", "192.0.2.9", "--mail-from", "a@broken.example.com",
     "--json"], 0, [spf("temperror", "dns", None, 0)])
row("spf check, the null reverse-path is postmaster of HELO",
    [*SPF, "--ip", "192.0.2.1", "--mail-from", "", "--helo",
     "mail.example.com", "--json"], 0, [spf("pass", "match", "a", 1)])
row("spf check, HELO alone",
    [*SPF, "--ip", "192.0.2.1", "--helo", "mail.example.com", "--json"], 0,
    [spf("pass", "match", "a", 1)])
row("spf check, lines", [*SPF, *ENVELOPE], 0,
    b"result: pass\nreason: a mechanism matched\ndomain: example.com\n"
    b"mechanism: ip4:192.0.2.1\nlookups: 0, 0 of them void\n")
row("spf check --check, pass", [*SPF, *ENVELOPE, "--check"], 0)
row("spf check --check, fail", [*SPF, "--ip", "192.0.2.9", "--mail-from",
                                "alice@example.com", "--check"], 1)

FAIL = ["--ip", "192.0.2.9", "--mail-from", "alice@example.com"]
row("spf check --trace", [*SPF, *FAIL, "--trace"], 0,
    b"result: fail\nreason: a mechanism matched\ndomain: example.com\n"
    b"mechanism: -all\nexplanation: 192.0.2.9 is no host of example.com\n"
    b"lookups: 1, 0 of them void\n"
    b"  no-match: ip4:192.0.2.1 of example.com\n"
    b"  no-match: include:_spf.example.com of example.com, asked "
    b"_spf.example.com, counted 1\n"
    b"    no-match: ip6:2001:db8::/64 of _spf.example.com\n"
    b"    match: ?all of _spf.example.com\n"
    b"  match: -all of example.com\n")
row("spf check --received-spf",
    [*SPF, *ENVELOPE, "--receiver", "mx.example.net", "--received-spf"], 0,
    b"Received-SPF: pass\n (mx.example.net: a mechanism matched)\n"
    b" identity=mailfrom; client-ip=192.0.2.1; helo=\"\";\n"
    b" envelope-from=\"alice@example.com\"; receiver=mx.example.net;\n"
    b" mechanism=\"ip4:192.0.2.1\"\n")
done = folder.run([*SPF, *FAIL, "--trace", "--received-spf", "--json"])
got = json.loads(done.stdout)
count.check("spf check --trace --received-spf --json", [] if (
    [s["term"] for s in got["steps"]] == [
        "ip4:192.0.2.1", "include:_spf.example.com", "ip6:2001:db8::/64",
        "?all", "-all"]
    and got["steps"][1]["lookup"] == 1 and got["steps"][2]["depth"] == 1
    and got["received_spf"].startswith("Received-SPF: fail (")) else [f"{got}"])

# ---- dmarc check ----------------------------------------------------------

POLICY = "v=DMARC1; p=reject; sp=quarantine; rua=mailto:reports@example.com"
FOUND = {"v": 1, "result": "found", "reason": None, "author_domain": "example.com",
         "policy_domain": "example.com",
         "organizational_domain": "example.com", "policy": "reject",
         "record": POLICY, "rua": ["mailto:reports@example.com"]}
row("dmarc check --json",
    ["dmarc", "check", *ZONE, "--from", "example.com", "--json"], 0, [FOUND])
row("dmarc check --json, below it",
    ["dmarc", "check", *ZONE, "--from", "mail.example.com", "--json"], 0,
    [{**FOUND, "author_domain": "mail.example.com", "policy": "quarantine"}])
row("dmarc check --check, none",
    ["dmarc", "check", *ZONE, "--from", "nowhere.example", "--check"], 1,
    holds=[b"result: none\nreason: the domain has no DMARC record\n"])
row("dmarc check --check, found",
    ["dmarc", "check", *ZONE, "--from", "example.com", "--check"], 0,
    b"result: found\nauthor domain: example.com\npolicy domain: example.com\n"
    b"organizational domain: example.com\npolicy: reject\nrecord: "
    + POLICY.encode() + b"\n")

# ---- mta-sts --------------------------------------------------------------

STS = ["mta-sts", "check", *ZONE, "--policy", "mta-sts.txt"]
STS_FOUND = {"v": 1, "domain": "example.com", "result": "policy",
             "reason": None, "id": "20260101T000000", "mode": "enforce",
             "max_age": 604800, "mx": ["mail.example.com", "*.example.net"],
             "http_status": None, "tls_failure": None, "mx_matches": None}
STS_NONE = {**STS_FOUND, "domain": "nowhere.example", "result": "none",
            "reason": "no-record", "id": None, "mode": None, "max_age": None,
            "mx": []}
row("mta-sts check --json", [*STS, "example.com", "--json"], 0, [STS_FOUND])
row("mta-sts check --mx, in it",
    [*STS, "example.com", "--mx", "MX1.example.net.", "--json", "--check"], 0,
    [{**STS_FOUND, "mx_matches": True}])
row("mta-sts check --mx, not in it",
    [*STS, "example.com", "--mx", "a.mx1.example.net", "--json", "--check"], 1,
    [{**STS_FOUND, "mx_matches": False}])
row("mta-sts check --check, none",
    [*STS, "nowhere.example", "--json", "--check"], 1, [STS_NONE])
row("mta-sts check", [*STS, "example.com", "--mx", "mx.example.org"], 0,
    b"result: policy\nid: 20260101T000000\nmode: enforce\n"
    b"max age: 604800 s\nmx: mail.example.com\nmx: *.example.net\n"
    b"mx.example.org: is not in the policy\n")
row("mta-sts check, no public address",
    ["mta-sts", "check", *ZONE, "example.com"], 0,
    b"result: none\nreason: the policy host has no address that may be "
    b"connected to\n")
(folder.path / "broken-sts.txt").write_text(
    "version: STSv1\nmode: strict\nmx: a.example\nmax_age: 1\n")
row("mta-sts check, a broken policy",
    ["mta-sts", "check", *ZONE, "--policy", "broken-sts.txt", "example.com"], 0,
    b"result: none\nreason: the policy is faulty\nat octet: 21\n")
row("mta-sts parse --json", ["mta-sts", "parse", "mta-sts.txt", "--json"], 0,
    [{"v": 1, "file": "mta-sts.txt", "mode": "enforce", "max_age": 604800,
      "mx": ["mail.example.com", "*.example.net"], "fault": None}])
row("mta-sts parse --check, broken",
    ["mta-sts", "parse", "broken-sts.txt", "--json", "--check"], 1,
    [{"v": 1, "file": "broken-sts.txt", "mode": None, "max_age": None,
      "mx": [], "fault": {"offset": 21, "void": True,
                          "text": "expected none, testing or enforce"}}])
row("mta-sts parse --check, it will do",
    ["mta-sts", "parse", "-", "--check"], 1,
    b"-: octet 35: max_age is less than a day: an attacker has not long to "
    b"wait (the rest holds)\nmode: none\nmax age: 60 s\n",
    data=b"version: STSv1\nmode: none\nmax_age: 60\n")
row("mta-sts publish --json",
    ["mta-sts", "publish", "--mx", "*.example.net", "--mode", "testing",
     "--max-age", "86400", "--time", "1700000000", "--json", "example.com"], 0,
    [{"v": 1, "name": "_mta-sts.example.com",
      "record": "v=STSv1; id=20231114221320Z;",
      "url": "https://mta-sts.example.com/.well-known/mta-sts.txt",
      "policy": "version: STSv1\r\nmode: testing\r\nmx: *.example.net\r\n"
                "max_age: 86400\r\n"}])
done = folder.shell("onward mta-sts publish --mx mail.example.com --mode "
                    "enforce --id 1 example.com | grep -v '^[;_]' | "
                    "onward mta-sts parse - --check")
count.check("mta-sts publish, read back",
            [] if done.returncode == 0 else [f"{done.stdout!r}"])
row("lint mta-sts", ["lint", "mta-sts", *ZONE, "example.com", "--json"], 0,
    [{"v": 1, "name": "_mta-sts.example.com",
      "record": "v=STSv1; id=20260101T000000;", "fault": None}])
row("lint mta-sts --check, broken", ["lint", "mta-sts", "-", "--check"], 1,
    b"-: octet 12: expected 1 to 32 letters and digits\n"
    b"  v=STSv1; id=2026-01-01\n              ^\n",
    data=b"v=STSv1; id=2026-01-01\n")

# ---- dane -----------------------------------------------------------------

DATA = pathlib.Path(__file__).resolve().parents[1] / "data/dane"
# usage, selector, matching and data, as OpenSSL made them.
MADE = (DATA / "records.txt").read_text().splitlines()
for made in MADE:
    usage, selector, matching, _ = made.split()
    row(f"dane record, {usage} {selector} {matching}",
        ["dane", "record", "--cert", str(DATA / "cert.pem"), "--usage", usage,
         "--selector", selector, "--matching", matching, "mx.example"], 0,
        f"_25._tcp.mx.example. 3600 IN TLSA {made}\n".encode())
row("dane record, by default",
    ["dane", "record", "--cert", str(DATA / "cert.pem"), "--port", "465",
     "mx.example."], 0,
    f"_465._tcp.mx.example. 3600 IN TLSA {MADE[10]}\n".encode())
DIGEST = MADE[10].split()[3]
(folder.path / "dane.txt").write_text(
    "example.com MX 20 mx2.example\nexample.com MX 10 mx.example\n"
    "example.com ANY !SECURE\nmx.example A 192.0.2.1\n"
    "mx.example ANY !SECURE\nmx2.example A 192.0.2.2\n"
    "mx3.example A 192.0.2.3\nmx3.example ANY !SECURE\n"
    "_25._tcp.mx3.example TLSA !SERVFAIL\n"
    "null.example MX 0 .\nfail.example MX !TIMEOUT\n"
    f"_25._tcp.mx.example TLSA {MADE[10]}\n"
    "_25._tcp.mx.example TLSA 1 1 1 00\n"
    "_25._tcp.mx.example ANY !SECURE\n")
DANE = ["dane", "check", "--dns", "dane.txt"]
USABLE = {"v": 1, "host": "mx.example", "port": 25, "mx": "secure",
          "result": "usable", "reason": "records", "tls": "dane",
          "base_domain": "mx.example", "asked": "_25._tcp.mx.example",
          "names": ["mx.example", "example.com"],
          "records": [{"usage": 3, "selector": 1, "matching": 1,
                       "data": DIGEST, "counts": True, "problem": None},
                      {"usage": 1, "selector": 1, "matching": 1, "data": "00",
                       "counts": False, "problem": "usage"}]}
NOTHING = {"v": 1, "base_domain": None, "names": [], "records": [], "port": 25}
row("dane check --json", [*DANE, "--json", "example.com"], 0,
    [USABLE, {**NOTHING, "host": "mx2.example", "mx": "secure",
              "result": "none", "reason": "insecure-host",
              "tls": "opportunistic", "asked": None}])
row("dane check --check, one server has none", [*DANE, "--check",
                                                "example.com"], 1,
    holds=[b"result: usable\n", b"result: none\n"])
row("dane check --check --json, a server", [*DANE, "--check", "--json",
                                            "mx.example"], 0,
    [{**USABLE, "mx": "none", "names": ["mx.example"]}])
row("dane check --json, a question that fails", [*DANE, "--json",
                                                 "mx3.example"], 0,
    [{**NOTHING, "host": "mx3.example", "mx": "none", "result": "failed",
      "reason": "records-failed", "tls": "no-delivery",
      "asked": "_25._tcp.mx3.example"}])
row("dane check --port", [*DANE, "--port", "587", "--json", "mx.example"], 0,
    [{**NOTHING, "host": "mx.example", "port": 587, "mx": "none",
      "result": "none", "reason": "no-records", "tls": "opportunistic",
      "asked": "_587._tcp.mx.example"}])
row("dane check", [*DANE, "mx.example"], 0,
    b"server: mx.example\nmx: none\nresult: usable\n"
    b"reason: The server publishes TLSA records\n"
    b"demand: TLS, a certificate that one of the records vouches for\n"
    b"asked: _25._tcp.mx.example\nbase domain: mx.example\n"
    b"name: mx.example\nrecord: 3 1 1 " + DIGEST.encode() + b": counts\n"
    b"record: 1 1 1 00: usage is unusable\n")
row("dane check, null MX", [*DANE, "null.example"], 3, b"",
    "onward dane check: the domain takes no mail (null MX)\n")
row("dane check, MX fails", [*DANE, "fail.example"], 3, b"",
    "onward dane check: MX: no answer\n")

# ---- egress ---------------------------------------------------------------

(folder.path / "egress.txt").write_text(
    "example.com MX 10 mx1.example.com\nexample.com MX 20 mx2.example.net\n"
    "example.com MX 30 mx3.example.net\n"
    "mx1.example.com A 9.9.9.1\nmx1.example.com A 10.0.0.1\n"
    "mx1.example.com ANY !SECURE\n"
    f"_25._tcp.mx1.example.com TLSA {MADE[10]}\n"
    "_25._tcp.mx1.example.com ANY !SECURE\n"
    "mx2.example.net A 9.9.9.2\n"
    "mx3.example.net A 9.9.9.3\nmx3.example.net ANY !SECURE\n"
    "_25._tcp.mx3.example.net TLSA !SERVFAIL\n"
    '_mta-sts.example.com TXT "v=STSv1; id=1;"\n'
    "mta-sts.example.com A 9.9.9.9\nnull.example MX 0 .\n")
(folder.path / "egress-policy.txt").write_text(
    "version: STSv1\nmode: enforce\nmx: mx1.example.com\n"
    "mx: mx3.example.net\nmax_age: 604800\n")
EGRESS = ["egress", "--dns", "egress.txt", "--policy", "egress-policy.txt"]
row("egress", [*EGRESS, "example.com"], 0, b"""\
server: mx1.example.com port 25, preference 10, not validated
  demand: TLS, a certificate that a TLSA record and a trusted authority vouch \
for
  because: Its TLSA records (DANE) and the domain's policy (MTA-STS), as DNS \
does not vouch for its name
  MTA-STS: enforce, id 1, it is in the policy
  DANE: The server publishes TLSA records (1 at mx1.example.com)
  address: 9.9.9.1
  address: 10.0.0.1 (refused)
server: mx2.example.net port 25, preference 20, not validated
  left out: The domain's policy (MTA-STS) does not have it
  MTA-STS: enforce, id 1, it is not in the policy
  DANE: The server's address is not secured by DNSSEC
server: mx3.example.net port 25, preference 30, not validated
  left out: What it must prove (DANE) cannot be looked up now
  MTA-STS: enforce, id 1, it is in the policy
  DANE: The TLSA records cannot be looked up now
""")
PLANNED = {"port": 25, "protocol": "smtp", "mx": True, "mx_secure": False}
STS = {"mode": "enforce", "id": "1", "matches": True, "reason": None}
NO_TLSA = {"result": "none", "reason": "insecure-host", "records": 0,
           "base_domain": None}
row("egress --json --no-dane --require-tls",
    [*EGRESS, "--json", "--no-dane", "--require-tls", "example.com"], 0,
    [{"v": 1, "domain": "example.com", "result": None, "servers": [
        {**PLANNED, "host": "mx1.example.com", "preference": 10, "use": "yes",
         "tls": "verified", "reason": "mtasts", "require_tls": True,
         "mta_sts": STS, "dane": None, "addresses": [
             {"ip": "9.9.9.1", "use": "yes", "secure": False},
             {"ip": "10.0.0.1", "use": "refused", "secure": False}]},
        {**PLANNED, "host": "mx2.example.net", "preference": 20,
         "use": "not-in-policy", "tls": None, "reason": None,
         "require_tls": False, "mta_sts": {**STS, "matches": False},
         "dane": None, "addresses": []},
        {**PLANNED, "host": "mx3.example.net", "preference": 30, "use": "yes",
         "tls": "verified", "reason": "mtasts", "require_tls": True,
         "mta_sts": STS, "dane": None, "addresses": [
             {"ip": "9.9.9.3", "use": "yes", "secure": False}]}]}])
row("egress --json --tls-optional --port", [
    "egress", "--json", "--dns", "egress.txt", "--no-mta-sts",
    "--tls-optional", "--port", "587", "[9.9.9.9]"], 0,
    [{"v": 1, "domain": "[9.9.9.9]", "result": None, "servers": [
        {"host": "[9.9.9.9]", "preference": 0, "port": 587,
         "protocol": "smtp", "mx": False, "mx_secure": False, "use": "yes",
         "tls": "opportunistic", "reason": "optional", "require_tls": False,
         "mta_sts": {"mode": None, "id": None, "matches": None,
                     "reason": None},
         "dane": None,
         "addresses": [{"ip": "9.9.9.9", "use": "yes", "secure": False}]}]}])
row("egress --json --check, null MX", [*EGRESS, "--json", "--check",
                                       "null.example"], 1,
    [{"v": 1, "domain": "null.example", "servers": [], "result":
      {"code": 556, "enhanced": "5.1.10",
       "text": "the domain does not accept mail (null MX)"}}])
row("egress, null MX", [*EGRESS, "null.example"], 0,
    b"result: 556 5.1.10 the domain does not accept mail (null MX)\n")
row("egress --tls dane, and none has it", [
    "egress", "--dns", "egress.txt", "--no-mta-sts", "--tls", "dane",
    "--check", "mx2.example.net"], 1, holds=[
        b"  left out: Our own rule demands DANE there\n", b"result: 451 4.7.5"])
row("egress --require-tls --tls-optional",
    [*EGRESS, "--require-tls", "--tls-optional", "example.com"], 2, b"",
    "onward egress: --require-tls and --tls-optional, expected one of the "
    "two\nTry: onward egress --help\n")

# ---- route ----------------------------------------------------------------

ROUTE = ["route", "--rules", "rules.json"]
NO_REPLY = {"zone": "example.com", "handler": None, "destinations": [],
            "reason": "rule", "reply": None}


def decided(more):
    """The decision of one rule with one action, or of none."""
    one = {**NO_REPLY, **more}
    done = one["rule"] is not None and one["reason"] == "rule"
    one["actions"] = [{
        "action": one["action"], "rule": one["rule"],
        "destinations": one["destinations"], "name": one["handler"],
        "value": None}] if done else []
    return one


row("route --json",
    [*ROUTE, "--json", "sales@example.com", "me+news@EXAMPLE.com",
     "tickets@example.com", "who@example.com", "new@example.com",
     "fax@example.com", "a@example.org"], 0, [
        decided({"v": 1, "address": "sales@example.com", "action": "forward",
         "destinations": ["desk@example.net"], "rule": 0,
         "rule_name": "sales desk", "match": "exact"}),
        decided({"v": 1, "address": "me+news@EXAMPLE.com", "action": "forward",
         "destinations": ["me@example.net"], "rule": 1, "rule_name": "me",
         "match": "base"}),
        decided({"v": 1, "address": "tickets@example.com", "action": "handler",
         "handler": "ticket-desk", "rule": 3, "rule_name": "tickets",
         "match": "exact"}),
        decided({"v": 1, "address": "who@example.com", "action": "drop",
         "rule": "catch-all", "rule_name": None, "match": "catch-all"}),
        decided({"v": 1, "address": "new@example.com", "action": "reject",
         "rule": 4, "rule_name": "not yet", "match": "exact",
         "reason": "not-verified",
         "reply": {"code": 550, "enhanced": "5.2.1", "text": "Destination of "
                   "this address is not verified"}}),
        decided({"v": 1, "address": "fax@example.com", "action": "reject",
         "rule": 5, "rule_name": "closed", "match": "exact",
         "reply": {"code": 550, "enhanced": "5.1.6",
                   "text": "The fax is gone"}}),
        decided({"v": 1, "address": "a@example.org", "action": "reject",
         "zone": None, "rule": None, "rule_name": None, "match": "none",
         "reason": "no-zone",
         "reply": {"code": 550, "enhanced": "5.7.1",
                   "text": "Relaying denied"}}),
    ])
row("route", [*ROUTE, "sales@example.com", "fax@example.com"], 0,
    b"sales@example.com: forward to desk@example.net "
    b"(rule 0 \"sales desk\" of example.com)\n"
    b"fax@example.com: reject 550 5.1.6 The fax is gone "
    b"(rule 5 \"closed\" of example.com)\n")
row("route --trace", [*ROUTE, "--trace", "old@example.com"], 0,
    b"  zone: example.com\n"
    b"  rule-disabled: rule 2 \"old address\" of example.com\n"
    b"  match-catch-all: catch-all of example.com\n"
    b"old@example.com: drop (catch-all of example.com)\n")
row("route --trace --json", [*ROUTE, "--trace", "--json", "a@example.org"], 0,
    holds=[b'{"v":1,"address":"a@example.org","steps":[{"what":"no-zone",'
           b'"zone":null,"rule":null,"rule_name":null}],"action":"reject",'])
row("rules check", ["rules", "check", "rules.json"], 0,
    b"rules.json: 1 zone, 7 rules\n")
row("rules compile", ["rules", "compile", "rules.json", "rules.image"], 0,
    b"rules.image: 1 zone, 7 rules\n")
row("rules check --full", ["rules", "check", "--full", "rules.image"], 0,
    b"rules.image: 1 zone, 7 rules\n")
row("rules diff, none", ["rules", "diff", "--check", "rules.image", "rules.json"],
    0, b"no difference\n")
row("rules diff", ["rules", "diff", "--check", "rules.json", "rules-new.json"], 1,
    b'deleted rule 0 "sales desk" of example.com: sales@example.com\n'
    b'deleted rule catch-all of example.com: *@example.com\n'
    b'added rule 0 "sales desk" of example.com: sales@example.com\n')
row("rules diff --json", ["rules", "diff", "--json", "rules.json",
                          "rules-new.json"], 0, [
        {"v": 1, "change": "deleted", "what": "rule", "zone": "example.com",
         "address": "sales@example.com", "old_rule": 0, "new_rule": None,
         "rule_name": "sales desk"},
        {"v": 1, "change": "deleted", "what": "rule", "zone": "example.com",
         "address": "*@example.com", "old_rule": "catch-all", "new_rule": None,
         "rule_name": None},
        {"v": 1, "change": "added", "what": "rule", "zone": "example.com",
         "address": "sales@example.com", "old_rule": None, "new_rule": 0,
         "rule_name": "sales desk"}])
row("rules compile, no folder", ["rules", "compile", "rules.json", "no/image"], 3,
    err="onward rules compile: no/image: No such file or directory, expected a "
    "file to write\n")
row("route by an image", ["route", "--rules", "rules.image", "who@example.com"], 0,
    b"who@example.com: drop (catch-all of example.com)\n")
row("route --explain", ["route", "--rules", "rules-new.json", "--explain",
                        "--from", "x@bad.example", "sales@example.com"], 0,
    b'  zone: example.com\n'
    b'  condition: rule 0 "sales desk" of example.com: from domain bad.example: '
    b'yes\n'
    b'  match-exact: rule 0 "sales desk" of example.com\n'
    b'sales@example.com: reject 550 5.7.1 Rejected by the recipient\'s rules '
    b'(rule 0 "sales desk" of example.com)\n')
row("route --check, accepted", [*ROUTE, "--check", "who@example.com"], 0)
row("route --check, rejected",
    [*ROUTE, "--check", "who@example.com", "fax@example.com"], 1)
row("route, what is no address wins, and the rest is routed",
    [*ROUTE, "--check", "--json", "fax@example.com", "me@", "me@example.com"],
    3, err='onward route: "me@" is not a mail address, expected local@domain\n',
    holds=[b'{"v":1,"address":"me@","error":"not a mail address"}',
           b'{"v":1,"address":"me@example.com","action":"forward"'])

# ---- srs: addresses by Mail::SRS and libsrs2, see the tests of srs --------

SRS = ["--secret-file", "tops3cr3t.txt", "--domain", "fwd.example.net",
       "--time", "1700000000"]
(folder.path / "tops3cr3t.txt").write_text("tops3cr3t\n")
(folder.path / "renewed.txt").write_text("newer\r\ntops3cr3t\r\n")
row("srs forward, SHA-1", ["srs", "forward", "--sha1", *SRS,
                           "user@example.com"], 0,
    b"SRS0=TonQ=G3=example.com=user@fwd.example.net\n")
# HMAC-SHA256 by Python, over "g3", "example.com" and "user", a NUL behind each.
row("srs forward", ["srs", "forward", *SRS, "user@example.com"], 0,
    b"SRS0=lR42=G3=example.com=user@fwd.example.net\n")
row("srs reverse, SHA-256", ["srs", "reverse", *SRS,
                             "SRS0=lR42=G3=example.com=user@fwd.example.net"],
    0, b"user@example.com\n")
row("srs reverse, in the store", [
    "srs", "reverse", *SRS, "SRS0=J8ok=G3=FTARK5XJ63DS2Z7M@fwd.example.net"], 3,
    err='onward srs reverse: "SRS0=J8ok=G3=FTARK5XJ63DS2Z7M@fwd.example.net": '
        "its sender is in the forwarder's store, at "
        "onward/srs/1/kept/FTARK5XJ63DS2Z7M\n")
row("srs forward, the null path stays", ["srs", "forward", *SRS, ""], 0,
    b"\n")
row("srs reverse", ["srs", "reverse", *SRS,
                    "SRS0=TonQ=G3=example.com=user@FWD.example.net"], 0,
    b"user@example.com\n")
row("srs reverse, an older secret",
    ["srs", "reverse", "--secret-file", "renewed.txt", *SRS[2:],
     "SRS0=TonQ=G3=example.com=user@fwd.example.net"], 0,
    b"user@example.com\n")
row("srs reverse, one of two",
    ["srs", "reverse", *SRS, "user@fwd.example.net",
     "SRS0=TonQ=G3=example.com=user@fwd.example.net"], 3,
    b"user@example.com\n",
    err='onward srs reverse: "user@fwd.example.net" is not rewritten, '
        "expected an address that begins with SRS0 or SRS1\n")

# ---- keygen ---------------------------------------------------------------

# The record verifies what the key signs, and the linter likes it.
for kind in ("rsa", "ed25519"):
    NEW = ["--domain", "example.com", "--selector", kind]
    made = folder.run(["keygen", *NEW, "--type", kind, "--out", kind + ".key"])
    (folder.path / "new.zone").write_bytes(made.stdout)
    row(f"keygen {kind}, lint", ["lint", "dkim", "example.com", "--selector",
        kind, "--dns", "new.zone", "--check"], 0,
        f"{kind}._domainkey.example.com: no fault\n".encode())
    signed = folder.run(["sign", *NEW, "--key", kind + ".key", "message.eml"])
    row(f"keygen {kind}, sign and verify", ["verify", "--dns", "new.zone",
        *ID], 0, data=signed.stdout, holds=[b"dkim=pass"])
    mode = (folder.path / (kind + ".key")).stat().st_mode & 0o777
    count.check(f"keygen {kind}, whose file", [] if mode == 0o600 else [mode])
before = (folder.path / "rsa.key").read_bytes()
row("keygen does not write over a key", ["keygen", *NEW, "--out", "rsa.key"],
    3, b"", err="onward keygen: rsa.key: File exists, expected a name for a "
                "new file\n")
count.check("keygen leaves the key", [] if before == (
    folder.path / "rsa.key").read_bytes() else ["changed"])
made = folder.run(["keygen", *NEW, "--bits", "4096", "--out", "long.key"])
count.check("keygen --bits", [] if made.stdout.count(b'"') == 6 else
            [made.stdout])
row("keygen --test", ["keygen", *NEW, "--type", "ed25519", "--test", "--out",
                      "test.key"], 0,
    holds=[b'TXT "v=DKIM1; k=ed25519; t=y; p='])

# ---- lint -----------------------------------------------------------------

row("lint spf", ["lint", "spf", *ZONE, "example.com", "--check"], 0,
    b"example.com: no fault\n")
row("lint spf, a fault", ["lint", "spf", "-", "--check"], 1,
    b"-: octet 7: unknown mechanism\n  v=spf1 ipv4:192.0.2.1 -all\n"
    b"         ^\n", data=b"v=spf1 ipv4:192.0.2.1 -all\n")
row("lint spf, no record", ["lint", "spf", *ZONE, "nowhere.example", "--check"],
    1, b"nowhere.example: none there, expected one SPF record\n")
(folder.path / "two.zone").write_text(
    'a.example. TXT "v=spf1 -all"\na.example. TXT "x"\n'
    'a.example. TXT "v=spf1 ~all"\n')
row("lint spf, two records", ["lint", "spf", "--dns", "two.zone", "a.example"],
    0, b"a.example: no fault\na.example: no fault\n"
       b"a.example: more than one, expected one SPF record\n")
row("lint dkim, strings of a zone file", ["lint", "dkim", "-", "--json"], 0,
    [{"v": 1, "name": "-", "record": "v=DKIM1; k=dsa; p=AA",
      "fault": {"offset": 11, "text": "k= is not known", "void": True}}],
    data=b'"v=DKIM1; k=dsa;" " p=AA"\n')
row("lint dmarc, what is not void", ["lint", "dmarc", "-"], 0,
    holds=[b"-: octet 12: ", b" (the rest holds)\n  v=DMARC1; p=rejct\n"],
    data=b"v=DMARC1; p=rejct")
row("lint, not such a record", ["lint", "dmarc", "-"], 0,
    b"-: expected a DMARC record\n", data=b"v=spf1 -all\n")

# ---- dsn parse, tlsrpt report ----------------------------------------------

row("dsn parse", ["dsn", "parse", "bounce.eml"], 0,
    b"bounce.eml: by mx.example.com, of envelope QQ314159\n"
    b"    failed 5.1.1 bob@example.com, was bob@example.net, at "
    b"mx1.example.com: 550 5.1.1 no such user\n")
row("dsn parse, JSON", ["dsn", "parse", "--json", "bounce.eml"], 0,
    holds=[b'"status":"5.1.1"', b'"envelope_id":"QQ314159"',
           b'"has_original":true', b'"oddities":[]}\n'])
row("dsn parse, no notice", ["dsn", "parse", "message.eml"], 3, b"",
    err="onward dsn parse: message.eml: expected a delivery status "
        "notification\n")
row("tlsrpt report", ["tlsrpt", "report", "tls-report.json"], 0,
    b"tls-report.json: 2016-04-01T00:00:00Z to 2016-04-01T23:59:59Z, by "
    b"Company-X\n    company-y.example (sts): 5326 good, 303 failed\n"
    b"           100 certificate-expired, at mx1.mail.company-y.example, from "
    b"2001:db8:abcd:0012::1\n")
row("tlsrpt report, gzip", ["tlsrpt", "report", "--json", "-"], 0,
    holds=[b'"successes":5326', b'"oddities":[]}\n'],
    data=gzip.compress((DATA.parent / "cli/tls-report.json").read_bytes()))
row("tlsrpt report, no report", ["tlsrpt", "report", "rules.json"], 3, b"",
    err="onward tlsrpt report: rules.json:1: expected a TLS report\n")
row("lint tlsrpt", ["lint", "tlsrpt", "-", "--check"], 1,
    holds=[b"-: octet 15: "], data=b"v=TLSRPTv1;rua=http://a/b")

# ---- queue -----------------------------------------------------------------

WAITS = "0658d4f3e6a800-1f2e3d4c"
LISTED = (f"{WAITS} 2026-08-15T00:00:00Z relayed, 344 octets, from "
          "<ann@sender.example>\n    waiting box@one.example, 1 attempt, next "
          "2026-08-15T00:30:01Z, 451 4.7.1 later?[2J by mx.one.example\n"
          ).encode()
row("queue list", ["queue", "list", "--spool", "spool"], 0,
    LISTED + b"1 message\n")
row("queue list, JSON", ["queue", "list", "--spool", "spool", "--json"], 0,
    [{"v": 1, "id": WAITS, "origin": "relayed", "of": "1f",
      "from": "ann@sender.example", "notices_to": "ann@sender.example",
      "size": 344, "arrived": "2026-08-15T00:00:00Z", "held": False,
      "place": None, "requires_tls": False,
      "recipients": [
          {"address": "box@one.example", "fate": "waiting",
           "failover": False, "attempts": 1,
           "last": "2026-08-15T00:00:01Z", "next": "2026-08-15T00:30:01Z",
           "code": 451, "enhanced": "4.7.1", "text": "later\x1b[2J",
           "host": "mx.one.example"}]}])
row("queue show", ["queue", "show", "--spool", "spool", WAITS], 0,
    LISTED + b"    notices to: ann@sender.example\n    envelope id: abc\n"
    b"    log id: 1f\n")
row("queue show, content",
    ["queue", "show", "--spool", "spool", "--content", WAITS], 0,
    (DATA.parent / "cli/message.eml").read_bytes())
row("queue show, not there", ["queue", "show", "--spool", "spool", "0a-1"], 3,
    b"", err="onward queue show: 0a-1: no such message in the spool\n")
row("queue delete, no name", ["queue", "delete", "--spool", "spool",
                              "../messages/" + WAITS], 3, b"",
    err=f"onward queue delete: ../messages/{WAITS}: no such message in the "
        "spool\n")
row("queue, no spool", ["queue", "list", "--spool", "rules.json"], 3, b"",
    err="onward queue list: rules.json: Not a directory, expected a spool\n")
row("quarantine list", ["quarantine", "list", "--spool", "spool"], 0,
    (f"{WAITS} 2026-08-15T00:00:00Z relayed, 344 octets, from "
     "<ann@sender.example>, put apart as spam, with nowhere to go\n"
     "    waiting box@one.example\n1 message\n").encode())
row("quarantine show, not there", ["quarantine", "show", "--spool", "spool",
                                   "0a-1"], 3, b"",
    err="onward quarantine show: 0a-1: no such message in the spool\n")
row("quarantine, no spool", ["quarantine", "list", "--spool", "rules.json"], 3,
    b"", err="onward quarantine list: rules.json/quarantine: Not a directory, "
             "expected a spool\n")
row("quarantine release, no id", ["quarantine", "release", "--spool", "spool"],
    2, b"", err="onward quarantine release: no ID, expected one that quarantine "
                "list shows\nTry: onward quarantine release --help\n")
row("queue hold, no id", ["queue", "hold", "--spool", "spool"], 2, b"",
    err="onward queue hold: no ID, expected one that queue list shows\n"
        "Try: onward queue hold --help\n")

# ---- dmarc report ---------------------------------------------------------

REPORT = (folder.path / "report.xml").read_bytes()
TOTAL = {"v": 1, "type": "total", "messages": 44, "spf_pass": 0,
         "dkim_pass": 41, "dmarc_pass": 41, "none": 3, "quarantine": 0,
         "reject": 0, "pass": 41, "other": 0}
OBJECTS = [
    {"v": 1, "type": "report", "file": "-", "org_name": "Receiver & Sons",
     "report_id": "2026-11-21.a.example@receiver.example",
     "begin": 1795132800, "end": 1795219199, "policy_domain": "a.example",
     "policy": "reject", "rows": 2, "messages": 44, "oddities": []},
    {**TOTAL, "type": "source", "source_ip": "192.0.2.10", "messages": 41,
     "none": 0},
    {**TOTAL, "type": "source", "source_ip": "2001:db8::7", "messages": 3,
     "dkim_pass": 0, "dmarc_pass": 0, "pass": 0},
    TOTAL]


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name + ".xml", data)
    return out.getvalue()


def mailed(kind, subtype, data, line_end=b"\n"):
    """In a multipart inside a multipart, as some send it."""
    mail = MIMEMultipart()
    mail["From"] = "dmarc@receiver.example"
    mail["Subject"] = "Report Domain: a.example"
    inner = MIMEMultipart("alternative")
    inner.attach(MIMEText("<p>A report</p>", "html"))
    mail.attach(inner)
    part = MIMEBase(kind, subtype)
    part.set_payload(data)
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename="a!b.xml")
    mail.attach(part)
    return mail.as_bytes().replace(b"\n", line_end)


GZIP = gzip.compress(REPORT)
for name, data in {
    "xml": REPORT,
    "gzip": GZIP,
    "gzip in two members": gzip.compress(REPORT[:500]) +
                           gzip.compress(REPORT[500:]),
    "mail with gzip": mailed("application", "gzip", GZIP),
    "mail with CRLF": mailed("application", "gzip", GZIP, b"\r\n"),
    "mail with zip": mailed("application", "zip", zipped(r=REPORT)),
    "mail with xml": mailed("text", "xml", REPORT),
}.items():
    row(f"dmarc report, {name}", ["dmarc", "report", "--json", "-"], 0,
        OBJECTS if "zip" not in name or "gzip" in name else None, data=data)
row("dmarc report, zip", ["dmarc", "report", "--json", "-"], 0,
    [{**OBJECTS[0], "file": "-(r.xml)"}, *OBJECTS[1:]], data=zipped(r=REPORT))
row("dmarc report, a table over files",
    ["dmarc", "report", "report.xml", "old-report.xml"], 0,
    b"report.xml: a.example, 2026-11-20T00:00:00Z to 2026-11-20T23:59:59Z, by "
    b"Receiver & Sons: 44 messages\n"
    b"old-report.xml: a.example, 2020-09-13T12:26:40Z to 2020-09-14T12:26:39Z,"
    b" by old.example: 7 messages\n"
    b"    not as the standard has it: version, case, value\n\n"
    b"source                                    messages  SPF DKIM DMARC"
    b"     let in quarantine     reject\n"
    b"192.0.2.10                                      41   0% 100%  100%"
    b"         41          0          0\n"
    b"198.51.100.4                                     7 100%   0%  100%"
    b"          7          0          0\n"
    b"2001:db8::7                                      3   0%   0%    0%"
    b"          3          0          0\n"
    b"total                                           51  13%  80%   94%"
    b"         51          0          0\n")
# One that cannot be read takes nothing from the others, not even half of it.
(folder.path / "half.xml").write_bytes(REPORT[:-20])
row("dmarc report, one of two is broken",
    ["dmarc", "report", "--json", "half.xml", "report.xml"], 3,
    [{**OBJECTS[0], "file": "report.xml"}, *OBJECTS[1:]],
    err=f"onward dmarc report: half.xml:{1 + REPORT[:-20].count(10)}:3: "
        "the report is cut off\n")
row("dmarc report, no such file", ["dmarc", "report", "none.xml"], 3, b"",
    err="onward dmarc report: none.xml: No such file or directory\n")
row("dmarc report, no file", ["dmarc", "report"], 2, b"",
    err="onward dmarc report: no file, expected reports\n"
        "Try: onward dmarc report --help\n")
BOMB = b"<feedback>" + b" " * (65 << 20)
for name, data in {"gzip": gzip.compress(BOMB), "zip": zipped(r=BOMB)}.items():
    done = folder.run(["dmarc", "report", "-"], data)
    count.check(f"dmarc report, a {name} bomb", [] if done.returncode == 3 and
                done.stderr.endswith(b": longer than allowed\n") and
                len(data) < 100000 else [f"{len(data)} {done.stderr!r}"])

# ---- explain --------------------------------------------------------------

row("explain, pass", ["explain", *ZONE, "signed.eml"], 0,
    b"SPF: not checked\n    It needs the client's address: --ip, --helo and "
    b"--mail-from.\nDKIM of example.com, selector sel: pass\nARC: none\n"
    b"DMARC of example.com: pass\n"
    b"    What passed is of the author's domain.\n")
row("explain, a changed body", ["explain", *ZONE], 0, data=SIGNED + b"more\n",
    holds=[b"sel: fail (body hash did not verify)\n    The body was changed ",
           b"DMARC of example.com: fail\n", b"asks for: reject\n"])
row("explain, no key", ["explain", "--dns", "/dev/null", "signed.eml"], 0,
    holds=[b"permerror (no key for signature)\n    There is no key at the "])
row("explain, SPF", ["explain", *ZONE, "--ip", "192.0.2.9", "--mail-from",
                     "a@example.com", "message.eml"], 0,
    holds=[b"SPF of the envelope sender: fail\n    The record ",
           b"DKIM: none\n    The message is not signed. "])
row("explain, SPF passes", ["explain", *ZONE, "--ip", "192.0.2.1",
                            "--mail-from", "a@example.com", "message.eml"], 0,
    holds=[b"SPF of the envelope sender: pass\nSPF of "])
done = folder.run(["explain", *ZONE, "--json", "signed.eml"])
count.check("explain --json", [] if json.loads(done.stdout)["authenticated"]
            is True else [done.stdout])
# Each reason that a peer can cause has its advice.
TOP = pathlib.Path(__file__).resolve().parents[2]
said = (TOP / "examples/cli/cmd_explain.c").read_text()
for module in ("dkim", "spf", "dmarc"):
    header = (TOP / f"include/onward/{module}.h").read_text()
    reasons = set(re.findall(rf"\b(ONWARD_{module.upper()}_REASON_\w+) =",
                             header))
    count.check(f"explain knows all reasons of {module}",
                [] if len(reasons) > 8 else ["none found"])
    count.check(f"explain has advice, {module}", sorted(
        r for r in reasons if not re.search(rf"\{{{r}\b", said)
        and not r.endswith(("_NONE", "_MEMORY"))))
# ---- mime build -----------------------------------------------------------

BUILD = ["mime", "build", "--time", "1600000000", "--message-id", "1@x",
         "--from", "Zo\u00eb <z@example.com>"]
HEAD = (b"Date: Sun, 13 Sep 2020 12:26:40 +0000\r\n"
        b"From: =?UTF-8?Q?Zo=C3=AB?= <z@example.com>\r\n")
TAIL = (b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n\r\n")
(folder.path / "picture.png").write_bytes(b"\x89PNG")
(folder.path / "page.html").write_text("<img src='cid:p@x'>\n")
row("mime build", [*BUILD, "--to", "b@x.org, \"C, D\" <c@x.org>", "--to",
                   "B@x.org", "--bcc", "s@x.org", "--subject", "h\u00f6",
                   "--text", "-", "--envelope", "env"], 0,
    HEAD + b"To: b@x.org, \"C, D\" <c@x.org>, B@x.org\r\n"
    b"Message-ID: <1@x>\r\nSubject: =?UTF-8?Q?h=C3=B6?=\r\n" + TAIL +
    b"a\r\nb\r\n", data=b"a\nb")
count.check("mime build, the envelope",
            [] if (folder.path / "env").read_text() ==
            "from z@example.com\nto b@x.org\nto c@x.org\nto B@x.org\n"
            "to s@x.org\n" else [(folder.path / "env").read_text()])
row("mime build, LF", [*BUILD, "--lf"], 0,
    (HEAD + b"Message-ID: <1@x>\r\n" + TAIL).replace(b"\r", b""))
row("mime build, an answer",
    [*BUILD, "--reply-to-message", "message.eml", "--field", "X-A: b  c"], 0,
    HEAD + b"Message-ID: <1@x>\r\nIn-Reply-To: <1@mail.example.com>\r\n"
    b"References: <1@mail.example.com>\r\nX-A: b  c\r\n" + TAIL)
row("mime build, UTF-8 and 8bit",
    [*BUILD, "--utf8", "--8bit", "--to", "\u00fc@x.org", "--text", "-",
     "--envelope", "env"], 0, data="h\u00f6".encode(),
    holds=["From: Zo\u00eb <z@example.com>\r\n".encode(),
           b"Content-Transfer-Encoding: 8bit\r\n\r\nh\xc3\xb6\r\n"])
count.check("mime build, what the path must take",
            [] if (folder.path / "env").read_text().endswith(
                "needs 8BITMIME\nneeds SMTPUTF8\n")
            else [(folder.path / "env").read_text()])
row("mime build, parts",
    [*BUILD, "--html", "page.html", "--inline", "p@x=picture.png", "--attach",
     "zone.txt:application/x-zone; a=b", "--attach", "message.eml",
     "--name-fallback"], 0,
    holds=[b"Content-Type: multipart/mixed;", b"multipart/related;",
           b"Content-ID: <p@x>\r\n", b"\r\niVBORw==\r\n",
           b"Content-Type: application/x-zone; a=b; name=zone.txt\r\n",
           b"Content-Disposition: attachment; filename=zone.txt\r\n",
           b"Content-Type: message/rfc822; name=message.eml\r\n",
           b"\r\n-- \r\nAlice\r\n\r\n--"])

# ---- mime edit ------------------------------------------------------------

EDIT = ["mime", "edit"]
(folder.path / "foot.txt").write_text("-- \nlist\n")
row("mime edit, nothing", [*EDIT, "message.eml"], 0, UNSIGNED)
row("mime edit, nothing, CRLF", EDIT, 0, CRLF, data=CRLF)
row("mime edit", [*EDIT, "--subject-prefix", "[l]", "--add", "X: y", "--add",
                  "Z: 1", "--remove", "received", "--footer", "foot.txt",
                  "--replace", "to: list@example.net", "message.eml"], 0,
    b"Z: 1\nX: y\n" + UNSIGNED[UNSIGNED.index(b"From:"):].replace(
        b"Subject: ", b"Subject: [l] ").replace(
        b"To: Bob <bob@example.net>", b"To: list@example.net")
    + b"-- \nlist\n")
row("mime edit, a prefix that is there",
    [*EDIT, "--subject-prefix", "Lun", "message.eml"], 0, UNSIGNED)
row("mime edit, the log",
    [*EDIT, "--dry-run", "--subject-prefix", "[l]", "--remove", "To",
     "--html-footer", "page.html", "--add", "X: y"], 0,
    data=b"Subject: a\r\nTo: b\r\n\r\nhello\r\n",
    holds=[b"1 replace field Subject at 0: -12 +16\n"
           b"2 add field MIME-Version at 0: -0 +19\n"
           b"3 add field Content-Type at 0: -0 +67\n"
           b"4 wrap 0 at 21: -0 +",
           b"5 add part to 0 at 28: -0 +", b"6 add field X at 0: -0 +6\n"
           b"7 remove field To at 12: -7 +0\n"])
row("mime edit, what breaks",
    [*EDIT, "--dry-run", "--signed", "--subject-prefix", "[l]", "signed.eml"],
    0, holds=[b"signature d=example.com s=sel breaks by 1\n"])
row("mime edit, what stays",
    [*EDIT, "--signed", "--add", "X-A: b", "signed.eml"], 0,
    b"X-A: b\n" + SIGNED)
PARTS = (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b"
         b"\r\n\r\n--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--\r\n")
row("mime edit, a part", [*EDIT, "--drop-part", "1"], 0,
    PARTS.replace(b"\r\n1\r\n--b\r\n", b""), data=PARTS)

count.finish()
