#!/usr/bin/python3
"""signing_peer.py ZONE < message: what dkimpy says of each DKIM signature, the
topmost first, and of the ARC chain, with the TXT records of that file. Exit 77:
it is not here."""
import re
import sys

try:
    import dkim
    import nacl  # noqa: F401  dkimpy's ed25519
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

RECORDS = {}
with open(sys.argv[1]) as zone:
    for line in zone:
        found = re.match(r'(\S+?)\.? (?:\d+ )?(?:IN )?TXT (".*)', line)
        if found:
            RECORDS[found[1].lower()] = "".join(
                re.findall(r'"([^"]*)"', found[2]))


def ask(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    text = RECORDS.get(name.lower().rstrip("."))
    return None if text is None else text.encode()


message = sys.stdin.buffer.read()
count = len(re.findall(rb"^dkim-signature:", message.split(b"\r\n\r\n")[0],
                       re.I | re.M))
for i in range(count):
    d = dkim.DKIM(message)
    good = d.verify(idx=i, dnsfunc=ask)
    print("pass" if good else "fail", d.signature_fields[b"d"].decode(),
          d.signature_fields[b"s"].decode())
print("arc", dkim.ARC(message).verify(dnsfunc=ask)[0].decode())
