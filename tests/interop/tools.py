"""Runs onward-sink and onward-send, the two ends that interop programs meet."""
import json
import os
import re
import subprocess

from world import Failed, Process, wait_for

ENV = dict(os.environ, UBSAN_OPTIONS="halt_on_error=1")


class Sink:
    """A running sink with a folder of its own; options are those of the
    program."""

    def __init__(self, program, folder, *options):
        self.folder = folder
        os.makedirs(folder)
        self.argv = [program, "--folder", folder, *options]
        self.out = os.path.join(folder, "out")
        self.process = None
        self.port = None
        self.seen = 0

    def start(self):
        with open(self.out, "ab") as out:
            self.process = Process(self.argv, self.folder + "/err", env=ENV,
                                   stdout=out)

        def ready():
            if not self.process.running():
                raise Failed("the sink ended: " + self.process.tail())
            with open(self.out) as f:
                return re.search(r"^ready \S+:(\d+)", f.read(), re.M)
        try:
            self.port = int(wait_for("the sink's ready line", ready).group(1))
        except Failed:
            self.process.stop()
            raise
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        status = self.process.stop()
        if kind is None and status != 0:
            raise Failed(f"the sink ended with {status}: "
                         f"{self.process.tail()}")

    def envelopes(self):
        with open(self.folder + "/messages.jsonl") as f:
            return [json.loads(line) for line in f.read().splitlines()]

    def message(self, envelope):
        with open(os.path.join(self.folder, envelope["file"]), "rb") as f:
            return f.read()

    def next(self, seconds=15):
        """(envelope, octets) of the next message that comes."""
        def look():
            got = self.envelopes()
            return got[self.seen] if len(got) > self.seen else None
        envelope = wait_for("a message at the sink", look, seconds)
        self.seen += 1
        return envelope, self.message(envelope)


class Sent:
    """What onward-send did; facts is its JSON, None without."""

    def __init__(self, done):
        self.status = done.returncode
        self.said = done.stderr.decode("utf-8", "replace")
        self.text = done.stdout.decode("utf-8", "replace")
        self.facts = (json.loads(self.text) if self.text.startswith("{")
                      else None)


def send(program, message, *options, json_too=True, timeout=60):
    """message: octets; options end with HOST:PORT."""
    argv = [program, *(["--json"] if json_too else []), *options, "-"]
    return Sent(subprocess.run(argv, input=message, env=ENV,
                               capture_output=True, timeout=timeout))
