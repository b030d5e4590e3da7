#!/usr/bin/env python3
"""admit.py PROGRAM [CASE...]: whom the forwarder hears: lists in the DNS,
limits, greylisting."""
import time

from forwarder import MESSAGE, Cases, Client, Forwarder, Hop, begins, equal, until

case = Cases()

ME = "1.0.0.127"  # the tests come from 127.0.0.1


def send(f, **how):
    """In a connection of its own, as mail servers try again."""
    with f.client() as c:
        return c.send(**how)


def zone(f, *lines):
    f.write("zone.txt", (f.path / "zone.txt").read_text()
            + "".join(line + "\n" for line in lines))


# ---- Lists ----------------------------------------------------------------

@case
def row_59_refuses_clients_on_a_block_list(program):
    with Forwarder(program) as f:
        zone(f, f"{ME}.bl.example A 127.0.0.2",
             f'{ME}.bl.example TXT "see https://bl.example/127.0.0.1"')
        f.start(dnsbl=["none.example", "bl.example"])
        with f.client() as c:
            begins(c.say("MAIL FROM:<ann@sender.example>"), "250 2.1.0")
            why = ("127.0.0.1 found on one or more DNSBLs (bl.example): see "
                   "https://bl.example/127.0.0.1")
            equal(c.say("RCPT TO:<void@zone.example>"), f"554 5.7.1 {why}")
            equal(c.say("RCPT TO:<nobody@zone.example>"), f"554 5.7.1 {why}")
            # Whoever is there by mistake can say so.
            begins(c.say("RCPT TO:<Postmaster>"), "550 5.7.1 ")
            begins(c.say("RCPT TO:<abuse@zone.example>"), "550 5.1.1 ")
            begins(c.say("DATA"), "554 5.5.1")
        (first, *_) = f.events("recipient-refused")
        equal((first["client"], first["to"], first["code"], first["enhanced"],
               first["text"]),
              ("127.0.0.1", "void@zone.example", 554, "5.7.1", why))


@case
def takes_no_notice_of_codes_that_were_not_asked_for(program):
    with Forwarder(program) as f:
        zone(f, f"{ME}.bl.example A 127.0.0.10", "*.gone.example A 192.0.2.1")
        f.start(dnsbl=["bl.example=127.0.0.[2..9]", "gone.example"])
        with f.client() as c:
            begins(c.send(to="void@zone.example"), "250 2.0.0")


@case
def an_allow_list_wins(program):
    with Forwarder(program) as f:
        zone(f, f"{ME}.bl.example A 127.0.0.2", f"{ME}.wl.example A 127.0.3.2")
        f.start(dnsbl="bl.example", dnswl="wl.example=127.0.[0..255].[1..3]")
        with f.client() as c:
            begins(c.send(to="void@zone.example"), "250 2.0.0")


@case
def a_list_that_fails_keeps_nobody_out(program):
    with Forwarder(program) as f:
        zone(f, f"{ME}.bl.example A !SERVFAIL", f"{ME}.wl.example A !TIMEOUT")
        f.start(dnsbl="bl.example", dnswl="wl.example")
        with f.client() as c:
            begins(c.send(to="void@zone.example"), "250 2.0.0")


@case
def waits_for_a_list_that_is_slow_but_not_for_ever(program):
    """Nobody answers at port 9; clients that go meanwhile leave nothing."""
    with Forwarder(program) as f:
        f.start(dns=None, resolver="127.0.0.1@9", dnsbl="bl.example",
                drain_s=0)
        with f.client() as gone:
            gone.write(b"MAIL FROM:<ann@sender.example>\r\n"
                       b"RCPT TO:<void@zone.example>\r\n"
                       b"RCPT TO:<void@zone.example>\r\n")
            begins(gone.reply(), "250")
        with f.client() as c:
            begins(c.say("MAIL FROM:<ann@sender.example>"), "250")
            c.write(b"RCPT TO:<void@zone.example>\r\n"
                    b"RCPT TO:<nobody@zone.example>\r\n")
            begin = time.monotonic()
            begins(c.reply(), "250 2.1.5")
            assert time.monotonic() - begin < 12
            begins(c.reply(), "550 5.1.1")


@case
def gets_new_lists_at_sighup(program):
    with Forwarder(program) as f:
        zone(f, f"{ME}.bl.example A 127.0.0.2")
        f.start()
        with f.client() as old:
            f.configure(dnsbl="bl.example")
            equal(f.reload()["event"], "reloaded")
            begins(old.envelope(to="void@zone.example"), "250")
            with f.client() as new:
                begins(new.envelope(to="void@zone.example"), "554 5.7.1")


# ---- Limits ---------------------------------------------------------------

@case
def limits_the_sessions_of_a_client(program):
    with Forwarder(program) as f:
        f.start(listen=["127.0.0.1:0", "[::1]:0"], max_sessions_client=2)
        first, second = f.client(), f.client()
        with f.client(greet=False) as third:
            equal(third.reply(), "421 mx.zone.example too many connections "
                  "from your network, come again later")
            assert third.is_closed()
        with Client(f.addresses[1]) as other:
            begins(other.say("NOOP"), "250")
        first.close()
        assert until(lambda: is_heard(f))
        second.close()


def is_heard(f):
    with f.client(greet=False) as c:
        return c.reply().startswith("220 ")


@case
def limits_the_mail_of_a_client(program):
    with Forwarder(program) as f:
        f.start(listen=["127.0.0.1:0", "[::1]:0"], limit_client="2/hour",
                allow_unauthenticated="yes")
        with f.client() as c, Client(f.addresses[1]) as other:
            begins(c.send(to="void@zone.example"), "250 2.0.0")
            begins(c.send(to="void@zone.example", sender=""), "250 2.0.0")
            begins(c.say("MAIL FROM:<bob@sender.example>"), "450 4.7.1 too "
                   "much mail from your network, come again in 1")
            begins(c.say("RCPT TO:<void@zone.example>"), "503")
            begins(c.say("MAIL FROM:<>"), "450 4.7.1")
            begins(other.envelope(to="void@zone.example"), "250")
        (one, two) = f.events("sender-refused")
        equal((one["client"], one["from"], one["code"], two["from"]),
              ("127.0.0.1", "bob@sender.example", 450, ""))


@case
def a_limit_holds_over_sessions_and_reloads(program):
    with Forwarder(program) as f:
        f.start(limit_sender="1/day", allow_unauthenticated="yes")
        with f.client() as c:
            begins(c.send(to="void@zone.example"), "250 2.0.0")
        equal(f.reload()["event"], "reloaded")
        with f.client() as c:
            begins(c.say("MAIL FROM:<Ann@Sender.Example>"), "450 4.7.1 too "
                   "much mail from this sender, come again in 86")
            begins(c.send(to="void@zone.example", sender="bob@sender.example"),
                   "250 2.0.0")
            # There is one null path for all the world.
            for _ in range(3):
                begins(c.send(to="void@zone.example", sender=""), "250 2.0.0")


@case
def limits_what_an_address_gets(program):
    with Forwarder(program) as f:
        f.start(limit_recipient="1/hour")
        with f.client() as c:
            begins(c.envelope(to="void@zone.example"), "250")
            begins(c.say("RCPT TO:<VOID@zone.example>"), "450 4.2.1 too much "
                   "mail for this address, come again in 3")
            begins(c.say("RCPT TO:<nobody@zone.example>"), "550 5.1.1")
            for _ in range(3):
                begins(c.say("RCPT TO:<postmaster@zone.example>"), "550 5.1.1")
        (first, *_) = f.events("recipient-refused")
        equal((first["code"], first["enhanced"], first["to"]),
              (450, "4.2.1", "VOID@zone.example"))


@case
def an_allow_list_lifts_the_limit_of_a_client(program):
    with Forwarder(program) as f:
        zone(f, f"{ME}.wl.example A 127.0.3.2")
        f.start(dnswl="wl.example", limit_client="1/day", greylist=100)
        with f.client() as c:
            for _ in range(3):
                begins(c.send(to="void@zone.example"), "250 2.0.0")


@case
def pipelined_commands_are_answered_in_their_order(program):
    with Forwarder(program) as f:
        f.start(limit_client="5/day", limit_sender="5/day",
                limit_recipient="2/day")
        with f.client() as c:
            c.write(b"MAIL FROM:<ann@sender.example>\r\n"
                    + b"RCPT TO:<void@zone.example>\r\n" * 3
                    + b"RCPT TO:<nobody@zone.example>\r\nDATA\r\n")
            equal([c.reply()[:9] for _ in range(6)],
                  ["250 2.1.0", "250 2.1.5", "250 2.1.5", "450 4.2.1",
                   "550 5.1.1", "354 End d"])


# ---- Greylisting ----------------------------------------------------------

@case
def greylists_who_was_never_here(program):
    with Forwarder(program) as f, Hop(f) as hop:
        f.start(greylist=2)
        begins(send(f), "451 4.7.1 we do not know you yet")
        begins(send(f), "451 4.7.1")
        time.sleep(2.1)
        begins(send(f, sender="bob@sender.example"), "451 4.7.1")
        equal(send(f), "250 2.0.0 taken")
        # And is known from now on, also with something else.
        begins(send(f, to="void@zone.example", sender="carl@sender.example"),
               "250 2.0.0")
        equal(len(hop.messages), 1)
        assert any(e["code"] == 451 and e["enhanced"] == "4.7.1"
                   for e in f.events("recipient-refused"))


@case
def greylists_the_null_path_at_data(program):
    with Forwarder(program) as f:
        f.start(greylist=1, allow_unauthenticated="yes")
        with f.client() as c:
            begins(c.envelope(sender="", to="void@zone.example"), "250 2.1.5")
            begins(c.say("DATA"), "451 4.7.1")
            begins(c.say("RSET"), "250")
            begins(c.envelope(sender="", to="nobody@zone.example"),
                   "550 5.1.1")
            time.sleep(1.1)
            begins(c.say("RSET"), "250")
            begins(c.send(sender="", to="void@zone.example"), "250 2.0.0")
        (line, *_) = f.events("recipient-refused")
        equal((line["to"], line["code"]), ("void@zone.example", 451))


@case
def knows_whom_it_knew_after_a_restart(program):
    with Forwarder(program) as f:
        f.start(greylist=1, store="lmdb")
        begins(send(f, to="void@zone.example"), "451 4.7.1")
        time.sleep(1.1)
        begins(send(f, to="void@zone.example"), "250 2.0.0")
        equal(f.stop(), 0)
        f.start()
        with f.client() as c:
            begins(c.envelope(to="void@zone.example",
                              sender="bob@sender.example"), "250 2.1.5")


case.main()
