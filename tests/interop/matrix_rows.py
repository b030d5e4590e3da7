"""The rows of the matrix: what is brought for each column, and what must have
been seen for its cell."""
import re
import smtplib
import socket
import ssl
import subprocess
import time

from matrix_world import NAME, PASSWORD, TOKEN, USER, Lacks, Skip, same
from tap import Tap
from tools import send
from world import Failed

COLUMNS = ["plain", "STARTTLS", "implicit TLS", "SMTPUTF8", "BDAT",
           "BINARYMIME", "DSN", "AUTH", "pipelining", "LMTP"]
REPLY_DELAY = 0.03  # s, see tap.py


# ---- Clients at our sink ---------------------------------------------------

class ClientRow:
    """The cells of one client; send(port, case) brings a message."""

    def __init__(self, world, client):
        self.world, self.client = world, client
        self.notes = []
        self.used = None  # (tap, first talk of it, envelope) of `plain`

    def through(self, case, sink="smtp"):
        """The envelope at the sink; its message is as it was sent."""
        tap = self.world.taps[sink]
        since = len(tap.talks)
        self.client.send(tap.port, case)
        envelope, got = self.world.sinks[sink].next()
        if not same(got, case.message()):
            raise Failed(f"the message was changed: {got!r}")
        # The submitter of the message, as the peer has it.
        if envelope["mail"]["from"] != case.sender or \
                [r["to"] for r in envelope["rcpt"]] != [case.to]:
            raise Failed(f"another envelope: {envelope}")
        return envelope, since

    def plain(self):
        tap = self.world.taps["smtp"]
        tap.delay = REPLY_DELAY
        envelope, since = self.through(self.world.case())
        tap.delay = 0
        if envelope["tls"]:
            raise Failed("it was under TLS")
        self.used = (tap, since, envelope)
        return "yes"

    def starttls(self):
        envelope, _ = self.through(self.world.case(tls="starttls"))
        if not envelope["tls"]:
            raise Failed("it was not under TLS")
        return "yes"

    def implicit_tls(self):
        self.through(self.world.case(tls="implicit"), "tls")
        return "yes"

    def smtputf8(self):
        tap = self.world.taps["smtp"]
        since = len(tap.talks)
        try:
            envelope, _ = self.through(self.world.case(utf8=True))
        except Failed:
            # Refused, as it named such an address and did not say so?
            said = re.search(rb"^MAIL FROM:<[^>]*[\x80-\xff][^>]*>(.*)\r$",
                             tap.said(since), re.M | re.I)
            if said and b"SMTPUTF8" not in said[1].upper():
                return "not used"
            raise
        if not envelope["mail"]["smtputf8"]:
            raise Failed("MAIL had no SMTPUTF8")
        return "yes"

    def bdat(self):
        tap, since, _ = self.used
        return "yes" if tap.used_bdat(since) else "uses DATA"

    def binarymime(self):
        _, _, envelope = self.used
        return "yes" if envelope["mail"]["body"] == "BINARYMIME" else "not used"

    def dsn(self):
        case = self.world.case(dsn=True)
        envelope, _ = self.through(case)
        mail, rcpt = envelope["mail"], envelope["rcpt"][0]
        seen = []
        for name, got, want in (
                ("NOTIFY", rcpt["notify"], ["SUCCESS", "FAILURE"]),
                ("ORCPT", rcpt["orcpt"], case.orcpt),
                ("RET", mail["ret"], "HDRS"),
                ("ENVID", mail["envid"], case.envid)):
            if got == want:
                seen.append(name)
            elif got:
                raise Failed(f"{name} is {got!r}, not {want!r}")
        if not seen:
            raise Failed(f"no parameter came: {envelope}")
        return ", ".join(seen)

    def auth(self):
        good = []
        for name in self.client.mechanisms:
            envelope, _ = self.through(self.world.case(auth=name,
                                                       tls="starttls"))
            if envelope["auth"] != name or envelope["user"] != USER:
                raise Failed(f"{name}: {envelope['auth']}")
            good.append(name)
        return ", ".join(good)

    def pipelining(self):
        tap, since, _ = self.used
        return "yes" if tap.was_pipelined(since) else "in step"

    def lmtp(self):
        self.through(self.world.case(lmtp=True), "lmtp")
        return "yes"


# ---- Our client at servers -------------------------------------------------

def offers(port, lmtp, tls):
    """{keyword: parameters} that a server offers, asked without our code."""
    kind = smtplib.LMTP if lmtp else smtplib.SMTP
    with kind("127.0.0.1", port, local_hostname="client.test") as s:
        s.timeout = 10
        s.ehlo()
        if tls:
            context = ssl._create_unverified_context()
            s.starttls(context=context)
            s.ehlo()
        return {k.upper(): v for k, v in s.esmtp_features.items()}


def handshake_fails(port):
    """Whether TLS from the first octet fails without our code, too."""
    context = ssl._create_unverified_context()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            context.wrap_socket(s).close()
    except (ssl.SSLError, ConnectionError):
        return True
    return False


class ServerRow:
    """The cells of one server."""

    def __init__(self, world, server):
        self.world, self.server = world, server
        self.is_lmtp = server.port is None
        port = server.lmtp_port if self.is_lmtp else server.port
        self.tap = Tap(port)
        self.offered = offers(port, self.is_lmtp, False)
        self.notes, self.offered_tls, self.is_broken = [], {}, False
        if "STARTTLS" in self.offered:
            try:
                self.offered_tls = offers(port, self.is_lmtp, True)
            except ssl.SSLError as e:
                self.is_broken = True
                self.notes.append(f"{server.name}: its TLS fails with "
                                  f"Python's ssl, too ({e.reason}).")
        self.passwords = [world.file("password", PASSWORD + "\n"),
                          world.file("token", TOKEN + "\n")]

    def demand(self, keyword, offered=None):
        if keyword not in (self.offered if offered is None else offered):
            raise Lacks

    def through(self, case, *options, port=None, lmtp=None):
        """onward-send's facts; the message is in the mailbox as it was sent."""
        case.to = self.server.address(case)
        message = case.message()
        is_lmtp = self.is_lmtp if lmtp is None else lmtp
        sent = send(self.world.args.send, message, "--raw", "--from",
                    case.sender, "--to", case.to, "--timeout", "30",
                    *(["--lmtp"] if is_lmtp else []),
                    *(["--smtputf8"] if case.utf8 else []),
                    *(["--body", "binarymime" if case.binary else "8bitmime"]
                      if "8BITMIME" in self.offered or case.binary else []),
                    *options, f"127.0.0.1:{port or self.tap.port}")
        if sent.status != 0:
            raise Failed(f"onward-send {' '.join(options)}: {sent.status} "
                         f"{sent.text}{sent.said}")
        got = self.server.message_with(f"X-Mark: {case.mark}\r\n".encode())
        if not same(got, message):
            raise Failed(f"the message was changed: {got!r}")
        return sent.facts

    def plain(self):
        self.through(self.world.case(), "--tls", "none")
        return "yes"

    def starttls(self):
        self.demand("STARTTLS")
        if self.is_broken:
            return "broken"
        facts = self.through(self.world.case(), "--trust",
                             self.world.authority.anchor, "--tls-name", NAME)
        if not facts["verified"]:
            raise Failed("not verified")
        return "yes"

    def implicit_tls(self):
        if self.server.tls_port is None:
            raise Lacks
        if self.is_broken and handshake_fails(self.server.tls_port):
            return "broken"
        self.through(self.world.case(), "--implicit-tls", "--trust",
                     self.world.authority.anchor, "--tls-name", NAME,
                     port=self.server.tls_port)
        return "yes"

    def smtputf8(self):
        self.demand("SMTPUTF8")
        self.through(self.world.case(utf8=True), "--tls", "none")
        return "yes"

    def bdat(self):
        self.demand("CHUNKING")
        since = len(self.tap.talks)
        self.through(self.world.case(), "--tls", "none", "--bdat")
        if not self.tap.used_bdat(since):
            raise Failed("DATA was used")
        return "yes"

    def binarymime(self):
        self.demand("BINARYMIME")
        self.through(self.world.case(binary=True), "--tls", "none")
        return "yes"

    def dsn(self):
        self.demand("DSN")
        case = self.world.case(dsn=True)
        self.through(case, "--tls", "none", "--notify", "success", "--notify",
                     "failure", "--orcpt", case.orcpt, "--ret", "hdrs",
                     "--envid", case.envid)
        return self.server.dsn_seen(case)

    def auth(self):
        offered = {**self.offered, **self.offered_tls}.get("AUTH", "").split()
        if not offered:
            if self.is_broken:
                return "broken"  # as it may be offered under TLS
            raise Lacks
        good = []
        for name in ("PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER",
                     "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
            if name not in offered:
                continue
            is_token = name in ("XOAUTH2", "OAUTHBEARER")
            facts = self.through(
                self.world.case(), "--tls", "must", "--auth", name, "--user",
                USER, "--token-file" if is_token else "--password-file",
                self.passwords[is_token])
            if facts["auth"] != name:
                raise Failed(f"logged in by {facts['auth']}, not {name}")
            good.append(name)
        return ", ".join(good)

    def pipelining(self):
        self.demand("PIPELINING")
        since = len(self.tap.talks)
        self.tap.delay = REPLY_DELAY
        self.through(self.world.case(), "--tls", "none")
        self.tap.delay = 0
        if not self.tap.was_pipelined(since):
            raise Failed("it was not pipelined")
        return "yes"

    def lmtp(self):
        if self.server.lmtp_port is None:
            raise Lacks
        self.through(self.world.case(), "--tls", "none", lmtp=True,
                     port=self.server.lmtp_port)
        return "yes"


# ---- A row -----------------------------------------------------------------

class Row:
    def __init__(self, name, version, cells, notes, failures):
        self.name, self.version, self.cells = name, version, cells
        self.notes, self.failures = notes, failures


def run_row(peer, row, lacking):
    cells, notes, failures = {}, [], []
    for column in COLUMNS:
        why = peer.lacks.get(column)
        if why:
            cells[column] = "none"
            notes.append(f"{peer.name}, {column}: {why}.")
            continue
        method = getattr(row, column.lower().replace(" ", "_"))
        try:
            cells[column] = method() + peer.marks.get(column, "")
        except Lacks:
            cells[column] = lacking
        except (Failed, OSError, subprocess.SubprocessError,
                smtplib.SMTPException) as e:
            cells[column] = "fails"
            failures.append(f"{peer.name}, {column}: {e}")
    return Row(peer.name, peer.version(), cells, notes + row.notes, failures)


def run_peer(world, kind, make):
    """A Row, or the reason for there being none."""
    start = time.monotonic()
    try:
        with make(world) as peer:
            if kind == "clients":
                row = run_row(peer, ClientRow(world, peer), "none")
            else:
                row = run_row(peer, ServerRow(world, peer), "not offered")
    except Skip as e:
        return str(e)
    except (Failed, OSError, subprocess.SubprocessError,
            smtplib.SMTPException) as e:
        # It is here, and does not run.
        row = Row(make.name, "-", {c: "fails" for c in COLUMNS}, [],
                  [f"{make.name}: {e}"])
    print(f"# {kind}: {row.name} {row.version}: "
          f"{time.monotonic() - start:.1f} s", flush=True)
    return row
