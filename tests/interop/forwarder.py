"""Runs onward-forwarder from the configuration that a test writes."""
import json
import os
import re
import signal

from world import Failed, Process, wait_for


class Forwarder:
    """A running forwarder. Rules are a Python object, DNS is a list of lines
    (None: the real one), settings are configuration keys; a list as value
    writes the key again."""

    def __init__(self, program, folder, rules, dns, env=None, **settings):
        self.folder = folder
        os.makedirs(folder)
        self._write("rules.json", json.dumps(rules, indent=2))
        settings.setdefault("state", "state")
        lines = ["rules = rules.json"]
        if dns is not None:
            self._write("dns", "\n".join(dns) + "\n")
            lines.append("dns = dns")
        for key, value in settings.items():
            for item in value if isinstance(value, list) else [value]:
                lines.append(f"{key} = {item}")
        self._write("config", "\n".join(lines) + "\n")
        self.argv = [program, "--config", os.path.join(folder, "config")]
        self.env = dict(os.environ, UBSAN_OPTIONS="halt_on_error=1",
                        **(env or {}))
        self.out = os.path.join(folder, "out")
        self.process = None
        self.port = None

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)

    def start(self):
        with open(self.out, "ab") as out:
            self.process = Process(self.argv, self.folder + "/err",
                                   env=self.env, stdout=out)

        def ready():
            if not self.process.running():
                raise Failed("the forwarder ended: " + self.said())
            with open(self.out) as f:
                return re.search(r"^ready \S+:(\d+)", f.read(), re.M)
        try:
            self.port = int(wait_for("the forwarder's ready line",
                                     ready, 60).group(1))
        except Failed:
            self.process.stop()
            raise
        return self

    def said(self):
        """The end of what it logged, for a failure's text."""
        with open(self.out, errors="replace") as f:
            return f.read()[-4000:] + self.process.tail()

    def stop(self):
        """SIGTERM; its exit status, which is 0 when all is well."""
        self.process.signal(signal.SIGTERM)
        return self.process.stop(60)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        status = self.stop()
        if kind is None and status != 0:
            raise Failed(f"the forwarder ended with {status}: {self.said()}")
