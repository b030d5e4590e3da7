import unittest

from support import CLIENT, RSA, RULES, SIGNED, World, ZONE, onward


class Relay(unittest.TestCase):
    def setUp(self):
        self.world = World()

    def test_a_message_is_forwarded(self):
        srs = onward.Srs("secret", "fwd.example.net")
        outcome = self.world.relay(
            "sales@example.com", srs=srs, seal_key=onward.Key(RSA),
            seal_domain="fwd.example.net", seal_selector="arc")
        self.assertEqual((outcome.reply.code, outcome.status, outcome.reason),
                         (250, "Forwarded", "delivered"))
        self.assertEqual(outcome.rcpts["sales@example.com"].code, 250)
        self.assertTrue(outcome.verdict.passed)
        delivery, = self.world.delivered
        self.assertEqual((delivery.recipient, delivery.domain),
                         ("desk@example.net", "example.net"))
        self.assertTrue(delivery.mail_from.startswith("SRS0="))
        self.assertEqual(srs.reverse(delivery.mail_from),
                         ("ok", "alice@example.com"))
        self.assertEqual(srs.reverse("a@b.example"), ("none", ""))
        self.assertTrue(delivery.message.endswith(SIGNED))
        self.assertTrue(delivery.message.startswith(b"ARC-Seal:"))
        self.assertEqual(onward.verify(delivery.message, dns=ZONE).arc.result,
                         "pass")
        header = onward.parse(delivery.message).header
        self.assertIn("by mx.example.com", header["received"])

    def test_a_received_field_has_no_words_of_the_client_that_begin_lines(self):
        self.world.relay("sales@example.com", helo="a\r\nX-Evil: 1")
        header = onward.parse(self.world.delivered[0].message).header
        self.assertNotIn("x-evil", header)
        self.assertIn("from unknown", header["received"])

    def test_what_the_next_hop_says(self):
        for said, code in ((None, 250), (250, 250), ("451 4.4.1 later", 451),
                           (onward.Reply(550, "5.1.1", "gone"), 550),
                           ("550", 550)):
            with self.subTest(said=said):
                outcome = self.world.relay("sales@example.com",
                                           deliver=lambda delivery: said)
                self.assertEqual(outcome.reply.code, code)
        for said, error in (("nonsense", ValueError), (b"250", TypeError),
                            (True, TypeError), (99, onward.InvalidError)):
            with self.subTest(said=said), self.assertRaises(error):
                self.world.relay("sales@example.com",
                                 deliver=lambda delivery: said)

    def test_refused_recipients(self):
        outcome = self.world.relay(["fax@example.com", "a@b.example"])
        self.assertEqual({rcpt: reply.code for rcpt, reply
                          in outcome.rcpts.items()},
                         {"fax@example.com": 550, "a@b.example": 550})
        self.assertEqual(outcome.status, "Rejected")
        self.assertEqual(self.world.delivered, [])

    def test_unauthenticated_mail(self):
        message = SIGNED.replace(b"lunch", b"money")
        outcome = self.world.relay("sales@example.com", message,
                                   ip="198.51.100.1")
        self.assertEqual((outcome.reply.code, outcome.reply.enhanced),
                         (550, "5.7.26"))

    def test_what_it_reads_is_closed_after_it(self):
        for what in ("verifier", "resolver", "ruleset", "signer"):
            with self.subTest(what=what), onward.Desk() as desk:
                made = {"resolver": onward.Resolver(desk, ZONE),
                        "ruleset": onward.Ruleset(RULES),
                        "signer": onward.Signer(desk, onward.Key(RSA))}
                made["verifier"] = verifier = onward.Verifier(
                    made["resolver"], authserv_id="mx.example.com", **CLIENT)
                relay = onward.Relay(
                    made["resolver"], made["ruleset"],
                    hostname="mx.example.com", mail_from="alice@example.com",
                    deliver=print, sealing=onward.Sealing(
                        made["signer"], "fwd.example.net", "arc"))
                relay.rcpt("sales@example.com")
                verifier.feed(SIGNED)
                verifier.finish()
                verifier.result()
                relay.start(verifier, SIGNED)
                made[what].close()
                with self.assertRaises(onward.ClosedError):
                    relay.result()
                while desk.run():
                    pass

    def test_deliver_that_raises(self):
        def deliver(delivery):
            raise ConnectionError("no route")
        with self.assertRaisesRegex(ConnectionError, "no route"):
            self.world.relay("sales@example.com", deliver=deliver)


class Events(unittest.TestCase):
    def setUp(self):
        self.world = World()

    def handle(self, handler, **options):
        return self.world.relay("tickets@example.com",
                                handlers={"ticket-desk": handler}, **options)

    def test_what_a_handler_sees(self):
        seen = []
        outcome = self.handle(seen.append, share_events=True)
        self.assertEqual((outcome.reply.code, outcome.reason),
                         (250, "handled"))
        self.assertEqual(len(seen), 1)

        def look(event):
            seen[:] = [event.from_, event.to, event.handler, event.message,
                       event.header["Subject"], event.verdict.passed,
                       event.can_be_forwarded, event.can_be_replied,
                       event.actions]
        self.handle(look)
        self.assertEqual(seen, ["alice@example.com", "tickets@example.com",
                                "ticket-desk", SIGNED, "Lunch", True, True,
                                True, []])

    def test_forward_and_reply(self):
        actions = []

        def handler(event):
            actions.append(event.forward("desk@example.net",
                                         {"X-Ticket": "7"}))
            self.assertEqual(actions[0].state, "pending")
            event.reply(text="We have it.\n")
            actions.append([(action.kind, action.to)
                            for action in event.actions])
        outcome = self.handle(handler)
        self.assertEqual(outcome.reply.code, 250)
        delivery, = self.world.delivered
        self.assertEqual(delivery.recipient, "desk@example.net")
        self.assertTrue(delivery.message.startswith(b"X-Ticket: 7\r\n"))
        self.assertEqual(actions[1], [("forward", "desk@example.net"),
                                      ("reply", "alice@example.com")])
        reply, = self.world.submitted
        self.assertEqual((reply.kind, reply.mail_from, reply.rcpt_to),
                         ("reply", "tickets@example.com",
                          ("alice@example.com",)))
        header = onward.parse(reply.message).header
        self.assertEqual(header["subject"], "Re: Lunch")
        self.assertEqual(header["in-reply-to"], "<1@mail.example.com>")
        self.assertEqual(header["auto-submitted"], "auto-replied")

    def test_reject(self):
        outcome = self.handle(lambda event: event.set_reject("Not you"))
        self.assertEqual(str(outcome.reply), "550 5.7.1 Not you")
        outcome = self.handle(lambda event: event.set_reject(
            "Later", code=451, enhanced="4.7.0"))
        self.assertEqual(str(outcome.reply), "451 4.7.0 Later")
        with self.assertRaises(onward.InvalidError):
            self.handle(lambda event: event.set_reject("x", code=250))

    def test_send(self):
        def handler(event):
            event.send(from_="tickets@example.com", to="desk@example.net",
                       subject="A ticket", text="x")
            whole = onward.build(from_="tickets@example.com",
                                 to="me@example.net", text="y")
            event.send(whole)
        self.assertEqual(self.handle(handler).reply.code, 250)
        self.assertEqual([(s.kind, s.rcpt_to) for s in self.world.submitted],
                         [("send", ("desk@example.net",)),
                          ("send", ("me@example.net",))])

    def test_refusals_have_reasons(self):
        names = []

        def handler(event):
            def refused(action, *args, **words):
                with self.assertRaises(onward.Refused) as caught:
                    action(*args, **words)
                names.append((caught.exception.name, caught.exception.what))
                self.assertTrue(caught.exception.text)
            refused(event.forward, "no address")
            refused(event.forward, "eve@example.org")
            refused(event.forward, "desk@example.net", {"Received": "x"})
            refused(event.forward, "desk@example.net", {"X-A": "x\r\ny"})
            refused(event.send, from_="a@elsewhere.example",
                    to="desk@example.net", text="x")
            event.reply(text="once")
            refused(event.reply, text="twice")
        self.handle(handler)
        self.assertEqual([name for name, _ in names], [
            "E_DESTINATION_INVALID", "E_DESTINATION_NOT_VERIFIED",
            "E_HEADER_NOT_ALLOWED", "E_HEADER_VALUE_INVALID",
            "E_SENDER_DOMAIN_NOT_AVAILABLE", "E_REPLY_TWICE"])
        self.assertEqual(names[1][1], "eve@example.org")

    def test_a_handler_that_raises(self):
        def handler(event):
            event.forward("desk@example.net")
            raise RuntimeError("oops")
        with self.assertRaisesRegex(RuntimeError, "oops"):
            self.handle(handler)

    def test_what_came_of_it_can_be_asked_afterwards(self):
        with onward.Desk() as desk:
            resolver = onward.Resolver(desk, ZONE)
            events = []

            def handler(event):
                events.append(event.forward("desk@example.net"))
            relay = onward.Relay(
                resolver, onward.Ruleset(
                    (ZONE.parent / "rules.json").read_text()),
                hostname="mx.example.com", mail_from="alice@example.com",
                deliver=lambda delivery: "550 5.1.1 gone",
                handlers={"ticket-desk": handler})
            self.assertEqual(relay.rcpt("tickets@example.com").code, 250)
            verifier = onward.Verifier(resolver, authserv_id="mx.example.com",
                                       **CLIENT)
            with self.assertRaises(onward.StateError):
                relay.start(verifier, SIGNED)
            verifier.feed(SIGNED)
            verifier.finish()
            verifier.result()
            relay.start(verifier, SIGNED, received="Received: by x; y\r\n")
            outcome = relay.result()
            self.assertEqual(outcome.reply.code, 550)
            action, = events
            self.assertEqual((action.state, str(action.reply)),
                             ("failed", "550 5.1.1 gone"))
            self.assertIsInstance(action.refusal, onward.Refused)
            action.forgive()
            self.assertEqual(len(relay.events), 1)
            with self.assertRaises(onward.Refused):
                relay.events[0].forward("me@example.net")
        with self.assertRaises(onward.ClosedError):
            action.state


if __name__ == "__main__":
    unittest.main()
