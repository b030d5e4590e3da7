#!/usr/bin/env python3
"""doctor.py ONWARD: a domain that has all it needs, and what the doctor says
when one thing is wrong with it. The records that it proposes are published in
turn, and the finding is gone."""
import json
import re
import sys

from cli import DATA, Count, Folder

folder = Folder(sys.argv[1])
count = Count()
KEY = [line.split(" TXT ")[1] for line in
       (folder.path / "zone.txt").read_text().splitlines()
       if line.startswith("sel._domainkey.example.com.")][0]
ED = [line.split(" TXT ")[1] for line in
      (folder.path / "zone.txt").read_text().splitlines()
      if line.startswith("ed._domainkey.example.com.")][0]

# usage, selector, matching and data of server.pem, as OpenSSL made them.
TLSA_311 = [line for line in (DATA / "dane/records.txt").read_text()
            .splitlines() if line.startswith("3 1 1 ")][0]

GOOD = f"""a.example. MX 10 mx.a.example.
a.example. TXT "v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 -all"
a.example. TXT "site-verification=1"
mx.a.example. A 192.0.2.7
mx.a.example. AAAA 2001:db8::7
7.2.0.192.in-addr.arpa. PTR mx.a.example.
7.{"0." * 23}8.b.d.0.1.0.0.2.ip6.arpa. PTR mx.a.example.
s1._domainkey.a.example. TXT {KEY}
_dmarc.a.example. TXT "v=DMARC1; p=reject; rua=mailto:r@a.example"
_mta-sts.a.example. TXT "v=STSv1; id=1;"
mta-sts.a.example. A 192.0.2.7
_smtp._tls.a.example. TXT "v=TLSRPTv1; rua=mailto:t@a.example"
b.example. A 192.0.2.8
"""
POLICY = ("version: STSv1\r\nmode: enforce\r\nmx: mx.a.example\r\n"
          "max_age: 604800\r\n")
OPTIONS = ["--egress", "192.0.2.7", "--egress", "2001:db8::7", "--selector",
           "s1", "--key", "key.pem", "--time", "1700000000"]
STATUS = {"ok": 0, "note": 0, "warning": 4, "unknown": 3, "error": 1}


def examine(zone, policy=POLICY, options=OPTIONS, domain="a.example"):
    (folder.path / "z").write_text(zone)
    (folder.path / "p").write_bytes((policy or "").encode())
    more = ["--policy", "p"] if policy else []
    done = folder.run(["doctor", domain, "--dns", "z", *more, *options,
                       "--json"])
    try:
        return done, json.loads(done.stdout)
    except ValueError:
        return done, {"findings": [], "worst": "nothing",
                      "said": done.stderr.decode()}


def without(*starts):
    """The good zone without the lines that begin so."""
    return "".join(line + "\n" for line in GOOD.splitlines()
                   if not line.startswith(starts))


def published(zone, record):
    """The zone with that record in place of all of its name and type; SPF
    replaces SPF alone."""
    name, _, _, kind, data = record.split(" ", 4)
    kept = []
    for line in zone.splitlines():
        same = re.match(rf"{re.escape(name)} (\d+ IN )?{kind} ", line)
        if not same or (kind == "TXT" and name == "a.example."
                        and "site-verification" in line):
            kept.append(line)
    return "\n".join([*kept, record]) + "\n"


def joined(record):
    """Where a long text is cut into strings is the writer's to choose."""
    return (record or "").replace('" "', "")


def row(name, zone, want, *, record=None, mends=True, policy=POLICY,
        options=OPTIONS, domain="a.example", fix=""):
    """want: "severity check code" of what is not ok, in order; record: of the
    first of these, which mends it."""
    done, said = examine(zone, policy, options, domain)
    faults = []
    bad = [f for f in said["findings"] if f["severity"] != "ok"]
    got = [f"{f['severity']} {f['check']} {f['code']}" for f in bad]
    if got != want:
        faults.append(f"found {got}, expected {want}: {said}")
    worst = max((f["severity"] for f in said["findings"]), default="ok",
                key=lambda s: ["ok", "note", "warning", "unknown",
                               "error"].index(s))
    if said["worst"] != worst or done.returncode != STATUS[worst]:
        faults.append(f"{said['worst']}, status {done.returncode}: {worst}")
    for finding in bad:
        if not finding["fix"]:
            faults.append(f"nothing to do about {finding}")
    if record is not None and bad:
        if joined(bad[0]["record"]) != joined(record):
            faults.append(f"proposed {bad[0]['record']}, expected {record}")
        elif mends:
            _, then = examine(published(zone, record), policy, options, domain)
            left = {(f["severity"], f["check"], f["code"])
                    for f in then["findings"]}
            if (bad[0]["severity"], bad[0]["check"], bad[0]["code"]) in left:
                faults.append(f"published {record}, and nothing changed")
    if fix and (not bad or fix not in bad[0]["fix"]):
        faults.append(f"{fix!r} is not in the fix")
    count.check(name, faults)


row("row 14: nothing is wrong", GOOD, [])
row("row 14: nothing but MX", "a.example. MX 10 mx.a.example.\n"
    "mx.a.example. A 192.0.2.7\n",
    ["error spf none", "error dkim none", "error dmarc none",
     "note mta-sts none", "note tlsrpt none"], policy=None,
    options=["--selector", "s1"])

# ---- MX -------------------------------------------------------------------

row("the domain does not exist", GOOD, ["error mx no-domain"],
    domain="gone.example")
row("neither MX nor an address",
    without("a.example. MX"),
    ["error mx none", "note mta-sts idle-pattern"],
    record="a.example. 3600 IN MX 10 mail.a.example.", mends=False)
row("an address alone", without("a.example. MX") + "a.example. A 192.0.2.7\n",
    ["warning mx implicit", "error mta-sts server-not-in-policy",
     "note mta-sts idle-pattern"],
    record="a.example. 3600 IN MX 10 a.example.")
row("a null MX beside another", GOOD + "a.example. MX 0 .\n",
    ["error mx null-and-others"])
row("a server without an address", without("mx.a.example."),
    ["error mx no-address", "error egress ptr-unconfirmed",
     "error egress ptr-unconfirmed"])
row("a server at a private address",
    GOOD.replace("mx.a.example. A 192.0.2.7", "mx.a.example. A 10.0.0.7"),
    ["error mx private", "error egress ptr-unconfirmed"])
row("an address in place of a name",
    GOOD.replace("10 mx.a.example.", "10 192.0.2.7."),
    ["error mx literal", "error mta-sts server-not-in-policy",
     "note mta-sts idle-pattern"],
    record="a.example. 3600 IN MX 10 mail.a.example.", mends=False)
row("an alias", GOOD.replace("MX 10 mx.a.example.", "MX 10 in.a.example.")
    + "in.a.example. CNAME mx.a.example.\n",
    ["error mx alias", "error mta-sts server-not-in-policy",
     "note mta-sts idle-pattern"],
    record="a.example. 3600 IN MX 10 mx.a.example.")
row("no answer for MX", without("a.example. MX") + "a.example. MX !SERVFAIL\n",
    ["unknown mx no-answer", "note mta-sts idle-pattern"])
row("MX is forged", without("a.example. MX") + "a.example. MX !BOGUS\n",
    ["error mx bogus", "note mta-sts idle-pattern"])
row("no answer for the server",
    without("mx.a.example.") + "mx.a.example. ANY !TIMEOUT\n",
    ["unknown mx no-answer", "unknown egress no-answer",
     "unknown egress no-answer"])
row("a domain that takes and sends no mail",
    'quiet.example. MX 0 .\nquiet.example. TXT "v=spf1 -all"\n'
    '_dmarc.quiet.example. TXT "v=DMARC1; p=reject; rua=mailto:r@quiet.example"'
    "\n", ["note mx null"], options=[], domain="quiet.example")
row("a null MX and nothing else", "quiet.example. MX 0 .\n",
    ["note mx null", "error spf none", "error dmarc none"], options=[],
    domain="quiet.example")

# ---- Where mail leaves from -----------------------------------------------

row("an address without a name", without("7.2.0.192"), ["error egress no-ptr"],
    record="7.2.0.192.in-addr.arpa. 3600 IN PTR mx.a.example.")
row("a name that leads elsewhere",
    GOOD.replace("7.2.0.192.in-addr.arpa. PTR mx.a", "7.2.0.192.in-addr.arpa. "
                 "PTR pool.b"),
    ["error egress ptr-unconfirmed"],
    record="pool.b.example. 3600 IN A 192.0.2.7")
row("no answer for the name",
    without("7.2.0.192") + "7.2.0.192.in-addr.arpa. PTR !TIMEOUT\n",
    ["unknown egress no-answer"])

# ---- SPF ------------------------------------------------------------------

SPF = '"v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 -all"'


def spf(text):
    return GOOD.replace(SPF, f'"{text}"')


def mended(text):
    return f'a.example. 3600 IN TXT "{text}"'


row("no SPF", without('a.example. TXT "v=spf1'), ["error spf none"],
    record=mended("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 ~all"))
row("no SPF, and nobody says where mail leaves from",
    without('a.example. TXT "v=spf1'), ["error spf none"],
    record=mended("v=spf1 mx ~all"),
    options=["--selector", "s1"])
row("two SPF records", GOOD + 'a.example. TXT "v=spf1 a:b.example ip4:192.0.2.7'
    ' ~all"\n', ["error spf many-records"],
    record=mended("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 a:b.example -all"))
row("two, one of which redirects: not merged",
    GOOD + 'a.example. TXT "v=spf1 redirect=b.example"\n',
    ["error spf many-records"])
row("the syntax", spf("v=spf1 ipv4:192.0.2.7 -all"), ["error spf syntax"])
row("+all", spf("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 +all"),
    ["error spf pass-all"],
    record=mended("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 ~all"))
row("all of it, by its ranges",
    spf("v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 ip6:2001:db8::7 -all"),
    ["error spf pass-all"])
row("all of it, by an include", spf("v=spf1 include:open.example -all")
    + 'open.example. TXT "v=spf1 +all"\n', ["error spf pass-all"])
row("?all", spf("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 ?all"),
    ["warning spf neutral"],
    record=mended("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 ~all"))
row("no all", spf("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 exp=w.a.example"),
    ["warning spf neutral"],
    record=mended("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 ~all exp=w.a.example"))
row("egress is not covered", spf("v=spf1 ip4:192.0.2.0/29 -all"),
    ["error spf egress-not-covered"],
    record=mended("v=spf1 ip4:192.0.2.0/29 ip6:2001:db8::7 -all"))
row("egress is not covered, behind a redirect",
    spf("v=spf1 redirect=_spf.b.example")
    + '_spf.b.example. TXT "v=spf1 ip4:192.0.2.7 ~all"\n',
    ["error spf egress-not-covered"],
    record=mended("v=spf1 ip6:2001:db8::7 redirect=_spf.b.example"))
row("egress is not covered, and ?all: one record for both",
    spf("v=spf1 ip4:192.0.2.7 ?all"),
    ["warning spf neutral", "error spf egress-not-covered"],
    record=mended("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 ~all"))
INCLUDES = "".join(f'i{i}.example. TXT "v=spf1 a:b.example ?all"\n'
                   for i in range(6))
row("too many questions",
    spf("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 "
        + " ".join(f"include:i{i}.example" for i in range(6)) + " -all")
    + INCLUDES, ["error spf many-lookups"], fix="costliest include")
row("ten questions are not too many",
    spf("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 "
        + " ".join(f"include:i{i}.example" for i in range(5)) + " -all")
    + INCLUDES, [])
row("three that find nothing",
    spf("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 a:x.gone.example "
        "a:y.gone.example a:z.gone.example -all"), ["error spf many-void"])
row("two that find nothing",
    spf("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 a:x.gone.example "
        "a:y.gone.example -all"), [])
row("an include without a record",
    spf("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 include:gone.example -all"),
    ["error spf permerror"])
row("an include that does not answer",
    spf("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 include:slow.example -all")
    + "slow.example. ANY !SERVFAIL\n", ["unknown spf no-answer"])
row("ptr", spf("v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 ptr:b.example -all"),
    ["warning spf ptr"])
row("what only looks like SPF",
    GOOD + 'a.example. TXT "v=spf1ip4:192.0.2.9 -all"\n',
    ["warning spf near-miss"])

# ---- DKIM -----------------------------------------------------------------

row("no key", without("s1._domainkey"), ["error dkim none"],
    record=f"s1._domainkey.a.example. 3600 IN TXT {KEY}")
row("no key, and none to compare with", without("s1._domainkey"),
    ["error dkim none"], options=["--selector", "s1"], fix="onward keygen")
row("another key", GOOD.replace(KEY, ED), ["error dkim other-key"],
    record=f"s1._domainkey.a.example. 3600 IN TXT {KEY}")
row("two keys", GOOD + f"s1._domainkey.a.example. TXT {ED}\n",
    ["error dkim many-records"],
    record=f"s1._domainkey.a.example. 3600 IN TXT {KEY}")
row("a key that was revoked", GOOD.replace(KEY, '"v=DKIM1; p="'),
    ["error dkim void"],
    record=f"s1._domainkey.a.example. 3600 IN TXT {KEY}")
row("a key in test mode",
    GOOD.replace('"v=DKIM1; k=rsa;', '"v=DKIM1; t=y; k=rsa;'),
    ["warning dkim weak"],
    record=f"s1._domainkey.a.example. 3600 IN TXT {KEY}")
row("no selector is known", GOOD, ["note dkim not-looked"],
    options=OPTIONS[:4])
row("no answer for the key",
    without("s1._domainkey") + "s1._domainkey.a.example. TXT !TIMEOUT\n",
    ["unknown dkim no-answer"])

# ---- DMARC ----------------------------------------------------------------


def dmarc(text):
    return GOOD.replace("v=DMARC1; p=reject; rua=mailto:r@a.example", text)


row("no DMARC", without("_dmarc"), ["error dmarc none"],
    record='_dmarc.a.example. 3600 IN TXT "v=DMARC1; p=none; '
    'rua=mailto:dmarc-reports@a.example"')
row("two DMARC records", GOOD + '_dmarc.a.example. TXT "v=DMARC1; p=none"\n',
    ["error dmarc many-records"])
row("p=none", dmarc("v=DMARC1; p=none; rua=mailto:r@a.example"),
    ["note dmarc policy-none"],
    record='_dmarc.a.example. 3600 IN TXT "v=DMARC1; p=quarantine; '
    'rua=mailto:r@a.example"')
row("a test", dmarc("v=DMARC1; p=reject; t=y; rua=mailto:r@a.example"),
    ["note dmarc testing"])
row("a policy that is none", dmarc("v=DMARC1; p=rejct; rua=mailto:r@a.example"),
    ["warning dmarc syntax", "note dmarc policy-none"])
row("nobody reports", dmarc("v=DMARC1; p=reject;"), ["warning dmarc no-reports"],
    record='_dmarc.a.example. 3600 IN TXT "v=DMARC1; p=reject; '
    'rua=mailto:dmarc-reports@a.example"')
row("reports elsewhere, not agreed on",
    dmarc("v=DMARC1; p=reject; rua=mailto:r@reports.example"),
    ["warning dmarc no-consent"],
    record='a.example._report._dmarc.reports.example. 3600 IN TXT "v=DMARC1"')
row("failure reports elsewhere, not agreed on",
    dmarc("v=DMARC1; p=reject; rua=mailto:r@a.example; "
          "ruf=mailto:r@reports.example"),
    ["warning dmarc no-consent"],
    record='a.example._report._dmarc.reports.example. 3600 IN TXT "v=DMARC1"')
row("reports elsewhere, no answer",
    dmarc("v=DMARC1; p=reject; rua=mailto:r@reports.example")
    + "a.example._report._dmarc.reports.example. TXT !SERVFAIL\n",
    ["unknown dmarc no-answer"])
row("what only looks like DMARC", GOOD + '_dmarc.a.example. TXT "DMARC1"\n',
    ["warning dmarc near-miss"])

# ---- MTA-STS and TLSRPT ---------------------------------------------------

row("no MTA-STS", without("_mta-sts"), ["note mta-sts none"],
    record='_mta-sts.a.example. 3600 IN TXT "v=STSv1; id=20231114221320Z;"')
row("two MTA-STS records", GOOD + '_mta-sts.a.example. TXT "v=STSv1; id=2;"\n',
    ["error mta-sts many-records"],
    record='_mta-sts.a.example. 3600 IN TXT "v=STSv1; id=20231114221320Z;"')
row("an id that is none", GOOD.replace("id=1;", "id=2026-01-01;"),
    ["error mta-sts void"],
    record='_mta-sts.a.example. 3600 IN TXT "v=STSv1; id=20231114221320Z;"')
row("a server that is not in the policy",
    GOOD + "a.example. MX 20 mx.b.example.\nmx.b.example. A 192.0.2.8\n",
    ["error mta-sts server-not-in-policy"])
row("the same, with a policy that is tried out",
    GOOD + "a.example. MX 20 mx.b.example.\nmx.b.example. A 192.0.2.8\n",
    ["note mta-sts testing", "warning mta-sts server-not-in-policy"],
    policy=POLICY.replace("enforce", "testing"))
row("a policy for a day of an hour", GOOD, ["warning mta-sts policy-weak"],
    policy=POLICY.replace("604800", "3600"))
row("a policy that is broken", GOOD, ["error mta-sts bad-policy"],
    policy=POLICY.replace("enforce", "strict"))
row("a pattern that fits no server", GOOD, ["note mta-sts idle-pattern"],
    policy=POLICY.replace("max_age", "mx: *.old.example\r\nmax_age"))
row("the policy host has no address", without("mta-sts.a"),
    ["error mta-sts no-host"])
row("a policy that was not fetched", GOOD, ["note mta-sts not-fetched"],
    policy=None)
row("no TLSRPT", without("_smtp._tls"), ["note tlsrpt none"],
    record='_smtp._tls.a.example. 3600 IN TXT "v=TLSRPTv1; '
    'rua=mailto:tls-reports@a.example"')
row("two TLSRPT records",
    GOOD + '_smtp._tls.a.example. TXT "v=TLSRPTv1; rua=mailto:u@a.example"\n',
    ["error tlsrpt many-records"])
row("TLSRPT without an address",
    GOOD.replace("rua=mailto:t@a.example", "ruf=mailto:t@a.example"),
    ["error tlsrpt void"],
    record='_smtp._tls.a.example. 3600 IN TXT "v=TLSRPTv1; '
    'rua=mailto:tls-reports@a.example"')

# ---- DANE -----------------------------------------------------------------

SIGNED = GOOD + "a.example. ANY !SECURE\nmx.a.example. ANY !SECURE\n"
TLSA = "_25._tcp.mx.a.example. TLSA 3 1 1 " + "ab" * 32 + "\n"
row("signed, without TLSA", SIGNED, ["note dane no-records"])
row("signed, with TLSA", SIGNED + TLSA + "_25._tcp.mx.a.example. TLSA !SECURE\n",
    [])
row("TLSA in a zone that is not signed", GOOD + TLSA,
    ["warning dane unsigned"])
row("signed server behind an MX that is not",
    GOOD + TLSA + "mx.a.example. ANY !SECURE\n"
    "_25._tcp.mx.a.example. TLSA !SECURE\n", ["warning dane insecure-mx"])
row("TLSA that SMTP has no use for",
    SIGNED + TLSA.replace("3 1 1", "1 1 1")
    + "_25._tcp.mx.a.example. TLSA !SECURE\n", ["error dane bad-records"])
row("TLSA that is forged", SIGNED + "_25._tcp.mx.a.example. TLSA !BOGUS\n",
    ["error dane records-bogus"])

# ---- The forwarder's configuration ----------------------------------------

CONF = """# more keys than the doctor knows
listen = 0.0.0.0:25
hostname = mx.a.example
rules = rules.json
srs_domain = srs.a.example
srs_secret = secrets.txt
seal_key = key.pem
seal_domain = a.example
seal_selector = arc
tls_certificate = server.pem
dns = z
"""
(folder.path / "f.conf").write_text(CONF)
ARC = f"arc._domainkey.a.example. TXT {KEY}\n"
SRS = 'srs.a.example. TXT "v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 -all"\n'
BY_CONF = ["--config", "f.conf", "--time", "1700000000"]


def with_conf(name, zone, want, **more):
    row("with --config: " + name, zone, want, options=BY_CONF, **more)


with_conf("all is there", GOOD + ARC + SRS, [])
with_conf("no SPF of the SRS domain", GOOD + ARC, ["error spf none"],
          record='srs.a.example. 3600 IN TXT "v=spf1 ip4:192.0.2.7 '
          'ip6:2001:db8::7 ~all"')
with_conf("the seal key is not there", GOOD + SRS, ["error dkim none"],
          record=f"arc._domainkey.a.example. 3600 IN TXT {KEY}")
with_conf("its name has no address",
          GOOD.replace("mx.a.example", "in.a.example") + ARC + SRS,
          ["error egress no-hostname", "error mta-sts server-not-in-policy",
           "note mta-sts idle-pattern"])
with_conf("signed, without TLSA: that of the certificate",
          SIGNED + ARC + SRS, ["note dane no-records"],
          record="_25._tcp.mx.a.example. 3600 IN TLSA " + TLSA_311,
          mends=False)
done = folder.shell("onward doctor a.example --config f.conf --policy p")
count.check("with --config: its DNS", [] if done.returncode == 0 and
            b"a.example: 0 errors" in done.stdout else [f"{done}"])

# ---- For people, and wrong usage ------------------------------------------

(folder.path / "z").write_text(without('a.example. TXT "v=spf1'))
done = folder.shell("onward doctor a.example --dns z --policy p --selector s1")
WANT = ("a.example: 1 error, 0 warnings, 0 notes\n"
        "  ok       mx       mx.a.example: 192.0.2.7, 2001:db8::7\n"
        "  error    spf      a.example: no SPF record: large receivers refuse "
        "or junk its mail, and anybody may send as it\n"
        "           fix: Say which servers send for it: here, those that take "
        "its mail.\n"
        '           publish: a.example. 3600 IN TXT "v=spf1 mx ~all"\n')
count.check("lines", [] if done.stdout.decode().startswith(WANT) else
            [done.stdout.decode()])
(folder.path / "z").write_text(without('a.example. TXT "v=spf1')
                               + 'a.example. TXT "v=spf1 \\027[2J"\n')
done = folder.shell("onward doctor a.example --dns z --policy p --selector s1")
count.check("what a terminal could obey is not shown",
            [] if b"\x1b" not in done.stdout and b"v=spf1 ?[2J" in done.stdout
            else [f"{done}"])
(folder.path / "z").write_text(without('a.example. TXT "v=spf1')
                               + 'a.example. TXT "v=spf1 \\194\\155[2J"\n')
for more, shown in (("", b"v=spf1 ?[2J"), (" --json", b"v=spf1 \\u009b[2J")):
    done = folder.shell("onward doctor a.example --dns z --policy p "
                        f"--selector s1{more}")
    count.check(f"nor what one could obey in UTF-8{more}",
                [] if b"\xc2\x9b" not in done.stdout and shown in done.stdout
                else [f"{done}"])
for name, args, want in (
        ("no domain", [], "0 operands, expected one domain"),
        ("two domains", ["a.example", "b.example"],
         "2 operands, expected one domain"),
        ("no name", ["a..b"], '"a..b", expected a domain in A-labels'),
        ("no address", ["a.example", "--egress", "here"],
         '--egress "here", expected an IPv4 or IPv6 address'),
        ("a key too many", ["a.example", "--key", "key.pem"],
         "--key 1 times, expected a --selector for each"),
        ("no selector", ["a.example", "--selector", "a b"],
         '--selector "a b", expected the name of a key: letters, digits and '
         "hyphens")):
    done = folder.run(["doctor", *args])
    count.check("wrong usage: " + name,
                [] if done.returncode == 2 and done.stderr.decode()
                == f"onward doctor: {want}\nTry: onward doctor --help\n"
                else [f"{done}"])
for name, text, want in (
        ("nothing there", "listen = 0.0.0.0:25\n",
         'f2:2: end of file, expected the key "hostname"'),
        ("no name", "hostname = a_b\n",
         'f2:1: hostname "a_b", expected a host name in ASCII')):
    (folder.path / "f2").write_text(text)
    done = folder.run(["doctor", "a.example", "--config", "f2"])
    count.check("a wrong configuration: " + name,
                [] if done.returncode == 3 and done.stderr.decode().startswith(
                    f"onward doctor: {want}") else [f"{done}"])
done = folder.run(["doctor", "a.example", "--dns", "z", "--policy", "p",
                   "--selector", "s1", "--key", "zone.txt"])
count.check("a key that is none", [] if done.returncode == 1 and
            b"zone.txt" in done.stdout else [f"{done}"])
count.finish()
