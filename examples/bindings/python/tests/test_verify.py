import ipaddress
import unittest

from support import CLIENT, SIGNED, ZONE, from_zone, onward


class Verify(unittest.TestCase):
    def test_a_message_in_one_call(self):
        verdict = onward.verify(SIGNED, dns=ZONE, authserv_id="mx.example.net",
                                **CLIENT)
        self.assertTrue(verdict.passed)
        self.assertTrue(verdict.authres.startswith("mx.example.net;"))
        self.assertEqual(verdict.spf.result, "pass")
        self.assertEqual(verdict.spf.mechanism, "ip4:192.0.2.1")
        self.assertEqual(verdict.spf_helo.result, "pass")
        self.assertEqual([(d.result, d.domain, d.selector, d.algorithm)
                          for d in verdict.dkim],
                         [("pass", "example.com", "sel", "rsa-sha256")])
        self.assertEqual(verdict.arc.result, "none")
        self.assertEqual(verdict.dmarc.policy, "reject")
        self.assertTrue(verdict.dmarc.is_spf_aligned)
        self.assertEqual(verdict.explanation["dmarc"]["result"], "pass")

    def test_a_changed_message(self):
        verdict = onward.verify(SIGNED + b"more\r\n", dns=ZONE,
                                **{**CLIENT, "ip": "198.51.100.1"})
        self.assertFalse(verdict.passed)
        self.assertEqual(verdict.dkim[0].result, "fail")
        self.assertEqual(verdict.dkim[0].reason, "body-hash")
        self.assertEqual(verdict.spf.result, "fail")
        self.assertEqual(verdict.spf.explanation,
                         "198.51.100.1 is no host of example.com")

    def test_a_file_with_lf(self):
        verdict = onward.verify(SIGNED.replace(b"\r\n", b"\n"), dns=ZONE)
        self.assertEqual(verdict.dkim[0].result, "pass")
        self.assertIsNone(verdict.spf)

    def test_octet_by_octet(self):
        with onward.Context() as context, onward.Desk(context) as desk:
            verifier = onward.Verifier(onward.Resolver(desk, ZONE), **CLIENT)
            for i in range(len(SIGNED)):
                verifier.feed(SIGNED[i:i + 1])
            with self.assertRaises(onward.StateError):
                verifier.verdict
            verifier.finish()
            self.assertTrue(verifier.result().passed)
            with self.assertRaises(onward.StateError):
                verifier.feed(b"late")

    def test_buffers_that_are_no_bytes(self):
        for kind in (bytearray, memoryview):
            self.assertTrue(onward.verify(kind(SIGNED), dns=ZONE,
                                          **CLIENT).passed)

    def test_addresses_as_objects(self):
        verdict = onward.verify(SIGNED, dns=ZONE, **{
            **CLIENT, "ip": ipaddress.ip_address("2001:db8::1")})
        self.assertEqual(verdict.spf.mechanism, "include:_spf.example.com")

    def test_log_events(self):
        seen = []
        with onward.Context(log=seen.append) as context:
            onward.verify(SIGNED, dns=ZONE, context=context, **CLIENT)
        self.assertTrue(seen)
        self.assertIn(seen[0].level, ("error", "warn", "info", "debug"))
        self.assertTrue(seen[0].module and seen[0].code)

    def test_a_logger_as_log(self):
        import logging
        with self.assertLogs("mail", logging.DEBUG), onward.Context(
                log=logging.getLogger("mail")) as context:
            onward.verify(SIGNED, dns=ZONE, context=context, **CLIENT)


class Spf(unittest.TestCase):
    # Records and results of RFC 7208 appendix A.
    ZONE = """example.com. MX 10 mail-a.example.com.
mail-a.example.com. A 192.0.2.129
example.com. A 192.0.2.10
"""

    def test_the_examples_of_the_standard(self):
        for record, ip, want in (
                ("v=spf1 +all", "198.51.100.1", "pass"),
                ("v=spf1 a -all", "192.0.2.10", "pass"),
                ("v=spf1 a -all", "192.0.2.11", "fail"),
                ("v=spf1 mx -all", "192.0.2.129", "pass"),
                ("v=spf1 mx/30 -all", "192.0.2.131", "pass"),
                ("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.65", "fail"),
                ("v=spf1 ip4:192.0.2.128/28 ~all", "192.0.2.65", "softfail"),
                ("v=spf1 ip4:x", "192.0.2.65", "permerror")):
            with self.subTest(record=record, ip=ip):
                found = onward.spf(ip=ip, mail_from="strong@example.com",
                                   dns=f'{self.ZONE}example.com. TXT '
                                   f'"{record}"\n')
                self.assertEqual(found.result, want)

    def test_identities(self):
        found = onward.spf(ip="192.0.2.1", helo="mail.example.com",
                           identity="helo", dns=ZONE)
        self.assertEqual((found.result, found.domain, found.mechanism),
                         ("pass", "mail.example.com", "a"))
        with self.assertRaises(ValueError):
            onward.spf(ip="192.0.2.1", identity="x", dns=ZONE)

    def test_a_record_is_judged(self):
        onward.spf_record("v=spf1 a -all")
        with self.assertRaises(onward.MalformedError) as caught:
            onward.spf_record("v=spf1 a:: -all")
        self.assertGreaterEqual(caught.exception.position, 7)
        with self.assertRaises(onward.NotFoundError):
            onward.spf_record("hello")


class Dmarc(unittest.TestCase):
    def test_alignment(self):
        found = onward.dmarc("example.com", dns=ZONE, dkim=["example.com"])
        self.assertEqual((found.result, found.disposition), ("pass", "none"))
        found = onward.dmarc("www.example.com", dns=ZONE, spf="example.net")
        self.assertEqual((found.result, found.reason, found.policy,
                          found.policy_domain),
                         ("fail", "not-aligned", "quarantine", "example.com"))
        found = onward.dmarc("example.org", dns=ZONE)
        self.assertEqual((found.result, found.policy), ("none", ""))

    def test_whether_reject_rejects(self):
        for word, want in (("rfc9989", "quarantine"), ("service", "reject"),
                           ("never", "quarantine")):
            found = onward.dmarc("example.com", dns=ZONE, reject=word)
            self.assertEqual(found.disposition, want)

    def test_a_record_is_judged(self):
        onward.dmarc_record("v=DMARC1; p=none")
        with self.assertRaises(onward.MalformedError) as caught:
            onward.dmarc_record("v=DMARC1; p=often")
        self.assertIsNotNone(caught.exception.position)


class Dns(unittest.TestCase):
    def spf(self, dns, record=None):
        return onward.spf(ip="192.0.2.1", mail_from="a@example.com", dns=dns)

    def test_what_a_function_may_give(self):
        asked = []

        def answers(name, kind):
            asked.append((name, kind))
            return {"example.com": ["v=spf1 include:b.example -all"],
                    "b.example": ['"v=spf1 mx" " -all"'],
                    "mx.example": ["192.0.2.1"]}.get(name) \
                if kind != "MX" else ["10 mx.example."]
        self.assertEqual(self.spf(answers).result, "pass")
        self.assertEqual(asked, [("example.com", "TXT"), ("b.example", "TXT"),
                                 ("b.example", "MX"), ("mx.example", "A")])

    def test_long_and_odd_texts(self):
        record = "v=spf1 " + "ip4:198.51.100.1 " * 30 + 'ip4:192.0.2.1 -all'
        self.assertEqual(self.spf(lambda name, kind: [record]).result, "pass")

    def test_lines(self):
        self.assertEqual(self.spf(from_zone).result, "pass")

    def test_a_whole_reply(self):
        import dns.message
        import dns.rrset

        def answers(name, kind):
            query = dns.message.make_query(name, kind)
            reply = dns.message.make_response(query)
            reply.answer.append(dns.rrset.from_text(
                name + ".", 60, "IN", kind, '"v=spf1 ip4:192.0.2.1 -all"'))
            return reply.to_wire()
        self.assertEqual(self.spf(answers).result, "pass")
        self.assertEqual(self.spf(lambda n, k: b"junk").result, "temperror")

    def test_failures(self):
        for failure, want in (
                (onward.dns.Failure("timeout"), "temperror"),
                (onward.dns.Failure("servfail"), "temperror"),
                (onward.dns.Failure("nxdomain"), "none"),
                (OSError("no network"), "temperror"),
                (TimeoutError(), "temperror")):
            def answers(name, kind, failure=failure):
                raise failure
            with self.subTest(failure=failure):
                self.assertEqual(self.spf(answers).result, want)
        for nothing in (None, []):
            self.assertEqual(self.spf(lambda n, k: nothing).result, "none")

    def test_validated_answers(self):
        verdict = onward.verify(SIGNED, dns=lambda name, kind:
                                onward.dns.Answer(from_zone(name, kind), True))
        self.assertTrue(verdict.dkim[0].is_secure)
        self.assertFalse(onward.verify(
            SIGNED, dns=from_zone).dkim[0].is_secure)

    def test_faulty_records(self):
        with self.assertRaises(onward.MalformedError) as caught:
            self.spf("example.com. A 192.0.2.1\nexample.com. A what?\n")
        self.assertEqual(caught.exception.line, 2)
        for wrong in (["10"], ["\x00"], "example.com. MX x y z"):
            with self.subTest(wrong=wrong), \
                    self.assertRaises(onward.MalformedError):
                onward.spf(ip="192.0.2.1", mail_from="a@example.com",
                           dns=lambda name, kind: ["v=spf1 mx -all"]
                           if kind == "TXT" else wrong)
        for wrong, kind in (([1], TypeError), (["a\nb"], ValueError),
                            (7, TypeError)):
            with self.subTest(wrong=wrong), self.assertRaises(kind):
                onward.spf(ip="192.0.2.1", mail_from="a@example.com",
                           dns=lambda name, kind: ["v=spf1 mx -all"]
                           if kind == "TXT" else wrong)


if __name__ == "__main__":
    unittest.main()
