import unittest

from support import CLIENT, PLAIN, RSA, SIGNED, ZONE, onward

# Not ours, to judge what we write.
import dkim


def published(zone):
    def find(name, timeout=5):
        name = name.decode().rstrip(".")
        for line in zone.splitlines():
            if line.startswith((name + ". ", name + " ")):
                return b"".join(
                    part.encode() for part in line.split('"')[1::2])
        return None
    return find


class Keys(unittest.TestCase):
    def test_from_text(self):
        key = onward.Key(RSA)
        self.assertEqual((key.type, key.bits), ("rsa", 2048))
        self.assertEqual(onward.Key(key.to_pem()).dkim_record(),
                         key.dkim_record())
        self.assertTrue(key.dkim_record(test=True).startswith(
            "v=DKIM1; k=rsa; "))

    def test_from_a_seed(self):
        # RFC 8032 section 7.1, test 1.
        key = onward.Key.from_seed(bytes.fromhex(
            "9d61b19deffd5a60ba844af492ec2cc4"
            "4449c5697b326919703bac031cae7f60"))
        self.assertEqual(key.type, "ed25519")
        self.assertIn("p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
                      key.dkim_record())

    def test_bad_keys(self):
        for pem in ("", "hello", RSA[:200], "\x00", RSA.replace("M", "?")):
            with self.subTest(pem=pem[:20]), \
                    self.assertRaises(onward.MalformedError):
                onward.Key(pem)
        with self.assertRaises(onward.InvalidError):
            onward.Key.from_seed(b"short")
        with self.assertRaises(ValueError):
            onward.Key.generate("dsa")
        with self.assertRaises(onward.InvalidError):
            onward.Key.generate("rsa", 77)

    def test_a_random_source_that_fails(self):
        def broken(size):
            raise OSError("no entropy")
        with self.assertRaisesRegex(OSError, "no entropy"):
            onward.Context(random=broken)
        with self.assertRaises(ValueError):
            onward.Context(random=lambda size: b"x")


class Dkim(unittest.TestCase):
    def check(self, key, **options):
        signed = onward.sign(PLAIN, key=key, domain="example.com",
                             selector="s", **options)
        self.assertTrue(signed.endswith(PLAIN))
        # Of strings over 255 octets a zone has several.
        zone = onward.dns._lines("s._domainkey.example.com", "TXT",
                                 [key.dkim_record()])
        found = onward.verify(signed, dns=zone).dkim[0]
        self.assertEqual(found.result, "pass")
        self.assertTrue(dkim.verify(signed, dnsfunc=published(zone)))
        return found

    def test_dkimpy_verifies_what_we_sign(self):
        found = self.check(onward.Key(RSA), expire=3600, identity="@example.com")
        self.assertEqual(found.expiry, found.time + 3600)
        self.check(onward.Key.generate("ed25519"))
        self.check(onward.Key(RSA), fields=["From", "To"], simple_body=True,
                   simple_header=True)
        found = self.check(onward.Key(RSA), fields="from:subject")
        self.assertEqual(found.signed_fields, "from:subject")

    def test_we_verify_what_dkimpy_signs(self):
        made = dkim.sign(PLAIN, b"s", b"example.com", RSA.encode(),
                         include_headers=[b"from", b"to"])
        zone = onward.dns._lines("s._domainkey.example.com", "TXT",
                                 [onward.Key(RSA).dkim_record()])
        self.assertEqual(onward.verify(made + PLAIN, dns=zone).dkim[0].result,
                         "pass")

    def test_the_clock_is_the_contexts(self):
        with onward.Context(now=lambda: 1_000_000_000.5) as context:
            signed = onward.sign(PLAIN, key=RSA, domain="example.com",
                                 selector="s", context=context)
        self.assertIn(b"t=1000000000;", signed)

    def test_what_cannot_be_signed(self):
        with self.assertRaisesRegex(onward.MalformedError, "From"):
            onward.sign(b"Subject: x\r\n\r\n", key=RSA, domain="example.com",
                        selector="s")
        with self.assertRaises(onward.InvalidError):
            onward.sign(PLAIN, key=RSA, domain="no domain", selector="s")

    def test_a_key_elsewhere(self):
        from base64 import b64decode
        import nacl.signing
        secret = nacl.signing.SigningKey.generate()
        der = bytes.fromhex("302a300506032b6570032100") + bytes(
            secret.verify_key)
        asked = []

        def sign(kind, data):
            asked.append((kind, len(data)))
            return secret.sign(data).signature
        with onward.Desk() as desk:
            signer = onward.Signer(desk, der, sign=sign, label="token")
            made = onward.DkimSigner(signer, domain="example.com",
                                     selector="s")
            made.feed(PLAIN)
            made.finish()
            field = made.result()
        self.assertEqual(asked, [("ed25519", 32)])
        self.assertIn(b"a=ed25519-sha256", field)
        self.assertEqual(len(b64decode(field.split(b" b=")[1].replace(
            b"\r\n ", b"").split(b";")[0])), 64)

    def test_a_key_elsewhere_that_fails(self):
        der = bytes.fromhex("302a300506032b6570032100") + bytes.fromhex(
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

        def raises(kind, data):
            raise PermissionError("no such token")
        for sign, error in ((raises, PermissionError),
                            (lambda kind, data: b"x" * 64, onward.CryptoError),
                            (lambda kind, data: "x", TypeError)):
            with self.subTest(error=error), onward.Desk() as desk:
                made = onward.DkimSigner(onward.Signer(desk, der, sign=sign),
                                         domain="example.com", selector="s")
                made.feed(PLAIN)
                with self.assertRaises(error):
                    made.finish()
                    made.result()
        with onward.Desk() as desk:
            with self.assertRaises(TypeError):
                onward.Signer(desk, onward.Key(RSA), sign=raises)
            with self.assertRaises(TypeError):
                onward.Signer(desk, der)
            with self.assertRaises(onward.MalformedError):
                onward.Signer(desk, b"der?", sign=raises)


class Arc(unittest.TestCase):
    def test_a_chain_of_two(self):
        zone = ZONE.read_text()
        once = onward.seal(SIGNED, key=RSA, domain="fwd.example.net",
                           selector="arc", authserv_id="mx.example.net",
                           dns=ZONE, **CLIENT)
        self.assertTrue(once.endswith(SIGNED))
        self.assertEqual(once[:once.index(b":")], b"ARC-Seal")
        found = onward.verify(once, dns=ZONE).arc
        self.assertEqual((found.result, found.instances), ("pass", 1))
        self.assertEqual(dkim.arc_verify(once, dnsfunc=published(zone))[0],
                         b"pass")
        twice = onward.seal(once, key=onward.Key(RSA), domain="fwd.example.net",
                            selector="arc", authserv_id="mx.example.net",
                            dns=ZONE)
        found = onward.verify(twice, dns=ZONE).arc
        self.assertEqual((found.result, found.instances), ("pass", 2))
        self.assertEqual(dkim.arc_verify(twice, dnsfunc=published(zone))[0],
                         b"pass")

    def test_a_chain_that_failed_gets_no_more_sets(self):
        sealed = onward.seal(SIGNED, key=RSA, domain="fwd.example.net",
                             selector="arc", authserv_id="a.example", dns=ZONE)
        broken = onward.seal(sealed + b"more\r\n", key=RSA,
                             domain="fwd.example.net", selector="arc",
                             authserv_id="a.example", dns=ZONE)
        self.assertIn(b"cv=fail", broken)
        self.assertEqual(onward.seal(broken, key=RSA, domain="fwd.example.net",
                                     selector="arc", authserv_id="a.example",
                                     dns=ZONE), broken)

    def test_no_seal_when_dns_gives_no_answer(self):
        sealed = onward.seal(SIGNED, key=RSA, domain="fwd.example.net",
                             selector="arc", authserv_id="a.example", dns=ZONE)

        def timeout(name, kind):
            raise TimeoutError
        with self.assertRaisesRegex(onward.CanceledError, "DNS"):
            onward.seal(sealed, key=RSA, domain="fwd.example.net",
                        selector="arc", authserv_id="a.example", dns=timeout)


if __name__ == "__main__":
    unittest.main()
