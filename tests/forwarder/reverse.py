#!/usr/bin/env python3
"""reverse.py PROGRAM [CASE...]: reverse aliases: who has mail through an address
of ours answers through us, shows that address alone, and nobody else does."""
import json
import re
import shutil

import signing_peer_run as peer
from forwarder import (DATA, MESSAGE, RULES, Cases, Forwarder, Hop, begins,
                       equal, holds, until)

case = Cases()
SECRET = "sixteen octets, or a few more of them\n"
# Whoever has the mailbox, and somebody else who has one there.
ZONE_MORE = """\
one.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc.one.example. 60 IN TXT "v=DMARC1; p=reject"
two.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"
quiet.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"
sender.example. 60 IN MX 10 mx.sender.example.
mx.sender.example. 60 IN A 127.0.0.13
_dmarc.zone.example. 60 IN TXT "v=DMARC1; p=reject"
"""
ANSWER = (b"Received: from phone by mx.one.example; Sun, 22 Nov 2026 11:00:00 "
          b"+0000\r\n"
          b"From: Me Myself <box@one.example>\r\n"
          b"To: Ann <ALIAS>\r\n"
          b"Cc: other@one.example\r\n"
          b"Subject: Re: hello\r\n"
          b"Date: Sun, 22 Nov 2026 11:00:00 +0000\r\n"
          b"Message-ID: <2@one.example>\r\n"
          b"In-Reply-To: <1@sender.example>\r\n"
          b"X-Mailer: my own\r\n"
          b"X-Originating-IP: [192.0.2.77]\r\n"
          b"Content-Type: text/plain\r\n"
          b"\r\n"
          b"Yes.\r\n")


class Reverse(Forwarder):
    def __init__(self, program, start=True, **settings):
        super().__init__(program)
        zone = (self.path / "zone.txt").read_text() + ZONE_MORE
        seal = re.search(r'^s\._domainkey\S+ .*?TXT (.*)$', zone, re.M)[1]
        p = (DATA / "key" / "rsa2048.p").read_text().strip()
        zone += (f"e._domainkey.zone.example. 60 IN TXT {seal}\n"
                 "r._domainkey.zone.example. 60 IN TXT "
                 f'"v=DKIM1; k=rsa; p={p[:200]}" "{p[200:]}"\n')
        self.write("zone.txt", zone)
        shutil.copy(DATA / "key" / "rsa2048.pem", self.path / "rsa.pem")
        self.write("tokens.txt", SECRET)
        self.settings.update({"token_secret": "tokens.txt",
                              "reverse_alias": "zone.example",
                              "dkim_key": "zone.example r rsa.pem", **settings})
        if start:
            self.start()

    def send(self, *args, **how):
        with self.client() as c:
            return c.send(*args, **how)

    def answer(self, alias, message=ANSWER, sender="box@one.example", **how):
        return self.send(to=alias, sender=sender, message=message.replace(
            b"ALIAS", alias.encode()), **how)


def fields(octets):
    out = {}
    for line in octets.split(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").replace(
            b"\r\n ", b" ").split(b"\r\n"):
        name, _, value = line.decode().partition(":")
        out.setdefault(name.lower(), []).append(value.strip())
    return out


def alias_of(octets):
    return re.search(r"<(ra-[a-z2-7]+@zone\.example)>",
                     fields(octets)["from"][0])[1]


@case
def there_and_back(program):
    with Reverse(program) as f, Hop(f) as hop, Hop(f, 3) as ann:
        begins(f.send(), "250 ")
        (_, _, copy), = hop.messages
        got = fields(copy)
        alias = alias_of(copy)
        equal(got["from"], [f"Ann <{alias}>"])
        equal(got["x-original-from"], ["ann@sender.example"])
        assert copy.endswith(MESSAGE.split(b"\r\n", 1)[1])
        # It passes DMARC, as ours.
        peer.judge(f, copy, ["zone.example r"], arc=None)
        assert len(alias.split("@")[0]) <= 64
        begins(f.answer(alias), "250 2.0.0 queued as ")
        assert until(lambda: ann.messages)
        (sender, to, octets), = ann.messages
        equal((sender, to), ("one@zone.example", ["ann@sender.example"]))
        got = fields(octets)
        equal(sorted(got), sorted([
            "dkim-signature", "received", "from", "to", "subject", "date",
            "message-id", "in-reply-to", "content-type"]))
        equal((got["from"], got["to"]),
              (["one@zone.example"], ["ann@sender.example"]))
        equal(len(got["received"]), 1)
        begins(got["received"][0], "by mx.zone.example id ")
        for secret in (b"@one.example", b"mx.one.", b"192.0.2.77", b"Me M"):
            assert secret not in octets.replace(b"<2@one.example>", b"")
        assert octets.endswith(b"\r\n\r\nYes.\r\n")
        peer.judge(f, octets, ["zone.example r"], arc=None)
        line = f.events("message")[-1]
        equal((line["status"], line["action"], line["to"]),
              ("Queued", "reverse-alias", [alias]))
        # The next one has the same alias, after a restart too.
        f.kill()
        f.start()
        begins(f.send(message=MESSAGE.replace(b"<1@", b"<3@")), "250 ")
        equal(alias_of(hop.messages[1][2]), alias)
        begins(f.answer(alias.upper()), "250 2.0.0 queued as ")


@case
def nobody_else_writes_through_it(program):
    with Reverse(program) as f, Hop(f) as hop, Hop(f, 3) as ann:
        begins(f.send(), "250 ")
        alias = alias_of(hop.messages[0][2])
        rows = [
            # Somebody whose mail is not forwarded there.
            (ANSWER.replace(b"box@one", b"eve@one"), "box@one.example"),
            (ANSWER.replace(b"box@one.example>", b"ann@sender.example>"),
             "ann@sender.example"),
            # DMARC fails; a null sender; two authors; none.
            (ANSWER, "ann@sender.example"),
            (ANSWER.replace(b"box@one.example>", b"box@two.example>"),
             "ann@sender.example"),
            (ANSWER.replace(b"<box@one.example>",
                            b"<box@one.example>, x@one.example"),
             "box@one.example"),
            (ANSWER.replace(b"From: Me", b"X-From: Me"), "box@one.example")]
        for message, sender in rows:
            begins(f.answer(alias, message, sender), "550 5.7.1 ")
        begins(f.answer(alias, sender=""), "550 5.7.1 Only people")
        # Not signed by us, or for another domain.
        wrong = ("ra-" + alias[4:13] + ("a" if alias[13] != "a" else "b")
                 + alias[14:])
        begins(f.answer(wrong), "550 5.1.1")
        # One transaction has one of them.
        with f.client() as c:
            begins(c.envelope(f"{alias} one@zone.example",
                              "box@one.example"), "452 4.5.3")
        with f.client() as c:
            begins(c.envelope(f"one@zone.example {alias}",
                              "box@one.example"), "452 4.5.3")
        equal(ann.messages, [])
        equal(len(f.events("queued")), 0)


@case
def a_destination_that_is_none_any_more_is_refused(program):
    with Reverse(program) as f, Hop(f) as hop, Hop(f, 3) as ann:
        begins(f.send(), "250 ")
        alias = alias_of(hop.messages[0][2])
        rules = json.loads(json.dumps(RULES))
        rules["addresses"][0]["verified"] = False
        f.write("rules.json", json.dumps(rules))
        f.reload()
        begins(f.answer(alias), "550 5.7.1 Only those")
        rules = json.loads(json.dumps(RULES))
        del rules["zones"][0]["rules"][0]
        f.write("rules.json", json.dumps(rules))
        f.reload()
        begins(f.answer(alias), "550 5.7.1 Only those")
        equal(ann.messages, [])
        f.write("rules.json", json.dumps(RULES))
        f.reload()
        begins(f.answer(alias), "250 ")


@case
def without_a_dmarc_record_the_domain_itself_must_pass(program):
    rules = json.loads(json.dumps(RULES))
    rules["zones"][0]["rules"][0]["actions"][0]["value"] = ["me@quiet.example"]
    rules["addresses"].append({"email": "me@quiet.example", "verified": True})
    with Reverse(program, start=False) as f:
        f.write("rules.json", json.dumps(rules))
        f.write("zone.txt", (f.path / "zone.txt").read_text()
                + "quiet.example. 60 IN MX 10 mx.one.example.\n")
        f.start()
        with Hop(f) as hop, Hop(f, 3) as ann:
            begins(f.send(), "250 ")
            alias = alias_of(hop.messages[0][2])
            mine = ANSWER.replace(b"box@one.example", b"me@quiet.example")
            begins(f.answer(alias, mine, "ann@sender.example"), "550 5.7.1")
            begins(f.answer(alias, mine, "me@quiet.example"), "250 ")
            assert until(lambda: ann.messages)


@case
def only_what_passes_dmarc_gets_one(program):
    """And only where it was asked for, and where a rule forwards."""
    with Reverse(program, allow_unauthenticated="yes") as f, Hop(f) as hop:
        forged = MESSAGE.replace(b"ann@sender.example>", b"ann@open.example>")
        begins(f.send(message=forged), "250 ")
        equal(fields(hop.messages[0][2])["from"], ["Ann <ann@open.example>"])
        f.configure(reverse_alias="two.zone.example")
        f.reload()
        begins(f.send(message=MESSAGE.replace(b"<1@", b"<2@")), "250 ")
        equal(fields(hop.messages[1][2])["from"], ["Ann <ann@sender.example>"])
        begins(f.answer("ra-abc@zone.example"), "550 5.1.1")


@case
def answers_go_where_the_author_wants_them(program):
    """Reply-To counts; a name is kept as it was written; no name, the
    address."""
    with Reverse(program) as f, Hop(f) as hop, Hop(f, 3) as ann:
        message = MESSAGE.replace(
            b"From: Ann <ann@sender.example>",
            b"From: =?utf-8?q?=C3=84nn?=\r\n <ann@sender.example>\r\n"
            b"Sender: robot@sender.example\r\n"
            b"Reply-To: Desk <desk@sender.example>")
        begins(f.send(message=message), "250 ")
        got = fields(hop.messages[0][2])
        alias = alias_of(hop.messages[0][2])
        equal(got["from"], [f"=?utf-8?q?=C3=84nn?= <{alias}>"])
        assert "reply-to" not in got and "sender" not in got
        begins(f.answer(alias), "250 ")
        assert until(lambda: ann.messages)
        equal(ann.messages[0][1], ["desk@sender.example"])
        bare = MESSAGE.replace(b"Ann <ann@sender.example>",
                               b'"a\\"b"@sender.example').replace(b"<1@", b"<4@")
        begins(f.send(message=bare), "250 ")
        got = fields(hop.messages[1][2])
        alias = alias_of(hop.messages[1][2])
        begins(got["from"][0], '"')
        equal(got["from"][0].count('"'), 2)


@case
def failures_are_told_to_who_wrote(program):
    with Reverse(program) as f, Hop(f) as hop, \
            Hop(f, 3, rcpt="550 5.1.1 nobody here"):
        begins(f.send(), "250 ")
        begins(f.answer(alias_of(hop.messages[0][2])), "250 ")
        assert until(lambda: len(hop.messages) == 2)
        sender, to, octets = hop.messages[1]
        equal((sender, to), ("", ["box@one.example"]))
        holds(octets, b"multipart/report")


@case
def says_what_is_missing(program):
    with Reverse(program, start=False) as f:
        for settings, want in (
                ({"token_secret": None}, b"expected token_secret beside it"),
                ({"token_secret": "tokens.txt", "reverse_alias": "x.example"},
                 b"expected a domain that a dkim_key signs for"),
                ({"reverse_alias": "sub.zone.example", "store": "memory"},
                 b"expected spool = DIR beside it")):
            f.configure(**settings)
            done = f.run("--config", "forwarder.conf", "--check")
            equal(done.returncode, 2)
            holds(done.stderr, want)
        f.write("tokens.txt", "short\n")
        f.configure(store=None)
        done = f.run("--config", "forwarder.conf", "--check")
        equal(done.returncode, 3)
        holds(done.stderr, b"16 octets or more")


case.main()
