#!/usr/bin/env python3
"""run.py BUILD [--check] [--rounds N]: one hop, whole, in the forwarder.

Messages of 2 KiB come over SMTP, are authenticated (DKIM by RSA-2048, SPF,
DMARC), routed, given an SRS sender, sealed by ARC (two signatures by RSA-2048),
entered in the ledger, and delivered to a sink; or kept in the spool first. What
counts is the CPU time of the forwarder's process, beside the cryptography alone
(the floor of hop-2k in the area verify). 20 million messages a day with a peak
of three times the mean are about 700 a second: 350 for each of two cores.
"""
import json
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "smtp")]
import bench  # noqa: E402

SESSIONS, MESSAGES, AIM = 20, 1500, 350
RULES = {"version": 1, "zones": [{
    "name": "relay.example", "rules": [], "catch_all": {
        "matchers": [{"type": "all"}],
        "actions": [{"type": "forward", "value": ["box@dest.example"]}]}}],
    "addresses": [{"email": "box@dest.example", "verified": True}]}


def cpu_s(pid):
    """CPU seconds of a process, all its threads."""
    return sum(int((task / "schedstat").read_text().split()[0])
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def start(argv, folder):
    process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE,
                               text=True)
    line = process.stdout.readline()
    if not line.startswith("ready "):
        sys.exit(f"bench: {argv[0]} does not start")
    return process, int(line.rsplit(":", 1)[1])


def hear(stream, count):
    for _ in range(count):
        line = stream.readline()
        while line[3:4] == b"-":
            line = stream.readline()
        if line[:1] not in (b"2", b"3"):
            raise ConnectionError(line)


def talk(port, message, numbers, failed):
    """A session: as many messages as there are numbers."""
    try:
        with socket.create_connection(("127.0.0.1", port), 60) as s, \
                s.makefile("rb") as stream:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            hear(stream, 1)
            s.sendall(b"EHLO out.a.example\r\n")
            hear(stream, 1)
            for number in numbers:
                s.sendall(b"MAIL FROM:<u@a.example>\r\n"
                          b"RCPT TO:<me@relay.example>\r\nDATA\r\n")
                hear(stream, 3)
                # Unlike the others, so that the ledger does not know it; no
                # signature covers that field.
                s.sendall(b"X-Number: %d\r\n" % number + message + b".\r\n")
                hear(stream, 1)
            s.sendall(b"QUIT\r\n")
    except (OSError, ConnectionError) as why:
        failed.append(why)


def drive(port, message, first, count):
    failed = []
    threads = [threading.Thread(target=talk, args=(
        port, message, range(first + i, first + count, SESSIONS), failed))
        for i in range(SESSIONS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        sys.exit(f"bench: {failed[0]}")
    return time.monotonic() - began


class Area:
    def __init__(self, build, folder):
        self.folder = pathlib.Path(folder)
        self.programs = pathlib.Path(build).resolve()
        bench_dir = self.programs / "tests/bench"
        subprocess.run([bench_dir / "bench_verify_fixture", folder], check=True)
        self.floor = bench.Worker([bench_dir / "bench_verify_floor", folder])
        self.sink, self.sink_port = start([bench_dir / "bench_smtp_server"],
                                          folder)
        text = (self.folder / "signed-2k").read_bytes()
        self.message = text.replace(b"\r\n.", b"\r\n..")
        (self.folder / "rules.json").write_text(json.dumps(RULES))
        (self.folder / "secret").write_text("a secret of some length\n")
        self.number = 1

    def forwarder(self, relay):
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        (self.folder / "forwarder.conf").write_text(
            "listen = 127.0.0.1:0\nhostname = mx.relay.example\n"
            "rules = rules.json\ndns = zone\nsrs_domain = relay.example\n"
            "srs_secret = secret\nseal_key = key.pem\n"
            "seal_domain = relay.example\nseal_selector = s\n"
            "smart_host = [127.0.0.1]\nallow_private_addresses = yes\n"
            f"out_port = {self.sink_port}\nout_tls = none\nmta_sts = no\n"
            f"state = state\nlog = log\nrelay = {relay}\n")
        return start([str(self.programs / "examples/forwarder/"
                          "onward-forwarder"),
                      "--config", "forwarder.conf"], self.folder)

    def round(self, relay):
        """(CPU, wall, floor) seconds of a message."""
        process, port = self.forwarder(relay)
        try:
            drive(port, self.message, self.number, 200)
            before = cpu_s(process.pid)
            wall = drive(port, self.message, self.number + 200, MESSAGES)
            took = cpu_s(process.pid) - before
            self.number += 200 + MESSAGES
        finally:
            process.terminate()
            process.wait(60)
        return (took / MESSAGES, wall / MESSAGES,
                self.floor.seconds("hop-2k", 300))

    def close(self):
        self.sink.kill()
        self.sink.wait()
        self.floor.process.stdin.close()
        self.floor.process.wait()


def main():
    build, rest = sys.argv[1], sys.argv[2:]
    limits = bench.read_limits("hop")
    rounds = int(rest[rest.index("--rounds") + 1]) if "--rounds" in rest else 5
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        area = Area(build, folder)
        print(f"{'job':<10}{'cpu/s':>8}{'wall/s':>8}{'floor/s':>9}{'ratio':>7}"
              f"{'limit':>7}  messages a second")
        for relay in ("session", "spool"):
            took = [area.round(relay) for _ in range(rounds)]
            ours, walls, floors = zip(*took)
            ratio, limit, ok = bench.judge(limits, {"name": relay}, "floor",
                                           floors, ours)
            per_s = 1 / statistics.median(ours)
            ok = ok and per_s >= AIM
            print(f"{relay:<10}{per_s:>8.0f}{1 / statistics.median(walls):>8.0f}"
                  f"{1 / statistics.median(floors):>9.0f}{ratio:>7}{limit:>7}"
                  f"  at least {AIM} of a core{'' if ok else '  MISSED'}",
                  flush=True)
            if not ok:
                missed.append(relay)
        area.close()
    if missed:
        print("missed:", " ".join(missed))
    sys.exit(1 if missed and "--check" in rest else 0)


main()
