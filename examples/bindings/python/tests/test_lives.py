"""Closing, collecting, threads: in whatever order."""
import gc
import itertools
import threading
import unittest
import weakref

from support import CLIENT, PLAIN, RSA, RULES, SIGNED, ZONE, onward


def everything():
    """One of each, standing on each other."""
    context = onward.Context()
    desk = onward.Desk(context)
    resolver = onward.Resolver(desk, lambda name, kind: None)
    key = onward.Key(RSA, context=context)
    signer = onward.Signer(desk, key)
    ruleset = onward.Ruleset(RULES, context=context)
    verifier = onward.Verifier(resolver, **CLIENT)
    return {
        "context": context, "desk": desk, "resolver": resolver, "key": key,
        "signer": signer, "ruleset": ruleset, "verifier": verifier,
        "spf": onward.SpfCheck(resolver, ip="192.0.2.1"),
        "dmarc": onward.DmarcCheck(resolver, "example.com"),
        "dkim": onward.DkimSigner(signer, domain="a.example", selector="s"),
        "srs": onward.Srs("secret", "a.example", context=context),
        "message": onward.parse(PLAIN, context=context),
        "builder": onward.Builder(context=context),
        "relay": onward.Relay(resolver, ruleset, hostname="a.example",
                              deliver=print),
    }


#: A call of each that must be refused once it is closed.
USES = {
    "context": lambda o: onward.Desk(o), "desk": lambda o: o.run(),
    "resolver": lambda o: o.load(""), "key": lambda o: o.type,
    "signer": lambda o: onward.DkimSigner(o, domain="a.example",
                                          selector="s"),
    "ruleset": lambda o: o.route("a@example.com"),
    "verifier": lambda o: o.feed(b"x"), "spf": lambda o: o.result(),
    "dmarc": lambda o: o.result(), "dkim": lambda o: o.finish(),
    "srs": lambda o: o.forward("a@example.com"),
    "message": lambda o: o.root.body, "builder": lambda o: o.to_bytes(),
    "relay": lambda o: o.rcpt("a@example.com"),
}


class Closing(unittest.TestCase):
    def test_use_after_close(self):
        for name, use in USES.items():
            with self.subTest(name=name):
                thing = everything()[name]
                thing.close()
                thing.close()
                self.assertTrue(thing.closed)
                with self.assertRaises(onward.ClosedError):
                    use(thing)
                with self.assertRaises(onward.ClosedError):
                    with thing:
                        pass

    def test_closing_a_parent_closes_what_stands_on_it(self):
        things = everything()
        things["desk"].close()
        for name in ("resolver", "signer", "verifier", "spf", "dmarc", "dkim",
                     "relay"):
            with self.subTest(name=name), \
                    self.assertRaises(onward.ClosedError):
                USES[name](things[name])
        self.assertEqual(things["key"].type, "rsa")
        things["context"].close()
        for name, thing in things.items():
            self.assertTrue(thing.closed, name)

    def test_any_two_in_any_order(self):
        for first, second in itertools.permutations(USES, 2):
            things = everything()
            things[first].close()
            things[second].close()
            things["context"].close()

    def test_with(self):
        with onward.Context() as context, onward.Desk(context) as desk:
            pass
        self.assertTrue(context.closed and desk.closed)

    def test_a_constructor_that_fails_leaves_something_that_can_be_closed(
            self):
        for kind in (onward.Context, onward.Desk, onward.Key, onward.Ruleset,
                     onward.Verifier, onward.Message, onward.Relay):
            made = kind.__new__(kind)
            self.assertTrue(made.closed)
            made.close()
            with self.assertRaises(onward.ClosedError):
                made._c


class Collecting(unittest.TestCase):
    def test_parents_live_as_long_as_their_children(self):
        verifier = onward.Verifier(onward.Resolver(onward.Desk(
            onward.Context()), ZONE), **CLIENT)
        gc.collect()
        verifier.feed(SIGNED)
        verifier.finish()
        gc.collect()
        self.assertTrue(verifier.result().passed)

    def test_cycles_with_callbacks(self):
        def make():
            things = everything()
            things["loop"] = onward.Resolver(
                things["desk"], lambda name, kind: things["verifier"])
            things["open"] = onward.SpfCheck(things["loop"], ip="192.0.2.1",
                                             mail_from="a@example.com")
            return weakref.ref(things["context"])
        gone = [make() for _ in range(20)]
        gc.collect()
        self.assertEqual([ref() for ref in gone], [None] * 20)

    def test_collected_inside_a_callback(self):
        def answers(name, kind):
            everything()
            gc.collect()
            return ["v=spf1 ip4:192.0.2.1 -all"]
        self.assertEqual(onward.spf(ip="192.0.2.1", mail_from="a@example.com",
                                    dns=answers).result, "pass")

    def test_nothing_is_left(self):
        from onward import _core
        gc.collect()
        before = len(_core._users)
        for _ in range(10):
            everything()
            onward.verify(SIGNED, dns=ZONE, **CLIENT)
        gc.collect()
        self.assertEqual(len(_core._users), before)
        self.assertEqual(len(_core._graves), 0)


class Threads(unittest.TestCase):
    def run_all(self, *functions):
        failed = []

        def run(function):
            try:
                function()
            except BaseException as error:
                failed.append(error)
        threads = [threading.Thread(target=run, args=[f]) for f in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return failed

    def test_one_at_a_time_for_a_desk(self):
        inside, leave = threading.Event(), threading.Event()

        def answers(name, kind):
            inside.set()
            leave.wait(30)
            return ["v=spf1 -all"]
        desk = onward.Desk()
        check = onward.SpfCheck(onward.Resolver(desk, answers),
                                ip="192.0.2.1", mail_from="a@example.com")

        def intrude():
            inside.wait(30)
            try:
                with self.assertRaisesRegex(onward.StateError, "thread"):
                    desk.run()
                desk.close()  # waits until nobody is inside
            finally:
                leave.set()
        found = []

        def use():
            try:
                found.append(check.result())
            except onward.ClosedError as error:
                found.append(error)
        self.assertEqual(self.run_all(use, intrude), [])
        self.assertIsInstance(found[0], onward.ClosedError)

    def test_context_key_and_rules_are_for_all(self):
        context = onward.Context()
        key = onward.Key(RSA, context=context)
        ruleset = onward.Ruleset(RULES, context=context)

        def work():
            for _ in range(3):
                signed = onward.sign(PLAIN, key=key, domain="example.com",
                                     selector="sel", context=context)
                assert onward.verify(signed, dns=ZONE, context=context,
                                     ).dkim[0].result == "pass"
                assert ruleset.route("sales@example.com").kind == "forward"
                gc.collect()
        self.assertEqual(self.run_all(*[work] * 4), [])


if __name__ == "__main__":
    unittest.main()
