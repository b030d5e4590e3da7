#!/usr/bin/env python3
"""signing.py PROGRAM [CASE...]: what leaves is signed by DKIM: copies for the
domain that they came to, what handlers write for its author's. dkimpy and
Mail::DKIM judge."""
import json
import shlex
import shutil
import sys

from forwarder import (DATA, MESSAGE, RULES, Cases, Forwarder, Hop, begins,
                       equal, holds, until)
from signing_peer_run import judge

case = Cases()
TWO = "b@two-zone.example"


def rsa():
    return (DATA / "key" / "rsa2048.p").read_text().strip()


def world(program, keys=None, code=None, **settings):
    """Two zones; a selector's key is told by its name."""
    f = Forwarder(program)
    rules = json.loads(json.dumps(RULES))
    rules["zones"][0]["rules"].append(
        {"matchers": [{"type": "literal", "field": "to",
                       "value": "code@zone.example"}],
         "actions": [{"type": "handler", "value": ["robot"]}]})
    rules["zones"].append({"name": "two-zone.example", "rules": [
        {"matchers": [{"type": "literal", "field": "to", "value": TWO}],
         "actions": [{"type": "forward", "value": ["box@one.example"]}]}]})
    f.write("rules.json", json.dumps(rules))
    shutil.copy(DATA / "key" / "rsa2048.pem", f.path / "rsa.pem")
    zone = (f.path / "zone.txt").read_text()
    seal = zone.split("s._domainkey.zone.example. 60 IN TXT ")[1].split("\n")[0]
    half = len(rsa()) // 2
    rsa_text = (f'"v=DKIM1; k=rsa; p={rsa()[:half]}" "{rsa()[half:]}"')
    for name, text in (("r._domainkey.zone.example", rsa_text),
                       ("e._domainkey.zone.example", seal),
                       ("r._domainkey.two-zone.example", rsa_text),
                       ("all._domainkey.fwd.example", rsa_text)):
        zone += f"{name}. 60 IN TXT {text}\n"
    zone += ("sender.example. 60 IN MX 10 mx.sender.example.\n"
             "mx.sender.example. 60 IN A 127.0.0.13\n"
             '_dmarc.zone.example. 60 IN TXT "v=DMARC1; p=none"\n')
    f.write("zone.txt", zone)
    if code is not None:
        f.write("robot.py", code)
        settings["handler"] = ("robot exec:" + shlex.quote(sys.executable) + " "
                               + shlex.quote(str(f.path / "robot.py")))
    f.start(dkim_key=keys or ["zone.example r rsa.pem",
                              "zone.example e seal.pem",
                              "two-zone.example r rsa.pem",
                              "fwd.example all rsa.pem"],
            dkim_domain="fwd.example", seal_key="rsa.pem", seal_selector="r",
            **settings)
    return f


def fields(octets):
    names = []
    for line in octets.split(b"\r\n\r\n")[0].split(b"\r\n"):
        if line[:1] not in b" \t":
            names.append(line.split(b":")[0].decode().lower())
    return names


@case
def signs_copies_for_the_domain_they_came_to(program):
    with world(program) as f, Hop(f) as hop:
        with f.client() as c:
            begins(c.send(), "250 ")
            begins(c.send(to=TWO, message=MESSAGE.replace(b"<1@", b"<2@")),
                   "250 ")
        one, two = (octets for _, _, octets in hop.messages)
        judge(f, one, ["fwd.example all", "zone.example r", "zone.example e"])
        judge(f, two, ["fwd.example all", "two-zone.example r"])
        # Sealed first, signed last; and all of ours above what came.
        names = fields(one)
        equal(names[:6], ["dkim-signature"] * 3 + [
            "arc-seal", "arc-message-signature", "arc-authentication-results"])
        # No field of the set is signed, so that each holds by itself.
        assert b"arc-" not in one.split(b"ARC-Seal")[0].lower()


@case
def a_spool_has_the_same(program):
    with world(program, relay="spool") as f, Hop(f) as hop:
        with f.client() as c:
            begins(c.send(), "250 ")
        assert until(lambda: hop.messages)
        judge(f, hop.messages[0][2],
              ["fwd.example all", "zone.example r", "zone.example e"])


@case
def a100_does_not_vouch_for_an_author_who_fails_dmarc(program):
    """From is in our zone, and somebody else wrote it: with our signature it
    would pass DMARC behind us."""
    with world(program) as f, Hop(f) as hop:
        forged = MESSAGE.replace(b"ann@sender.example>", b"boss@zone.example>")
        below = forged.replace(b"@zone", b"@hr.zone").replace(b"<1@", b"<2@")
        other = forged.replace(b"<1@", b"<3@")
        with f.client() as c:
            begins(c.send(message=forged), "250 ")
            begins(c.send(message=below), "250 ")
            begins(c.send(message=other, to=TWO), "250 ")
        one, two, three = (octets for _, _, octets in hop.messages)
        judge(f, one, [])
        judge(f, two, [])
        # That of another domain vouches for nobody but us.
        judge(f, three, ["fwd.example all", "two-zone.example r"])


@case
def signs_what_handlers_write(program):
    actions = {"actions": [
        {"action": "reply", "message": {
            "from": "code@zone.example", "subject": "Re: hello",
            "text": "Number 7."}},
        {"action": "send", "message": {
            "from": "desk@two-zone.example", "to": "box@one.example",
            "subject": "new", "text": "7"}}]}
    with world(program, code=f"print({json.dumps(json.dumps(actions))})\n") \
            as f, Hop(f, 1) as one, Hop(f, 3) as back:
        with f.client() as c:
            begins(c.send(to="code@zone.example"), "250 2.0.0")
        assert until(lambda: one.messages and back.messages)
        ((_, _, reply),), ((_, _, sent),) = back.messages, one.messages
        judge(f, reply, ["fwd.example all", "zone.example r",
                         "zone.example e"], arc=b"none")
        judge(f, sent, ["fwd.example all", "two-zone.example r"], arc=b"none")
        # What says that it answers by itself cannot be taken off or changed.
        holds(fields(reply), "auto-submitted")


@case
def a_domain_without_a_key_takes_the_nearest_above(program):
    with world(program, keys=["fwd.example all rsa.pem",
                              "zone.example r rsa.pem"]) as f, Hop(f) as hop:
        rules = json.loads((f.path / "rules.json").read_text())
        rules["zones"].append({"name": "sub.zone.example", "rules": [
            {"matchers": [{"type": "literal", "field": "to",
                           "value": "x@sub.zone.example"}],
             "actions": [{"type": "forward", "value": ["box@one.example"]}]}]})
        f.write("rules.json", json.dumps(rules))
        f.reload()
        with f.client() as c:
            begins(c.send(to="x@sub.zone.example"), "250 ")
            begins(c.send(to=TWO, message=MESSAGE.replace(b"<1@", b"<2@")),
                   "250 ")
        one, two = (octets for _, _, octets in hop.messages)
        judge(f, one, ["fwd.example all", "zone.example r"])
        judge(f, two, ["fwd.example all"])


@case
def says_which_line_is_wrong(program):
    with Forwarder(program) as f:
        f.write("bad.pem", "no key\n")
        for key, domain, status, want in (
                (["zone.example"], None, 2, b'dkim_key "zone.example", expected '
                 b"DOMAIN SELECTOR FILE"),
                (["zone.example s none.pem"], None, 3, b"none.pem: "),
                (["zone.example s bad.pem"], None, 3, b"bad.pem:1: "),
                (["zone.example s seal.pem"], "two.example", 2,
                 b'dkim_domain "two.example", expected a domain with a '
                 b"dkim_key")):
            f.configure(dkim_key=key, dkim_domain=domain)
            done = f.run("--config", "forwarder.conf", "--check")
            equal(done.returncode, status)
            holds(done.stderr, want)


case.main()
