#!/usr/bin/env python3
"""policyd.py PROGRAM ONWARD [CASE...]: policies as their readers get them: our
own fetcher, curl, and clients that ask for anything else."""
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "forwarder"))
from forwarder import Cases, begins, equal, holds, until  # noqa: E402

case = Cases()
ONWARD = os.path.abspath(sys.argv.pop(2))
PATH = "/.well-known/mta-sts.txt"
ZONES = ["one.example", "two.example", "deep.sub.three.example"]
POLICY = (b"version: STSv1\r\nmode: enforce\r\nmx: mx1.provider.example\r\n"
          b"mx: *.mx.provider.example\r\nmax_age: 86400\r\n")


def rules(zones, **more):
    return json.dumps({"version": 1, "zones": [
        {"name": z, "rules": [], "catch_all": {
            "matchers": [{"type": "all"}], "actions": [{"type": "drop"}]},
         **more.get(z, {})} for z in zones]})


class Policyd:
    def __init__(self, program):
        self.program = os.path.abspath(program)
        self._temporary = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._temporary.name)
        self.process = None
        self.settings = {
            "listen": "127.0.0.1:0", "rules": "rules.json",
            "mode": "enforce",
            "mx": ["mx1.provider.example", "*.mx.provider.example"],
            "max_age_s": 86400, "certificates": "certs", "log": "log.json",
        }
        self.write("rules.json", rules(ZONES))
        (self.path / "certs").mkdir()
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
                     "-out", "ca.pem", "-days", "2", "-subj", "/CN=test")
        for zone in ZONES:
            self.certify(f"mta-sts.{zone}")

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.path, check=True,
                       capture_output=True, timeout=60)

    def certify(self, host, folder=None, name=None):
        """In certbot's layout."""
        folder = folder or f"certs/{host}"
        (self.path / folder).mkdir(exist_ok=True)
        self.openssl("req", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     f"{folder}/privkey.pem", "-out", "csr", "-subj",
                     f"/CN={name or 'host'}")
        self.write("ext", f"subjectAltName=DNS:{host}\n")
        self.openssl("x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey",
                     "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
                     "ext", "-out", f"{folder}/fullchain.pem")

    def write(self, name, text):
        (self.path / name).write_text(text)

    def configure(self, **changes):
        self.settings.update(changes)
        lines = []
        for key, value in self.settings.items():
            values = value if isinstance(value, list) else [value]
            lines += [f"{key} = {v}" for v in values if v is not None]
        self.write("policyd.conf", "\n".join(lines) + "\n")

    def run(self, *args):
        return subprocess.run([self.program, *args], cwd=self.path,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60)

    def start(self, **changes):
        env = dict(os.environ, **changes.pop("env", {}))
        self.configure(**changes)
        self.errors = open(self.path / "errors.txt", "wb")
        self.process = subprocess.Popen(
            [self.program, "--config", "policyd.conf"], cwd=self.path, env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.errors)
        self.ready = self.process.stdout.readline().decode()
        words = self.ready.split()
        assert words[:1] == ["ready"], (self.path / "errors.txt").read_text()
        self.port = int(words[1].rsplit(":", 1)[1])
        return self

    def log(self):
        path = self.path / "log.json"
        return [json.loads(line) for line in path.read_text().splitlines()] \
            if path.exists() else []

    def events(self, name):
        return [e for e in self.log() if e["event"] == name]

    def reload(self):
        count = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        assert until(lambda: any(e["event"].startswith("reload")
                                 for e in self.log()[count:]))
        return [e for e in self.log()[count:]
                if e["event"].startswith("reload")][-1]

    def tls(self, name):
        context = ssl.create_default_context(cafile=self.path / "ca.pem")
        s = socket.create_connection(("127.0.0.1", self.port), 10)
        return context.wrap_socket(s, server_hostname=name)

    def say(self, request, name="mta-sts.one.example"):
        """Octets over TLS; all that comes back."""
        got = b""
        with self.tls(name) as s:
            s.settimeout(3)
            try:
                # Of a long one it may not wait for the end.
                s.sendall(request)
            except OSError:
                pass
            try:
                while more := s.recv(65536):
                    got += more
                    head, _, body = got.partition(b"\r\n\r\n")
                    length = re.search(rb"content-length: (\d+)", head, re.I)
                    if length and len(body) >= int(length[1]):
                        break
            except OSError:
                pass
        return got

    def get(self, host, path=PATH, method="GET", sni="mta-sts.one.example",
            more=""):
        got = self.say(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}"
                       "\r\n".encode(), sni)
        return int(got.split(b" ")[1]) if got else None

    def check(self, domain, zone):
        """Our own fetcher."""
        self.write("zone.txt", zone)
        done = subprocess.run(
            [ONWARD, "mta-sts", "check", domain, "--dns", "zone.txt",
             "--connect", f"127.0.0.1:{self.port}", "--trust", "ca.pem",
             "--json"], cwd=self.path, capture_output=True, timeout=60)
        return json.loads(done.stdout)

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
            self._temporary.cleanup()


# ---- Policies --------------------------------------------------------------

@case
def our_fetcher_takes_the_policy(program):
    with Policyd(program) as p:
        p.start()
        for zone in ZONES:
            got = p.check(zone, f'_mta-sts.{zone}. 60 IN TXT "v=STSv1; id=1;"\n'
                          f"mta-sts.{zone}. 60 IN A 192.0.2.1\n")
            equal((got["result"], got["reason"], got["mode"], got["mx"],
                   got["max_age"]),
                  ("policy", None, "enforce",
                   ["mx1.provider.example", "*.mx.provider.example"], 86400))


@case
def row_74_announced_through_an_alias(program):
    """The record and the policy that the product announces, both behind the
    customer's aliases to the provider's names."""
    with Policyd(program) as p:
        p.start(mx="*.mx.cloudflare.net", max_age_s=86400)
        got = p.check(
            "one.example",
            "_mta-sts.one.example. 60 IN CNAME _mta-sts.mx.cloudflare.net.\n"
            '_mta-sts.mx.cloudflare.net. 60 IN TXT '
            '"v=STSv1; id=20230615T153000;"\n'
            "mta-sts.one.example. 60 IN CNAME mta-sts.mx.cloudflare.net.\n"
            "mta-sts.mx.cloudflare.net. 60 IN A 192.0.2.1\n")
        equal((got["result"], got["id"], got["mode"], got["mx"],
               got["max_age"]),
              ("policy", "20230615T153000", "enforce",
               ["*.mx.cloudflare.net"], 86400))
        equal(p.say(f"GET {PATH} HTTP/1.1\r\nHost: mta-sts.one.example\r\n\r\n"
                    .encode()).partition(b"\r\n\r\n")[2],
              b"version: STSv1\r\nmode: enforce\r\nmx: *.mx.cloudflare.net\r\n"
              b"max_age: 86400\r\n")


@case
def curl_takes_the_policy(program):
    if shutil.which("curl") is None:
        print("curl_takes_the_policy: skipped, no curl")
        return
    with Policyd(program) as p:
        p.start()
        for zone in ZONES:
            done = subprocess.run(
                ["curl", "-sS", "--fail", "--cacert", p.path / "ca.pem",
                 "--resolve", f"mta-sts.{zone}:{p.port}:127.0.0.1", "-D", "-",
                 f"https://mta-sts.{zone}:{p.port}{PATH}"],
                capture_output=True, timeout=30)
            equal(done.returncode, 0)
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            equal(body, POLICY)
            holds(head, b"Content-Type: text/plain")
            begins(head.split(b" ", 1)[1].decode(), "200")


@case
def policy_is_none_where_that_is_said(program):
    with Policyd(program) as p:
        p.start(mode="none", mx=None)
        got = p.check("one.example",
                      '_mta-sts.one.example. 60 IN TXT "v=STSv1; id=1;"\n'
                      "mta-sts.one.example. 60 IN A 192.0.2.1\n")
        equal((got["result"], got["mode"], got["mx"]), ("policy", "none", []))


# ---- Other requests ----------------------------------------------------------

@case
def only_domains_with_rules(program):
    with Policyd(program) as p:
        p.write("rules.json", rules(
            ZONES + ["off.example"],
            **{"off.example": {"settings": {"enabled": False}}}))
        p.start()
        rows = {
            "mta-sts.one.example": 200,
            "MTA-STS.One.Example": 200,
            "mta-sts.one.example:443": 200,
            "mta-sts.one.example.": 200,
            "mta-sts.other.example": 404,
            "mta-sts.off.example": 404,
            "one.example": 404,
            "mta-sts.": 404,
            "mta-sts.[127.0.0.1]": 404,
            "mta-sts.one.example:x": 400,
            "mta-sts.two.example@one.example": 404,
            "": 400,
            "mta-sts." + "x" * 300 + ".example": 400,
            "mta-sts." + "x." * 100 + "example": 404,
        }
        for host, want in rows.items():
            got = p.get(host)
            equal((host, got), (host, want))


@case
def only_that_path_and_no_change(program):
    with Policyd(program) as p:
        p.start()
        host = "mta-sts.one.example"
        for path in ("/", "/.well-known/", PATH + "/", PATH.upper(),
                     "//.well-known/mta-sts.txt", "/%2ewell-known/mta-sts.txt",
                     "/../.well-known/mta-sts.txt", "/verify/x"):
            equal((path, p.get(host, path)), (path, 404))
        equal(p.get(host, PATH + "?x=1"), 200)
        head = p.say(f"HEAD {PATH} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        equal(head.partition(b"\r\n\r\n")[2], b"")
        for method in ("PUT", "DELETE", "OPTIONS", "BREW"):
            equal((method, p.get(host, method=method)), (method, 405))
        got = p.say(f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\n"
                    "Content-Length: 5\r\n\r\nhello".encode())
        begins(got.decode(), "HTTP/1.1 405 ")
        holds(got, b"Allow: GET, HEAD")


@case
def broken_requests(program):
    with Policyd(program) as p:
        p.start()
        for octets in (b"\0" * 100, b"GET\r\n\r\n", b"x" * 100000,
                       b"GET " + PATH.encode() + b" HTTP/1.1\r\n\r\n",
                       b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: mta-sts."
                       b"one.example\r\n" + b"X: y\r\n" * 5000 + b"\r\n"):
            got = p.say(octets)
            assert b" 200 " not in got[:20], got[:40]
        equal(p.get("mta-sts.one.example"), 200)


@case
def plain_text_is_no_tls(program):
    with Policyd(program) as p:
        p.start()
        with socket.create_connection(("127.0.0.1", p.port), 10) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                assert b"HTTP/1.1" not in s.recv(1000)
            except OSError:
                pass
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        try:
            with context.wrap_socket(
                    socket.create_connection(("127.0.0.1", p.port), 10)):
                raise AssertionError("TLS 1.1")
        except (ssl.SSLError, OSError):
            pass


# ---- Certificates ------------------------------------------------------------

@case
def certificate_by_name(program):
    with Policyd(program) as p:
        p.certify("*.wild.example", "certs/_.wild.example")
        p.start()
        for name in ("mta-sts.one.example", "mta-sts.two.example",
                     "MTA-STS.Two.Example", "mta-sts.wild.example"):
            p.tls(name).close()
        for name in ("mta-sts.other.example", "a.mta-sts.wild.example"):
            try:
                p.tls(name).close()
                raise AssertionError(f"{name} got a certificate")
            except OSError:
                pass


@case
def one_certificate_for_all(program):
    with Policyd(program) as p:
        p.certify("*.one.example", "one")
        p.start(certificates=None, tls_certificate="one/fullchain.pem",
                tls_key="one/privkey.pem")
        equal(p.get("mta-sts.one.example"), 200)


@case
def many_at_once(program):
    with Policyd(program) as p:
        p.start(max_connections_client=500)
        held = [p.tls("mta-sts.one.example") for _ in range(40)]
        slow = [socket.create_connection(("127.0.0.1", p.port))
                for _ in range(100)]
        results = []

        def ask():
            results.append(p.get("mta-sts.two.example"))
        threads = [threading.Thread(target=ask) for _ in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(30)
        equal(results, [200] * 20)
        for s in held + slow:
            s.close()


@case
def one_address_has_a_limit(program):
    """What is above it is closed; whoever is at another address is served."""
    with Policyd(program) as p:
        p.start(max_connections_client=3)
        held = [p.tls("mta-sts.one.example") for _ in range(3)]
        for _ in range(3):
            try:
                p.tls("mta-sts.one.example").close()
                raise AssertionError("a fourth connection")
            except (ssl.SSLError, OSError):
                pass
        context = ssl.create_default_context(cafile=p.path / "ca.pem")
        s = socket.create_connection(("127.0.0.1", p.port), 10,
                                     source_address=("127.0.0.9", 0))
        context.wrap_socket(s, server_hostname="mta-sts.one.example").close()
        for s in held:
            s.close()
        assert until(lambda: served(p)), "not served any more"


def served(p):
    try:
        return p.get("mta-sts.two.example") == 200
    except OSError:
        return False


# ---- Service -----------------------------------------------------------------

@case
def reloads(program):
    with Policyd(program) as p:
        p.start()
        with p.tls("mta-sts.one.example") as old:
            p.write("rules.json", rules(ZONES + ["new.example"]))
            p.certify("mta-sts.new.example")
            p.configure(max_age_s=604800)
            for _ in range(3):
                equal(p.reload()["event"], "reloaded")
            equal(p.get("mta-sts.new.example", sni="mta-sts.new.example"), 200)
            old.sendall(f"GET {PATH} HTTP/1.1\r\nHost: mta-sts.one.example"
                        "\r\n\r\n".encode())
            got = b""
            while b"max_age" not in got:
                got += old.recv(5000)
            holds(got, b"max_age: 604800")
        p.write("rules.json", '{"version": 1,\n "zones": 7}')
        event = p.reload()
        equal(event["event"], "reload-failed")
        begins(event["detail"], "rules.json:2: zones")
        equal(p.get("mta-sts.new.example"), 200)


@case
def logs_requests(program):
    with Policyd(program) as p:
        p.start()
        p.get("mta-sts.one.example")
        p.get("mta-sts.other.example")
        got = [(e["client"], e["host"], e["path"], e["status"])
               for e in p.events("request")]
        equal(got, [("127.0.0.1", "mta-sts.one.example", PATH, 200),
                    ("127.0.0.1", "mta-sts.other.example", PATH, 404)])


@case
def ends_at_sigterm(program):
    with Policyd(program) as p:
        p.start()
        with p.tls("mta-sts.one.example"):
            begin = time.monotonic()
            equal(p.stop(), 0)
            assert time.monotonic() - begin < 10


@case
def drops_root_and_tells_systemd(program):
    with Policyd(program) as p, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(p.path / "notify"))
        s.settimeout(10)
        user = None
        if os.geteuid() == 0:
            user = "nobody"
            p.path.chmod(0o777)
            (p.path / "notify").chmod(0o777)
        p.start(user=user, env={"NOTIFY_SOCKET": str(p.path / "notify")})
        equal(s.recv(100), b"READY=1")
        if user:
            status = open(f"/proc/{p.process.pid}/status").read()
            uid = str(pwd.getpwnam(user).pw_uid)
            equal(re.search(r"Uid:\s+(.*)", status)[1].split(), [uid] * 4)
        equal(p.get("mta-sts.one.example"), 200)
        equal(p.stop(), 0)
        equal(s.recv(100), b"STOPPING=1")


@case
def broken_configurations(program):
    rows = [
        ({"mode": "enforced"}, 2, 'policyd.conf:3: mode "enforced", expected '
         "one of none, testing, enforce"),
        ({"mx": None}, 2, 'policyd.conf:3: mode "enforce", expected mx beside '
         "it"),
        ({"mx": "*.*.example"}, 2, 'policyd.conf:4: mx "*.*.example", expected '
         'a host name in A-labels, or "*." and one'),
        ({"max_age_s": 31557601}, 2, None),
        ({"rules": "nothing.json"}, 2, "nothing.json: No such file or "
         "directory, expected a readable file"),
        ({"certificates": None}, 2, "policyd.conf: no certificate, expected "
         "tls_certificate and tls_key, or certificates"),
        ({"tls_key": "ca.key"}, 2, "policyd.conf:9: tls_key alone, expected "
         "tls_certificate and tls_key"),
        ({"certificates": "nowhere"}, 3, "nowhere: No such file or directory"),
        ({"certificates": "empty"}, 3, "empty: no certificate, expected "
         "NAME/fullchain.pem and NAME/privkey.pem in it"),
        ({"tls_certificate": "ca.key", "tls_key": "ca.key"}, 3, "ca.key: no "
         "readable certificates, expected a chain in PEM, the host's own "
         "first"),
        ({"tls_certificate": "ca.pem", "tls_key": "ca.pem"}, 3, "ca.pem: no "
         "readable key, expected a private key in PEM without a password"),
        ({"tls_certificate": "ca.pem",
          "tls_key": "certs/mta-sts.one.example/privkey.pem"}, 3,
         "certs/mta-sts.one.example/privkey.pem: another key, expected that "
         "of the certificate"),
        ({"nonsense": 1}, 2, 'policyd.conf:9: unknown key "nonsense", expected '
         "a key of the manual page"),
    ]
    with Policyd(program) as p:
        (p.path / "empty").mkdir()
        good = dict(p.settings)
        for changes, status, message in rows:
            p.settings = dict(good)
            p.configure(**changes)
            for more in (["--check"], []):
                done = p.run("--config", "policyd.conf", *more)
                equal((changes, done.returncode, done.stdout),
                      (changes, status, b""))
                if message:
                    equal(done.stderr.decode(),
                          f"onward-policyd: {message}\n")
        p.settings = good
        p.configure()
        done = p.run("--config", "policyd.conf", "--check")
        equal((done.returncode, done.stderr), (0, b""))
        equal(p.run().returncode, 2)
        equal(p.run("--nonsense").returncode, 2)
        equal(p.run("--help").returncode, 0)


@case
def busy_port(program):
    with Policyd(program) as p, socket.create_server(("127.0.0.1", 0)) as s:
        address = f"127.0.0.1:{s.getsockname()[1]}"
        p.configure(listen=address)
        done = p.run("--config", "policyd.conf")
        equal((done.returncode, done.stderr.decode()),
              (3, f"onward-policyd: {address}: Address already in use, "
               "expected a free address and port\n"))


if shutil.which("openssl") is None:
    print("skipped: no openssl")
    sys.exit(77)
# ---- Destinations ----------------------------------------------------------

def destinations(p, *args):
    done = subprocess.run([ONWARD, "destinations", args[0], "--state", "state",
                           *args[1:]], cwd=p.path, capture_output=True,
                          check=True, timeout=60)
    return done.stdout.decode().strip()


def page(p, token, method="GET"):
    """Status and octets."""
    got = p.say(f"{method} /verify/{token} HTTP/1.1\r\nHost: one.example\r\n"
                "Content-Length: 0\r\n\r\n".encode())
    return int(got.split(b" ")[1]), got.decode()


@case
def a_link_shows_and_its_button_confirms_once(program):
    with Policyd(program) as p:
        (p.path / "state").mkdir()
        p.start(state="state")
        link = destinations(p, "add", "--link", "https://one.example",
                            "a&b'c@d.example")
        token = link.removeprefix("https://one.example/verify/")
        for _ in range(2):
            status, text = page(p, token)
            equal(status, 200)
            holds(text, "<b>a&#38;b&#39;c@d.example</b>")
            holds(text, '<form method="post">')
            holds(text, "Cache-Control: no-store")
            holds(text, "Content-Type: text/html")
        holds(destinations(p, "list"), " pending ")
        status, text = page(p, token, "POST")
        equal(status, 200)
        holds(text, "is confirmed")
        holds(destinations(p, "list"), "a&b'c@d.example verified ")
        for method in ("GET", "POST"):
            equal(page(p, token, method)[0], 410)
        # The log has no secret.
        equal({e["path"] for e in p.events("request")}, {"/verify/"})


@case
def links_that_do_not_count(program):
    with Policyd(program) as p:
        (p.path / "state").mkdir()
        p.start(state="state")
        old = destinations(p, "add", "a@d.example")
        new = destinations(p, "add", "a@d.example")
        for token in (old, new[:-1], new + "a", "", "x", "%00", "../" + new,
                      "a" * 3000):
            for method in ("GET", "POST"):
                equal((token, page(p, token, method)[0]), (token, 410))
        equal(page(p, new, "PUT")[0], 405)
        equal(page(p, new, "DELETE")[0], 405)
        holds(destinations(p, "list"), " pending ")
        equal(page(p, new, "POST")[0], 200)


@case
def one_that_has_expired_is_gone(program):
    """It was made ten days ago, for seven."""
    if shutil.which("faketime") is None:
        print("skipped: no faketime")
        return
    with Policyd(program) as p:
        (p.path / "state").mkdir()
        done = subprocess.run(
            ["faketime", "-f", "-10d", ONWARD, "destinations", "add", "--state",
             "state", "a@d.example"], cwd=p.path, capture_output=True,
            check=True, timeout=60,
            # A sanitizer wants to be loaded first; it need not be.
            env=dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "")
                     + ":verify_asan_link_order=0"))
        p.start(state="state")
        equal(page(p, done.stdout.decode().strip(), "POST")[0], 410)
        holds(destinations(p, "list"), " pending ")


@case
def without_a_state_there_is_no_such_page(program):
    with Policyd(program) as p:
        p.start()
        equal(page(p, "x")[0], 404)


case.main()
