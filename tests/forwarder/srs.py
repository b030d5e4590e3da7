#!/usr/bin/env python3
"""srs.py PROGRAM [CASE...]: the settings of sender rewriting, and what becomes of
senders that do not fit (M21)."""
import base64
import hashlib
import hmac
import json
import time

from forwarder import (MESSAGE, RULES, Cases, Forwarder, Hop, begins, equal,
                       holds)

case = Cases()
LONG = "a" * 57 + "@sender.example"
ZONE_MORE = """\
sender.example. 60 IN MX 10 mx.sender.example.
mx.sender.example. 60 IN A 127.0.0.13
"""


def start(program, **settings):
    f = Forwarder(program)
    rules = json.loads(json.dumps(RULES))
    rules["zones"].append({"name": "srs.example", "rules": [
        {"matchers": [{"type": "literal", "field": "to",
                       "value": "drop@srs.example"}],
         "actions": [{"type": "drop"}]}]})
    f.write("rules.json", json.dumps(rules))
    f.write("zone.txt", (f.path / "zone.txt").read_text() + ZONE_MORE)
    return f.start(**settings)


def send(f, sender="ann@sender.example", number=1, **how):
    with f.client() as c:
        return c.send(sender=sender, message=MESSAGE.replace(
            b"<1@", b"<%d@" % number), **how)


def sender_of(program, sender="ann@sender.example", **settings):
    with start(program, **settings) as f, Hop(f) as hop:
        begins(send(f, sender), "250 ")
        return hop.messages[0][0]


def reference(user="ann", host="sender.example", length=4):
    """As Mail::SRS and libsrs2 sign it."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    days = int(time.time()) // 86400
    stamp = letters[days >> 5 & 31] + letters[days & 31]
    hash = hmac.new(b"a secret of some length",
                    (stamp + host + user).lower().encode(), hashlib.sha1)
    return (base64.b64encode(hash.digest()).decode()[:length], stamp, host,
            user)


@case
def the_hash_of_other_programs(program):
    hash, stamp, host, user = reference()
    equal(sender_of(program, srs_hash="sha1"),
          f"SRS0={hash}={stamp}={host}={user}@srs.example")
    assert sender_of(program) != sender_of(program, srs_hash="sha1")


@case
def length_and_separator(program):
    hash, stamp, host, user = reference(length=12)
    equal(sender_of(program, srs_hash="sha1", srs_hash_length=12,
                    srs_separator="+"),
          f"SRS0+{hash}={stamp}={host}={user}@srs.example")


@case
def what_it_takes_back(program):
    hash, stamp, host, user = reference(length=6)
    address = f"{stamp}={host}={user}@srs.example"
    with start(program) as f, Hop(f, 3):
        for settings, hashes in (
                ({}, {hash[:4]: "250", hash[:4].swapcase(): "250",
                      hash[:3]: "550", "AAAA": "550"}),
                ({"srs_folded_hash": "no"}, {hash[:4]: "250",
                                             hash[:4].swapcase(): "550"}),
                ({"srs_hash_length": 6, "srs_hash_min": 3},
                 {hash[:6]: "250", hash[:3]: "250", hash[:2]: "550"}),
                ({"srs_hash_length": None, "srs_hash_min": None,
                  "srs_refuse_sha1": "yes"}, {hash[:4]: "550"})):
            f.configure(**settings)
            f.reload()
            with f.client() as c:
                for one, want in hashes.items():
                    c.say("RSET")
                    begins(c.envelope(f"SRS0={one}={address}", ""), want)


@case
def age(program):
    hash = reference()
    old = int(time.time()) // 86400 - 10
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    stamp = letters[old >> 5 & 31] + letters[old & 31]
    hash = base64.b64encode(hmac.new(
        b"a secret of some length", (stamp + "sender.exampleann").lower().encode(),
        hashlib.sha1).digest()).decode()[:4]
    address = f"SRS0={hash}={stamp}=sender.example=ann@srs.example"
    with start(program) as f:
        with f.client() as c:
            begins(c.envelope(address, ""), "250")
        f.configure(srs_max_age_days=9)
        f.reload()
        with f.client() as c:
            begins(c.envelope(address, ""), "550 5.7.1 This address has expired")


@case
def m21_what_does_not_fit(program):
    begins(sender_of(program, LONG), "SRS0=")
    assert len(sender_of(program, LONG).split("@")[0]) <= 64
    equal(sender_of(program, LONG, srs_overflow="null"), "")
    equal(sender_of(program, LONG, srs_overflow="sink",
                    srs_sink="drop@srs.example"), "drop@srs.example")
    begins(sender_of(program, srs_overflow="null"), "SRS0=")
    with start(program, srs_overflow="sink", srs_sink="drop@srs.example",
               allow_unauthenticated="yes") as f:
        begins(send(f, "", to="drop@srs.example"), "250 2.0.0")
        equal(f.events("message")[0]["status"], "Dropped")


@case
def m21_senders(program):
    with start(program) as f, Hop(f) as hop, Hop(f, 3) as back:
        begins(send(f), "250 ")
        ours = hop.messages[0][0]
        begins(send(f, to=ours), "550 5.7.1 Only bounces")
        f.configure(srs_senders="any")
        f.reload()
        begins(send(f, to=ours, number=2), "250 ")
        equal(back.messages[0][1], ["ann@sender.example"])
        begins(back.messages[0][0], "SRS0=")
        begins(send(f, "x@open.example", to=ours, number=3), "550 5.7.")


@case
def says_what_is_wrong(program):
    with Forwarder(program) as f:
        for settings, want in (
                ({"srs_overflow": "sink"}, b"expected srs_sink beside it"),
                ({"srs_overflow": None, "srs_sink": "a@srs.example"},
                 b"expected srs_overflow = sink beside it"),
                ({"srs_sink": None, "srs_hash_min": 5},
                 b"srs_hash_min 5, expected at most the srs_hash_length of 4"),
                ({"srs_hash_min": None, "srs_hash": "md5"},
                 b"expected one of sha256, sha1"),
                ({"srs_hash": "sha1", "srs_secret": None, "srs_domain": None},
                 b"srs_hash alone, expected srs_secret beside it")):
            f.configure(**settings)
            done = f.run("--config", "forwarder.conf", "--check")
            equal(done.returncode, 2)
            holds(done.stderr, want)


case.main()
