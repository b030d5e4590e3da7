"""onward-policyd as the policy host of the domains that say "host-policyd": a
provider that takes mail for many and has one policy for all."""
import json
import os

import net
from tools import ENV
from world import Failed, Process, wait_for

ADDRESS = net.POLICYD + ":443"


class Provider:
    def __init__(self, program, folder, scenarios, certificates):
        os.makedirs(folder + "/certificates")
        self.folder = folder
        served = [s for s in scenarios if s.policy.has("host-policyd")]
        for s in served:
            name = f"mta-sts.{s.domain}"
            at = f"{folder}/certificates/{name}"
            os.makedirs(at)
            cert, key = certificates.make("policyd-" + name, "ca", [name])
            os.symlink(cert, at + "/fullchain.pem")
            os.symlink(key, at + "/privkey.pem")
        with open(folder + "/rules.json", "w", encoding="ascii") as f:
            json.dump({"version": 1, "zones": [
                {"name": s.domain, "rules": []} for s in served]}, f)
        policy = served[0].policy
        with open(folder + "/policyd.conf", "w", encoding="ascii") as f:
            f.write(f"listen = {ADDRESS}\nrules = rules.json\n"
                    f"mode = {policy.mode}\nmax_age_s = 86400\n" +
                    "".join(f"mx = {p}\n" for p in policy.mx) +
                    "certificates = certificates\nlog = log\n")
        self.argv = [program, "--config", folder + "/policyd.conf"]

    def start(self):
        with open(self.folder + "/out", "ab") as out:
            self.process = Process(self.argv, self.folder + "/err", env=ENV,
                                   stdout=out)

        def ready():
            if not self.process.running():
                raise Failed("onward-policyd ended: " + self.process.tail())
            return os.path.getsize(self.folder + "/out") > 0
        wait_for("onward-policyd's ready line", ready)

    def stop(self):
        """What is wrong with its end."""
        status = self.process.stop()
        return [] if status == 0 else [
            f"onward-policyd ended with {status}: {self.process.tail()}"]
