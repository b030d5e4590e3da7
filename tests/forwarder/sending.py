#!/usr/bin/env python3
"""sending.py PROGRAM ONWARD [CASE...]: what handlers may write in the forwarder:
to whom and as whom (handler_send, rows 41, 42 and 44 to 48), how often, and
tickets for a reply later."""
import json
import shlex
import subprocess

from forwarder import (MESSAGE, RULES, Cases, Hop, begins, equal, holds, until)
from spooling import ONWARD, Spooling

case = Cases()
CODE = "code@zone.example"


class Robot(Spooling):
    """A handler that does what robot.json says."""

    def __init__(self, program, actions=(), start=True, **settings):
        super().__init__(program, **{"relay": "session", **settings})
        rules = json.loads(json.dumps(RULES))
        for name in ("robot", "other"):
            rules["zones"][0]["rules"].append(
                {"matchers": [{"type": "literal", "field": "to",
                               "value": CODE if name == "robot"
                               else "other@zone.example"}],
                 "actions": [{"type": "handler", "value": [name]}]})
        self.write("rules.json", json.dumps(rules))
        self.write("robot.sh", 'cat > /dev/null\necho "$ONWARD_EVENT" > '
                   f"{shlex.quote(str(self.path))}/event.json\n"
                   f"cat {shlex.quote(str(self.path))}/robot.json\n")
        self.does(actions)
        if start:
            self.begin()

    def begin(self, **settings):
        command = f"exec:sh {shlex.quote(str(self.path / 'robot.sh'))}"
        self.start(handler=[f"robot {command}", f"other {command}"], **settings)

    def does(self, actions):
        self.write("robot.json", json.dumps({"actions": list(actions)}))

    def event(self):
        return json.loads((self.path / "event.json").read_text())

    def send(self, to=CODE, number=1, sender="ann@sender.example"):
        message = MESSAGE.replace(b"<1@", b"<%d@" % number).replace(
            b"ann@sender", sender.encode().split(b"@")[0] + b"@sender")
        with self.client() as c:
            return c.send(to=to, message=message, sender=sender)

    def why(self):
        return self.events("handler-failed")[-1]["detail"]


def letter(to="box@one.example", sender=CODE, **more):
    return {"action": "send", "message": {
        "from": sender, "to": to, "subject": "s", "text": "t", **more}}


REPLY = {"action": "reply", "message": {"from": CODE, "subject": "Re: hello",
                                        "text": "Yes."}}


@case
def rows_41_and_42_bindings(program):
    settings = {"handler_send": ["robot to box@one.example",
                                 "robot from code@zone.example"]}
    with Robot(program, **settings) as f, Hop(f, 1) as one, Hop(f, 2) as two:
        for action, word in (
                (letter("box@two.example"), "E_RECIPIENT_NOT_ALLOWED"),
                # To, Cc and Bcc are all looked at.
                (letter(cc="box@two.example"), "E_RECIPIENT_NOT_ALLOWED"),
                (letter(bcc="box@two.example"), "E_RECIPIENT_NOT_ALLOWED"),
                (letter(sender="boss@zone.example"), "E_SENDER_NOT_VERIFIED"),
                (letter(sender="code@one.example"), "E_SENDER")):
            f.does([action])
            begins(f.send(), "451 4.3.0")
            holds(f.why(), word)
        equal(f.events("queued"), [])
        f.does([letter()])
        begins(f.send(), "250 ")
        assert until(lambda: one.messages)
        # The other handler has no binding: to all that is verified.
        f.does([letter("box@two.example", "boss@zone.example")])
        begins(f.send("other@zone.example"), "250 ")
        assert until(lambda: two.messages)


@case
def row_41_the_one_destination(program):
    with Robot(program, handler_send="robot only box@two.example") as f, \
            Hop(f, 2) as two:
        f.does([{"action": "send", "raw":
                 f"From: {CODE}\nMessage-ID: <9@zone.example>\n\nNews\n"}])
        begins(f.send(), "250 ")
        assert until(lambda: two.messages)
        equal(two.messages[0][1], ["box@two.example"])
        f.does([letter()])
        begins(f.send(number=2), "451 4.3.0")
        holds(f.why(), "E_RECIPIENT_NOT_ALLOWED")


@case
def rows_45_to_48_limits_of_a_message(program):
    with Robot(program) as f:
        for action, word in (
                (letter(["box@one.example"] * 1
                        + [f"x{i}@one.example" for i in range(50)]),
                 "E_TOO_MANY_RECIPIENTS"),
                (letter(fields={"Received": "x"}), "E_HEADER_NOT_ALLOWED"),
                (letter(fields={"X-A": "a\r\nb"}), "E_HEADER_VALUE_INVALID"),
                (letter(fields={"X-A": "a" * 2049}), "E_HEADER_VALUE_TOO_LONG"),
                (letter(fields={f"X-{i}": "a" * 2000 for i in range(9)}),
                 "E_HEADERS_TOO_LARGE"),
                (letter("new@one.example"), "E_RECIPIENT_NOT_ALLOWED"),
                ({"action": "send", "raw":
                  f"From: {CODE}\nTo: box@one.example\n"
                  "Message-ID: <1@zone.example>\n\n"
                  + ("y" * 70 + "\n") * 400000}, "E_CONTENT_TOO_LARGE")):
            f.does([action])
            begins(f.send(), "451 4.3.0")
            holds(f.why(), word)
        equal(f.events("queued"), [])


@case
def a_handler_writes_so_often(program):
    with Robot(program, limit_handler="3/hour") as f, Hop(f, 1):
        for number in range(3):
            f.does([letter()])
            begins(f.send(number=number), "250 ")
        begins(f.send(number=3), "451 4.3.0")
        holds(f.why(), "E_RATE_LIMIT_EXCEEDED")
        # The other one has a limit of its own.
        begins(f.send("other@zone.example", number=4), "250 ")
        f.does([dict(letter(), optional=True)])
        begins(f.send(number=3), "250 ")
        equal(len(f.events("queued")), 4)


@case
def one_address_hears_so_often(program):
    with Robot(program, [REPLY], limit_handler_recipient="2/day") as f, \
            Hop(f, 1):
        for number in range(2):
            begins(f.send(number=number), "250 ")
        begins(f.send(number=2), "451 4.3.0")
        holds(f.why(), "E_DAILY_LIMIT_EXCEEDED")
        begins(f.send(number=3, sender="bob@sender.example"), "250 ")


@case
def tickets_come_with_the_event(program):
    """The same text may be asked of onward event, with the same secrets."""
    with Robot(program, start=False) as f:
        f.write("tokens.txt", "sixteen octets, or a few more of them\n")
        f.begin(token_secret="tokens.txt", ticket_life_s=86400)
        begins(f.send(), "250 ")
        ticket = f.event()["ticket"]
        assert len(ticket) > 60 and set(ticket) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        # One that may not be answered has none.
        with f.client() as c:
            begins(c.send(to=CODE, message=MESSAGE.replace(
                b"Subject:", b"Precedence: bulk\r\nSubject:")), "250 ")
        equal(f.event()["ticket"], None)


@case
def a_ticket_answers_later_and_once(program):
    """Through the spool of the forwarder that runs; and what was answered so is
    answered for handlers too."""
    with Robot(program, start=False) as f, Hop(f, 3) as back:
        f.write("tokens.txt", "sixteen octets, or a few more of them\n")
        f.begin(token_secret="tokens.txt")
        begins(f.send(), "250 ")
        f.write("ticket.txt", f.event()["ticket"] + "\n")
        f.write("answer.eml", f"From: {CODE}\nTo: ann@sender.example\n"
                "Message-ID: <late@zone.example>\n"
                "In-Reply-To: <1@sender.example>\n"
                "Auto-Submitted: auto-replied\n\nAt last.\n")
        line = [ONWARD, "reply", "--ticket", "ticket.txt", "--token-secret",
                "tokens.txt", "--state", "state", "answer.eml"]
        done = subprocess.run(line, cwd=f.path, capture_output=True, timeout=30)
        equal((done.returncode, done.stderr), (0, b""))
        assert until(lambda: back.messages)
        equal(back.messages[0][:2], (CODE, ["ann@sender.example"]))
        holds(back.messages[0][2], b"At last.")
        done = subprocess.run(line, cwd=f.path, capture_output=True, timeout=30)
        equal(done.returncode, 3)
        holds(done.stderr, b"answered before")
        f.does([REPLY])
        begins(f.send(), "250 ")
        assert f.quiet(), f.files()
        equal(len(back.messages), 1)


@case
def without_secrets_there_is_no_ticket(program):
    with Robot(program) as f:
        begins(f.send(), "250 ")
        equal(f.event()["ticket"], None)


@case
def a_forward_to_our_own_zone_is_refused(program):
    with Robot(program, [{"action": "forward", "to": "one@zone.example"}]) as f:
        begins(f.send(), "451 4.3.0")
        holds(f.why(), "E_DESTINATION_OWN_ZONE")


@case
def says_which_line_is_wrong(program):
    with Robot(program) as f:
        for value, want in (
                ("robot", b"expected NAME to ADDRESS"),
                ("robot to nobody", b"expected NAME to ADDRESS"),
                ("nobody to box@one.example", b"a handler of that name"),
                (["robot only box@one.example", "robot only box@two.example"],
                 b"only once, and not beside to"),
                ("robot to @one.example", b"an address, LOCAL@DOMAIN")):
            f.configure(handler_send=value)
            done = f.run("--config", "forwarder.conf", "--check")
            equal(done.returncode, 2)
            holds(done.stderr, want)


case.main()
