import json
import unittest

from support import RULES, onward


class Rules(unittest.TestCase):
    def test_decisions(self):
        ruleset = onward.Ruleset(RULES)
        self.assertEqual((ruleset.zone_count, ruleset.rule_count), (1, 7))
        for address, kind, match, where in (
                ("sales@example.com", "forward", "exact",
                 ("desk@example.net",)),
                ("me+list@EXAMPLE.com", "forward", "base",
                 ("me@example.net",)),
                ("tickets@example.com", "handler", "exact", ()),
                ("who@example.com", "drop", "catch-all", ())):
            with self.subTest(address=address):
                found = ruleset.route(address)
                self.assertEqual((found.kind, found.match,
                                  found.destinations), (kind, match, where))
                self.assertEqual(found.actions[0].kind, kind)
        self.assertEqual(ruleset.route("tickets@example.com").handler,
                         "ticket-desk")
        self.assertEqual(ruleset.route("who@example.com").rule, -1)

    def test_refusals(self):
        found = onward.route(RULES, "fax@example.com")
        self.assertEqual((found.kind, str(found.reply)),
                         ("reject", "550 5.1.6 The fax is gone"))
        found = onward.route(RULES, "new@example.com")
        self.assertEqual((found.reason, found.reply.enhanced),
                         ("not-verified", "5.2.1"))
        found = onward.route(RULES, "a@elsewhere.example")
        self.assertEqual((found.reason, found.rule, found.zone),
                         ("no-zone", None, ""))

    def test_the_hosts_word_on_destinations(self):
        asked = []

        def verified(address):
            asked.append(address)
            return {"new@example.net": True, "me@example.net": False}.get(
                address)
        ruleset = onward.Ruleset(RULES)
        facts = onward.Facts(verified=verified)
        self.assertEqual(ruleset.route("new@example.com", facts).kind,
                         "forward")
        self.assertEqual(ruleset.route("me@example.com", facts).reason,
                         "not-verified")
        self.assertEqual(ruleset.route("sales@example.com", facts).kind,
                         "forward")
        self.assertEqual(set(asked), {"new@example.net", "me@example.net",
                                      "desk@example.net"})

    def rules(self, *conditions):
        return {"version": 1, "zones": [{"name": "example.com", "rules": [
            {"matchers": [{"type": "literal", "field": "to",
                           "value": "a@example.com"}, *conditions],
             "actions": [{"type": "drop"}]}]}]}

    def test_conditions(self):
        for condition, yes, no in (
                ({"type": "domain", "field": "from", "value": "b.example"},
                 {"sender": "x@b.example"}, {"sender": "x@c.example"}),
                ({"type": "contains", "field": "header", "name": "Subject",
                  "value": "hello"},
                 {"header": {"subject": ["a", "say hello"]}},
                 {"header": {"subject": []}}),
                ({"type": "at_least", "field": "size", "value": 1000},
                 {"size": 1000}, {"size": 999}),
                ({"type": "at_least", "field": "score", "value": 5.25},
                 {"score": 5.25}, {"score": 5.249}),
                ({"type": "network", "field": "client",
                  "value": "192.0.2.0/24"},
                 {"client": "192.0.2.7"}, {"client": "2001:db8::1"}),
                ({"type": "is", "field": "tls", "value": True},
                 {"tls": True}, {"tls": False}),
                ({"type": "literal", "field": "dmarc", "value": "pass"},
                 {"verdicts": {"dmarc": "pass"}},
                 {"verdicts": {"dmarc": "fail"}}),
                ({"type": "literal", "field": "attachment_type",
                  "value": "application/pdf"},
                 {"attachment_types": ["text/plain", "application/pdf"]},
                 {"attachment_types": []})):
            with self.subTest(condition=condition):
                ruleset = onward.Ruleset(self.rules(condition))
                self.assertEqual(ruleset.route(
                    "a@example.com", onward.Facts(**yes)).kind, "drop")
                self.assertEqual(ruleset.route(
                    "a@example.com", onward.Facts(**no)).reason, "no-address")
                self.assertEqual(ruleset.route("a@example.com").kind,
                                 "need-message")

    def test_the_steps(self):
        steps = onward.route(RULES, "new@example.com").steps
        self.assertEqual([step.what for step in steps][-1], "not-verified")
        self.assertEqual(steps[-1].detail, "new@example.net")

    def test_faults_have_their_place(self):
        broken = RULES.replace('"priority": 20', '"priority": "20"')
        with self.assertRaises(onward.MalformedError) as caught:
            onward.Ruleset(broken)
        fault = caught.exception
        self.assertEqual(fault.path, "zones[0].rules[1].priority")
        self.assertEqual(broken.splitlines()[fault.line - 1].strip(),
                         '"priority": "20",')
        self.assertIn("expected a number", fault.text)
        for text in ("", "[", "{}", "\0", "[" * 100):
            with self.subTest(text=text), self.assertRaises(
                    (onward.MalformedError, onward.LimitError)):
                onward.Ruleset(text)

    def test_no_address(self):
        for address in ("", "a", "a@b@c", "a b@example.com", "a\0@example.com",
                        "a@example.com\r\n"):
            with self.subTest(address=address), \
                    self.assertRaises(onward.MalformedError):
                onward.route(RULES, address)

    def test_facts_that_raise(self):
        def raises(address):
            raise KeyError(address)
        with self.assertRaisesRegex(KeyError, "desk@example.net"):
            onward.route(RULES, "sales@example.com",
                         onward.Facts(verified=raises))
        ruleset = onward.Ruleset(RULES)
        with self.assertRaisesRegex(onward.StateError, "must not call"):
            ruleset.route("sales@example.com", onward.Facts(
                verified=lambda address: ruleset.route("x@example.com")))

    def test_loaded_json(self):
        self.assertEqual(onward.route(json.loads(RULES),
                                      "sales@example.com").kind, "forward")


if __name__ == "__main__":
    unittest.main()
