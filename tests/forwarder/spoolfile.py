"""The files of the spool as spool.h describes them, read and written without
the program: what another implementation would do."""
import struct
import zlib

ORIGIN, REVERSE_PATH, NOTICE_PATH, ENVID = 1, 2, 3, 4
RECEIVED_FROM, LOG_ID, RET, BODY = 5, 6, 7, 8
SMTPUTF8, REQUIRE_TLS, TLS_OPTIONAL, ARRIVAL, HOLD = 9, 10, 11, 12, 13
PLACE, NO_WAY = 14, 15
RCPT, RCPT_DOMAIN, RCPT_ORCPT, RCPT_NOTIFY, RCPT_HEIR = 32, 33, 34, 35, 36
NAME, NAME_ORCPT, NAME_NOTIFY = 48, 49, 50
INDEX, FATE, ATTEMPTS, DELAY_TOLD, LAST, NEXT = 64, 65, 66, 67, 68, 69
CODE, ENHANCED, TEXT, HOST, HELD = 70, 71, 72, 73, 74


def field(tag, value):
    if isinstance(value, int):
        value = struct.pack("<Q", value)
    elif isinstance(value, str):
        value = value.encode()
    return struct.pack("<HH", tag, len(value)) + value


def fields(octets):
    found = []
    while octets:
        tag, size = struct.unpack("<HH", octets[:4])
        found.append((tag, octets[4:4 + size]))
        octets = octets[4 + size:]
    return found


def message(envelope, content):
    """envelope: [(tag, value)]."""
    e = b"".join(field(*f) for f in envelope)
    head = struct.pack("<4sIIIQI", b"oMSG", 1, len(e), zlib.crc32(e),
                       len(content), zlib.crc32(content))
    return head + struct.pack("<I", zlib.crc32(head)) + e + content


def record(*items):
    body = b"".join(field(*f) for f in items)
    return struct.pack("<4sII", b"oREC", len(body), zlib.crc32(body)) + body


def relayed(to="box@one.example", sender="ann@sender.example", arrival=1,
            more=()):
    """The envelope of mail for one recipient."""
    return [(ORIGIN, 1), (REVERSE_PATH, sender), (NOTICE_PATH, sender),
            (ARRIVAL, arrival), *more, (RCPT, to),
            (RCPT_DOMAIN, to.split("@")[1])]


class Read:
    """A file, with every checksum looked at."""

    def __init__(self, octets):
        kind, version, size, crc, length, self.content_crc = struct.unpack(
            "<4sIIIQI", octets[:28])
        assert kind == b"oMSG" and version == 1
        assert struct.unpack("<I", octets[28:32])[0] == zlib.crc32(octets[:28])
        envelope = octets[32:32 + size]
        assert zlib.crc32(envelope) == crc
        self.envelope = fields(envelope)
        self.content = octets[32 + size:32 + size + length]
        assert len(self.content) == length
        assert zlib.crc32(self.content) == self.content_crc
        self.records, rest = [], octets[32 + size + length:]
        while rest:
            kind, size, crc = struct.unpack("<4sII", rest[:12])
            body = rest[12:12 + size]
            assert kind == b"oREC" and zlib.crc32(body) == crc
            self.records.append(dict(fields(body)))
            rest = rest[12 + size:]

    def all(self, tag):
        return [value for t, value in self.envelope if t == tag]
