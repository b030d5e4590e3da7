#!/usr/bin/env python3
"""A local internet: a signed DNS, mail servers good and bad, policy hosts, and
the real forwarder among them. scenarios.txt says what has to come of each
message; Postfix with postfix-mta-sts-resolver is asked the same, and what
differs stands with its reason in differences.txt.

run.py --forwarder PROGRAM --onward PROGRAM --sink PROGRAM --policyd PROGRAM
       --socketmap PROGRAM --cache DIR [--stage STAGE]... [--only WORD]...
Ends with 77, skipped, where no namespaces or packages can be had."""
import argparse
import os
import shutil
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "interop")]

import attacker  # noqa: E402
import certs  # noqa: E402
import comparing  # noqa: E402
import debs  # noqa: E402
import dnsfault  # noqa: E402
import judging  # noqa: E402
import net  # noqa: E402
import others  # noqa: E402
import planning  # noqa: E402
import provider  # noqa: E402
import sending  # noqa: E402
import servers  # noqa: E402
import table  # noqa: E402
import zones  # noqa: E402
from world import Folder  # noqa: E402

SKIP = 77
NEEDED = ("nsd", "ldnsutils", "unbound")


class Internet:
    """All servers, running."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.hosts, self.scenarios = table.read()
        net.give_addresses(self.hosts)
        net.set_up(folder)
        for host in self.hosts.values():
            if host.ip6:
                net.add_ip6(host.ip6)
        self.certificates = certs.Certificates(folder + "/certs")
        self.farm = servers.Farm(self.hosts, self.certificates, args.sink,
                                 folder)
        self.policies = servers.PolicyHost(self.scenarios, self.certificates)
        self.provider = provider.Provider(
            args.policyd, folder + "/policyd", self.scenarios,
            self.certificates)
        records = zones.Records(self.hosts, self.scenarios, self.certificates)
        self.dns = zones.Dns(folder + "/dns", args.cache)
        self.dns.publish(records)
        for address in zones.SERVERS.values():
            dnsfault.Faulty(address, net.BEHIND,
                            lambda name, kind: records.faults.get((name, kind)))

    def __enter__(self):
        try:
            self.dns.start()
            self.farm.start()
            self.policies.start()
            self.provider.start()
        except BaseException:
            self.dns.stop()
            self.farm.stop()
            raise
        return self

    def __exit__(self, *_):
        self.dns.stop()


class Count:
    """Rows, and what is wrong with some; for all threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.good = self.bad = 0

    def row(self, name, faults):
        with self.lock:
            for fault in faults:
                print(f"{name}: {fault}")
            if faults:
                self.bad += 1
            else:
                self.good += 1

    def skip(self, what, why):
        with self.lock:
            print(f"skipped: {what}: {why}")

    def end(self):
        print(f"[  PASSED  ] {self.good} test(s).")
        if self.bad:
            print(f"[  FAILED  ] {self.bad} test(s).")
        return 1 if self.bad else 0


def send_scenarios(world, count, name, is_wanted):
    """Those of the table through a forwarder."""
    only = world.args.only
    scenarios = [s for s in world.scenarios if is_wanted(s) and (
        not only or any(w in s.key for w in only))]
    f = sending.start(world.args, f"{world.folder}/{name}", scenarios,
                      world.certificates, world.dns.anchor, net.PLAIN)
    try:
        answers = sending.send_all(f.port, scenarios, "first")
    finally:
        status = f.stop()
    logged = sending.deliveries(f)
    for s in scenarios:
        faults = judging.judge(world.farm, world.hosts, s, answers[s.key])
        tried = logged.get(s.rcpt)
        if answers[s.key].code == 250:
            faults += judging.reasons(s.outcome, tried[-1])
        if tried:
            faults += judging.reports(s, tried[-1])
        count.row(s.key, faults)
    count.row(f"the end of the forwarder for {name}",
              [] if status == 0 else [f.said()])


def scenarios_run(world, count):
    send_scenarios(world, count, "scenarios",
                   lambda s: not s.policy.has("http-slow"))


def slow_run(world, count):
    """A policy host that takes its time gets a minute of it."""
    send_scenarios(world, count, "slow", lambda s: s.policy.has("http-slow"))


def others_run(world, count):
    """The same with the programs of others."""
    why = others.why_not(world.args.cache)
    if why:
        count.skip("Postfix and postfix-mta-sts-resolver", why)
        return
    differences = comparing.Differences()
    comparing.policies(world, count, differences)
    why = others.why_not_postfix()
    if why:
        count.skip("Postfix", why)
    else:
        comparing.postfix(world, count, differences)


def mapped_run(world, count):
    """Postfix with onward-socketmap."""
    try:
        debs.unpack("postfix", world.args.cache)
        why = others.why_not_postfix()
    except debs.Unavailable as e:
        why = str(e)
    if why:
        count.skip("Postfix with onward-socketmap", why)
    else:
        comparing.mapped(world, count, comparing.Differences())


def plans_run(world, count):
    planning.run(world, count)


def attacks_run(world, count):
    attacker.Attacks(world).run(count)


# Those of a group run side by side, "slow" beside all; the attacker takes over
# all servers, but for the one that "slow" is about.
GROUPS = (("scenarios", "others", "mapped", "plans"), ("attacks",))
STAGES = {"scenarios": scenarios_run, "slow": slow_run, "others": others_run,
          "mapped": mapped_run,
          "plans": plans_run, "attacks": attacks_run}


def stage(name, world, count):
    began = time.monotonic()
    try:
        STAGES[name](world, count)
    except Exception:  # in a thread of its own, where nobody would see it
        count.row(name, [traceback.format_exc()])
    print(f"{name}: {time.monotonic() - began:.1f} s")


def side_by_side(names, world, count):
    threads = [threading.Thread(target=stage, args=(n, world, count))
               for n in names if n in (world.args.stage or STAGES)]
    for t in threads:
        t.start()
    return threads


def inside(args):
    count, began = Count(), time.monotonic()
    with Folder("inet") as folder, Internet(args, folder) as world:
        print(f"{len(world.scenarios)} scenarios, {len(world.hosts)} hosts, "
              f"up in {time.monotonic() - began:.1f} s")
        slow = side_by_side(["slow"], world, count)
        for group in GROUPS:
            for t in side_by_side(group, world, count):
                t.join()
        for t in slow:
            t.join()
        count.row("the end of our own programs",
                  world.farm.stop() + world.provider.stop())
    print(f"all: {time.monotonic() - began:.1f} s")
    return count.end()


def prepare(args):
    """Outside, where packages can be had: why not, or None."""
    for tool in ("openssl", "certtool"):
        if not shutil.which(tool):
            return f"no {tool}"
    try:
        for name in NEEDED:
            debs.unpack(name, args.cache)
    except debs.Unavailable as e:
        return str(e)
    others.why_not(args.cache)  # what it downloads is for inside
    return net.why_not()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--forwarder", required=True)
    parser.add_argument("--onward", required=True)
    parser.add_argument("--sink", required=True)
    parser.add_argument("--policyd", required=True)
    parser.add_argument("--socketmap", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--only", action="append")
    parser.add_argument("--stage", action="append", choices=list(STAGES))
    args = parser.parse_args()
    args.cache = os.environ.get("ONWARD_DEBS") or args.cache
    for name in ("forwarder", "onward", "sink", "policyd", "socketmap",
                 "cache"):
        setattr(args, name, os.path.abspath(getattr(args, name)))
    if net.is_inside():
        return inside(args)
    os.makedirs(args.cache, exist_ok=True)
    why = prepare(args)
    if why:
        print(f"skipped: the local internet: {why}")
        return SKIP
    return net.enter()


sys.exit(main())
