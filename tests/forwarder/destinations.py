#!/usr/bin/env python3
"""destinations.py PROGRAM ONWARD [CASE...]: who has agreed to be forwarded to:
in the store, which wins over the rules, and by links that are sent there."""
import json
import pathlib
import re
import subprocess
import sys

from forwarder import RULES, Cases, Forwarder, Hop, begins, equal, holds, until

case = Cases()
ONWARD = str(pathlib.Path(sys.argv.pop(2)).resolve())


def start(program, **settings):
    f = Forwarder(program)
    rules = json.loads(json.dumps(RULES))
    del rules["addresses"][1]  # box@two.example is known to the store alone
    rules["zones"][0]["rules"].append(
        {"matchers": [{"type": "literal", "field": "to",
                       "value": "new@zone.example"}],
         "actions": [{"type": "forward", "value": ["box@two.example"]}]})
    f.write("rules.json", json.dumps(rules))
    return f.start(**settings)


def onward(f, *args, status=0):
    command, *more = args
    done = subprocess.run([ONWARD, "destinations", command, "--state", "state",
                           *more], cwd=f.path, capture_output=True, timeout=60)
    assert done.returncode == status, (args, done)
    return (done.stderr if status else done.stdout).decode().strip()


def send(f, to):
    with f.client() as c:
        return c.send(to=to)


@case
def verified_in_the_store(program):
    with start(program) as f, Hop(f, 2) as hop:
        begins(send(f, "new@zone.example"), "550 5.2.1")
        token = onward(f, "add", "box@TWO.example")
        begins(send(f, "new@zone.example"), "550 5.2.1")
        equal(onward(f, "verify", token), "box@two.example is verified")
        begins(send(f, "new@zone.example"), "250 2.0.0")
        equal(len(hop.messages), 1)
        # Once.
        holds(onward(f, "verify", token, status=3), "too old or used")
        holds(onward(f, "add", "box@two.example", status=3), "is verified")


@case
def revoked_in_the_store_wins(program):
    with start(program) as f, Hop(f, 1) as hop:
        begins(send(f, "one@zone.example"), "250 2.0.0")
        onward(f, "revoke", "box@one.example")
        begins(send(f, "one@zone.example"), "550 5.2.1")
        # Asked for anew it is still revoked, until its owner agrees.
        token = onward(f, "add", "box@one.example")
        begins(send(f, "one@zone.example"), "550 5.2.1")
        onward(f, "verify", token)
        with f.client() as c:
            begins(c.send(to="one@zone.example", sender="bob@sender.example"),
                   "250 2.0.0")
        equal(len(hop.messages), 2)


@case
def tokens_that_do_not_count(program):
    with start(program) as f:
        first = onward(f, "add", "box@two.example")
        second = onward(f, "add", "box@two.example")
        other = onward(f, "add", "other@two.example")
        onward(f, "revoke", "other@two.example")
        for token in (first, other, second[:-1], second + "a", "a",
                      second[:-1] + ("a" if second[-1] != "a" else "b"),
                      "\u00fc" * 50, "a" * 3000):
            holds(onward(f, "verify", token, status=3), "wrong, too old")
        begins(send(f, "new@zone.example"), "550 5.2.1")
        # Case is nothing to a link that was typed.
        onward(f, "verify", second.upper())


@case
def is_listed(program):
    with start(program) as f:
        equal(onward(f, "list"), "")
        onward(f, "add", "box@two.example")
        onward(f, "revoke", "box@one.example")
        one, two = onward(f, "list", "--json").splitlines()
        one, two = json.loads(one), json.loads(two)
        equal([(d["address"], d["state"], d["token"]) for d in (one, two)],
              [("box@one.example", "revoked", False),
               ("box@two.example", "pending", True)])
        holds(onward(f, "list"), "box@two.example pending since 2")
        # The secret of the tokens is not shown.
        equal(len(onward(f, "list").splitlines()), 2)


@case
def outlasts_the_process(program):
    with start(program) as f, Hop(f, 2):
        onward(f, "verify", onward(f, "add", "box@two.example"))
        f.kill()
        f.start()
        begins(send(f, "new@zone.example"), "250 2.0.0")


@case
def a_link_is_sent_through_the_spool(program):
    with start(program) as f, Hop(f, 2) as hop:
        link = onward(f, "add", "--link", "https://verify.zone.example",
                      "--from", "postmaster@zone.example", "box@two.example")
        assert until(lambda: hop.messages)
        ((sender, to, octets),) = hop.messages
        equal((sender, to), ("", ["box@two.example"]))
        text = octets.replace(b"=\r\n", b"").decode()
        equal(re.findall(r"https://verify\.zone\.example/verify/\w+", text),
              [link])
        holds(text, "From: postmaster@zone.example\r\n")
        holds(text, "Auto-Submitted: auto-generated\r\n")
        onward(f, "verify", link.rpartition("/")[2])
        assert until(lambda: f.events("queue-delivered"))
        equal(list((f.path / "state/spool/messages").iterdir()), [])


@case
def a_link_waits_for_the_forwarder(program):
    with start(program) as f, Hop(f, 2) as hop:
        equal(f.stop(), 0)
        onward(f, "add", "--link", "https://v.example", "--from",
               "postmaster@zone.example", "box@two.example")
        f.process = None
        f.start()
        assert until(lambda: hop.messages)
        equal(len(hop.messages), 1)


@case
def what_is_asked_wrongly_is_said(program):
    with start(program) as f:
        for args in (("add",), ("add", "nobody"), ("add", "a@b.example",
                                                   "c@d.example"),
                     ("add", "--from", "a@b.example", "c@d.example"),
                     ("add", "--days", "0", "c@d.example"),
                     ("add", "--days", "x", "c@d.example"),
                     ("verify",), ("revoke", "x"), ("list", "x")):
            holds(onward(f, *args, status=2), "expected ")
        (f.path / "state/spool").rename(f.path / "state/away")
        holds(onward(f, "add", "--link", "https://v.example", "--from",
                     "a@zone.example", "c@d.example", status=3), "spool")
        (f.path / "state/away").rename(f.path / "state/spool")


case.main()
