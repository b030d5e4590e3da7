#!/usr/bin/env python3
"""What bench.py cannot: servers on loopback, and sessions that wait.

Each server takes the same messages of 2 KiB in every round, one server after
the other; what counts is the CPU time of its process. A ratio is the median
over the rounds. Postfix's smtp-source sends, under STARTTLS a program of ours.
"""
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "interop")]
import bench  # noqa: E402
import debs  # noqa: E402

SESSIONS = 20
SMTP_SERVER = "smtp-server@3"


def cpu_s(pid):
    """CPU seconds of a process, all its threads, children too."""
    total = 0
    pids = [pid] + [int(child) for task in
                    pathlib.Path(f"/proc/{pid}/task").iterdir()
                    for child in (task / "children").read_text().split()]
    for one in pids:
        for task in pathlib.Path(f"/proc/{one}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


class Server:
    def __init__(self, argv, env=None, port=None):
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True,
                                        env=env)
        if port is None:
            line = self.process.stdout.readline()
            if not line.startswith("ready "):
                sys.exit(f"bench: {argv[0]} does not start")
            port = int(line.rsplit(":", 1)[1])
        else:
            time.sleep(0.5)
        self.port = port

    def close(self):
        self.process.kill()
        self.process.wait()


class Peers:
    """The programs of others; None where they cannot be had."""

    def __init__(self, build):
        cache = pathlib.Path(build) / "peers"
        cache.mkdir(exist_ok=True)
        self.postfix = self.node = None
        try:
            self.postfix = debs.unpack("postfix", str(cache))
        except debs.Unavailable as why:
            print(f"no smtp-source and smtp-sink: {why}")
        if shutil.which("npm"):
            done = subprocess.run(
                ["npm", "install", "--prefix", str(cache), "--no-audit",
                 "--no-fund", "--ignore-scripts", SMTP_SERVER],
                capture_output=True, timeout=180)
            if done.returncode == 0:
                self.node = str(cache)
        if self.node is None:
            print("no npm smtp-server")

    def postfix_env(self):
        lib = self.postfix + "/usr/lib/postfix"
        return dict(os.environ, LD_LIBRARY_PATH=lib + ":" +
                    debs.library_path(self.postfix))

    def source(self, port, count, per_connection):
        keep = [] if per_connection == 1 else ["-d"]
        return subprocess.run(
            [self.postfix + "/usr/sbin/smtp-source", "-s", str(SESSIONS), *keep,
             "-l", "2048", "-m", str(count), f"127.0.0.1:{port}"],
            env=self.postfix_env(), capture_output=True,
            timeout=120).returncode == 0

    def sink(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        user = ["-u", "root"] if os.geteuid() == 0 else []
        return Server([self.postfix + "/usr/sbin/smtp-sink", *user,
                       f"127.0.0.1:{port}", "512"], self.postfix_env(), port)

    def smtp_server(self, *tls):
        env = dict(os.environ, NODE_PATH=self.node + "/node_modules")
        return Server(["node", str(HERE / "sink.js"), *tls], env)


class Area:
    def __init__(self, build, folder):
        self.programs = pathlib.Path(build) / "tests/bench"
        self.peers = Peers(build)
        self.tls = [f"{folder}/cert.pem", f"{folder}/key.pem"]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-subj", "/CN=bench.example", "-days", "2", "-out", self.tls[0],
             "-keyout", self.tls[1]], check=True, capture_output=True)

    def program(self, name, *args):
        return [str(self.programs / f"bench_smtp_{name}"), *args]

    def seconds(self, start, count, per_connection, tls):
        """CPU seconds of a fresh server for one message of count."""
        server = start()
        try:
            if not self.drive(server.port, 100, per_connection, tls):
                sys.exit("bench: messages were not taken")
            before = cpu_s(server.process.pid)
            if not self.drive(server.port, count, per_connection, tls):
                sys.exit("bench: messages were not taken")
            return (cpu_s(server.process.pid) - before) / count
        finally:
            server.close()

    def drive(self, port, count, per_connection, tls):
        if not tls:
            return self.peers.source(port, count, per_connection)
        return subprocess.run(
            self.program("drive", str(port), str(SESSIONS), str(count),
                         str(per_connection)), timeout=120).returncode == 0

    def jobs(self):
        """(name, count, per_connection, tls, ours, floor, peers)"""
        own = lambda *tls: Server(self.program("server", *tls))
        floor = lambda *tls: Server(self.program("floor", *tls))
        node = [("smtp-server", self.peers.smtp_server)] * bool(self.peers.node)
        if self.peers.postfix:
            sink = [("smtp-sink", self.peers.sink)]
            yield "reused", 5000, 10 ** 9, False, own, floor, sink + node
            yield "single", 3000, 1, False, own, floor, sink + node
        tls = self.tls
        node = [(name, lambda: self.peers.smtp_server(*tls))
                for name, _ in node]
        yield ("reused-tls", 3000, 10 ** 9, True, lambda: own(*tls),
               lambda: floor(*tls), node)
        yield ("single-tls", 500, 1, True, lambda: own(*tls),
               lambda: floor(*tls), node)

    def idle(self, count, *tls):
        done = subprocess.run(self.program("idle", str(count), *tls),
                              capture_output=True, text=True, check=True)
        return int(done.stdout)


def show(name, ours, others, limit, peer):
    ratio, held, ok = bench.judge({} if limit is None else
                                  {(name, "x"): limit},
                                  {"name": name}, "x", others, ours)
    print(f"{name:<12}{1 / statistics.median(ours):>9.0f}"
          f"{1 / statistics.median(others):>9.0f}{ratio:>7}{held:>7}  {peer}"
          f"{'' if ok else '  MISSED'}", flush=True)
    return ok


def main():
    build, rest = sys.argv[1], sys.argv[2:]
    limits = bench.read_limits("smtp")
    rounds = int(rest[rest.index("--rounds") + 1]) if "--rounds" in rest else 5
    wanted = [word for word in rest
              if not word.startswith("-") and not word.isdigit()]
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        area = Area(build, folder)
        print(f"{'job':<12}{'ours/s':>9}{'theirs':>9}{'ratio':>7}{'limit':>7}"
              "  messages a CPU second of the server")
        for name, count, per, tls, ours, floor, peers in area.jobs():
            if wanted and name not in wanted:
                continue
            sides = [("floor", floor), *peers]
            took = {side: [] for side in ["ours", *dict(sides)]}
            for _ in range(rounds):
                took["ours"].append(area.seconds(ours, count, per, tls))
                for side, start in sides:
                    took[side].append(area.seconds(
                        start, min(count, 1000) if side == "smtp-server"
                        else count, per, tls))
            for side, _ in sides:
                limit = limits.get((name, side))
                if not show(name, took["ours"], took[side], limit, side):
                    missed.append(name)
        for name, count, tls, most in (("idle", 100000, [], 1024),
                                       ("idle-tls", 1000, area.tls, 12288)):
            if wanted and name not in wanted:
                continue
            got = area.idle(count, *tls)
            ok = got <= most
            print(f"{name:<12}{got:>9}{most:>9} octets a session at most, "
                  f"{count} of them{'' if ok else '  MISSED'}", flush=True)
            if not ok:
                missed.append(name)
    if missed:
        print("missed:", " ".join(sorted(set(missed))))
    sys.exit(1 if missed and "--check" in rest else 0)


main()
