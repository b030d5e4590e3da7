#!/usr/bin/env python3
"""doc/exim.md in a real Exim: its listings, with our ports in them.

    exim.py --forwarder PROGRAM --cache DIR

One line a check; exit status 1 when one failed, 77 when Exim cannot be had."""
import argparse
import os
import re
import smtplib
import subprocess
import sys
import time

import debs
import peers
from forwarder import Forwarder
from world import Authority, Failed, Folder, free_port, wait_for

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    "../../doc/exim.md")
RECORDS = ['client.sender.test. 300 IN TXT "v=spf1 ip4:127.0.0.1 -all"',
           'sender.test. 300 IN TXT "v=spf1 ip4:127.0.0.1 -all"',
           '_dmarc.sender.test. 300 IN TXT "v=DMARC1; p=reject"',
           'far.test. 300 IN TXT "v=spf1 -all"']
RULES = {"version": 1, "zones": [{"name": "example.org", "rules": [
    {"matchers": [{"type": "literal", "field": "to",
                   "value": f"{local}@example.org"}],
     "actions": [{"type": "forward", "value": to}]}
    for local, to in (("joe", ["ann@far.test"]),
                      ("two", ["ann@far.test", "bob@near.test"]),
                      ("chain", ["joe@example.org"]))]}],
    "addresses": [{"email": e, "verified": True} for e in (
        "ann@far.test", "bob@near.test", "joe@example.org")]}
counts = {"passed": 0, "failed": 0}


def check(what, good, detail=""):
    counts["passed" if good else "failed"] += 1
    print(f"{'ok' if good else 'FAILED'}: {what}", flush=True)
    if not good and detail:
        print("    " + str(detail)[:5000].replace("\n", "\n    "), flush=True)


class Ways:
    """The page's listings; 25, 10025 and 10026 become free ports."""

    def __init__(self):
        with open(PAGE, encoding="utf-8") as f:
            self.blocks = dict(re.findall(r"```([a-z-]+)\n(.*?)```", f.read(),
                                          re.S))
        self.ports = {}
        for port in ("10026", "10025", "25"):
            # None twice: each is free only until it is used.
            self.ports[port] = str(free_port() + len(self.ports))

    def block(self, name):
        def other(m):
            return self.ports.get(m[0], m[0])
        return re.sub(r"\b(10026|10025|25)\b", other, self.blocks[name])

    def settings(self, name, folder):
        """Of the forwarder, with files that there are."""
        found = dict(re.split(" = ", line) for line in
                     self.block(name).splitlines())
        with open(folder + "/srs-secret", "w", encoding="ascii") as f:
            f.write("a secret of these tests\n")
        # The rest is written by the class that runs it.
        del found["rules"]
        found.update(srs_secret=folder + "/srs-secret",
                     listen=found["listen"].replace("192.0.2.1", "127.0.0.1"))
        return found


class Exim(peers.Exim):
    """With the page's lines; the rest delivers into one Maildir."""

    def __init__(self, ways, is_front, *args):
        self.ways, self.is_front = ways, is_front
        super().__init__(*args)

    def exim_conf(self, spool):
        text, block = super().exim_conf(spool), self.ways.block
        main, acl = block("exim-main"), block("exim-acl-back")
        if self.is_front:
            main += block("exim-main-front")
            acl += block("exim-acl-front")
            text = text.replace("begin routers\n",
                                "begin routers\n" + block("exim-router"))
            text += block("exim-transport")
        return text.replace(f"daemon_smtp_ports = {self.port}\n", main) \
            .replace("acl_smtp_rcpt = all\n", "acl_smtp_rcpt = rcpt\n") \
            .replace("begin acl\n", f"begin acl\nrcpt:\n{acl}  accept\n") \
            .replace("  return_path_add\n",
                     "  return_path_add\n  envelope_to_add\n") + \
            "begin retry\n* * F,1d,1m\n"

    def queued(self):
        got = subprocess.run([self.program, "-C", self.config, "-bpc"],
                             env=self.env, capture_output=True, text=True,
                             timeout=30)
        return int(got.stdout or 0)


def send(port, mark, to, sender="ann@sender.test", author="ann@sender.test"):
    """What it is told: 250, or the code of a refusal."""
    with smtplib.SMTP("127.0.0.1", port, "client.sender.test",
                      timeout=60) as s:
        s.ehlo()
        if s.mail(sender)[0] != 250:
            return s.mail(sender)[0]
        code, said = s.rcpt(to)
        if code != 250:
            return code
        return s.data(f"From: Ann <{author}>\r\nTo: {to}\r\nSubject: "
                      f"Exim\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
                      f"Message-ID: <{mark}@sender.test>\r\nX-Mark: {mark}\r\n"
                      "\r\nHello.\r\n.dot\r\n")[0]


def arrived(exim, mark, count=1):
    """All that came, once nothing is under way any more."""
    octets = f"X-Mark: {mark}\r\n".encode()

    def look():
        found = [m for m in exim.messages() if octets in m]
        return found if len(found) >= count and exim.queued() == 0 else None
    try:
        return wait_for(f"{mark} at Exim", look, 30)
    except Failed:
        return [m for m in exim.messages() if octets in m]


def recipients(messages):
    """Exim's own field names none; its log has them."""
    return sorted(re.search(rb"(?m)^Envelope-to: (.*?)\r$", m)[1].decode()
                  for m in messages)


def path_of(message):
    return re.search(rb"(?m)^Return-path: <(.*?)>\r$", message)[1].decode()


SRS = r"SRS0=[^=]+=[^=]+=sender\.test=ann@srs\.example\.org"


def common(exim, forwarder_port, port, who):
    """What both ways have to do; port: where mail comes in."""
    check(f"{who}: mail for an alias is taken",
          send(port, "one", "joe@example.org") == 250)
    got = arrived(exim, "one")
    check("it arrives once", len(got) == 1, got)
    if got:
        check("with the rewritten sender", re.fullmatch(SRS, path_of(got[0])),
              got[0].decode())
        check("for the destination", recipients(got) == ["ann@far.test"],
              recipients(got))
        by_us = got[0].count(b"by mx.example.org with")
        check("and was at the forwarder once", by_us == 1,
              got[0].decode())
        check("its body is as it was", got[0].endswith(
            b"\r\n\r\nHello.\r\n.dot\r\n"), got[0].decode())
        bounce = path_of(got[0])
        check("a bounce is taken",
              send(port, "back", bounce, "", "mailer@client.sender.test")
              == 250)
        got = arrived(exim, "back")
        check("and comes back to the sender, once",
              recipients(got) == ["ann@sender.test"] and
              path_of(got[0]) == "", got)
    check("two destinations", send(port, "both", "two@example.org") == 250)
    got = recipients(arrived(exim, "both", 2))
    check("get it, each once", got == ["ann@far.test", "bob@near.test"], got)
    check("an alias of an alias", send(port, "chain", "chain@example.org")
          == 250)
    got = arrived(exim, "chain")
    check("is followed, and comes once", recipients(got) == ["ann@far.test"]
          and got[0].count(b"by mx.example.org with") == 1, got)
    check("an address without a rule is refused at once",
          send(port, "nobody", "nobody@example.org") == 550)
    check("nothing waits in the queue", exim.queued() == 0)


def front(folder, args):
    """Exim in front."""
    ways = Ways()
    port, back = int(ways.ports["25"]), int(ways.ports["10026"])
    with Exim(ways, True, "mx.exim.test", args.cache, folder + "/exim",
              "127.0.0.1", port) as exim:
        settings = ways.settings("forwarder-behind", folder)
        forwarder = Forwarder(args.forwarder, folder + "/onward", RULES,
                              RECORDS, **settings)
        with forwarder:
            common(exim, forwarder.port, port, "Exim in front")
            check("other mail does not go to the forwarder",
                  send(port, "other", "pat@else.test") == 250)
            got = arrived(exim, "other")
            check("and keeps its sender", len(got) == 1 and
                  path_of(got[0]) == "ann@sender.test", got)
            again = back
            check("what comes by the port for the way back goes on",
                  send(again, "direct", "joe@example.org") == 250)
            got = arrived(exim, "direct")
            check("without the forwarder", recipients(got) ==
                  ["joe@example.org"] and b"mx.example.org" not in got[0], got)
        # The forwarder is away: nothing is lost, nothing is bounced.
        check("without the forwarder mail is taken",
              send(port, "later", "joe@example.org") == 250)
        time.sleep(0.5)
        check("and waits", exim.queued() == 1 and
              not [m for m in exim.messages() if b"X-Mark: later" in m])
        with Forwarder(args.forwarder, folder + "/onward-again", RULES,
                       RECORDS, **settings):
            subprocess.run([exim.program, "-C", exim.config, "-qff"],
                           env=exim.env, timeout=60, check=True)
            got = recipients(arrived(exim, "later"))
            check("until it is back", got == ["ann@far.test"], got)


class TlsWays(Ways):
    """With STARTTLS on the way to the forwarder."""

    def block(self, name):
        return super().block(name).replace(
            "  hosts_avoid_tls = *\n",
            "  hosts_require_tls = *\n  tls_verify_certificates =\n")


def secured(folder, args):
    """Exim, which says QUIT with the dot, over TLS."""
    ways = TlsWays()
    certificate, key = Authority(folder).certify("mx.example.org")
    with Exim(ways, True, "mx.exim.test", args.cache, folder + "/exim",
              "127.0.0.1", int(ways.ports["25"])) as exim, \
            Forwarder(args.forwarder, folder + "/onward", RULES, RECORDS,
                      tls_certificate=certificate, tls_key=key,
                      **ways.settings("forwarder-behind", folder)):
        check("over TLS mail for an alias is taken",
              send(exim.port, "tls", "joe@example.org") == 250)
        got = arrived(exim, "tls")
        check("and arrives once", recipients(got) == ["ann@far.test"] and
              b"by mx.example.org with ESMTPS" in got[0], got)


def behind(folder, args):
    """The forwarder in front."""
    ways = Ways()
    # Exim's own port stays its own; the forwarder gets another.
    settings = ways.settings("forwarder-front", folder)
    settings["listen"] = "127.0.0.1:0"
    with Exim(ways, False, "mx.exim.test", args.cache, folder + "/exim",
              "127.0.0.1", int(ways.ports["25"])) as exim, \
            Forwarder(args.forwarder, folder + "/onward", RULES, RECORDS,
                      **settings) as forwarder:
        common(exim, forwarder.port, forwarder.port, "the forwarder in front")
        got = arrived(exim, "one")[0]
        check("SPF and DMARC are those of the client",
              b"spf=pass" in got and b"dmarc=pass" in got, got.decode())
        check("who is refused by DMARC never reaches Exim",
              send(forwarder.port, "forged", "joe@example.org",
                   "eve@far.test") == 550)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--forwarder", required=True)
    parser.add_argument("--cache", required=True)
    args = parser.parse_args()
    args.cache = os.path.abspath(os.environ.get("ONWARD_DEBS", args.cache))
    os.makedirs(args.cache, exist_ok=True)
    reason = peers.why_not()
    try:
        for package in ("exim4-daemon-light", "libnss-wrapper"):
            debs.unpack(package, args.cache)
    except debs.Unavailable as e:
        reason = str(e)
    if reason:
        print("SKIP:", reason)
        return 77
    for way in (front, secured, behind):
        with Folder("exim") as folder:
            try:
                way(folder, args)
            except (Failed, OSError, smtplib.SMTPException,
                    subprocess.SubprocessError) as e:
                check(way.__doc__, False, f"{type(e).__name__}: {e}")
    print(f"exim: {counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
