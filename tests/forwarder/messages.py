#!/usr/bin/env python3
"""messages.py PROGRAM [CASE...]: messages on their way through the forwarder,
from a client to next hops that follow a script."""
import base64
import re
import socket
import threading
import time

from forwarder import (Cases, Forwarder, Hop, MESSAGE, begins, equal, holds,
                       make_certificate, until)

case = Cases()


def world(program, **settings):
    return Forwarder(program).start(**settings)


def other(number, message=MESSAGE):
    """The same message, but another: the ledger knows it not."""
    return message.replace(b"<1@", b"<%d@" % number)


def last(f):
    return f.events("message")[-1]


# ---- Where it goes --------------------------------------------------------

@case
def forwards(program):
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            equal(c.send(), "250 2.0.0 taken")
            begins(c.say("QUIT"), "221 2.0.0")
        ((sender, to, text),) = hop.messages
        assert re.fullmatch(r"SRS0=\S+=sender\.example=ann@srs\.example",
                            sender), sender
        equal(to, ["box@one.example"])
        assert text.endswith(MESSAGE)
        names = [line.split(b":")[0] for line in text.split(b"\r\n\r\n")[0]
                 .split(b"\r\n") if line[:1] not in b" \t"]
        equal(names[:6], [b"ARC-Seal", b"ARC-Message-Signature",
                          b"ARC-Authentication-Results",
                          b"Authentication-Results", b"Delivered-To",
                          b"Received"])
        holds(text, b" spf=pass (mx.zone.example: domain of ann@sender.example "
              b"designates")
        assert until(lambda: hop.ends == ["quit"]), hop.ends
        line = last(f)
        for key, value in {"client": "127.0.0.1", "tls": None,
                           "helo": "client.sender.example",
                           "from": "ann@sender.example",
                           "to": ["one@zone.example"], "size": len(MESSAGE),
                           "spf": "pass", "dkim": [], "arc": "none",
                           "dmarc": "pass", "author_domain": "sender.example",
                           "route": "delivered", "code": 250,
                           "enhanced": "2.0.0", "text": "taken"}.items():
            equal((key, line[key]), (key, value))
        equal({**line["deliveries"][0], "ms": 0},
              {"to": "box@one.example", "from": sender, "fate": "delivered",
               "host": "mx.one.example", "ip": "127.0.0.11", "tls": None,
               "tls_reason": "default",
               "tls_results": ["no-policy-found starttls-not-supported "
                               "mx.one.example"],
               "code": 250, "enhanced": "2.0.0", "text": "taken",
               "attempts": 1, "ms": 0})
        assert line["ms"] >= line["deliveries"][0]["ms"] >= 0


@case
def forwards_for_several_to_one_place(program):
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            equal(c.send("one@zone.example uno@zone.example"),
                  "250 2.0.0 taken")
        equal([to for _, to, _ in hop.messages], [["box@one.example"]])
        equal(last(f)["to"], ["one@zone.example", "uno@zone.example"])


@case
def retries_only_what_is_left(program):
    says = ["451 4.2.0 not now", "250 2.0.0 now"]
    with world(program) as f, Hop(f, 1) as one, \
            Hop(f, 2, end=lambda _: says.pop(0)) as two:
        with f.client() as c:
            equal(c.send("two@zone.example"), "451 4.2.0 not now")
            equal([d["fate"] for d in last(f)["deliveries"]],
                  ["delivered", "temporary"])
            begins(c.send("two@zone.example"), "250 2.0.0 ")
            equal([d["fate"] for d in last(f)["deliveries"]],
                  ["before", "delivered"])
            equal((len(one.messages), len(two.messages)), (1, 1))
            begins(c.send("two@zone.example"), "250 ")
            equal((len(one.messages), len(two.messages)), (1, 1))


@case
def a_permanent_failure_of_one_is_told(program):
    with world(program) as f, Hop(f, 1) as one, \
            Hop(f, 2, rcpt="550 5.1.1 nobody") as two:
        with f.client() as c:
            equal(c.send("two@zone.example"), "550 5.1.1 nobody")
        equal((len(one.messages), two.messages), (1, []))


@case
def drops(program):
    with world(program) as f:
        with f.client() as c:
            begins(c.send("void@zone.example"), "250 2.0.0")
        equal((last(f)["route"], last(f)["deliveries"]), ("drop", []))


@case
def refuses_recipients(program):
    rows = {
        "no@zone.example": "550 5.7.1 we do not want this",
        "nobody@zone.example": "550 5.1.1 ",
        "one@elsewhere.example": "550 5.7.1 ",
        "one@[127.0.0.1]": "550 5.7.1 ",
        "one%elsewhere.example@zone.example": "550 5.1.1 ",
        "one@zone.example.": "501 5.1.3 ",
    }
    with world(program) as f:
        with f.client() as c:
            for to, want in rows.items():
                got = c.envelope(to)
                begins(got, want)
                equal(c.say("DATA"), "554 5.5.1 No valid recipients")
                begins(c.say("RSET"), "250")
                if want.startswith("501"):
                    continue
                event = f.events("recipient-refused")[-1]
                equal((event["to"], event["from"], str(event["code"])),
                      (to, "ann@sender.example", got[:3]))
                holds(got, event["text"])
        equal(f.events("message"), [])


@case
def takes_another_group_in_its_own_transaction(program):
    with world(program) as f, Hop(f, 1) as one, Hop(f, 2) as two:
        with f.client() as c:
            begins(c.envelope(), "250")
            begins(c.say("RCPT TO:<two@zone.example>"), "452 4.5.3 ")
            begins(c.say("RCPT TO:<void@zone.example>"), "452 4.5.3 ")
            begins(c.say("DATA"), "354")
            c.write(MESSAGE + b".\r\n")
            equal(c.reply(), "250 2.0.0 taken")
            begins(c.send("two@zone.example"), "250 ")
        # Another recipient, so another copy.
        equal((len(one.messages), len(two.messages)), (2, 1))


# ---- Senders --------------------------------------------------------------

@case
def brings_bounces_back(program):
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            c.send()
            rewritten = hop.messages[0][0]
            bounce = MESSAGE.replace(b"ann@", b"MAILER-DAEMON@")
            f.write("zone.txt", (f.path / "zone.txt").read_text()
                    + "sender.example. 60 IN MX 10 mx.one.example.\n")
            f.reload()
        with f.client() as c:
            begins(c.send(rewritten, sender="ann@sender.example"),
                   "550 5.7.1")
            c.say("RSET")
            equal(c.send(rewritten, sender="", message=bounce),
                  "250 2.0.0 taken")
            equal(hop.messages[1][:2], ("", ["ann@sender.example"]))
            forged = rewritten.replace("ann@", "eve@")
            begins(c.send(forged, sender=""), "550 5.7.1")


@case
def row_64_brings_bounces_of_long_senders_back(program):
    """Over 64 octets when rewritten, or quoted: the store has the sender."""
    with world(program) as f, Hop(f) as hop:
        zone = (f.path / "zone.txt").read_text()
        f.write("zone.txt",
                zone + "sender.example. 60 IN MX 10 mx.one.example.\n")
        f.reload()
        senders = ["a" * 60 + "@sender.example", '"a b"@sender.example']
        for number, sender in enumerate(senders):
            with f.client() as c:
                equal(c.send(sender=sender, message=other(100 + number)),
                      "250 2.0.0 taken")
            rewritten = hop.messages[-1][0]
            assert re.fullmatch(r"SRS0=\S{4}=\S\S=[A-Z2-7]{16}@srs\.example",
                                rewritten), rewritten
            bounce = other(200 + number).replace(b"ann@", b"MAILER-DAEMON@")
            with f.client() as c:
                begins(c.send(rewritten, sender="ann@sender.example"),
                       "550 5.7.1")
                c.say("RSET")
                equal(c.send(rewritten, sender="", message=bounce),
                      "250 2.0.0 taken")
            equal(hop.messages[-1][:2], ("", [sender]))


@case
def authenticates_the_null_path_by_the_name_in_ehlo(program):
    message = MESSAGE.replace(b"ann@", b"ann@client.")
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            begins(c.send(sender="", message=message), "550 5.7.26 ")
        f.write("zone.txt", (f.path / "zone.txt").read_text() + CLIENT)
        f.reload()
        with f.client() as c:
            equal(c.send(sender="", message=message), "250 2.0.0 taken")
        equal(hop.messages[0][0], "")


CLIENT = 'client.sender.example. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"\n'


# ---- What is in it --------------------------------------------------------

@case
def takes_out_results_that_claim_to_be_ours(program):
    forged = (b"Authentication-Results: mx.zone.example; dmarc=pass\r\n"
              b"authentication-results: (x) MX.Zone.Example (y) 1;\r\n"
              b" dkim=pass header.d=bank.example\r\n"
              b"Authentication-Results: mx.other.example; spf=pass\r\n")
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            equal(c.send(message=forged + MESSAGE), "250 2.0.0 taken")
        text = hop.messages[0][2]
        assert b"bank.example" not in text
        equal(text.lower().count(b"\r\nauthentication-results:"), 2)
        holds(text, b"\r\nAuthentication-Results: mx.other.example; spf=pass"
              b"\r\n")


@case
def sees_loops(program):
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            equal(c.send(), "250 2.0.0 taken")
            came_back = hop.messages[0][2]
            begins(c.send(message=came_back), "554 5.4.6 ")
            equal(last(f)["route"], "loop")
            hops = b"Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0000\r\n"
            begins(c.send(message=hops * 101 + MESSAGE), "554 5.4.6 ")
            equal(last(f)["route"], "hops")


@case
def follows_dmarc(program):
    message = MESSAGE.replace(b"ann@sender", b"ann@strict")
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            begins(c.send(message=message), "550 5.7.1 ")
            equal((last(f)["route"], last(f)["dmarc"]), ("dmarc", "fail"))
        equal(hop.messages, [])
        f.configure(enforce_dmarc="no")
        f.reload()
        with f.client() as c:
            # Not ours to refuse any more, but the copy would gain nothing.
            equal(c.send(message=message), "250 2.0.0 taken")
        for word in ("rfc9989", "never"):
            f.configure(enforce_dmarc="yes", dmarc_reject=word)
            f.reload()
            with f.client() as c:
                equal(c.send(message=message + word.encode() + b"\r\n"),
                      "250 2.0.0 taken")
        f.configure(dmarc_reject="service")
        f.reload()
        with f.client() as c:
            begins(c.send(message=message), "550 5.7.1 ")


@case
def wants_something_that_authenticates(program):
    message = MESSAGE.replace(b"sender.example", b"open.example")
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            begins(c.send(sender="ann@open.example", message=message),
                   "550 5.7.26 ")
            equal(last(f)["route"], "unauthenticated")
        f.configure(allow_unauthenticated="yes")
        f.reload()
        with f.client() as c:
            equal(c.send(sender="ann@open.example", message=message),
                  "250 2.0.0 taken")
        equal(len(hop.messages), 1)


@case
def does_not_lend_its_name(program):
    """A100: what fails DMARC here, and would pass it as a copy of ours, by the
    sender's new domain or, with the null path, by our name."""
    rows = [("boss@zone.example", "ann@sender.example", "250 2.0.0 taken"),
            ("boss@srs.example", "ann@sender.example", "550 5.7.1 "),
            ("boss@sub.srs.example", "ann@sender.example", "550 5.7.1 "),
            ("boss@zone.example", "", "550 5.7.1 "),
            ("boss@srs.example", "", "250 2.0.0 taken")]
    with world(program) as f, Hop(f) as hop:
        f.write("zone.txt", (f.path / "zone.txt").read_text() + CLIENT
                + '_dmarc.zone.example. 60 IN TXT "v=DMARC1; p=none"\n'
                + '_dmarc.srs.example. 60 IN TXT "v=DMARC1; p=none"\n')
        f.reload()
        with f.client() as c:
            for i, (author, sender, want) in enumerate(rows):
                message = (f"From: Boss <{author}>\r\n".encode()
                           + MESSAGE.split(b"\r\n", 1)[1])
                begins(c.send(sender=sender, message=other(i, message)), want)
                equal((last(f)["dmarc"], last(f)["route"]),
                      ("fail", "alignment" if want[0] == "5"
                       else "delivered"))
        equal(len(hop.messages), 2)


@case
def refuses_what_is_too_big(program):
    with world(program, max_message_bytes=2000) as f, Hop(f) as hop:
        with f.client() as c:
            begins(c.send(more=" SIZE=2001"), "552 5.3.4 ")
            begins(c.send(message=MESSAGE + b"x" * 2000 + b"\r\n"),
                   "552 5.3.4 ")
            line = last(f)
            equal((line["code"], line["enhanced"], line["to"]),
                  (552, "5.3.4", ["one@zone.example"]))
            equal(c.send(message=MESSAGE + b"x" * (2000 - len(MESSAGE) - 2)
                         + b"\r\n"), "250 2.0.0 taken")
        equal(len(hop.messages), 1)


@case
def refuses_a_header_without_end(program):
    field = b"X-Long: " + b"y" * 900 + b"\r\n"
    with world(program) as f:
        with f.client() as c:
            equal(c.send(message=field * 3000 + MESSAGE),
                  "552 5.3.4 the header of the message is too long")
            equal(last(f)["code"], 552)


@case
def refuses_smuggling(program):
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            begins(c.envelope(), "250")
            begins(c.say("DATA"), "354")
            c.write(MESSAGE + b"\n.\r\nMAIL FROM:<x@sender.example>\r\n.\r\n")
            begins(c.reply(), "550 5.6.0 Bare CR or LF")
            equal(last(f)["code"], 550)
            begins(c.say("NOOP"), "250")
        equal(hop.messages, [])


@case
def keeps_dots(program):
    message = MESSAGE + b".\r\n..\r\n.x\r\n"
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            equal(c.send(message=message), "250 2.0.0 taken")
        assert hop.messages[0][2].endswith(message)


@case
def carries_what_has_no_end(program):
    """Comments and strings without an end, in any field that is looked at."""
    names = ["Message-ID", "In-Reply-To", "References", "Auto-Submitted",
             "Precedence", "Date", "Sender", "Reply-To", "To", "Received",
             "Subject", "Content-Type", "List-Id"]
    messages = [f"{name}: {start}<x@sender.example>\r\n".encode()
                + other(n, MESSAGE.replace(b"Message-ID", b"X-Was"))
                for n, (name, start) in enumerate(
                    (name, start) for name in names for start in '("[')]
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            for message in messages:
                equal(c.send(message=message), "250 2.0.0 taken")
        for message, (_, _, text) in zip(messages, hop.messages, strict=True):
            assert text.endswith(message)


@case
def carries_8_bit_text(program):
    message = MESSAGE + "grüße\r\n".encode()
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            equal(c.send(more=" BODY=8BITMIME", message=message),
                  "250 2.0.0 taken")
        assert hop.messages[0][2].endswith(message)
        holds(hop.heard("MAIL")[0], " BODY=8BITMIME")


@case
def refuses_8_bit_text_where_the_next_hop_does(program):
    message = MESSAGE + "grüße\r\n".encode()
    with world(program) as f, Hop(f, ehlo="250 hop") as hop:
        with f.client() as c:
            begins(c.send(more=" BODY=8BITMIME", message=message),
                   "554 5.6.3 ")
            equal(c.send(message=other(2)), "250 2.0.0 taken")
        equal(len(hop.messages), 1)


UTF8 = MESSAGE.replace(b"Subject: hello", "Subject: grüße".encode())


@case
def carries_smtputf8(program):
    with world(program) as f, \
            Hop(f, ehlo="250-hop\r\n250-8BITMIME\r\n250 SMTPUTF8") as hop:
        with f.client() as c:
            equal(c.send(more=" SMTPUTF8 BODY=8BITMIME", message=UTF8),
                  "250 2.0.0 taken")
            equal(c.send(sender="änn@sender.example", more=" SMTPUTF8",
                         message=other(2, UTF8)), "250 2.0.0 taken")
        holds(hop.heard("MAIL")[0], " SMTPUTF8")
        holds(hop.messages[1][0], "änn@srs.example")
        holds(hop.messages[1][2], b"with UTF8SMTP")
        equal(last(f)["from"], "änn@sender.example")


@case
def refuses_smtputf8_where_the_next_hop_does(program):
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            begins(c.send(more=" SMTPUTF8", message=UTF8), "554 5.6.7 ")
        equal(hop.messages, [])
        equal((last(f)["code"], last(f)["route"]), (554, "next-hop"))


@case
def does_not_offer_smtputf8_if_told_so(program):
    with world(program, smtputf8="no") as f:
        with f.client() as c:
            assert "SMTPUTF8" not in c.say("EHLO c.sender.example")
            begins(c.say("MAIL FROM:<a@sender.example> SMTPUTF8"), "555 ")


# ---- What the next hop says -----------------------------------------------

@case
def row_60_passes_on_what_the_next_hop_says(program):
    """Each phase, 4yz and 5yz. What a server says of itself (greeting, EHLO)
    says nothing of the message: with no other server it is tried later."""
    rows = [
        ("greeting", "421 4.3.2 not today", "421 4.3.2 not today", True),
        ("greeting", "554 5.3.2 no mail here", "", False),
        ("ehlo", "421 4.3.2 going down", "", True),
        ("mail", "450 4.1.8 sender later", "450 4.1.8 sender later", True),
        ("mail", "550 5.1.8 sender never", "550 5.1.8 sender never", False),
        ("rcpt", "452 4.2.2 box is full", "452 4.2.2 box is full", True),
        ("rcpt", "550 5.1.1 no such box", "550 5.1.1 no such box", False),
        ("data", "451 4.3.0 data later", "451 4.3.0 data later", True),
        ("data", "554 5.3.0 data never", "554 5.3.0 data never", False),
        ("end", "451 4.7.1 greylisted", "451 4.7.1 greylisted", True),
        ("end", "550 5.7.1 it is spam", "550 5.7.1 it is spam", False),
        ("end", "550-5.7.1 it is\r\n550 5.7.1 spam", "550 5.7.1 it is spam",
         False),
    ]
    with world(program) as f:
        for number, (phase, says, want, is_temporary) in enumerate(rows):
            with Hop(f, **{phase: says}) as hop, f.client() as c:
                got = c.send(message=other(number))
                begins(got, "4" if is_temporary else "5")
                # A 421 of theirs ends no session of ours.
                text = want[10:]
                assert text in got, (phase, got, want)
                if want and not want.startswith("421"):
                    equal(got, want)
                equal(hop.messages, [])
                begins(c.say("NOOP"), "250")
                delivery = last(f)["deliveries"][0]
                equal(delivery["fate"],
                      "temporary" if is_temporary else "permanent")
                equal(last(f)["route"], "next-hop")


@case
def row_60_says_451_when_the_next_hop_is_down(program):
    with world(program) as f:
        with f.client() as c:
            got = c.send()
        equal(got, "451 4.4.1 mx.one.example [127.0.0.11]: "
              "Connection refused")
        equal(last(f)["deliveries"][0]["attempts"], 1)


@case
def says_451_when_the_next_hop_drops_us(program):
    for number, phase in enumerate(("greeting", "ehlo", "mail", "rcpt", "data",
                                    "end")):
        with world(program) as f, Hop(f, **{phase: lambda _: None}) as hop, \
                f.client() as c:
            begins(c.send(message=other(number)), "451 4.4.2 ")
            equal(hop.messages, [])


@case
def tries_the_next_server(program):
    with world(program) as f:
        records = (f.path / "zone.txt").read_text()
        f.write("zone.txt", records
                + "one.example. 60 IN MX 5 bad.one.example.\n"
                + "bad.one.example. 60 IN A 127.0.0.12\n")
        f.reload()
        with Hop(f, 2, mail="451 4.3.0 later") as bad, Hop(f) as good:
            with f.client() as c:
                equal(c.send(), "250 2.0.0 taken")
            equal((len(bad.messages), len(good.messages)), (0, 1))
            # It was not left without a word.
            assert until(lambda: bad.ends == ["quit"]), bad.ends
            equal(last(f)["deliveries"][0]["attempts"], 2)
        with Hop(f) as good, f.client() as c:
            equal(c.send(message=other(2)), "250 2.0.0 taken")


@case
def refuses_where_no_mail_is_taken(program):
    with world(program) as f:
        records = (f.path / "zone.txt").read_text()
        f.write("zone.txt", records.replace("MX 10 mx.one.example.", "MX 0 ."))
        f.reload()
        with f.client() as c:
            begins(c.send(), "554 5.1.10 ")  # RFC 7505


@case
def does_not_connect_to_private_addresses(program):
    with world(program, allow_private_addresses="no") as f, Hop(f) as hop:
        with f.client() as c:
            begins(c.send(), "550 5.4.4 ")
        equal(hop.lines, [])


@case
def brings_all_to_a_smart_host(program):
    with world(program, smart_host="[127.0.0.13]") as f, Hop(f, 3) as hop:
        with f.client() as c:
            equal(c.send(), "250 2.0.0 taken")
        equal(hop.messages[0][1], ["box@one.example"])


# ---- TLS ------------------------------------------------------------------

STARTTLS = "250-hop\r\n250-STARTTLS\r\n250 8BITMIME"


def with_certificates(f):
    make_certificate(f.path, "good", "mx.one.example")
    make_certificate(f.path, "other", "mx.elsewhere.example")
    return f


@case
def uses_tls_where_it_is_offered(program):
    with with_certificates(world(program)) as f, \
            Hop(f, certificate=f.path / "other", ehlo=STARTTLS):
        with f.client() as c:
            equal(c.send(), "250 2.0.0 taken")
        begins(last(f)["deliveries"][0]["tls"], "TLS1.3 ")


@case
def goes_on_in_the_clear_when_the_handshake_breaks(program):
    with world(program) as f, Hop(f, ehlo=STARTTLS) as hop:
        with f.client() as c:
            equal(c.send(), "250 2.0.0 taken")
        equal(len(hop.heard("STARTTLS")), 1)
        delivery = last(f)["deliveries"][0]
        equal((delivery["tls"], delivery["attempts"]), (None, 2))


@case
def keeps_to_its_demand(program):
    rows = [
        # level, certificate of the hop, EHLO, reply
        ("encrypted", None, Hop.DEFAULT["EHLO"], "451 4.7."),
        ("encrypted", None, STARTTLS, "451 4.7."),
        ("encrypted", "other", STARTTLS, "250 2.0.0 taken"),
        ("verified", "other", STARTTLS, "451 4.7."),
        ("verified", "good", STARTTLS, "250 2.0.0 taken"),
        ("none", "good", STARTTLS, "250 2.0.0 taken"),
    ]
    with with_certificates(world(program)) as f:
        (f.path / "trust.pem").write_bytes(
            (f.path / "good.crt").read_bytes()
            + (f.path / "other.crt").read_bytes())
        for number, (level, name, ehlo, want) in enumerate(rows):
            f.configure(out_tls=level, out_trust="trust.pem")
            f.reload()
            with Hop(f, certificate=name and f.path / name, ehlo=ehlo) as hop:
                with f.client() as c:
                    begins(c.send(message=other(number)), want)
                delivered = int(want.startswith("250"))
                equal(len(hop.messages), delivered)
                if not delivered:
                    equal(hop.heard("MAIL"), [])
                if level == "none":
                    equal(hop.heard("STARTTLS"), [])


@case
def demands_tls_of_clients(program):
    with with_certificates(Forwarder(program)) as f:
        f.start(tls_certificate="good.crt", tls_key="good.key",
                require_tls="yes")
        with f.client() as c:
            begins(c.say("MAIL FROM:<ann@sender.example>"), "530 5.7.0 ")
            c.starttls(f.path / "good.crt")
            begins(c.send("void@zone.example"), "250 2.0.0")
        begins(last(f)["tls"], "TLS1.")


# ---- Clients --------------------------------------------------------------

@case
def sends_no_dot_when_the_sender_is_gone(program):
    for how in ("close", "reset"):
        go = threading.Event()

        def data(_, go=go):
            go.wait(10)
            return "354 go"

        with world(program) as f, Hop(f, data=data) as hop:
            c = f.client()
            begins(c.envelope(), "250")
            begins(c.say("DATA"), "354")
            c.write(MESSAGE + b".\r\n")
            assert until(lambda hop=hop: hop.heard("DATA"))
            if how == "reset":
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                    b"\1\0\0\0\0\0\0\0")
            c.close()
            time.sleep(0.2)
            go.set()
            assert until(lambda hop=hop: hop.ends)
            equal(hop.messages, [])
            assert hop.ends[0] in ("content", "cut"), hop.ends
            assert until(lambda f=f: f.events("message"))
            # And it comes again.
            go.set()
            with f.client() as c:
                equal(c.send(), "250 2.0.0 taken")
            equal(len(hop.messages), 1)


@case
def answers_who_says_quit_with_the_dot_and_listens(program):
    """As Exim does; a next hop that takes its time changes nothing."""
    go = threading.Event()

    def data(_):
        go.wait(10)
        return "354 go"

    with world(program) as f, Hop(f, data=data) as hop:
        with f.client() as c:
            begins(c.envelope(), "250")
            begins(c.say("DATA"), "354")
            c.write(MESSAGE + b".\r\nQUIT\r\n")
            c.socket.shutdown(socket.SHUT_WR)
            assert until(lambda: hop.heard("DATA"))
            time.sleep(0.2)
            go.set()
            equal(c.reply(), "250 2.0.0 taken")
            begins(c.reply(), "221 ")
        equal(len(hop.messages), 1)


@case
def takes_everything_at_once(program):
    """A client that does not wait: two messages in one write, then QUIT."""
    one = (b"MAIL FROM:<ann@sender.example>\r\n"
           b"RCPT TO:<one@zone.example>\r\nDATA\r\n")
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            c.write(one + MESSAGE + b".\r\n" + one + other(2) + b".\r\nQUIT\r\n")
            codes = []
            while True:
                reply = c.reply()
                if not reply:
                    break
                codes.append(reply[:3])
        equal(codes, ["250", "250", "354", "250"] * 2 + ["221"])
        equal(len(hop.messages), 2)


@case
def takes_single_octets(program):
    text = (b"MAIL FROM:<ann@sender.example>\r\nRCPT TO:<one@zone.example>\r\n"
            b"DATA\r\n" + MESSAGE + b".\r\nQUIT\r\n")
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            for i in range(len(text)):
                c.write(text[i:i + 1])
            codes = [c.reply()[:3] for _ in range(5)]
        equal(codes, ["250", "250", "354", "250", "221"])
        assert hop.messages[0][2].endswith(MESSAGE)


@case
def takes_what_comes_in_any_order(program):
    with world(program) as f:
        with f.client() as c:
            begins(c.say("DATA"), "503 ")
            begins(c.say("RCPT TO:<one@zone.example>"), "503 ")
            begins(c.envelope(), "250")
            begins(c.say("RSET"), "250")
            begins(c.say("DATA"), "503 ")
            begins(c.envelope("void@zone.example"), "250")
            begins(c.say("EHLO again.sender.example"), "250")
            begins(c.say("DATA"), "503 ")
        equal(f.events("message"), [])


case.main()
