import email
import email.policy
import unittest

from support import SIGNED, onward

NESTED = b"""From: =?utf-8?q?=C3=85lice?= <alice@example.com>
Subject: =?iso-8859-1?q?caf=E9?=
 =?utf-8?b?IOKCrA==?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=a

before
--a
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9
--a
Content-Type: application/octet-stream; name*=utf-8''%C3%A4.bin
Content-Transfer-Encoding: base64
Content-Disposition: attachment

AAEC
--a
Content-Type: message/rfc822

Subject: inner

hello
--a--
after
""".replace(b"\n", b"\r\n")


class Parse(unittest.TestCase):
    def test_a_tree(self):
        with onward.parse(NESTED) as message:
            self.assertEqual(
                [(part.kind, part.type, part.depth)
                 for part in message.all_parts],
                [("multipart", "multipart/mixed", 0),
                 ("leaf", "text/plain", 1),
                 ("leaf", "application/octet-stream", 1),
                 ("message", "message/rfc822", 1),
                 ("leaf", "text/plain", 2)])
            self.assertEqual(message.header["subject"], "café €")
            self.assertEqual(message.header["FROM"],
                             "Ålice <alice@example.com>")
            self.assertEqual(message.text, "café")
            self.assertIsNone(message.html)
            self.assertEqual([(part.file_name, part.body)
                              for part in message.attachments],
                             [("ä.bin", b"\0\1\2")])
            inner = message.root.parts[2]
            self.assertEqual(inner.parts[0].header.get("Subject"), "inner")
            self.assertTrue(message.root.parts[1].raw.startswith(
                b"Content-Type: application/octet-stream;"))
            self.assertEqual(message.root.parts[1].encoding, "base64")
            self.assertEqual(message.anomalies, [])

    def test_the_header_of_the_standard_library(self):
        ours = onward.parse(SIGNED).header
        theirs = email.message_from_bytes(SIGNED, policy=email.policy.default)
        self.assertEqual([field.name for field in ours], theirs.keys())
        self.assertEqual(ours.all("received"), [
            value.replace("\r\n", "") for value in theirs.get_all("received")])
        self.assertEqual(b"".join(field.raw for field in ours),
                         SIGNED[:SIGNED.index(b"\r\n\r\n") + 2])
        self.assertIn("subject", ours)
        self.assertNotIn("x-none", ours)
        self.assertIsNone(ours.get("x-none"))
        with self.assertRaises(KeyError):
            ours["x-none"]

    def test_what_is_wrong_is_told(self):
        message = onward.parse(b"From: a\rb\r\nno field\r\n\r\nbody")
        self.assertTrue(message.header.is_malformed)
        self.assertEqual({(a.code, a.severity) for a in message.anomalies}, {
            ("bare-cr", "malformed"), ("no-colon", "malformed")})

    def test_lf(self):
        self.assertEqual(onward.parse(NESTED.replace(b"\r\n", b"\n")).header[
            "subject"], "café €")

    def test_odd_messages(self):
        for octets in (b"", b"\r\n", b"x", b"\0" * 100, bytes(range(256)),
                       b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
                       b"--x"):
            with self.subTest(octets=octets[:10]):
                message = onward.parse(octets)
                self.assertEqual(message.root.raw, octets)
                for part in message.all_parts:
                    part.header, part.body

    def test_a_charset_nobody_knows(self):
        message = onward.parse(b"Content-Type: text/plain; charset=x-none\r\n"
                               b"\r\n\xff")
        with self.assertRaises(onward.NotFoundError):
            message.root.text
        self.assertEqual(message.root.body, b"\xff")


class Build(unittest.TestCase):
    def test_the_standard_library_reads_it(self):
        made = onward.build(
            from_=("Ålice", "alice@example.com"), sender="office@example.com",
            reply_to="help@example.com",
            to=["bob@example.net", ("Carol, C.", "carol@example.org")],
            cc="dave@example.org", bcc="eve@example.org", subject="Grüße €",
            text="hällo\nwörld\n", html="<p>hällo</p>",
            fields={"X-Tag": "7", "List-Id": "<list.example.com>"},
            attachments=[
                onward.Attachment(b"\0\1", "ä b.bin", "image/png",
                                  content_id="1@x.example", place="inline"),
                onward.Attachment(b"x", "notes.txt", "text/plain")],
            date=1_000_000_000, message_id="1@example.com")
        read = email.message_from_bytes(made, policy=email.policy.default)
        self.assertEqual(read["subject"], "Grüße €")
        self.assertEqual(read["from"].addresses[0].display_name, "Ålice")
        self.assertEqual([(a.display_name, a.addr_spec)
                          for a in read["to"].addresses],
                         [("", "bob@example.net"),
                          ("Carol, C.", "carol@example.org")])
        self.assertIsNone(read["bcc"])
        self.assertEqual(read["message-id"], "<1@example.com>")
        self.assertEqual(read["date"].datetime.timestamp(), 1_000_000_000)
        self.assertEqual(read["x-tag"], "7")
        self.assertEqual(read.get_body(("plain",)).get_content(),
                         "hällo\r\nwörld\r\n")
        names = {part.get_filename() for part in read.walk()
                 if part.get_filename()}
        self.assertEqual(names, {"ä b.bin", "notes.txt"})

    def test_its_envelope(self):
        builder = onward.Builder(from_="alice@example.com",
                                 to="bob@example.net", bcc="eve@example.org",
                                 text="x")
        self.assertEqual(builder.mail_from, "alice@example.com")
        self.assertEqual(builder.rcpt_to,
                         ["bob@example.net", "eve@example.org"])
        self.assertEqual(builder.message_id, "")
        self.assertEqual(builder.to_bytes(), builder.to_bytes())
        self.assertIn("@example.com", builder.message_id)
        with self.assertRaises(onward.StateError):
            builder.add_address("to", "late@example.net")

    def test_a_reply(self):
        builder = onward.Builder(from_="bob@example.net",
                                 to="alice@example.com", text="yes")
        builder.reply_to_message(SIGNED)
        self.assertIn(b"\r\nIn-Reply-To: <1@mail.example.com>\r\n",
                      builder.to_bytes())

    def test_no_value_begins_a_line(self):
        evil = "x\r\nBcc: eve@example.org"
        for wrong in ({"subject": evil}, {"from_": evil}, {"to": ("A", evil)},
                      {"to": (evil, "bob@example.net")},
                      {"fields": {"X-A": evil}}, {"fields": {evil: "x"}},
                      {"message_id": evil},
                      {"attachments": [onward.Attachment(b"", evil)]},
                      {"attachments": [onward.Attachment(b"", "a", evil)]}):
            with self.subTest(wrong=wrong), \
                    self.assertRaises(onward.MalformedError):
                onward.build(**{"from_": "alice@example.com", **wrong})

    def test_refusals_have_reasons(self):
        with self.assertRaisesRegex(onward.MalformedError, "no address"):
            onward.build(from_="no address")
        with self.assertRaisesRegex(onward.InvalidError, "Subject"):
            onward.build(from_="a@example.com", fields={"Subject": "x"})
        with self.assertRaises(onward.InvalidError):
            onward.build(text="nobody")


if __name__ == "__main__":
    unittest.main()
