#!/usr/bin/env python3
"""milter.py PROGRAM [CASE...]: onward-milter as a mail server hears it: every
command, what a hostile one may say, and what the process does."""
import os
import socket
import stat
import struct
import subprocess
import sys

from server import (LEADING_SPACE, PROTOCOL, Closed, Milter, Server, inserted,
                    removed)

from forwarder import Cases, begins, equal, holds, until

case = Cases()

FIELDS = [("From", " u@a.example"), ("To", " v@b.example"), ("Subject", " x")]
SEAL = {"seal_key": "ed25519.pem", "seal_domain": "fwd.example",
        "seal_selector": "e"}
SRS = {"srs_domain": "fwd.example", "srs_secret": "srs.txt",
       "forward": "b.example"}
SIGN = {"dkim_key": ["a.example r rsa.pem", "a.example e ed25519.pem"]}


def taken(answer):
    equal(answer, ("c", b""))


# ---- What is said, and answered --------------------------------------------

@case
def negotiation(program):
    with Milter(program) as m:
        m.start()
        with Server(m) as s:
            equal((s.version, s.actions), (6, 0x11))
            assert s.agreed & LEADING_SPACE
            # We want RCPT and MAIL, and an answer to each; the body, too.
            equal(s.agreed & (0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x4000
                              | 0x8000), 0)
        with Server(m, protocol=0x7f, version=2) as s:
            equal((s.version, s.actions, s.agreed), (2, 0x11, 0))
        m.stop()
        m.start(dmarc_quarantine="hold", **SRS)
        with Server(m) as s:
            equal(s.actions, 0x11 | 0x20 | 0x40 | 0x4 | 0x8)


@case
def fields_in_order_and_their_octets(program):
    with Milter(program) as m:
        m.start(**SEAL)
        for protocol, blank in ((PROTOCOL, " "), (PROTOCOL ^ LEADING_SPACE, "")):
            with Server(m, protocol=protocol) as s:
                s.connect()
                changes, answer = s.message(FIELDS, b"hello\r\n")
                taken(answer)
                equal([n for n, _ in inserted(changes)],
                      ["ARC-Seal", "ARC-Message-Signature",
                       "ARC-Authentication-Results", "Authentication-Results"])
                results = dict(inserted(changes))["Authentication-Results"]
                begins(results, blank + "mx.fwd.example;\n ")
                holds(results, "spf=pass")
                holds(results, "dmarc=pass header.from=a.example")


@case
def forged_fields_go_from_below(program):
    with Milter(program) as m:
        m.start()
        forged = ("Authentication-Results", " mx.fwd.example;\n\tdmarc=pass")
        other = ("Authentication-Results", " other.example; none")
        with Server(m) as s:
            s.connect()
            changes, answer = s.message(
                [forged, other, *FIELDS, ("AUTHENTICATION-results ", forged[1]),
                 ("Received-SPF", " pass (mx.fwd.example: so)")])
            taken(answer)
            equal(removed(changes), [("Authentication-Results", 3),
                                     ("Authentication-Results", 1),
                                     ("Received-SPF", 1)])
            # All before anything is put on top, which would shift them.
            equal([c for c, _ in changes], ["m", "m", "m", "i"])


@case
def every_command_in_one_session(program):
    with Milter(program) as m:
        m.start(**SIGN)
        with Server(m, protocol=PROTOCOL & ~0x300) as s:  # DATA and unknown
            s.say("D", "Cj\0mx.fwd.example\0{daemon_name}\0mx\0")
            s.connect("2001:db8::25")
            taken(s.ask("U", "XYZZY\0"))
            taken(s.mail("u@a.example", i="4Fqueue", **{
                "{auth_type}": "PLAIN", "{auth_authen}": "ann"}))
            taken(s.rcpt("v@b.example"))
            taken(s.rcpt("w@b.example"))
            taken(s.ask("T"))
            s.content(FIELDS, b"x" * 200000 + b"\r\n")
            changes, answer = s.end(b"the last piece\r\n")
            taken(answer)
            equal([n for n, _ in inserted(changes)], ["DKIM-Signature"] * 2)
            s.say("A")  # between messages nothing is aborted
            s.say("K")
            s.connect("127.0.0.1")
            changes, answer = s.message(FIELDS)
            taken(answer)
            equal([n for n, _ in inserted(changes)], ["DKIM-Signature"] * 2)
            s.say("Q")
            assert s.is_closed()
        log = m.events("message")
        equal([e["id"] for e in log], ["4Fqueue", None])
        equal([(e["ours"], e["client"], e["signed"]) for e in log],
              [(True, "2001:db8::25", "a.example"),
               (True, "127.0.0.1", "a.example")])


@case
def who_asks_for_answers_gets_them(program):
    """Nothing goes unanswered for a server without those flags."""
    with Milter(program) as m:
        m.start()
        with Server(m, protocol=0x7f, version=2) as s:
            s.connect()
            changes, answer = s.message(FIELDS, b"one\r\n")
            taken(answer)
            equal([n for n, _ in inserted(changes)], ["Authentication-Results"])


@case
def refusals_have_their_words(program):
    with Milter(program) as m:
        m.start(**SRS)
        with Server(m) as s:
            s.connect("192.0.2.8")
            changes, answer = s.message(FIELDS, sender="u@z.example")
            equal((changes, answer), ([], (
                "y", b"550 5.7.1 Rejected as the DMARC policy of a.example "
                     b"asks for\0")))
            # The next one of the same client is not that one.
            changes, answer = s.message(
                [("From", " u@t.example")], sender="u@z.example")
            equal(answer, ("y", b"451 4.7.1 DMARC cannot be checked now\0"))
            taken(s.mail(""))
            command, payload = s.rcpt("SRS0=aaaa=bb=a.example=u@fwd.example")
            equal((command, payload[:9]), ("y", b"550 5.7.1"))
            taken(s.rcpt("v@c.example"))
            s.content([("From", " u@z.example")])
            changes, answer = s.end()
            taken(answer)
            equal([c for c, _ in changes], ["i"])


@case
def senders_and_recipients_change(program):
    with Milter(program) as m:
        m.start(**SRS)
        with Server(m) as s:
            s.connect()
            changes, answer = s.message(FIELDS)
            taken(answer)
            equal([c for c, _ in changes], ["i", "e"])
            sender = changes[1][1]
            begins(sender.decode(), "<SRS0=")
            holds(sender, b"=a.example=u@fwd.example>\0")
            changes, answer = s.message(
                [("From", " x@z.example")], sender="",
                to=sender.decode()[1:-2])
            taken(answer)
            equal(changes[1:], [("-", sender), ("+", b"<u@a.example>\0")])


@case
def what_is_aborted_is_forgotten(program):
    with Milter(program) as m:
        m.start(**SIGN)
        with Server(m) as s:
            s.connect()
            want = None
            for steps in range(6):
                if steps >= 1:
                    s.mail("boss@a.example", **{"{auth_type}": "PLAIN"})
                if steps >= 2:
                    s.rcpt("x@b.example")
                if steps >= 3:
                    s.say("L", "Authentication-Results\0 mx.fwd.example\0")
                if steps >= 4:
                    s.say("N")
                if steps >= 5:
                    s.say("B", b"of another message\r\n")
                s.say("A")
                changes, answer = s.message(FIELDS, b"hello\r\n")
                taken(answer)
                want = want or changes
                equal(changes, want)


# ---- What a hostile server may say (A122) ----------------------------------

def ends(m, octets, negotiate=True):
    """It hangs up, and is there for the next one."""
    with Server(m, negotiate=negotiate) as s:
        s.write(octets)
        assert s.is_closed(), octets[:40]


@case
def hostile_frames(program):
    with Milter(program) as m:
        m.start()
        for octets in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\x10\0\x01B",
                       b"\x80\0\0\0", b"\0\0\0\x01Z", b"\0\0\0\x01\0",
                       Server.frame("H", "no NUL"), Server.frame("M", ""),
                       Server.frame("O", b"\0\0\0\6"),
                       Server.frame("C", b"x\0004\0"),
                       Server.frame("D", "Mi\0")):
            ends(m, octets)
            ends(m, octets, negotiate=False)
        with Server(m) as s:
            s.connect()
            taken(s.message(FIELDS)[1])
        assert m.events("protocol")


@case
def hostile_cuts(program):
    """A connection that ends at each octet of a session leaves nothing."""
    with Milter(program) as m:
        m.start()
        frame = Server.frame
        whole = (frame("O", struct.pack(">III", 6, 0x1ff, PROTOCOL))
                 + frame("C", b"c\0004\0\x19192.0.2.9\0") + frame("H", "c\0")
                 + frame("M", "<u@a.example>\0") + frame("R", "<v@b.example>\0")
                 + frame("L", "From\0 u@a.example\0") + frame("N")
                 + frame("B", "x\r\n") + frame("E"))
        for at in range(len(whole)):
            with socket.create_connection(("127.0.0.1", m.port)) as s:
                s.sendall(whole[:at])
        # And one that says each octet alone, and waits.
        with Server(m, negotiate=False) as s:
            for at in range(len(whole)):
                s.write(whole[at:at + 1])
            seen = ""
            while seen[-2:] != "ic":
                seen += s.hear()[0]
            equal(seen, "Occic")
        equal(len(m.events("message")), 1)


@case
def hostile_silence_and_flood(program):
    with Milter(program) as m:
        m.start(max_connections="3")
        # It answers as long as somebody reads; who does not, waits.
        with Server(m, protocol=0x7f) as s:
            s.socket.settimeout(2)
            s.connect()
            taken(s.mail())
            try:
                for _ in range(4000):
                    s.write(Server.frame("T") * 1000)
                blocked = False
            except TimeoutError:
                blocked = True
            assert blocked
            rss = open(f"/proc/{m.process.pid}/status").read()
            rss = int(rss.split("VmRSS:")[1].split()[0])
            # Sanitizers have more of it.
            assert rss < 600000, f"{rss} KiB"
            with Server(m) as other:
                other.connect()
                taken(other.message(FIELDS)[1])
        assert until(lambda: len(os.listdir(
            f"/proc/{m.process.pid}/fd")) < 14)
        held = [Server(m) for _ in range(3)]
        extra = socket.create_connection(("127.0.0.1", m.port))
        equal(extra.recv(1), b"")
        extra.close()
        equal(m.events("refused")[0]["detail"], "max_connections")
        held[0].socket.close()
        held[1].connect()
        taken(held[1].message(FIELDS)[1])
        for s in held[1:]:
            s.socket.close()


@case
def silent_connections_end(program):
    with Milter(program) as m:
        m.start(timeout_s="1")
        with Server(m) as s:
            assert s.is_closed()
        equal(m.events("silent")[0]["detail"], "timeout_s")


# ---- The process -----------------------------------------------------------

@case
def sockets_of_the_file_system(program):
    with Milter(program) as m:
        path = m.path / "milter.sock"
        m.start(listen=[f"unix:{path}", "127.0.0.1:0"])
        equal(m.ready[1], f"unix:{path}")
        equal(stat.S_IMODE(path.stat().st_mode), 0o660)
        with Server(m) as s:
            s.connect()
            taken(s.message(FIELDS)[1])
        # One that is in use is not taken away.
        second = m.run("--config", "milter.conf")
        equal(second.returncode, 3)
        holds(second.stderr, b"expected a path that is free")
        # What a killed one has left is.
        m.process.kill()
        m.process.wait()
        m.process.stdout.close()
        assert path.exists()
        m.start(listen=f"unix:{path}")
        with Server(m) as s:
            s.connect()
            taken(s.message(FIELDS)[1])
        equal(m.stop(), 0)
        assert not path.exists()
        # A file that is no socket is nobody's to remove.
        path.write_text("mine")
        done = m.run("--config", "milter.conf")
        equal((done.returncode, path.read_text()), (3, "mine"))


@case
def reload_is_for_new_connections(program):
    with Milter(program) as m:
        m.start()
        with Server(m) as old:
            old.connect("192.0.2.8")
            m.configure(enforce_dmarc="no")
            equal(m.reload()["event"], "reloaded")
            equal(old.message(FIELDS, sender="u@z.example")[1][0], "y")
            with Server(m) as s:
                s.connect("192.0.2.8")
                taken(s.message(FIELDS, sender="u@z.example")[1])
        m.write("milter.conf", "listen = 127.0.0.1:0\nhostnam = x\n")
        begins(m.reload()["detail"], "milter.conf:2: unknown key \"hostnam\"")
        with Server(m) as s:
            s.connect()
            taken(s.message(FIELDS)[1])


@case
def the_end_waits_for_messages(program):
    with Milter(program) as m:
        m.start()
        with Server(m) as busy, Server(m) as idle:
            busy.connect()
            taken(busy.mail())
            taken(busy.rcpt())
            m.process.terminate()
            assert idle.is_closed()
            busy.content(FIELDS, b"hello\r\n")
            changes, answer = busy.end()
            taken(answer)
            equal([c for c, _ in changes], ["i"])
            assert busy.is_closed()
        equal(m.process.wait(20), 0)
        m.process.stdout.close()
        m.process = None


@case
def what_is_wrong_is_said(program):
    with Milter(program) as m:
        for changes, said, status in (
                ({"listen": "unix:relative"}, b"expected ADDRESS:PORT, or "
                 b"unix:/PATH", 2),
                ({"listen": "127.0.0.1"}, b":1: listen", 2),
                ({"listen": "127.0.0.1:0", "socket_group": "no such"},
                 b"a group of this machine", 2),
                ({"socket_group": None, "dkim_key": "a.example r none.pem"},
                 b"none.pem: No such file", 3),
                ({"dkim_key": "a.example r"}, b"DOMAIN SELECTOR FILE", 2),
                ({"dkim_key": None, "srs_domain": "fwd.example"},
                 b"srs_domain alone", 2)):
            m.configure(**changes)
            done = m.run("--config", "milter.conf", "--check")
            equal((done.returncode, said in done.stderr), (status, True))
            begins(done.stderr, b"onward-milter: ")
        m.configure(srs_domain=None)
        equal(m.run("--config", "milter.conf", "--check").returncode, 0)


case.main()
