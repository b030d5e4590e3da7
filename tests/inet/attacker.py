"""A man in the middle of everything: of the mail servers, of the resolver, of
the policy host. Domains with DANE or an enforced policy were delivered to
before; now nothing may leave below what they demand. What the attacker heard
is the evidence."""
import dnsfault
import net
import sending
from servers import context_of

MX, TXT, A, TLSA = (dnsfault.TYPES[t] for t in ("MX", "TXT", "A", "TLSA"))


class OnTheWire:
    """Plays every mail server. words: what is offered instead, as in
    hosts.txt; certificate: its chain and key, or None for the server's own."""

    def __init__(self, words, certificate=None):
        self.words = set(words.split())
        self.certificate = certificate

    def offers(self, host):
        kept = {w for w in host.offers if w in ("tls", "requiretls")}
        if "strip" in self.words:
            return set()
        return kept | self.words

    def context(self, host, own):
        if self.certificate is None:
            return own
        return context_of(*self.certificate, "tls10" in self.words)


class InTheDns:
    """Plays the resolver: what becomes of which questions."""

    def __init__(self, *rules):
        self.rules = rules  # (type, beginning of the name, what)

    def __call__(self, name, kind):
        for of, begin, what in self.rules:
            if of in (kind, "*") and name.startswith(begin):
                return what
        return None


def forged(kind, rdata):
    """An answer nobody signed, with AD set as if somebody had."""
    return lambda packet: dnsfault.made(packet, kind, rdata, ad=True)


def emptied(packet):
    """Nothing there, and AD set."""
    return dnsfault.empty(packet, 0, ad=True)


class Attacks:
    def __init__(self, world):
        self.world = world
        self.lie = None
        self.evil = next(h for h in world.hosts.values()
                         if h.label == "evil")
        make = world.certificates.make
        # It has a domain, as anybody may: signed, with TLSA records, and a
        # certificate that all authorities vouch for.
        self.own = world.certificates.of_host(self.evil)
        self.self_signed = make("evil-self", "self", [
            h.name for h in world.hosts.values()] + [
            f"mta-sts.{s.domain}" for s in world.scenarios])
        dnsfault.Faulty(net.LIAR, net.PLAIN, self._judge)

    def _judge(self, name, kind):
        return self.lie(name, kind) if self.lie else None

    def list(self):
        """(name, on the wire, in the DNS, at the policy host)."""
        strip = OnTheWire("strip")
        evil_mx = b"\0\5" + dnsfault.wire(self.evil.name)
        evil_ip = bytes(int(n) for n in self.evil.ip.split("."))
        new_id = forged(TXT, b"\x10v=STSv1; id=666;")
        return [
            ("strips STARTTLS", strip, None, False),
            ("answers STARTTLS with 454", OnTheWire("454"), None, False),
            ("breaks the handshake", OnTheWire("garbage"), None, False),
            ("hangs up after STARTTLS", OnTheWire("close"), None, False),
            ("speaks into the handshake", OnTheWire("inject"), None, False),
            ("offers TLS 1.0", OnTheWire(
                "tls10", self.self_signed), None, False),
            ("has a certificate of its own making", OnTheWire(
                "", self.self_signed), None, False),
            ("has a good certificate of its own name", OnTheWire(
                "", self.own), None, False),
            ("answers TLSA with SERVFAIL, strips", strip,
             InTheDns(("TLSA", "", "servfail")), False),
            ("denies TLSA with AD, strips", strip,
             InTheDns(("TLSA", "", emptied)), False),
            ("denies TLSA by NXDOMAIN, strips", strip,
             InTheDns(("TLSA", "", "denied")), False),
            ("takes the signatures off TLSA, strips", strip,
             InTheDns(("TLSA", "", "unsigned")), False),
            ("forges MX with AD, to a server of its own with DANE",
             OnTheWire("", self.own),
             InTheDns(("MX", "", forged(MX, evil_mx))), False),
            ("forges addresses with AD, strips", strip,
             InTheDns(("A", "", forged(A, evil_ip))), False),
            ("denies the policy's record, strips", strip,
             InTheDns(("TXT", "_mta-sts.", "denied")), False),
            ("announces a new policy, serves an old one of its own, strips",
             strip, InTheDns(("TXT", "_mta-sts.", new_id)), True),
            ("takes policy host and record away, strips", strip, InTheDns(
                ("TXT", "_mta-sts.", "servfail"), ("*", "mta-sts.", "denied")),
             False),
        ]

    def protected(self):
        """Whom to attack: who is proven when nobody attacks, at servers that
        the attacker can play."""
        return [s for s in self.world.scenarios
                if set(s.outcome.kinds) <= {"pkix", "dane"} and
                "sink" not in self.world.hosts[s.outcome.key].offers]

    def run(self, count):
        world = self.world
        targets = self.protected()
        # And one who is not: to see that the attacker is where it matters.
        control = next(s for s in world.scenarios if s.key == "tls.sec")
        f = sending.start(world.args, world.folder + "/attacked",
                          targets + [control], world.certificates,
                          world.dns.anchor, net.LIAR)
        try:
            first = sending.send_all(f.port, targets, "before")
            count.row("before the attack", [
                f"{key}: {answer}" for key, answer in first.items()
                if answer.code != 250])
            for name, wire, dns, takes_policy in self.list():
                if dns is not None:
                    # What it holds in memory is forgotten, not what it keeps.
                    f.again(kill=True)
                count.row("attacker " + name, self._attack(
                    f, targets, wire, dns, takes_policy))
            count.row("attacker of one who demands nothing",
                      self._control(f, control))
        finally:
            status = f.stop()
        count.row("the attacked forwarder's end",
                  [] if status == 0 else [f.said()])

    def _attack(self, f, targets, wire, dns, takes_policy):
        farm, since = self.world.farm, len(self.world.farm.talks)
        farm.attack, self.lie = wire, dns
        if takes_policy:
            self.world.policies.take_over(
                self.self_signed,
                "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n")
        try:
            # The forwarder knows a message again by its Message-ID.
            answers = sending.send_all(f.port, targets, f"attacked-{since}")
        finally:
            farm.attack = self.lie = None
            self.world.policies.give_back()
        faults = []
        for s in targets:
            for talk, mail in farm.transactions(s.rcpt, since):
                faults.append(f"{s.key}: heard {mail[1]} at {talk.host.name} "
                              f"{'under TLS' if mail[0] else 'in the clear'}")
            if 200 <= answers[s.key].code < 300:
                faults.append(f"{s.key}: {answers[s.key]}")
        return faults

    def _control(self, f, control):
        farm, since = self.world.farm, len(self.world.farm.talks)
        farm.attack = OnTheWire("strip")
        try:
            answer = sending.send(f.port, control, "control")
        finally:
            farm.attack = None
        heard = [mail for _, mail in farm.transactions(control.rcpt, since)
                 if not mail[0] and mail[3] is not None]
        return [] if heard and answer.code == 250 else [f"heard nothing: {answer}"]


