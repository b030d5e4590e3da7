"""What the matrix is made of: the message of a cell, and what peers share."""
import itertools
import os
import re
import shutil
import subprocess
import time

import debs
from tap import Tap
from tools import Sink
from world import Authority

USER, PASSWORD, TOKEN = "tim", "tanstaaf", "to.ken"
NAME = "mx.matrix.test"


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
                try:
                    got = subprocess.run(
                        ["npm", "install", "--prefix", folder, "--no-audit",
                         "--no-fund", "--ignore-scripts", "--omit=optional",
                         "--fetch-retries=1", *more, *packages],
                        stdin=subprocess.DEVNULL, capture_output=True,
                        text=True, timeout=90)
                except subprocess.TimeoutExpired:
                    raise Skip("npm install takes too long") from None
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
