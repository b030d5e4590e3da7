"""DNS: what answers the library's questions.

Wherever a dns argument stands, it may be

- records as text, one a line as `dig +noall +answer` prints them, or the
  pathlib.Path of a file of these: nothing else is asked, what is not there
  does not exist;
- a function of (name, type), both str, which gives

  - a list of records as a zone file has them (["10 mx.example.com."]; of TXT
    the text itself will do), an empty one for a name without that type,
  - None: the name does not exist,
  - lines as dig prints them, as one str,
  - a whole DNS reply, as bytes,

  or raises Failure (or TimeoutError, or another OSError, which are its "timeout"
  and "servfail"). Any other exception comes out of the call that wanted a
  result. In onward.aio the function may be a coroutine function.

system() makes such a function, which asks real name servers.
"""
from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Optional, Sequence, Union

from ._core import Desk, Handle, Kept, callback, call, check, child, enroll, \
    octets, text
from ._ffi import ffi, lib
from .errors import error

__all__ = ["Answer", "Failure", "Resolver", "Records", "system"]

Records = Union[bytes, str, Iterable[str], None]

_TYPES = {value[len("ONWARD_DNS_"):]: getattr(lib, value) for value in (
    "ONWARD_DNS_A", "ONWARD_DNS_NS", "ONWARD_DNS_CNAME", "ONWARD_DNS_SOA",
    "ONWARD_DNS_PTR", "ONWARD_DNS_MX", "ONWARD_DNS_TXT", "ONWARD_DNS_AAAA",
    "ONWARD_DNS_TLSA")}
_NAMES = {value: name for name, value in _TYPES.items()}
_FAILURES = {
    "servfail": lib.ONWARD_DNS_SERVFAIL, "timeout": lib.ONWARD_DNS_TIMEOUT,
    "bogus": lib.ONWARD_DNS_BOGUS, "refused": lib.ONWARD_DNS_REFUSED,
    "nodata": lib.ONWARD_DNS_NODATA, "nxdomain": lib.ONWARD_DNS_NXDOMAIN}


class Failure(Exception):
    """There is no answer: "servfail", "timeout", "bogus" or "refused"; also
    "nodata" and "nxdomain"."""

    def __init__(self, kind: str = "servfail") -> None:
        if kind not in _FAILURES:
            raise ValueError(f"no failure of DNS: {kind!r}, expected one of "
                             + ", ".join(_FAILURES))
        self.kind = kind
        super().__init__(kind)


@dataclass(frozen=True)
class Answer:
    """An answer of which more is known: secure says that the resolver, on a way
    that can be trusted, has validated it by DNSSEC."""

    records: Records
    secure: bool = False


Function = Callable[[str, str], Union[Records, Answer]]
Dns = Union[str, "os.PathLike[str]", Function]


def _quoted(value: str) -> str:
    """A text as the strings of a TXT record."""
    data = octets(value)
    kept = Kept()
    cap = 4 * len(data) + 4 * (len(data) // 255 + 2)
    room = ffi.new("char[]", cap)
    length = check(lib.onward_dns_txt_strings, kept.text(data), room, cap)
    return bytes(ffi.buffer(room, length)).decode()


def _lines(name: str, kind: str, records: Iterable[str]) -> str:
    lines = []
    for record in records:
        if not isinstance(record, str):
            raise TypeError("dns: a record is a str, not "
                            f"{type(record).__name__}")
        if kind == "TXT" and not record.startswith('"'):
            record = _quoted(record)
        if "\n" in record or "\r" in record:
            raise ValueError(f"dns: a record with a line end: {record!r}")
        lines.append(f"{name}. 60 IN {kind} {record}\n")
    return "".join(lines)


class Resolver(Handle):
    """Asks dns, joins equal questions, remembers the answers. timeout is in
    seconds."""

    def __init__(self, desk: Desk, dns: Dns, *, timeout: float = 0,
                 cache_entries: int = 0) -> None:
        child(desk, Desk, "desk")
        self._desk = desk
        self._dns: Any = None
        records: Optional[str] = None
        if isinstance(dns, str):
            records = dns
        elif isinstance(dns, os.PathLike):
            records = pathlib.Path(dns).read_text()
        elif callable(dns):
            self._dns = dns
        else:
            raise TypeError("dns: expected records as a str, a path, or a "
                            f"function, not {type(dns).__name__}")
        kept = Kept()
        host = ffi.NULL if self._dns is None else kept.table(
            "onward_resolver_host", user=enroll(self), query=_query,
            cancel=_cancel)
        self._take(desk._new(
            lib.onward_resolver_new, "onward_resolver", kept.table(
                "onward_resolver_opts", timeout_ms=int(timeout * 1000),
                cache_entries=cache_entries,
                allow_only_loaded=int(self._dns is None)), host),
            lib.onward_resolver_free, desk)
        if records is not None:
            self.load(records)

    def load(self, records: str) -> None:
        """Add records that are answered from here."""
        kept = Kept()
        fault = kept.table("onward_dns_fault")
        result: int = self._call(lib.onward_resolver_load, kept.text(records),
                                 fault)
        if result == lib.ONWARD_ESYNTAX:
            raise error(result, text(fault.text), line=fault.line)
        if result < 0:
            raise error(result)

    # How a question is answered; onward.aio has another way.

    def _ask(self, token: int, name: str, kind: str) -> None:
        try:
            answer = self._dns(name, kind)
        except (Failure, OSError) as failure:
            answer = failure
        self._answer(token, name, kind, answer)

    def _cancel(self, token: int) -> None:
        pass

    def _answer(self, token: int, name: str, kind: str, answer: Any) -> None:
        """Say what came of a question. A stale one is nobody's any more."""
        assert self._desk is not None
        secure = 0
        if isinstance(answer, Answer):
            secure = lib.ONWARD_DNS_SECURE if answer.secure else 0
            answer = answer.records
        if isinstance(answer, OSError):
            answer = Failure("timeout" if isinstance(answer, TimeoutError)
                             else "servfail")
        if answer is None:
            answer = Failure("nxdomain")
        if isinstance(answer, Failure):
            self._desk._call(lib.onward_dns_answer_error, token,
                             _FAILURES[answer.kind])
        elif isinstance(answer, bytes):
            # From the network, so hostile: what is no reply is a failure.
            self._desk._call(lib.onward_dns_answer_wire, token, answer,
                             len(answer), secure)
        else:
            lines = answer if isinstance(answer, str) else _lines(
                name, kind, answer)
            kept = Kept()
            result = self._desk._call(lib.onward_dns_answer_text, token,
                                      kept.text(lines), secure)
            if result not in (0, lib.ONWARD_ESTALE):
                raise error(result, f"dns: no records of {name} {kind}: "
                            f"{lines!r}")


@callback("int(void *, uint64_t, const char *, size_t, uint32_t)", failed=-1)
def _query(resolver: Resolver, token: int, name: Any, length: int,
           kind: int) -> int:
    resolver._ask(token, bytes(ffi.buffer(name, length)).decode("ascii"),
                  _NAMES.get(kind, f"TYPE{kind}"))
    return 0


@callback("void(void *, uint64_t)")
def _cancel(resolver: Resolver, token: int) -> None:
    resolver._cancel(token)


def servers(nameservers: Optional[Sequence[str]]) -> Sequence[str]:
    if nameservers is not None:
        if isinstance(nameservers, str):
            raise TypeError("nameservers: expected a list of addresses")
        return nameservers
    import dns.resolver
    return [str(server) for server in dns.resolver.Resolver().nameservers]


def question(name: str, kind: str, trust: bool) -> Any:
    import dns.flags
    import dns.message
    made = dns.message.make_query(name + ".", kind, payload=1232)
    if trust:
        made.flags |= dns.flags.AD
    return made


def reply(response: Any, trust: bool) -> Answer:
    import dns.flags
    return Answer(response.to_wire(max_size=65535),
                  trust and bool(response.flags & dns.flags.AD))


def system(nameservers: Optional[Sequence[str]] = None, *, port: int = 53,
           timeout: float = 5, trust_ad: bool = False) -> Function:
    """Ask real name servers, with dnspython: over UDP, and over TCP what does
    not fit. Without nameservers those of /etc/resolv.conf.

    trust_ad: believe them when they say that they have validated an answer.
    Only for one that runs on this machine, or is reached by a way that nobody
    else can write to.
    """
    import dns.exception
    import dns.query
    found = servers(nameservers)

    def ask(name: str, kind: str) -> Answer:
        problem: OSError = OSError("no name server")
        for server in found:
            try:
                response, _ = dns.query.udp_with_fallback(
                    question(name, kind, trust_ad), server, timeout, port)
                return reply(response, trust_ad)
            except dns.exception.Timeout:
                problem = TimeoutError(f"{server} does not answer")
            except dns.exception.DNSException as failure:
                problem = OSError(str(failure))
            except OSError as failure:
                problem = failure
        raise problem
    return ask
