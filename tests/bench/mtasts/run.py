#!/usr/bin/env python3
"""run.py BUILD [--check] [--rounds N] [JOB...]: policies of a million domains
(BENCH_DOMAINS), and a thousand fetches at once."""
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import bench  # noqa: E402

FETCHES = 1000
# What a domain may take with its name (21 octets) and its policy (97), and what
# a fetch may have of the heap while it waits for its answer, GnuTLS's share
# included: at most.
OCTETS = {"lookup-memory": 288, "lookup-lmdb": 512, "fetch": 24576}


class Area:
    def __init__(self, build, domains, rounds):
        self.programs = pathlib.Path(build) / "tests/bench"
        self.domains, self.rounds = domains, rounds

    def run(self, name, *args):
        return subprocess.run([self.programs / f"bench_mtasts_{name}",
                               *map(str, args)], check=True, text=True,
                              stdout=subprocess.PIPE, timeout=1800
                              ).stdout.split("\n")[:-1]

    def lookup(self, store):
        """(ours, floor) in ns of each round, octets of a domain."""
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run("cache", store, folder, self.domains, self.rounds)
            rounds = [tuple(map(int, line.split())) for line in lines[:-1]]
            if store == "lmdb":
                rounds = [(ns, int(self.run("cache", "floor", folder,
                                            self.domains, 0)[0]))
                          for ns, _ in rounds]
        return ([ns for ns, _ in rounds], [ns for _, ns in rounds],
                int(lines[-1]))

    def fetch(self):
        ours, floor, octets = [], [], []
        with tempfile.TemporaryDirectory() as folder:
            self.run("certs", folder, FETCHES)
            for _ in range(self.rounds):
                for at_once in (FETCHES, 1):
                    with subprocess.Popen(
                            [sys.executable, HERE / "server.py", folder,
                             str(FETCHES), str(at_once)], text=True,
                            stdout=subprocess.PIPE) as server:
                        port = server.stdout.readline().strip()
                        try:
                            args = (port, FETCHES, f"{folder}/ca.pem")
                            if at_once == 1:
                                floor.append(int(self.run("fetch", "floor",
                                                          *args)[0]))
                                continue
                            most, ns, each = map(int, self.run(
                                "fetch", *args)[0].split())
                            if most != FETCHES:
                                sys.exit(f"bench: {most} fetches at once")
                            ours.append(ns)
                            octets.append(each)
                        finally:
                            server.kill()
        return ours, floor, max(octets)


def show(name, ours, floor, octets, limits):
    ratio, limit, ok = bench.judge(limits, {"name": name}, "floor", floor, ours)
    fits = octets <= OCTETS[name]
    print(f"{name:<15}{statistics.median(ours) / 1000:>9.2f}"
          f"{statistics.median(floor) / 1000:>9.2f}{ratio:>7}{limit:>7}"
          f"{octets:>8}{OCTETS[name]:>8}{'' if ok and fits else '  MISSED'}",
          flush=True)
    return ok and fits


def number(rest, option, default):
    return int(rest[rest.index(option) + 1]) if option in rest else default


def main():
    build, rest = sys.argv[1], sys.argv[2:]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limits = bench.read_limits("mtasts")
    wanted = [word for word in rest
              if not word.startswith("-") and not word.isdigit()]
    area = Area(build, int(os.environ.get("BENCH_DOMAINS", "1000000")),
                number(rest, "--rounds", 5))
    jobs = {"lookup-memory": lambda: area.lookup("memory"),
            "lookup-lmdb": lambda: area.lookup("lmdb"),
            "fetch": area.fetch}
    missed = []
    print(f"{'job':<15}{'ours us':>9}{'floor us':>9}{'ratio':>7}{'limit':>7}"
          f"{'octets':>8}{'limit':>8}")
    for name, job in jobs.items():
        if (not wanted or name in wanted) and \
                not show(name, *job(), limits):
            missed.append(name)
    if missed:
        print("missed:", " ".join(missed))
    sys.exit(1 if missed and "--check" in rest else 0)


main()
