"""A network namespace with nothing but loopback, in which all addresses are
ours: the real ports 25, 53 and 443, and public addresses that lead nowhere
else. The machine's own network and /etc/resolv.conf are not touched."""
import os
import shutil
import subprocess
import sys

INSIDE = "ONWARD_INET_INSIDE"
# Never announced to the world at the time of writing, and it would not matter.
PREFIX = "11.22"
PREFIX6 = "2a0f:ffff::"
PRIVATE = "10.0.0.1"  # somebody listens there, who must never be met
AUTHORITY = PREFIX + ".53.1"
FAULTY = PREFIX + ".53.2"
MUTE = PREFIX + ".53.3"
BEHIND = PREFIX + ".53.4"  # of these two
POLICY = PREFIX + ".2.1"
POLICYD = PREFIX + ".2.3"
POLICY_REFUSED = PREFIX + ".2.2"
VALIDATING = "127.0.0.1"  # the resolver that resolv.conf names
PLAIN = "127.0.0.2"       # one that validates nothing itself
LIAR = "127.0.0.3"        # the attacker's


def _works(argv):
    try:
        return subprocess.run(argv + ["true"], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=20,
                              check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def why_not():
    """Why there can be no namespace here, or None."""
    for tool in ("unshare", "ip", "mount"):
        if not shutil.which(tool):
            return f"no {tool}"
    return None if _way() else "no namespaces may be made here"


def _way():
    """Best is one whose processes all end with it, however it ends."""
    plain = ["unshare", "--net", "--mount"]
    mapped = plain + ["--user", "--map-root-user"]
    whole = ["--pid", "--fork", "--kill-child", "--mount-proc"]
    ways = (plain + whole, plain, mapped + whole, mapped)
    return next((w for w in ways if _works(w)), None)


def is_inside():
    return os.environ.get(INSIDE) is not None


def is_mapped():
    """Whether our root is a user's, which Postfix cannot live with."""
    return os.environ.get(INSIDE) == "mapped"


def enter():
    """Run this program again inside; its exit status."""
    way = _way()
    env = dict(os.environ)
    env[INSIDE] = "mapped" if "--user" in way else "root"
    return subprocess.run(way + [sys.executable, *sys.argv], env=env,
                          check=False).returncode


def _ip(*words):
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


def set_up(folder):
    """Inside: loopback up, our addresses, the resolver for all programs."""
    with open("/proc/net/dev", encoding="ascii") as f:
        names = [line.split(":")[0].strip() for line in f if ":" in line]
    if [n for n in names if n != "lo" and not _is_down(n)]:
        raise RuntimeError(f"this network is not ours alone: {names}")
    _ip("link", "set", "lo", "up")
    _ip("route", "add", "local", PREFIX + ".0.0/16", "dev", "lo")
    _ip("addr", "add", PRIVATE + "/32", "dev", "lo")
    path = os.path.join(folder, "resolv.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"nameserver {VALIDATING}\noptions trust-ad edns0\n")
    subprocess.run(["mount", "--bind", path, "/etc/resolv.conf"], check=True)


def _is_down(name):
    """Some kernels put idle tunnels into each namespace."""
    with open(f"/sys/class/net/{name}/flags", encoding="ascii") as f:
        return not int(f.read(), 16) & 1


def add_ip6(address):
    _ip("-6", "addr", "add", address + "/128", "dev", "lo", "nodad")


def give_addresses(hosts):
    """Each host its own."""
    for n, host in enumerate(hosts.values(), 1):
        host.ip = PRIVATE if "private" in host.offers else \
            f"{PREFIX}.1.{n}"
        if {"ipv6", "ipv6-refused"} & set(host.offers):
            host.ip6 = PREFIX6 + format(n, "x")
