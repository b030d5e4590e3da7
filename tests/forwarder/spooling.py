"""A forwarder with a spool, and `onward` beside it; who imports this is run as
NAME.py PROGRAM ONWARD [CASE...]."""
import json
import os
import subprocess
import sys

from forwarder import Forwarder, equal, until

ONWARD = os.path.abspath(sys.argv.pop(2))


def zone(f, more=""):
    text = (f.path / "zone.txt").read_text()
    f.write("zone.txt", text + "sender.example. 60 IN MX 10 mx.sender.example.\n"
            "mx.sender.example. 60 IN A 127.0.0.13\n"
            "*.srs.example. 60 IN A 127.0.0.14\n" + more)


class Spooling(Forwarder):
    def __init__(self, program, **settings):
        super().__init__(program)
        zone(self)
        self.settings.update({"relay": "spool", **settings})

    def queue(self, *args, status=0, what="queue"):
        """What `onward queue` prints."""
        done = subprocess.run(
            [ONWARD, what, args[0], "--spool", self.path / "state/spool",
             *args[1:]], capture_output=True, timeout=30)
        equal((done.returncode, done.stderr if status == 0 else b""),
              (status, b""))
        return (done.stdout + done.stderr).decode()

    def list(self):
        return [json.loads(line)
                for line in self.queue("list", "--json").splitlines()]

    def files(self, folder="messages"):
        path = self.path / "state/spool" / folder
        return sorted(p.name for p in path.iterdir()) if path.exists() else []

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def quiet(self, seconds=10):
        """Nothing waits any more."""
        return until(lambda: not self.files(), seconds)
