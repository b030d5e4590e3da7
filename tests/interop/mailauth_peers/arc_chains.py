"""Chains to seal and to judge: messages, and what may happen to one of two
sets on its way. Each is made from its own name alone."""
import random
import re

import messages

EACH = 3  # messages of a class

# Of messages.py, what a sealer may meet. How forms differ on octets that mail
# should not have is told by the signatures already.
CLASSES = ("plain", "blanks", "folded", "no_body", "utf8_body", "repeated",
           "names", "wsp_line", "eai", "octets_header", "long_lines",
           "many_fields", "mime", "lists", "sizes", "endings")


class Case:
    def __init__(self, kind, number):
        self.kind, self.number = kind, number
        # Not the first ones: with the empty line, and without odd ends.
        i = {"no_body": 2 * number + 1, "endings": (1, 3, 13)[number]}.get(
            kind, number)
        name = f"{kind}/{i:02d}"
        self.message = getattr(messages, kind)(random.Random(name), i)


def cases():
    return [Case(kind, i) for kind in CLASSES for i in range(EACH)]


def split(message):
    """The fields, each with its CRLF, and the rest from the empty line on."""
    head, _, body = message.partition(b"\r\n\r\n")
    return re.findall(rb"[^\r\n][^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*",
                      head + b"\r\n"), b"\r\n" + body


def is_of(field, name, instance):
    found = re.match(rb"([\w-]+):", field)
    if not found or found[1].lower() != name.lower():
        return False
    return re.search(rb"[:;\s]i\s*=\s*%d\s*(?:;|$)" % instance,
                     field.rstrip()) is not None


AAR, AMS, SEAL = (b"ARC-Authentication-Results", b"ARC-Message-Signature",
                  b"ARC-Seal")


def edit(name, instance, change):
    """change(field) for that field of that set; b"" takes it away."""
    def do(message):
        fields, rest = split(message)
        return b"".join(change(f) if is_of(f, name, instance) else f
                        for f in fields) + rest
    return do


def drop_set(instance):
    def do(message):
        fields, rest = split(message)
        return b"".join(f for f in fields if not any(
            is_of(f, n, instance) for n in (AAR, AMS, SEAL))) + rest
    return do


def other_order(message):
    """Set 1 on top of set 2, and the fields of each the other way round."""
    fields, rest = split(message)
    arc = [f for f in fields if f.lower().startswith(b"arc-")]
    others = [f for f in fields if not f.lower().startswith(b"arc-")]
    return b"".join(arc[::-1] + others) + rest


def cv(value):
    return lambda f: re.sub(rb"(\bcv\s*=\s*)\w+", rb"\1" + value, f)


def no_b(f):
    return re.sub(rb"([;\s]b\s*=)[^;]*(;|$)", rb"\1\2", f.rstrip()) + b"\r\n"


# What is done to a message with two sets: name, what comes of it (None: that
# depends on whether the sealer has guarded From), how.
CHANGES = (
    ("body", "fail", lambda m: m + b"one more line\r\n"),
    ("from", "fail", lambda m: m.replace(b"ann@", b"eve@")),
    ("from-on-top", None, lambda m: b"From: eve@example.net\r\n" + m),
    ("received-on-top", "pass", lambda m: b"Received: by x\r\n" + m),
    ("aar1", "fail", edit(AAR, 1, lambda f: f.replace(b"none", b"pass"))),
    ("aar2", "fail", edit(AAR, 2, lambda f: f.replace(b"pass", b"none"))),
    ("aar1-unfolded", "pass",
     edit(AAR, 1, lambda f: re.sub(rb"\s+", b" ", f).rstrip() + b"\r\n")),
    ("seal2-upper-case", "pass",
     edit(SEAL, 2, lambda f: f.replace(b"ARC-Seal:", b"ARC-SEAL:"))),
    ("seal1-gone", "fail", edit(SEAL, 1, lambda f: b"")),
    ("ams1-gone", "fail", edit(AMS, 1, lambda f: b"")),
    ("aar1-gone", "fail", edit(AAR, 1, lambda f: b"")),
    ("seal2-gone", "fail", edit(SEAL, 2, lambda f: b"")),
    ("ams2-gone", "fail", edit(AMS, 2, lambda f: b"")),
    ("aar2-gone", "fail", edit(AAR, 2, lambda f: b"")),
    ("set1-gone", "fail", drop_set(1)),
    ("set2-gone", "pass", drop_set(2)),
    ("all-gone", "none", lambda m: drop_set(1)(drop_set(2)(m))),
    ("seal2-twice", "fail", edit(SEAL, 2, lambda f: f + f)),
    ("ams1-twice", "fail", edit(AMS, 1, lambda f: f + f)),
    ("aar1-twice", "fail", edit(AAR, 1, lambda f: f + f)),
    ("order", "pass", other_order),
    ("cv2-none", "fail", edit(SEAL, 2, cv(b"none"))),
    ("cv2-fail", "fail", edit(SEAL, 2, cv(b"fail"))),
    ("cv1-pass", "fail", edit(SEAL, 1, cv(b"pass"))),
    ("seal1-no-b", "fail", edit(SEAL, 1, no_b)),
    ("ams1-no-b", "fail", edit(AMS, 1, no_b)),
    ("seal2-with-h", "fail", edit(SEAL, 2, lambda f: f.replace(
        b"ARC-Seal:", b"ARC-Seal: h=from;"))),
    ("seal2-unknown-tag", "fail", edit(SEAL, 2, lambda f: f.replace(
        b"ARC-Seal:", b"ARC-Seal: zz=1;"))),
    ("seal2-other-key", "fail", edit(SEAL, 2, lambda f: f.replace(
        b"=rsa1", b"=gone1"))),
    ("set1-i0", "fail", lambda m: re.sub(rb"([:;\s]i=)1\b", rb"\g<1>0", m)),
    ("set2-i51", "fail", lambda m: re.sub(rb"([:;\s]i=)2\b", rb"\g<1>51", m)),
    ("aar3-alone", "fail",
     lambda m: b"ARC-Authentication-Results: i=3; x; none\r\n" + m),
    ("aar-no-i", "fail",
     lambda m: b"ARC-Authentication-Results: x; none\r\n" + m),
)
