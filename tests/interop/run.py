#!/usr/bin/env python3
"""The forwarder against mail software of others, on loopback: swaks, Postfix
and Exim as its clients and next hops, dkimpy and Mail::DKIM as judges of what
it signs and as makers of what it must take.

    run.py --forwarder PROGRAM --cache DIR [--only TEXT]

The servers come from Debian's packages, kept unpacked in the cache folder
($ONWARD_DEBS, if set, goes before --cache).
Prints one line a check and a closing count; exit status 1 when one failed, 77
when the servers cannot be had here.
"""
import argparse
import json
import os
import re
import shutil
import smtplib
import subprocess
import sys
import time

import debs
import peers
from forwarder import Forwarder
from world import (Authority, Failed, Folder, SigningKey, free_port, wait_for)

HERE = os.path.dirname(os.path.abspath(__file__))
JUDGES = {
    "dkimpy": ["/usr/bin/python3", HERE + "/with_dkimpy.py"],
    "Mail::DKIM": ["perl", HERE + "/with_maildkim.pl"],
}
# Who listens where; one port for all, as out_port is one for all.
POSTFIX, EXIM = "127.0.0.2", "127.0.0.3"
FIRST, SECOND = "127.0.0.4", "127.0.0.5"
RELAY = "127.0.0.6"

counts = {"passed": 0, "failed": 0}


def check(what, good, detail=""):
    counts["passed" if good else "failed"] += 1
    print(f"{'ok' if good else 'FAILED'}: {what}")
    if not good and detail:
        print("    " + str(detail).strip()[:5000].replace("\n", "\n    "))
    sys.stdout.flush()


def judge(who, *args, message):
    """Output of dkimpy or Mail::DKIM on a message."""
    got = subprocess.run(JUDGES[who] + list(args), input=message,
                         capture_output=True, timeout=60)
    if got.returncode != 0:
        raise Failed(f"{who} {args[0]}: {got.stderr.decode()}")
    return got.stdout


def unfold(message):
    """Header fields as (name, value on one line), from the top."""
    head = message.split(b"\r\n\r\n")[0].decode("utf-8", "replace")
    fields = re.split(r"\r\n(?![ \t])", head)
    return [(n.lower(), " ".join(v.split()))
            for n, _, v in (f.partition(":") for f in fields)]


def field(message, name):
    return next((v for n, v in unfold(message) if n == name), "")


class World:
    """Every server of these tests, and the domains they serve.

    sender.test   where mail comes from: signs its mail, has SPF
    first.test    what the first forwarder serves; seals as first.test
    second.test   what the second forwarder serves; seals as second.test
    postfix.test, exim.test    where mail ends
    """

    def __init__(self, folder, program, cache):
        self.folder, self.program, self.cache = folder, program, cache
        self.port = free_port(POSTFIX, EXIM, FIRST, SECOND)
        self.authority = Authority(folder)
        os.mkdir(folder + "/keys")
        keys = folder + "/keys"
        self.sender_key = SigningKey(keys, "sender.test", "s1")
        self.seal_keys = {d: SigningKey(keys, d, "arc")
                          for d in ("first.test", "second.test", "list.test",
                                    "outer.test")}
        with open(folder + "/srs-secret", "w") as f:
            f.write("a secret of the interop tests\n")
        self.records = [
            'sender.test. 300 IN TXT "v=spf1 ip4:127.0.0.1 -all"',
            '_dmarc.sender.test. 300 IN TXT "v=DMARC1; p=reject"',
            'first.test. 300 IN TXT "v=spf1 ip4:127.0.0.1 -all"',
            "sender.test. 300 IN MX 10 mx.postfix.test.",
            "postfix.test. 300 IN MX 10 mx.postfix.test.",
            "exim.test. 300 IN MX 10 mx.exim.test.",
            "first.test. 300 IN MX 10 mx.first.test.",
            "second.test. 300 IN MX 10 mx.second.test.",
            f"mx.postfix.test. 300 IN A {POSTFIX}",
            f"mx.exim.test. 300 IN A {EXIM}",
            f"mx.first.test. 300 IN A {FIRST}",
            f"mx.second.test. 300 IN A {SECOND}",
            self.sender_key.record,
            *(k.record for k in self.seal_keys.values())]
        self.dns = folder + "/dns"
        with open(self.dns, "w") as f:
            f.write("\n".join(self.records) + "\n")
        self.serial = 0

    def postfix(self, name, address=POSTFIX, port=None, tls=True, **more):
        return peers.Postfix(
            name, self.cache, f"{self.folder}/{name}", address,
            port or self.port, self.authority.certify(name) if tls else None,
            **more)

    def exim(self, name):
        return peers.Exim(name, self.cache, f"{self.folder}/{name}", EXIM,
                          self.port, self.authority.certify(name))

    def forwarder(self, domain, routes, listen="127.0.0.1:0", **more):
        """One that serves domain; routes maps local parts to addresses."""
        rules = {"version": 1, "zones": [{"name": domain, "rules": [
            {"matchers": [{"type": "literal", "field": "to",
                           "value": f"{local}@{domain}"}],
             "actions": [{"type": "forward", "value": [to]}]}
            for local, to in routes.items()]}],
            "addresses": [{"email": to, "verified": True}
                          for to in sorted(set(routes.values()))]}
        host = "mx." + domain
        certificate, key = self.authority.certify(host)
        self.serial += 1
        settings = dict(
            listen=listen, hostname=host, out_port=self.port,
            allow_private_addresses="yes", srs_domain=domain,
            srs_secret=self.folder + "/srs-secret", tls_certificate=certificate,
            tls_key=key, seal_key=self.seal_keys[domain].file,
            seal_domain=domain, seal_selector="arc")
        settings.update(more)
        return Forwarder(self.program, f"{self.folder}/onward-{self.serial}",
                         rules, self.records, **settings)

    def message(self, mark, body="Hello.\n", signer=None):
        """A message, signed by sender.test with the judge named signer."""
        text = (f"From: Ann <ann@sender.test>\nTo: joe@first.test\n"
                f"Subject: interop {mark}\nMessage-ID: <{mark}@sender.test>\n"
                "Date: Thu, 1 Jan 2026 00:00:00 +0000\nMIME-Version: 1.0\n"
                "Content-Type: text/plain; charset=utf-8\n"
                "Content-Transfer-Encoding: 8bit\n"
                f"X-Mark: {mark}\n\n{body}").replace("\n", "\r\n").encode()
        if signer:
            key = self.sender_key
            text = judge(signer, "sign", key.file, key.domain, key.selector,
                         message=text)
        return text


def send(port, message, to, mail_from="ann@sender.test", host="127.0.0.1"):
    """Send with Python's own SMTP client."""
    with smtplib.SMTP(host, port, "client.sender.test", timeout=60) as smtp:
        smtp.sendmail(mail_from, [to], message, ["BODY=8BITMIME"])


def mark_of(world, text):
    world.serial += 1
    return f"{text}-{world.serial}-{os.getpid()}"


def below(message, sent):
    """Whether sent arrived untouched, with new fields on top alone."""
    return message.endswith(b"\r\n" + sent)


# ---- Clients of others, our server ---------------------------------------

def swaks_delivers(world, forwarder, receiver):
    """swaks: plain, pipelined, STARTTLS with the certificate checked."""
    anchor = world.authority.anchor
    for name, options in (
            ("in plain", []),
            ("pipelined", ["--pipeline"]),
            ("over STARTTLS", ["--tls", "--tls-verify", "--tls-ca-path",
                               anchor, "--tls-sni", "mx.first.test"]),
            ("over TLS 1.2", ["--tls", "--tls-protocol", "tlsv1_2"])):
        mark = mark_of(world, "swaks")
        path = f"{world.folder}/{mark}.eml"
        with open(path, "wb") as f:
            f.write(world.message(mark, signer="dkimpy"))
        got = subprocess.run(
            ["swaks", "--server", "127.0.0.1", "--port", str(forwarder.port),
             "--helo", "client.sender.test", "--from", "ann@sender.test",
             "--to", "postfix@first.test", "--data", "@" + path, *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60)
        said = got.stdout + got.stderr
        check(f"swaks sends {name}", got.returncode == 0, said)
        if got.returncode == 0:
            arrived = receiver.message_with(f"X-Mark: {mark}".encode())
            tls = "with ESMTPS" in field(arrived[arrived.index(
                b"Received: from client"):] if b"Received: from client"
                in arrived else arrived, "received")
            check(f"its Received field says {'TLS' if tls else 'no TLS'}",
                  tls == ("TLS" in name), arrived[:2000].decode())


def swaks_is_refused(world, forwarder):
    """What the rules do not allow is refused where it is said."""
    for to, want in (("nobody@first.test", "550"), ("joe@else.test", "550")):
        got = subprocess.run(
            ["swaks", "--server", "127.0.0.1", "--port", str(forwarder.port),
             "--helo", "client.sender.test", "--from", "ann@sender.test",
             "--to", to], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60)
        check(f"swaks is told {want} for {to}", got.returncode == 24 and
              f"<** {want} " in got.stdout, got.stdout)


def postfix_delivers(world, forwarder, receiver):
    """Postfix's queue manager and client bring mail, with and without TLS."""
    for name, level in (("in plain", "none"), ("over verified TLS", "secure")):
        relay = world.postfix(
            f"relay-{level}.test", RELAY, free_port(RELAY), tls=False,
            relay=("127.0.0.1", forwarder.port), relay_tls=level,
            relay_anchors=world.authority.anchor,
            relay_name="mx.first.test")
        with relay:
            mark = mark_of(world, "relay")
            body = "A line.\n.\n..two dots\n" + "caf\u00e9 \u2603\n" * 2000
            sent = world.message(mark, body, signer="Mail::DKIM")
            send(relay.port, sent, "postfix@first.test", host=RELAY)
            try:
                arrived = receiver.message_with(f"X-Mark: {mark}".encode())
            except Failed as e:
                check(f"Postfix brings a message {name}", False,
                      f"{e}\n{relay.process.tail()}\n{forwarder.said()}")
                continue
            check(f"Postfix brings a message {name}", True)
            check("it arrives octet for octet", below(arrived, sent))
            log = open(relay.log).read()
            check("Postfix verified our certificate" if level == "secure"
                  else "Postfix used no TLS",
                  ("Verified TLS connection established to" in log) ==
                  (level == "secure"), log)


# ---- Our client, servers of others ---------------------------------------

def we_deliver(world, receivers):
    """Our client to each server, for each level of TLS."""
    for level in ("none", "opportunistic", "verified"):
        trust = {"out_trust": world.authority.anchor} \
            if level == "verified" else {}
        routes = {name: f"joe@{name}.test" for name in receivers}
        with world.forwarder("first.test", routes, out_tls=level,
                             **trust) as forwarder:
            for name, receiver in receivers.items():
                mark = mark_of(world, level)
                body = "." + "x" * 900 + "\n" + ".\n" * 3 + "\n" + \
                    "caf\u00e9\n" * 50000
                sent = world.message(mark, body, signer="dkimpy")
                what = f"we deliver to {name} with out_tls = {level}"
                try:
                    send(forwarder.port, sent, f"{name}@first.test")
                    arrived = receiver.message_with(b"X-Mark: " +
                                                    mark.encode())
                except (Failed, smtplib.SMTPException) as e:
                    check(what, False, f"{e}\n{forwarder.said()}")
                    continue
                check(what, True)
                check("it arrives octet for octet", below(arrived, sent))
                tls = re.search(r"with e?smtps", field(arrived, "received"),
                                re.I) is not None
                check(f"{name} saw {'no TLS' if level == 'none' else 'TLS'}",
                      tls == (level != "none"), field(arrived, "received"))
                check(f"{name} has the rewritten sender",
                      re.match(r"<SRS0=[^@]+=sender\.test=ann@first\.test>$",
                               field(arrived, "return-path")) is not None,
                      field(arrived, "return-path"))


def we_verify_certificates(world, receivers):
    """A server whose certificate nobody we trust has signed gets nothing."""
    os.mkdir(world.folder + "/other")
    other = Authority(world.folder + "/other")
    with world.forwarder("first.test", {"joe": "joe@postfix.test"},
                         out_tls="verified",
                         out_trust=other.anchor) as forwarder:
        mark = mark_of(world, "untrusted")
        try:
            send(forwarder.port, world.message(mark, signer="dkimpy"),
                 "joe@first.test")
            code, said = 250, ""
        except smtplib.SMTPDataError as e:
            code, said = e.smtp_code, e.smtp_error
        check("an untrusted certificate is 4xx to the sender",
              400 <= code < 500, f"{code} {said}")
        check("and the message was not sent", not any(
            mark.encode() in m for m in receivers["postfix"].messages()))


# ---- Signatures and seals ------------------------------------------------

def judged(world, message, want_arc, instances, label):
    """dkimpy and Mail::DKIM both confirm signature and chain."""
    for who in JUDGES:
        said = json.loads(judge(who, "verify", world.dns, message=message))
        good = (said["arc"] == want_arc and said["instances"] == instances and
                {"d": "sender.test", "result": "pass"} in said["dkim"])
        check(f"{who}: {label}: signature pass, ARC {want_arc} with "
              f"{instances} set{'s' * (instances != 1)}", good,
              f"{said}\n{message[:6000].decode('utf-8', 'replace')}")


def seals_are_good(world, forwarder, receiver):
    for signer in JUDGES:
        mark = mark_of(world, "seal")
        send(forwarder.port, world.message(mark, signer=signer),
             "postfix@first.test")
        arrived = receiver.message_with(b"X-Mark: " + mark.encode())
        results = field(arrived, "authentication-results")
        check(f"we verify {signer}'s signature", re.match(
            r"mx\.first\.test;.*\bdkim=pass\b.*header\.d=sender\.test",
            results) is not None, results)
        check("and say spf=pass, dmarc=pass", "spf=pass" in results and
              "dmarc=pass" in results, results)
        judged(world, arrived, "pass", 1, "sealed by us")


def foreign_chains(world, forwarder, receiver):
    """A list sealed before us; then somebody seals on top of ours, and we on
    top of that."""
    for first, later in (("dkimpy", "Mail::DKIM"), ("Mail::DKIM", "dkimpy")):
        message = world.message(mark_of(world, "chain"), signer="dkimpy")
        for who, domain, said, sets in (
                (first, "list.test", b"none", 2),
                (later, "outer.test", b"pass", 4)):
            mark = mark_of(world, "chain").encode()
            message = judge(
                who, "seal", world.seal_keys[domain].file, domain, "arc",
                "mx." + domain, world.dns,
                message=b"Authentication-Results: mx." + domain.encode() +
                b"; arc=" + said + b"\r\n" + message)
            send(forwarder.port, b"X-Leg: " + mark + b"\r\n" + message,
                 "postfix@first.test")
            arrived = receiver.message_with(b"X-Leg: " + mark)
            results = field(arrived, "authentication-results")
            check(f"we verify a chain of {sets - 1} that ends in {who}'s seal",
                  re.search(r"\barc=pass\b", results) is not None, results)
            judged(world, arrived, "pass", sets, f"ours on top of {who}'s")
            # The loop mark would stop it here; without it, it goes on.
            message = re.sub(rb"(?im)^delivered-to: .*\r\n", b"",
                             arrived[arrived.index(b"ARC-Seal:"):])


def forwarded_twice(world, forwarder, receiver):
    """Through two of our forwarders: a chain of two sets, SRS1, and a bounce
    that finds its way back through both."""
    with world.forwarder("second.test", {"joe": "joe@postfix.test"},
                         listen=f"{SECOND}:{world.port}") as second:
        mark = mark_of(world, "twice")
        sent = world.message(mark, signer="dkimpy")
        send(forwarder.port, sent, "second@first.test")
        arrived = receiver.message_with(b"X-Mark: " + mark.encode())
        results = field(arrived, "authentication-results")
        check("the second forwarder finds the first's chain good", re.match(
            r"mx\.second\.test;.*\barc=pass\b", results) is not None, results)
        check("the newest seal is i=2 of second.test", re.search(
            r"(?=.*\bi=2;)(?=.*\bcv=pass;)(?=.*\bd=second\.test;)",
            field(arrived, "arc-seal")) is not None,
            field(arrived, "arc-seal"))
        judged(world, arrived, "pass", 2, "forwarded twice")
        check("it arrives octet for octet", below(arrived, sent))
        path = field(arrived, "return-path").strip("<>")
        check("the sender is an SRS1 address of second.test",
              path.startswith("SRS1=") and path.endswith("@second.test"), path)
        # A bounce: nothing signs it, it has the null path.
        mark = mark_of(world, "bounce")
        bounce = (f"From: <mailer@postfix.test>\r\nTo: <{path}>\r\n"
                  f"Subject: failure\r\nX-Mark: {mark}\r\n\r\nNo.\r\n").encode()
        with smtplib.SMTP(SECOND, world.port, "mx.postfix.test",
                          timeout=60) as smtp:
            smtp.sendmail("", [path], bounce)
        arrived = receiver.message_with(b"X-Mark: " + mark.encode())
        check("a bounce finds its way back through both",
              field(arrived, "x-original-to") == "ann@sender.test",
              arrived[:3000].decode())


def bounce_comes_back(world, forwarder, receiver):
    """A bounce to a rewritten sender reaches the original one."""
    mark = mark_of(world, "out")
    send(forwarder.port, world.message(mark, signer="dkimpy"),
         "postfix@first.test")
    arrived = receiver.message_with(b"X-Mark: " + mark.encode())
    path = field(arrived, "return-path").strip("<>")
    mark = mark_of(world, "back")
    bounce = (f"From: <mailer@postfix.test>\r\nTo: <{path}>\r\n"
              f"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
              f"Subject: failure\r\nX-Mark: {mark}\r\n\r\nNo.\r\n").encode()
    with smtplib.SMTP("127.0.0.1", forwarder.port, "mx.postfix.test",
                      timeout=60) as smtp:
        smtp.sendmail("", [path], bounce)
    arrived = receiver.message_with(b"X-Mark: " + mark.encode())
    check("a bounce reaches the original sender",
          field(arrived, "x-original-to") == "ann@sender.test" and
          field(arrived, "return-path") == "<>", arrived[:1500].decode())


# ---- All of it -----------------------------------------------------------

def run_all(world, only):
    postfix, exim = world.postfix("mx.postfix.test"), \
        world.exim("mx.exim.test")
    with postfix, exim, world.forwarder(
            "first.test", {"postfix": "joe@postfix.test",
                           "exim": "joe@exim.test",
                           "second": "joe@second.test"},
            listen=["127.0.0.1:0", f"{FIRST}:{world.port}"]) as forwarder:
        receivers = {"postfix": postfix, "exim": exim}
        for test, args in (
                (swaks_delivers, (forwarder, postfix)),
                (swaks_is_refused, (forwarder,)),
                (postfix_delivers, (forwarder, postfix)),
                (we_deliver, (receivers,)),
                (we_verify_certificates, (receivers,)),
                (seals_are_good, (forwarder, postfix)),
                (foreign_chains, (forwarder, postfix)),
                (forwarded_twice, (forwarder, postfix)),
                (bounce_comes_back, (forwarder, postfix))):
            if only not in test.__name__:
                continue
            started = time.monotonic()
            print(f"-- {test.__name__.replace('_', ' ')}")
            try:
                test(world, *args)
            except (Failed, OSError, smtplib.SMTPException,
                    subprocess.SubprocessError) as e:
                check(test.__name__, False,
                      f"{type(e).__name__}: {e}\n{forwarder.said()}")
            print(f"   {time.monotonic() - started:.1f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--forwarder", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    if os.geteuid() != 0 and shutil.which("sudo") and subprocess.run(
            ["sudo", "-n", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        # The servers start as root and drop it themselves.
        os.execvp("sudo", ["sudo", "-n", "-E", sys.executable, *sys.argv])
    reason = peers.why_not()
    for tool in ("swaks", "openssl", "perl", "/usr/bin/python3"):
        if not reason and not shutil.which(tool):
            reason = f"{tool} is not installed"
    if reason:
        print("skipped:", reason)
        return 77
    # Several builds may share one.
    args.cache = os.path.abspath(os.environ.get("ONWARD_DEBS", args.cache))
    os.makedirs(args.cache, exist_ok=True)
    try:
        for package in ("postfix", "exim4-daemon-light", "libnss-wrapper"):
            debs.unpack(package, args.cache)
    except debs.Unavailable as e:
        print("skipped:", e)
        return 77
    with Folder("interop") as folder:
        try:
            run_all(World(folder, args.forwarder, args.cache), args.only)
        except Failed as e:
            check("the servers run", False, e)
    print(f"interop: {counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
