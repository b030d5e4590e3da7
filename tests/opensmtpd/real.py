#!/usr/bin/env python3
"""real.py PROGRAM LIBRARY --cache DIR [CASE...]: onward-opensmtpd-filter in a real
OpenSMTPD, which delivers into a Maildir. dkimpy and Mail::DKIM judge what it has
signed and sealed. LIBRARY: libonward.so."""
import contextlib
import os
import re
import shutil
import smtplib
import subprocess
import sys

from smtpd import JUDGES, MESSAGE, RECORDS, TESTS, fields, judge, of

import debs
import matrix_private
import peers
from forwarder import Cases, begins, equal, holds
from matrix_world import Skip
from world import Failed, Folder, Process, SigningKey, free_port, wait_for

case = Cases()
STRANGER, OURS = "127.0.0.1", "127.0.0.9"


def option(name):
    at = sys.argv.index(name)
    value = sys.argv[at + 1]
    del sys.argv[at:at + 2]
    return os.path.abspath(value)


CACHE = option("--cache")
CACHE = os.environ.get("ONWARD_DEBS") or CACHE
LIBRARY = os.path.abspath(sys.argv.pop(2))
# As smtpd writes it on top, which it does before the filter.
TRACE = MESSAGE[:MESSAGE.index(b"From:")]
SENT = MESSAGE[len(TRACE):]


class Smtpd:
    """smtpd with the filter; its user is not ours and sees copies."""

    def __init__(self, program, **settings):
        self.program, self.settings = os.path.abspath(program), settings
        self.port = free_port()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.folder = stack.enter_context(Folder("opensmtpd"))
            self.over = self.folder + "/over"
            matrix_private.check_private(self.over)
            self.prepare()
            self.start()
            stack.callback(self.process.stop, 3)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(self.said()[-3000:])
        self.stack.close()

    def said(self):
        with open(self.folder + "/log", errors="replace",
                  encoding="utf-8") as f:
            return f.read()

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def prepare(self):
        daemon = 61000 + matrix_private.USERS.index("opensmtpd")
        keeper = 61000 + matrix_private.USERS.index("keeper")
        for name, owner in (("over/home", keeper), ("filter", daemon)):
            os.makedirs(f"{self.folder}/{name}")
            os.chown(f"{self.folder}/{name}", owner, owner)
        os.makedirs(self.folder + "/bin")
        for path in (self.program, LIBRARY):
            shutil.copy(os.path.realpath(path), self.folder + "/bin")
        name = os.path.basename(os.path.realpath(LIBRARY))
        os.symlink(name, self.folder + "/bin/" +
                   re.sub(r"(\.so\.\d+).*", r"\1", name))
        self.key = SigningKey(self.folder, "ours.example", "s1")
        os.chmod(self.key.file, 0o644)
        self.write("zone.txt", RECORDS.replace("192.0.2.1", STRANGER) +
                   self.key.record + "\n")
        self.maildir = self.over + "/home/Maildir"
        found = dict({
            "hostname": "mx.ours.example", "dns": "zone.txt",
            "temporary": "filter", "log": "filter/log.json", "internal": OURS,
            "dkim_key": f"ours.example s1 {self.key.file}"}, **self.settings)
        self.write("filter.conf", "".join(
            f"{k} = {v}\n" for k, v in found.items()))
        filter_line = (f"/usr/bin/env LD_LIBRARY_PATH={self.folder}/bin "
                       f"{self.folder}/bin/{os.path.basename(self.program)} "
                       f"--config {self.folder}/filter.conf")
        self.write("smtpd.conf", f"""\
table everybody {{ "@" = "keeper" }}
{self.lines_of_the_page(filter_line)} hostname mx.ours.example
action "keep" maildir "{self.maildir}" virtual <everybody>
match from any for any action "keep"
""", 0o600)

    def lines_of_the_page(self, filter_line):
        """Those for smtpd.conf, with what is here."""
        page = (TESTS.parent /
                "doc/man/onward-opensmtpd-filter.8").read_text()
        lines = re.search(r"^\.Pa smtpd\.conf :\n\.Bd -literal.*?\n(.*?)\.Ed",
                          page, re.M | re.S)[1].rstrip()
        holds(lines, "eth0")
        return re.sub(r'"/usr/bin/[^"]*"', f'"{filter_line}"', lines).replace(
            "listen on eth0", f"listen on 127.0.0.1 port {self.port}")

    def start(self):
        tree = debs.unpack("opensmtpd", CACHE)
        argv, env = matrix_private.private(
            self.over, [tree],
            ["/usr/sbin/smtpd", "-d", "-f", self.folder + "/smtpd.conf"],
            "mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty; "
            "chmod 711 /var/spool/smtpd; chmod 755 /var/lib/opensmtpd")
        self.process = Process(argv, self.folder + "/log", env=env)

        def up():
            if not self.process.running():
                raise Failed("smtpd ended: " + self.process.tail())
            return peers.greets("127.0.0.1", self.port)
        try:
            wait_for("smtpd to greet", up, 30)
        except Failed:
            self.process.stop(3)
            raise

    def client(self, address=STRANGER):
        return smtplib.SMTP("127.0.0.1", self.port, "client.example", 60,
                            source_address=(address, 0))

    def messages(self):
        found = []
        folder = self.maildir + "/new"
        for name in sorted(os.listdir(folder)
                           if os.path.isdir(folder) else []):
            with open(os.path.join(folder, name), "rb") as f:
                found.append(f.read().replace(b"\r\n", b"\n")
                             .replace(b"\n", b"\r\n"))
        return found

    def arrived(self, mark):
        """The one message with these octets, as the filter gave it back: what
        smtpd's delivery puts on top is not of it."""
        found = wait_for(f"{mark!r}", lambda: [
            m for m in self.messages() if mark in m], 30)
        equal(len(found), 1)
        return re.sub(rb"\A(Return-Path|Delivered-To):[^\r]*\r\n", b"",
                      re.sub(rb"\A(Return-Path|Delivered-To):[^\r]*\r\n", b"",
                             found[0]))

    def judged(self, message):
        for who in JUDGES:
            yield who, judge(who, self.folder + "/zone.txt", message)


def send(client, mark, author=b"ann@a.example", sender="ann@a.example",
         more=b"", body=b""):
    """250, or what it is told."""
    text = b"X-Mark: " + mark + b"\r\n" + more + of(author, SENT) + body
    try:
        client.sendmail(sender, ["bob@b.example"], text)
        return 250, text
    except smtplib.SMTPResponseException as e:
        return e.smtp_code, e.smtp_error.decode()


@case
def message_comes_through(program):
    with Smtpd(program) as s, s.client() as c:
        code, sent = send(c, b"one", more=(
            b"Authentication-Results: mx.ours.example; dkim=pass\r\n"
            b" header.d=a.example\r\n"))
        equal(code, 250)
        got = s.arrived(b"X-Mark: one\r\n")
        results = fields(got, "Authentication-Results")
        equal(len(results), 1)
        begins(results[0], "mx.ours.example;")
        holds(results[0], "spf=pass")
        holds(results[0], "dmarc=pass")
        # Below smtpd's own trace field all is as it was sent.
        assert got.endswith(b"\r\nX-Mark: one\r\n" + SENT), got
        begins(got, b"Authentication-Results:")


@case
def refused_as_the_policy_asks_and_the_next_is_clean(program):
    """A123, in one connection."""
    with Smtpd(program, dmarc_quarantine="hold") as s, s.client() as c:
        code, text = send(c, b"bad", sender="eve@evil.example")
        equal((code, text[:6]), (550, "5.7.1 "))
        holds(text, "Rejected as the DMARC policy of a.example asks for")
        equal(send(c, b"junk", b"ann@q.example", "eve@evil.example")[0], 250)
        equal(send(c, b"good")[0], 250)
        code, text = send(c, b"later", b"ann@t.example", "eve@evil.example")
        equal((code, text[:6]), (451, "4.7.1 "))
        equal(fields(s.arrived(b"X-Mark: junk\r\n"), "X-Spam"), ["yes"])
        good = s.arrived(b"X-Mark: good\r\n")
        equal(fields(good, "X-Spam"), [])
        holds(fields(good, "Authentication-Results")[0], "dmarc=pass")
        assert not any(b"X-Mark: bad" in m or b"X-Mark: later" in m
                       for m in s.messages())


@case
def what_leaves_is_signed(program):
    with Smtpd(program) as s, s.client(OURS) as c:
        equal(send(c, b"out", b"joe@ours.example", "joe@ours.example",
                   body=(b"x" * 900 + b"\r\n.dot\r\n") * 3000)[0], 250)
        got = s.arrived(b"X-Mark: out\r\n")
        for who, said in s.judged(got):
            equal((who, said["dkim"]),
                  (who, [{"d": "ours.example", "result": "pass"}]))


@case
def what_is_handed_in_here_is_ours(program):
    """sendmail(1), through smtpd's own socket."""
    if shutil.which("nsenter") is None:
        print("what_is_handed_in_here_is_ours: SKIP: no nsenter")
        return
    group = 61000 + matrix_private.USERS.index("opensmtpq")
    with Smtpd(program) as s:
        done = subprocess.run(
            ["nsenter", "-t", str(s.process.child.pid), "-m",
             "setpriv", "--regid", str(group), "--clear-groups",
             "/usr/sbin/sendmail", "-f", "joe@ours.example", "bob@b.example"],
            input=b"X-Mark: here\n" + of(b"joe@ours.example", SENT)
            .replace(b"\r\n", b"\n"), capture_output=True, timeout=60)
        equal((done.returncode, done.stderr), (0, b""))
        got = s.arrived(b"X-Mark: here\r\n")
        for who, said in s.judged(got):
            equal((who, said["dkim"]),
                  (who, [{"d": "ours.example", "result": "pass"}]))


@case
def what_comes_is_sealed(program):
    with Smtpd(program, seal_domain="ours.example", seal_selector="s1",
               seal_key="s1.ours.example.pem") as s, s.client() as c:
        equal(send(c, b"seal")[0], 250)
        got = s.arrived(b"X-Mark: seal\r\n")
        for who, said in s.judged(got):
            equal((who, said["arc"], said["instances"]), (who, "pass", 1))


@case
def client_that_goes_leaves_nothing(program):
    """Cut in the middle of a message; smtpd and filter go on."""
    with Smtpd(program) as s:
        for _ in range(3):
            c = s.client()
            c.ehlo()
            c.mail("eve@evil.example")
            c.rcpt("bob@b.example")
            c.docmd("DATA")
            c.sock.sendall(SENT + b"x" * 1000)
            c.close()
        with s.client() as c:
            equal(send(c, b"after")[0], 250)
        holds(fields(s.arrived(b"X-Mark: after\r\n"),
                     "Authentication-Results")[0], "spf=pass")
        equal(len(s.messages()), 1)


def why_not():
    try:
        debs.unpack("opensmtpd", CACHE)
        for who, argv in JUDGES.items():
            if shutil.which(argv[0]) is None:
                return f"no {argv[0]} for {who}"
        with Folder("opensmtpd") as folder:
            matrix_private.check_private(folder + "/over")
    except (debs.Unavailable, Skip) as e:
        return str(e)
    return None


os.makedirs(CACHE, exist_ok=True)
reason = why_not()
if reason:
    print("SKIP:", reason)
    sys.exit(77)
case.main()
