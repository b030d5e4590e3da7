#!/usr/bin/env python3
"""failover.py PROGRAM ONWARD [CASE...]: lists to fail over with relay = spool:
the sender hears 250 before anybody was tried, so the spool goes through the
list."""
import json

import spoolfile
from forwarder import (MESSAGE, RULES, Cases, Hop, begins, equal, holds, until)
from spooling import Spooling

case = Cases()
TO = "over@zone.example"
NO = "550 5.1.1 nobody here"
LATER = "450 4.2.1 not now"


def start(program, **settings):
    f = Spooling(program, **settings)
    rules = json.loads(json.dumps(RULES))
    rules["zones"][0]["rules"].append(
        {"matchers": [{"type": "literal", "field": "to", "value": TO}],
         "actions": [{"type": "failover", "value": [
             "box@one.example", "box@two.example"]}]})
    f.write("rules.json", json.dumps(rules))
    return f.start()


def send(f, **how):
    with f.client() as c:
        return c.send(to=TO, **how)


@case
def the_first_that_takes_it_has_it_alone(program):
    with start(program) as f, Hop(f, 1) as one, Hop(f, 2) as two:
        begins(send(f), "250 2.0.0 ")
        assert f.quiet(), f.files()
        equal([len(h.messages) for h in (one, two)], [1, 0])
        equal(two.lines, [])


@case
def the_second_has_what_the_first_refuses(program):
    for reply in (NO, LATER):
        with start(program) as f, Hop(f, 1, rcpt=reply) as one, \
                Hop(f, 2) as two, Hop(f, 3) as back:
            begins(send(f), "250 2.0.0 ")
            assert f.quiet(), f.files()
            equal([len(h.messages) for h in (one, two, back)], [0, 1, 0])
            equal(two.messages[0][1], ["box@two.example"])
            assert two.messages[0][2].endswith(MESSAGE)
            equal([e["to"] for e in f.events("queue-delivered")],
                  ["box@two.example"])
            equal(len(f.events("queued")), 1)  # no notice


@case
def a_first_that_is_not_there_does_not_hold_it_up(program):
    with start(program) as f, Hop(f, 2) as two:
        begins(send(f), "250 2.0.0 ")
        assert f.quiet(), f.files()
        equal(len(two.messages), 1)


@case
def when_all_refuse_the_sender_is_told_once(program):
    with start(program) as f, Hop(f, 1, rcpt=NO), \
            Hop(f, 2, rcpt="552 5.2.2 full") as two, Hop(f, 3) as back:
        begins(send(f), "250 2.0.0 ")
        assert until(lambda: back.messages), "no notice"
        assert f.quiet(), f.files()
        equal(len(two.heard("RCPT")), 1)
        equal([m[1] for m in back.messages], [["ann@sender.example"]])
        holds(back.messages[0][2], b"Status: 5.2.2")
        holds(back.messages[0][2], b"over@zone.example")


@case
def what_may_pass_is_tried_again(program):
    """The first says no for good, the second not now: then only the second is
    asked again."""
    with start(program) as f, Hop(f, 1, rcpt=NO) as one, \
            Hop(f, 2, rcpt=LATER) as two, Hop(f, 3) as back:
        begins(send(f), "250 2.0.0 ")
        assert until(lambda: f.events("queue-deferred"))
        (entry,) = f.list()
        equal([(r["address"], r["fate"], r["attempts"])
               for r in entry["recipients"]],
              [("box@one.example", "failed", 1),
               ("box@two.example", "waiting", 1)])
        two.says["RCPT"] = "250 2.1.5 now"
        f.queue("retry", entry["id"])
        assert f.quiet(), f.files()
        equal((len(one.heard("RCPT")), len(two.messages)), (1, 1))
        equal(back.messages, [])


@case
def the_first_has_its_turn_again(program):
    """Both say not now; the list begins at its top each time."""
    with start(program) as f, Hop(f, 1, rcpt=LATER) as one, \
            Hop(f, 2, rcpt=LATER) as two:
        begins(send(f), "250 2.0.0 ")
        assert until(lambda: len(f.events("queue-deferred")) == 2)
        (entry,) = f.list()
        one.says["RCPT"] = "250 2.1.5 now"
        f.queue("retry", entry["id"])
        assert f.quiet(), f.files()
        equal((len(one.messages), len(two.heard("RCPT"))), (1, 1))


@case
def a_restart_goes_on_where_it_was(program):
    with start(program) as f, Hop(f, 1, rcpt=NO) as one:
        begins(send(f), "250 2.0.0 ")
        # Nobody is at the second one's.
        assert until(lambda: f.events("queue-deferred"))
        f.kill()
        with Hop(f, 2) as two:
            f.start()
            (entry,) = f.list()
            equal(f.queue("show", entry["id"]).count("if the one before"), 1)
            f.queue("retry", entry["id"])
            assert f.quiet(), f.files()
            equal((len(one.heard("RCPT")), len(two.messages)), (1, 1))


@case
def a_file_whose_first_is_an_heir_is_damaged(program):
    with start(program) as f, Hop(f, 2):
        begins(send(f), "250 2.0.0 ")
        assert f.quiet(), f.files()
        folder = f.path / "state/spool/messages"
        (folder / "0000000000000a-1").write_bytes(spoolfile.message(
            [(spoolfile.ORIGIN, 1), (spoolfile.RCPT, b"box@two.example"),
             (spoolfile.RCPT_HEIR, 1)], b"x\r\n"))
        f.kill()
        f.start()
        assert until(lambda: f.files("damaged") == ["0000000000000a-1"])


case.main()
