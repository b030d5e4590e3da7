#!/usr/bin/env python3
"""handler.py PROGRAM [CASE...]: handlers that are programs of their own: what
they may do, and what their failures are to the sender (doc/handlers.md)."""
import json
import os
import pathlib
import shlex
import sys
import time

from forwarder import (RULES, Cases, Forwarder, Hop, MESSAGE, begins, equal,
                       holds, until)

case = Cases()
CODE = "code@zone.example"

ZONE_MORE = """\
sender.example. 60 IN MX 10 mx.sender.example.
mx.sender.example. 60 IN A 127.0.0.13
"""


def start(program, handler, code=None, **settings):
    """The handler, or Python that is one, in the folder of its own."""
    f = Forwarder(program)
    rules = json.loads(json.dumps(RULES))
    for to, name in ((CODE, "robot"), ("other@zone.example", "nobody")):
        rules["zones"][0]["rules"].append(
            {"matchers": [{"type": "literal", "field": "to", "value": to}],
             "actions": [{"type": "handler", "value": [name]}]})
    f.write("rules.json", json.dumps(rules))
    f.write("zone.txt", (f.path / "zone.txt").read_text() + ZONE_MORE)
    if code is not None:
        f.write("robot.py", "import json, os, signal, sys, time\n" + code)
        handler = (f"exec:{shlex.quote(sys.executable)} "
                   f"{shlex.quote(str(f.path / 'robot.py'))}")
    return f.start(**{"handler": f"robot {handler}",
                      "handler_timeout_s": 20, **settings})


def run(program, code, **settings):
    return start(program, None, code, **settings)


def children(f):
    """Processes below, zombies too."""
    out = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as stat:
                words = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == f.process.pid:
            out.append(int(entry))
    return out


def running(mark):
    """Processes with that in their command line, whoever began them."""
    out = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark in path.read_bytes():
                out.append(path.parent.name)
        except OSError:
            pass
    return out


def send(f, to=CODE, **how):
    with f.client() as c:
        return c.send(to=to, **how)


def says(actions):
    return f"print({json.dumps(json.dumps({'actions': actions}))})\n"


# ---- What it may ------------------------------------------------------------

@case
def hears_the_message_and_takes_it(program):
    with run(program, """
event = json.loads(os.environ["ONWARD_EVENT"])
assert sys.stdin.buffer.read() == MESSAGE
assert event["verdict"]["dmarc"] == "pass" and event["can_be_forwarded"]
assert (event["from"], event["to"], event["handler"], event["size"]) == (
    os.environ["ONWARD_FROM"], os.environ["ONWARD_TO"],
    os.environ["ONWARD_HANDLER"], len(MESSAGE)) == (
    "ann@sender.example", "code@zone.example", "robot", len(MESSAGE))
""".replace("MESSAGE", repr(MESSAGE))) as f:
        begins(send(f), "250 2.0.0")
        (line,) = f.events("message")
        equal((line["status"], line["action"], line["route"]),
              ("Handled", "handler", "handled"))
        equal(children(f), [])


@case
def rejects(program):
    with run(program, says([{"action": "reject", "code": 555,
                             "text": "not today"}])) as f:
        equal(send(f), "555 5.7.1 not today")
        equal(f.events("message")[0]["status"], "Rejected")


@case
def forwards_replies_and_sends(program):
    actions = [
        {"action": "forward", "to": "box@one.example",
         "fields": {"X-Ticket": "7"}},
        {"action": "reply", "message": {"from": CODE, "subject": "Re: hello",
                                        "text": "Number 7."}},
        {"action": "send", "message": {"from": CODE, "to": "box@two.example",
                                       "subject": "new", "text": "7"}}]
    with run(program, says(actions)) as f, Hop(f, 1) as one, \
            Hop(f, 2) as two, Hop(f, 3) as back:
        begins(send(f), "250 2.0.0")
        ((_, to, octets),) = one.messages
        equal(to, ["box@one.example"])
        holds(octets, b"X-Ticket: 7\r\n")
        assert until(lambda: back.messages and two.messages)
        ((sender, to, octets),) = back.messages
        equal((sender, to), (CODE, ["ann@sender.example"]))
        for field in (b"Auto-Submitted: auto-replied",
                      b"In-Reply-To: <1@sender.example>",
                      b"References: <1@sender.example>"):
            holds(octets, field + b"\r\n")
        equal([(s, t) for s, t, _ in two.messages],
              [(CODE, ["box@two.example"])])
        equal([e["origin"] for e in f.events("queued")], ["made", "made"])
        equal(f.events("message")[0]["status"], "Forwarded")
        # One of each, also when the message comes again.
        equal(send(f), "250 2.0.0 Delivered before")
        equal([len(f.events("queued"))] + [len(h.messages) for h in
                                           (one, two, back)], [2, 1, 1, 1])


@case
def what_it_may_not_makes_the_sender_come_again(program):
    with run(program, says([{"action": "forward",
                             "to": "x@one.example"}])) as f, Hop(f, 1) as hop:
        begins(send(f), "451 4.3.0")
        holds(f.events("handler-failed")[0]["detail"],
              "robot: actions[0]: E_DESTINATION_NOT_VERIFIED")
        equal(hop.messages, [])


@case
def a_next_hop_that_refuses_is_told(program):
    with run(program, says([{"action": "forward",
                             "to": "box@one.example"}])) as f, \
            Hop(f, 1, rcpt="550 5.1.1 nobody"):
        begins(send(f), "550 5.1.1")


@case
def without_a_spool_it_writes_to_nobody(program):
    reply = {"action": "reply", "message": {"from": CODE, "text": "7"}}
    with run(program, says([reply]), store="memory", state=None) as f:
        begins(send(f), "451 4.3.0")
        holds(f.events("handler-failed")[0]["detail"], "robot: actions[0]: ")


# ---- How it fails -----------------------------------------------------------

FAILS = [
    ("exit status 3", "sys.exit(3)"),
    ("exit status 137", "os.kill(os.getpid(), signal.SIGKILL)"),
    ("no JSON at octet 0", "print('garbage')"),
    ("expected an object", "print('[]')"),
    ("the answer is too long",
     "for i in range(1024): os.write(1, b'x' * 1048576)"),
    ("took longer than 1 second", "time.sleep(600)"),
    # Deaf, and has closed what is waited for.
    ("took longer than 1 second",
     "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
     "os.close(1)\n"
     "while True: time.sleep(600)"),
    # Never silent.
    ("the answer is too long",
     "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
     "signal.signal(signal.SIGPIPE, signal.SIG_IGN)\n"
     "while True:\n"
     "    try: os.write(1, b'x' * 1048576)\n"
     "    except OSError: time.sleep(0.1)"),
    # With children of its own.
    ("took longer than 1 second", "os.fork(); os.fork(); time.sleep(600)"),
]


@case
def whatever_it_does_wrong_the_sender_comes_again(program):
    for why, code in FAILS:
        with run(program, code, handler_timeout_s=1 if "took" in why
                 else 20) as f:
            mark = str(f.path / "robot.py").encode()
            begins(send(f), "451 4.3.0")
            holds(f.events("handler-failed")[0]["detail"], why)
            equal(f.events("message")[0]["status"], "Error")
            assert until(lambda: not children(f)), (why, children(f))
            assert until(lambda: not running(mark)), (why, running(mark))
            assert f.rss_kib() < 200000, f.rss_kib()


@case
def nothing_where_something_is_demanded(program):
    """No such command: the shell says 127."""
    with start(program, "exec:/nowhere/to/be/found") as f:
        begins(send(f), "451 4.3.0")
        holds(f.events("handler-failed")[0]["detail"], "exit status 127")
        # A rule may name one that the configuration has not.
        begins(send(f, to="other@zone.example"), "451 4.3.5")


@case
def sigterm_comes_first(program):
    with run(program, """
def end(*_):
    time.sleep(0.3)
    open(sys.argv[0] + ".term", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
time.sleep(600)
""", handler_timeout_s=1) as f:
        begins(send(f), "451 4.3.0")
        assert until((f.path / "robot.py.term").exists)
        assert until(lambda: not children(f))


@case
def need_not_read_a_large_message(program):
    large = MESSAGE + (b"x" * 70 + b"\r\n") * 100000
    with run(program, "") as f:
        begins(send(f, message=large), "250 2.0.0")


@case
def others_do_not_wait_for_a_slow_one(program):
    with run(program, "time.sleep(2)") as f:
        with f.client() as slow:
            slow.envelope(to=CODE)
            slow.say("DATA")
            slow.write(MESSAGE + b".\r\n")
            assert until(lambda: children(f))
            begin = time.monotonic()
            begins(send(f, to="void@zone.example"), "250 2.0.0")
            assert time.monotonic() - begin < 1.5
            begins(slow.reply(), "250 2.0.0")


@case
def a_client_that_goes_leaves_nothing(program):
    with run(program, "time.sleep(1)") as f:
        with f.client() as gone:
            gone.envelope(to=CODE)
            gone.say("DATA")
            gone.write(MESSAGE + b".\r\n")
            assert until(lambda: children(f))
        assert until(lambda: not children(f))
        begins(send(f, to="void@zone.example"), "250 2.0.0")


@case
def ends_while_one_runs(program):
    with run(program, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                      "time.sleep(600)", drain_s=0) as f:
        with f.client() as c:
            c.envelope(to=CODE)
            c.say("DATA")
            c.write(MESSAGE + b".\r\n")
            assert until(lambda: children(f))
            left = children(f)
            equal(f.stop(), 0)
            begins(c.reply(), "421 4.3.2")
            for pid in left:
                assert not os.path.exists(f"/proc/{pid}"), pid


@case
def many_at_once(program):
    with run(program, "time.sleep(0.2)") as f:
        clients = [f.client() for _ in range(20)]
        for c in clients:
            begins(c.envelope(to=CODE), "250")
            begins(c.say("DATA"), "354")
            c.write(MESSAGE + b".\r\n")
        for c in clients:
            begins(c.reply(), "250 2.0.0")
            c.close()
        equal(children(f), [])


# ---- What it is said to be --------------------------------------------------

@case
def what_cannot_be_one_is_refused_at_the_start(program):
    for value in ("robot", "robot /bin/true", "robot exec:", "robot exec: ",
                  "exec:/bin/true"):
        with Forwarder(program) as f:
            f.configure(handler=value)
            done = f.run("--config", "forwarder.conf", "--check")
            equal(done.returncode, 2)
            holds(done.stderr.decode(), "expected NAME exec:COMMAND")


if __name__ == "__main__":
    case.main()
