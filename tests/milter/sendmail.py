#!/usr/bin/env python3
"""sendmail.py PROGRAM --cache DIR --sink PROGRAM: onward-milter behind a real
Sendmail, which sends on to a sink. It comes from Debian's package, unpacked and
not installed, and runs under a host name of its own."""
import os
import pathlib
import shutil
import smtplib
import subprocess
import sys

from server import Milter, published

import debs
import peers
from forwarder import Cases, begins, equal, holds
from judges import (fields_of, judge, judged, mixed_results,
                    signed_to_the_octet)
from tools import Sink
from world import Failed, Folder, Process, free_port, greets, wait_for

case = Cases()


def option(name):
    at = sys.argv.index(name)
    value = sys.argv[at + 1]
    del sys.argv[at:at + 2]
    return os.path.abspath(value)


SINK, CACHE = option("--sink"), option("--cache")
CACHE = os.environ.get("ONWARD_DEBS") or CACHE

# The client is 127.0.0.1, which s.example sends from.
MESSAGE = (b"From: Ann <u@s.example>\r\n"
           b"To: v@b.example\r\n"
           b"Subject: hello  there\r\n"
           b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
           b"X-Fold:  two\r\n\tlines\r\n   of it\r\n"
           b"X-Tab:\tbegins with one\r\n"
           b"MIME-Version: 1.0\r\n"
           b"Content-Type: text/plain; charset=iso-8859-1\r\n"
           b"Content-Transfer-Encoding: 8bit\r\n"
           b"Message-ID: <1@s.example>\r\n"
           b"\r\n"
           b"Hello.\r\n"
           b".a dot, \xe4\r\n"
           b"  \t\r\n"
           b"\r\n")


def sendmail_mc(cf, folder, port, sink, milter):
    return f"""\
include(`{cf}/m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`HELP_FILE', `{folder}/helpfile')dnl
define(`ALIAS_FILE', `{folder}/aliases')dnl
define(`confPID_FILE', `{folder}/pid')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/service.switch')dnl
define(`confDOMAIN_NAME', `mx.fwd.example')dnl
define(`confTO_IDENT', `0')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {sink}')dnl
FEATURE(`nocanonify')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={port}')dnl
INPUT_MAIL_FILTER(`onward', `S=inet:{milter}@127.0.0.1, F=T')dnl
MAILER(`smtp')dnl
"""


class World:
    """A milter, a Sendmail before it, and where its mail goes."""

    def __init__(self, program, **settings):
        self.milter = Milter(program)
        self.milter.write("zone.txt", (
            self.milter.path / "zone.txt").read_text() + published(["s.example"])
            + 's.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"\n'
              '_dmarc.s.example. 60 IN TXT "v=DMARC1; p=reject"\n')
        self.settings = settings

    def start_sendmail(self):
        tree = debs.unpack("sendmail-bin", CACHE)
        cf = debs.unpack("sendmail-cf", CACHE) + "/usr/share/sendmail/cf"
        self.port = free_port()
        path = pathlib.Path(self.folder.path)
        (path / "queue").mkdir(mode=0o700)
        for name in ("helpfile", "aliases"):
            (path / name).write_text("")
        (path / "service.switch").write_text("hosts files\naliases files\n")
        (path / "sm.mc").write_text(sendmail_mc(
            cf, path, self.port, self.sink.port, self.milter.port))
        got = subprocess.run(["m4", f"-D_CF_DIR_={cf}/", path / "sm.mc"],
                             capture_output=True, timeout=60)
        equal(got.returncode, 0)
        (path / "sm.cf").write_bytes(got.stdout)
        # Without a dot in the host's name it would wait a minute for one.
        self.process = Process(
            ["unshare", "--uts", "sh", "-c", "hostname mx.fwd.example && exec "
             f"{tree}/usr/libexec/sendmail/sendmail -C{path}/sm.cf -bD"],
            str(path / "log"), env={"PATH": os.environ["PATH"],
                                    "LD_LIBRARY_PATH": debs.library_path(tree)})

        def up():
            if not self.process.running():
                raise Failed("Sendmail ended:\n" + self.process.tail())
            return greets("127.0.0.1", self.port)
        wait_for("Sendmail to greet", up)

    def __enter__(self):
        self.process = self.sink = None
        self.milter.__enter__()
        self.folder = Folder("sendmail")
        try:
            self.milter.start(**self.settings)
            self.sink = Sink(SINK, self.folder.path + "/sink")
            self.sink.start()
            self.start_sendmail()
        except BaseException:
            self.__exit__(Exception)
            raise
        return self

    def __exit__(self, kind, *_):
        if self.process is not None:
            if kind is not None:
                print(self.process.tail(), self.milter.log())
            self.process.stop()
        if self.sink is not None and self.sink.process is not None:
            self.sink.process.stop()
        self.folder.__exit__()
        self.milter.__exit__(kind)

    def give(self, message, sender="u@s.example", to="v@b.example"):
        """What the client was told last."""
        with smtplib.SMTP("127.0.0.1", self.port, "client.s.example",
                          timeout=60) as s:
            s.ehlo()
            for code, text in (s.mail(sender, ["BODY=8BITMIME"]), s.rcpt(to)):
                if code != 250:
                    return code, text.decode()
            code, text = s.data(message)
            return code, text.decode()


def names_of(message):
    return [name for name, _ in fields_of(message)]


@case
def what_comes_in_is_verified_and_sealed(program):
    with World(program, internal="none", seal_key="rsa.pem",
               seal_domain="fwd.example", seal_selector="r",
               srs_domain="fwd.example", srs_secret="srs.txt",
               forward="b.example") as w:
        forged = (b"Authentication-Results: mx.fwd.example; dmarc=pass\r\n"
                  b"Authentication-Results: MX.fwd.example;\r\n\tspf=pass\r\n")
        other = b"Authentication-Results: other.example; none\r\n"
        equal(w.give(forged + other + MESSAGE)[0], 250)
        envelope, got = w.sink.next(60)
        begins(envelope["mail"]["from"], "SRS0=")
        equal(names_of(got)[:6], [
            "ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results",
            "Authentication-Results", "Received", "Authentication-Results"])
        results = fields_of(got)[3][1].decode()
        begins(results, "Authentication-Results: mx.fwd.example;\r\n ")
        holds(results, "dmarc=pass header.from=s.example")
        holds(results, "smtp.remote-ip=127.0.0.1")
        equal(fields_of(got)[5][1], other)
        # Sendmail puts Received on top and leaves the rest as it came.
        equal(got[got.index(other):], other + MESSAGE)
        judged(w.milter, got, [], "pass")
        # What DMARC refuses is refused to the client, and nothing else is.
        code, text = w.give(MESSAGE.replace(b"@s.example>\r\nTo",
                                            b"@a.example>\r\nTo"))
        equal((code, text), (550, "5.7.1 Rejected as the DMARC policy of "
                                  "a.example asks for"))
        bounce = envelope["mail"]["from"]
        equal(w.give(MESSAGE.replace(b"u@s.example>", b"x@z.example>"),
                     sender="", to=bounce)[0], 250)
        envelope, _ = w.sink.next(60)
        equal([r["to"] for r in envelope["rcpt"]], ["u@s.example"])


@case
def every_forged_result_goes(program):
    """In any number and order (CVE-2022-48521), and no other."""
    with World(program, internal="none") as w:
        lines, others = mixed_results()
        equal(w.give(lines + MESSAGE)[0], 250)
        _, got = w.sink.next(60)
        equal([octets for name, octets in fields_of(got)
               if name.lower() == "authentication-results"][1:], others)


@case
def octets_come_as_they_are(program):
    with World(program, internal="none") as w:
        signed = signed_to_the_octet(
            w.milter, MESSAGE.replace(b"Subject: ", b"Subject:"), "s.example")
        if signed is None:
            return
        equal(w.give(signed)[0], 250)
        equal([e["dkim"] for e in w.milter.events("message")], ["pass"])


@case
def ours_is_signed(program):
    with World(program, dkim_key=["s.example r rsa.pem",
                                  "s.example e ed25519.pem"]) as w:
        equal(w.give(MESSAGE)[0], 250)
        _, got = w.sink.next(60)
        equal(names_of(got)[:3],
              ["DKIM-Signature", "DKIM-Signature", "Received"])
        for by, (domains, _) in judge(w.milter, got).items():
            # Mail::DKIM of Debian knows no Ed25519.
            equal((by, domains[:2 if by == "dkimpy" else 1]),
                  (by, ["s.example"] * (2 if by == "dkimpy" else 1)))


def main():
    if peers.why_not() or shutil.which("m4") is None:
        print("SKIP", peers.why_not() or "no m4")
        return 77
    if subprocess.run(["unshare", "--uts", "hostname", "x.test"],
                      capture_output=True).returncode != 0:
        print("SKIP no namespaces for a host name")
        return 77
    try:
        debs.unpack("sendmail-bin", CACHE)
        debs.unpack("sendmail-cf", CACHE)
    except debs.Unavailable as e:
        print("SKIP", e)
        return 77
    return case.main()


if __name__ == "__main__":
    sys.exit(main())
