#!/usr/bin/env python3
"""Run one area: bench.py AREA BUILD_DIR [--check] [--rounds N] [--ms N] [JOB...]

Each side is a program that runs one job for some milliseconds of CPU time when
it is told to (worker.h). In every round all sides of a job run one after the
other; a ratio is the median over the rounds of the ratios within a round, so
what slows the machine for a while slows both sides.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


class Worker:
    """A side that is running."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def seconds(self, job, ms):
        """Time of one operation."""
        try:
            self.process.stdin.write(f"{job} {ms}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"bench: {self.process.args[0]} ended in {job}")
        count, ns = line.split()
        return int(ns) / 1e9 / int(count)


def read_limits(area):
    limits = {}
    for line in (HERE / "limits").read_text().splitlines():
        words = line.split("#")[0].split()
        if words and words[0] == area:
            limits[words[1], words[2]] = float(words[3])
    return limits


def command(argv, area, build, folder):
    first = pathlib.Path(build) / "tests" / "bench" / argv[0]
    rest = [str(HERE / area / word) for word in argv[1:]]
    program = str(first) if first.exists() else argv[0]
    return [program, *rest, folder]


def rate(seconds, octets):
    """Operations a second; or GB/s, when each handles that many octets."""
    per_s = 1 / statistics.median(seconds)
    if octets:
        return f"{per_s * octets / 1e9:.2f}G"
    return f"{per_s:.0f}" if per_s >= 100 else f"{per_s:.1f}"


def ratio(others, ours):
    return statistics.median(o / s for o, s in zip(others, ours))


def measure(job, workers, rounds, ms):
    """Seconds of one operation in each round: ours, floor, peer."""
    ours, floor, peer = [], [], []
    workers["onward"].seconds(job["ours"], ms // 4)  # caches and pages
    for _ in range(rounds):
        ours.append(workers["onward"].seconds(job["ours"], ms))
        if "floor" in job:
            floor.append(workers["floor"].seconds(job["floor"], ms))
        if "peer" in job:
            peer.append(sum(workers[side].seconds(name, ms)
                            for side, name in job["peer"]))
    return ours, floor, peer


def judge(limits, job, against, others, ours):
    """(ratio, limit, whether it holds) as text, and whether it holds."""
    if not others:
        return "-", "-", True
    got = ratio(others, ours)
    limit = limits.get((job["name"], against))
    if limit is None:
        return f"{got:.2f}", "-", True
    return f"{got:.2f}", f"{limit:.2f}", got >= limit


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("area")
    parser.add_argument("build")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ms", type=int, default=300)
    parser.add_argument("jobs", nargs="*")
    args = parser.parse_intermixed_args()
    area = json.loads((HERE / args.area / "area.json").read_text())
    if not area["jobs"]:
        return  # all of it is in run.py
    limits = read_limits(args.area)
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command(area["fixture"], args.area, args.build, folder),
                       check=True)
        workers = {name: Worker(command(argv, args.area, args.build, folder))
                   for name, argv in area["workers"].items()}
        print(f"{'job':<17}{'ours/s':>9}{'floor/s':>9}{'ratio':>7}{'limit':>7}"
              f"{'peer/s':>9}{'ratio':>7}{'limit':>7}  peer")
        for job in area["jobs"]:
            if args.jobs and job["name"] not in args.jobs:
                continue
            ours, floor, peer = measure(job, workers, args.rounds, args.ms)
            f_ratio, f_limit, f_ok = judge(limits, job, "floor", floor, ours)
            p_ratio, p_limit, p_ok = judge(limits, job, "peer", peer, ours)
            octets = job.get("octets")
            names = job.get("peer_name") or " + ".join(
                side for side, _ in job.get("peer", []))
            print(f"{job['name']:<17}{rate(ours, octets):>9}"
                  f"{rate(floor, octets) if floor else '-':>9}{f_ratio:>7}{f_limit:>7}"
                  f"{rate(peer, octets) if peer else '-':>9}{p_ratio:>7}{p_limit:>7}"
                  f"  {names}{'' if f_ok and p_ok else '  MISSED'}",
                  flush=True)
            if not (f_ok and p_ok):
                missed.append(job["name"])
        for worker in workers.values():
            worker.process.stdin.close()
            worker.process.wait()
    if missed:
        print("missed:", " ".join(missed))
    sys.exit(1 if missed and args.check else 0)


if __name__ == "__main__":
    main()
