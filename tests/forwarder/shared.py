#!/usr/bin/env python3
"""shared.py PROGRAM [CASE...]: forwarders that share a Redis, and what they do
without it."""
import shutil
import socket
import subprocess
import sys
import threading
import time

from forwarder import (Cases, Forwarder, Hop, MESSAGE, begins, equal,
                       free_port, holds, until)

# The package redis-server would start one for the whole machine; the same
# program is in redis-tools, and goes by its name.
REDIS = shutil.which("redis-check-rdb")
case = Cases()


class Redis:
    def __init__(self, folder):
        self.folder = folder
        self.port = free_port("127.0.0.1")
        self.url = f"redis://127.0.0.1:{self.port}/1"
        self.process = None
        self.start()

    def start(self):
        """With what it had when it was killed."""
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--appendonly", "yes", "--appendfsync", "always", "--dir",
             str(self.folder)],
            executable=REDIS, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL)
        assert until(self.answers), "no Redis"

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                s.sendall(b"PING\r\n")
                return s.recv(100).startswith(b"+PONG")
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stall(self):
        self.process.send_signal(19)

    def go_on(self):
        self.process.send_signal(18)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def send(f, to="one@zone.example", number=1):
    with f.client() as c:
        return c.send(to=to, message=MESSAGE.replace(b"<1@",
                                                     b"<%d@" % number))


def knows_of_redis(f, what):
    return until(lambda: any(what in e["detail"] for e in f.events("store")))


@case
def a_delivery_of_one_is_known_to_the_other(program):
    with Forwarder(program) as f, Forwarder(program) as g, \
            Redis(f.path) as redis:
        f.start(store=redis.url)
        g.start(store=redis.url, out_port=f.out_port)
        g.out_port = f.out_port
        with Hop(f, 1) as one, Hop(f, 2, end="450 4.2.0 not now"):
            begins(send(f, "two@zone.example"), "450")
            equal(len(one.messages), 1)
        with Hop(g, 1) as one, Hop(g, 2) as two:
            begins(send(g, "two@zone.example"), "250")
            equal((len(one.messages), len(two.messages)), (0, 1))


@case
def goes_on_without_redis(program):
    with Forwarder(program) as f, Redis(f.path) as redis, Hop(f, 1) as one, \
            Hop(f, 2) as two:
        f.start(store=redis.url)
        begins(send(f, "two@zone.example", 1), "250")
        redis.kill()
        # To one: forwarded. To several: not now, as nobody knows who has it.
        begins(send(f, number=2), "250")
        begins(send(f, "two@zone.example", 3), "451 4.3.0")
        equal((len(one.messages), len(two.messages)), (2, 1))
        assert knows_of_redis(f, "hung up")
        # What it knew it knows: no second copy of the first.
        begins(send(f, "two@zone.example", 1), "250")
        equal((len(one.messages), len(two.messages)), (2, 1))
        redis.start()
        assert knows_of_redis(f, "up again")
        begins(send(f, "two@zone.example", 3), "250")
        begins(send(f, "two@zone.example", 1), "250")
        equal((len(one.messages), len(two.messages)), (3, 2))


@case
def is_not_held_up_by_a_redis_that_stalls(program):
    with Forwarder(program) as f, Redis(f.path) as redis, Hop(f, 1) as one:
        f.start(store=redis.url)
        begins(send(f, number=1), "250")
        redis.stall()
        begin = time.monotonic()
        begins(send(f, number=2), "250")
        assert time.monotonic() - begin < 5
        # And it does other things meanwhile.
        begin = time.monotonic()
        with f.client() as c:
            begins(c.say("NOOP"), "250")
        assert time.monotonic() - begin < 0.5
        redis.go_on()
        assert knows_of_redis(f, "up again")
        begins(send(f, number=3), "250")
        equal(len(one.messages), 3)


@case
def starts_without_redis(program):
    with Forwarder(program) as f, Hop(f) as hop:
        f.start(store=f"redis://127.0.0.1:{free_port('127.0.0.1')}")
        begins(send(f), "250")
        equal(len(hop.messages), 1)


@case
def takes_garbage_as_no_redis(program):
    answers = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 1000,
               b"+OK\r\n$5\r\nhello\r\n", b"+OK\r\n:1\r\n:1\r\n:1\r\n",
               b"+OK\r\n$100\r\nhalf", b""]
    for answer in answers:
        with Forwarder(program) as f, Hop(f) as hop, \
                socket.create_server(("127.0.0.1", 0)) as server:
            def babble():
                while True:
                    try:
                        s, _ = server.accept()
                        s.sendall(answer)
                        threading.Timer(3, s.close).start()
                    except OSError:
                        return
            threading.Thread(target=babble, daemon=True).start()
            f.start(store=f"redis://127.0.0.1:{server.getsockname()[1]}")
            begins(send(f), "250")
            begins(send(f, "two@zone.example"), "451")
            equal(len(hop.messages), 1)
            server.shutdown(socket.SHUT_RDWR)


@case
def refuses_what_is_no_url(program):
    with Forwarder(program) as f:
        f.configure(store="redis://")
        done = f.run("--config", "forwarder.conf", "--check")
        equal(done.returncode, 2)
        holds(done.stderr, b'store "redis://", expected lmdb, memory or '
              b"redis://HOST[:PORT][/DB]")


if REDIS is None:
    print("skipped: no redis-tools")
    sys.exit(77)
case.main()
