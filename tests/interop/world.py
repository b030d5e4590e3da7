"""What the interop programs share: free ports, a temporary folder that others
may enter, certificates, processes that end, and waits that end."""
import base64
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time


class Failed(Exception):
    """Something that must work did not; its text says what."""


def wait_for(what, check, seconds=30.0, step=0.05):
    """check()'s first true value; Failed when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"waited {seconds:g} s in vain for {what}")
        time.sleep(step)


def free_port(*addresses):
    """A port that is free on each of these addresses, and below those that the
    kernel hands out by itself."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        held = []
        try:
            for address in addresses or ("127.0.0.1",):
                s = socket.socket()
                held.append(s)
                s.bind((address, port))
            return port
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise Failed("no free port")


def greets(address, port):
    """Whether an SMTP server answers there."""
    try:
        with socket.create_connection((address, port), timeout=2) as s:
            s.settimeout(5)
            if not s.recv(512).startswith(b"220"):
                return False
            s.sendall(b"QUIT\r\n")
            s.recv(512)
            return True
    except OSError:
        return False


class Folder:
    """A temporary folder, readable by the users that the servers run as; stays
    when ONWARD_KEEP is set, to look at logs."""

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix=f"onward-{name}-")
        os.chmod(self.path, 0o755)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        if not os.environ.get("ONWARD_KEEP"):
            shutil.rmtree(self.path, ignore_errors=True)


class Process:
    """A child in a session of its own, ended as a whole group."""

    def __init__(self, argv, log, env=None, stdout=None, cwd=None):
        self.log = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stdout or out,
                stderr=out, env=env, cwd=cwd, start_new_session=True)

    def running(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.running():
            os.kill(self.child.pid, number)

    def stop(self, seconds=10):
        """Ask it to end, then make it; its exit status."""
        self.signal(signal.SIGTERM)
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        try:
            # Children of a server that ended first, too.
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.child.wait()

    def tail(self, lines=30):
        try:
            with open(self.log, errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except OSError:
            return ""


def _openssl(*argv):
    got = subprocess.run(["openssl", *argv], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True)
    if got.returncode != 0:
        raise Failed("openssl: " + got.stdout.strip())


class Authority:
    """A certificate authority of two days' life."""

    def __init__(self, folder):
        self.folder = folder
        self.anchor = os.path.join(folder, "ca.pem")
        self._key = os.path.join(folder, "ca.key")
        _openssl("req", "-x509", "-newkey", "ec",
                 "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=onward interop CA", "-keyout", self._key,
                 "-out", self.anchor)

    def certify(self, name, rsa=False, also=()):
        """(certificate file, key file) for a host name, and others."""
        kind = (["rsa:2048"] if rsa else
                ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        base = os.path.join(self.folder, name + (".rsa" if rsa else ""))
        cert, key = base + ".pem", base + ".key"
        _openssl("req", "-x509", "-newkey", *kind, "-nodes", "-days", "2",
                 "-CA", self.anchor, "-CAkey", self._key,
                 "-subj", "/CN=" + name,
                 "-addext", "subjectAltName=" + ",".join(
                     "DNS:" + n for n in (name, *also)),
                 "-addext", "basicConstraints=critical,CA:false",
                 "-keyout", key, "-out", cert)
        os.chmod(key, 0o644)  # servers drop root before they read it
        return cert, key


class SigningKey:
    """An RSA key pair: a PEM file, and the TXT record to publish."""

    def __init__(self, folder, domain, selector, bits=2048):
        self.domain, self.selector = domain, selector
        self.file = os.path.join(folder, f"{selector}.{domain}.pem")
        _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt",
                 f"rsa_keygen_bits:{bits}", "-out", self.file)
        der = subprocess.run(
            ["openssl", "pkey", "-in", self.file, "-pubout",
             "-outform", "DER"], stdout=subprocess.PIPE, check=True).stdout
        text = "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()
        # A string of a TXT record holds 255 octets.
        strings = " ".join(f'"{text[i:i + 250]}"'
                           for i in range(0, len(text), 250))
        self.record = (f"{selector}._domainkey.{domain}. 300 IN TXT {strings}")
