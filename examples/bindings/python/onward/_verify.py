"""Whether a message is what it claims to be: SPF, DKIM, ARC, DMARC."""
from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Optional, Tuple, Union

from ._core import Context, Desk, Kept, Task, Text, callback, call, child, \
    crlf, default, message_octets, raw, text, word
from ._ffi import ffi, lib
from .dns import Dns, Resolver
from .errors import StateError, error

Address = Union[str, ipaddress.IPv4Address, ipaddress.IPv6Address]
Octets = Union[bytes, bytearray, memoryview]

_REJECT = {"rfc9989": 0, "service": 1, "never": 2}
_DISCOVERY = {"rfc9989": 0, "rfc7489": 1}


def choice(options: Dict[str, int], value: str, what: str) -> int:
    try:
        return options[value]
    except KeyError:
        raise ValueError(f"{what}: expected one of " + ", ".join(options)
                         + f", not {value!r}") from None


# ---- What was found. All words are those of the RFCs. ------------------------------


@dataclass(frozen=True)
class Spf:
    """SPF of one identity (RFC 7208): result is "pass", "softfail", ..."""

    result: str
    reason: str
    text: str
    domain: str
    mechanism: str
    explanation: str
    lookups: int
    void_lookups: int


@dataclass(frozen=True)
class Dkim:
    """One DKIM signature (RFC 6376)."""

    result: str
    reason: str
    detail: str
    domain: str
    selector: str
    identity: str
    algorithm: str
    key_bits: int
    header_b: str
    signed_fields: str
    exposed_fields: str
    is_test: bool
    is_secure: bool
    time: Optional[int]
    expiry: Optional[int]


@dataclass(frozen=True)
class Arc:
    """The chain of ARC sets (RFC 8617)."""

    result: str
    reason: str
    detail: str
    instances: int
    instance: int
    is_temporary: bool


@dataclass(frozen=True)
class Dmarc:
    """DMARC of the author's domain (RFC 9989). disposition is what to do with
    this message, policy what the domain's owner asks for."""

    result: str
    reason: str
    text: str
    disposition: str
    policy: str
    author_domain: str
    policy_domain: str
    org_domain: str
    record: str
    is_spf_aligned: bool
    is_dkim_aligned: bool


@dataclass(frozen=True)
class Verdict:
    """All of it. spf and spf_helo are None where no ip was given; explanation
    has each step, as doc/man and `onward explain` have it."""

    authres: str
    spf: Optional[Spf]
    spf_helo: Optional[Spf]
    dkim: Tuple[Dkim, ...]
    arc: Arc
    dmarc: Dmarc
    is_authenticated: bool
    explanation: Dict[str, Any]

    @property
    def passed(self) -> bool:
        """Did it pass DMARC?"""
        return self.dmarc.result == "pass"


def _spf(check: Any) -> Optional[Spf]:
    if check == ffi.NULL:
        return None
    reason = call(lib.onward_spf_check_reason, check)
    return Spf(
        word(lib.onward_spf_result_name,
             call(lib.onward_spf_check_result, check)),
        word(lib.onward_spf_reason_name, reason),
        word(lib.onward_spf_reason_text, reason),
        text(call(lib.onward_spf_check_domain, check)),
        text(call(lib.onward_spf_check_mechanism, check)),
        text(call(lib.onward_spf_check_explanation, check)),
        call(lib.onward_spf_check_lookups, check),
        call(lib.onward_spf_check_void_lookups, check))


def _dkim(found: Any) -> Dkim:
    return Dkim(
        word(lib.onward_dkim_result_name, found.result),
        word(lib.onward_dkim_reason_name, found.reason),
        text(found.detail), text(found.domain), text(found.selector),
        text(found.identity), text(found.algorithm_text), found.key_bits,
        text(found.header_b), text(found.signed_fields),
        text(found.exposed_fields), bool(found.is_test),
        bool(found.is_secure), found.time_s if found.has_time else None,
        found.expiry_s if found.has_expiry else None)


def _dmarc(result: int, reason: int, disposition: int, author: str,
           check: Any) -> Dmarc:
    def asked(function: Any) -> Any:
        return call(function, check) if check != ffi.NULL else None

    def told(function: Any) -> str:
        return text(asked(function)) if check != ffi.NULL else ""
    return Dmarc(
        word(lib.onward_dmarc_result_name, result),
        word(lib.onward_dmarc_reason_name, reason),
        word(lib.onward_dmarc_reason_text, reason),
        word(lib.onward_dmarc_policy_name, disposition),
        word(lib.onward_dmarc_policy_name,
             asked(lib.onward_dmarc_check_policy) or 0),
        author,
        told(lib.onward_dmarc_check_policy_domain),
        told(lib.onward_dmarc_check_org_domain),
        told(lib.onward_dmarc_check_record),
        bool(asked(lib.onward_dmarc_check_is_spf_aligned)),
        bool(asked(lib.onward_dmarc_check_is_dkim_aligned)))


def verdict_of(c: Any) -> Verdict:
    """What a verifier that is done has found."""
    kept = Kept()
    signatures = []
    for i in range(call(lib.onward_verifier_dkim_count, c)):
        found = kept.table("onward_dkim_signature")
        if call(lib.onward_verifier_dkim, c, i, found) == 0:
            signatures.append(_dkim(found))
    arc = kept.table("onward_arc_verdict")
    call(lib.onward_verifier_arc, c, arc)
    json_text = ffi.new("struct onward_str *")
    explained = call(lib.onward_verifier_explain, ffi.cast(
        "struct onward_verifier *", c), json_text)
    return Verdict(
        text(call(lib.onward_verifier_authres, c)),
        _spf(call(lib.onward_verifier_spf, c, lib.ONWARD_SPF_MAIL_FROM)),
        _spf(call(lib.onward_verifier_spf, c, lib.ONWARD_SPF_HELO)),
        tuple(signatures),
        Arc(word(lib.onward_arc_result_name, arc.result),
            word(lib.onward_arc_reason_name, arc.reason), text(arc.detail),
            arc.instances, arc.instance, bool(arc.is_temporary)),
        _dmarc(call(lib.onward_verifier_dmarc_result, c),
               call(lib.onward_verifier_dmarc_reason, c),
               call(lib.onward_verifier_dmarc_disposition, c),
               text(call(lib.onward_verifier_author_domain, c)),
               call(lib.onward_verifier_dmarc, c)),
        bool(call(lib.onward_verifier_is_authenticated, c)),
        json.loads(raw(json_text[0])) if explained == 0 else {})


# ---- The verifier -------------------------------------------------------------------


@callback("void(void *, struct onward_verifier *)")
def _verified(task: Task, c: Any) -> None:
    task._settle()


class VerifierBase(Task):
    """One pass over one message. See onward.Verifier."""

    def __init__(self, resolver: Resolver, *, authserv_id: Text = "localhost",
                 ip: Optional[Address] = None, helo: Text = "",
                 mail_from: Text = "", receiver: Text = "",
                 trusted_sealers: Iterable[str] = (),
                 max_signatures: int = 0, max_authors: int = 0,
                 timeout: float = 0, dmarc_reject: str = "rfc9989",
                 dmarc_discovery: str = "rfc9989") -> None:
        child(resolver, Resolver, "resolver")
        assert resolver._desk is not None
        user = self._begin(resolver._desk)
        kept = Kept()
        self._take(resolver._new(
            lib.onward_verifier_new, "onward_verifier", kept.table(
                "onward_verifier_opts", authserv_id=authserv_id,
                client_ip=kept.ip(ip), helo=helo, mail_from=mail_from,
                receiver=receiver, max_signatures=max_signatures,
                max_authors=max_authors, timeout_ms=int(timeout * 1000),
                dmarc_reject_policy=choice(_REJECT, dmarc_reject,
                                           "dmarc_reject"),
                dmarc_discovery=choice(_DISCOVERY, dmarc_discovery,
                                       "dmarc_discovery")),
            kept.table("onward_verifier_host", user=user, done=_verified)),
            lib.onward_verifier_free, resolver)
        self._verdict: Optional[Verdict] = None
        for domain in trusted_sealers:
            self._do(lib.onward_verifier_trust_sealer, kept.text(domain))

    def feed(self, data: Octets) -> None:
        """Take the next octets, cut anywhere. Lines end in CRLF: see
        onward.crlf()."""
        data = message_octets(data)
        self._do(lib.onward_verifier_feed, data, len(data))

    def finish(self) -> None:
        """The message is complete."""
        self._do(lib.onward_verifier_finish)

    @property
    def verdict(self) -> Verdict:
        """What was found, once it is done."""
        if self._verdict is None:
            if not self.done:
                self._c
                raise StateError(lib.ONWARD_ESTATE, "there is no verdict yet")
            with self._inside() as c:
                self._verdict = verdict_of(c)
        return self._verdict


class Verifier(VerifierBase):
    """One pass over one message: feed() it, finish(), and take the result().

    Made as soon as the envelope's sender is known, it looks up SPF while the
    message still comes. trusted_sealers are domains whose ARC sets are
    believed; timeout is in seconds; dmarc_reject is "rfc9989", "service" or
    "never", dmarc_discovery "rfc9989" or "rfc7489".
    """

    def result(self) -> Verdict:
        """Run the desk until all is known."""
        self._wait()
        return self.verdict


def verify(message: Octets, *, dns: Dns, ip: Optional[Address] = None,
           helo: Text = "", mail_from: Text = "",
           authserv_id: Text = "localhost", context: Optional[Context] = None,
           **options: Any) -> Verdict:
    """Verify a whole message; see onward.dns for dns, Verifier for the rest. A
    message that has LF and no CR is read as with CRLF."""
    data = crlf(message)
    with Desk(context) as desk:
        verifier = Verifier(Resolver(desk, dns), ip=ip, helo=helo,
                            mail_from=mail_from, authserv_id=authserv_id,
                            **options)
        verifier.feed(data)
        verifier.finish()
        return verifier.result()


# ---- SPF and DMARC alone --------------------------------------------------------------


@callback("void(void *, struct onward_spf_check *)")
def _spf_done(task: Task, c: Any) -> None:
    task._settle()


class SpfCheckBase(Task):
    """One SPF evaluation; identity is "mailfrom" or "helo"."""

    def __init__(self, resolver: Resolver, *, ip: Address, mail_from: Text = "",
                 helo: Text = "", receiver: Text = "",
                 identity: str = "mailfrom", timeout: float = 0) -> None:
        child(resolver, Resolver, "resolver")
        assert resolver._desk is not None
        user = self._begin(resolver._desk)
        kept = Kept()
        self._take(resolver._new(
            lib.onward_spf_check_new, "onward_spf_check", kept.table(
                "onward_spf_opts", client_ip=kept.ip(ip), mail_from=mail_from,
                helo=helo, receiver=receiver, timeout_ms=int(timeout * 1000),
                identity=choice({"mailfrom": lib.ONWARD_SPF_MAIL_FROM,
                                 "helo": lib.ONWARD_SPF_HELO}, identity,
                                "identity")),
            kept.table("onward_spf_host", user=user, done=_spf_done)),
            lib.onward_spf_check_free, resolver)

    @property
    def verdict(self) -> Spf:
        with self._inside() as c:
            found = _spf(c)
        assert found is not None
        return found


class SpfCheck(SpfCheckBase):
    __doc__ = SpfCheckBase.__doc__

    def result(self) -> Spf:
        self._wait()
        return self.verdict


def spf(*, ip: Address, dns: Dns, mail_from: Text = "", helo: Text = "",
        receiver: Text = "", identity: str = "mailfrom",
        context: Optional[Context] = None) -> Spf:
    """May this address send mail for that domain (RFC 7208)?"""
    with Desk(context) as desk:
        return SpfCheck(Resolver(desk, dns), ip=ip, mail_from=mail_from,
                        helo=helo, receiver=receiver,
                        identity=identity).result()


@callback("void(void *, struct onward_dmarc_check *)")
def _dmarc_done(task: Task, c: Any) -> None:
    task._settle()


class DmarcCheckBase(Task):
    """The policy for an author's domain, against the domains that passed: spf
    is that of MAIL FROM, dkim those of d=."""

    def __init__(self, resolver: Resolver, author_domain: Text, *,
                 spf: Optional[Text] = None, dkim: Iterable[Text] = (),
                 reject: str = "rfc9989", discovery: str = "rfc9989") -> None:
        child(resolver, Resolver, "resolver")
        assert resolver._desk is not None
        user = self._begin(resolver._desk)
        kept = Kept()
        self._take(resolver._new(
            lib.onward_dmarc_check_new, "onward_dmarc_check", kept.table(
                "onward_dmarc_opts", author_domain=author_domain,
                reject_policy=choice(_REJECT, reject, "reject"),
                discovery=choice(_DISCOVERY, discovery, "discovery")),
            kept.table("onward_dmarc_host", user=user, done=_dmarc_done)),
            lib.onward_dmarc_check_free, resolver)
        if spf is not None:
            self._do(lib.onward_dmarc_check_add_spf, kept.text(spf))
        if isinstance(dkim, (str, bytes)):
            raise TypeError("dkim: expected a list of domains")
        for domain in dkim:
            self._do(lib.onward_dmarc_check_add_dkim, kept.text(domain))
        self._do(lib.onward_dmarc_check_finish, 0)

    @property
    def verdict(self) -> Dmarc:
        with self._inside() as c:
            return _dmarc(
                call(lib.onward_dmarc_check_result, c),
                call(lib.onward_dmarc_check_reason, c),
                call(lib.onward_dmarc_check_disposition, c),
                text(call(lib.onward_dmarc_check_author_domain, c)), c)


class DmarcCheck(DmarcCheckBase):
    __doc__ = DmarcCheckBase.__doc__

    def result(self) -> Dmarc:
        self._wait()
        return self.verdict


def dmarc(author_domain: Text, *, dns: Dns, spf: Optional[Text] = None,
          dkim: Iterable[Text] = (), context: Optional[Context] = None,
          **options: Any) -> Dmarc:
    """What DMARC says of mail from a domain (RFC 9989), when SPF and DKIM
    passed for these domains."""
    with Desk(context) as desk:
        return DmarcCheck(Resolver(desk, dns), author_domain, spf=spf,
                          dkim=dkim, **options).result()


def dmarc_record(record: Text) -> None:
    """Judge the text of a DMARC record: MalformedError says what is wrong."""
    kept = Kept()
    fault = kept.table("onward_dmarc_fault")
    result = call(lib.onward_dmarc_lint, kept.text(record), fault)
    if result < 0:
        if result == lib.ONWARD_ESYNTAX:
            raise error(result, text(fault.text), position=fault.offset)
        raise error(result)


def spf_record(record: Text, *, context: Optional[Context] = None) -> None:
    """Judge the text of an SPF record: MalformedError says what is wrong."""
    kept = Kept()
    fault = kept.table("onward_spf_fault")
    result = default(context)._call(lib.onward_spf_lint, kept.text(record),
                                    fault)
    if result < 0:
        if result == lib.ONWARD_ESYNTAX:
            raise error(result, text(fault.text), position=fault.offset)
        raise error(result)
