#!/usr/bin/env python3
"""restart.py FORWARDER POLICYD: a policy of MTA-STS that was fetched stays in
force over a crash, whatever becomes of record and policy host meanwhile."""
import os
import shutil
import sys

from forwarder import (Cases, Forwarder, Hop, MESSAGE, begins, equal,
                       free_port, make_certificate)
from policy_host import POLICY_HOST, PolicyHost, RECORD

case = Cases()
POLICYD = os.path.abspath(sys.argv.pop(2))


def send(f, number):
    with f.client() as c:
        return c.send(message=MESSAGE.replace(b"<1@", b"<%d@" % number))


def scene(program, mode, run, **settings):
    with Forwarder(program) as f:
        port = free_port(POLICY_HOST)
        host = PolicyHost(POLICYD, f.path, port, mode)
        try:
            make_certificate(f.path, "good", "mx.one.example")
            make_certificate(f.path, "bad", "mx.evil.example")
            # The authorities: the policy host's own, and the good server's.
            f.write("ca.pem", (f.path / "policy.crt").read_text()
                    + (f.path / "good.crt").read_text())
            zone = (f.path / "zone.txt").read_text()
            f.write("zone.txt", zone + RECORD)
            f.start(out_trust="ca.pem", policy_port=port, relay="session",
                    **settings)
            run(f, host, zone)
        finally:
            if host.process.poll() is None:
                host.stop()


def taken_away(f, host, zone):
    """Crash; then record and policy host are gone."""
    f.kill()
    host.stop()
    f.write("zone.txt", zone)
    f.start()


@case
def a_policy_stays_in_force_over_sigkill(program):
    def run(f, host, zone):
        with Hop(f, 1) as plain:
            begins(send(f, 1), "4")
            equal((host.requests(), plain.messages), (1, []))
            assert plain.heard("EHLO")
        taken_away(f, host, zone)
        # No TLS, and TLS by somebody else: neither proves anything.
        with Hop(f, 1) as plain:
            begins(send(f, 1), "4")
            equal(plain.messages, [])
            assert plain.heard("EHLO") and not plain.heard("MAIL")
        with Hop(f, 1, certificate=f.path / "bad",
                 ehlo="250-hop\r\n250 STARTTLS") as bad:
            begins(send(f, 1), "4")
            equal(bad.messages, [])
            assert bad.heard("STARTTLS") and not bad.heard("MAIL")
        # One that proves its name gets it.
        with Hop(f, 1, certificate=f.path / "good",
                 ehlo="250-hop\r\n250 STARTTLS") as good:
            begins(send(f, 1), "250")
            equal(len(good.messages), 1)
    scene(program, "enforce", run)


@case
def without_what_was_kept_mail_would_go_unprotected(program):
    """The same with its folder lost: so the case above can fail."""
    def run(f, host, zone):
        with Hop(f, 1):
            begins(send(f, 1), "4")
        f.kill()
        host.stop()
        f.write("zone.txt", zone)
        shutil.rmtree(f.path / "state")
        f.start()
        with Hop(f, 1) as plain:
            begins(send(f, 1), "250")
            equal(len(plain.messages), 1)
    scene(program, "enforce", run)


@case
def testing_delivers_before_and_after(program):
    def run(f, host, zone):
        with Hop(f, 1) as plain:
            begins(send(f, 1), "250")
            taken_away(f, host, zone)
            begins(send(f, 2), "250")
            equal(len(plain.messages), 2)
    scene(program, "testing", run)


@case
def a_damaged_policy_counts_as_absent_and_is_logged(program):
    """As if another program had written there."""
    def run(f, host, zone):
        with Hop(f, 1):
            begins(send(f, 1), "4")
        f.kill()
        data = f.path / "state/store/data.mdb"
        octets = data.read_bytes()
        assert b"OLst" in octets
        data.write_bytes(octets.replace(b"OLst", b"OLsu"))
        f.start()
        # Fetched anew, as if it had never been there.
        with Hop(f, 1) as plain:
            begins(send(f, 1), "4")
            equal(plain.messages, [])
        equal(host.requests(), 2)
        assert any("taken as absent" in e["detail"]
                   for e in f.events("store"))
    scene(program, "enforce", run)


if shutil.which("openssl") is None:
    print("skipped: no openssl")
    sys.exit(77)
case.main()
