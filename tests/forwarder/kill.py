#!/usr/bin/env python3
"""kill.py PROGRAM ONWARD FAULT: SIGKILL at random points and at each step of
what the forwarder does on its disk. No message that was answered 250 is lost,
none comes in part; how many came twice is printed.

FORWARDER_KILLS is the number of runs; 48 by default, 200 for the whole."""
import collections
import os
import random
import re
import sys
import threading
import time

from forwarder import Client, Hop, until

FAULT = os.path.abspath(sys.argv.pop(3))
from spool import Spooling, zone  # noqa: E402 (takes ONWARD from argv)

KILLS = int(os.environ.get("FORWARDER_KILLS", "48"))
SEED = int(os.environ.get("FORWARDER_SEED", time.time_ns() & 0xffff))
BODY = "".join(f"line {i} of a message that fills some blocks\r\n"
               for i in range(200))
TEXT = ("From: Ann <ann@sender.example>\r\nTo: %s\r\nSubject: run %s\r\n"
        "Message-ID: <%s@sender.example>\r\n"
        "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\n" + BODY
        + "end of %s\r\n")


class Mail:
    """What was sent, what was answered 250, what came."""

    def __init__(self):
        self.number = 0
        self.sent, self.taken = {}, {}
        self.steps = 0  # kills that came at a step
        self.lock = threading.Lock()

    def next(self, to):
        with self.lock:
            self.number += 1
            name = f"m{self.number}"
            self.sent[name] = (TEXT % (to, name, name, name)).encode()
            return name


def send(f, mail, to, stop):
    """Until the forwarder is gone. The second destination always refuses, so
    that its mail ends in a notice."""
    while not stop.is_set():
        name = mail.next(to)
        try:
            with Client(f.addresses[0], timeout=5) as c:
                reply = c.send(to=to, message=mail.sent[name])
        except (OSError, AssertionError):
            return
        if reply.startswith("250"):
            mail.taken[name] = to
        elif reply == "":
            return


def run(f, mail, kill):
    """One life of the forwarder. kill: "N,when" of a step, or seconds."""
    env = {"LD_PRELOAD": FAULT}
    if isinstance(kill, str):
        env["FAULT_KILL"] = kill
    try:
        f.start(env=env)
    except AssertionError:
        mail.steps += 1
        return  # it was killed at work that a run before had left
    stop = threading.Event()
    threads = [threading.Thread(target=send, args=(f, mail, to, stop))
               for to in ("one@zone.example", "uno@zone.example",
                          "gone@zone.example")]
    for t in threads:
        t.start()
    if isinstance(kill, str):
        # A step that never comes is a kill at a random point.
        mail.steps += until(lambda: f.process.poll() is not None, 1)
    else:
        time.sleep(kill)
    f.process.kill()
    stop.set()
    for t in threads:
        t.join()
    f.process.wait(10)
    f.process.stdout.close()
    f.errors.close()


def rules(f):
    import json
    text = json.loads((f.path / "rules.json").read_text())
    text["zones"][0]["rules"].append(
        {"matchers": [{"type": "literal", "field": "to",
                       "value": "gone@zone.example"}],
         "actions": [{"type": "forward", "value": ["box@two.example"]}]})
    f.write("rules.json", json.dumps(text))


def faults(mail, hop, home):
    """What the standard of a queue does not allow; then the figures."""
    came = collections.Counter()
    for _, _, octets in hop.messages:
        name = re.search(rb"^Subject: run (m\d+)\r$", octets, re.M)
        if name is None or not octets.endswith(
                mail.sent[name.group(1).decode()]):
            yield f"not whole: {octets[-80:]!r}"
            continue
        came[name.group(1).decode()] += 1
    told = collections.Counter()
    notices = collections.defaultdict(set)
    for _, _, octets in home.messages:
        name = re.search(rb"^Message-ID: <(m\d+)@sender", octets, re.M)
        own = re.search(rb"^Message-ID: (<.*>)\r$", octets, re.M | re.I)
        told[name.group(1).decode()] += 1
        notices[name.group(1).decode()].add(own.group(1))
    for name, ids in notices.items():
        if len(ids) > 1:
            yield f"{name}: {len(ids)} notices were written of one failure"
    for name, to in mail.taken.items():
        if to == "gone@zone.example":
            if not told[name]:
                yield f"{name}: answered 250, refused, and nobody was told"
        elif not came[name]:
            yield f"{name}: answered 250 and lost"
    print(f"{KILLS} kills, {mail.steps} at a step (FORWARDER_SEED={SEED}): "
          f"{len(mail.sent)} messages sent, {len(mail.taken)} answered 250; "
          f"{sum(came.values())} came, {sum(n - 1 for n in came.values())} of "
          f"them twice; {sum(told.values())} notices, "
          f"{sum(n - 1 for n in told.values())} of them twice")


def kills():
    """Each step in each way, until half is used up; then any time."""
    chance = random.Random(SEED)
    steps = [f"{n},{when}" for n in range(1, 200)
             for when in ("before", "after", "half")]
    for i in range(KILLS):
        yield steps[i // 2] if i % 2 == 0 else chance.uniform(0.005, 0.25)


def main():
    mail = Mail()
    with Spooling(sys.argv[1]) as f, Hop(f) as hop, Hop(f, 3) as home, \
            Hop(f, 2, rcpt="550 5.1.1 no such user"):
        rules(f)
        for kill in kills():
            run(f, mail, kill)
        f.start()
        bad = [] if f.quiet(60) else [f"{f.files()} are still there"]
        bad += faults(mail, hop, home)
        bad += [f"left in {x}: {f.files(x)}" for x in ("new", "damaged")
                if f.files(x)]
        if not mail.taken:
            bad.append("nothing was answered 250")
    print("\n".join(bad[:20]))
    print(f"[  {'FAILED' if bad else 'PASSED'}  ] {max(len(bad), KILLS)} "
          "test(s).")
    sys.exit(bool(bad))


main()
