"""What the house tests share: where things are, which module is on which
floor, and a way to say what is wrong."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# doc/architecture.md: a module may use only modules on floors below its own.
FLOORS = {
    0: ["core"],
    1: ["channel", "store", "address", "key"],
    2: ["mime", "dns", "tls", "token", "throttle"],
    3: ["spf", "dkim", "authres", "smtp", "ruleset", "dnslist",
        "srs"],
    4: ["arc", "dmarc", "mtasts", "dane", "tlsrpt", "dsn"],
    5: ["verify", "egress", "handler"],
    6: ["relay", "webhook"],
}
FLOOR = {m: f for f, modules in FLOORS.items() for m in modules}

WARNINGS = ("-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef "
            "-Wformat=2 -Wpadded -Werror").split()


def module_of_header(name):
    """include/onward/smtp_server.h belongs to smtp."""
    stem = name.removesuffix(".h")
    while stem and stem not in FLOOR:
        stem = stem.rpartition("_")[0]
    return stem


def run(argv, **kwargs):
    return subprocess.run([str(a) for a in argv], text=True,
                          capture_output=True, **kwargs)


def need(argv, **kwargs):
    """Run a step that has to work for the test to make sense."""
    done = run(argv, **kwargs)
    if done.returncode != 0:
        print(" ".join(str(a) for a in argv))
        print(done.stdout + done.stderr)
        sys.exit(1)
    return done.stdout


def finish(faults, good):
    for fault in faults:
        print(fault)
    if faults:
        sys.exit(1)
    print(good)
