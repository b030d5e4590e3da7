"""The servers of the matrix: how each is started, with a mailbox for all that
comes, and what it shows of DSN. `port` is for SMTP and STARTTLS, None where
there is LMTP only; a server's `lacks` says of a column why there is nothing to
run, and how that is known."""
import json
import os
import shutil
import socket

from matrix_mta import EximServer, PostfixServer
from matrix_private import Dovecot, OpenSmtpdServer
from matrix_world import NAME, PASSWORD, TOKEN, USER, Skip
from world import Failed, Process, free_port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))


class Server:
    """A server that runs as one process of ours and keeps what it gets as
    files N.eml in a folder, facts of the envelope in N.json."""
    lacks, marks = {}, {}
    port = tls_port = lmtp_port = None

    def __init__(self, world):
        self.world = world
        self.folder = os.path.join(world.folder,
                                   "server-" + self.name.split()[0].lower())
        os.makedirs(self.folder, mode=0o755)
        self.process = None

    def prepare(self):
        """Choose ports; (argv, environment or None)."""
        raise NotImplementedError

    def __enter__(self):
        argv, env = self.prepare()
        self.process = Process(argv, self.folder + "/log", env=env)

        def up():
            if not self.process.running():
                raise Failed(f"{self.name} ended: {self.process.tail()}")
            return all(greets_at(port) for port in
                       (self.port, self.lmtp_port) if port)
        try:
            wait_for(f"{self.name} to greet", up, 20)
        except Failed as e:
            self.process.stop()
            raise Failed(f"{e} {self.process.tail()}") from None
        return self

    def __exit__(self, *_):
        self.process.stop(3)

    def address(self, case):
        """Who gets the message."""
        return case.to

    def messages(self):
        found = []
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".eml"):
                with open(os.path.join(self.folder, name), "rb") as f:
                    found.append((name, f.read()))
        return found

    def message_with(self, mark, seconds=15):
        def look():
            return [m for _, m in self.messages() if mark in m]
        return wait_for(f"{mark!r} at {self.name}", look, seconds)[0]

    def dsn_seen(self, case):
        """What the server was told, from its own record."""
        name = [n for n, m in self.messages() if case.mark.encode() in m][0]
        with open(os.path.join(self.folder, name[:-4] + ".json")) as f:
            dsn = json.load(f)["dsn"]
        seen = []
        for key, want in (("notify", "SUCCESS,FAILURE"), ("orcpt", case.orcpt),
                          ("ret", "HDRS"), ("envid", case.envid)):
            if dsn.get(key) == want:
                seen.append(key.upper())
            elif dsn.get(key):
                raise Failed(f"{key} is {dsn[key]!r}, not {want!r}")
        if not seen:
            raise Failed(f"nothing of DSN was seen: {dsn}")
        return ", ".join(seen)


def greets_at(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
            s.settimeout(5)
            if not s.recv(512).startswith(b"220"):
                return False
            s.sendall(b"QUIT\r\n")
            s.recv(512)
            return True
    except OSError:
        return False


def three_ports():
    ports = []
    for _ in range(3):
        # free_port() alone would give the same one again.
        port = free_port() if not ports else ports[-1] + 1
        ports.append(port)
    return ports


class Aiosmtpd(Server):
    name = "aiosmtpd"

    def prepare(self):
        tree = "/usr/lib/python3/dist-packages"
        if not os.path.isdir(tree + "/aiosmtpd") or \
                not os.path.exists("/usr/bin/python3"):
            raise Skip("no python3-aiosmtpd")
        self.port, self.tls_port, self.lmtp_port = three_ports()
        order = {"ports": [self.port, self.tls_port, self.lmtp_port],
                 "identity": self.world.identity, "folder": self.folder,
                 "name": NAME, "user": USER, "password": PASSWORD}
        return (["/usr/bin/python3", HERE + "/matrix_peers/with_aiosmtpd.py",
                 json.dumps(order)], None)

    def version(self):
        with open(self.folder + "/version") as f:
            return f.read()


class SmtpServer(Server):
    name = "smtp-server (npm)"

    def prepare(self):
        modules = self.world.npm("smtp-server@3")
        self.port, self.tls_port, self.lmtp_port = three_ports()
        with open(modules + "/smtp-server/package.json") as f:
            self.release = json.load(f)["version"]
        order = {"ports": [self.port, self.tls_port, self.lmtp_port],
                 "identity": self.world.identity, "folder": self.folder,
                 "name": NAME, "user": USER, "password": PASSWORD,
                 "token": TOKEN}
        return (["node", HERE + "/matrix_peers/smtp_server.js",
                 json.dumps(order)], dict(os.environ, NODE_PATH=modules))

    def version(self):
        return self.release


class Haraka(Server):
    name = "Haraka"
    lacks = {"LMTP": "Haraka hands mail on by LMTP and takes none by it"}

    def prepare(self):
        modules = self.world.npm("Haraka@3")
        with open(modules + "/Haraka/package.json") as f:
            self.release = json.load(f)["version"]
        self.port, self.tls_port, _ = three_ports()
        cert, key = self.world.identity
        for folder in ("config", "plugins"):
            os.makedirs(os.path.join(self.folder, folder))
        shutil.copy(HERE + "/matrix_peers/haraka_keep.js",
                    self.folder + "/plugins/keep.js")
        for name, text in (
                ("smtp.ini", f"listen=127.0.0.1:{self.port},"
                 f"127.0.0.1:{self.tls_port}\nsmtps_port={self.tls_port}\n"),
                ("connection.ini", "[main]\nsmtputf8=true\n[message]\n"
                 "[haproxy]\n[headers]\n[max]\n[uuid]\n"),
                ("plugins", "tls\nauth/flat_file\nkeep\n"),
                ("me", NAME + "\n"),
                ("tls.ini", f"key={key}\ncert={cert}\n"),
                ("auth_flat_file.ini",
                 f"[core]\nmethods=PLAIN,LOGIN\n[users]\n"
                 f"{USER}={PASSWORD}\n")):
            with open(f"{self.folder}/config/{name}", "w") as f:
                f.write(text)
        return (["node", modules + "/Haraka/bin/haraka", "-c", self.folder],
                dict(os.environ, NODE_PATH=modules, KEEP_FOLDER=self.folder))

    def version(self):
        return self.release


PEERS = {peer.name: peer for peer in
         (PostfixServer, EximServer, OpenSmtpdServer, Dovecot, Aiosmtpd,
          SmtpServer, Haraka)}
