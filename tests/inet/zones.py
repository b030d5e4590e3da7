"""The DNS of the local internet: a root of its own, signed by ldns, served by
NSD, resolved by Unbound.

sec     signed
ins     not signed, which the root says
bogus   signed, by another key than the root says
late    signed, for a time that is over
faulty  signed, and served by somebody who alters answers
mute    signed, and served by somebody who does not answer all questions
"""
import os
import re
import subprocess
import time

import debs
import net
from table import TOP
from world import Process, wait_for

ZONES = ("sec", "ins", "bogus", "late", "faulty", "mute")
TEST = TOP[1:]
SERVERS = {"faulty": net.FAULTY, "mute": net.MUTE}
REPORTS = '"v=TLSRPTv1; rua=mailto:tls@reports.sec.example"'


def _absolute(name):
    return name + "."


class Records:
    """The lines of all zones; faults: what the faulty server does to which
    question."""

    def __init__(self, hosts, scenarios, certificates):
        self.lines = {zone: [] for zone in ZONES}
        self.faults = {}
        for host in hosts.values():
            self._host(host, certificates)
        for s in scenarios:
            if s.kind != "no-name":
                self._domain(s)
        self.add("sender.sec.example", "TXT", '"v=spf1 ip4:127.0.0.0/8 -all"')
        # The shape of a provider's announcement, behind its customers' CNAMEs.
        self.add("_mta-sts.mx.provider.sec.example", "TXT",
                 '"v=STSv1; id=20230615T153000;"')

    def add(self, name, kind, data):
        zone = name[:-len(TOP)].rsplit(".", 1)[-1]
        self.lines[zone].append(f"{_absolute(name)} 300 IN {kind} {data}")

    def _host(self, host, certificates):
        name = host.name
        if host.alias:
            self.add(name, "CNAME", _absolute(host.alias))
        elif "no-address" in host.offers:
            self.add(name, "TXT", '"no address"')
        else:
            self.add(name, "A", host.ip)
            if host.ip6:
                self.add(name, "AAAA", host.ip6)
        tlsa = host.tlsa
        at = f"_25._tcp.{name}"
        if tlsa.fault:
            self.faults[(at, "TLSA")] = tlsa.fault
        if tlsa.alias:
            to = f"tlsa-{host.label}.{tlsa.alias}{TOP}"
            self.add(at, "CNAME", _absolute(to))
            at = to
        for record in tlsa.records:
            self.add(at, "TLSA", certificates.tlsa(host, record))

    def _domain(self, s):
        name = s.domain
        if s.kind == "null":
            self.add(name, "MX", "0 .")
        elif s.kind == "alias":
            self.add(name, "CNAME", _absolute(s.alias))
        for preference, host in s.mx:
            self.add(name, "MX", f"{preference} {_absolute(host + TOP)}")
        if s.mx_fault:
            self.faults[(name, "MX")] = s.mx_fault
        if s.kind != "alias":
            self.add(f"_smtp._tls.{name}", "TXT", REPORTS)
        if s.policy.mode:
            self._policy(s)

    def _policy(self, s):
        policy, at, host = s.policy, f"_mta-sts.{s.domain}", f"mta-sts.{s.domain}"
        if policy.has("txt-cname"):
            self.add(at, "CNAME", "_mta-sts.mx.provider.sec.example.")
        elif policy.has("txt-bad"):
            self.add(at, "TXT", '"v=STSv1;"')
        elif not policy.has("txt-none"):
            self.add(at, "TXT", '"v=STSv1; id=1;"')
            if policy.has("txt-two"):
                self.add(at, "TXT", '"v=STSv1; id=2;"')
        if not policy.has("host-none"):
            self.add(host, "A",
                     net.POLICY_REFUSED if policy.has("host-refused") else
                     net.PRIVATE if policy.has("host-private") else
                     net.POLICYD if policy.has("host-policyd") else
                     net.POLICY)


class Dns:
    """NSD and two resolvers."""

    def __init__(self, folder, cache):
        self.folder = folder
        os.makedirs(folder)
        self.trees = {name: debs.unpack(name, cache)
                      for name in ("nsd", "ldnsutils", "unbound")}
        self.anchor = os.path.join(folder, "root.anchor")
        self.processes = []

    def _tool(self, *argv):
        tree = self.trees["ldnsutils"]
        got = subprocess.run(
            [f"{tree}/usr/bin/{argv[0]}", *argv[1:]], cwd=self.folder,
            env={"LD_LIBRARY_PATH": debs.library_path(tree)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=60)
        if got.returncode != 0:
            raise RuntimeError(f"{argv}: {got.stderr}")
        return got.stdout.strip()

    def _write(self, name, lines):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        return path

    def _new_key(self, zone):
        """Its name without ending; it signs all of a zone."""
        return self._tool("ldns-keygen", "-a", "ECDSAP256SHA256", "-k",
                          "-r", "/dev/urandom", zone)

    def _ds(self, key):
        return self._tool("ldns-key2ds", "-n", "-f", "-2", key + ".key")

    def _sign(self, zone, path, key, is_late=False):
        now = time.time()
        begin, end = (now - 9 * 86400, now - 2 * 86400) if is_late else \
            (now - 86400, now + 7 * 86400)
        stamp = "%Y%m%d%H%M%S"
        self._tool("ldns-signzone", "-o", zone,
                   "-i", time.strftime(stamp, time.gmtime(begin)),
                   "-e", time.strftime(stamp, time.gmtime(end)),
                   "-f", path + ".signed", path, key)
        return path + ".signed"

    def publish(self, records):
        """Zone files, signed, and the root's anchor."""
        soa = "3600 IN SOA ns.example. root.example. 1 3600 900 604800 60"
        root = [f". {soa}", ". 3600 IN NS ns.example.",
                f"ns.example. 3600 IN A {net.AUTHORITY}"]
        self.files = {}
        for zone in ZONES:
            name = f"{zone}.{TEST}."
            server = f"ns-{zone}.{TEST}."
            lines = [f"{name} {soa}", f"{name} 3600 IN NS {server}"]
            path = self._write(zone, lines + records.lines[zone])
            root += [f"{name} 3600 IN NS {server}", f"{server} 3600 IN A "
                     f"{SERVERS.get(zone, net.AUTHORITY)}"]
            if zone == "ins":
                self.files[name] = path
                continue
            key = self._new_key(name)
            self.files[name] = self._sign(name, path, key, zone == "late")
            root.append(self._ds(self._new_key(name) if zone == "bogus"
                                 else key))
        key = self._new_key(".")
        self.files["."] = self._sign(".", self._write("root", root), key)
        with open(f"{self.folder}/{key}.key", encoding="ascii") as f:
            self._write("root.anchor", [re.sub(r";.*", "", f.read()).strip()])
        self._write("root.hints", [". 3600000 IN NS ns.example.",
                                   f"ns.example. 3600000 IN A {net.AUTHORITY}"])

    def _start(self, name, tree, argv):
        self.processes.append(Process(
            argv, f"{self.folder}/{name}.log",
            env={"LD_LIBRARY_PATH": debs.library_path(tree),
                 "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}))

    def _unbound(self, address, is_validating):
        modules = "validator iterator" if is_validating else "iterator"
        path = self._write(f"unbound-{address}.conf", [
            "server:", f" interface: {address}", ' username: ""',
            ' chroot: ""', f' directory: "{self.folder}"', ' pidfile: ""',
            " do-daemonize: no", " use-syslog: no", " verbosity: 1",
            " access-control: 0.0.0.0/0 allow", " do-ip6: no",
            ' root-hints: "root.hints"', f' module-config: "{modules}"',
            f' trust-anchor-file: "{self.anchor}"' if is_validating else "",
            " do-not-query-localhost: no", " num-threads: 1",
            " qname-minimisation: no", " infra-host-ttl: 1",
            "remote-control:", " control-enable: no"])
        tree = self.trees["unbound"]
        self._start(f"unbound-{address}", tree,
                    [f"{tree}/usr/sbin/unbound", "-d", "-c", path])

    def _nsd(self, address, files):
        tree = self.trees["nsd"]
        base = f"{self.folder}/nsd-{address}"
        path = self._write(f"nsd-{address}.conf", [
            "server:", f" ip-address: {address}", ' username: ""',
            f' zonesdir: "{self.folder}"', ' database: ""', ' pidfile: ""',
            f' xfrdfile: "{base}.state"', f' zonelistfile: "{base}.list"',
            f' xfrdir: "{self.folder}"', " server-count: 1",
            "remote-control:", " control-enable: no"] + [
            f'zone:\n name: "{name}"\n zonefile: "{path}"'
            for name, path in files.items()])
        self._start(f"nsd-{address}", tree,
                    [f"{tree}/usr/sbin/nsd", "-d", "-c", path])

    def start(self):
        # Whoever serves a parent and its child answers for the child, so what
        # is to be asked elsewhere is served elsewhere.
        behind = {f"{zone}.{TEST}." for zone in SERVERS}
        self._nsd(net.AUTHORITY, {n: f for n, f in self.files.items()
                                  if n not in behind})
        self._nsd(net.BEHIND, {n: f for n, f in self.files.items()
                               if n in behind})
        self._unbound(net.VALIDATING, True)
        self._unbound(net.PLAIN, False)
        from dnsfault import ask  # a question by hand
        for address in (net.VALIDATING, net.PLAIN):
            wait_for(f"{address} to resolve",
                     lambda a=address: ask(a, "good.sec.example", 1), 20)

    def stop(self):
        for process in self.processes:
            process.stop(3)
