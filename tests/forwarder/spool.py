#!/usr/bin/env python3
"""spool.py PROGRAM ONWARD [CASE...]: the spool of the forwarder: mail that it
keeps and brings later, what it tells senders, and `onward queue` beside it."""
import email
import json
import os
import signal
import subprocess
import time

import spoolfile
from forwarder import (Cases, Forwarder, Hop, MESSAGE, begins, equal, holds,
                       make_certificate, until)
from spooling import ONWARD, Spooling, zone

case = Cases()
DSN_EHLO = "250-hop\r\n250-8BITMIME\r\n250 DSN"
# Notices go to the sender's own servers: this hop.
SENDER = "127.0.0.13"


def send(f, *args, **how):
    with f.client() as c:
        return c.send(*args, **how)


def parts(octets):
    """Of a notice: its text, its groups of fields, what it returns."""
    m = email.message_from_bytes(octets)
    equal(m.get_content_type(), "multipart/report")
    equal(m.get_param("report-type"), "delivery-status")
    text, status, *rest = m.get_payload()
    return text.get_payload(), status.get_payload(), rest


# ---- Mail that is kept ------------------------------------------------------

@case
def row_60_with_a_spool_answers_250_and_delivers_later(program):
    with Spooling(program) as f, Hop(f) as hop:
        f.start()
        reply = send(f)
        begins(reply, "250 2.0.0 queued as ")
        assert until(lambda: hop.messages), "nothing came"
        sender, to, octets = hop.messages[0]
        begins(sender, "SRS0=")
        equal(to, ["box@one.example"])
        assert octets.endswith(MESSAGE), octets
        assert f.quiet(), f.files()
        (queued,), (sent,) = f.events("queued"), f.events("queue-delivered")
        equal((queued["id"], sent["id"]), (reply.split()[-1],) * 2)
        equal((sent["code"], sent["attempts"], sent["host"]),
              (250, 1, "mx.one.example"))
        equal(queued["of"], f.events("message")[0]["id"])


@case
def the_file_is_what_its_description_says(program):
    with Spooling(program) as f:
        f.start(queue_deliveries=1)
        begins(send(f, more=" RET=HDRS ENVID=e+2B1"), "250")
        assert until(lambda: f.list()[0]["recipients"][0]["attempts"] == 1)
        (name,) = f.files()
        got = spoolfile.Read((f.path / "state/spool/messages" / name).read_bytes())
        assert got.content.endswith(MESSAGE)
        begins(got.content.decode(), "ARC-Seal:")
        equal(got.all(spoolfile.NOTICE_PATH), [b"ann@sender.example"])
        equal(got.all(spoolfile.ENVID), [b"e+1"])
        equal(got.all(spoolfile.RET), [b"\2" + bytes(7)])
        equal(got.all(spoolfile.RCPT), [b"box@one.example"])
        equal(got.all(spoolfile.NAME), [b"one@zone.example"])
        equal(len(got.records), 1)
        equal(got.records[0][spoolfile.ENHANCED], b"4.4.1")


@case
def what_another_wrote_is_delivered(program):
    with Spooling(program) as f, Hop(f) as hop:
        folder = f.path / "state/spool/messages"
        folder.mkdir(parents=True)
        (folder / "00000000000001-abcdef01").write_bytes(
            spoolfile.message(spoolfile.relayed(arrival=int(time.time())),
                              MESSAGE))
        f.start()
        assert until(lambda: hop.messages)
        equal(hop.messages[0],
              ("ann@sender.example", ["box@one.example"], MESSAGE))
        assert f.quiet()


@case
def tries_again_when_asked_and_survives_a_restart(program):
    with Spooling(program) as f:
        f.start()
        begins(send(f), "250")
        assert until(lambda: f.events("queue-deferred"))
        (m,) = f.list()
        r = m["recipients"][0]
        equal((r["fate"], r["attempts"], r["code"], r["host"]),
              ("waiting", 1, 451, "mx.one.example"))
        # Not before half an hour (RFC 5321 section 4.5.4.1).
        wait = f.events("queue-deferred")[0]["next"] - time.time()
        assert 1790 <= wait <= 1990, wait
        f.kill()
        f.start()
        time.sleep(0.3)
        equal(len(f.events("queue-deferred")), 1)
        with Hop(f) as hop:
            equal(f.queue("retry", m["id"]), f"{m['id']}: retry\n")
            assert until(lambda: hop.messages)
            assert f.quiet()
        equal(f.events("queue-delivered")[0]["attempts"], 2)


@case
def two_destinations_are_two_files(program):
    with Spooling(program) as f, Hop(f) as hop:
        f.start()
        begins(send(f, to="two@zone.example"), "250")
        assert until(lambda: hop.messages and f.events("queue-deferred"))
        (left,) = f.list()
        equal(left["recipients"][0]["address"], "box@two.example")


# ---- onward queue -----------------------------------------------------------

@case
def hold_release_and_delete(program):
    with Spooling(program) as f:
        f.start()
        begins(send(f), "250")
        assert until(lambda: f.events("queue-deferred"))
        name = f.list()[0]["id"]
        equal(f.queue("hold", name), f"{name}: hold\n")
        equal(f.list()[0]["held"], True)
        f.kill()
        f.start()
        with Hop(f) as hop:
            time.sleep(0.3)
            equal(hop.messages, [])
            equal(f.queue("release", name), f"{name}: release\n")
            time.sleep(0.3)
            equal((hop.messages, f.list()[0]["held"]), ([], False))
            f.queue("hold", name)
            equal(f.queue("delete", name), f"{name}: delete\n")
            equal(f.files(), [])
            equal(hop.messages, [])
        equal([e["detail"] for e in f.events("queue-request")],
              [f"hold {name}", f"release {name}", f"hold {name}",
               f"delete {name}"])


@case
def delete_stops_what_is_under_way(program):
    with Spooling(program) as f, \
            Hop(f, data=lambda _: time.sleep(1) or "354 go") as hop:
        f.start()
        begins(send(f), "250")
        assert until(lambda: hop.heard("DATA"))
        f.queue("delete", f.files()[0])
        # Whoever is killed now does not send it the next time.
        equal(f.files(), [])
        assert until(lambda: hop.ends)
        equal((hop.messages, hop.ends), ([], ["content"]))
        equal(f.events("queue-deferred"), [])


@case
def hold_keeps_back_those_who_have_not_had_their_turn(program):
    envelope = spoolfile.relayed(arrival=int(time.time())) + [
        (spoolfile.RCPT, "box@two.example"),
        (spoolfile.RCPT_DOMAIN, "two.example")]
    with Spooling(program) as f, Hop(f, 2) as two, \
            Hop(f, data=lambda _: time.sleep(1) or "354 go") as one:
        folder = f.path / "state/spool/messages"
        folder.mkdir(parents=True)
        (folder / "0a-1").write_bytes(spoolfile.message(envelope, MESSAGE))
        f.start()
        assert until(lambda: one.heard("DATA"))
        f.queue("hold", "0a-1")
        assert until(lambda: one.messages)
        time.sleep(0.3)
        equal(two.messages, [])
        f.queue("release", "0a-1")
        assert until(lambda: two.messages)
        assert f.quiet()
        equal(len(one.messages), 1)


@case
def works_without_a_forwarder(program):
    with Spooling(program) as f:
        f.start()
        begins(send(f), "250")
        assert until(lambda: f.events("queue-deferred"))
        equal(f.stop(), 0)
        (m,) = f.list()
        holds(f.queue("show", m["id"]), "    was for: one@zone.example\n")
        holds(f.queue("show", "--content", m["id"]), "Subject: hello")
        f.queue("hold", m["id"])
        equal(f.list()[0]["held"], True)
        f.queue("retry", m["id"])
        (m,) = f.list()
        equal((m["held"], m["recipients"][0]["next"]), (False, None))
        f.queue("delete", m["id"])
        equal(f.queue("list"), "0 messages\n")
        holds(f.queue("show", m["id"], status=3), "no such message")
        holds(f.queue("delete", "../lock", status=3), "no such message")


def many_held(f, count):
    envelope = spoolfile.relayed(arrival=int(time.time()), more=[
        (spoolfile.HOLD, 1)])
    folder = f.path / "state/spool/messages"
    folder.mkdir(parents=True)
    for i in range(count):
        (folder / f"0a-{i}").write_bytes(spoolfile.message(envelope, MESSAGE))
    return folder


@case
def many_requests_do_not_hold_up_mail(program):
    """Some a turn, all in the end: what comes meanwhile is served between."""
    count = 400
    with Spooling(program) as f:
        folder = many_held(f, count)
        f.start()
        requests = f.path / "state/spool/requests"
        with f.client() as c:
            begins(c.envelope(to="void@zone.example"), "250")
            begins(c.say("DATA"), "354")
            c.write(MESSAGE)
            f.signal(signal.SIGSTOP)
            for i in range(count):
                (requests / f"0a-{i}.delete").touch()
            c.write(b".\r\n")
            f.signal(signal.SIGCONT)
            begins(c.reply(), "250 2.0.0")
        assert until(lambda: not list(folder.iterdir()), 60)
        assert until(lambda: not list(requests.iterdir()))
        events = [e["event"] for e in f.log()]
        equal(events.count("queue-request"), count)
        assert "queue-request" in events[events.index("message"):], \
            "all of them came first"


@case
def a_list_that_nobody_reads_locks_nobody_out(program):
    with Spooling(program) as f, Hop(f):
        many_held(f, 1200)
        f.start()
        listing = subprocess.Popen([ONWARD, "queue", "list", "--spool",
                                    f.path / "state/spool"], stdout=subprocess.PIPE)
        try:
            begins(listing.stdout.read(3).decode(), "0a-")
            equal(f.stop(), 0)
            f.process = None
            f.start()
            begins(f.queue("delete", "0a-7"), "0a-7: delete")
            assert listing.poll() is None, "it was not long enough"
        finally:
            listing.stdout.close()
            listing.wait(20)


@case
def links_lead_nobody_out_of_the_spool(program):
    """Its owner may not be who runs `onward queue`."""
    with Spooling(program) as f:
        f.start()
        equal(f.stop(), 0)
        spool, other = f.path / "state/spool", f.path / "other"
        other.mkdir()
        (other / "kept").write_text("kept")
        for name in ("new", "messages", "damaged", "requests"):
            (spool / name).rename(spool / "aside")
            (spool / name).symlink_to(other)
            f.queue("delete", "kept", status=3)
            (spool / name).unlink()
            (spool / "aside").rename(spool / name)
        (spool / "lock").unlink()
        (spool / "lock").symlink_to(other / "made")
        f.queue("delete", "kept", status=3)
        equal([p.name for p in other.iterdir()], ["kept"])


@case
def two_forwarders_do_not_share_a_spool(program):
    with Spooling(program) as f:
        f.start()
        done = f.run("--config", "forwarder.conf")
        equal(done.returncode, 3)
        holds(done.stderr.decode(), "expected a spool that nobody else works "
              "on")


# ---- What cannot be read ----------------------------------------------------

@case
def damaged_files_are_set_aside_and_the_rest_goes(program):
    now = int(time.time())
    good = spoolfile.message(spoolfile.relayed(arrival=now), MESSAGE)
    unknown = spoolfile.message(spoolfile.relayed(more=[(99, 1)]), MESSAGE)
    line = spoolfile.message(spoolfile.relayed(sender="a@b.example>\r\nDATA"),
                             MESSAGE)
    bad = {"0a-1": good[:20], "0a-2": good[:-1], "0a-3": b"",
           "0a-4": good[:40] + b"X" + good[41:], "0a-5": unknown,
           "0a-6": good[:-3] + b"X" + good[-2:], "0a-7": line}
    with Spooling(program) as f, Hop(f) as hop:
        folder = f.path / "state/spool/messages"
        folder.mkdir(parents=True)
        for name, octets in {**bad, "0b-1": good}.items():
            (folder / name).write_bytes(octets)
        f.start()
        assert until(lambda: f.files("damaged") == sorted(bad))
        assert f.quiet()
        equal(len(hop.messages), 1)
        equal(len(f.events("queue-fault")), len(bad))


@case
def half_a_record_says_nothing(program):
    now = int(time.time())
    whole = (spoolfile.message(spoolfile.relayed(arrival=now), MESSAGE)
             + spoolfile.record((spoolfile.INDEX, 1), (spoolfile.ATTEMPTS, 7),
                                (spoolfile.NEXT, now + 9000)))
    done = spoolfile.record((spoolfile.INDEX, 1), (spoolfile.FATE, 1))
    for cut in range(1, len(done), 7):
        with Spooling(program) as f:
            folder = f.path / "state/spool/messages"
            folder.mkdir(parents=True)
            (folder / "0a-1").write_bytes(whole + done[:cut])
            f.start()
            (m,) = f.list()
            equal(m["recipients"][0]["attempts"], 7)
            f.queue("hold", "0a-1")
            got = spoolfile.Read((folder / "0a-1").read_bytes())
            equal(len(got.records), 2)


# ---- Notices ----------------------------------------------------------------

@case
def row_62_a_failure_is_told_to_the_sender(program):
    with Spooling(program) as f, \
            Hop(f, rcpt="550 5.1.1 no such user") as hop, Hop(f, 3) as home:
        f.start()
        begins(send(f, more=" ENVID=abc"), "250")
        assert until(lambda: home.messages), f.log()
        sender, to, octets = home.messages[0]
        equal((sender, to), ("", ["ann@sender.example"]))
        _, status, rest = parts(octets)
        equal(status[0]["Reporting-MTA"], "dns; mx.zone.example")
        equal(status[0]["Original-Envelope-Id"], "abc")
        equal(status[1]["Final-Recipient"], "rfc822; one@zone.example")
        equal((status[1]["Action"], status[1]["Status"]), ("failed", "5.1.1"))
        holds(status[1]["Diagnostic-Code"], "no such user")
        # Where we forward to is nobody's business.
        assert b"box@one.example" not in octets, octets
        equal(rest[0].get_content_type(), "message/rfc822")
        assert f.quiet()
        equal(hop.messages, [])


@case
def nobody_is_told_who_did_not_send_it(program):
    """A112: SPF says neutral, so the address may be anybody's; A111: nobody
    answers a null sender."""
    with Spooling(program, allow_unauthenticated="yes") as f, \
            Hop(f, rcpt="550 5.1.1 no such user") as hop:
        f.start()
        for sender in ("eve@open.example", ""):
            begins(send(f, sender=sender), "250")
            assert f.quiet()
        equal(len(hop.heard("RCPT")), 2)
        equal([e["origin"] for e in f.events("queued")], ["relayed"] * 2)
        details = [e["detail"].split(": ")[1] for e in f.events("queue-untold")]
        equal(details, ["sender-not-proven", "null-sender"])


@case
def a_notice_that_fails_is_dropped(program):
    with Spooling(program) as f, Hop(f, rcpt="550 5.1.1 no") as _, \
            Hop(f, 3, rcpt="550 5.1.1 nor here"):
        f.start()
        begins(send(f), "250")
        assert until(lambda: len(f.events("queue-failed")) == 2)
        assert f.quiet()
        equal([e["origin"] for e in f.events("queued")],
              ["relayed", "notice"])


@case
def notify_is_heard(program):
    for notify, told in (("NEVER", 0), ("SUCCESS", 0), ("FAILURE", 1),
                         ("DELAY", 0), ("SUCCESS,FAILURE", 1)):
        with Spooling(program) as f, Hop(f, rcpt="550 5.1.1 no"), \
                Hop(f, 3) as home:
            f.start()
            with f.client() as c:
                c.say("MAIL FROM:<ann@sender.example> RET=HDRS")
                begins(c.say(f"RCPT TO:<one@zone.example> NOTIFY={notify} "
                             "ORCPT=rfc822;who+2Bx@zone.example"), "250")
                begins(c.say("DATA"), "354")
                c.write(MESSAGE + b".\r\n")
                begins(c.reply(), "250")
            assert until(lambda: f.events("queue-failed"))
            assert f.quiet()
            equal(len(home.messages), told)
            if told:
                _, status, rest = parts(home.messages[0][2])
                equal(status[1]["Original-Recipient"],
                      "rfc822; who+x@zone.example")
                equal(rest[0].get_content_type(), "text/rfc822-headers")


@case
def what_is_too_old_is_given_up(program):
    with Spooling(program) as f, Hop(f, 3) as home:
        f.start(queue_life_s=1)
        begins(send(f), "250")
        # Tried once more when its time is over, then no more; on a machine that
        # does much else its first try may be late already.
        assert until(lambda: home.messages), f.log()
        assert len(f.events("queue-deferred")) <= 1
        _, status, _ = parts(home.messages[0][2])
        equal((status[1]["Action"], status[1]["Status"]), ("failed", "4.4.7"))
        assert f.quiet()


@case
def a_delay_is_told_once_and_to_people_only(program):
    automatic = b"Auto-Submitted: auto-generated\r\n" + MESSAGE
    for message, told in ((MESSAGE, 1), (automatic, 0)):
        with Spooling(program) as f, Hop(f, 3) as home:
            f.start(queue_delay_s=1)
            begins(send(f, message=message), "250")
            assert until(lambda: f.events("queue-deferred"))
            time.sleep(1.1)
            name = [m["id"] for m in f.list()][0]
            for count in (2, 3):
                f.queue("retry", name)
                assert until(lambda: len(f.events("queue-deferred")) == count)
            assert until(lambda: len(f.files()) == 1), f.files()
            equal(len(home.messages), told)
            if told:
                _, status, _ = parts(home.messages[0][2])
                equal((status[1]["Action"], status[1]["Status"][0]),
                      ("delayed", "4"))


@case
def success_is_passed_on_or_told(program):
    for ehlo, relayed in ((DSN_EHLO, 0), (Hop.DEFAULT["EHLO"], 1)):
        for relay in ("spool", "session"):
            with Spooling(program, relay=relay) as f, \
                    Hop(f, ehlo=ehlo) as hop, Hop(f, 3) as home:
                f.start()
                with f.client() as c:
                    c.say("MAIL FROM:<ann@sender.example> ENVID=x+2By RET=FULL")
                    c.say("RCPT TO:<one@zone.example> NOTIFY=SUCCESS,FAILURE "
                          "ORCPT=rfc822;a+2Bb@zone.example")
                    c.say("DATA")
                    c.write(MESSAGE + b".\r\n")
                    begins(c.reply(), "250")
                assert until(lambda: hop.messages)
                assert f.quiet()
                equal(len(home.messages), relayed)
                mail, rcpt = hop.heard("MAIL")[0], hop.heard("RCPT")[0]
                if relayed:
                    _, status, _ = parts(home.messages[0][2])
                    equal(status[1]["Action"], "relayed")
                    for word in ("NOTIFY", "ORCPT", "ENVID", "RET"):
                        assert word not in mail + rcpt, (mail, rcpt)
                else:
                    holds(mail, " ENVID=x+2By")
                    holds(mail, " RET=FULL")
                    holds(rcpt, " NOTIFY=SUCCESS,FAILURE")
                    holds(rcpt, " ORCPT=rfc822;a+2Bb@zone.example")


@case
def what_a_server_says_cannot_break_a_notice(program):
    """A114: whatever it says, and whatever the sender called the recipient."""
    said = "550 5.1.1 no\x07 \x1b[2J " + "long " * 200 + "\t\x7f\u00e4"
    big = MESSAGE + (b"z" * 70 + b"\r\n") * 3000
    with Spooling(program) as f, Hop(f, rcpt=said), Hop(f, 3) as home:
        f.start()
        with f.client() as c:
            c.say("EHLO [not.a.name!]")
            c.say("MAIL FROM:<ann@sender.example>")
            begins(c.say("RCPT TO:<one@zone.example> ORCPT=rfc822;"
                         "+22a+20b+5C+22c+22@zone.example"), "250")
            c.say("DATA")
            c.write(big + b".\r\n")
            begins(c.reply(), "250")
        assert until(lambda: home.messages), f.log()
        octets = home.messages[0][2]
        assert all(32 <= b <= 126 or b in b"\r\n\t" for b in octets)
        assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
        assert len(octets) < 20000, len(octets)
        _, status, rest = parts(octets)
        equal(len(status), 2)
        equal(status[1]["Original-Recipient"],
              'rfc822; "a b\\"c"@zone.example')
        begins(status[1]["Diagnostic-Code"], "smtp; 550 5.1.1 no")
        assert len(status[1]["Diagnostic-Code"]) < 700
        equal(rest[0].get_content_type(), "text/rfc822-headers")


@case
def a_sender_in_utf_8_is_told_in_utf_8(program):
    with Spooling(program) as f, Hop(f, rcpt="550 5.1.1 no",
                                     ehlo="250-hop\r\n250-8BITMIME\r\n"
                                     "250 SMTPUTF8"), \
            Hop(f, 3, ehlo="250-hop\r\n250-8BITMIME\r\n250 SMTPUTF8") as home:
        f.start()
        begins(send(f, sender="j\u00f6@sender.example", more=" SMTPUTF8"),
               "250")
        assert until(lambda: home.messages), f.log()
        equal(home.messages[0][1], ["j\u00f6@sender.example"])
        holds(home.heard("MAIL")[0], " SMTPUTF8")
        holds(home.messages[0][2], b"message/global-delivery-status")


@case
def automatic_mail_is_told_of_failures_alone(program):
    """Lists strike dead members by them; and nothing but a notice is ever
    sent: no reply (A111), no receipt (RFC 8098 section 2.1)."""
    message = (b"Auto-Submitted: auto-generated\r\nList-Id: <a.example>\r\n"
               b"Precedence: bulk\r\n"
               b"Disposition-Notification-To: ann@sender.example\r\n"
               b"Return-Receipt-To: ann@sender.example\r\n" + MESSAGE)
    with Spooling(program) as f, Hop(f) as hop, Hop(f, 3) as home, \
            Hop(f, 2, rcpt="550 5.1.1 no"):
        f.start()
        begins(send(f, message=message), "250")
        assert until(lambda: hop.messages)
        assert f.quiet()
        equal(home.messages, [])
        begins(send(f, to="two@zone.example", message=message), "250")
        assert until(lambda: home.messages)
        assert f.quiet()
        equal(len(home.messages), 1)
        equal(parts(home.messages[0][2])[1][1]["Action"], "failed")


@case
def bounces_go_back_through_the_spool(program):
    """To a rewritten sender, with the null path; one that fails in turn is
    told to nobody."""
    bounce = MESSAGE.replace(b"ann@sender.example>", b"MAILER-DAEMON@one."
                             b"example>", 1)
    with Spooling(program) as f, Hop(f) as hop, Hop(f, 3) as home:
        f.start()
        begins(send(f), "250")
        assert until(lambda: hop.messages)
        back = hop.messages[0][0]
        begins(send(f, to=back, sender="", message=bounce), "250")
        assert until(lambda: home.messages)
        equal(home.messages[0][:2], ("", ["ann@sender.example"]))
        home.says["RCPT"] = "550 5.1.1 gone"
        begins(send(f, to=back, sender="", message=b"X: y\r\n" + bounce),
               "250")
        assert until(lambda: f.events("queue-failed"))
        assert f.quiet()
        equal([e["origin"] for e in f.events("queued")], ["relayed"] * 3)


@case
def sigterm_leaves_what_is_under_way_in_the_spool(program):
    with Spooling(program) as f, \
            Hop(f, data=lambda _: time.sleep(3) or "354 go") as hop:
        f.start(drain_s=1)
        begins(send(f), "250")
        assert until(lambda: hop.heard("DATA"))
        began = time.monotonic()
        equal(f.stop(), 0)
        assert time.monotonic() - began < 2.5
        equal(len(f.files()), 1)
        until(lambda: hop.ends, 5)
        equal(hop.messages, [])
        hop.says["DATA"] = "354 go"
        f.start()
        assert until(lambda: hop.messages)
        assert f.quiet()
        equal(len(hop.messages), 1)


@case
def more_than_go_at_a_time_wait_for_their_turn(program):
    most = []
    with Spooling(program) as f, Hop(f) as hop:
        def counted(_):
            most.append(sum(1 for line in list(hop.lines)
                            if line.startswith("DATA")) - len(hop.messages))
            time.sleep(0.02)
            return "250 2.0.0 taken"
        hop.says["."] = counted
        f.start(queue_deliveries=3)
        with f.client() as c:
            for i in range(30):
                begins(c.send(message=b"X: %d\r\n" % i + MESSAGE.replace(
                    b"<1@", b"<%d@" % i)), "250")
        assert until(lambda: len(hop.messages) == 30), len(hop.messages)
        assert f.quiet()
        assert max(most) <= 3, most


@case
def a_message_that_requires_tls_gives_back_no_content(program):
    """RFC 8689 section 5: as if RET=HDRS were there; and who wrote it is told,
    also where nobody offers REQUIRETLS."""
    with Spooling(program, tls_certificate="tls.crt", tls_key="tls.key") as f, \
            Hop(f) as hop, Hop(f, 3) as home:
        make_certificate(f.path, "tls", "mx.zone.example")
        f.start()
        with f.client() as c:
            holds(c.starttls(f.path / "tls.crt"), "REQUIRETLS")
            begins(c.send(more=" RET=FULL REQUIRETLS"), "250")
        assert until(lambda: home.messages), f.log()
        assert f.quiet()
        equal(hop.messages, [])
        _, status, rest = parts(home.messages[0][2])
        begins(status[1]["Status"], "5.7.")
        equal(rest[0].get_content_type(), "text/rfc822-headers")
        assert b"Hello." not in home.messages[0][2]


@case
def a_domain_that_does_not_answer_leaves_room_for_others(program):
    with Spooling(program) as f, Hop(f) as hop, \
            Hop(f, 2, greeting=lambda _: time.sleep(30)):
        rules = json.loads((f.path / "rules.json").read_text())
        rules["zones"][0]["rules"][2]["actions"][0]["value"] = [
            "box@two.example"]
        f.write("rules.json", json.dumps(rules))
        f.start(queue_deliveries=4, drain_s=0)
        with f.client() as c:
            for i in range(8):
                begins(c.send(to="two@zone.example", message=MESSAGE.replace(
                    b"<1@", b"<%d@" % i)), "250")
            begins(c.send(), "250")
        assert until(lambda: hop.messages, 5)


@case
def many_for_such_a_domain_do_not_hide_the_others(program):
    """However many wait before them; and these have their turn when there are
    places again."""
    octets = spoolfile.message(
        spoolfile.relayed("box@two.example", arrival=int(time.time())), MESSAGE)
    answers = []
    with Spooling(program) as f, Hop(f) as hop, \
            Hop(f, 2, greeting=lambda _: answers.append(time.sleep(4)) or
                "220 hop", rcpt="250 2.1.5 fine") as two:
        folder = f.path / "state/spool/messages"
        folder.mkdir(parents=True)
        for i in range(2500):
            (folder / f"0a-{i}").write_bytes(octets)
        f.start(queue_deliveries=16, drain_s=0)
        begins(send(f), "250")
        assert until(lambda: hop.messages, 3)
        equal(two.messages, [])
        for name in f.files()[16:]:
            (folder / name).unlink(missing_ok=True)
        assert f.quiet(30), len(f.files())
        assert len(two.messages) > 0


@case
def the_spool_has_a_limit(program):
    """For mail; a notice is kept beyond it."""
    big = MESSAGE + (b"z" * 70 + b"\r\n") * 7000
    with Spooling(program) as f, Hop(f, 3) as home:
        f.start(spool_bytes=1048576)
        replies = [send(f, message=big.replace(b"<1@", b"<%d@" % i))[:3]
                   for i in range(4)]
        equal(replies, ["250", "250", "451", "451"])
        equal(len(f.files()), 2)
        assert until(lambda: len(f.events("queue-deferred")) == 2)
        with Hop(f, rcpt="550 5.1.1 no"):
            f.queue("retry", *f.files())
            assert until(lambda: len(home.messages) == 2)
        assert f.quiet()
        begins(send(f, message=big), "250")


@case
def an_alias_of_several_is_told_of_as_expanded(program):
    with Spooling(program) as f, Hop(f, ehlo=DSN_EHLO) as one, \
            Hop(f, 2, ehlo=DSN_EHLO) as two, Hop(f, 3) as home:
        f.start()
        with f.client() as c:
            c.say("MAIL FROM:<ann@sender.example> ENVID=x")
            c.say("RCPT TO:<two@zone.example> NOTIFY=SUCCESS,DELAY")
            c.say("DATA")
            c.write(MESSAGE + b".\r\n")
            begins(c.reply(), "250")
        assert until(lambda: one.messages and two.messages and home.messages)
        assert f.quiet()
        for hop in (one, two):
            equal(hop.heard("RCPT")[0].split("> ")[1], "NOTIFY=DELAY")
            holds(hop.heard("MAIL")[0], "ENVID=x")
        equal(len(home.messages), 1)
        _, status, _ = parts(home.messages[0][2])
        equal((status[1]["Action"], status[1]["Final-Recipient"]),
              ("expanded", "rfc822; two@zone.example"))


@case
def without_a_spool_nothing_is_promised(program):
    with Forwarder(program) as f:
        f.start(store="memory")
        with f.client() as c:
            assert "DSN" not in c.say("EHLO again.sender.example")
            begins(c.envelope(more=" RET=HDRS"), "555")


if __name__ == "__main__":
    case.main()
