#!/usr/bin/env python3
"""socketmap.py PROGRAM --sink PROGRAM --cache DIR [CASE...]: onward-socketmap as
a client sees it that says anything, as `postmap -q` asks it, and as the maps of
a real Postfix that sends, and gets, mail."""
import json
import os
import pathlib
import re
import resource
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "forwarder"), str(TESTS / "interop")]
import debs  # noqa: E402
import peers  # noqa: E402
from forwarder import Cases, begins, equal, holds, until  # noqa: E402
from tools import Sink  # noqa: E402
from world import Authority, Folder, free_port  # noqa: E402

case = Cases()


def option(name):
    at = sys.argv.index(name)
    value = sys.argv[at + 1]
    del sys.argv[at:at + 2]
    return os.path.abspath(value)


SINK, CACHE = option("--sink"), option("--cache")
CACHE = os.environ.get("ONWARD_DEBS") or CACHE
# Domains with a policy: mode and patterns.
POLICIES = {
    "enforce.example": ("enforce", ["mx1.mail.example", "*.wide.example"]),
    "testing.example": ("testing", ["mx1.mail.example"]),
    "none.example": ("none", []),
    "many.example": ("enforce", [f"mx{i}.{'m' * 60}.example"
                                 for i in range(600)]),
}
ZONE = """\
enforce.example. 60 IN MX 10 mx1.mail.example.
enforce.example. 60 IN MX 20 a.wide.example.
enforce.example. 60 IN MX 30 b.a.wide.example.
enforce.example. 60 IN MX 40 other.example.
elsewhere.example. 60 IN MX 10 other.example.
"""


class PolicyHost:
    """HTTPS for the policies of all these; requests are counted."""

    def __init__(self, authority):
        cert, key = authority.certify("policies.example", also=[
            "mta-sts." + d for d in [*POLICIES, "elsewhere.example"]])
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.requests = []
        self.waits = threading.Event()  # clear: requests are left waiting
        self.waits.set()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        try:
            client.settimeout(30)
            with self.context.wrap_socket(client, server_side=True) as s:
                head = b""
                while b"\r\n\r\n" not in head:
                    more = s.recv(4096)
                    if not more:
                        return
                    head += more
                host = re.search(rb"(?i)\r\nHost: *mta-sts\.([^\r:]+)", head)
                domain = host[1].decode()
                self.requests.append(domain)
                self.waits.wait(30)
                mode, patterns = POLICIES.get(
                    domain, ("enforce", ["mx.mail.example"]))
                body = (f"version: STSv1\nmode: {mode}\n" + "".join(
                    f"mx: {p}\n" for p in patterns) +
                    "max_age: 86400\n").encode()
                s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                          b"Content-Length: %d\r\nConnection: close\r\n\r\n"
                          % len(body) + body)
        except OSError:
            pass

    def close(self):
        self.waits.set()
        self.socket.close()


class Server:
    """The program, with a policy host beside it."""

    def __init__(self, program):
        self.program = os.path.abspath(program)
        self._temporary = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._temporary.name)
        os.chmod(self.path, 0o755)
        self.host = PolicyHost(Authority(str(self.path)))
        self.process = None
        self.settings = {
            "listen": "127.0.0.1:0", "state": "state", "dns": "zone.txt",
            "trust": "ca.pem", "policy_port": self.host.port,
            "allow_private_addresses": "yes", "srs_domain": "srs.example",
            "srs_secret": "secrets.txt",
            "local_domain": ["ours.example", "*.below.example"],
            "log": "log.json",
        }
        self.write("secrets.txt", "the first secret of two\nthe second\n")
        self.write("zone.txt", ZONE + "".join(
            f'_mta-sts.{d}. 60 IN TXT "v=STSv1; id=1;"\n'
            f"mta-sts.{d}. 60 IN A 127.0.0.1\n"
            for d in [*POLICIES, "elsewhere.example"]))

    def write(self, name, text):
        (self.path / name).write_text(text)

    def configure(self, **changes):
        self.settings.update(changes)
        lines = []
        for key, value in self.settings.items():
            values = value if isinstance(value, list) else [value]
            lines += [f"{key} = {v}" for v in values if v is not None]
        self.write("socketmap.conf", "\n".join(lines) + "\n")

    def run(self, *args):
        return subprocess.run([self.program, *args], cwd=self.path,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60)

    def start(self, **changes):
        self.configure(**changes)
        self.errors = open(self.path / "errors.txt", "ab")
        self.process = subprocess.Popen(
            [self.program, "--config", "socketmap.conf"], cwd=self.path,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.errors, restore_signals=False)
        words = self.process.stdout.readline().decode().split()
        assert words[:1] == ["ready"], (self.path / "errors.txt").read_text()
        self.port = int(words[1].rsplit(":", 1)[1])
        return self

    def log(self):
        path = self.path / "log.json"
        return [json.loads(line) for line in path.read_text().splitlines()] \
            if path.exists() else []

    def events(self, name):
        return [e for e in self.log() if e["event"].startswith(name)]

    def reload(self):
        count = len(self.events("reload"))
        self.process.send_signal(signal.SIGHUP)
        assert until(lambda: len(self.events("reload")) > count)
        return self.events("reload")[-1]

    def connect(self, seconds=20):
        return socket.create_connection(("127.0.0.1", self.port), seconds)

    def ask(self, text):
        """One question on a connection of its own."""
        with self.connect() as s:
            s.sendall(netstring(text))
            return answer(s)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
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
                status = self.stop()
                said = (self.path / "errors.txt").read_text()
                if kind is None:
                    assert status == 0, f"exit status {status}: {said}"
                else:
                    print(said)
        finally:
            self.host.close()
            self._temporary.cleanup()


def netstring(text):
    data = text.encode() if isinstance(text, str) else text
    return b"%d:%s," % (len(data), data)


def answer(s):
    """One netstring; None: the connection ended before it."""
    got = b""
    try:
        while b":" not in got:
            more = s.recv(1)
            if not more:
                return None
            got += more
        length = int(got[:-1]) + 1
        body = b""
        while len(body) < length:
            more = s.recv(length - len(body))
            if not more:
                return None
            body += more
    except ConnectionResetError:
        return None
    assert body[-1:] == b",", body
    return body[:-1].decode()


def is_over(s):
    """Whether the other side closed, without a word."""
    try:
        return s.recv(100) == b""
    except ConnectionResetError:
        return True


SECURE = ("OK secure match=mx1.mail.example:.wide.example "
          "servername=hostname")


# ---- Answers ---------------------------------------------------------------

@case
def policies_as_postfix_takes_them(program):
    with Server(program) as s:
        s.start()
        for key, want in (
                ("enforce.example", SECURE), ("ENFORCE.Example", SECURE),
                ("testing.example", "NOTFOUND "), ("none.example", "NOTFOUND "),
                ("nothing.example", "NOTFOUND "),
                # A parent, a host, a port, an address: no domain of mail.
                (".enforce.example", "NOTFOUND "),
                ("[enforce.example]", "NOTFOUND "),
                ("enforce.example:587", "NOTFOUND "),
                ("[192.0.2.1]:25", "NOTFOUND "), ("192.0.2.1", "NOTFOUND "),
                ("", "NOTFOUND "), ("enforce..example", "NOTFOUND "),
                ("x" * 300 + ".example", "NOTFOUND ")):
            equal((key, s.ask("mta-sts " + key)), (key, want))
        # One fetch, as it is kept.
        equal(s.host.requests.count("enforce.example"), 1)


@case
def policy_that_is_kept_outlasts_its_host(program):
    with Server(program) as s:
        s.start()
        equal(s.ask("mta-sts enforce.example"), SECURE)
        equal(s.stop(), 0)
        s.write("zone.txt", ZONE)  # neither record nor host any more
        s.start()
        equal(s.ask("mta-sts enforce.example"), SECURE)


@case
def policy_of_many_servers_comes_whole(program):
    with Server(program) as s:
        s.start()
        got = s.ask("mta-sts many.example")
        equal(got, "OK secure match=" + ":".join(POLICIES["many.example"][1])
              + " servername=hostname")


@case
def exact_names_the_servers_of_the_domain(program):
    """One label for a star, and only servers that there are."""
    with Server(program) as s:
        s.start(exact="yes")
        equal(s.ask("mta-sts enforce.example"), "OK secure "
              "match=mx1.mail.example:a.wide.example servername=hostname")
        begins(s.ask("mta-sts elsewhere.example"), "TEMP no mail server")
        equal(s.ask("mta-sts testing.example"), "NOTFOUND ")


@case
def our_own_fault_is_a_delay(program):
    """A disk that takes nothing: neither a sender that cannot come back, nor a
    policy that is forgotten."""
    with Server(program) as s:
        long = "l" * 60 + "@" + "d" * 40 + ".example"
        s.start()
        # Ours ignores SIGXFSZ, and so does what we start: writes fail alone.
        _, most = resource.prlimit(s.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(s.process.pid, resource.RLIMIT_FSIZE, (0, most))
        begins(s.ask("srs-forward " + long), "TEMP the store")
        # What needs no store goes on.
        begins(s.ask("srs-forward ann@sender.example"), "OK SRS0=")
        got = s.ask("mta-sts enforce.example")
        assert got == SECURE or got.startswith("TEMP "), got
        resource.prlimit(s.process.pid, resource.RLIMIT_FSIZE, (most, most))
        begins(s.ask("srs-forward " + long), "OK SRS0=")
        equal(s.ask("mta-sts enforce.example"), SECURE)


@case
def too_much_is_a_delay_and_not_no_policy(program):
    """Who keeps us busy must not switch off a policy by it."""
    with Server(program) as s:
        s.start(max_fetches=1)
        s.host.waits.clear()
        with s.connect() as slow:
            slow.sendall(netstring("mta-sts enforce.example"))
            assert until(lambda: s.host.requests)
            begins(s.ask("mta-sts many.example"), "TEMP ")
            # What has no record has no policy, however busy we are.
            equal(s.ask("mta-sts nothing.example"), "NOTFOUND ")
            s.host.waits.set()
            equal(answer(slow), SECURE)
        begins(s.ask("mta-sts many.example"), "OK secure ")


@case
def damaged_store_is_no_empty_one(program):
    """To begin anew would switch off each policy that is in force."""
    with Server(program) as s:
        s.start()
        equal(s.ask("mta-sts enforce.example"), SECURE)
        equal(s.stop(), 0)
        data = s.path / "state/store/data.mdb"
        data.write_bytes(b"\xff" * data.stat().st_size)
        done = s.run("--config", "socketmap.conf")
        equal(done.returncode, 3)
        holds(done.stderr, b"store")


@case
def senders_go_there_and_back(program):
    with Server(program) as s:
        s.start()
        long = "l" * 60 + "@" + "d" * 40 + ".example"
        for sender in ("ann@sender.example", "Ann.B+tag@Sender.Example",
                       "SRS0=abcd=ef=first.example=ann@hop.example", long,
                       '"a b"@sender.example'):
            got = s.ask("srs-forward " + sender)
            match = re.fullmatch(r"OK (SRS[01]=[^@ ]+@srs\.example)", got)
            assert match, (sender, got)
            equal(s.ask("srs-reverse " + match[1]), "OK " + sender)
            # As Postfix has it when it folds what it looks up.
            equal(s.ask("srs-reverse " + match[1].lower()).lower(),
                  "ok " + sender.lower())
            # Postfix looks its result up again.
            equal(s.ask("srs-forward " + match[1]), "NOTFOUND ")
        for key in ("ann@ours.example", "ann@OURS.example", "ann@srs.example",
                    "ann@x.below.example", "ann", "@sender.example", "",
                    "ann@", "@"):
            equal((key, s.ask("srs-forward " + key)), (key, "NOTFOUND "))
        begins(s.ask("srs-forward ann@below.example"), "OK SRS0=")
        begins(s.ask("srs-forward ann@xours.example"), "OK SRS0=")


@case
def what_is_kept_outlasts_the_process(program):
    with Server(program) as s:
        s.start()
        sender = "l" * 60 + "@" + "d" * 40 + ".example"
        got = s.ask("srs-forward " + sender)[3:]
        equal(s.stop(), 0)
        s.start()
        equal(s.ask("srs-reverse " + got), "OK " + sender)


@case
def forged_and_foreign_addresses_are_nobodys(program):
    with Server(program) as s:
        s.start()
        good = s.ask("srs-forward ann@sender.example")[3:]
        for key in (good.replace("ann", "bob"),
                    good.replace("sender.example", "other.example"),
                    good.replace("@srs.example", "@elsewhere.example"),
                    "SRS0=aaaa=bb=sender.example=ann@srs.example",
                    "SRS0=@srs.example", "SRS0@srs.example", "ann@srs.example",
                    "SRS0=" + "x" * 500 + "@srs.example", "ann", ""):
            equal((key, s.ask("srs-reverse " + key)), (key, "NOTFOUND "))


@case
def a_new_secret_stands_in_front_of_the_old(program):
    with Server(program) as s:
        s.start()
        old = s.ask("srs-forward ann@sender.example")[3:]
        s.write("secrets.txt", "a newer one\nthe first secret of two\n")
        equal(s.reload()["event"], "reloaded")
        fresh = s.ask("srs-forward ann@sender.example")[3:]
        assert fresh != old
        for address in (old, fresh):
            equal(s.ask("srs-reverse " + address), "OK ann@sender.example")
        s.write("secrets.txt", "a newer one\n")
        s.reload()
        equal(s.ask("srs-reverse " + old), "NOTFOUND ")


@case
def maps_that_are_not_there(program):
    with Server(program) as s:
        s.start(mta_sts="no")
        for text in ("mta-sts enforce.example", "other key", "mta-sts",
                     "", " key", "x" * 100 + " key", "srs-forward a\nb@c.d",
                     b"srs-reverse a\0b@srs.example"):
            begins(s.ask(text), "PERM ")
        s.stop()
        s.start(mta_sts="yes", srs_domain=None, srs_secret=None)
        begins(s.ask("srs-forward ann@sender.example"), "PERM ")
        begins(s.ask("srs-reverse SRS0=a=b=c=d@srs.example"), "PERM ")
        equal(s.ask("mta-sts enforce.example"), SECURE)


# ---- Connections -----------------------------------------------------------

@case
def what_is_no_netstring_ends_the_connection(program):
    """The other connections do not notice."""
    with Server(program) as s:
        s.start()
        with s.connect() as other:
            for data in (b"-1:,", b"+1:a,", b"05:hello,", b"00:,", b":,",
                         b"x", b"1025:", b"99999999999999999999:", b"4:hello,",
                         b"5:hello\n", b"5 :hello,", b"GET / HTTP/1.1\r\n"):
                with s.connect() as c:
                    c.sendall(data)
                    assert is_over(c), data
                # Behind a good one: that is answered first.
                with s.connect() as c:
                    c.sendall(netstring("srs-forward ann") + data)
                    equal((data, answer(c)), (data, "NOTFOUND "))
                    assert is_over(c), data
            other.sendall(netstring("srs-forward ann"))
            equal(answer(other), "NOTFOUND ")
        assert until(lambda: len(s.events("bad-request")) == 24)


@case
def cut_at_every_octet(program):
    """A client that goes gets nothing done, and one that stops and goes on is
    answered all the same."""
    with Server(program) as s:
        s.start()
        data = netstring("srs-forward ann@sender.example")
        for cut in range(len(data)):
            with s.connect() as c:
                c.sendall(data[:cut])
                c.shutdown(socket.SHUT_WR)
                assert is_over(c), cut
        with s.connect() as c:
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in data:
                c.sendall(bytes([octet]))
            begins(answer(c), "OK SRS0=")
        # Said at once, and then no more: answered.
        with s.connect() as c:
            c.sendall(data * 50)
            c.shutdown(socket.SHUT_WR)
            for _ in range(50):
                begins(answer(c), "OK SRS0=")
            assert is_over(c)


@case
def one_that_waits_holds_nobody_up(program):
    with Server(program) as s:
        s.start()
        s.host.waits.clear()
        with s.connect() as slow, s.connect() as gone:
            # Two in one connection are answered in their order.
            slow.sendall(netstring("mta-sts enforce.example") +
                         netstring("srs-forward ann"))
            gone.sendall(netstring("mta-sts enforce.example"))
            assert until(lambda: s.host.requests)
            begins(s.ask("srs-forward ann@sender.example"), "OK SRS0=")
            gone.close()
            # What the old configuration began goes on with it.
            equal(s.reload()["event"], "reloaded")
            s.host.waits.set()
            equal(answer(slow), SECURE)
            equal(answer(slow), "NOTFOUND ")


@case
def reader_that_reads_nothing(program):
    """Its answers stay in its own connection, and the program can end."""
    with Server(program) as s:
        s.start()
        s.ask("mta-sts many.example")
        with s.connect(2) as c:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                for _ in range(1000):
                    c.sendall(netstring("mta-sts many.example"))
            except (TimeoutError, BlockingIOError):
                pass
            begins(s.ask("srs-forward ann@sender.example"), "OK SRS0=")
            equal(s.stop(), 0)


@case
def without_descriptors_it_rests(program):
    """It is not woken without end by who waits, and hears them afterwards."""
    with Server(program) as s:
        s.start()
        pid = s.process.pid
        most = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 4
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
        waiting = [s.connect() for _ in range(12)]
        assert until(lambda: s.events("cannot-accept"))
        for c in waiting[:-1]:
            c.close()
        waiting[-1].sendall(netstring("srs-forward ann"))
        equal(answer(waiting[-1]), "NOTFOUND ")
        waiting[-1].close()


@case
def ends_with_answers_under_way(program):
    with Server(program) as s:
        s.start()
        s.host.waits.clear()
        with s.connect() as c, s.connect() as idle:
            c.sendall(netstring("mta-sts enforce.example"))
            assert until(lambda: s.host.requests)
            s.process.send_signal(signal.SIGTERM)
            assert is_over(idle)
            s.host.waits.set()
            equal(answer(c), SECURE)
            assert is_over(c)


# ---- Configuration ---------------------------------------------------------

@case
def faults_of_the_configuration(program):
    with Server(program) as s:
        for changes, status, words in (
                ({}, 0, b""),
                ({"listen": "localhost"}, 2, b"listen"),
                ({"listen": None}, 2, b"listen"),
                ({"srs_secret": None}, 2, b"srs_domain alone"),
                ({"srs_domain": None}, 2, b"srs_secret alone"),
                ({"srs_domain": None, "srs_secret": None, "mta_sts": "no"}, 2,
                 b"nothing to do"),
                ({"resolver": "127.0.0.1"}, 2, b"either resolver"),
                ({"resolver": "nowhere"}, 2, b"an IP address"),
                ({"local_domain": "*"}, 2, b"a domain in A-labels"),
                ({"policy_port": 0}, 2, b"from 1 to 65535"),
                ({"srs_secret": "nothing.txt"}, 3, b"nothing.txt"),
                ({"trust": "zone.txt"}, 2, b"expected certificates"),
                ({"trust": "nothing.pem"}, 3, b"nothing.pem"),
                ({"dns": "secrets.txt"}, 2, b"secrets.txt:1"),
                ({"state": "/nowhere/at/all"}, 3, b"/nowhere"),
                ({"colour": "blue"}, 2, b"unknown key")):
            before = dict(s.settings)
            s.configure(**changes)
            done = s.run("--config", "socketmap.conf", "--check")
            equal((changes, done.returncode), (changes, status))
            holds(done.stderr, words)
            s.settings = before


@case
def reload_that_fails_keeps_what_there_is(program):
    with Server(program) as s:
        s.start()
        s.write("socketmap.conf", "listen = 127.0.0.1:0\ncolour = blue\n")
        got = s.reload()
        equal(got["event"], "reload-failed")
        holds(got["detail"], "socketmap.conf:2: unknown key \"colour\"")
        begins(s.ask("srs-forward ann@sender.example"), "OK SRS0=")


@case
def sample_can_be_used(program):
    """The file that an operator begins with, and the same with what stands in
    comments."""
    sample = (TESTS.parent / "examples/socketmap/socketmap.conf").read_text()
    with Server(program) as s:
        s.write("srs-secret", "something\n")
        for text in (sample, re.sub(r"(?m)^#(\w+ = )", r"\1", sample)):
            s.write("sample.conf", text)
            done = subprocess.run(
                [s.program, "--config", "sample.conf", "--check"], cwd=s.path,
                env=dict(os.environ, STATE_DIRECTORY=str(s.path / "there")),
                capture_output=True, timeout=60)
            equal((done.returncode, done.stderr), (0, b""))


@case
def a_forged_author_gains_nothing_by_the_sample(program):
    """Senders in the organization of our own authors would pass DMARC for them
    (RFC 7489 section 3.1.2): the file, the page's and the manual's do not."""
    texts = [(TESTS.parent / name).read_text() for name in
             ("examples/socketmap/socketmap.conf",
              "doc/man/onward-socketmap.8")]
    for text in texts:
        (senders,) = re.findall(r"(?m)^srs_domain = (\S+)$", text)
        ours = re.findall(r"(?m)^local_domain = (?:\*\.)?(\S+)$", text)
        assert ours
        for domain in ours:
            assert not ("." + senders).endswith("." + domain), senders
            assert not ("." + domain).endswith("." + senders), senders


# ---- A real Postfix --------------------------------------------------------

def listing(n):
    """One of the page for operators."""
    page = (TESTS.parent / "doc/socketmap.md").read_text()
    return re.findall(r"```\n(.*?)```", page, re.S)[n]


class MapsPostfix(peers.Postfix):
    """With the maps in its main.cf; all mail goes to one next hop."""

    def __init__(self, *args, maps_port, **more):
        self.maps_port = maps_port
        super().__init__(*args, **more)

    def main_cf(self, tree, queue):
        self.tree = tree
        return super().main_cf(tree, queue) + listing(0).replace(
            ":10461:", f":{self.maps_port}:")

    def postmap(self, map_name, key):
        """(exit status, what it says)."""
        return self.run_postmap("-q", key, "socketmap:inet:127.0.0.1:"
                                f"{self.maps_port}:{map_name}")

    def run_postmap(self, *args):
        got = subprocess.run(
            [self.tree + "/usr/sbin/postmap", "-c", self.config, *args],
            env=self.command()[1], capture_output=True, text=True, timeout=60)
        return got.returncode, got.stdout.strip() or got.stderr.strip()


def why_no_postfix():
    try:
        debs.unpack("postfix", CACHE)
    except debs.Unavailable as e:
        return str(e)
    return peers.why_not()


@case
def postfix_asks_and_rewrites(program):
    why = why_no_postfix()
    if why:
        print(f"postfix_asks_and_rewrites: SKIP: {why}")
        return
    with Server(program) as s, Folder("socketmap") as folder, \
            Sink(SINK, folder + "/sink", "--listen", "127.0.0.1:0") as sink:
        s.start()
        with MapsPostfix("relay.example", CACHE, folder + "/postfix",
                         "127.0.0.1", free_port(), maps_port=s.port,
                         relay=("127.0.0.1", sink.port)) as postfix:
            # As its own tool asks.
            equal(postfix.postmap("mta-sts", "enforce.example"),
                  (0, SECURE[3:]))
            equal(postfix.postmap("mta-sts", "testing.example"), (1, ""))
            status, srs = postfix.postmap("srs-forward", "ann@sender.example")
            equal(status, 0)
            begins(srs, "SRS0=")
            equal(postfix.postmap("srs-reverse", srs),
                  (0, "ann@sender.example"))
            equal(postfix.postmap("srs-reverse", srs.replace("ann", "bob")),
                  (1, ""))
            status, said = postfix.postmap("other", "key")
            assert status != 0 and "PERM" in said or "permanent" in said, said
            # The page's own commands.
            for line in listing(1).splitlines():
                words = line.replace(":10461:", f":{s.port}:").split()
                equal(words[0], "postmap")
                status, said = postfix.run_postmap(*words[1:])
                if words[-1].endswith("srs-forward"):
                    begins(said, "SRS0=")
                else:
                    equal((status, said), (1, ""))
            # As a message goes, and its bounce comes.
            text = ("From: Ann <ann@sender.example>\r\nTo: bob@far.example\r\n"
                    "Subject: there\r\n\r\nHello.\r\n")
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as smtp:
                smtp.sendmail("ann@sender.example", ["bob@far.example"], text)
                smtp.sendmail("joe@ours.example", ["bob@far.example"], text)
            got = {}
            for _ in range(2):
                envelope, octets = sink.next()
                got[envelope["mail"]["from"]] = envelope
                # The header is as it was.
                assert b"From: Ann <ann@sender.example>\r\n" in octets
            assert "joe@ours.example" in got, got
            srs = next(a for a in got if a != "joe@ours.example")
            assert re.fullmatch(
                r"SRS0=[^=]+=[^=]+=sender\.example=ann@srs\.example", srs), srs
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as smtp:
                smtp.sendmail("", [srs], "From: mailer@far.example\r\n"
                              "Subject: back\r\n\r\nNo.\r\n")
            envelope, _ = sink.next()
            equal((envelope["mail"]["from"],
                   [r["to"] for r in envelope["rcpt"]]),
                  ("", ["ann@sender.example"]))
            # Without us nothing is sent wrongly, only later.
            equal(s.stop(), 0)
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as smtp:
                try:
                    smtp.sendmail("ann@sender.example", ["bob@far.example"],
                                  text)
                    said = "taken"
                except smtplib.SMTPException as e:
                    said = str(e)
            s.start(listen=f"127.0.0.1:{s.port}")
            if said == "taken":
                envelope, _ = sink.next(60)
                begins(envelope["mail"]["from"], "SRS0=")
            else:
                holds(said, "451")


case.main()
