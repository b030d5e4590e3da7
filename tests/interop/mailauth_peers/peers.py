"""Who takes part: this library's command line tool and the others, all behind
the same questions.

    sign(message, case, key)    the field with its CRLF, or Refused
    verify(message, selector)   "pass", or "fail" and a reason
    seal(message, key, cv)      the ARC set with its CRLFs, or Refused; cv None:
                                as the peer itself finds the chain to be
    chain(message)              "none", "pass", or "fail" and a reason

A peer in another language is a program that reads lines of words parted by tabs
and answers each with one line:

    sign MESSAGE OUT KEY SELECTOR ALGORITHM HEADER/BODY    ok | fail REASON
    verify MESSAGE SELECTOR                                pass | fail REASON
    seal MESSAGE OUT KEY SELECTOR ALGORITHM ID CV          ok | fail REASON
    chain MESSAGE                                          none | pass | fail REASON

A constructor raises Missing when its software is not here.
"""
import base64
import http.client
import json
import pathlib
import re
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import debs  # noqa: E402

DOMAIN = "example.org"
AUTHSERV_ID = "mx.example.org"


class Missing(Exception):
    pass


class Refused(Exception):
    pass


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, capture_output=True,
                          check=True).stdout


class Key:
    def __init__(self, folder, kind):
        self.kind, self.selector = kind, kind + "1"
        self.algorithm = kind + "-sha256"
        self.path = folder / f"{kind}.pem"
        if kind == "rsa":
            self.pem = openssl("genrsa", "-traditional", "2048")
            public = openssl("rsa", "-pubout", "-outform", "DER",
                             data=self.pem)
        else:
            self.pem = openssl("genpkey", "-algorithm", "ed25519")
            self.seed = openssl("pkey", "-outform", "DER", data=self.pem)[-32:]
            self.seed_path = folder / "ed25519.seed"
            self.seed_path.write_bytes(base64.b64encode(self.seed))
            public = openssl("pkey", "-pubout", "-outform", "DER",
                             data=self.pem)[-32:]
        self.path.write_bytes(self.pem)
        self.name = f"{self.selector}._domainkey.{DOMAIN}"
        self.txt = f"v=DKIM1; k={kind}; p=" + base64.b64encode(public).decode()

    def parts(self):
        return [self.txt[i:i + 200] for i in range(0, len(self.txt), 200)]


class World:
    """Keys, the zone that publishes them, a folder for files."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = {kind: Key(folder, kind) for kind in ("rsa", "ed25519")}
        self.zone = folder / "zone"
        self.zone.write_text("".join(
            f"{k.name} TXT " + " ".join(f'"{p}"' for p in k.parts()) + "\n"
            for k in self.keys.values()))
        self.txt = {k.name: k for k in self.keys.values()}
        self._count = 0
        self._lock = threading.Lock()

    def file(self, data=None):
        with self._lock:
            self._count += 1
            path = self.folder / f"f{self._count}"
        if data is not None:
            path.write_bytes(data)
        return path


class Peer:
    # What it can do at all is no difference of opinion.
    signs = verifies = ("rsa", "ed25519")
    canon = None  # signs with this one alone; None: all
    seals = True
    takes_cv = True  # seals what it is told that the chain is

    def __init__(self, world):
        self.world = world

    def close(self):
        pass


class Onward(Peer):
    name = "onward"
    takes_cv = False

    def __init__(self, world, tool):
        super().__init__(world)
        self.tool = tool

    def sign(self, message, canon, key):
        done = subprocess.run(
            [self.tool, "sign", "--raw", "--key", key.path, "--domain", DOMAIN,
             "--selector", key.selector, "--canon", canon],
            input=message, capture_output=True, timeout=60)
        if done.returncode != 0:
            raise Refused(done.stderr.decode().strip())
        if not done.stdout.endswith(message):
            raise Refused("the message was changed")
        return done.stdout[:len(done.stdout) - len(message)]

    def seal(self, message, key, cv=None):
        done = subprocess.run(
            [self.tool, "seal", "--raw", "--key", key.path, "--domain", DOMAIN,
             "--selector", key.selector, "--authserv-id", AUTHSERV_ID, "--dns",
             self.world.zone], input=message, capture_output=True, timeout=60)
        if done.returncode != 0 or done.stdout == message:
            raise Refused(done.stderr.decode().strip())
        if not done.stdout.endswith(message):
            raise Refused("the message was changed")
        return done.stdout[:len(done.stdout) - len(message)]

    def chain(self, path):
        done = subprocess.run(
            [self.tool, "verify", "--raw", "--json", "--dns",
             self.world.zone, path], capture_output=True, timeout=60)
        if done.returncode != 0:
            return "fail " + done.stderr.decode().strip()
        got = json.loads(done.stdout)["arc"]
        return f"{got['result']} {got['reason'] or ''}".strip()

    def verify(self, path, selector):
        done = subprocess.run(
            [self.tool, "verify", "--raw", "--json", "--dns",
             self.world.zone, path], capture_output=True, timeout=60)
        if done.returncode != 0:
            return "fail " + done.stderr.decode().strip()
        for one in json.loads(done.stdout)["dkim"]:
            if one["s"] == selector:
                return ("pass" if one["result"] == "pass" else
                        f"fail {one['result']} {one['reason']}")
        return "fail no signature seen"


class Dkimpy(Peer):
    name = "dkimpy"

    def __init__(self, world):
        super().__init__(world)
        try:
            import dkim
            import nacl  # noqa: F401  its ed25519
        except ImportError as error:
            raise Missing(str(error))
        self.dkim = dkim

    def sign(self, message, canon, key):
        secret = (key.pem if key.kind == "rsa"
                  else base64.b64encode(key.seed))
        try:
            return self.dkim.sign(
                message, key.selector.encode(), DOMAIN.encode(), secret,
                canonicalize=tuple(canon.encode().split(b"/")),
                signature_algorithm=key.algorithm.encode())
        except Exception as error:  # whatever it trips over
            raise Refused(f"{type(error).__name__}: {error}")

    def _ask(self, name, timeout=5):
        name = (name.decode() if isinstance(name, bytes) else name).rstrip(".")
        return self.world.txt[name].txt.encode() if name in self.world.txt \
            else None

    def chain(self, path):
        dkim = self.dkim
        try:
            cv, _, why = dkim.ARC(path.read_bytes()).verify(self._ask)
        except Exception as error:  # whatever it trips over
            return f"fail {type(error).__name__}: {error}"
        return {dkim.CV_Pass: "pass", dkim.CV_None: "none"}.get(
            cv, f"fail {why}")

    def seal(self, message, key, cv=None):
        """It takes the results from our Authentication-Results on top."""
        cv = cv or self.chain(self.world.file(message)).split()[0]
        top = f"Authentication-Results: {AUTHSERV_ID}; arc={cv}\r\n".encode()
        try:
            fields = self.dkim.ARC(top + message).sign(
                key.selector.encode(), DOMAIN.encode(), key.pem,
                AUTHSERV_ID.encode())
        except Exception as error:  # whatever it trips over
            raise Refused(f"{type(error).__name__}: {error}")
        if not fields:
            raise Refused("no set")
        return b"".join(fields)

    def verify(self, path, selector):
        try:
            d = self.dkim.DKIM(path.read_bytes())
            fields = [v for n, v in d.headers if n.lower() == b"dkim-signature"]
            for i, value in enumerate(fields):
                if re.search(rb"\bs\s*=\s*" + selector.encode() + rb"\s*;",
                             value):
                    return "pass" if d.verify(i, dnsfunc=self._ask) else "fail"
            return "fail no signature seen"
        except Exception as error:  # whatever it trips over
            return f"fail {type(error).__name__}: {error}"


class Worker(Peer):
    def __init__(self, world, args):
        super().__init__(world)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            list(map(str, args)), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        # One question at the start: does it run at all?
        try:
            self._ask("verify", world.file(b"From: a@b\r\n\r\n"), "none")
        except (Refused, OSError):
            self.close()
            raise Missing(f"{args[0]} does not answer")

    def _ask(self, *words):
        with self._lock:
            self._process.stdin.write(
                "\t".join(map(str, words)).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise Refused("the peer died")
        return line.decode("utf-8", "replace").strip()

    def sign(self, message, canon, key):
        out = self.world.file()
        said = self._ask("sign", self.world.file(message), out, key.path,
                         key.selector, key.algorithm, canon)
        if said != "ok":
            raise Refused(said)
        return out.read_bytes()

    def verify(self, path, selector):
        return self._ask("verify", path, selector)

    def chain(self, path):
        return self._ask("chain", path)

    def seal(self, message, key, cv=None):
        path, out = self.world.file(message), self.world.file()
        cv = cv or self.chain(path).split()[0]
        said = self._ask("seal", path, out, key.path, key.selector,
                         key.algorithm, AUTHSERV_ID, cv)
        if said != "ok":
            raise Refused(said)
        return out.read_bytes()

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=20)


class MailDkim(Worker):
    name = "Mail::DKIM"
    signs = verifies = ("rsa",)

    def __init__(self, world):
        super().__init__(world, ["perl", HERE / "mail_dkim.pl", world.zone,
                                 DOMAIN])


class OpenDkim(Worker):
    name = "OpenDKIM"
    # What 2.11 beta 2 signs with Ed25519 nobody takes, itself not either.
    signs = ("rsa",)

    def __init__(self, world, program):
        if not program:
            raise Missing("libopendkim was not there to build with")
        super().__init__(world, [program, world.zone, DOMAIN])


class Mailauth(Worker):
    name = "mailauth"
    version = "4.13.3"

    def __init__(self, world, build):
        modules = build / "node_modules"
        if not shutil.which("node"):
            raise Missing("no node")
        if not (modules / "mailauth").is_dir():
            self._install(build)
        super().__init__(world, ["node", HERE / "mailauth.js", world.zone,
                                 DOMAIN, modules])

    def _install(self, build):
        if not shutil.which("npm"):
            raise Missing("no npm")
        build.mkdir(parents=True, exist_ok=True)
        try:
            done = subprocess.run(
                ["npm", "install", "--prefix", str(build), "--no-audit",
                 "--no-fund", "--ignore-scripts",
                 f"mailauth@{self.version}"], capture_output=True, timeout=180)
        except subprocess.TimeoutExpired:
            raise Missing("npm does not come to an end")
        if done.returncode != 0:
            raise Missing("npm cannot get it")


class Names(socketserver.BaseRequestHandler):
    """The zone as a name server on loopback."""

    def handle(self):
        data, sock = self.request
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
            at += 1 + data[at]
        question = data[12:at + 5]
        kind = struct.unpack("!H", data[at + 1:at + 3])[0]
        key = self.server.txt.get(".".join(labels).lower())
        answer = b""
        if key is not None and kind == 16:
            text = b"".join(bytes([len(p)]) + p.encode() for p in key.parts())
            answer = struct.pack("!HHHIH", 0xC00C, 16, 1, 60, len(text)) + text
        flags = 0x8180 | (0 if key is not None else 3)
        sock.sendto(data[:2] + struct.pack("!HHHHH", flags, 1, bool(answer), 0,
                                           0) + question + answer,
                    self.client_address)


RSPAMD = """
options {{
    filters = "dkim";
    url_tld = "{folder}/tld";
    pidfile = "{folder}/rspamd.pid";
    rrd = "";
    history_file = "";
    max_message = 50Mb;
    dns {{ nameserver = ["127.0.0.1:{names}:1"]; timeout = 5s; }}
}}
logging {{ type = "file"; filename = "{folder}/rspamd.log"; level = "error"; }}
dkim {{ dkim_cache_size = 2k; time_jitter = 0; trusted_only = false;
    skip_multi = false; }}
modules {{ path = "{share}/plugins/arc.lua"; }}
arc {{ sign_local = true; sign_authenticated = false; use_esld = false;
    allow_hdrfrom_mismatch = true; allow_hdrfrom_multiple = true;
    allow_envfrom_empty = true; try_fallback = true; use_domain = "header";
    path = "{key}"; selector = "rsa1"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
lua = "{lua}";
"""


class Rspamd(Peer):
    name = "rspamd"
    canon = "relaxed/relaxed"
    takes_cv = False

    def __init__(self, world, cache):
        super().__init__(world)
        try:
            cache.mkdir(parents=True, exist_ok=True)
            tree = debs.unpack("rspamd", str(cache))
        except (debs.Unavailable, OSError) as error:
            raise Missing(str(error))
        self._lock = threading.Lock()
        self._names = socketserver.UDPServer(("127.0.0.1", 0), Names)
        self._names.txt = world.txt
        threading.Thread(target=self._names.serve_forever,
                         daemon=True).start()
        self._port = self._free_port()
        folder = world.folder / "rspamd"
        folder.mkdir()
        # The whole list takes it many seconds to compile.
        (folder / "tld").write_text("org\nnet\ncom\n")
        config = folder / "rspamd.conf"
        config.write_text(RSPAMD.format(
            folder=folder, names=self._names.server_address[1],
            port=self._port, lua=HERE / "rspamd.lua",
            key=world.keys["rsa"].path,
            share=tree + "/usr/share/rspamd"))
        share = tree + "/usr/share/rspamd"
        places = {"DBDIR": folder, "RUNDIR": folder, "LOGDIR": folder,
                  "CONFDIR": folder, "LOCAL_CONFDIR": folder,
                  "SHAREDIR": share, "LUALIBDIR": share + "/lualib",
                  "PLUGINSDIR": share + "/plugins", "RULESDIR": share + "/rules",
                  "WWWDIR": share + "/www"}
        self._process = subprocess.Popen(
            [tree + "/usr/bin/rspamd", "-f", "-i", "-c", str(config)]
            + [f"--var={name}={place}" for name, place in places.items()],
            env={"PATH": "/usr/bin:/bin",
                 "LD_LIBRARY_PATH": tree + "/usr/lib/rspamd:"
                 + debs.library_path(tree)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()

    @staticmethod
    def _free_port():
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def _wait(self):
        for _ in range(150):
            if self._process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self._port), 1):
                    return
            except OSError:
                time.sleep(.1)
        self.close()
        raise Missing("rspamd does not start")

    def _scan(self, message, **headers):
        with self._lock:
            connection = http.client.HTTPConnection("127.0.0.1", self._port,
                                                    timeout=60)
            connection.request("POST", "/checkv2", message, {
                "IP": "192.0.2.1", "Helo": "mx.example.org",
                **{k.replace("_", "-"): v for k, v in headers.items()}})
            reply = json.loads(connection.getresponse().read())
            connection.close()
        return reply

    def sign(self, message, canon, key):
        path = key.path if key.kind == "rsa" else key.seed_path
        reply = self._scan(message, peer_key=str(path),
                           peer_selector=key.selector, peer_domain=DOMAIN,
                           peer_type=key.kind)
        field = reply.get("dkim-signature")
        if not field:
            raise Refused("no signature: " + json.dumps(reply)[:200])
        field = re.sub(r"\r?\n", "\r\n", field)
        return b"DKIM-Signature: " + field.encode() + b"\r\n"

    def chain(self, path):
        reply = self._scan(path.read_bytes())
        for symbol, word in (("ARC_ALLOW", "pass"), ("ARC_NA", "none")):
            if symbol in reply.get("symbols", {}):
                return word
        return "fail " + " ".join(
            n for n in reply.get("symbols", {}) if n.startswith("ARC_"))

    def seal(self, message, key, cv=None):
        """From this host alone: it signs what is its own."""
        reply = self._scan(message, IP="127.0.0.1")
        added = reply.get("milter", {}).get("add_headers", {})
        names = ("ARC-Seal", "ARC-Message-Signature",
                 "ARC-Authentication-Results")
        if not all(n in added for n in names):
            raise Refused("no set: " + json.dumps(reply)[:300])
        return b"".join(
            n.encode() + b": " + re.sub(r"\r?\n", "\r\n", added[n]["value"])
            .encode() + b"\r\n" for n in names)

    def verify(self, path, selector):
        reply = self._scan(path.read_bytes())
        for name, symbol in reply.get("symbols", {}).items():
            if name.startswith("R_DKIM") and any(
                    re.search(rf"\bs={re.escape(selector)}$", o)
                    for o in symbol.get("options", [])):
                return "pass" if name == "R_DKIM_ALLOW" else f"fail {name}"
        return "fail no signature seen"

    def close(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._names.shutdown()
        self._names.server_close()


def gather(world, tool, opendkim, build):
    """All that are here, ours first, and why the others are not. What is
    fetched goes below build."""
    makers = (lambda: Onward(world, tool), lambda: Dkimpy(world),
              lambda: MailDkim(world), lambda: OpenDkim(world, opendkim),
              lambda: Rspamd(world, build / "debs"),
              lambda: Mailauth(world, build / "npm"))
    names = ("onward", "dkimpy", "Mail::DKIM", "OpenDKIM", "rspamd",
             "mailauth")
    peers, missing = [], {}
    for name, make in zip(names, makers):
        try:
            peers.append(make())
        except Missing as error:
            missing[name] = str(error)
    return peers, missing
