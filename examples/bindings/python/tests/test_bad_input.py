"""Wrong types, odd strings, late calls and callbacks that raise: an exception
of Python's each time, and never the end of the process."""
import logging
import os
import pathlib
import pickle
import subprocess
import sys
import unittest

from support import CLIENT, PLAIN, RSA, RULES, SIGNED, World, ZONE, onward

SURROGATE = "a\udc80b"


class Strings(unittest.TestCase):
    def test_lone_surrogates(self):
        for call in (
                lambda s: onward.verify(SIGNED, dns=ZONE, mail_from=s),
                lambda s: onward.verify(SIGNED, dns=ZONE, authserv_id=s),
                lambda s: onward.verify(SIGNED, dns=s),
                lambda s: onward.spf(ip=s, dns=ZONE),
                lambda s: onward.spf(ip="192.0.2.1", mail_from="a@b.example",
                                     dns=lambda name, kind: [s]),
                lambda s: onward.dmarc(s, dns=ZONE),
                lambda s: onward.sign(PLAIN, key=RSA, domain=s, selector="s"),
                lambda s: onward.Key(s),
                lambda s: onward.Ruleset(s),
                lambda s: onward.route(RULES, s),
                lambda s: onward.build(from_="a@example.com", subject=s),
                lambda s: onward.build(from_="a@example.com", text=s),
                lambda s: onward.Srs(s, "example.com"),
                lambda s: World().relay(s),
                lambda s: World().relay(
                    "tickets@example.com", handlers={
                        "ticket-desk": lambda e: e.set_reject(s)})):
            with self.assertRaises(UnicodeEncodeError):
                call(SURROGATE)

    def test_nul(self):
        for call in (
                lambda s: onward.verify(SIGNED, dns=ZONE, authserv_id=s),
                lambda s: onward.spf(ip=s, dns=ZONE),
                lambda s: onward.verify(SIGNED, dns=f"a {s} A 192.0.2.1"),
                lambda s: onward.sign(PLAIN, key=RSA, domain=s, selector="s"),
                lambda s: onward.Key(s),
                lambda s: onward.Ruleset(s),
                lambda s: onward.route(RULES, s + "@example.com"),
                lambda s: onward.build(from_="a@example.com", subject=s),
                lambda s: onward.build(from_="a@example.com", text=s),
                lambda s: onward.build(from_=s + "@example.com")):
            with self.subTest(line=call.__code__.co_firstlineno), \
                    self.assertRaises(ValueError):
                call("a\0b")
        # Text of a client is data: it gives a verdict, not an error.
        self.assertEqual(onward.verify(
            SIGNED, dns=ZONE, ip="192.0.2.1",
            mail_from="a\0b@example.com").spf.result, "pass")
        self.assertEqual(onward.dmarc("a\0b", dns=ZONE).result, "permerror")


class Types(unittest.TestCase):
    def test_wrong_types(self):
        context = onward.Context()
        desk = onward.Desk(context)
        resolver = onward.Resolver(desk, ZONE)
        for wrong in (
                lambda: onward.verify("text", dns=ZONE),
                lambda: onward.verify(None, dns=ZONE),
                lambda: onward.verify(SIGNED, dns=None),
                lambda: onward.verify(SIGNED, dns=7),
                lambda: onward.verify(SIGNED),
                lambda: onward.verify(SIGNED, dns=ZONE, ip=7),
                lambda: onward.verify(SIGNED, dns=ZONE, mail_from=7),
                lambda: onward.verify(SIGNED, dns=ZONE, max_signatures="7"),
                lambda: onward.verify(SIGNED, dns=ZONE, max_signatures=1.5),
                lambda: onward.verify(SIGNED, dns=ZONE, context=desk),
                lambda: onward.verify(SIGNED, dns=ZONE, no_such_option=1),
                lambda: onward.Desk(desk),
                lambda: onward.Resolver(context, ZONE),
                lambda: onward.Verifier(desk),
                lambda: onward.Verifier(None),
                lambda: onward.SpfCheck(desk, ip="192.0.2.1"),
                lambda: onward.Signer(desk, "key"),
                lambda: onward.DkimSigner(desk, domain="a", selector="b"),
                lambda: onward.ArcSealer(desk, desk, domain="a",
                                         selector="b"),
                lambda: onward.Key(7), lambda: onward.Key(None),
                lambda: onward.Key.from_seed("x" * 32),
                lambda: onward.Ruleset(7), lambda: onward.Ruleset(None),
                lambda: onward.route(RULES, None),
                lambda: onward.route(RULES, "a@example.com", {"sender": "x"}),
                lambda: onward.dmarc("example.com", dns=ZONE, dkim="a.example"),
                lambda: onward.parse("text"), lambda: onward.parse(7),
                lambda: onward.build(from_=7),
                lambda: onward.build(from_="a@example.com", subject=7),
                lambda: onward.build(from_="a@example.com",
                                     attachments=[b"x"]),
                lambda: onward.build(from_="a@example.com", attachments=[
                    onward.Attachment("text")]),
                lambda: onward.Relay(resolver, resolver, hostname="a.example",
                                     deliver=print),
                lambda: onward.Relay(resolver, onward.Ruleset(RULES),
                                     hostname="a.example", deliver=None),
                lambda: World().relay("sales@example.com", handlers={"a": 7}),
                lambda: World().relay(7),
                lambda: onward.Context(now=7), lambda: onward.Context(log=7),
                lambda: onward.Context(header_bytes="7"),
                lambda: onward.dns.system("192.0.2.1"),
                lambda: onward.crlf("text")):
            with self.assertRaises(TypeError):
                wrong()

    def test_numbers_out_of_range(self):
        for wrong in (
                lambda: onward.verify(SIGNED, dns=ZONE, max_signatures=-1),
                lambda: onward.verify(SIGNED, dns=ZONE, max_signatures=2**64),
                lambda: onward.sign(PLAIN, key=RSA, domain="a.example",
                                    selector="s", time=2**63),
                lambda: onward.Context(header_bytes=-1)):
            with self.assertRaises(OverflowError):
                wrong()
        with self.assertRaises(onward.InvalidError):
            onward.verify(SIGNED, dns=ZONE, max_authors=6)

    def test_words_that_are_none(self):
        for wrong in (
                lambda: onward.verify(SIGNED, dns=ZONE, dmarc_reject="maybe"),
                lambda: onward.sign(PLAIN, key=RSA, domain="a.example",
                                    selector="s", listing="all"),
                lambda: onward.dns.Failure("flaky"),
                lambda: World().relay("sales@example.com", body="9bit")):
            with self.assertRaises(ValueError):
                wrong()

    def test_pickle(self):
        with self.assertRaises(TypeError):
            pickle.dumps(onward.Context())
        verdict = onward.verify(SIGNED, dns=ZONE)
        self.assertEqual(pickle.loads(pickle.dumps(verdict)), verdict)
        error = onward.NotFoundError(-9, "x", position=7)
        self.assertEqual((error.code, error.name), (-9, "ONWARD_ENOENT"))


class Limits(unittest.TestCase):
    def test_limits_of_the_context(self):
        with onward.Context(header_bytes=100) as context:
            with self.assertRaises(onward.LimitError) as caught:
                onward.verify(SIGNED, dns=ZONE, context=context)
        self.assertEqual(caught.exception.name, "ONWARD_ELIMIT")
        self.assertIn("ONWARD_ELIMIT", str(caught.exception))


class Callbacks(unittest.TestCase):
    """What is raised in a callback comes out of the outermost call."""

    class Odd(BaseException):
        pass

    def raiser(self, *args, **words):
        raise self.Odd

    def test_each_of_them_may_raise(self):
        for call in (
                lambda f: onward.verify(SIGNED, dns=f, **CLIENT),
                lambda f: onward.spf(ip="192.0.2.1", dns=f,
                                     mail_from="a@example.com"),
                lambda f: onward.dmarc("example.com", dns=f),
                lambda f: onward.Context(random=f),
                lambda f: onward.sign(
                    PLAIN, key=RSA, domain="a.example", selector="s",
                    context=onward.Context(now=f)),
                lambda f: onward.verify(SIGNED, dns=ZONE,
                                        context=onward.Context(log=f)),
                lambda f: onward.route(RULES, "me@example.com",
                                       onward.Facts(verified=f)),
                lambda f: World().relay("sales@example.com", deliver=f),
                lambda f: World().relay("tickets@example.com",
                                        handlers={"ticket-desk": f}),
                lambda f: World().relay(
                    "tickets@example.com", submit=f, handlers={
                        "ticket-desk": lambda e: e.reply(text="x")})):
            logging.disable()
            self.addCleanup(logging.disable, logging.NOTSET)
            with self.assertRaises(self.Odd):
                call(self.raiser)

    def test_one_that_another_callback_catches_is_done_with(self):
        asked = []

        def answers(name, kind):
            try:
                onward.spf(ip="192.0.2.1", mail_from="x@b.example",
                           dns=self.raiser)
            except self.Odd:
                asked.append(name)
            return ["v=spf1 ip4:192.0.2.1 -all"]
        self.assertEqual(onward.spf(ip="192.0.2.1", mail_from="a@example.com",
                                    dns=answers).result, "pass")
        self.assertEqual(asked, ["example.com"])

    def test_the_second_of_two_is_not_lost(self):
        with self.assertLogs("onward") as seen, self.assertRaises(self.Odd):
            onward.verify(SIGNED, dns=self.raiser, **CLIENT)
        self.assertTrue(all(one.exc_info[0] is self.Odd
                            for one in seen.records))

    def test_a_log_that_calls_back(self):
        desk = onward.Desk()
        context = onward.Context(log=lambda event: desk.run())
        with self.assertLogs("onward"), self.assertRaisesRegex(
                onward.StateError, "must not call"):
            onward.verify(SIGNED, dns=ZONE, context=context)

    def test_a_dns_function_that_runs_the_desk(self):
        with onward.Desk() as desk:
            resolver = onward.Resolver(desk, lambda name, kind: desk.run())
            check = onward.SpfCheck(resolver, ip="192.0.2.1",
                                    mail_from="a@example.com")
            with self.assertRaises(onward.StateError):
                check.result()

    def test_a_dns_function_that_closes_everything(self):
        for what in ("desk", "resolver", "check", "context"):
            with self.subTest(what=what):
                made = {}

                def answers(name, kind):
                    made[what].close()
                    made[what].close()
                made["context"] = onward.Context()
                made["desk"] = onward.Desk(made["context"])
                made["resolver"] = onward.Resolver(made["desk"], answers)
                made["check"] = onward.SpfCheck(
                    made["resolver"], ip="192.0.2.1",
                    mail_from="a@example.com")
                with self.assertRaises(onward.ClosedError):
                    made["check"].result()
                made["context"].close()

    def test_a_handler_that_closes_its_relay(self):
        desk = onward.Desk()
        resolver = onward.Resolver(desk, ZONE)
        verifier = onward.Verifier(resolver, authserv_id="mx.example.com",
                                   **CLIENT)
        made = []
        relay = onward.Relay(
            resolver, onward.Ruleset(RULES), hostname="mx.example.com",
            mail_from="alice@example.com", deliver=print,
            handlers={"ticket-desk": lambda event: made[0].close()})
        made.append(relay)
        relay.rcpt("tickets@example.com")
        verifier.feed(SIGNED)
        verifier.finish()
        verifier.result()
        relay.start(verifier, SIGNED)
        with self.assertRaises(onward.ClosedError):
            relay.result()


class Library(unittest.TestCase):
    def load(self, **environment):
        return subprocess.run(
            [sys.executable, "-c", "import onward; print(onward.version())"],
            env={**os.environ, "PYTHONPATH": str(
                pathlib.Path(onward.__file__).parents[1]), **environment},
            capture_output=True, text=True, timeout=60)

    def test_the_one_that_is_there(self):
        done = self.load()
        self.assertEqual((done.returncode, done.stdout),
                         (0, onward.version() + "\n"), done.stderr)

    @unittest.skipUnless("ONWARD_OLDER" in os.environ, "no older library")
    def test_an_older_one_is_refused(self):
        done = self.load(ONWARD_LIBRARY=os.environ["ONWARD_OLDER"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("libonward 0.0.9 is there, expected 0.1.0",
                      done.stderr.splitlines()[-1])

    def test_none_is_refused(self):
        for library in ("/no/libonward.so", sys.executable, "libc.so.6"):
            done = self.load(ONWARD_LIBRARY=library)
            self.assertEqual(done.returncode, 1)
            self.assertIn("LibraryError", done.stderr.splitlines()[-1])
        done = self.load(ONWARD_FFI_H="/no/onward.ffi.h")
        self.assertIn("onward.ffi.h is not there",
                      done.stderr.splitlines()[-1])

    def test_another_line_is_refused(self):
        from onward._ffi import _check
        for version in ("0.0.9", "1.0.0", "2.3.4", "", "nonsense", "0.1"):
            with self.subTest(version=version), \
                    self.assertRaises(onward.LibraryError):
                _check(version)
        for version in ("0.1.0", "0.1.7", "0.2.0", "0.10.0"):
            _check(version)


if __name__ == "__main__":
    unittest.main()
