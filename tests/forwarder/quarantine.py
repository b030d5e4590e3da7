#!/usr/bin/env python3
"""quarantine.py PROGRAM ONWARD [CASE...]: mail that rules put apart is kept, shown,
let go and deleted, and nothing of it is lost or sent twice."""
import json
import shutil

from forwarder import (MESSAGE, RULES, Cases, Hop, begins, equal, holds, until)
from spooling import Spooling

case = Cases()
SPAM = MESSAGE.replace(b"Subject: hello", b"Subject: great spam")
NO = "550 5.1.1 nobody here"


class Apart(Spooling):
    """`sift` puts apart what has spam in its subject, and forwards the rest;
    `over` the same with a list to fail over; `hold` all, and goes nowhere."""

    def __init__(self, program, **settings):
        super().__init__(program, **{"relay": "session", **settings})
        rules = json.loads(json.dumps(RULES))
        for name, actions in (
                ("sift", [{"type": "forward", "value": ["box@one.example"]}]),
                ("over", [{"type": "failover", "value": ["box@one.example",
                                                         "box@two.example"]}]),
                ("hold", None)):
            to = {"type": "literal", "field": "to",
                  "value": f"{name}@zone.example"}
            spam = {"type": "glob", "field": "header", "name": "Subject",
                    "value": "*spam*"}
            rules["zones"][0]["rules"].append(
                {"matchers": [to, spam] if actions else [to],
                 "actions": [{"type": "quarantine", "value": ["spam"]}]})
            if actions:
                rules["zones"][0]["rules"].append(
                    {"matchers": [to], "actions": actions})
        self.rules = rules
        self.write("rules.json", json.dumps(rules))
        self.start()

    def apart(self, *args, **how):
        return self.queue(*args, what="quarantine", **how)

    def listed(self):
        return [json.loads(line)
                for line in self.apart("list", "--json").splitlines()]

    def send(self, to="sift", message=SPAM, **how):
        with self.client() as c:
            return c.send(to=f"{to}@zone.example", message=message, **how)

    def one(self, to="sift"):
        """Put one apart; its id."""
        equal(self.send(to), "250 2.0.0 OK")
        return self.listed()[-1]["id"]


@case
def keeps_shows_and_lets_go(program):
    with Apart(program) as f, Hop(f) as hop:
        id = f.one()
        line = f.events("message")[-1]
        equal((line["status"], line["action"], line["route"], line["deliveries"]),
              ("Handled", "quarantine", "quarantined", []))
        (kept,) = f.events("quarantined")
        equal((kept["id"], kept["place"], kept["to"], kept["was_for"],
               kept["of"]), (id, "spam", ["box@one.example"],
                             ["sift@zone.example"], line["id"]))
        (entry,) = f.listed()
        equal((entry["place"], entry["recipients"][0]["address"]),
              ("spam", "box@one.example"))
        equal(f.queue("list"), "0 messages\n")
        holds(f.apart("show", id), "put apart as spam")
        holds(f.apart("show", id), "was for: sift@zone.example")
        assert f.apart("show", "--content", id).endswith(SPAM.decode())
        equal(hop.lines, [])
        equal(f.apart("release", id), f"{id}: release\n")
        assert until(lambda: hop.messages)
        sender, to, octets = hop.messages[0]
        begins(sender, "SRS0=")
        equal(to, ["box@one.example"])
        begins(octets, b"ARC-Seal:")
        assert octets.endswith(SPAM)
        equal(f.events("quarantine-released")[0]["id"], id)
        assert until(lambda: f.events("queue-delivered"))
        equal(f.events("queue-delivered")[0]["id"], id)
        equal(f.apart("list"), "0 messages\n")
        # What no rule puts apart goes at once.
        equal(f.send(message=MESSAGE), "250 2.0.0 taken")


@case
def deletes(program):
    with Apart(program) as f, Hop(f) as hop:
        id = f.one()
        equal(f.apart("delete", id), f"{id}: delete\n")
        equal(f.apart("list"), "0 messages\n")
        equal([e["id"] for e in f.events("quarantine-deleted")], [id])
        equal(hop.lines, [])
        holds(f.apart("release", id, status=3), "no such message")


@case
def without_a_way_nobody_lets_it_go(program):
    with Apart(program) as f:
        id = f.one("hold")
        holds(f.apart("list"), "with nowhere to go")
        holds(f.apart("release", id, status=3), "not done")
        holds(f.events("quarantine-refused")[0]["detail"], "no destination")
        equal([e["id"] for e in f.listed()], [id])


@case
def who_is_not_verified_any_more_gets_nothing(program):
    with Apart(program) as f, Hop(f) as hop:
        id = f.one()
        f.rules["addresses"][0]["verified"] = False
        f.write("rules.json", json.dumps(f.rules))
        f.reload()
        holds(f.apart("release", id, status=3), "not done")
        holds(f.events("quarantine-refused")[0]["detail"], "not verified")
        f.rules["addresses"][0]["verified"] = True
        f.write("rules.json", json.dumps(f.rules))
        f.reload()
        f.apart("release", id)
        assert until(lambda: hop.messages)


@case
def a_restart_forgets_nothing_and_hears_what_was_asked(program):
    with Apart(program) as f, Hop(f) as hop:
        one, two = f.one(), f.one("hold")
        f.kill()
        holds(f.apart("release", one), "as soon as a forwarder runs")
        equal(f.apart("delete", two), f"{two}: delete\n")
        equal(len(f.listed()), 1)
        f.start()
        assert until(lambda: hop.messages)
        equal(f.listed(), [])


@case
def a_kill_between_the_two_does_not_send_it_twice(program):
    """It is in the queue and here: then it was let go."""
    with Apart(program) as f:
        id = f.one()
        f.kill()
        spool = f.path / "state/spool"
        shutil.copy(spool / "quarantine/messages" / id, spool / "messages" / id)
        with Hop(f) as hop:
            f.start()
            assert until(lambda: hop.messages)
            equal(f.listed(), [])
            equal(len(hop.messages), 1)


@case
def a_list_to_fail_over_is_gone_through(program):
    with Apart(program) as f, Hop(f, 1, rcpt=NO), Hop(f, 2) as two:
        f.apart("release", f.one("over"))
        assert until(lambda: two.messages)
        assert f.quiet(), f.files()


@case
def a_failure_after_it_is_told_to_the_sender(program):
    with Apart(program) as f, Hop(f, 1, rcpt=NO), Hop(f, 3) as back:
        f.apart("release", f.one())
        assert until(lambda: back.messages)
        holds(back.messages[0][2], b"sift@zone.example")


@case
def its_time_ends(program):
    with Apart(program, quarantine_life_s=1) as f:
        equal(f.send(), "250 2.0.0 OK")
        assert until(lambda: f.events("quarantine-expired"))
        equal(f.listed(), [])


@case
def has_a_limit(program):
    big = SPAM + b"x" * 998 + b"\r\n" + (b"y" * 998 + b"\r\n") * 1100
    with Apart(program, quarantine_bytes=1048576) as f:
        begins(f.send(message=big), "451 4.3.0")
        equal(f.listed(), [])
        holds(f.events("quarantine-fault")[0]["detail"], "keep: ")
        equal(f.events("message")[0]["status"], "Error")
        equal(f.send(), "250 2.0.0 OK")


@case
def a_damaged_file_is_set_aside(program):
    with Apart(program) as f:
        id = f.one()
        f.kill()
        path = f.path / "state/spool/quarantine/messages" / id
        path.write_bytes(path.read_bytes()[:-40])
        f.start()
        assert until(lambda: f.events("quarantine-fault"))
        equal(f.listed(), [])
        equal(f.files("quarantine/damaged"), [id])


@case
def without_a_spool_there_is_none(program):
    with Apart(program, store="memory", state=None, spool=None) as f:
        begins(f.send("hold"), "451 4.3.5")


case.main()
