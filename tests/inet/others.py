"""The same mail by Postfix, with its DANE client and with the policies that
postfix-mta-sts-resolver gives it."""
import os
import re
import shutil
import smtplib
import socket
import time

import debs
import net
import peers
from world import Failed, Process, wait_for

STS_PORT = 8461
STS_PACKAGES = (
    "postfix-mta-sts-resolver", "python3-aiodns", "python3-pycares",
    "python3-aiohttp", "python3-aiosignal", "python3-async-timeout",
    "python3-attr", "python3-charset-normalizer", "python3-frozenlist",
    "python3-multidict", "python3-yarl", "python3-yaml", "python3-idna")
SYSTEM_PYTHON = "/usr/bin/python3"
PORT, MAPS_PORT, MAPPED_PORT = 2525, 8462, 2526
AT = f"socketmap:inet:127.0.0.1:{MAPS_PORT}:"
OUR_MAPS = {"smtp_tls_policy_maps": AT + "mta-sts",
            "sender_canonical_maps": AT + "srs-forward",
            "sender_canonical_classes": "envelope_sender"}


def unpack(cache):
    """Both, or debs.Unavailable."""
    debs.unpack("postfix", cache)
    if not os.path.exists(SYSTEM_PYTHON):
        raise debs.Unavailable(f"no {SYSTEM_PYTHON}")
    for name in STS_PACKAGES:
        debs.unpack(name, cache)


class StsResolver:
    """postfix-mta-sts-resolver, asked as Postfix asks it."""

    def __init__(self, folder, cache, anchor):
        os.makedirs(folder)
        path = os.path.join(folder, "mta-sts.yml")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"host: 127.0.0.1\nport: {STS_PORT}\n"
                    "cache:\n  type: internal\n  options:\n"
                    "    cache_size: 10000\n"
                    "default_zone:\n  strict_testing: false\n  timeout: 8\n"
                    "  require_sni: true\n")
        paths = [f"{cache}/{name}/usr/lib/python3/dist-packages"
                 for name in STS_PACKAGES]
        self.argv = [SYSTEM_PYTHON, "-c",
                     "from postfix_mta_sts_resolver.daemon import main; main()",
                     "-c", path, "-v", "warn"]
        self.env = {"PYTHONPATH": ":".join(paths), "SSL_CERT_FILE": anchor,
                    "PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": ":".join(
                        debs.library_path(f"{cache}/{name}")
                        for name in STS_PACKAGES)}
        self.log = os.path.join(folder, "log")

    def __enter__(self):
        self.process = Process(self.argv, self.log, env=self.env)

        def up():
            if not self.process.running():
                raise Failed("mta-sts-daemon ended: " + self.process.tail())
            try:
                socket.create_connection(("127.0.0.1", STS_PORT), 2).close()
                return True
            except OSError:
                return False
        try:
            wait_for("mta-sts-daemon", up, 20)
        except Failed:
            self.process.stop()
            raise
        return self

    def __exit__(self, *_):
        self.process.stop(2)

    @staticmethod
    def verdict(domain):
        """What Postfix is told of a domain: the words behind OK, or ""."""
        question = f"postfix {domain}".encode()
        with socket.create_connection(("127.0.0.1", STS_PORT), 30) as s:
            s.sendall(b"%d:%s," % (len(question), question))
            got = b""
            while not got.endswith(b","):
                more = s.recv(4096)
                if not more:
                    break
                got += more
        text = got.split(b":", 1)[-1].rstrip(b",").decode()
        return text[3:] if text.startswith("OK ") else ""


class Socketmap:
    """Our own program in the place of that, with all that Postfix can use."""

    def __init__(self, program, folder, anchor, dns_anchor):
        os.makedirs(folder)
        self.argv = [program, "--config", folder + "/socketmap.conf"]
        self.log = folder + "/out"
        with open(folder + "/secret", "w", encoding="ascii") as f:
            f.write("of the local internet\n")
        with open(folder + "/socketmap.conf", "w", encoding="ascii") as f:
            f.write(f"listen = 127.0.0.1:{MAPS_PORT}\nstate = state\n"
                    f"trust = {anchor}\nresolver = {net.PLAIN}\n"
                    f"resolver_anchor = {dns_anchor}\n"
                    "dane = yes\nexact = yes\n"
                    "srs_domain = srs.sec.example\nsrs_secret = secret\n"
                    "log = log.json\n")

    def __enter__(self):
        self.process = Process(self.argv, self.log)

        def up():
            if not self.process.running():
                raise Failed("onward-socketmap ended: " + self.process.tail())
            return "ready" in self.process.tail()
        try:
            wait_for("onward-socketmap", up, 20)
        except Failed:
            self.process.stop()
            raise
        return self

    def __exit__(self, kind, *_):
        status = self.process.stop(20)
        if kind is None and status != 0:
            raise Failed(f"onward-socketmap ended with {status}: " +
                         self.process.tail())


class Postfix(peers.Postfix):
    """Sends to wherever DNS says."""

    def __init__(self, folder, cache, anchor, port=PORT, maps=None):
        self.anchor, self.maps = anchor, maps or {
            "smtp_tls_policy_maps":
                f"socketmap:inet:127.0.0.1:{STS_PORT}:postfix"}
        super().__init__("mx.fwd.example", cache, folder, "127.0.0.1", port)

    def prepare(self, cache):
        super().prepare(cache)
        # What it changes root into.
        for name in ("resolv.conf", "services", "hosts", "nsswitch.conf"):
            target = os.path.join(self.folder, "queue/etc", name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.exists("/etc/" + name):
                shutil.copy("/etc/" + name, target)

    def main_cf(self, tree, queue):
        text = "".join(line + "\n"
                       for line in super().main_cf(tree, queue).splitlines()
                       if not line.startswith(("virtual_", "smtp_dns_support",
                                               "smtp_host_lookup",
                                               "smtp_tls_security_level",
                                               "queue_run", "minimal_",
                                               "maximal_")))
        return text + "".join(f"{k} = {v}\n" for k, v in {
            "smtp_dns_support_level": "dnssec",
            "smtp_host_lookup": "dns",
            "smtp_tls_security_level": "dane",
            **self.maps,
            "smtp_tls_CAfile": self.anchor,
            "smtp_address_preference": "ipv6",
            "smtp_connect_timeout": "5s",
            "smtp_helo_timeout": "20s", "smtp_starttls_timeout": "20s",
            # Clear text after TLS that failed is for the second time round.
            "minimal_backoff_time": "3s", "maximal_backoff_time": "4s",
            "queue_run_delay": "3s",
            "smtp_destination_concurrency_limit": "20",
            "default_process_limit": "60",
        }.items())


def submit(scenarios, rcpt_of, port=PORT, sender=""):
    """Put one message for each into its queue."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="sender.sec.example",
                      timeout=60) as s:
        for scenario in scenarios:
            rcpt = rcpt_of(scenario)
            # A null sender: no bounces about bounces.
            s.sendmail(sender, [rcpt], f"From: ann@sender.sec.example\r\n"
                       f"To: {rcpt}\r\nSubject: Postfix\r\n\r\nhello\r\n")


class Results:
    """What its log says."""

    def __init__(self, path):
        self.status, self.level, self.why = {}, {}, {}
        secure = {}
        with open(path, errors="replace", encoding="utf-8") as f:
            for line in f:
                tls = re.search(r"smtp\[(\d+)\]: (\w+) TLS connection "
                                r"established to ([^\[]+)", line)
                if tls:
                    secure[tls[1]] = (tls[3], tls[2])
                got = re.search(r"\[(\d+)\]: \w+: to=<([^>]+)>, .*relay="
                                r"([^\[,]+).*status=(\w+) \((.*)\)", line)
                if got:
                    pid, rcpt, relay, status, why = got.groups()
                    self.status[rcpt], self.why[rcpt] = status, why
                    at, level = secure.get(pid, (None, None))
                    self.level[rcpt] = level if at == relay else None

    def word(self, rcpt):
        """"plain", "tls", "proven", "defer", "bounce" or None."""
        status = self.status.get(rcpt)
        if status == "sent":
            level = self.level[rcpt]
            return ("plain" if level is None else
                    "proven" if level == "Verified" else "tls")
        return {"deferred": "defer", "bounced": "bounce"}.get(status)


def results(path, rcpts, seconds):
    """Wait until all have an end, or have been tried more than once."""
    end = time.monotonic() + seconds
    while True:
        found = Results(path)
        if all(r in found.status for r in rcpts) or time.monotonic() > end:
            return found
        time.sleep(0.5)


def read_differences(path):
    """{(who, key): (ours, theirs)}; a line is WHO | SCENARIO | OURS | THEIRS |
    WHY."""
    found = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                who, key, ours, theirs, why = [
                    field.strip() for field in line.split("|", 4)]
                if not why or (who, key) in found:
                    raise ValueError(line)
                found[(who, key)] = (ours, theirs)
    return found


def why_not(cache):
    """Why none of both can run here, or None."""
    try:
        unpack(cache)
    except debs.Unavailable as e:
        return str(e)
    return None


def why_not_postfix():
    """Why Postfix cannot, or None."""
    return ("Postfix needs a real root" if net.is_mapped() else
            peers.why_not())
