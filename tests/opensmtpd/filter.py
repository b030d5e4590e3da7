#!/usr/bin/env python3
"""filter.py PROGRAM SAMPLE [CASE...]: onward-opensmtpd-filter as an smtpd sees it
that says anything. dkimpy and Mail::DKIM judge what it has signed and sealed."""
import re
import resource
import shutil
import sys

from smtpd import (HELLO, JUDGES, MESSAGE, Filter, fields, judge, line, of)

from forwarder import Cases, begins, equal, holds, until

case = Cases()
SAMPLE = sys.argv.pop(2)


def judged(f, message):
    """By all who are here."""
    for who, argv in JUDGES.items():
        if shutil.which(argv[0]) is None:
            print(f"SKIP: {who}: no {argv[0]}")
            continue
        yield who, judge(who, str(f.path / "zone.txt"), message)


# ---- What has come to us ---------------------------------------------------

@case
def results_stand_on_top_of_what_came(program):
    with Filter(program) as f:
        f.start()
        f.connect()
        got, word = f.message()
        equal(word, "proceed")
        assert got.endswith(MESSAGE), got
        results = fields(got, "Authentication-Results")
        equal(len(results), 1)
        begins(results[0], "mx.ours.example;")
        for part in ("spf=pass", "dmarc=pass", "smtp.mailfrom=ann@a.example"):
            holds(results[0], part)
        # Nothing else is new.
        equal(re.sub(rb"\AAuthentication-Results:[^\r]*\r\n(?:[ \t][^\r]*\r\n)"
                     rb"*", b"", got), MESSAGE)


@case
def forged_results_are_cut(program):
    forged = (b"Authentication-Results: mx.ours.example; dkim=pass\r\n"
              b"\theader.d=a.example\r\n"
              b"X-Between: 1\r\n"
              b"authentication-results : MX.OURS.EXAMPLE 1; spf=pass\r\n"
              b"Received-SPF: pass receiver=mx.ours.example\r\n")
    other = b"Authentication-Results: mx.other.example; dkim=fail\r\n"
    with Filter(program) as f:
        f.start()
        f.connect()
        got, word = f.message(forged + other + MESSAGE)
        equal(word, "proceed")
        assert got.endswith(b"X-Between: 1\r\n" + other + MESSAGE), got
        results = fields(got, "Authentication-Results")
        equal(len(results), 2)
        holds(results[0], "spf=pass (mx.ours.example")
        equal(fields(got, "Received-SPF"), [])


@case
def policy_is_followed(program):
    with Filter(program) as f:
        f.start(dmarc_quarantine="hold")
        f.connect(1, "192.0.2.66:25", "evil.example")
        got, word = f.message(sender=b"eve@evil.example")
        equal(got, b"")
        begins(word, "reject|550 5.7.1 Rejected as the DMARC policy of "
                     "a.example")
        # A123: the next one on that connection has nothing of it.
        got, word = f.message(of(b"ann@q.example"), sender=b"eve@evil.example")
        equal(word, "proceed")
        begins(got, b"X-Spam: yes\r\nAuthentication-Results:")
        assert got.endswith(of(b"ann@q.example"))
        got, word = f.message(of(b"ann@none.example"), sender=b"")
        equal(word, "proceed")
        begins(got, b"Authentication-Results:")
        got, word = f.message(of(b"ann@t.example"), sender=b"eve@evil.example")
        begins(word, "reject|451 4.7.1")
        equal([e["event"] for e in f.log()], ["message"] * 4)


@case
def message_without_an_author_is_refused(program):
    with Filter(program) as f:
        f.start()
        f.connect()
        got, word = f.message(MESSAGE.replace(b"From: ", b"X-From: "))
        begins(word, "reject|550 5.7.1 Message must have exactly one author")
        got, word = f.message(b"no field\r\n" + MESSAGE)
        begins(word, "reject|550 ")


@case
def header_that_is_too_long(program):
    with Filter(program) as f:
        f.start()
        f.connect()
        long = b"".join(b"X-Long: " + b"x" * 900 + b"\r\n"
                        for _ in range(3000))
        got, word = f.message(long + MESSAGE)
        equal(got, b"")
        begins(word, "reject|552 5.3.4")
        equal(f.message()[1], "proceed")


@case
def addresses_of_clients(program):
    with Filter(program) as f:
        f.start()
        for ip, want in (
                ("192.0.2.1:25", "spf=pass"), ("[2001:db8::1]:25", "spf=pass"),
                ("[IPv6:2001:db8::1]:25", "spf=pass"),
                ("192.0.2.2:25", "550"), ("nonsense", "550"), ("", "550"),
                ("[::1", "550"), ("192.0.2.1:25:25", "550"),
                ("x" * 5000, "550")):
            f.connect(7, ip)
            got, word = f.message(session=7)
            holds(got.decode("latin-1") + word, want)
            f.report("link-disconnect", 7)
        # On this machine: ours, and not signed, as a.example has no key.
        for ip in ("local", "unix:/var/run/smtpd.sock"):
            f.connect(8, ip)
            equal(f.message(session=8), (MESSAGE, "proceed"))


# ---- Signatures and seals --------------------------------------------------

@case
def name_of_a_client_is_no_address(program):
    """Whose DNS says "x|pass|unix:/x" is not of this machine by that."""
    with Filter(program) as f:
        f.start()
        for name in ("x|pass|unix:/x", "x|pass|local|y", "|||192.0.2.1:25"):
            f.report("link-connect", 7, name, "pass", "192.0.2.2:25",
                     "192.0.2.25:25")
            got, word = f.message(session=7)
            equal((got, word[:10]), (b"", "reject|550"))
            f.report("link-disconnect", 7)


@case
def ours_is_signed_as_it_leaves(program):
    with Filter(program) as f:
        f.start()
        f.connect(user="joe")
        sent = of(b"joe@ours.example")
        got, word = f.message(sent, sender=b"joe@ours.example")
        equal(word, "proceed")
        assert got.endswith(sent)
        equal(len(fields(got, "DKIM-Signature")), 1)
        equal(fields(got, "Authentication-Results"), [])
        for who, said in judged(f, got):
            equal((who, said["dkim"]),
                  (who, [{"d": "ours.example", "result": "pass"}]))


@case
def others_mail_is_sealed(program):
    with Filter(program) as f:
        f.start(seal_key=f.key.file, seal_domain="ours.example",
                seal_selector="s1")
        f.connect()
        got, word = f.message()
        equal(word, "proceed")
        begins(got, b"ARC-Seal:")
        for who, said in judged(f, got):
            equal((who, said["arc"], said["instances"]), (who, "pass", 1))
        # And on top of it once more.
        again, word = f.message(got)
        equal(word, "proceed")
        for who, said in judged(f, again):
            equal((who, said["arc"], said["instances"]), (who, "pass", 2))


@case
def a_name_is_no_word_on_it(program):
    """What a client calls itself stands beside the result."""
    with Filter(program) as f:
        f.start()
        sent = of(b"joe@ours.example")
        for version, rest, is_ours in (
                ("0.6", "joe|pass", True), ("0.6", "j|o|e|pass", True),
                ("0.6", "pass|fail", False), ("0.6", "x|pass|fail", False),
                ("0.6", "pass", False), ("0.6", "", False),
                ("0.6", "|pass", False), ("0.6", "x|PASS", False),
                ("0.7", "pass|joe", True), ("0.7", "fail|pass", False),
                ("0.7", "fail|x|pass", False), ("0.7", "pass|fail", False),
                ("0.7", "pass|x|fail", False), ("0.7", "pass", False)):
            f.connect()
            f.write_octets(line("report", "link-auth", f"{1:016x}", rest,
                                version=version))
            got, _ = f.message(sent, sender=b"joe@ours.example")
            equal((version, rest, bool(fields(got, "DKIM-Signature"))),
                  (version, rest, is_ours))


# ---- Lines -----------------------------------------------------------------

@case
def dots_and_octets_stay(program):
    """What stands in SMTP with a dot more leaves so too, and is hashed
    without."""
    body = b"".join(bytes([c]) * n + b"\r\n" for c in range(1, 256)
                    if c not in b"\r\n" for n in (1, 2)) + b"a\rb\r\n"
    with Filter(program) as f:
        f.start()
        f.connect()
        sent = MESSAGE + b"." * 70 + b"\r\n.x\r\n" + body
        got, word = f.message(sent)
        equal(word, "proceed")
        assert got.endswith(sent)


@case
def message_that_is_long_goes_through_a_file(program):
    with Filter(program) as f:
        f.start()
        f.connect(user="joe")
        sent = of(b"joe@ours.example") + (b"x" * 900 + b"\r\n.dot\r\n") * 3000
        f.envelope(sender=b"joe@ours.example")
        token = f.data(sent)
        got = f.given_back(token)
        assert got.endswith(sent)
        equal(f.commit(), "proceed")
        for who, said in judged(f, got):
            equal((who, said["dkim"][0]["result"]), (who, "pass"))
        equal(list((f.path / "tmp").iterdir()), [])


@case
def octet_by_octet(program):
    with Filter(program) as f:
        f.start(ready=False)
        whole = HELLO
        for octet in whole:
            f.write_octets(bytes([octet]))
        while f.hear() != b"register|ready":
            pass
        f.connect()
        f.envelope()
        for octet in f.lines_of(MESSAGE, 1, 0x2000):
            f.write_octets(bytes([octet]))
        got = f.given_back(0x2000)
        assert got.endswith(MESSAGE)
        equal(f.commit(), "proceed")


@case
def cut_anywhere_it_ends_well(program):
    """smtpd may go at any octet: nothing is left, nothing is said wrongly."""
    with Filter(program) as f:
        f.configure()
        talk = (HELLO + line("report", "link-connect", f"{1:016x}",
                             "c|pass|192.0.2.1:1|192.0.2.2:2") +
                line("report", "link-identify", f"{1:016x}", "EHLO|c") +
                line("report", "tx-mail", f"{1:016x}",
                     "4e26e68d|ok|ann@a.example") +
                line("report", "tx-rcpt", f"{1:016x}", "4e26e68d|ok|b@b.c") +
                f.lines_of(b"From: a@a.example\r\n\r\n.x\r\n", 1, 2))
        for cut in range(0, len(talk), 7):
            done = f.run("--config", "filter.conf", given=talk[:cut])
            equal((cut, done.returncode, done.stderr), (cut, 0, b""))


@case
def what_is_not_the_protocol_ends_it(program):
    good = f"{1:016x}"
    for bad in (b"hello\n", b"\n", b"report\n", b"report|\n",
                b"filter|0.6|1|smtp-in\n",
                line("report", "tx-mail", good, version="0.5"),
                line("report", "tx-mail", good, version="1.0"),
                line("report", "tx-mail", good, version="0."),
                line("report", "tx-mail", good, version="0.6x"),
                line("filter", "data-line", good),
                line("filter", "data-line", good, "xyz"),
                line("filter", "commit", good, good + "0"),
                line("report", "tx-mail", "1"),
                line("report", "tx-mail", "-" + good[1:]),
                line("report", "tx-mail", good.upper().replace("1", "A")),
                line("report", "tx-mail", ""),
                line("report", "tx-mail", good).replace(b"smtp-in", b"smtp"),
                b"\0" * 100 + b"\n", b"x" * 3000000):
        with Filter(program) as f:
            f.start()
            f.connect()
            try:
                f.write_octets(bad)
            except BrokenPipeError:
                pass
            assert until(lambda f=f: f.process.poll() is not None), bad[:80]
            equal((bad[:80], f.stop()), (bad[:80], 3))
            equal(len(f.events("bad-input")), 1)
    with Filter(program) as f:
        f.start(ready=False)
        f.write_octets(line("report", "tx-mail", good))
        assert until(lambda: f.process.poll() is not None)
        equal(f.stop(), 3)


@case
def what_is_not_known_is_passed_over(program):
    """Of a later version, or of a session that we never heard of."""
    with Filter(program) as f:
        f.start()
        f.write_octets(b"config|something|new\n")
        f.report("link-tea", 1, "green")
        f.report("tx-mail", 99, "4e26e68d", "ok", "a@b.c")
        f.report("link-disconnect", 99)
        f.connect()
        f.report("tx-mail", 1, "4e26e68d")
        f.report("tx-mail", 1)
        f.report("tx-rcpt", 1, "x")
        f.report("link-identify", 1)
        f.report("link-connect", 2)
        f.write_octets(line("filter", "helo", f"{1:016x}", f"{5:016x}", "x"))
        equal(f.hear(), f"filter-result|{1:016x}|{5:016x}|proceed".encode())
        # A message of nobody is not let through unseen.
        for session in (1, 2, 99):
            equal(f.given_back(f.data(MESSAGE, session), session), b"")
            begins(f.commit(session), "reject|451 4.3.0")
        equal(f.message()[1], "proceed")


# ---- Sessions --------------------------------------------------------------

@case
def after_one_that_was_given_up_the_next_is_clean(program):
    """A123."""
    with Filter(program) as f:
        f.start(dmarc_quarantine="hold")
        f.connect()
        clean, _ = f.message()
        for end in ("tx-rollback", "tx-reset", "tx-mail", "connect"):
            for cut in (1, 3, 12, None):
                f.envelope(sender=b"eve@evil.example")
                lines = f.lines_of(of(b"eve@q.example"), 1, 0x77) \
                    .splitlines(True)
                f.write_octets(b"".join(lines[:cut]))
                if cut is None:
                    f.given_back(0x77)
                if end == "connect":
                    f.report("link-disconnect", 1)
                    f.connect()
                elif end != "tx-mail":
                    f.report(end, 1, "4e26e68d")
                equal((end, cut, f.message()), (end, cut, (clean, "proceed")))


@case
def sessions_do_not_mix(program):
    with Filter(program) as f:
        f.start()
        count = 40
        for n in range(1, count):
            f.connect(n, user="joe" if n % 2 else None)
            f.envelope(n, b"joe@ours.example" if n % 2 else b"ann@a.example")
        sent = {n: of(b"joe@ours.example" if n % 2 else b"ann@a.example") +
                b"%d\r\n" % n for n in range(1, count)}
        # A line of each in turn.
        talks = [f.lines_of(sent[n], n, 0x5000 + n).splitlines(True)
                 for n in sent]
        for turn in zip(*talks):
            f.write_octets(b"".join(turn))
        # Who waits for no one comes first.
        back, ends = {n: b"" for n in sent}, set()
        while ends != set(sent):
            _, session, token, text = f.hear(60).split(b"|", 3)
            n = int(session, 16)
            equal(int(token, 16), 0x5000 + n)
            assert n not in ends, n
            if text == b".":
                ends.add(n)
            else:
                back[n] += (text[1:] if text[:1] == b"." else text) + b"\r\n"
        for n in sent:
            assert back[n].endswith(sent[n]), n
            equal((n, len(fields(back[n], "DKIM-Signature"))), (n, n % 2))
        for n in sent:
            equal(f.commit(n), "proceed")


@case
def disk_that_is_full(program):
    with Filter(program) as f:
        f.start(log=None)
        f.connect()
        _, most = resource.prlimit(f.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(f.process.pid, resource.RLIMIT_FSIZE, (0, most))
        got, word = f.message(MESSAGE + (b"x" * 900 + b"\r\n") * 300)
        equal(got, b"")
        begins(word, "reject|451 4.3.0")
        # One that is short needs no file.
        equal(f.message()[1], "proceed")
        resource.prlimit(f.process.pid, resource.RLIMIT_FSIZE, (most, most))
        equal(f.message(MESSAGE + (b"x" * 900 + b"\r\n") * 300)[1], "proceed")


@case
def new_settings_are_for_new_messages(program):
    with Filter(program) as f:
        f.start()
        f.connect()
        f.envelope()
        f.configure(hostname="mx.other.example")
        equal(f.reload()["event"], "reloaded")
        begins(fields(f.given_back(f.data(MESSAGE)),
                      "Authentication-Results")[0], "mx.ours.example;")
        equal(f.commit(), "proceed")
        begins(fields(f.message()[0], "Authentication-Results")[0],
               "mx.other.example;")
        f.write("filter.conf", "hostname = x\ncolour = blue\n")
        equal(f.reload()["event"], "reload-failed")
        equal(f.message()[1], "proceed")


# ---- Configuration ---------------------------------------------------------

@case
def faults_of_the_configuration(program):
    with Filter(program) as f:
        for changes, status, words in (
                ({}, 0, b""),
                ({"hostname": None}, 2, b"\"hostname\""),
                ({"srs_domain": "srs.example"}, 2, b"smtpd.conf"),
                ({"forward": "*"}, 2, b"smtpd.conf"),
                ({"seal_key": f.key.file}, 2, b"seal_key"),
                ({"dkim_key": "ours.example s1"}, 2, b"DOMAIN SELECTOR FILE"),
                ({"temporary": "nowhere"}, 3, b"nowhere"),
                ({"dns": "nowhere"}, 2, b"nowhere"),
                ({"colour": "blue"}, 2, b"unknown key")):
            before = dict(f.settings)
            f.configure(**changes)
            done = f.run("--config", "filter.conf", "--check")
            equal((changes, done.returncode), (changes, status))
            holds(done.stderr, words)
            f.settings = before


@case
def sample_can_be_used(program):
    with open(SAMPLE, encoding="ascii") as sample, Filter(program) as f:
        text = sample.read()
        shutil.copy(f.key.file, f.path / "example.org.pem")
        for one in (text, re.sub(r"(?m)^#(\w+ = )", r"\1", text)):
            f.write("sample.conf", one)
            done = f.run("--config", "sample.conf", "--check")
            equal((done.returncode, done.stderr), (0, b""))


case.main()
