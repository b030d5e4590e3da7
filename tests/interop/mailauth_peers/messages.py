"""Messages to sign: classes of what mail on the wire looks like and of what it
may look like. Each case is made from its own name alone, so that it is the same
in every run and on every machine.

A message is what is sent: line ends are CRLF but where a class says otherwise.
"""
import random

EACH = 18  # cases of a class

WORDS = ("the quick brown fox jumps over a lazy dog while mail is passed from "
         "one server to the next one and nobody may change a word of it").split()


def words(r, most=12):
    return " ".join(r.choice(WORDS) for _ in range(r.randint(1, most))).encode()


def head(r, *more, subject=None):
    """The fields of an ordinary message, `more` among them."""
    fields = [
        b"From: Ann <ann@example.org>",
        b"To: Bob <bob@example.net>",
        b"Subject: " + (words(r) if subject is None else subject),
        b"Date: Fri, 11 Jul 2025 21:00:%02d +0000" % r.randint(0, 59),
        b"Message-ID: <%d@example.org>" % r.randint(1, 10**9),
    ]
    for field in more:
        fields.insert(r.randint(0, len(fields)), field)
    return b"".join(f + b"\r\n" for f in fields) + b"\r\n"


def lines(r, most=20):
    return b"".join(words(r) + b"\r\n" for _ in range(r.randint(1, most)))


def plain(r, i):
    return head(r) + lines(r)


def wsp(r):
    return "".join(r.choice(" \t") for _ in range(r.randint(1, 6))).encode()


def blanks(r, i):
    """Runs of white space, at line ends too."""
    subject = wsp(r).join(words(r).split()) + (wsp(r) if i % 2 else b"")
    body = b"".join(
        (wsp(r) if r.random() < .3 else b"") + wsp(r).join(words(r).split())
        + (wsp(r) if r.random() < .5 else b"") + b"\r\n"
        for _ in range(r.randint(1, 9)))
    return head(r, subject=subject) + body


def folded(r, i):
    subject = b""
    for word in words(r).split():
        subject += word + r.choice((b" ", b"\r\n ", b"\r\n\t", b" \r\n  ",
                                    b"\t\r\n \t"))
    subject = subject.rstrip()
    more = [
        b"Cc:\r\n carol@example.com,\r\n\tdave@example.com",
        b"References: <a@example.org>\r\n\t<b@example.org>\r\n <c@example.org>",
        b"X-Long:" + b"\r\n " + words(r),
    ]
    return head(r, *more[: 1 + i % 3], subject=subject) + lines(r)


def endings(r, i):
    """How a body may end."""
    end = (
        b"", b"\r\n", b"\r\n\r\n", b"\r\n" * 40, b" ", b" \r\n", b"\t\r\n",
        b" \r\n\r\n", b"\r\n \r\n", b"\r\n \r\n\r\n \t\r\n", b"x", b"x ",
        b"x\r\n", b"x\r\n\r\n\r\n", b"x \t\r\n \r\n", b"x\r\n\r\ny", b".\r\n",
        b"..\r\n.\r\n",
    )[i]
    return head(r) + (lines(r, 3) if i % 2 and i > 9 else b"") + end


def no_body(r, i):
    """Header only: with the empty line, and without it."""
    text = head(r)
    return text if i % 2 else text[:-2]


def utf8_body(r, i):
    some = ("café", "naïve", "Grüße", "日本語", "☃", "\U0001f4e7", "a\u0301")
    return head(r, b"MIME-Version: 1.0",
                b"Content-Type: text/plain; charset=utf-8",
                b"Content-Transfer-Encoding: 8bit") + b"".join(
        " ".join(r.choice(some) for _ in range(8)).encode() + b"\r\n"
        for _ in range(r.randint(1, 9)))


def octets_body(r, i):
    """Every octet but NUL, CR and LF."""
    values = [v for v in range(1, 256) if v not in (10, 13)]
    return head(r) + b"".join(
        bytes(r.choice(values) for _ in range(r.randint(0, 120))) + b"\r\n"
        for _ in range(r.randint(1, 9)))


def nul_body(r, i):
    return head(r) + b"a\0b\r\n" + lines(r, 3) + b"\0" * (1 + i % 3) + b"\r\n"


def lone_lf(r, i):
    """LF without CR in the body, which no server should pass on."""
    body = lines(r, 3) + words(r) + b"\n" * (1 + i % 3) + words(r)
    return head(r) + body + (b"\r\n", b" \n", b"\n")[i % 3]


def lone_cr(r, i):
    body = lines(r, 3) + words(r) + b"\r" * (1 + i % 3) + words(r)
    return head(r) + body + (b"\r\n", b" \r\r\n", b"\r")[i % 3]


def repeated(r, i):
    """Fields that occur more than once: the lowest is signed first."""
    more = [b"Received: from a by b; Fri, 11 Jul 2025 20:59:0%d +0000" % n
            for n in range(1 + i % 4)]
    more += [b"Comments: " + words(r) for _ in range(i % 3)]
    more += [b"Reply-To: r%d@example.org" % n for n in range(1 + i % 2)]
    return head(r, *more) + lines(r)


def names(r, i):
    """Names of fields in odd writing, and values with nothing in them."""
    text = head(r, (b"X-Empty:", b"X-Empty: ", b"X-Empty: \t",
                    b"X-" + b"n" * 70 + b": v", b"x!#$%&'*+^_`{|}~: v",
                    b"K:v")[i % 6])
    if i % 3 == 0:
        text = text.replace(b"Subject:", b"sUBJECT:").replace(b"To:", b"TO:")
    if i % 3 == 1:
        text = text.replace(b"Subject: ", b"Subject:")
    if i % 3 == 2:
        text = text.replace(b"Date: ", b"Date:\t \t")
    return text + lines(r)


def space_colon(r, i):
    """White space in front of the colon (RFC 5322 section 4.5.2)."""
    return head(r).replace(b"Subject:", b"Subject" + wsp(r) + b":") + lines(r)


def wsp_line(r, i):
    """Folds to a line with nothing but white space (obs-FWS)."""
    return head(r, subject=words(r) + b"\r\n" + wsp(r) + b"\r\n "
                + words(r)) + lines(r)


def eai(r, i):
    """RFC 6532: UTF-8 in the header, in addresses and names."""
    text = head(r, subject="Grüße 日本語 ☃".encode() * (1 + i % 4))
    text = text.replace(b"Ann <ann@", "Änne <änne@".encode())
    if i % 2:
        text = text.replace(b"bob@example.net", "bob@bücher.example".encode())
    return text + "dòmhnach\r\n".encode() * (1 + i)


def octets_header(r, i):
    """Octets above 127 that are no UTF-8, as old software sends them."""
    return head(r, subject=bytes(r.randint(0xa0, 0xff) for _ in range(9))
                + b" caf\xe9") + lines(r)


def control_header(r, i):
    """Control octets in a field's value."""
    odd = (b"\x01", b"\x07", b"\x08", b"\x0b", b"\x0c", b"\x1b", b"\x7f",
           b"\0", b"\x1f")[i % 9]
    return head(r, subject=words(r) + odd + words(r)) + lines(r)


def long_lines(r, i):
    return head(r, subject=b"s" * (70 + 50 * i)) + (
        b"l" * (998 + 400 * i) + b"\r\n") * (1 + i % 3)


def many_fields(r, i):
    return head(r, *(b"X-%d: %d" % (n, n) for n in range(10 + 12 * i)),
                *(b"Received: by h%d" % n for n in range(i))) + lines(r)


def mime(r, i):
    mark = b"=_%d" % r.randint(1, 10**9)
    part = (b"--" + mark + b"\r\nContent-Type: text/plain\r\n\r\n" + lines(r)
            + b"\r\n--" + mark + b"\r\nContent-Type: application/octet-stream"
            b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + b"QUJDREVGRw==\r\n" * r.randint(1, 60)
            + b"\r\n--" + mark + b"--\r\n")
    return head(r, b"MIME-Version: 1.0", b"Content-Type: multipart/mixed;\r\n\t"
                b"boundary=\"" + mark + b"\"") + part


def lists(r, i):
    """Passed through a list: others' signatures, chains and results."""
    more = [
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com;"
        b"\r\n\ts=gone; h=from:to; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hS"
        b"uFU=;\r\n\tb=AAAA",
        b"List-Id: <l.example.org>",
        b"List-Unsubscribe: <mailto:l@example.org>,\r\n <https://example.org/>",
        b"Authentication-Results: mx.example.net; dkim=fail header.d=a.example",
        b"Sender: l@example.org",
    ]
    return head(r, *more[: 1 + i % 5]) + lines(r)


def sizes(r, i):
    return head(r) + lines(r, 2) * (40 * (i + 1))


CLASSES = (plain, blanks, folded, endings, no_body, utf8_body, octets_body,
           nul_body, lone_lf, lone_cr, repeated, names, space_colon, wsp_line,
           eai, octets_header, control_header, long_lines, many_fields, mime,
           lists, sizes)
CANONS = ("relaxed/relaxed", "simple/simple", "relaxed/simple",
          "simple/relaxed")


class Case:
    def __init__(self, make, i):
        self.kind, self.number = make.__name__, i
        self.name = f"{self.kind}/{i:02d}"
        self.message = make(random.Random(self.name), i)
        # 18 cases and 4 forms: each class sees each form, each form both keys.
        self.canon = CANONS[i % 4]
        self.key = "ed25519" if i % 6 == 5 else "rsa"


def cases():
    return [Case(make, i) for make in CLASSES for i in range(EACH)]


def changed(signed, i):
    """What nobody may take: a signed message with one thing changed in what
    is always signed."""
    top, _, rest = signed.partition(b"\r\nFrom:")
    if not rest:
        return None
    return (
        lambda: top + b"\r\nFrom:" + rest.replace(b"ann@", b"amn@", 1)
                                         .replace("änne@".encode(), b"x@", 1),
        lambda: signed + b"one more line\r\n",
        lambda: top + b"\r\nFrom:" + rest.replace(b"Ann", b"Eve", 1)
                                         .replace("Änne".encode(), b"Eve", 1),
        lambda: signed + b"x",
    )[i % 4]()
