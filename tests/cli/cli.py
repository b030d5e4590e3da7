"""What the tests of the command line tool share: a folder with the files that
--help names, a way to run the tool there, and a count for the summary."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"
sys.path.append(str(HERE.parent / "forwarder"))

import spoolfile  # noqa: E402

# As --help calls them: where they are.
FILES = {
    "message.eml": "cli/message.eml",
    "signed.eml": "cli/signed.eml",
    "zone.txt": "cli/zone.txt",
    "rules.json": "cli/rules.json",
    "rules-new.json": "cli/rules-new.json",
    "secrets.txt": "cli/secrets.txt",
    "mta-sts.txt": "cli/mta-sts.txt",
    "bounce.eml": "cli/bounce.eml",
    "tls-report.json": "cli/tls-report.json",
    "report.xml": "dmarc/rfc9990.xml",
    "old-report.xml": "dmarc/rfc7489.xml",
    "server.pem": "dane/cert.pem",
    "key.pem": "key/rsa2048.pem",
    "ed25519.pem": "key/ed25519.pem",
}


class Folder:
    """A temporary folder; the tool is in the PATH of what runs there."""

    def __init__(self, tool):
        self.tool = str(pathlib.Path(tool).resolve())
        self._temporary = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._temporary.name)
        for name, source in FILES.items():
            shutil.copy(DATA / source, self.path / name)
        self.fill_spool()
        (self.path / "state").mkdir()
        self.env = {"PATH": str(pathlib.Path(self.tool).parent)
                    + ":/usr/local/bin:/usr/bin:/bin"}

    def fill_spool(self):
        """One message, tried once, and one that was put apart."""
        for name in ("messages", "new", "damaged", "requests"):
            (self.path / "spool" / name).mkdir(parents=True)
            (self.path / "spool/quarantine" / name).mkdir(parents=True)
        content = (DATA / "cli/message.eml").read_bytes()
        envelope = spoolfile.relayed(
            arrival=1786752000, more=[(spoolfile.ENVID, "abc"),
                                      (spoolfile.LOG_ID, "1f")])
        record = spoolfile.record(
            (spoolfile.INDEX, 1), (spoolfile.ATTEMPTS, 1),
            (spoolfile.LAST, 1786752001), (spoolfile.NEXT, 1786753801),
            (spoolfile.CODE, 451), (spoolfile.ENHANCED, "4.7.1"),
            (spoolfile.TEXT, "later\x1b[2J"), (spoolfile.HOST, "mx.one.example"))
        (self.path / "spool/messages/0658d4f3e6a800-1f2e3d4c").write_bytes(
            spoolfile.message(envelope, content) + record)
        envelope += [(spoolfile.PLACE, "spam"), (spoolfile.NO_WAY, 1)]
        (self.path / "spool/quarantine/messages/0658d4f3e6a800-1f2e3d4c"
         ).write_bytes(spoolfile.message(envelope, content))

    def fill_ticket(self):
        """What `onward reply` needs: a ticket for a message of today."""
        for name in ("messages", "new", "damaged", "requests"):
            (self.path / "state/spool" / name).mkdir(parents=True)
        (self.path / "tokens.txt").write_text("sixteen octets, or a few more\n")
        (self.path / "asked.json").write_text(json.dumps({
            "version": 1, "zones": [{"name": "example.com", "rules": [
                {"matchers": [{"type": "literal", "field": "to",
                               "value": "desk@example.com"}],
                 "actions": [{"type": "handler", "value": ["desk"]}]}]}]}))
        (self.path / "asked.txt").write_text(
            'a.example TXT "v=spf1 ip4:192.0.2.9 -all"\n'
            '_dmarc.a.example TXT "v=DMARC1; p=reject"\n')
        (self.path / "asked.eml").write_text(
            "From: Ann <ann@a.example>\nTo: desk@example.com\n"
            "Message-ID: <one@a.example>\nSubject: hi\n\nHello.\n")
        (self.path / "answer.eml").write_text(
            "From: desk@example.com\nTo: ann@a.example\nSubject: Re: hi\n"
            "Message-ID: <two@example.com>\nIn-Reply-To: <one@a.example>\n"
            "Auto-Submitted: auto-replied\n\nYes.\n")
        asked = self.run(
            ["event", "--from", "ann@a.example", "--to", "desk@example.com",
             "--rules", "asked.json", "--dns", "asked.txt", "--ip", "192.0.2.9",
             "--handler", "true", "--token-secret", "tokens.txt", "asked.eml"])
        ticket = json.loads(asked.stdout)["events"][0]["ticket"]
        (self.path / "ticket.txt").write_text(ticket + "\n")

    def run(self, args, data=b""):
        """args: a list."""
        return subprocess.run([self.tool, *args], input=data, env=self.env,
                              cwd=self.path, capture_output=True, timeout=60)

    def shell(self, line):
        return subprocess.run(["sh", "-c", line], env=self.env, cwd=self.path,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60)


class Count:
    def __init__(self):
        self.good = 0
        self.bad = 0

    def check(self, name, faults):
        """faults: texts; none is a pass."""
        if faults:
            self.bad += 1
            print(f"{name}: " + "\n    ".join(faults))
        else:
            self.good += 1

    def finish(self):
        print(f"[  PASSED  ] {self.good} test(s).")
        if self.bad or not self.good:
            print(f"[  FAILED  ] {self.bad} test(s).")
            sys.exit(1)
