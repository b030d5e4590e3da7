#!/usr/bin/env python3
"""tlsreport.py FORWARDER ONWARD: what was counted yesterday is mailed today,
signed and packed, to those whose record asks for it."""
import email
import glob
import gzip
import json
import os
import subprocess
import sys
import time

from forwarder import Cases, Forwarder, Hop, MESSAGE, begins, equal, until

case = Cases()
ONWARD = os.path.abspath(sys.argv.pop(2))
CLOCK = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
YESTERDAY = {"LD_PRELOAD": "".join(CLOCK[:1]), "FAKETIME": "-1d",
             "FAKETIME_DONT_FAKE_MONOTONIC": "1",
             # A sanitizer wants to be loaded first; it need not be.
             "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
             + ":verify_asan_link_order=0"}
RECORD = ('_smtp._tls.one.example. 60 IN TXT "v=TLSRPTv1; '
          'rua=https://one.example/tls,mailto:tls@two.example"\n')


def send(f, number):
    with f.client() as c:
        return c.send(message=MESSAGE.replace(b"<1@", b"<%d@" % number))


def a_day_of_mail(f, count=2, **settings):
    f.start(env=YESTERDAY, **settings)
    with Hop(f, 1):
        for i in range(count):
            begins(send(f, i), "250")
    equal(f.stop(), 0)
    f.process = None


def onward(f, *args):
    return subprocess.run([ONWARD, *args], cwd=f.path, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=60)


def reports(hop):
    return [octets for _, _, octets in hop.messages]


@case
def yesterdays_report_is_mailed_once(program):
    with Forwarder(program) as f:
        f.write("zone.txt", (f.path / "zone.txt").read_text() + RECORD)
        a_day_of_mail(f)
        with Hop(f, 2) as hop:
            f.start(tls_report_at_once="yes")
            assert until(lambda: hop.messages), "no report"
            sender, to, octets = hop.messages[0]
            equal((sender, to), ("postmaster@zone.example", ["tls@two.example"]))
            mail = email.message_from_bytes(octets)
            equal(mail["TLS-Report-Domain"], "one.example")
            equal(mail["TLS-Report-Submitter"], "zone.example")
            equal(mail.get_content_type(), "multipart/report")
            equal(mail.get_param("report-type"), "tlsrpt")
            part = mail.get_payload()[1]
            equal(part.get_content_type(), "application/tlsrpt+gzip")
            report = json.loads(gzip.decompress(part.get_payload(decode=True)))
            equal(report["organization-name"], "mx.zone.example")
            day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
            equal(report["date-range"]["start-datetime"], day + "T00:00:00Z")
            policy = report["policies"][0]
            equal(policy["policy"]["policy-type"], "no-policy-found")
            equal(policy["summary"]["total-failure-session-count"], 2)
            row = policy["failure-details"][0]
            equal((row["result-type"], row["failed-session-count"]),
                  ("starttls-not-supported", 2))
            equal((row["receiving-mx-hostname"], row["receiving-ip"]),
                  ("mx.one.example", "127.0.0.11"))
            assert row["sending-mta-ip"].startswith("127.0.0."), row
            f.write("report.eml", octets)
            verdict = json.loads(onward(f, "verify", "--json", "--dns",
                                        "zone.txt", "report.eml").stdout)
            equal(verdict["dkim"][0]["result"], "pass")
            equal(verdict["dkim"][0]["d"], "zone.example")
            # Once, over a restart too.
            equal(f.stop(), 0)
            f.start()
            time.sleep(1)
            equal(len(hop.messages), 1)


@case
def who_asks_for_none_gets_none(program):
    with Forwarder(program) as f:
        a_day_of_mail(f, 1)
        with Hop(f, 2) as hop:
            f.start(tls_report_at_once="yes")
            time.sleep(1)
            equal(hop.messages, [])
        shown = onward(f, "tlsrpt", "send", "--dry-run", "--state", "state",
                       "--json")
        equal((shown.returncode, shown.stdout), (0, b""))


@case
def a_record_that_cannot_be_looked_up_is_asked_again(program):
    with Forwarder(program) as f:
        zone = (f.path / "zone.txt").read_text()
        f.write("zone.txt", zone + "_smtp._tls.one.example. TXT !SERVFAIL\n")
        a_day_of_mail(f, 1)
        with Hop(f, 2) as hop:
            f.start(tls_report_at_once="yes")
            assert until(lambda: f.events("tls-report"))
            equal(f.stop(), 0)
            equal(hop.messages, [])
            f.write("zone.txt", zone + RECORD)
            f.start()
            assert until(lambda: hop.messages), "no report"


@case
def without_a_key_or_switched_off_there_are_none(program):
    for settings in ({"tls_reports": "no"},
                     {"seal_key": None, "seal_domain": None,
                      "seal_selector": None}):
        with Forwarder(program) as f:
            f.write("zone.txt", (f.path / "zone.txt").read_text() + RECORD)
            a_day_of_mail(f, 1, **settings)
            with Hop(f, 2) as hop:
                f.start(tls_report_at_once="yes")
                time.sleep(0.5)
                equal(hop.messages, [])


@case
def the_tool_shows_what_waits(program):
    with Forwarder(program) as f:
        a_day_of_mail(f, 1)
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
        args = ["tlsrpt", "send", "--dry-run", "--state", "state"]
        for more in ([], ["--day", day]):
            shown = onward(f, *args, *more)
            equal(shown.returncode, 0)
            equal(json.loads(shown.stdout)["policies"][0]["policy"]
                  ["policy-domain"], "one.example")
        equal(onward(f, *args, "--day", "2001-02-03").stdout,
              b"no report waits\n")
        equal(onward(f, *args, "--day", "x").returncode, 2)
        equal(onward(f, "tlsrpt", "send", "--state", "state").returncode, 2)
        equal(onward(f, *args[:-1], "nowhere").returncode, 3)
        # What root makes there the forwarder could not open.
        (f.path / "empty").mkdir()
        equal(onward(f, *args[:-1], "empty").stdout, b"no report waits\n")
        equal(list((f.path / "empty").iterdir()), [])
        # Looking changes nothing.
        equal(json.loads(onward(f, *args).stdout)["policies"][0]["summary"]
              ["total-failure-session-count"], 1)


if not CLOCK:
    print("skipped: no libfaketime")
    sys.exit(77)
case.main()
