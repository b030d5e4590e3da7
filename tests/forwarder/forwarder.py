"""What the tests of the forwarder share: a folder with its files, the program
as it runs, a client that says what it is told, next hops that follow a script,
and a count for the summary."""
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"

RULES = {
    "version": 1,
    "zones": [
        {"name": "zone.example",
         "rules": [
             {"matchers": [{"type": "literal", "field": "to", "value": to}],
              "actions": [action]}
             for to, action in (
                 ("one@zone.example",
                  {"type": "forward", "value": ["box@one.example"]}),
                 ("uno@zone.example",
                  {"type": "forward", "value": ["box@one.example"]}),
                 ("two@zone.example",
                  {"type": "forward",
                   "value": ["box@one.example", "box@two.example"]}),
                 ("void@zone.example", {"type": "drop"}),
                 ("no@zone.example",
                  {"type": "reject", "code": 550, "enhanced": "5.7.1",
                   "text": "we do not want this"}),
             )]},
    ],
    "addresses": [{"email": "box@one.example", "verified": True},
                  {"email": "box@two.example", "verified": True}],
}

# Next hops have an address each, as they share the port.
ZONE = """\
one.example. 60 IN MX 10 mx.one.example.
mx.one.example. 60 IN A 127.0.0.11
two.example. 60 IN MX 10 mx.two.example.
mx.two.example. 60 IN A 127.0.0.12
sender.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 ip6:::1 -all"
_dmarc.sender.example. 60 IN TXT "v=DMARC1; p=none"
strict.example. 60 IN TXT "v=spf1 -all"
_dmarc.strict.example. 60 IN TXT "v=DMARC1; p=reject"
open.example. 60 IN TXT "v=spf1 ?all"
srs.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"
s._domainkey.zone.example. 60 IN TXT "v=DKIM1; k=ed25519; p=KEY"
"""

MESSAGE = (b"From: Ann <ann@sender.example>\r\n"
           b"To: one@zone.example\r\n"
           b"Subject: hello\r\n"
           b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
           b"Message-ID: <1@sender.example>\r\n"
           b"\r\n"
           b"Hello.\r\n")


def make_certificate(folder, name, host):
    """A key and a certificate that it signed for itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650",
         "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}",
         "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"],
        check=True, capture_output=True)


def public_key():
    """The p= of data/key/ed25519.pem."""
    der = subprocess.run(
        ["openssl", "pkey", "-in", DATA / "key" / "ed25519.pem", "-pubout",
         "-outform", "DER"], check=True, capture_output=True).stdout
    import base64
    return base64.b64encode(der[-32:]).decode()


def free_port(host="127.0.0.11"):
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def until(what, seconds=10):
    """Wait until what() is true; false: it never was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.01)
    return bool(what())


class Forwarder:
    """The program, in a folder of its own."""

    def __init__(self, program):
        self.program = str(pathlib.Path(program).resolve())
        self._temporary = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._temporary.name)
        self.out_port = free_port()
        self.process = None
        self.settings = {
            "listen": "127.0.0.1:0",
            "hostname": "mx.zone.example",
            "rules": "rules.json",
            "dns": "zone.txt",
            "allow_private_addresses": "yes",
            "out_port": self.out_port,
            "srs_domain": "srs.example",
            "srs_secret": "secrets.txt",
            "seal_key": "seal.pem",
            "seal_domain": "zone.example",
            "seal_selector": "s",
            "state": "state",
            "log": "log.json",
        }
        shutil.copy(DATA / "key" / "ed25519.pem", self.path / "seal.pem")
        self.write("rules.json", json.dumps(RULES, indent=1))
        self.write("zone.txt", ZONE.replace("KEY", public_key()))
        self.write("secrets.txt", "a secret of some length\n")

    def write(self, name, text):
        if isinstance(text, str):
            text = text.encode()
        (self.path / name).write_bytes(text)

    def configure(self, **changes):
        """None takes a key out; a list is one line an item."""
        self.settings.update(changes)
        lines = []
        for key, value in self.settings.items():
            values = value if isinstance(value, list) else [value]
            lines += [f"{key} = {v}" for v in values if v is not None]
        self.write("forwarder.conf", "\n".join(lines) + "\n")

    def run(self, *args, **how):
        """To its end."""
        return subprocess.run([self.program, *args], cwd=self.path,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60, **how)

    def start(self, **changes):
        env = dict(os.environ, **changes.pop("env", {}))
        self.configure(**changes)
        self.errors = open(self.path / "errors.txt", "wb")
        self.process = subprocess.Popen(
            [self.program, "--config", "forwarder.conf"], cwd=self.path,
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.errors)
        self.ready = self.process.stdout.readline().decode()
        words = self.ready.split()
        if words[:1] != ["ready"]:
            self.process.wait(10)
            raise AssertionError("did not start: "
                                 + (self.path / "errors.txt").read_text())
        self.addresses = []
        for word in words[1:]:
            host, port = word.rsplit(":", 1)
            self.addresses.append((host.strip("[]"), int(port)))
        return self

    def kill(self):
        """SIGKILL: as if the machine had gone."""
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()
        self.errors.close()
        self.process = None

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        """Give SIGHUP; the event that it led to."""
        count = len(self.events("reload"))
        self.signal(signal.SIGHUP)
        assert until(lambda: len(self.events("reload")) > count), "no reload"
        return self.events("reload")[-1]

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process.returncode is not None:
            return self.process.returncode
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.errors.close()

    def log(self):
        path = self.path / "log.json"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def events(self, begin):
        return [e for e in self.log() if e["event"].startswith(begin)]

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def client(self, **how):
        return Client(self.addresses[0], **how)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """Whatever the test was about, the program ends well."""
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


class Client:
    """Says lines, hears replies."""

    def __init__(self, address, greet=True, timeout=20):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held = b""
        if greet:
            assert self.reply().startswith("220 ")
            assert self.say("EHLO client.sender.example").startswith("250")

    def reply(self):
        """A reply, its lines joined; empty: the connection has ended."""
        lines = []
        while True:
            while b"\r\n" not in self.held:
                try:
                    got = self.socket.recv(65536)
                except ConnectionResetError:
                    got = b""
                if not got:
                    return "\n".join(lines)
                self.held += got
            line, self.held = self.held.split(b"\r\n", 1)
            lines.append(line.decode("utf-8", "replace"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def write(self, data):
        self.socket.sendall(data)

    def say(self, line):
        self.write(line.encode() + b"\r\n")
        return self.reply()

    def envelope(self, to="one@zone.example", sender="ann@sender.example",
                 more=""):
        """MAIL and RCPT; the first reply that is no yes, or the last."""
        reply = self.say(f"MAIL FROM:<{sender}>{more}")
        for one in to.split():
            if not reply.startswith("2"):
                break
            reply = self.say(f"RCPT TO:<{one}>")
        return reply

    def send(self, *args, message=MESSAGE, **how):
        """A whole transaction; the reply that ended it."""
        reply = self.envelope(*args, **how)
        if not reply.startswith("2"):
            return reply
        reply = self.say("DATA")
        if not reply.startswith("354"):
            return reply
        self.write(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return self.reply()

    def starttls(self, trust):
        assert self.say("STARTTLS").startswith("220")
        context = ssl.create_default_context(cafile=trust)
        context.check_hostname = False
        self.socket = context.wrap_socket(self.socket)
        return self.say("EHLO client.sender.example")

    def is_closed(self, seconds=10):
        self.socket.settimeout(seconds)
        try:
            return self.reply() == ""
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Hop:
    """
    A next hop. says: verb -> reply, or a function of the line that gives one;
    a reply of None closes the connection. "." is the end of the message, "*"
    the greeting. lines: all that was heard; messages: (from, [to], octets).
    """

    DEFAULT = {"*": "220 hop ready", "EHLO": "250-hop\r\n250 8BITMIME",
               "MAIL": "250 2.1.0 sender", "RCPT": "250 2.1.5 recipient",
               "DATA": "354 go", ".": "250 2.0.0 taken", "QUIT": "221 bye",
               "RSET": "250 ok", "HELO": "250 hop", "STARTTLS": "220 go"}

    def __init__(self, forwarder, number=1, certificate=None, **says):
        self.says = dict(self.DEFAULT)
        self.says.update({{"greeting": "*", "end": "."}.get(k, k.upper()): v
                          for k, v in says.items()})
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(f"{certificate}.crt",
                                         f"{certificate}.key")
        self.lines, self.messages, self.ends = [], [], []
        self.listener = socket.create_server(
            (f"127.0.0.{10 + number}", forwarder.out_port), backlog=200)
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            # Else its kernel waits for our acknowledgement of one reply before
            # it sends the next, 40 ms each.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=[connection],
                             daemon=True).start()

    def serve(self, connection):
        end = "cut"
        try:
            end = Talk(self, connection).run()
        except (OSError, ConnectionError):
            pass
        connection.close()
        with self.lock:
            self.ends.append(end)

    def heard(self, verb):
        return [line for line in list(self.lines)
                if line.split(" ")[0].upper() == verb]

    def close(self):
        # Closed alone, it would listen on as long as accept() waits.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Talk:
    """One connection to a hop."""

    def __init__(self, hop, connection):
        self.hop = hop
        self.connection = connection
        self.held = b""
        self.sender, self.to = None, []

    def line(self):
        while b"\r\n" not in self.held:
            got = self.connection.recv(65536)
            if not got:
                return None
            self.held += got
        line, self.held = self.held.split(b"\r\n", 1)
        return line

    def answer(self, verb, line=""):
        reply = self.hop.says[verb]
        if callable(reply):
            reply = reply(line)
        if reply is None:
            raise ConnectionError("as the script says")
        self.connection.sendall(reply.encode() + b"\r\n")
        return reply

    def secure(self):
        if self.hop.context is None:
            self.connection.sendall(b"this is no TLS\r\n")
            raise ConnectionError("no TLS")
        self.connection = self.hop.context.wrap_socket(self.connection,
                                                       server_side=True)
        self.held = b""

    def content(self):
        lines = []
        while True:
            line = self.line()
            if line is None:
                return None
            if line == b".":
                return b"".join(lines)
            lines.append((line[1:] if line[:1] == b"." else line) + b"\r\n")

    def run(self):
        """How it ended: quit, cut, or content (inside a message)."""
        self.answer("*")
        while True:
            line = self.line()
            if line is None:
                return "cut"
            text = line.decode("utf-8", "replace")
            with self.hop.lock:
                self.hop.lines.append(text)
            verb = text.split(" ")[0].upper()
            reply = self.answer(verb, text)
            if verb == "QUIT":
                return "quit"
            if not reply.startswith(("2", "3")):
                continue
            if verb == "MAIL":
                self.sender = text[text.index("<") + 1:text.index(">")]
                self.to = []
            elif verb == "RCPT":
                self.to.append(text[text.index("<") + 1:text.index(">")])
            elif verb == "STARTTLS":
                self.secure()
            elif verb == "DATA":
                content = self.content()
                if content is None:
                    return "content"
                reply = self.hop.says["."]
                if callable(reply):
                    reply = reply(content)
                if reply is None:
                    return "cut"
                if reply.startswith("2"):
                    with self.hop.lock:
                        self.hop.messages.append((self.sender, self.to,
                                                  content))
                self.connection.sendall(reply.encode() + b"\r\n")


class Cases:
    """Functions, run one after the other; each gets the program."""

    def __init__(self):
        self.all = []

    def __call__(self, function):
        self.all.append(function)
        return function

    def main(self):
        only = sys.argv[2:]
        good = bad = 0
        for case in self.all:
            if only and case.__name__ not in only:
                continue
            try:
                case(sys.argv[1])
                good += 1
            except Exception:  # whatever it is, the others shall run
                bad += 1
                print(f"[  FAILED  ] {case.__name__}")
                traceback.print_exc(file=sys.stdout)
        print(f"[  PASSED  ] {good} test(s).")
        if bad or not good:
            print(f"[  FAILED  ] {bad} test(s).")
            sys.exit(1)


def equal(got, want):
    assert got == want, f"got {got!r}, expected {want!r}"


def begins(got, want):
    assert got.startswith(want), f"got {got!r}, expected {want!r}..."


def holds(got, want):
    assert want in got, f"got {got!r}, expected {want!r} in it"
