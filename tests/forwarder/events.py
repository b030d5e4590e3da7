#!/usr/bin/env python3
"""events.py PROGRAM [CASE...]: what the log says of each message, in the words
of the service that the forwarder follows (rows 54, 78 and 79)."""
import json

from forwarder import (MESSAGE, RULES, Cases, Forwarder, Hop, begins, equal,
                       until)

case = Cases()

FIELDS = ("messageId", "subject", "status", "action", "errorDetail", "isNDR")


def said(event):
    return {name: event.get(name) for name in FIELDS}


def last(f):
    return f.events("message")[-1]


@case
def rows_54_78_and_79_of_a_message_that_was_forwarded(program):
    with Forwarder(program) as f, Hop(f):
        f.start()
        with f.client() as c:
            equal(c.send(), "250 2.0.0 taken")
            line = last(f)
            equal(said(line),
                  {"messageId": "<1@sender.example>", "subject": "hello",
                   "status": "Forwarded", "action": "forward",
                   "errorDetail": None, "isNDR": False})
            equal((line["from"], line["to"], line["spf"], line["dkim"],
                   line["dmarc"], line["arc"]),
                  ("ann@sender.example", ["one@zone.example"], "pass", [],
                   "pass", "none"))
            # Row 54: what the next hop said.
            (one,) = line["deliveries"]
            equal((one["fate"], one["code"], one["enhanced"], one["text"]),
                  ("delivered", 250, "2.0.0", "taken"))
            assert one["ms"] >= 0
            c.send(to="void@zone.example")
            equal(last(f)["sessionId"], line["sessionId"])
            assert last(f)["id"] != line["id"]
        with f.client() as c:
            c.send(to="void@zone.example")
        assert last(f)["sessionId"] != line["sessionId"]


@case
def row_78_dropped(program):
    with Forwarder(program) as f:
        f.start()
        with f.client() as c:
            begins(c.send(to="void@zone.example"), "250 2.0.0")
        line = last(f)
        equal((line["status"], line["action"], line["errorDetail"]),
              ("Dropped", "drop", None))


@case
def row_78_delivery_failed(program):
    with Forwarder(program) as f, Hop(f, rcpt="550 5.1.1 nobody here"):
        f.start()
        with f.client() as c:
            begins(c.send(), "550 5.1.1")
        line = last(f)
        equal((line["status"], line["action"]),
              ("Delivery failed", "forward"))
        equal(line["errorDetail"],
              f"550 5.1.1 {line['text']}")
    with Forwarder(program) as f:
        f.start()
        with f.client() as c:  # nobody listens there
            begins(c.send(), "451 4.4.1")
        equal(last(f)["status"], "Delivery failed")


@case
def row_78_rejected(program):
    with Forwarder(program) as f:
        f.start()
        with f.client() as c:
            begins(c.send(message=MESSAGE.replace(b"ann@sender",
                                                  b"ann@strict")), "550 5.7.1")
            line = last(f)
            equal((line["status"], line["action"], line["dmarc"]),
                  ("Rejected", "forward", "fail"))
            begins(line["errorDetail"], "550 5.7.1 ")
            begins(c.send(to="nobody@zone.example"), "550 5.1.1")
        (line,) = f.events("recipient-refused")
        equal((line["status"], line["isNDR"]), ("Rejected", False))
        begins(line["errorDetail"], "550 5.1.1 ")


@case
def row_78_error(program):
    with Forwarder(program) as f:
        f.start()
        zone = (f.path / "zone.txt").read_text()
        f.write("zone.txt", zone + "sender.example. TXT !SERVFAIL\n")
        equal(f.reload()["event"], "reloaded")
        with f.client() as c:
            begins(c.send(), "451 4.7.")
            equal(last(f)["status"], "Error")
            begins(last(f)["errorDetail"], "451 4.7.")


@case
def who_goes_is_an_error(program):
    with Forwarder(program) as f:
        f.start()
        with f.client() as c:
            begins(c.envelope(), "250")
            begins(c.say("DATA"), "354")
            c.write(MESSAGE)
            c.close()
        assert until(lambda: f.events("message"))
        equal(said(last(f)),
              {"messageId": "<1@sender.example>", "subject": "hello",
               "status": "Error", "action": "forward",
               "errorDetail": "the client has gone", "isNDR": False})


@case
def shows_subjects_as_people_read_them(program):
    message = MESSAGE.replace(
        b"Subject: hello", b"Subject:\r\n =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n"
        b" =?iso-8859-1?q?_f=FCr_dich?= \"x\"").replace(
        b"Message-ID: <1@sender.example>\r\n", b"")
    with Forwarder(program) as f:
        f.start()
        with f.client() as c:
            begins(c.send(to="void@zone.example", message=message), "250")
            equal((last(f)["subject"], last(f)["messageId"]),
                  ('gr\u00fc\u00dfe f\u00fcr dich "x"', None))
        f.configure(log_subject="no")
        f.reload()
        with f.client() as c:
            begins(c.send(to="void@zone.example", message=message), "250")
            assert "subject" not in last(f)


@case
def rows_78_of_handlers_and_tags(program):
    """Each outcome of a handler has its word, and none is an error that is
    none."""
    rows = [("true", "250 2.0.0", "Handled", "handled"),
            ("false", "451 4.3.0", "Error", "handler"),
            ("echo '{\"actions\":[{\"action\":\"reject\"}]}'", "550 5.7.1",
             "Rejected", "reject"),
            ("echo '{\"actions\":[{\"action\":\"reject\",\"code\":450,"
             "\"enhanced\":\"4.7.1\"}]}'", "450 4.7.1", "Error", "reject"),
            ("echo '{\"actions\":[{\"action\":\"forward\","
             "\"to\":\"box@one.example\"}]}'", "451 4.4.1",
             "Delivery failed", "next-hop")]
    for command, want, status, route in rows:
        rules = json.loads(json.dumps(RULES))
        rules["zones"][0]["rules"].append(
            {"matchers": [{"type": "literal", "field": "to",
                           "value": "code@zone.example"}],
             "actions": [{"type": "tag", "value": ["blue"]},
                         {"type": "handler", "value": ["robot"]}]})
        with Forwarder(program) as f:
            f.write("rules.json", json.dumps(rules))
            f.start(handler="robot exec:cat >/dev/null; " + command)
            with f.client() as c:
                begins(c.send(to="code@zone.example"), want)
            line = last(f)
            equal((line["status"], line["action"], line["route"],
                   line["tags"]), (status, "handler", route, ["blue"]))


@case
def knows_what_answers_other_messages(program):
    with Forwarder(program) as f:
        f.start(allow_unauthenticated="yes")
        with f.client() as c:
            begins(c.send(to="void@zone.example", sender=""), "250")
            equal(last(f)["isNDR"], True)


@case
def a_spool_has_its_words_too(program):
    with Forwarder(program) as f, Hop(f):
        (f.path / "state").mkdir(exist_ok=True)
        f.start(relay="spool")
        with f.client() as c:
            begins(c.send(), "250 2.0.0")
        assert until(lambda: f.events("queue-delivered"))
        equal(last(f)["status"], "Queued")
        equal(f.events("queue-delivered")[0]["status"], "Forwarded")


case.main()
