#!/usr/bin/env python3
"""handler_unix.py PROGRAM [CASE...]: handlers behind a socket: several events at
a time, and what their failures are to the senders (doc/handlers.md)."""
import json
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from forwarder import Cases, Hop, MESSAGE, begins, equal, holds, until
from handler import CODE, send, start

case = Cases()
TICKETS = (pathlib.Path(__file__).resolve().parents[2]
           / "examples/handlers/tickets.py")
LARGE = MESSAGE + (b"x" * 70 + b"\r\n") * 60000


class Peer:
    """A handler that does as says(peer, connection, header, message) has it;
    True: it goes on."""

    def __init__(self, says, folder):
        self.says, self.path = says, f"{folder}/socket"
        self.heard, self.connections = [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=[connection],
                             daemon=True).start()

    def serve(self, connection):
        stream = connection.makefile("rb")
        if self.says is mute:
            return
        try:
            while True:
                (length,) = struct.unpack("!I", stream.read(4))
                header = json.loads(stream.read(length))
                message = stream.read(header["size"])
                self.heard.append((header, message))
                if not self.says(self, connection, header, message):
                    break
        except (OSError, struct.error):
            pass
        stream.close()
        connection.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Run:
    """A peer, and a forwarder that knows it."""

    def __init__(self, program, says, **settings):
        self.folder = tempfile.TemporaryDirectory()
        self.peer = Peer(says, self.folder.name)
        self.forwarder = start(program, f"unix:{self.peer.path}", **settings)

    def __enter__(self):
        return self.forwarder, self.peer

    def __exit__(self, *how):
        self.forwarder.__exit__(*how)
        self.peer.close()
        self.folder.cleanup()


def put(connection, value, cut=None):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    connection.sendall((struct.pack("!I", len(text)) + text)[:cut])
    return True


def take(peer, connection, header, message):
    return put(connection, {"id": header["id"], "actions": []})


def mute(*_):
    return True


def finish(f):
    """A client that has said all."""
    c = f.client()
    begins(c.envelope(to=CODE), "250")
    begins(c.say("DATA"), "354")
    c.write(MESSAGE + b".\r\n")
    return c


@case
def one_that_is_named_no_more_is_let_go(program):
    """After a reload; an event that it has, it may answer still."""
    def later(peer, connection, header, message):
        peer.held = (connection, header["id"])
        return True

    with Run(program, take) as (f, old), \
            tempfile.TemporaryDirectory() as folder:
        begins(send(f), "250 2.0.0")
        old.says = later
        c = finish(f)
        assert until(lambda: len(old.heard) == 2)
        new = Peer(take, folder)
        f.configure(handler=f"robot unix:{new.path}")
        equal(f.reload()["event"], "reloaded")
        begins(send(f, message=MESSAGE.replace(b"<1@", b"<9@")), "250 2.0.0")
        equal((len(new.heard), len(old.heard)), (1, 2))
        connection, number = old.held
        put(connection, {"id": number, "actions": []})
        begins(c.reply(), "250 2.0.0")
        c.close()
        # Our end of it sees the other one go.
        assert until(lambda: len(open_sockets(f, old.path)) == 0)
        equal(len(open_sockets(f, new.path)), 1)
        new.close()


def open_sockets(f, path):
    """Connections to that path, as the kernel has them."""
    with open("/proc/net/unix") as table:
        return [line for line in table if line.rstrip().endswith(path)
                and line.split()[5] == "03"]


# ---- As it should be --------------------------------------------------------

@case
def the_example(program):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/tickets"
        with subprocess.Popen([sys.executable, TICKETS, path,
                               "box@one.example"]) as tickets, \
                start(program, f"unix:{path}") as f, Hop(f, 1) as one, \
                Hop(f, 3) as back:
            try:
                assert until(pathlib.Path(path).exists)
                begins(send(f), "250 2.0.0")
                other = MESSAGE.replace(b"<1@", b"<2@")
                begins(send(f, message=other), "250 2.0.0")
                equal(sorted(o.split(b"\r\n")[0] for _, _, o in one.messages),
                      [b"X-Ticket: 1", b"X-Ticket: 2"])
                assert until(lambda: len(back.messages) == 2)
                holds(back.messages[0][2], b"Subject: Your ticket ")
            finally:
                tickets.kill()


@case
def hears_the_message(program):
    with Run(program, take) as (f, peer):
        for message in (MESSAGE, LARGE):
            begins(send(f, message=message), "250 2.0.0")
        equal([m for _, m in peer.heard], [MESSAGE, LARGE])
        header = peer.heard[0][0]
        equal((header["v"], header["size"]), (1, len(MESSAGE)))
        event = header["event"]
        equal((event["from"], event["to"], event["handler"],
               event["verdict"]["dmarc"]),
              ("ann@sender.example", CODE, "robot", "pass"))
        assert peer.heard[1][0]["id"] != header["id"]
        equal(len(peer.connections), 1)


@case
def several_at_a_time_in_any_order(program):
    waiting = []

    def last_first(peer, connection, header, message):
        waiting.append(header["id"])
        if len(waiting) == 5:
            for i, one in enumerate(reversed(waiting)):
                put(connection, {"id": one, "actions": [
                    {"action": "reject", "code": 550, "text": f"place {i}"}]})
        return True

    with Run(program, last_first) as (f, peer):
        clients = []
        for i in range(5):
            clients.append(finish(f))
            assert until(lambda: len(waiting) == i + 1)
        for i, c in enumerate(clients):
            equal(c.reply(), f"550 5.7.1 place {4 - i}")
            c.close()


@case
def an_answer_may_come_in_pieces(program):
    def slowly(peer, connection, header, message):
        text = json.dumps({"id": header["id"]}).encode()
        for octet in struct.pack("!I", len(text)) + text:
            connection.sendall(bytes([octet]))
            time.sleep(0.005)
        return True

    with Run(program, slowly) as (f, _):
        begins(send(f), "250 2.0.0")


# ---- Step by step -----------------------------------------------------------

def steps(*actions, answer=None):
    """Takes the steps, one after the other; then answers. Keeps in
    peer.outcomes what it was told."""
    def says(peer, connection, header, message):
        peer.outcomes = []
        stream = connection.makefile("rb")
        for number, action in enumerate(actions):
            put(connection, {"id": header["id"], "step": number,
                             "action": action})
            (length,) = struct.unpack("!I", stream.read(4))
            outcome = json.loads(stream.read(length))
            equal((outcome.pop("v"), outcome.pop("id"), outcome.pop("size"),
                   outcome.pop("step")), (1, header["id"], 0, number))
            peer.outcomes.append(outcome)
        return put(connection, {"id": header["id"], **(answer or {})})
    return says


FORWARD = {"action": "forward", "to": "box@one.example"}
OTHER = {"action": "forward", "to": "box@two.example"}


@case
def hears_how_each_step_ended(program):
    reply = {"action": "reply", "message": {"from": CODE, "text": "7"}}
    with Run(program, steps(FORWARD, FORWARD, reply, {
            "action": "forward", "to": "x@one.example"})) as (f, peer), \
            Hop(f, 1) as one, Hop(f, 3):
        begins(send(f), "250 2.0.0")
        first, again, answered, nobody = peer.outcomes
        equal(first, {"state": "done", "message_id": None, "reply": {
            "code": 250, "enhanced": "2.0.0", "text": "taken"}})
        equal((again["state"], again["refusal"], again["what"]),
              ("refused", "E_DUPLICATE", "box@one.example"))
        equal(answered["state"], "done")
        holds(answered["message_id"], "@zone.example")
        equal((nobody["state"], nobody["refusal"], nobody["text"]),
              ("refused", "E_DESTINATION_NOT_VERIFIED",
               "destination address not verified"))
        equal(len(one.messages), 1)
        # The sender comes again all the same: it was done before.
        begins(send(f), "250 2.0.0")
        equal([o["state"] for o in peer.outcomes],
              ["before", "refused", "before", "refused"])
        equal(len(one.messages), 1)


@case
def a_next_hop_that_refuses_is_not_the_end(program):
    with Run(program, steps(FORWARD, OTHER)) as (f, peer), \
            Hop(f, 1, rcpt="550 5.1.1 nobody here"), Hop(f, 2) as two:
        begins(send(f), "250 2.0.0")
        equal(peer.outcomes[0], {
            "state": "failed", "message_id": None,
            "refusal": "E_PERMANENT",
            "text": "could not send email: permanent error (5xx)", "what": "",
            "reply": {"code": 550, "enhanced": "5.1.1",
                      "text": "nobody here"}})
        equal((peer.outcomes[1]["state"], len(two.messages)), ("done", 1))
        # Unless the handler says so.
        peer.says = steps(FORWARD, answer={"error": "nobody has it"})
        begins(send(f, message=MESSAGE.replace(b"<1@", b"<2@")), "451 4.3.0")
        holds(f.events("handler-failed")[0]["detail"], "says: nobody has it")


@case
def rejects_by_a_step(program):
    with Run(program, steps({"action": "reject", "code": 555,
                             "text": "not today"})) as (f, peer):
        equal(send(f), "555 5.7.1 not today")
        equal(peer.outcomes, [{"state": "done"}])


@case
def steps_that_are_none(program):
    wrong = [None, {}, [], {"action": "dance"}, {"action": "forward"},
             {"action": "forward", "to": 5},
             {"action": "forward", "to": "box@one.example", "now": True},
             {"action": "forward", "to": "box@one.example",
              "fields": {"Received": "x"}},
             {"action": "reply"}, {"action": "reject", "code": 200}]
    with Run(program, steps(*wrong)) as (f, peer), Hop(f, 1) as one:
        begins(send(f), "250 2.0.0")
        equal([o["state"] for o in peer.outcomes],
              ["wrong"] * 4 + ["refused"] + ["wrong"] * 2 + ["refused"]
              + ["wrong"] * 2)
        equal(peer.outcomes[7]["refusal"], "E_HEADER_NOT_ALLOWED")
        equal(one.messages, [])


@case
def steps_to_an_event_that_is_over(program):
    def late(peer, connection, header, message):
        take(peer, connection, header, message)
        for number in (-1, 0, 1e300, "x"):
            put(connection, {"id": header["id"], "step": number,
                             "action": FORWARD})
        return True

    with Run(program, late) as (f, peer), Hop(f, 1) as one:
        for _ in range(3):
            begins(send(f), "250 2.0.0")
        equal((one.messages, len(peer.connections)), ([], 1))


@case
def many_steps_of_one_that_does_not_read(program):
    # Sanitizers are slow, and keep what is freed.
    is_plain = b"__asan_init" not in pathlib.Path(program).read_bytes()

    def flood(peer, connection, header, message):
        text = json.dumps({"id": header["id"], "step": 1,
                           "action": {"action": "forward",
                                      "to": "x" * 250}}).encode()
        one = (struct.pack("!I", len(text)) + text) * 1000
        for _ in range(300 if is_plain else 10):
            connection.sendall(one)
        peer.has_flooded = True
        return take(peer, connection, header, message)

    with Run(program, flood, handler_timeout_s=50) as (f, peer):
        with f.client(timeout=120) as c:
            begins(c.send(to=CODE), "250 2.0.0")
        assert peer.has_flooded
        assert not is_plain or f.rss_kib() < 200000, f.rss_kib()


@case
def a_step_that_outlives_its_event(program):
    """The next hop is slow; the handler's time is up before it answers."""
    gate = threading.Event()

    def impatient(peer, connection, header, message):
        return put(connection, {"id": header["id"], "step": 1,
                                "action": FORWARD})

    def slowly(_):
        gate.wait(20)
        return "250 2.0.0 taken"

    with Run(program, impatient, handler_timeout_s=1) as (f, peer), \
            Hop(f, 1, end=slowly) as one:
        with finish(f) as c:
            assert until(lambda: f.events("handler-failed"))
            gate.set()
            begins(c.reply(), "451 4.3.0")
        equal(len(one.messages), 1)
        peer.says = take
        begins(send(f, message=MESSAGE.replace(b"<1@", b"<2@")), "250 2.0.0")


# ---- How it fails -----------------------------------------------------------

FAILS = [
    ("no JSON", lambda p, c, h, m: put(c, b"garbage")),
    ("without an id", lambda p, c, h, m: put(c, {"actions": []})),
    ("without an id", lambda p, c, h, m: put(c, {"id": -1})),
    ("without an id", lambda p, c, h, m: put(c, {"id": 1e300})),
    ("has hung up", lambda p, c, h, m: False),
    ("has hung up", lambda p, c, h, m: put(c, {"id": 1}, 9) and False),
    ("too long", lambda p, c, h, m: c.sendall(b"\xff" * 9) or True),
    ("says: no desk",
     lambda p, c, h, m: put(c, {"id": h["id"], "error": "no desk"})),
    ("E_DESTINATION_NOT_VERIFIED",
     lambda p, c, h, m: put(c, {"id": h["id"], "actions": [
         {"action": "forward", "to": "x@one.example"}]})),
    ("took longer than 1 second", lambda p, c, h, m: True),
    ("took longer than 1 second",
     lambda p, c, h, m: put(c, {"id": h["id"] + 1})),
]


@case
def whatever_it_does_wrong_the_sender_comes_again(program):
    for i, (why, says) in enumerate(FAILS):
        with Run(program, says, handler_timeout_s=1 if "took" in why
                 else 20) as (f, peer):
            begins(send(f), "451 4.3.0")
            holds(f.events("handler-failed")[0]["detail"], why)
            # And then it is well again: connected to anew where it was lost.
            peer.says = take
            begins(send(f), "250 2.0.0")
            equal(len(peer.connections), 1 if i > 6 else 2)


def gigabyte(peer, connection, header, message):
    try:
        connection.sendall(struct.pack("!I", 40 << 20))
        for _ in range(1024):
            connection.sendall(b" " * 1048576)
    except OSError:
        pass
    return False


@case
def a_gigabyte(program):
    with Run(program, gigabyte) as (f, _):
        begins(send(f), "451 4.3.0")
        assert f.rss_kib() < 250000, f.rss_kib()


@case
def does_not_read(program):
    with Run(program, mute, handler_timeout_s=1) as (f, peer):
        first = f.client()
        begins(first.send(to=CODE, message=LARGE), "451 4.3.0")
        holds(f.events("handler-failed")[-1]["detail"], "took longer")
        peer.says = take
        begins(send(f, message=LARGE), "250 2.0.0")
        equal(len(peer.connections), 2)


@case
def what_is_under_way_fails_with_its_connection(program):
    with Run(program, lambda p, c, h, m: len(p.heard) < 3) as (f, peer):
        clients = [finish(f) for _ in range(3)]
        for c in clients:
            begins(c.reply(), "451 4.3.0")
            c.close()
        equal(len(f.events("handler-failed")), 3)


@case
def is_not_there_and_comes_later(program):
    with tempfile.TemporaryDirectory() as folder:
        with start(program, f"unix:{folder}/socket") as f:
            begins(send(f), "451 4.3.0")
            holds(f.events("handler-failed")[0]["detail"], f"{folder}/socket: ")
            peer = Peer(take, folder)
            begins(send(f), "250 2.0.0")
            peer.close()
            (pathlib.Path(folder) / "socket").unlink()
            begins(send(f), "451 4.3.0")
            peer = Peer(take, folder)
            begins(send(f), "250 2.0.0")
            peer.close()


@case
def an_answer_to_a_client_that_has_gone(program):
    gate = threading.Event()

    def late(peer, connection, header, message):
        if len(peer.heard) == 1:
            gate.wait(10)
        return take(peer, connection, header, message)

    with Run(program, late, delivery_timeout_s=5,
             handler_timeout_s=1) as (f, peer):
        with finish(f) as gone:
            assert until(lambda: peer.heard)
            begins(gone.reply(), "451 4.3.0")
        gate.set()
        begins(send(f), "250 2.0.0")
        equal(len(peer.connections), 1)


@case
def ends_while_it_is_asked(program):
    with Run(program, lambda p, c, h, m: True, drain_s=0) as (f, peer):
        with finish(f) as c:
            assert until(lambda: peer.heard)
            equal(f.stop(), 0)
            begins(c.reply(), "421 4.3.2")


case.main()
