"""Name servers that go wrong: between a resolver and NSD, or between a client
and its resolver, they pass most questions on, and ruin the answers to some."""
import os
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28, "RRSIG": 46,
         "TLSA": 52}
SERVFAIL, NXDOMAIN = 2, 3


def _name(packet, at):
    """(labels, where it ends) of a name; of a pointer only the end counts."""
    labels = []
    while packet[at]:
        if packet[at] >= 0xC0:
            return labels, at + 2
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    return labels, at + 1


def question(packet):
    """(name in lower case, type, end of the question)."""
    labels, at = _name(packet, 12)
    return ".".join(labels).lower(), \
        struct.unpack("!H", packet[at:at + 2])[0], at + 4


def records(packet):
    """(section, begin, type, begin of rdata, end) of each record: sections 0
    answer, 1 authority, 2 additional."""
    counts = struct.unpack("!HHH", packet[6:12])
    at = question(packet)[2]
    for section, count in enumerate(counts):
        for _ in range(count):
            begin = at
            _, at = _name(packet, at)
            kind, _, _, length = struct.unpack("!HHIH", packet[at:at + 10])
            yield section, begin, kind, at + 10, at + 10 + length
            at += 10 + length


def altered(packet):
    """One octet of the first answer another one: of an MX its preference, of
    all else the last."""
    for section, _, kind, rdata, end in records(packet):
        if section == 0:
            at = rdata + 1 if kind == TYPES["MX"] else end - 1
            return packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1:]
    return packet


def unsigned(packet):
    """Without the signatures of the answer."""
    end = question(packet)[2]
    kept, counts = b"", [0, 0, 0]
    for section, begin, kind, _, stop in records(packet):
        if kind != TYPES["RRSIG"]:
            kept += packet[begin:stop]
            counts[section] += 1
    return packet[:6] + struct.pack("!HHH", *counts) + packet[12:end] + kept


def empty(packet, rcode, ad=False):
    """An answer with nothing in it, as seen by who asked."""
    end = question(packet)[2]
    flags = 0x8580 | rcode | (0x20 if ad else 0)
    return packet[:2] + struct.pack("!HHHHH", flags, 1, 0, 0, 0) + \
        packet[12:end]


def made(packet, kind, rdata, ad=False):
    """An answer with one record, that nobody signed."""
    end = question(packet)[2]
    flags = 0x8580 | (0x20 if ad else 0)
    return packet[:2] + struct.pack("!HHHHH", flags, 1, 1, 0, 0) + \
        packet[12:end] + b"\xc0\x0c" + \
        struct.pack("!HHIH", kind, 1, 60, len(rdata)) + rdata


def wire(name):
    return b"".join(bytes([len(part)]) + part.encode()
                    for part in name.split(".")) + b"\0"


class Faulty:
    """Listens for questions by UDP and TCP and asks `behind`. judge(name, type)
    says what to do with the answer: None, "servfail", "altered", "unsigned",
    "denied", "mute", or a function of the question that makes one."""

    def __init__(self, address, behind, judge):
        self.address, self.behind, self.judge = address, behind, judge
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        self.tcp = socket.create_server((address, 53))
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    def _answer(self, packet, ask):
        name, kind, _ = question(packet)
        word = next((w for w in TYPES if TYPES[w] == kind), str(kind))
        what = self.judge(name, word)
        if what == "mute":
            return None
        if what == "servfail":
            return empty(packet, SERVFAIL)
        if what == "denied":
            return empty(packet, NXDOMAIN)
        if callable(what):
            return what(packet)
        answer = ask(packet)
        if what in ("altered", "unsigned"):
            return (altered if what == "altered" else unsigned)(answer)
        return answer

    def _ask_udp(self, packet):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(20)
            s.connect((self.behind, 53))
            s.send(packet)
            return s.recv(65535)

    def _serve_udp(self):
        while True:
            packet, client = self.udp.recvfrom(65535)
            threading.Thread(target=self._one_udp, args=(packet, client),
                             daemon=True).start()

    def _one_udp(self, packet, client):
        try:
            answer = self._answer(packet, self._ask_udp)
            if answer is not None:
                self.udp.sendto(answer, client)
        except (OSError, IndexError, struct.error):
            pass

    def _serve_tcp(self):
        while True:
            client, _ = self.tcp.accept()
            threading.Thread(target=self._one_tcp, args=(client,),
                             daemon=True).start()

    def _one_tcp(self, client):
        def one(stream, packet):
            stream.sendall(struct.pack("!H", len(packet)) + packet)
            return read(stream)

        def read(stream):
            head = _exactly(stream, 2)
            return _exactly(stream, struct.unpack("!H", head)[0])

        try:
            with client, socket.create_connection((self.behind, 53)) as server:
                client.settimeout(30)
                server.settimeout(20)
                while True:
                    answer = self._answer(read(client),
                                          lambda p: one(server, p))
                    if answer is None:
                        return
                    client.sendall(struct.pack("!H", len(answer)) + answer)
        except OSError:
            pass


def _exactly(stream, count):
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            raise OSError("the end")
        data += more
    return data


def ask(server, name, kind, seconds=1, do=False):
    """An answer packet if it has records, else None."""
    flags = struct.pack("!HHHHH", 0x0120, 1, 0, 0, 1 if do else 0)
    packet = os.urandom(2) + flags + wire(name) + struct.pack("!HH", kind, 1)
    if do:
        packet += b"\0" + struct.pack("!HHIH", 41, 4096, 0x8000, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(seconds)
        try:
            s.connect((server, 53))
            s.send(packet)
            got = s.recv(65535)
        except OSError:
            return None
    return got if struct.unpack("!H", got[6:8])[0] else None
