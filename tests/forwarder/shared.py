#!/usr/bin/env python3
"""shared.py PROGRAM [CASE...]: a forwarder and its Redis, and what it does when
that is killed, stalls or answers nonsense."""
import time

from forwarder import Cases, Forwarder, Hop, begins, equal, holds
from redis_server import (Redis, Stub, comes_to, knows_of_redis, need_redis,
                          send)

case = Cases()


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
    """With what it knew; what it has never known must wait."""
    with Forwarder(program) as f, Hop(f) as hop, Redis(f.path) as redis:
        redis.kill()
        f.start(store=redis.url)
        begins(send(f, number=1), "451 4.3.0 Destination")
        redis.start()
        assert knows_of_redis(f, "up again")
        assert comes_to(lambda: send(f, number=2), "250")
        redis.kill()
        f.kill()
        f.start()
        begins(send(f, number=3), "250")
        equal(len(hop.messages), 2)


ANSWERS = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 1000,
           b"+OK\r\n$5\r\nhello\r\n", b"+OK\r\n:1\r\n:1\r\n:1\r\n",
           b"+OK\r\n$100\r\nhalf", b"+OK\r\n$-1\r\n*2\r\n", b""]


@case
def takes_garbage_as_no_redis(program):
    """A claim, an absence or a page is not believed either."""
    with Forwarder(program) as f, Hop(f) as hop, Redis(f.path) as redis:
        f.start(store=redis.url)
        begins(send(f, number=100), "250")
        redis.kill()
        for number, answer in enumerate(ANSWERS):
            with Stub(redis.port, answer):
                begins(send(f, number=number), "250")
                begins(send(f, "two@zone.example", number), "451 4.3.0")
            equal(len(hop.messages), number + 2)
        redis.start()
        with Hop(f, 2) as two:
            assert comes_to(lambda: send(f, "two@zone.example", 99), "250")
            equal(len(two.messages), 1)


@case
def takes_late_answers_as_none(program):
    """Right, but after more than a second: nobody waits for them any more."""
    with Forwarder(program) as f, Hop(f) as hop, Redis(f.path) as redis:
        f.start(store=redis.url)
        begins(send(f, number=100), "250")
        redis.stall()
        begins(send(f, "two@zone.example", 1), "451 4.3.0")
        equal(len(hop.messages), 1)
        redis.go_on()
        assert knows_of_redis(f, "up again")
        with Hop(f, 2) as two:
            begins(send(f, "two@zone.example", 1), "250")
            equal((len(hop.messages), len(two.messages)), (2, 1))


@case
def refuses_what_is_no_url(program):
    with Forwarder(program) as f:
        f.configure(store="redis://")
        done = f.run("--config", "forwarder.conf", "--check")
        equal(done.returncode, 2)
        holds(done.stderr, b'store "redis://", expected lmdb, memory or '
              b"redis://HOST[:PORT][/DB]")


need_redis()
case.main()
