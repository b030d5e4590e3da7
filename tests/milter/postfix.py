#!/usr/bin/env python3
"""postfix.py PROGRAM --cache DIR --sample FILE [CASE...]: onward-milter behind a
real Postfix, which delivers into a Maildir. dkimpy and Mail::DKIM judge what it
has signed and sealed."""
import json
import os
import re
import smtplib
import subprocess
import sys

from server import Milter

import debs
import peers
from judges import (fields_of, judge, judged, mixed_results,
                    signed_to_the_octet)
from forwarder import Cases, begins, equal, until
from world import Folder, free_port, wait_for

case = Cases()


def option(name):
    at = sys.argv.index(name)
    value = sys.argv[at + 1]
    del sys.argv[at:at + 2]
    return os.path.abspath(value)


CACHE = option("--cache")
CACHE = os.environ.get("ONWARD_DEBS") or CACHE
SAMPLE = option("--sample")

MESSAGE = (b"From: Ann <u@a.example>\r\n"
           b"To: v@b.example\r\n"
           b"Subject:no blank\r\n"
           b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
           b"X-Fold:  two\r\n\tlines\r\n   of it\r\n"
           b"X-Tab:\tbegins with one\r\n"
           b"X-Empty:\r\n"
           b"X-Trailing: blanks  \r\n"
           b"Message-ID: <1@a.example>\r\n"
           b"\r\n"
           b"Hello.\r\n"
           b".a dot, \xe4\r\n"
           b"  \t\r\n"
           b"\r\n")


class Postfix(peers.Postfix):
    """With our milter, and clients that say who they are."""

    def __init__(self, milters, *args, lines=None, **more):
        self.milters = milters  # lines of main.cf
        super().__init__(*args, **more)

    def main_cf(self, tree, queue):
        # Every client is a stranger, and every domain is here.
        return super().main_cf(tree, queue).replace(
            "permit_mynetworks, reject\n", "reject_unauth_destination\n"
        ) + self.milters + (
            "smtpd_authorized_xclient_hosts = 127.0.0.0/8\n"
            "local_header_rewrite_clients =\n"
            "virtual_alias_maps = inline:{v@list.example=v@dead.example}\n"
            "transport_maps = inline:{dead.example=error:nobody_is_there}\n"
            # sendmail(1) starts another program.
            "export_environment = TZ MAIL_CONFIG LANG LD_LIBRARY_PATH="
            f"{self.libraries}\n")

    def master_cf(self):
        return super().master_cf() + "pickup unix n - n 60 1 pickup\n"

    def tool(self, name, *args, **how):
        _, env = self.command()
        return subprocess.run(
            [os.path.join(self.lib, "../../sbin", name), "-C" if
             name == "sendmail" else "-c", self.config, *args], env=env,
            capture_output=True, timeout=60, **how)


def lines_for(address):
    return (f"smtpd_milters = {address}\nnon_smtpd_milters = {address}\n"
            "milter_default_action = tempfail\n"
            "internal_mail_filter_classes = bounce\n")


class Shared:
    """One Postfix for most cases: where its milter is stays the same."""

    def __init__(self):
        self.folder = Folder("milter")
        self.milter_port = free_port()
        self.postfix = Postfix(
            lines_for(f"inet:127.0.0.1:{self.milter_port}"), "mx.fwd.example",
            CACHE, os.path.join(self.folder.path, "postfix"), "127.0.0.1", 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.postfix.stop()
        self.folder.__exit__()


class World:
    """A milter, and a Postfix before it."""
    shared = None

    def __init__(self, program, **settings):
        self.milter = Milter(program)
        self.port = self.shared.milter_port
        self.settings = dict(settings, listen=f"127.0.0.1:{self.port}")
        self.postfix = self.shared.postfix

    def __enter__(self):
        self.milter.__enter__()
        try:
            self.milter.start(**self.settings)
            if self.postfix.process is None:
                # Now, so that nobody took it meanwhile.
                self.postfix.port = free_port()
                self.postfix.write("etc/master.cf", self.postfix.master_cf())
                self.postfix.start()
        except BaseException:
            self.__exit__(Exception)
            raise
        self.before = len(self.postfix.messages())
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            if self.postfix.process is not None:
                print(self.postfix.process.tail())
            print(json.dumps(self.milter.log(), indent=1))
        self.milter.__exit__(kind)

    def messages(self):
        return self.postfix.messages()[self.before:]

    def client(self, ip=None, login=None):
        """An SMTP client; from another address, by another's name."""
        s = smtplib.SMTP("127.0.0.1", self.postfix.port, "client.a.example",
                         timeout=60)
        s.ehlo()
        if ip or login:
            words = [f"ADDR={ip or '127.0.0.1'} NAME=client.example"]
            words += [f"LOGIN={login}"] if login else []
            equal(s.docmd("XCLIENT", " ".join(words))[0], 220)
            s.ehlo()
        return s

    def give(self, message, ip="192.0.2.9", login=None, sender="u@a.example",
             to="v@b.example"):
        """What the client was told last."""
        with self.client(ip, login) as s:
            for code, text in (s.mail(sender), s.rcpt(to)):
                if code != 250:
                    return code, text.decode()
            code, text = s.data(message)
            return code, text.decode()

    def through(self, message, count=1, **how):
        """It was taken; as it was delivered."""
        equal(self.give(message, **how)[0], 250)
        return self.delivered(count)

    def delivered(self, count=1):
        return wait_for(f"message {count}", lambda: (
            self.messages() if len(self.messages()) >= count
            else None))[count - 1]


# ---- Reading ---------------------------------------------------------------

def names_of(message):
    """Without what delivery puts on top of the queue's file."""
    return [n for n, _ in fields_of(message)
            if n not in ("Return-Path", "X-Original-To", "Delivered-To")]


def queued(message):
    """The message as it stood in the queue."""
    for name in ("Return-Path", "X-Original-To", "Delivered-To"):
        message = re.sub(name.encode() + rb": .*\r\n", b"", message, count=1)
    return message


# ---- Cases -----------------------------------------------------------------

SEAL = {"seal_key": "rsa.pem", "seal_domain": "fwd.example",
        "seal_selector": "r"}
TOP = ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results",
       "Authentication-Results", "Received"]


@case
def what_comes_in_is_verified_and_sealed(program):
    with World(program, **SEAL) as w:
        got = queued(w.through(MESSAGE))
        equal(names_of(got)[:5], TOP)
        # Below the server's own trace each octet is as it came.
        received = dict(fields_of(got))["Received"]
        equal(got[got.index(received) + len(received):], MESSAGE)
        results = dict(fields_of(got))["Authentication-Results"]
        begins(results.decode(), "Authentication-Results: mx.fwd.example;\r\n")
        for part in (b"spf=pass", b"smtp.mailfrom=u@a.example",
                     b"dmarc=pass header.from=a.example",
                     b"smtp.remote-ip=192.0.2.9"):
            assert part in results, results
        judged(w.milter, got, [], "pass")
        log = w.milter.events("message")[-1]
        equal((log["decision"], log["dmarc"], log["sealed"]),
              ("accept", "pass", True))
        assert re.fullmatch(r"[0-9A-Za-z]+", log["id"]), log


@case
def octets_come_as_they_are(program):
    """In the simple form a signature breaks by one blank more or less."""
    with World(program) as w:
        signed = signed_to_the_octet(w.milter, MESSAGE, "a.example")
        if signed is None:
            return
        got = queued(w.through(signed))
        results = dict(fields_of(got))["Authentication-Results"]
        assert b"dkim=pass header.d=a.example" in results, results
        # And what had one more has lost it.
        changed = signed.replace(b"Subject:no", b"Subject: no")
        equal(w.give(changed)[0], 250)
        equal([e["dkim"] for e in w.milter.events("message")],
              ["pass", "fail"])


@case
def forged_results_are_gone(program):
    forged = (b"Authentication-Results: mx.fwd.example; dmarc=pass\r\n"
              b"authentication-results:\tMX.FWD.example (x) 1;\r\n\tspf=pass\r\n")
    kept = b"Authentication-Results: other.example; dmarc=pass\r\n"
    with World(program) as w:
        got = queued(w.through(forged + kept + MESSAGE + forged))
        equal(names_of(got)[:3],
              ["Authentication-Results", "Received", "Authentication-Results"])
        received = dict(fields_of(got))["Received"]
        equal(got[got.index(received) + len(received):],
              kept + MESSAGE + forged)  # in the body they are text
        equal(w.milter.events("message")[-1]["cut"], 2)


@case
def every_forged_result_goes(program):
    """In any number and order (CVE-2022-48521), and no other."""
    with World(program) as w:
        lines, others = mixed_results()
        got = w.through(lines + MESSAGE)
        equal([octets for name, octets in fields_of(got)
               if name.lower() == "authentication-results"][1:], others)


@case
def dmarc_refuses_at_the_client(program):
    with World(program) as w:
        code, text = w.give(MESSAGE, ip="192.0.2.8", sender="u@z.example")
        equal((code, text), (550, "5.7.1 Rejected as the DMARC policy of "
                                  "a.example asks for"))
        # Of the same client the next one is taken.
        with w.client("192.0.2.9") as s:
            for sender, message, want in (
                    ("u@z.example", MESSAGE.replace(b"u@a", b"u@t"), 451),
                    ("u@a.example", MESSAGE, 250)):
                s.mail(sender)
                s.rcpt("v@b.example")
                equal(s.data(message)[0], want)
        w.delivered(1)


@case
def quarantine_is_held(program):
    with World(program, dmarc_quarantine="hold") as w:
        equal(w.give(MESSAGE.replace(b"u@a", b"u@q"), ip="192.0.2.8",
                     sender="u@z.example")[0], 250)
        hold = os.path.join(w.postfix.folder, "queue", "hold")
        assert until(lambda: len(os.listdir(hold)) == 1), os.listdir(hold)


@case
def ours_is_signed_by_both_keys(program):
    keys = ["a.example r rsa.pem", "a.example e ed25519.pem"]
    with World(program, dkim_key=keys, **SEAL) as w:
        # In a network of ours; logged in from elsewhere; from this machine.
        w.through(MESSAGE, ip=None)
        w.through(MESSAGE, ip="203.0.113.4", login="ann", count=2)
        sent = w.postfix.tool("sendmail", "-f", "u@a.example", "-i",
                              "v@b.example",
                              input=MESSAGE.replace(b"\r\n", b"\n"))
        equal((sent.returncode, sent.stderr), (0, b""))
        w.delivered(3)
        for got in w.messages():
            got = queued(got)
            equal(names_of(got)[:3],
                  ["DKIM-Signature", "DKIM-Signature", "Received"])
            received = dict(fields_of(got))["Received"]
            equal(got[got.index(received) + len(received):], MESSAGE)
            for by, (domains, _) in judge(w.milter, got).items():
                # Mail::DKIM of Debian knows no Ed25519.
                want = 2 if by == "dkimpy" else 1
                equal((by, len(domains) >= want, set(domains)),
                      (by, True, {"a.example"}))


@case
def senders_are_rewritten_and_come_back(program):
    srs = {"srs_domain": "fwd.example", "srs_secret": "srs.txt",
           "forward": "*.list.example"}
    with World(program, **srs) as w:
        got = w.through(MESSAGE, to="v@a.list.example")
        path = dict(fields_of(got))["Return-Path"].decode()
        match = re.fullmatch(
            r"Return-Path: <(SRS0=[^=]+=[^=]+=a\.example=u@fwd\.example)>\r\n",
            path)
        assert match, path
        # Not for who is not forwarded.
        got = w.through(MESSAGE, count=2)
        equal(dict(fields_of(got))["Return-Path"],
              b"Return-Path: <u@a.example>\r\n")
        # The way back is for bounces alone, and for nothing that is forged.
        bounce = MESSAGE.replace(b"u@a.example", b"mailer@b.example")
        got = w.through(bounce, sender="", to=match[1], count=3)
        equal(dict(fields_of(got))["Delivered-To"],
              b"Delivered-To: u@a.example\r\n")
        equal(w.give(bounce, sender="x@b.example", to=match[1]),
              (550, "5.7.1 Rewritten senders take bounces only"))
        equal(w.give(bounce, sender="", to=match[1].replace("=u@", "=v@")),
              (550, "5.7.1 This rewritten sender is not ours"))


@case
def bounces_of_our_own_making_come_back_too(program):
    """Who we forward for is gone: Postfix tells the sender that it knows, and the
    filter who that is."""
    with World(program, srs_domain="fwd.example", srs_secret="srs.txt",
               forward="list.example") as w:
        got = w.through(MESSAGE, to="v@list.example")
        equal(dict(fields_of(got))["Delivered-To"],
              b"Delivered-To: u@a.example\r\n")
        assert b"nobody_is_there" in got
        equal([(e["from"], e["ours"]) for e in w.milter.events("message")],
              [("u@a.example", False), ("", True)])


@case
def a_milter_that_is_gone_loses_nothing(program):
    """And one that comes back is found."""
    with World(program) as w:
        equal(w.milter.stop(), 0)
        equal(w.give(MESSAGE)[0], 451)
        w.milter.start()
        w.through(MESSAGE)


@case
def the_sample_works_as_it_stands(program):
    """The configuration and its lines of main.cf, but for where things are."""
    text = open(SAMPLE).read()
    lines = "".join(m[1] + "\n" for m in re.finditer(
        r"(?m)^#     (\w+ = .*)$", text))
    equal(lines.count("\n"), 4)
    port = free_port()
    with Milter(program) as milter:
        for name in ("example.org.pem", "srs-secret"):
            source = "rsa.pem" if name.endswith(".pem") else "srs.txt"
            milter.write(name, (milter.path / source).read_text())
        # Without a network there are no records; everything else stays.
        text = text.replace("127.0.0.1:8891", f"127.0.0.1:{port}")
        milter.write("milter.conf", text + "dns = zone.txt\nlog = log.json\n")
        equal(milter.run("--config", "milter.conf", "--check").returncode, 0)
        milter.start("--config", "milter.conf")
        folder = Folder("milter")
        with folder as path:
            postfix = Postfix(lines.replace("127.0.0.1:8891",
                                            f"127.0.0.1:{port}"),
                              "mx.example.org", CACHE, path + "/postfix",
                              "127.0.0.1", free_port())
            with postfix:
                with smtplib.SMTP("127.0.0.1", postfix.port) as s:
                    s.sendmail("u@example.org", ["v@b.example"],
                               MESSAGE.replace(b"a.example", b"example.org"))
                got = wait_for("the message", postfix.messages)[0]
                equal(names_of(got)[0], "DKIM-Signature")


def main():
    if peers.why_not():
        print("SKIP", peers.why_not())
        return 77
    try:
        debs.unpack("postfix", CACHE)
    except debs.Unavailable as e:
        print("SKIP", e)
        return 77
    with Shared() as World.shared:
        return case.main()


if __name__ == "__main__":
    sys.exit(main())
