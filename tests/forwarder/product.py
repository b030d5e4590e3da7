#!/usr/bin/env python3
"""product.py PROGRAM [CASE...]: rows of tests/product/README that can be seen
from outside of a forwarder only."""
import json
import re
import socket
import threading

import forwarder
from forwarder import (MESSAGE, RULES, Cases, Forwarder, Hop, begins, equal,
                       holds, until)

case = Cases()


class Client(forwarder.Client):
    """One that comes from another address."""

    def __init__(self, address, source):
        self.socket = socket.create_connection(address, 20,
                                               source_address=(source, 0))
        self.held = b""


def started(program, **settings):
    return Forwarder(program).start(**settings)


# ---- Limits -----------------------------------------------------------------

@case
def row_11_takes_25_mib_and_no_more(program):
    line = b"x" * 998 + b"\r\n"
    large = MESSAGE + line * ((26214400 - len(MESSAGE)) // len(line))
    large += b"y" * (26214400 - len(large) - 2) + b"\r\n"
    equal(len(large), 25 * 1024 * 1024)
    with started(program) as f, Hop(f) as hop:
        with f.client(greet=False) as c:
            begins(c.reply(), "220")
            holds(c.say("EHLO client.sender.example").split("\n"),
                  "250-SIZE 26214400")
            begins(c.envelope(more=" SIZE=26214401"), "552 5.3.4")
            begins(c.send(message=large), "250 2.0.0")
            begins(c.send(message=large + b"\r\n"), "552 5.3.4")
        equal(len(hop.messages), 1)
        assert hop.messages[0][2].endswith(large)


@case
def row_11_counts_neither_rules_nor_addresses(program):
    """The product has 200 of each."""
    rules = json.loads(json.dumps(RULES))
    for i in range(1000):
        rules["zones"][0]["rules"].append(
            {"matchers": [{"type": "literal", "field": "to",
                           "value": f"u{i}@zone.example"}],
             "actions": [{"type": "forward", "value": [f"b{i}@one.example"]}]})
        rules["addresses"].append({"email": f"b{i}@one.example",
                                   "verified": True})
    f = Forwarder(program)
    f.write("rules.json", json.dumps(rules))
    with f.start(), Hop(f) as hop, f.client() as c:
        begins(c.send(to="u999@zone.example"), "250 2.0.0")
        equal(hop.messages[0][1], ["b999@one.example"])


# ---- The way of a message -----------------------------------------------------

@case
def row_55_each_step_after_the_one_before(program):
    """What fails at a step is not seen by the next: size, lists of clients,
    rules (which need no message), authentication, action, seal, delivery, log.
    """
    with Forwarder(program) as f, Hop(f) as hop:
        f.write("zone.txt", (f.path / "zone.txt").read_text()
                + "2.0.0.127.bl.example. 60 IN A 127.0.0.2\n")
        f.start(dnsbl="bl.example", max_message_bytes=2000)

        def says(to, size=1000, source="127.0.0.1"):
            """To the first no, or to the end."""
            with Client(f.addresses[0], source) as c:
                got = c.reply()
                for line in ("EHLO client.sender.example",
                             f"MAIL FROM:<ann@strict.example> SIZE={size}",
                             f"RCPT TO:<{to}>", "DATA"):
                    got = c.say(line) if got[0] in "23" else got
                if got.startswith("354"):
                    c.write(MESSAGE.replace(b"sender.example",
                                            b"strict.example") + b".\r\n")
                    got = c.reply()
                return got

        begins(says("nobody@zone.example", 9000, "127.0.0.2"), "552 5.3.4")
        begins(says("nobody@zone.example", 1000, "127.0.0.2"), "554")
        begins(says("nobody@zone.example"), "550 5.1.1")
        begins(says("one@zone.example"), "550 5.7.1")
        equal((hop.lines, hop.messages), ([], []))
        with f.client() as c:
            begins(c.send(), "250 2.0.0")
        sender, _, octets = hop.messages[0]
        begins(sender, "SRS0=")
        # The seal is over what was found: it has the results in it.
        head = octets.split(b"\r\n\r\n")[0].decode()
        names = re.findall(r"(?m)^([\w-]+):", head)
        equal(names[:3], ["ARC-Seal", "ARC-Message-Signature",
                          "ARC-Authentication-Results"])
        found = re.search(r"ARC-Authentication-Results: i=1;(.*?)\r\n(?=\S)",
                          head, re.S).group(1)
        for what in ("spf=pass", "dmarc=pass", "arc=none"):
            holds(found, what)
        # And the log has the end of it.
        line = f.events("message")[-1]
        equal((line["spf"], line["route"], line["deliveries"][0]["code"]),
              ("pass", "delivered", 250))


@case
def row_61_a_lost_answer_makes_no_second_copy(program):
    """The next hop has taken it, and our client is gone before it hears so."""
    asked, go = threading.Event(), threading.Event()

    def end(_):
        asked.set()
        go.wait(10)
        return "250 2.0.0 taken"

    with started(program) as f, Hop(f, end=end) as hop:
        c = f.client()
        begins(c.envelope(), "250")
        begins(c.say("DATA"), "354")
        c.write(MESSAGE + b".\r\n")
        assert asked.wait(10)
        c.close()
        # Whether it has seen that or not.
        threading.Timer(0.3, go.set).start()
        assert until(lambda: hop.messages)
        for _ in range(4):
            with f.client() as again:
                assert until(lambda again=again: again.send()
                             .startswith("250 2.0.0"))
        equal(len(hop.messages), 1)


@case
def row_62_who_is_answered_in_the_session_gets_no_notice(program):
    """The sender's server writes it; with `relay = spool` we do: spool.py."""
    with Forwarder(program) as f, Hop(f, rcpt="550 5.1.1 nobody") as hop, \
            Hop(f, 3) as back:
        f.write("zone.txt", (f.path / "zone.txt").read_text()
                + "sender.example. 60 IN MX 10 mx.sender.example.\n"
                "mx.sender.example. 60 IN A 127.0.0.13\n")
        f.start()
        with f.client() as c:
            equal(c.send(), "550 5.1.1 nobody")
        equal((hop.messages, back.lines, f.events("queue")), ([], [], []))


@case
def row_71_received_says_how_it_came(program):
    """Name, address, who took it and how, an id that the log has, for whom,
    when: for one recipient alone, as others need not know of each other."""
    with started(program) as f, Hop(f) as hop:
        with f.client() as c:
            begins(c.send(), "250")
            begins(c.send("one@zone.example uno@zone.example",
                          message=MESSAGE.replace(b"<1@", b"<2@")), "250")
        one, two = [re.search(rb"\r\nReceived: (.*?)\r\n(?=\S)", m[2], re.S)
                    .group(1).decode() for m in hop.messages]
        form = (r"from client\.sender\.example \(\[127\.0\.0\.1\]\)\s+"
                r"by mx\.zone\.example with ESMTP\s+id (\S+)"
                r"(\s+for <one@zone\.example>)?;\s+"
                r"\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")
        for text, is_for in ((one, True), (two, False)):
            got = re.fullmatch(form, text)
            assert got, text
            equal(got[2] is not None, is_for)
        equal([re.search(r"id (\w+)", t).group(1) for t in (one, two)],
              [e["id"] for e in f.events("message")])


case.main()
