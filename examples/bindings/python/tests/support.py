"""What the tests share."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import onward  # noqa: E402

DATA = HERE.parents[3] / "tests/data"
ZONE = DATA / "cli/zone.txt"
SIGNED = onward.crlf((DATA / "cli/signed.eml").read_bytes())
PLAIN = onward.crlf((DATA / "cli/message.eml").read_bytes())
RULES = (DATA / "cli/rules.json").read_text()
RSA = (DATA / "key/rsa2048.pem").read_text()
CLIENT = {"ip": "192.0.2.1", "helo": "mail.example.com",
          "mail_from": "alice@example.com"}


def from_zone(name, kind):
    """Records of the zone's file by a function: lines as dig prints them."""
    lines = [line for line in ZONE.read_text().splitlines()
             if line.split(" ")[0] == name + "."]
    return "\n".join(lines) if lines else None


class World:
    """What relay() wants, and what came out of it."""

    def __init__(self):
        self.delivered = []
        self.submitted = []

    def relay(self, rcpt_to, message=SIGNED, **options):
        options.setdefault("deliver", self.delivered.append)
        options.setdefault("submit", self.submitted.append)
        return onward.relay(
            message, rules=RULES, rcpt_to=rcpt_to, hostname="mx.example.com",
            dns=ZONE, **{**CLIENT, **options})
