#!/usr/bin/env python3
"""admit.py PROGRAM [CASE...]: whom the forwarder hears: lists in the DNS."""
import time

from forwarder import Cases, Forwarder, begins, equal

case = Cases()

ME = "1.0.0.127"  # the tests come from 127.0.0.1


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


case.main()
