#!/usr/bin/env python3
"""load.py PROGRAM: many messages over many sessions at once. Nothing is lost or
doubled, no descriptors stay behind, and memory does not grow."""
import os
import threading
import time

from forwarder import Cases, Forwarder, Hop, MESSAGE, begins, equal, until

case = Cases()

SESSIONS, MESSAGES, A_SESSION = 20, 500, 5
# What may come after the first hundred: pages that the allocator touches when
# twenty sessions happen to be large at once, but nothing for each message.
GROWTH_KIB = 1500


def numbered(number):
    body = b"".join(b"line %d of %d\r\n" % (i, number)
                    for i in range(number % 300))
    return MESSAGE.replace(b"<1@", b"<%d@" % number) + body


def descriptors(f):
    return len(os.listdir(f"/proc/{f.process.pid}/fd"))


class Senders:
    """SESSIONS threads that take numbers until none is left."""

    def __init__(self, f, numbers):
        self.f = f
        self.numbers = list(numbers)
        self.failures = []
        self.times = []

    def next(self):
        try:
            return self.numbers.pop(0)
        except IndexError:
            return None

    def work(self):
        number = self.next()
        while number is not None:
            with self.f.client() as c:
                for _ in range(A_SESSION):
                    begin = time.monotonic()
                    reply = c.send(message=numbered(number))
                    self.times.append(time.monotonic() - begin)
                    if reply != "250 2.0.0 taken":
                        self.failures.append((number, reply))
                    number = self.next()
                    if number is None:
                        break
                begins(c.say("QUIT"), "221")

    def run(self):
        threads = [threading.Thread(target=self.work) for _ in range(SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(self.failures, [])


@case
def many_messages_over_many_sessions(program):
    with Forwarder(program) as f, Hop(f) as hop:
        f.start()
        idle = descriptors(f)
        Senders(f, range(100)).run()
        before = f.rss_kib()
        rest = Senders(f, range(100, MESSAGES))
        begin = time.monotonic()
        rest.run()
        seconds = time.monotonic() - begin
        after = f.rss_kib()
        times = sorted(rest.times)
        print(f"{len(times) / seconds:.0f} messages/s, median "
              f"{times[len(times) // 2] * 1000:.1f} ms, "
              f"rss {before} to {after} KiB")
        equal(sorted(text.endswith(numbered(i)) for i, (_, _, text) in
                     zip(range(MESSAGES), sorted(hop.messages, key=number_of))),
              [True] * MESSAGES)
        equal(len(hop.messages), MESSAGES)
        equal(len(f.events("message")), MESSAGES)
        assert until(lambda: descriptors(f) == idle), "descriptors stay behind"
        if not is_sanitized(f):  # that keeps what was freed
            assert after - before < GROWTH_KIB, (before, after)
        equal(f.stop(), 0)


@case
def large_messages_hold_nobody_up(program):
    large = MESSAGE + (b"z" * 70 + b"\r\n") * 200000
    replies = []
    with Forwarder(program) as f, Hop(f) as hop:
        f.start()
        idle = f.rss_kib()

        def bring(number):
            with f.client(timeout=100) as c:
                replies.append(c.send(message=large.replace(
                    b"<1@", b"<%d@" % number)))

        threads = [threading.Thread(target=bring, args=[i]) for i in range(4)]
        for thread in threads:
            thread.start()
        waits = []
        with f.client() as c:
            while any(thread.is_alive() for thread in threads):
                begin = time.monotonic()
                begins(c.say("NOOP"), "250")
                waits.append(time.monotonic() - begin)
                time.sleep(0.1 if len(waits) < 50 else 2)
        print(f"a NOOP took {max(waits) * 1000:.0f} ms at most")
        equal((replies, len(hop.messages)), (["250 2.0.0 taken"] * 4, 4))
        if not is_sanitized(f):
            assert max(waits) < 1, waits
            # Their memory is given back.
            assert f.rss_kib() - idle < 8192, (idle, f.rss_kib())


def is_sanitized(f):
    with open(f"/proc/{f.process.pid}/maps") as maps:
        return "libasan" in maps.read()


def number_of(message):
    return int(message[2].split(b"Message-ID: <")[1].split(b"@")[0])


case.main()
