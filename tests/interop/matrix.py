#!/usr/bin/env python3
"""Which programs of others work with ours, by which extensions: clients at
onward-sink, onward-send at servers, on loopback, a message a cell.

    matrix.py --sink SINK --send SEND --cache DIR [--only NAME] [--write]

A cell is written when a message came through octet for octet and with the facts
that the column is about, or when it was seen that the peer does not offer it.
Fails when doc/interop.md says otherwise; --write writes that page. Peers that
cannot be had here are skipped, and keep what the page says of them. Exit status
77: none could be had. ($ONWARD_DEBS, if set, goes before --cache.)
"""
import argparse
import itertools
import os
import pathlib
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import time

import debs
from tap import Tap
from tools import Sink, send
from world import Authority, Failed, Folder, wait_for

PAGE = pathlib.Path(__file__).resolve().parents[2] / "doc/interop.md"
COLUMNS = ["plain", "STARTTLS", "implicit TLS", "SMTPUTF8", "BDAT",
           "BINARYMIME", "DSN", "AUTH", "pipelining", "LMTP"]
USER, PASSWORD, TOKEN = "tim", "tanstaaf", "to.ken"
NAME = "mx.matrix.test"
REPLY_DELAY = 0.03


class Lacks(Exception):
    """The peer was seen to have no such thing."""


class Skip(Exception):
    """The peer cannot be had here."""


class Case:
    """A message to bring, and how."""

    def __init__(self, mark, tls=None, auth=None, dsn=False, utf8=False,
                 lmtp=False, binary=False):
        self.mark, self.tls, self.auth = mark, tls, auth
        self.dsn, self.utf8, self.lmtp, self.binary = dsn, utf8, lmtp, binary
        self.sender = "bärbel@sender.test" if utf8 else "ann@sender.test"
        self.to = "jürgen@matrix.test" if utf8 else "bob@matrix.test"
        self.envid = f"{mark}+1"
        self.orcpt = f"rfc822;first+{mark}@matrix.test"

    def message(self):
        subject = "Grüße" if self.utf8 else "matrix"
        head = (f"From: {self.sender}\r\nTo: {self.to}\r\n"
                f"Subject: {subject}\r\n"
                "Date: Mon, 09 Nov 2026 10:00:00 +0000\r\n"
                f"Message-ID: <{self.mark}@sender.test>\r\n"
                f"X-Mark: {self.mark}\r\nMIME-Version: 1.0\r\n")
        if self.binary:
            return (head + "Content-Type: application/octet-stream\r\n"
                    "Content-Transfer-Encoding: binary\r\n\r\n").encode() + \
                bytes(range(256)) + b"\n.\r\nno line at the end"
        return (head + "Content-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\n"
                "Zwölf Boxkämpfer\r\n.\r\n..\r\n.dot\r\nspaces  \r\n\t\r\n"
                f"From here\r\n{'x' * 990}\r\n\r\nend\r\n").encode()


def same(got, want):
    """Whether got is want behind trace fields only."""
    if not got.endswith(want):
        return False
    return re.fullmatch(rb"([A-Za-z-]+:[^\r\n]*\r\n([ \t][^\r\n]*\r\n)*)*",
                        got[:len(got) - len(want)]) is not None


class World:
    """What all peers share: a folder, an authority, marks, our sinks."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.cache = os.environ.get("ONWARD_DEBS") or args.cache
        os.makedirs(self.cache, exist_ok=True)
        self.authority = Authority(folder)
        self.identity = self.authority.certify(NAME)
        self.marks = itertools.count(1)
        self.sinks, self.taps = {}, {}
        self.npm_folder = None

    def case(self, **more):
        return Case(f"m{os.getpid()}n{next(self.marks)}", **more)

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return path

    def tree(self, package):
        try:
            return debs.unpack(package, self.cache)
        except debs.Unavailable as e:
            raise Skip(str(e)) from None

    def npm(self, *packages):
        """A NODE_PATH that has them."""
        for tool in ("node", "npm"):
            if not shutil.which(tool):
                raise Skip(f"no {tool}")
        folder = os.path.join(self.cache, "npm-" + "-".join(
            re.sub(r"\W", "", p) for p in packages))
        if not os.path.isdir(folder + "/node_modules"):
            os.makedirs(folder, exist_ok=True)
            # A mirror may lack what was published last, so look back then.
            before = time.strftime("%Y-%m-%d",
                                   time.gmtime(time.time() - 45 * 86400))
            for more in ([], ["--before=" + before]):
                got = subprocess.run(
                    ["npm", "install", "--prefix", folder, "--no-audit",
                     "--no-fund", "--ignore-scripts", "--omit=optional", *more,
                     *packages],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True,
                    timeout=120)
                if got.returncode == 0:
                    break
            else:
                why = re.findall(r"npm error (?:notarget )?(.*)", got.stderr)
                raise Skip(f"npm install {' '.join(packages)}: " +
                           (why[1] if len(why) > 1 else "failed"))
        return folder + "/node_modules"

    def __enter__(self):
        tls = ["--certificate", self.identity[0], "--key", self.identity[1]]
        login = ["--user", f"{USER}:{PASSWORD}", "--token", f"{USER}:{TOKEN}"]
        for name, options in (
                ("smtp", ["--tls", "offer", *tls, *login]),
                ("tls", ["--tls", "implicit", *tls, *login]),
                ("lmtp", ["--mode", "lmtp", "--tls", "offer", *tls])):
            sink = Sink(self.args.sink, f"{self.folder}/sink-{name}", "--name",
                        NAME, "--trace", *options)
            sink.start()
            self.sinks[name] = sink
            self.taps[name] = Tap(sink.port)
        return self

    def __exit__(self, *_):
        for name, sink in self.sinks.items():
            self.taps[name].__exit__()
            sink.process.stop()


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


# ---- The table -------------------------------------------------------------

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
    except (Failed, OSError, smtplib.SMTPException) as e:
        # It is here, and does not run.
        row = Row(make.name, "-", {c: "fails" for c in COLUMNS}, [],
                  [f"{make.name}: {e}"])
    print(f"# {kind}: {row.name} {row.version}: "
          f"{time.monotonic() - start:.1f} s", flush=True)
    return row


def read_page():
    """{(kind, name): (version, {column: cell})} as the page has it."""
    found, kind = {}, None
    if not PAGE.exists():
        return found
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            kind = {"Clients": "clients", "Servers": "servers"}.get(
                line[3:].split()[0])
        cells = [c.strip() for c in line.strip("|").split("|")]
        if kind and line.startswith("| ") and len(cells) == len(COLUMNS) + 2 \
                and cells[0] != "peer":
            found[kind, cells[0]] = (cells[1], dict(zip(COLUMNS, cells[2:])))
    return found


def page_notes():
    if not PAGE.exists():
        return []
    return [line[2:] for line in PAGE.read_text().splitlines()
            if line.startswith("- ")]


HEAD = """\
# Interop

<!-- Written by tests/interop/matrix.py --write; the test fails when it differs
from what is seen. -->

Each cell is a message that went through and was the same afterwards, octet for
octet behind the fields that a relay puts before it, with the facts that the
column is about: `yes`, or what was seen. The messages have lines that begin
with dots, trailing spaces, 8-bit characters and a line of 990 characters.

- `not offered`: the server's EHLO (LHLO) does not offer it.
- `not used`, `uses DATA`, `in step`: we offered it, and the client brought the
  message (or tried to, with a UTF-8 address) in another way.
- `none`: there is no such thing in the peer; see the notes.
- `broken`: the peer's TLS does not work with others either; see the notes.
- `not run`: this peer could not be had where the page was written; see there.

None of these peers has BINARYMIME: tests/interop/programs.py has our two
programs do it with each other. In the columns STARTTLS and implicit TLS the
client checks the certificate's chain, but for OpenSMTPD's.
"""


def table(kind, rows):
    lines = ["| peer | version | " + " | ".join(COLUMNS) + " |",
             "|" + " --- |" * (len(COLUMNS) + 2)]
    for name, (version, cells) in rows.items():
        lines.append(f"| {name} | {version} | " +
                     " | ".join(cells[c] for c in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def write_page(results, peers):
    old, old_notes = read_page(), page_notes()
    parts, notes = [HEAD], []
    for kind, title in (("clients", "Clients at onward-sink"),
                        ("servers", "Servers behind onward-send")):
        rows = {}
        for name in peers[kind]:
            got = results.get((kind, name))
            if isinstance(got, Row):
                rows[name] = (got.version, got.cells)
                notes += got.notes
            elif (kind, name) in old and old[kind, name][0] != "-":
                rows[name] = old[kind, name]
                notes += [n for n in old_notes
                          if n.startswith((name + ",", name + ":"))]
            else:
                rows[name] = ("-", {c: "not run" for c in COLUMNS})
                notes.append(f"{name}, not run: {got}.")
        parts.append(f"\n## {title}\n\n" + table(kind, rows))
    notes = list(dict.fromkeys(notes))
    if notes:
        parts.append("\n## Notes\n\n" + "".join(f"- {n}\n" for n in notes))
    PAGE.write_text("".join(parts))


def differences(results):
    old = read_page()
    for (kind, name), row in results.items():
        if not isinstance(row, Row):
            continue
        _, cells = old.get((kind, name), ("", {}))
        for column in COLUMNS:
            got, want = row.cells[column], cells.get(column, "nothing")
            if got != want:
                yield (f"{kind}: {name}, {column}: seen: {got}, "
                       f"doc/interop.md: {want}")


def main():
    import matrix_clients
    import matrix_servers
    parser = argparse.ArgumentParser()
    parser.add_argument("--sink", required=True)
    parser.add_argument("--send", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    peers = {"clients": matrix_clients.PEERS, "servers": matrix_servers.PEERS}
    results = {}
    with Folder("matrix") as folder, World(args, folder) as world:
        for kind in peers:
            for name, make in peers[kind].items():
                if args.only.lower() not in f"{kind} {name}".lower():
                    continue
                results[kind, name] = run_peer(world, kind, make)
                if isinstance(results[kind, name], str):
                    print(f"skip {kind}: {name}: {results[kind, name]}",
                          flush=True)
    rows = [r for r in results.values() if isinstance(r, Row)]
    for row in rows:
        for failure in row.failures:
            print("not ok " + failure)
    if args.write:
        write_page(results, peers)
    faults = list(differences(results))
    for fault in faults:
        print("not ok " + fault)
    cells = sum(len(r.cells) for r in rows)
    print(f"{cells} cells of {len(rows)} peers, {len(faults)} differ, "
          f"{sum(len(r.failures) for r in rows)} fail")
    if any(r.failures for r in rows) or faults:
        return 1
    return 0 if rows else 77


if __name__ == "__main__":
    # The other modules import this one by its name.
    sys.modules["matrix"] = sys.modules["__main__"]
    sys.exit(main())
