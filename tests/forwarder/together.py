#!/usr/bin/env python3
"""together.py PROGRAM ONWARD POLICYD [CASE...]: two forwarders with one Redis
are one to those outside: one reply, one list of destinations, one limit."""
import glob
import http.client
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import time

from forwarder import (RULES, Cases, Forwarder, Hop, begins, equal, free_port,
                       holds, make_certificate, until)
from policy_host import POLICY_HOST, PolicyHost, RECORD
from redis_server import Redis, comes_to, need_redis, send

case = Cases()
ONWARD = str(pathlib.Path(sys.argv.pop(2)).resolve())
POLICYD = str(pathlib.Path(sys.argv.pop(2)).resolve())
SEEN_S = 2  # as the manual page has it
LATE_S = 10  # for a machine that does much else


class Site:
    """Two forwarders of the same zone, and their Redis."""

    def __init__(self, program, **settings):
        self.f, self.g = Forwarder(program), Forwarder(program)
        self.redis = Redis(self.f.path)
        self.g.out_port = self.f.out_port
        self.settings = dict(settings, store=self.redis.url,
                             out_port=self.f.out_port)

    def write(self, name, text):
        self.f.write(name, text)
        self.g.write(name, text)

    def start(self):
        for one in (self.f, self.g):
            one.start(**self.settings)
        return self

    def new_rule(self, to, action):
        rules = json.loads(json.dumps(RULES))
        del rules["addresses"][1]  # box@two.example is known to the store alone
        rules["zones"][0]["rules"].append(
            {"matchers": [{"type": "literal", "field": "to", "value": to}],
             "actions": [action]})
        self.write("rules.json", json.dumps(rules))
        return self

    def __enter__(self):
        return self

    def __exit__(self, *how):
        try:
            for one in (self.f, self.g):
                one.__exit__(*how)
        finally:
            self.redis.kill()


def onward(f, *args, status=0, where=("--config", "forwarder.conf")):
    command, *more = args
    done = subprocess.run([ONWARD, "destinations", command, *where, *more],
                          cwd=f.path, capture_output=True, timeout=60)
    assert done.returncode == status, (args, done)
    return (done.stderr if status else done.stdout).decode().strip()


def to_two(program, **settings):
    """A rule for box@two.example, of which the rules know nothing."""
    return Site(program, **settings).new_rule(
        "new@zone.example", {"type": "forward", "value": ["box@two.example"]})


# ---- Once only --------------------------------------------------------------

ROBOT = """\
import json
print(json.dumps({"v": 1, "actions": [
    {"action": "reply", "message": {"from": "code@zone.example",
                                    "subject": "Re: hello", "text": "7"}}]}))
"""


def with_robot(program):
    site = Site(program, handler=f"robot exec:{shlex.quote(sys.executable)} "
                "robot.py")
    site.new_rule("code@zone.example", {"type": "handler", "value": ["robot"]})
    site.write("zone.txt", (site.f.path / "zone.txt").read_text()
               + "sender.example. 60 IN MX 10 mx.sender.example.\n"
               "mx.sender.example. 60 IN A 127.0.0.13\n")
    for one in (site.f, site.g):
        one.write("robot.py", ROBOT)
    site.settings["handler"] = (f"robot exec:{shlex.quote(sys.executable)} "
                                f"{shlex.quote(str(site.f.path))}/robot.py")
    return site.start()


@case
def row_28_one_reply_of_two_forwarders(program):
    with with_robot(program) as site, Hop(site.f, 3) as back:
        begins(send(site.f, "code@zone.example"), "250 2.0.0")
        begins(send(site.g, "code@zone.example"), "250 2.0.0")
        assert until(lambda: site.f.events("queue-delivered"))
        equal(len(site.f.events("queued")) + len(site.g.events("queued")), 1)
        equal(len(back.messages), 1)
        # Another message is another reply.
        begins(send(site.g, "code@zone.example", 2), "250 2.0.0")
        assert until(lambda: len(back.messages) == 2)


@case
def no_reply_that_cannot_be_claimed(program):
    """Killed, then hanging: 451 at both, and one when it is back."""
    with with_robot(program) as site, Hop(site.f, 3) as back:
        site.redis.kill()
        for one in (site.f, site.g):
            begins(send(one, "code@zone.example"), "451 4.3.0")
        site.redis.start()
        assert comes_to(lambda: send(site.f, "code@zone.example"), "250 2.0.0")
        site.redis.stall()
        for one in (site.f, site.g):
            begins(send(one, "code@zone.example", 2), "451 4.3.0")
        site.redis.go_on()
        assert comes_to(lambda: send(site.g, "code@zone.example"), "250 2.0.0")
        # What hung, Redis may have done later: then it is claimed by one who
        # never heard of that, and nobody's for ten minutes. Never is it sent
        # twice.
        for one in (site.f, site.g):
            assert send(one, "code@zone.example", 2)[:3] in ("250", "451")
        assert until(lambda: site.f.events("queue-delivered"))
        time.sleep(0.3)
        ids = [re.search(rb"In-Reply-To: (\S+)", m[2]).group(1)
               for m in back.messages]
        assert ids.count(b"<1@sender.example>") == 1, ids
        assert ids.count(b"<2@sender.example>") <= 1, ids


# ---- Destinations ------------------------------------------------------------

def audited(f, state):
    return [e for e in f.events("audit")
            if e["is"] == state and e["by"] == "store"]


def seen(f, begin, number, to="new@zone.example"):
    """The answer to mail comes to that; in what time."""
    start = time.monotonic()
    numbers = iter(range(number, number + 10000))
    assert comes_to(lambda: send(f, to, next(numbers)), begin, LATE_S), begin
    return time.monotonic() - start


@case
def row_12_verified_at_one_is_verified_at_the_other(program):
    with to_two(program).start() as site, Hop(site.f, 2):
        f, g = site.f, site.g
        begins(send(g, "new@zone.example", 1), "550 5.2.1")
        token = onward(f, "add", "box@two.example")
        holds(onward(g, "list"), "box@two.example pending")
        equal(onward(g, "verify", token), "box@two.example is verified")
        took = [seen(one, "250", 100 + i * 10000)
                for i, one in enumerate((f, g))]
        assert min(took) < SEEN_S, took
        holds(onward(f, "verify", token, status=3), "too old or used")
        onward(f, "revoke", "box@two.example")
        seen(g, "550 5.2.1", 50000)
        seen(f, "550 5.2.1", 60000)


@case
def row_80_destinations_are_in_the_audit_log(program):
    """Who did it, and when each forwarder went by it."""
    with to_two(program).start() as site:
        f, g = site.f, site.g
        token = onward(f, "add", "box@two.example")
        onward(g, "verify", token)
        assert until(lambda: all(audited(one, "verified") for one in (f, g)))
        onward(f, "revoke", "box@two.example")
        assert until(lambda: all(audited(one, "revoked") for one in (f, g)))
        for one, did in ((f, ["added", "updated"]), (g, ["updated"])):
            lines = [e for e in one.events("audit")
                     if e["address"] == "box@two.example"]
            equal([e["change"] for e in lines if e["by"] == "onward"], did)
            equal([e["is"] for e in lines if e["by"] == "store"][-2:],
                  ["verified", "revoked"])
        equal({(e["what"], e["zone"]) for e in f.events("audit")},
              {("address", None)})


@case
def keeps_what_it_knew_while_redis_is_down(program):
    with to_two(program).start() as site, Hop(site.f, 2):
        f, g = site.f, site.g
        onward(f, "verify", onward(f, "add", "box@two.example"))
        seen(g, "250", 100)
        site.redis.kill()
        begins(send(g, "new@zone.example", 1), "250")
        # And over a crash of its own.
        g.kill()
        g.start()
        begins(send(g, "new@zone.example", 2), "250")
        g.kill()
        holds(onward(g, "revoke", "box@two.example", status=3),
              "store cannot be used")
        site.redis.start()
        assert comes_to(lambda: subprocess.run(
            [ONWARD, "destinations", "revoke", "--config", "forwarder.conf",
             "box@two.example"], cwd=g.path,
            capture_output=True).stdout.decode(), "box@two.example is revoked")
        seen(f, "550 5.2.1", 10000)
        # What was changed while it was away it knows when it is ready.
        g.start()
        begins(send(g, "new@zone.example", 3), "550 5.2.1")


@case
def what_only_one_knows_the_others_learn(program):
    """Of a store of its own before; and when Redis has lost all."""
    with to_two(program) as site, Hop(site.f, 2):
        f, g = site.f, site.g
        f.start(out_port=f.out_port)
        token = onward(f, "add", "box@two.example")
        equal(f.stop(), 0)
        f.process = None
        site.start()
        # The token that was out still counts.
        assert comes_to(lambda: onward(g, "list"), "box@two.example pending")
        onward(g, "verify", token)
        seen(f, "250", 100)
        seen(g, "250", 20000)
        site.redis.forget()
        assert comes_to(lambda: onward(g, "list"), "box@two.example verified")
        begins(send(f, "new@zone.example", 2), "250")
        begins(send(g, "new@zone.example", 3), "250")


@case
def a_copy_is_not_changed_behind_its_back(program):
    with to_two(program).start() as site:
        f = site.f
        for args in (("revoke", "box@two.example"), ("list",),
                     ("add", "box@two.example"), ("verify", "x")):
            holds(onward(f, *args, status=2, where=("--state", "state")),
                  f"state has a copy of {site.redis.url}, expected --config")
        holds(onward(f, "list", status=2,
                     where=("--state", "state", "--config", "x")),
              "expected one of the two")
        f.write("memory.conf", "store = memory\n")
        holds(onward(f, "list", status=3, where=("--config", "memory.conf")),
              'store "memory"')
        holds(onward(f, "list", status=3, where=("--config", "nowhere.conf")),
              "nowhere.conf: No such file")
        # Back to a store of its own, what it knows is its own again.
        equal(f.stop(), 0)
        f.process = None
        f.start(store="lmdb")
        equal(onward(f, "list", where=("--state", "state")), "")


@case
def many_destinations_are_walked_through(program):
    """More than a page of them, as another program may have put them."""
    site = Site(program).new_rule(
        "new@zone.example", {"type": "forward", "value":
                             [f"u{i:03}@two.example" for i in (1, 350, 700)]})
    with site, Hop(site.f, 2):
        f, g = site.f, site.g
        f.start(**site.settings)
        script = "for i = 1, 700 do local name = string.format(" \
            "'onward/destination/1/u%03d@two.example', i) " \
            "redis.call('SET', name, ARGV[1]) " \
            "redis.call('ZADD', 'onward:index', 0, name) end return 700"
        value = (b"ORst\0\0\0\1" + b"\0" * 7 + b"\1" + b"\0" * 8
                 + b"verified 1795353896 -")
        equal(redis_eval(site.redis, script, value), b":700\r\n")
        onward(f, "add", "box@two.example")
        g.start(**site.settings)
        equal(len(onward(g, "list").splitlines()), 701)
        begins(send(g, "new@zone.example"), "250")
        seen(f, "250", 100)


def redis_eval(redis, script, value):
    words = [b"SELECT", b"1"], [b"EVAL", script.encode(), b"0", value]
    with socket.create_connection(("127.0.0.1", redis.port), 5) as s:
        for command in words:
            s.sendall(b"*%d\r\n" % len(command) + b"".join(
                b"$%d\r\n%s\r\n" % (len(w), w) for w in command))
        got = b""
        while got.count(b"\r\n") < 2:
            got += s.recv(4096)
    return got.split(b"\r\n", 1)[1]


# ---- Pages -------------------------------------------------------------------

def page(port, trust, token, method):
    context = ssl.create_default_context(cafile=trust)
    context.check_hostname = False
    c = http.client.HTTPSConnection("127.0.0.1", port, context=context,
                                    timeout=10)
    c.request(method, f"/verify/{token}")
    status = c.getresponse().status
    c.close()
    return status


@case
def a_page_verifies_for_all(program):
    with to_two(program).start() as site, Hop(site.f, 2):
        f, g = site.f, site.g
        make_certificate(f.path, "web", "v.example")
        f.write("policyd.conf", "listen = 127.0.0.1:0\nrules = rules.json\n"
                f"mode = none\nstore = {site.redis.url}\nlog = policyd.log\n"
                "tls_certificate = web.crt\ntls_key = web.key\n")
        web = subprocess.Popen([POLICYD, "--config", "policyd.conf"],
                               cwd=f.path, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
        try:
            port = int(web.stdout.readline().decode().rsplit(":", 1)[1])
            trust = f.path / "web.crt"
            token = onward(g, "add", "box@two.example")
            equal(page(port, trust, token, "GET"), 200)
            site.redis.stall()
            begin = time.monotonic()
            for _ in range(5):
                equal(page(port, trust, token, "POST"), 503)
            assert time.monotonic() - begin < 5
            site.redis.go_on()
            assert until(lambda: page(port, trust, token, "GET") == 200)
            equal(page(port, trust, token, "POST"), 200)
            equal(page(port, trust, token, "POST"), 410)
            seen(f, "250", 100)
            seen(g, "250", 20000)
            lines = [json.loads(line) for line in
                     (f.path / "policyd.log").read_text().splitlines()]
            (line,) = [e for e in lines if e["event"] == "audit"]
            equal([line[k] for k in ("change", "what", "address", "was", "is",
                                     "by")],
                  ["updated", "address", "box@two.example", "unverified",
                   "verified", "policyd"])
            # A copy is no place to write to.
            f.write("policyd.conf", (f.path / "policyd.conf").read_text()
                    .replace(f"store = {site.redis.url}", "state = state"))
            done = subprocess.run([POLICYD, "--config", "policyd.conf"],
                                  cwd=f.path, capture_output=True, timeout=20)
            equal(done.returncode, 3)
            holds(done.stderr.decode(), f"a copy of {site.redis.url}")
        finally:
            web.terminate()
            web.wait(20)
            web.stdout.close()


# ---- All else ------------------------------------------------------------------

@case
def limits_are_of_all(program):
    with Site(program, limit_sender="2/day").start() as site:
        for number, one in enumerate((site.f, site.g)):
            begins(send(one, "void@zone.example", number), "250")
        for one in (site.f, site.g):
            with one.client() as c:
                begins(c.say("MAIL FROM:<ann@sender.example>"), "450 4.7.1")


@case
def who_has_waited_at_one_is_known_at_the_other(program):
    with Site(program, greylist=1).start() as site:
        begins(send(site.f, "void@zone.example"), "451 4.7.1")
        time.sleep(1.2)
        begins(send(site.g, "void@zone.example"), "250 2.0.0")
        begins(send(site.f, "void@zone.example", 2), "250 2.0.0")


@case
def long_senders_come_back_at_the_other(program):
    sender = "a" * 60 + "@sender.example"
    with Site(program) as site, Hop(site.f) as hop:
        site.write("zone.txt", (site.f.path / "zone.txt").read_text()
                   + "sender.example. 60 IN MX 10 mx.one.example.\n")
        # All of one site have one secret.
        site.start()
        begins(send(site.f, sender=sender), "250")
        rewritten = hop.messages[-1][0]
        begins(send(site.g, rewritten, 2, sender=""), "250")
        equal(hop.messages[-1][:2], ("", [sender]))


CLOCK = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
YESTERDAY = {"LD_PRELOAD": "".join(CLOCK[:1]), "FAKETIME": "-1d",
             "FAKETIME_DONT_FAKE_MONOTONIC": "1",
             "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
             + ":verify_asan_link_order=0"}


@case
def reports_have_the_rows_of_both(program):
    if not CLOCK:
        print("skipped: no faketime")
        return
    with Site(program, env=YESTERDAY) as site, Hop(site.f):
        site.start()
        for number, one in enumerate((site.f, site.g)):
            begins(send(one, number=number), "250")
            equal(one.stop(), 0)
            one.process = None
        for one in (site.f, site.g):
            done = subprocess.run(
                [ONWARD, "tlsrpt", "send", "--dry-run", "--json", "--config",
                 "forwarder.conf"], cwd=one.path, capture_output=True,
                timeout=60)
            equal(done.returncode, 0)
            report = json.loads(done.stdout)
            equal(report["policies"][0]["summary"]
                  ["total-failure-session-count"], 2)


@case
def who_was_revoked_stays_so_when_redis_comes_back_older(program):
    """From a backup, or a crash that took the last writes: the forwarders know
    better, and Redis and one that knew nothing hear it from them."""
    with to_two(program).start() as site, Hop(site.f, 2) as two:
        f, g, redis = site.f, site.g, site.redis
        token = onward(f, "add", "box@two.example")
        onward(f, "verify", token)
        assert comes_to(lambda: send(g, "new@zone.example", 1), "250")
        sent = len(two.messages)
        kept = redis.folder / "appendonlydir"
        old = f.path / "old"
        shutil.copytree(kept, old)
        time.sleep(1.1)  # seconds tell what is later
        onward(f, "revoke", "box@two.example")
        for one in (f, g):
            assert comes_to(lambda: send(one, "new@zone.example", 2), "550")
        sent = len(two.messages)
        redis.kill()
        shutil.rmtree(kept)
        shutil.copytree(old, kept)
        redis.start()
        assert until(lambda: "revoked" in onward(f, "list"), LATE_S)
        for n in range(3):
            for one in (f, g):
                begins(send(one, "new@zone.example", 10 + n), "550")
        equal(len(two.messages), sent)
        # Its owner can agree anew.
        onward(f, "verify", onward(f, "add", "box@two.example"))
        assert comes_to(lambda: send(g, "new@zone.example", 20), "250")


# ---- Policies --------------------------------------------------------------------

@case
def a_policy_that_one_fetched_binds_the_other(program):
    """Its host and record are gone before the other ever asked."""
    port = free_port(POLICY_HOST)
    with Site(program, policy_port=port, out_trust="policy.crt") as site:
        f, g = site.f, site.g
        zone = (f.path / "zone.txt").read_text()
        host = PolicyHost(POLICYD, f.path, port, "enforce")
        try:
            shutil.copy(f.path / "policy.crt", g.path)
            f.write("zone.txt", zone + RECORD)
            site.start()
            with Hop(f) as plain:
                begins(send(f), "4")
                equal((host.requests(), plain.messages), (1, []))
        finally:
            host.stop()
        with Hop(f) as plain:
            begins(send(g, number=2), "4")
            equal(plain.messages, [])
            # It keeps it for itself, too.
            site.redis.kill()
            begins(send(g, number=3), "4")
            begins(send(f, number=4), "4")
            equal(plain.messages, [])
            # And gives it back to a Redis that has lost it.
            site.redis.start()
            site.redis.forget()
            assert until(lambda: send(g, number=5).startswith("4")
                         and b"mtasts" in site.redis.say(
                             "EVAL \"redis.call('SELECT',1) return redis.call("
                             "'KEYS','onward/mtasts*')\" 0"), LATE_S)
            equal(plain.messages, [])


need_redis()
case.main()
