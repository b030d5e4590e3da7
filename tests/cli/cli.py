"""What the tests of the command line tool share: a folder with the files that
--help names, a way to run the tool there, and a count for the summary."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"

# As --help calls them: where they are.
FILES = {
    "message.eml": "cli/message.eml",
    "signed.eml": "cli/signed.eml",
    "zone.txt": "cli/zone.txt",
    "rules.json": "cli/rules.json",
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
        self.env = {"PATH": str(pathlib.Path(self.tool).parent)
                    + ":/usr/local/bin:/usr/bin:/bin"}

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
