"""A host with a policy of MTA-STS for one.example."""
import json
import subprocess

from forwarder import begins, equal, make_certificate

POLICY_HOST = "127.0.0.20"
RECORD = ('_mta-sts.one.example. 60 IN TXT "v=STSv1; id=1;"\n'
          f"mta-sts.one.example. 60 IN A {POLICY_HOST}\n")


class PolicyHost:
    def __init__(self, policyd, folder, port, mode):
        make_certificate(folder, "policy", "mta-sts.one.example")
        (folder / "zones.json").write_text(json.dumps({
            "version": 1, "zones": [{"name": "one.example", "rules": [],
                                     "catch_all": {
                                         "matchers": [{"type": "all"}],
                                         "actions": [{"type": "drop"}]}}]}))
        (folder / "policyd.conf").write_text(
            f"listen = {POLICY_HOST}:{port}\nrules = zones.json\n"
            f"mode = {mode}\nmx = mx.one.example\nlog = policyd.log\n"
            "tls_certificate = policy.crt\ntls_key = policy.key\n")
        self.log = folder / "policyd.log"
        self.process = subprocess.Popen(
            [policyd, "--config", folder / "policyd.conf"], cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        begins(self.process.stdout.readline().decode(), "ready ")

    def requests(self):
        return len(self.log.read_text().splitlines()) \
            if self.log.exists() else 0

    def stop(self):
        self.process.terminate()
        equal(self.process.wait(20), 0)
        self.process.stdout.close()
