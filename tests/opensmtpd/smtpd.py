"""What the tests of onward-opensmtpd-filter share: a folder with its files, the
program, and a hand in the place of smtpd."""
import atexit
import functools
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "forwarder"), str(TESTS / "interop")]
from forwarder import until  # noqa: E402
from world import SigningKey  # noqa: E402

JUDGES = {
    "dkimpy": ["/usr/bin/python3", str(TESTS / "interop/with_dkimpy.py")],
    "Mail::DKIM": ["perl", str(TESTS / "interop/with_maildkim.pl")],
}
RECORDS = """\
a.example. 60 IN TXT "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all"
_dmarc.a.example. 60 IN TXT "v=DMARC1; p=reject"
q.example. 60 IN TXT "v=spf1 -all"
_dmarc.q.example. 60 IN TXT "v=DMARC1; p=quarantine"
t.example. 60 IN TXT "v=spf1 -all"
_dmarc.t.example. 60 IN TXT !SERVFAIL
client.example. 60 IN TXT "v=spf1 ip4:192.0.2.1 -all"
"""
MESSAGE = (b"Received: from client.example (client.example [192.0.2.1])\r\n"
           b"\tby mx.ours.example (OpenSMTPD) with ESMTP id 4e26e68d;\r\n"
           b"\tSun, 22 Nov 2026 15:34:27 +0000 (UTC)\r\n"
           b"From: Ann <ann@a.example>\r\n"
           b"To: bob@b.example\r\n"
           b"Subject:no blank\r\n"
           b"X-Fold:  two\r\n\tlines\r\n   of it\r\n"
           b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
           b"Message-ID: <1@a.example>\r\n"
           b"\r\n"
           b"Hello|you.\r\n"
           b".a dot, \xe4\r\n"
           b"..two\r\n"
           b".\r\n"
           b"  \t\r\n"
           b"\r\n")


def of(author, message=MESSAGE):
    return message.replace(b"ann@a.example", author)


def judge(who, dns, message):
    got = subprocess.run([*JUDGES[who], "verify", dns], input=message,
                         capture_output=True, timeout=60, check=True)
    return json.loads(got.stdout)


@functools.lru_cache
def key_of_all():
    """One for all cases: to make it takes time."""
    folder = tempfile.mkdtemp(prefix="onward-key-")
    atexit.register(shutil.rmtree, folder)
    return SigningKey(folder, "ours.example", "s1")


class Filter:
    """The program as smtpd runs it."""

    def __init__(self, program):
        self.program = os.path.abspath(program)
        self._temporary = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._temporary.name)
        self.key = key_of_all()
        self.write("zone.txt", RECORDS + self.key.record + "\n")
        (self.path / "tmp").mkdir()
        self.process = None
        self.settings = {
            "hostname": "mx.ours.example", "dns": "zone.txt",
            "temporary": "tmp", "log": "log.json",
            "dkim_key": f"ours.example s1 {self.key.file}",
        }
        self.token = 0x1000

    def write(self, name, text):
        (self.path / name).write_text(text)

    def configure(self, **changes):
        self.settings.update(changes)
        lines = []
        for key, value in self.settings.items():
            values = value if isinstance(value, list) else [value]
            lines += [f"{key} = {v}" for v in values if v is not None]
        self.write("filter.conf", "\n".join(lines) + "\n")

    def run(self, *args, given=b""):
        return subprocess.run([self.program, *args], cwd=self.path,
                              input=given, capture_output=True, timeout=60)

    def start(self, ready=True, **changes):
        self.configure(**changes)
        self.errors = open(self.path / "errors.txt", "wb")
        self.process = subprocess.Popen(
            [self.program, "--config", "filter.conf"], cwd=self.path,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            restore_signals=False)
        self.said = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, self.said),
                         daemon=True).start()
        if ready:
            self.write_octets(HELLO)
            self.registered = []
            while not self.registered or self.registered[-1] != "ready":
                self.registered.append(
                    self.hear().decode().split("|", 1)[1])
        return self

    @staticmethod
    def _read(process, said):
        for line in process.stdout:
            said.put(line)
        said.put(b"")

    def hear(self, seconds=30):
        """The next line; empty: it has ended."""
        line = self.said.get(timeout=seconds)
        if line == b"":
            self.said.put(line)
        return line.rstrip(b"\n")

    def is_silent(self):
        return self.said.empty()

    # ---- As smtpd ----

    def write_octets(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def report(self, event, session, *rest):
        self.write_octets(line("report", event, f"{session:016x}", *rest))

    def connect(self, session=1, ip="192.0.2.1:4711", helo="client.example",
                user=None):
        self.report("link-connect", session, "client.example", "pass", ip,
                    "192.0.2.25:25")
        self.report("link-identify", session, "EHLO", helo)
        if user:
            self.report("link-auth", session, user, "pass")

    def envelope(self, session=1, sender=b"ann@a.example",
                 to=b"bob@b.example"):
        self.report("tx-begin", session, "4e26e68d")
        self.report("tx-mail", session, "4e26e68d", "ok", sender)
        self.report("tx-envelope", session, "4e26e68d", "4e26e68d2b8fd7b7")
        self.report("tx-rcpt", session, "4e26e68d", "ok", to)

    def lines_of(self, message, session, token):
        """The data-line events of it, with its end."""
        lines = message.split(b"\r\n")[:-1]
        return b"".join(
            line("filter", "data-line", f"{session:016x}", f"{token:016x}",
                 b"." + l if l.startswith(b".") else l)
            for l in lines) + line("filter", "data-line", f"{session:016x}",
                                   f"{token:016x}", ".")

    def data(self, message, session=1):
        """Send it all; its token."""
        self.token += 1
        # In pieces of its own thread: it may answer while we still talk.
        self.write_octets(self.lines_of(message, session, self.token))
        return self.token

    def given_back(self, token, session=1):
        """Up to the end mark, without doubled dots."""
        got = []
        head = f"filter-dataline|{session:016x}|{token:016x}|".encode()
        while True:
            text = self.hear(60)
            assert text.startswith(head), (head, text)
            text = text[len(head):]
            if text == b".":
                return b"".join(l + b"\r\n" for l in got)
            got.append(text[1:] if text.startswith(b".") else text)

    def commit(self, session=1):
        self.token += 1
        self.write_octets(line("filter", "commit", f"{session:016x}",
                               f"{self.token:016x}"))
        head = f"filter-result|{session:016x}|{self.token:016x}|"
        text = self.hear().decode()
        assert text.startswith(head), text
        self.report("tx-commit" if text.endswith("proceed") else "tx-rollback",
                    session, "4e26e68d", *(["99"] if text.endswith("proceed")
                                           else []))
        self.report("tx-reset", session, "4e26e68d")
        return text[len(head):]

    def message(self, message=MESSAGE, session=1, **envelope):
        """A whole transaction: (what came back, the word on it)."""
        self.envelope(session, **envelope)
        got = self.given_back(self.data(message, session), session)
        return got, self.commit(session)

    # ---- The end ----

    def log(self):
        path = self.path / "log.json"
        return [json.loads(l) for l in path.read_text().splitlines()] \
            if path.exists() else []

    def events(self, name):
        return [e for e in self.log() if e["event"].startswith(name)]

    def reload(self):
        count = len(self.events("reload"))
        self.process.send_signal(signal.SIGHUP)
        assert until(lambda: len(self.events("reload")) > count)
        return self.events("reload")[-1]

    def stop(self):
        """As smtpd does: its end of the pipe is closed."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        status = self.process.wait(20)
        self.process.stdout.close()
        self.errors.close()
        self.process = None
        return status

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if self.process is not None:
                if kind is not None:
                    self.process.kill()
                status = self.stop()
                said = (self.path / "errors.txt").read_text()
                if kind is None:
                    assert status == 0, f"exit status {status}: {said}"
                else:
                    print(said)
        finally:
            self._temporary.cleanup()


def line(kind, event, *rest, version="0.6"):
    return b"|".join(
        p if isinstance(p, bytes) else p.encode()
        for p in (kind, version, "1795361667.172340", "smtp-in", event,
                  *rest)) + b"\n"


HELLO = (b"config|smtpd-version|6.8.0p2\nconfig|smtp-session-timeout|300\n"
         b"config|subsystem|smtp-in\nconfig|admd|vm\nconfig|ready\n")


def fields(message, name):
    """The values of these fields, from the top, on one line each."""
    head = message.split(b"\r\n\r\n")[0] + b"\r\n"
    head = re.sub(rb"\r\n(?=[ \t])", b"", head)
    return [v.strip().decode("utf-8", "replace") for n, v in re.findall(
        rb"(?m)^([^:\r\n]+):([^\r\n]*)", head)
        if n.lower() == name.lower().encode()]
