#!/usr/bin/env python3
"""standalone.py LIBONWARD.a BUILD: each program in tests/standalone includes
one header only, links the static library, and draws in object files of its
own floor chain only. A program without TLS needs no GnuTLS."""
import pathlib
import re
import sys
import tempfile

from house import FLOOR, ROOT, finish, module_of_header, need, run

# What each module stands on, directly. A module that is not listed stands on
# core alone.
USES = {
    "key": ["core"],
    "mime": ["core", "address"],
    "dns": ["core"],
    "tls": ["core", "channel", "key"],
    "token": ["core", "key", "address"],
    "srs": ["core", "key", "address", "token", "store"],
    "spf": ["core", "dns", "address"],
    "dkim": ["core", "dns", "key", "mime", "address"],
    "authres": ["core", "address"],
    "smtp": ["core", "channel", "tls", "address", "mime"],
    "ruleset": ["core", "address"],
    "arc": ["core", "dkim", "authres"],
    "dnslist": ["core", "dns"],
    "throttle": ["core", "store"],
    "dmarc": ["core", "dns", "address"],
    "dane": ["core", "dns", "tls"],
    "mtasts": ["core", "channel", "store", "dns", "tls"],
    "dsn": ["core", "mime"],
    "tlsrpt": ["core", "mime"],
    "verify": ["core", "spf", "dkim", "arc", "dmarc", "authres"],
    "egress": ["core", "dns", "address", "tls", "dane", "mtasts"],
    "handler": ["core", "mime", "address", "ruleset", "dsn", "dmarc", "token"],
    "webhook": ["core", "verify", "mime", "address", "key"],
    "relay": ["core", "verify", "handler", "smtp", "ruleset", "srs",
              "store", "mime", "authres", "arc", "address"],
}
LIBS = ["-lnettle", "-lhogweed", "-lgmp", "-lidn2", "-lunistring", "-lpsl"]


def chain(module, seen=None):
    seen = set() if seen is None else seen
    if module not in seen:
        seen.add(module)
        for other in USES.get(module, ["core"]):
            chain(other, seen)
    return seen


def main():
    archive = pathlib.Path(sys.argv[1]).resolve()
    faults = []
    programs = sorted((ROOT / "tests" / "standalone").glob("*.c"))
    flags = []
    if b"__asan_init" in archive.read_bytes():
        flags = ["-fsanitize=address,undefined"]
    for program in programs:
        module = program.stem
        allowed = chain(module)
        headers = re.findall(r"#include <onward/(\w+\.h)>", program.read_text())
        if {module_of_header(h) for h in headers} != {module}:
            faults.append(f"{program.name}: must include its own header only")
        with tempfile.TemporaryDirectory() as tmp:
            libs = LIBS + (["-lgnutls"] if "tls" in allowed else [])
            need(["cc", "-std=c11", "-Wall", "-Werror", *flags,
                  f"-I{ROOT}/include", program, archive,
                  f"-Wl,-Map={tmp}/map", "-o", f"{tmp}/program", *libs])
            text = pathlib.Path(tmp, "map").read_text(errors="replace")
            done = run([f"{tmp}/program"])
            if done.returncode != 0:
                faults.append(f"{program.name} exits {done.returncode}: "
                              f"{done.stdout}{done.stderr}")
        members = set(re.findall(r"libonward\.a\(([^)]+)\.o\)", text))
        if not members:
            faults.append(f"{program.name}: no object file in its link map")
        for member in sorted(members):
            # meson names an object FOLDER_FILE.c.o
            owner = member.split("_")[0]
            if owner not in allowed:
                faults.append(f"{module} draws in {member}")
    missing = set()
    for header in (ROOT / "include" / "onward").glob("*.h"):
        if "\nONWARD_API" in header.read_text():
            missing.add(module_of_header(header.name))
    missing -= {p.stem for p in programs}
    for module in sorted(missing):
        faults.append(f"tests/standalone/{module}.c is missing")
    finish(faults, f"{len(programs)} modules stand alone")


main()
