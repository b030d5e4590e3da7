#!/usr/bin/env python3
"""manual.py PROGRAM SETTINGS MANUAL: the manual page has every key of the
configuration once, and no other; its example can be used."""
import os
import re
import sys

from forwarder import Forwarder, make_certificate

with open(sys.argv[2]) as f:
    KEYS = set(re.findall(r'\{\.name = "(\w+)"', f.read()))
with open(sys.argv[3]) as f:
    MANUAL = f.read()
NAMED = re.findall(r"^\.It Cm (\w+) No =", MANUAL, re.M)


def faults():
    if not KEYS:
        yield "no keys found"
    for name in sorted(KEYS - set(NAMED)):
        yield f"{name} is not in the manual page"
    for name in sorted(set(NAMED) - KEYS):
        yield f"{name} is no key"
    for name in sorted({n for n in NAMED if NAMED.count(n) > 1}):
        yield f"{name} stands twice"
    yield from example_faults()


def example_faults():
    """With paths and the user of this machine."""
    text = re.search(r"^\.Sh EXAMPLES\n\.Bd -literal.*?\n(.*?)^\.Ed", MANUAL,
                     re.M | re.S).group(1)
    text = re.sub(r"^user = .*", "user = nobody", text, flags=re.M)
    with Forwarder(sys.argv[1]) as f:
        make_certificate(f.path, "tls", "mx.example.com")
        text = re.sub(r"= /\S+\.pem$", "= tls.crt", text, flags=re.M)
        text = re.sub(r"= /\S+\.key$", "= tls.key", text, flags=re.M)
        f.write("srs.secret", "a secret\n")
        f.write("forwarder.conf", text)
        done = f.run("--config", "forwarder.conf", "--check",
                     env=dict(os.environ, STATE_DIRECTORY=str(f.path / "state")))
        if done.returncode != 0:
            yield f"the example: {done.stderr.decode()}"


bad = list(faults())
print("\n".join(bad))
print(f"[  {'FAILED' if bad else 'PASSED'}  ] {max(len(bad), 1)} test(s).")
sys.exit(bool(bad))
