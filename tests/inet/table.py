"""Reads hosts.txt and scenarios.txt: who there is in the local internet, what
everybody publishes, and what has to come of a message."""
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = ".example"


class Wrong(Exception):
    """A line of a table cannot be read."""


class Tlsa:
    """What stands at _25._tcp of a host: records, where they are, and what
    happens to the answer."""
    FAULTS = ("servfail", "altered", "unsigned", "denied", "mute")

    def __init__(self, text):
        words = text.split()
        self.fault = words.pop(0) if words and words[0] in self.FAULTS else None
        self.alias = None
        if words and words[0] == "cname":
            self.alias, words = words[1], words[2:]
        self.records = []
        for item in filter(None, " ".join(words).split(",")):
            usage, selector, matching, of = item.split()
            self.records.append((int(usage), int(selector), int(matching), of))


class Host:
    """A mail server. addresses are given out by net.py's plan."""

    def __init__(self, name, offers="tls", cert="ca", tlsa=""):
        self.label, self.zone = name.rsplit(".", 1)
        self.key = name
        self.name = name + TOP
        self.offers = offers.split()
        self.alias = None
        if self.offers[:1] == ["alias"]:
            self.alias = self.offers[1] + TOP
            self.offers = []
        got = re.fullmatch(r"(\w+)(?::([^/]*))?(?:/(.*))?", cert or "none")
        if not got:
            raise Wrong(f"certificate {cert}")
        self.issuer = got[1]
        self.names = got[2].split(",") if got[2] else [self.name]
        self.cert_words = (got[3] or "").split()
        self.tlsa = Tlsa(tlsa)
        self.ip = self.ip6 = None

    @property
    def listens(self):
        return not ({"refused", "no-address"} & set(self.offers) or self.alias)


class Policy:
    """What a domain publishes for MTA-STS."""

    def __init__(self, text):
        words = text.split()
        self.mode = words[0] if words else None
        self.words = [w for w in words[1:]
                      if re.match(r"(txt|host|cert|http|policy)-", w)]
        self.mx = [w for w in words[1:] if w not in self.words]

    def has(self, word):
        return word in self.words

    def has_bad_certificate(self):
        return any(w.startswith("cert-") for w in self.words)

    def body(self):
        lines = ["version: STSv1", f"mode: {self.mode}"]
        lines += [f"mx: {p}" for p in self.mx] + ["max_age: 86400"]
        if self.has("policy-version"):
            lines[0] = "version: STSv2"
        if self.has("policy-mode"):
            lines[1] = "mode: strict"
        if self.has("policy-no-mx"):
            lines = [line for line in lines if not line.startswith("mx:")]
        return "\r\n".join(lines) + "\r\n"


class Outcome:
    """What must come of a message: levels that are all right, at whom."""

    def __init__(self, text):
        words = text.split()
        self.text = text
        self.kinds = words[0].split("|")
        self.host = self.family = self.codes = self.enhanced = None
        if self.kinds[0] in ("plain", "tls", "pkix", "dane", "defer") and \
                len(words) > 1:
            self.key = words[1]
            self.host = words[1] + TOP
            self.family = words[2] if len(words) > 2 else None
        elif self.kinds[0] == "bounce":
            self.codes = [int(c) for c in words[1].split("|")] \
                if len(words) > 1 else None
            self.enhanced = words[2].split("|") if len(words) > 2 else None
        known = {"plain", "tls", "pkix", "dane", "defer", "bounce", "unsent"}
        if not set(self.kinds) <= known:
            raise Wrong(f"outcome {text}")

    @property
    def is_safe(self):
        """Whether less than TLS may never do."""
        return not {"plain", "tls"} & set(self.kinds)


class Scenario:
    def __init__(self, fields):
        (name, mx, sts, asks, outcome, report, self.section) = fields
        self.label, self.zone = name.rsplit(".", 1)
        self.key = name
        self.domain = name + TOP
        self.alias = self.mx_fault = None
        self.kind = "mx"
        words = mx.split()
        if mx in ("null", "none", "no-name"):
            self.kind, mx = mx, ""
        elif words[0] == "alias":
            self.kind, self.alias, mx = "alias", words[1] + TOP, ""
        elif words[0] in ("servfail", "altered", "mute"):
            self.mx_fault, mx = words[0], " ".join(words[1:])
        self.mx = [(int(p), h) for p, h in
                   (item.split() for item in filter(None, mx.split(",")))]
        self.policy = Policy(sts)
        self.asks = asks
        self.outcome = Outcome(outcome)
        self.report = [] if report == "-" else [
            tuple(set(part.split("|")) for part in item.split())
            for item in report.split(",")]
        self.rcpt = f"bob@{self.domain}"


def _lines(path, mark):
    with open(os.path.join(HERE, path), encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            if line.strip() and not line.startswith("#"):
                yield (f"{path}:{number}",
                       [field.strip() for field in line.split(mark)])


def read():
    """(hosts by key, scenarios); Wrong names the line."""
    hosts, scenarios = {}, []
    for where, fields in _lines("hosts.txt", "|"):
        try:
            host = Host(*fields)
        except (ValueError, TypeError) as e:
            raise Wrong(f"{where}: {e}") from None
        if host.key in hosts:
            raise Wrong(f"{where}: twice")
        hosts[host.key] = host
    seen = set()
    for where, fields in _lines("scenarios.txt", ";"):
        try:
            s = Scenario(fields)
        except (ValueError, TypeError, IndexError) as e:
            raise Wrong(f"{where}: {e}") from None
        if s.key in seen:
            raise Wrong(f"{where}: twice")
        seen.add(s.key)
        for _, host in s.mx:
            if host not in hosts:
                raise Wrong(f"{where}: there is no host {host}")
        if s.kind == "none":
            hosts[s.key] = Host(s.key)
        scenarios.append(s)
    return hosts, scenarios
