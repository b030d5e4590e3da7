"""What the tests of onward-milter share: the program in a folder of its own, with
keys and DNS records; a mail server's side of the protocol."""
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "forwarder"), str(TESTS / "interop")]
from forwarder import DATA, public_key, until  # noqa: E402

# a.example sends from 192.0.2.9, we are mx.fwd.example at 192.0.2.1.
ZONE = """\
a.example. 60 IN TXT "v=spf1 ip4:192.0.2.9 -all"
_dmarc.a.example. 60 IN TXT "v=DMARC1; p=reject"
q.example. 60 IN TXT "v=spf1 -all"
_dmarc.q.example. 60 IN TXT "v=DMARC1; p=quarantine"
fwd.example. 60 IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.fwd.example. 60 IN TXT "v=DMARC1; p=none"
_dmarc.t.example. 60 IN TXT !SERVFAIL
"""


def published(domains):
    """Both keys of data/key, under selectors r (RSA) and e (Ed25519)."""
    rsa = (DATA / "key" / "rsa2048.p").read_text().strip()
    half = len(rsa) // 2
    return "".join(
        f'r._domainkey.{d}. 60 IN TXT "v=DKIM1; k=rsa; p={rsa[:half]}" '
        f'"{rsa[half:]}"\n'
        f'e._domainkey.{d}. 60 IN TXT "v=DKIM1; k=ed25519; p={public_key()}"\n'
        for d in domains)


class Milter:
    """The program."""

    def __init__(self, program):
        self.program = os.path.abspath(program)
        self._temporary = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._temporary.name)
        os.chmod(self.path, 0o755)  # for the users of a Postfix
        shutil.copy(DATA / "key" / "ed25519.pem", self.path / "ed25519.pem")
        shutil.copy(DATA / "key" / "rsa2048.pem", self.path / "rsa.pem")
        self.write("zone.txt", ZONE + published(["a.example", "fwd.example"]))
        self.write("srs.txt", "a secret of some length\n")
        self.process = None
        self.settings = {"listen": "127.0.0.1:0", "hostname": "mx.fwd.example",
                         "dns": "zone.txt", "log": "log.json"}

    def write(self, name, text):
        (self.path / name).write_text(text)

    def configure(self, **changes):
        """None takes a key out; a list is one line an item."""
        self.settings.update(changes)
        lines = []
        for key, value in self.settings.items():
            values = value if isinstance(value, list) else [value]
            lines += [f"{key} = {v}" for v in values if v is not None]
        self.write("milter.conf", "\n".join(lines) + "\n")

    def run(self, *args):
        return subprocess.run([self.program, *args], cwd=self.path,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60)

    def start(self, *args, **changes):
        """args instead of --config milter.conf."""
        if not args:
            self.configure(**changes)
        self.errors = open(self.path / "errors.txt", "ab")
        self.process = subprocess.Popen(
            [self.program, *(args or ["--config", "milter.conf"])],
            cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.errors)
        self.ready = self.process.stdout.readline().decode().split()
        if self.ready[:1] != ["ready"]:
            self.process.wait(10)
            raise AssertionError("did not start: "
                                 + (self.path / "errors.txt").read_text())
        return self

    @property
    def port(self):
        return int(self.ready[1].rsplit(":", 1)[1])

    def log(self):
        path = self.path / "log.json"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def events(self, name):
        return [e for e in self.log() if e["event"].startswith(name)]

    def reload(self):
        count = len(self.events("reload"))
        self.process.send_signal(signal.SIGHUP)
        assert until(lambda: len(self.events("reload")) > count), "no reload"
        return self.events("reload")[-1]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.errors.close()
            self.process = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if self.process is not None:
                status = self.stop()
                said = (self.path / "errors.txt").read_text()
                if kind is None:
                    assert status == 0, f"exit status {status}: {said}"
                else:
                    print(said)
        finally:
            self._temporary.cleanup()


# ---- A mail server's side --------------------------------------------------

ACTIONS, PROTOCOL = 0x1ff, 0x1fffff  # all of version 6
UNANSWERED = 0x80 | 0x1000 | 0x2000 | 0x40000 | 0x80000
LEADING_SPACE = 0x100000


class Closed(Exception):
    """The milter has ended the connection."""


class Server:
    """Says frames, hears answers."""

    def __init__(self, milter, actions=ACTIONS, protocol=PROTOCOL, version=6,
                 negotiate=True):
        address = milter.ready[1]
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address[5:])
        else:
            self.socket = socket.create_connection(("127.0.0.1", milter.port))
        self.socket.settimeout(20)
        self.held = b""
        self.agreed = 0
        if negotiate:
            self.say("O", struct.pack(">III", version, actions, protocol))
            command, payload = self.hear()
            assert command == "O", (command, payload)
            self.version, self.actions, self.agreed = struct.unpack(
                ">III", payload)

    def write(self, octets):
        self.socket.sendall(octets)

    @staticmethod
    def frame(command, payload=b""):
        if isinstance(payload, str):
            payload = payload.encode()
        return (struct.pack(">I", len(payload) + 1) + command.encode()
                + payload)

    def say(self, command, payload=b""):
        self.write(self.frame(command, payload))

    def hear(self):
        def need(count):
            while len(self.held) < count:
                try:
                    got = self.socket.recv(65536)
                except ConnectionResetError:
                    got = b""
                if not got:
                    raise Closed
                self.held += got
        need(4)
        length = struct.unpack(">I", self.held[:4])[0]
        need(4 + length)
        body, self.held = self.held[4:4 + length], self.held[4 + length:]
        return chr(body[0]), body[1:]

    def ask(self, command, payload=b""):
        self.say(command, payload)
        return self.hear()

    def told(self, command, payload, flag):
        """A command that may need no answer; "c" then."""
        self.say(command, payload)
        return "c" if self.agreed & flag else self.hear()[0]

    def connect(self, ip="192.0.2.9", helo="client.a.example"):
        family = "6" if ":" in ip else "4"
        text = "IPv6:" + ip if family == "6" else ip
        assert self.told("C", f"client.example\0{family}".encode()
                         + struct.pack(">H", 4711) + text.encode() + b"\0",
                         0x1000) == "c"
        assert self.told("H", helo + "\0", 0x2000) == "c"

    def mail(self, sender="u@a.example", **macros):
        pairs = "".join(f"{k}\0{v}\0" for k, v in macros.items())
        self.say("D", "M" + pairs)
        return self.ask("M", f"<{sender}>\0SIZE=100\0")

    def rcpt(self, address="v@b.example"):
        self.say("D", "R{rcpt_mailer}\0local\0")
        return self.ask("R", f"<{address}>\0")

    def content(self, fields, body=b""):
        """fields: (name, value) pairs, with the blank that a value begins
        with, as version 6 has it."""
        for name, value in fields:
            if not self.agreed & LEADING_SPACE and value.startswith(" "):
                value = value[1:]
            assert self.told("L", f"{name}\0{value}\0".encode(), 0x80) == "c"
        assert self.told("N", b"", 0x40000) == "c"
        for at in range(0, len(body), 65535):
            assert self.told("B", body[at:at + 65535], 0x80000) == "c"

    def end(self, body=b""):
        """(changes, the final answer)"""
        self.say("E", body)
        changes = []
        while True:
            command, payload = self.hear()
            if command in "ihm+-eq":
                changes.append((command, payload))
            else:
                return changes, (command, payload)

    def message(self, fields, body=b"", sender="u@a.example",
                to="v@b.example", **macros):
        assert self.mail(sender, **macros)[0] == "c"
        assert self.rcpt(to)[0] == "c"
        self.content(fields, body)
        return self.end()

    def is_closed(self):
        try:
            self.hear()
        except Closed:
            return True
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def inserted(changes):
    """(name, value) of the fields that are put on top, the topmost first."""
    found = []
    for command, payload in changes:
        if command == "i":
            assert payload[:4] == b"\0\0\0\0", payload
            name, value = payload[4:-1].split(b"\0")
            assert payload.endswith(b"\0") and b"\r" not in value
            found.insert(0, (name.decode(), value.decode()))
    return found


def removed(changes):
    """(name, index) of the fields that go, in the order in which they go."""
    found = []
    for command, payload in changes:
        if command == "m":
            name, value = payload[4:-1].split(b"\0")
            assert value == b"" and payload.endswith(b"\0\0"), payload
            found.append((name.decode(), struct.unpack(">I", payload[:4])[0]))
    return found
