"""A message on its way through: rules, handlers, deliveries, the one reply."""
from __future__ import annotations

import email.utils
import re
import types
from dataclasses import dataclass
from typing import Any, Callable, Dict, Generator, Iterable, List, Mapping, \
    Optional, Sequence, Tuple, Union

from ._core import Context, Desk, Handle, Kept, Shared, Task, Text, call, \
    callback, child, crlf, default, message_octets, octets, read_source, text
from ._ffi import ffi, lib
from ._mime import Builder, Header, header_of
from ._rules import Reply, Ruleset
from ._sign import Key, Signer
from ._verify import Address, Octets, Verdict, Verifier, VerifierBase, \
    choice, verdict_of
from .dns import Dns, Resolver
from .errors import Refused, StaleError, StateError, error

__all__ = ["Delivery", "Event", "EventAction", "Outcome", "Relay", "Sealing",
           "Srs", "Submission", "relay"]

_STATES = {lib.ONWARD_EVENT_PENDING: "pending",
           lib.ONWARD_EVENT_DONE: "done",
           lib.ONWARD_EVENT_BEFORE: "before",
           lib.ONWARD_EVENT_FAILED: "failed"}
_KINDS = {lib.ONWARD_EVENT_FORWARD: "forward",
          lib.ONWARD_EVENT_REPLY: "reply", lib.ONWARD_EVENT_SEND: "send"}
_SUBMISSIONS = {lib.ONWARD_RELAY_SUBMISSION_REPLY: "reply",
                lib.ONWARD_RELAY_SUBMISSION_SEND: "send",
                lib.ONWARD_RELAY_SUBMISSION_QUARANTINE: "quarantine"}
_BODIES = {"": lib.ONWARD_SMTP_BODY_UNSTATED, "7bit": lib.ONWARD_SMTP_BODY_7BIT,
           "8bitmime": lib.ONWARD_SMTP_BODY_8BITMIME,
           "binarymime": lib.ONWARD_SMTP_BODY_BINARYMIME}


class Srs(Handle):
    """Rewrites senders, and finds the way back. The first secret signs, all
    verify. All threads may share one."""

    def __init__(self, secrets: Union[Text, Sequence[Text]], domain: str, *,
                 max_age_days: int = 0, context: Optional[Context] = None
                 ) -> None:
        context = default(context)
        if isinstance(secrets, (str, bytes)):
            secrets = [secrets]
        kept = Kept()
        found = kept(ffi.new("struct onward_str[]",
                             [kept.text(secret) for secret in secrets]))
        self.domain = domain
        self._take(context._new(
            lib.onward_srs_new, "onward_srs", found, len(found), kept.table(
                "onward_srs_opts", max_age_days=max_age_days)),
            lib.onward_srs_free, context, guard=Shared())

    def forward(self, sender: Text) -> str:
        """The envelope's sender for the next hop."""
        kept = Kept()
        room = ffi.new("char[]", lib.ONWARD_SRS_TEXT_MAX)
        length = self._do(lib.onward_srs_forward, kept.text(sender),
                          kept.text(self.domain), room, len(room))
        return bytes(ffi.buffer(room, length)).decode()

    def reverse(self, address: Text) -> Tuple[str, str]:
        """("ok", the sender), or another verdict ("none", "forged", "expired",
        "malformed", "kept") and a text that may be empty."""
        kept = Kept()
        room = ffi.new("char[]", lib.ONWARD_SRS_TEXT_MAX)
        verdict = ffi.new("int *")
        length = self._do(lib.onward_srs_reverse, kept.text(address), room,
                          len(room), verdict)
        return (text(call(lib.onward_srs_verdict_name, verdict[0])),
                bytes(ffi.buffer(room, length)).decode())


@dataclass(frozen=True)
class Sealing:
    """The key that seals what leaves, and its name."""

    signer: Signer
    domain: str
    selector: str


@dataclass(frozen=True)
class Delivery:
    """One destination of the message: what a deliver function gets. message is
    what leaves, mail_from its envelope's sender."""

    mail_from: str
    recipient: str
    domain: str
    message: bytes
    smtputf8: bool
    require_tls: bool
    notice_path: str


@dataclass(frozen=True)
class Submission:
    """A message that leaves on its own: "reply" or "send" of a handler, or one
    to be put apart, "quarantine"."""

    kind: str
    mail_from: str
    rcpt_to: Tuple[str, ...]
    message: bytes
    message_id: str
    place: str


@dataclass(frozen=True)
class Outcome:
    """How the message is answered, and why: status is "Forwarded", "Dropped",
    "Rejected" and so on, reason a word; rcpts has what each RCPT was told."""

    reply: Reply
    status: str
    reason: str
    rcpts: Mapping[str, Reply]
    verdict: Verdict


DeliverFunction = Callable[[Delivery], Union[None, int, str, Reply]]
SubmitFunction = Callable[[Submission], object]
Handler = Callable[["Event"], object]


def _smtp_reply(kept: Kept, reply: Union[None, int, str, Reply]) -> Any:
    """What a host said of a delivery."""
    if reply is None:
        reply = Reply(250)
    elif isinstance(reply, str):
        match = re.fullmatch(r"(\d{3})(?: (\d\.\d+\.\d+))?(?: (.*))?", reply,
                             re.S)
        if match is None:
            raise ValueError(f"no SMTP reply: {reply!r}")
        reply = Reply(int(match[1]), match[2] or "", match[3] or "")
    elif isinstance(reply, int) and not isinstance(reply, bool):
        reply = Reply(reply)
    elif not isinstance(reply, Reply):
        raise TypeError("a reply is None, a number, a str or an onward.Reply, "
                        f"not {type(reply).__name__}")
    return kept.table("onward_smtp_reply", code=reply.code,
                      enhanced=reply.enhanced, text=reply.text)


def _told(c: Any) -> Reply:
    return Reply(c.code, text(c.enhanced), text(c.text))


# ---- Events -------------------------------------------------------------------------


class EventAction:
    """What a handler has asked for. In onward.aio it can be waited for:
    `await event.forward(...)` ends when the next hop has the message."""

    def __init__(self, event: "Event", index: int) -> None:
        self._event = event
        self.index = index

    def _now(self) -> Any:
        """How it stands. Hold it while its texts are read."""
        kept = Kept()
        found = kept.table("onward_event_action")
        self._event._do(lib.onward_event_action_at, self.index, found)
        return found

    @property
    def kind(self) -> str:
        return _KINDS[self._now().kind]

    @property
    def state(self) -> str:
        """"pending", "done", "before" (at an earlier try) or "failed"."""
        return _STATES[self._now().state]

    @property
    def to(self) -> str:
        now = self._now()
        return text(now.to)

    @property
    def message_id(self) -> str:
        now = self._now()
        return text(now.message_id)

    @property
    def reply(self) -> Optional[Reply]:
        """What the next hop said."""
        now = self._now()
        return Reply(now.reply_code, text(now.reply_enhanced),
                     text(now.reply_text)) if now.reply_code else None

    @property
    def refusal(self) -> Optional[Refused]:
        """Why it failed."""
        code = self._now().refusal
        return Refused(code, self.to) if code else None

    def forgive(self) -> None:
        """The sender need not hear that it failed."""
        self._event._do(lib.onward_event_forgive, self.index)

    def __await__(self) -> Generator[Any, None, "EventAction"]:
        waiting = self._event._relay._acting(self)
        if waiting is not None:
            yield from waiting.__await__()
        refusal = self.refusal
        if refusal is not None:
            raise refusal
        return self


class Event:
    """A message in the hands of code: one recipient, whose rule names a
    handler. It lives as long as its relay.

    What may not be done raises Refused, with the reason.
    """

    def __init__(self, relay: "RelayBase", token: int, c: Any) -> None:
        self._relay = relay
        self._token = token
        self._pointer = c
        self._header: Optional[Header] = None
        self._message: Optional[bytes] = None

    def _call(self, function: Any, *args: Any) -> Any:
        with self._relay._inside():
            try:
                return call(function, self._pointer, *args)
            finally:
                self._relay._touch()

    def _do(self, function: Any, *args: Any) -> int:
        result: int = self._call(function, *args)
        if result < 0:
            raise error(result)
        return result

    def _may(self, function: Any, *args: Any) -> None:
        """Do it, or say why not."""
        kept = Kept()
        refusal = kept.table("onward_refusal")
        if self._do(function, *args, refusal) == 0:
            raise Refused(refusal.code, text(refusal.what))

    @property
    def handler(self) -> str:
        return text(self._call(lib.onward_event_handler))

    @property
    def from_(self) -> str:
        """The envelope's sender; empty: the null path."""
        return text(self._call(lib.onward_event_from))

    @property
    def to(self) -> str:
        return text(self._call(lib.onward_event_to))

    @property
    def header(self) -> Header:
        if self._header is None:
            with self._relay._inside():
                self._header = header_of(self._relay.context, call(
                    lib.onward_event_header, self._pointer))
        return self._header

    @property
    def message(self) -> bytes:
        """The message as it came."""
        if self._message is None:
            with self._relay._inside():
                self._message = read_source(call(lib.onward_event_source,
                                                 self._pointer))
        return self._message

    @property
    def verdict(self) -> Verdict:
        with self._relay._inside():
            return verdict_of(call(lib.onward_event_verifier, self._pointer))

    @property
    def can_be_forwarded(self) -> bool:
        return bool(self._do(lib.onward_event_can_be_forwarded))

    @property
    def can_be_replied(self) -> bool:
        return bool(self._do(lib.onward_event_can_be_replied, ffi.NULL))

    def set_reject(self, text: Text = "", *, code: int = 0,
                   enhanced: str = "") -> None:
        """Refuse the message: 550 5.7.1 unless told."""
        kept = Kept()
        if self._do(lib.onward_event_set_reject, kept.table(
                "onward_smtp_reply", code=code, enhanced=enhanced,
                text=octets(text))) == 0:
            raise Refused(lib.ONWARD_REFUSAL_OVER)

    def forward(self, to: Text, fields: Optional[Mapping[str, str]] = None
                ) -> EventAction:
        """Forward a copy to a verified destination, with X- fields on top."""
        kept = Kept()
        number = ffi.new("size_t *")
        to = kept.text(octets(to, "an address"))
        made = ffi.NULL
        try:
            if fields:
                made = self._relay.context._new(
                    lib.onward_field_list_new, "onward_field_list", kept.table(
                        "onward_field_list_opts",
                        policy=lib.ONWARD_FIELD_POLICY_X))
                for name, value in fields.items():
                    refusal = kept.table("onward_refusal")
                    result = call(lib.onward_field_list_add, made,
                                  kept.text(name), kept.text(value), refusal)
                    if result == 0:
                        raise Refused(refusal.code, text(refusal.what))
                    if result < 0:
                        raise error(result)
            self._may(lib.onward_event_forward, to, made, number)
        finally:
            call(lib.onward_field_list_free, made)
        return EventAction(self, number[0])

    def reply(self, message: Union[Octets, Builder, None] = None,
              **content: Any) -> EventAction:
        """Answer the sender, once: with a whole message, a Builder, or what a
        Builder takes (subject, text, ...); from_ is then the address that was
        written to unless it is given."""
        if message is None:
            content.setdefault("from_", self.to)
            if "subject" not in content:
                subject = self.header.get("subject", "") or ""
                content["subject"] = subject if subject[:3].lower() == "re:" \
                    else f"Re: {subject}"
        return self._write(lib.onward_event_reply, (), message, "", "",
                           content)

    def send(self, message: Union[Octets, Builder, None] = None, *,
             mail_from: Text = "", rcpt_to: Text = "", **content: Any
             ) -> EventAction:
        """Send another message."""
        return self._write(lib.onward_event_send, (ffi.NULL,), message,
                           mail_from, rcpt_to, content)

    def _write(self, function: Any, before: Tuple[Any, ...],
               message: Union[Octets, Builder, None], mail_from: Text,
               rcpt_to: Text, content: Dict[str, Any]) -> EventAction:
        kept = Kept()
        table = kept.table("onward_event_message", to=octets(rcpt_to))
        setattr(table, "from", kept.text(mail_from))
        number = ffi.new("size_t *")
        builder = None
        if message is None:
            builder = message = Builder(context=self._relay.context, **content)
        elif content:
            raise TypeError("a whole message, or what it is made of")
        try:
            if isinstance(message, Builder):
                with message._inside() as c:
                    table.builder = c
                    self._may(function, *before, table, number)
            else:
                table.data = kept.text(crlf(message_octets(message)))
                self._may(function, *before, table, number)
        finally:
            if builder is not None:
                builder.close()
        return EventAction(self, number[0])

    @property
    def actions(self) -> List[EventAction]:
        return [EventAction(self, i) for i in range(
            self._call(lib.onward_event_action_count))]

    def __repr__(self) -> str:
        return f"<Event of {self.handler!r}>"


# ---- The relay ----------------------------------------------------------------------


@callback("int(void *, uint64_t, struct onward_relay *, size_t)", failed=-1)
def _deliver(relay: "RelayBase", token: int, c: Any, index: int) -> int:
    relay._deliver(token, index)
    return 0


@callback("void(void *, uint64_t)")
def _cancel(relay: "RelayBase", token: int) -> None:
    relay._canceled(token)


@callback("void(void *, struct onward_relay *)")
def _done(relay: "RelayBase", c: Any) -> None:
    relay._settle()


@callback("int(void *, uint64_t, struct onward_event *)", failed=-1)
def _handle(relay: "RelayBase", token: int, c: Any) -> int:
    event = Event(relay, token, c)
    handler = relay.handlers.get(event.handler)
    if handler is None:
        return int(lib.ONWARD_ENOENT)
    relay._events.append(event)
    relay._handle(event, handler)
    return 0


@callback("void(void *, struct onward_event *, size_t)")
def _acted(relay: "RelayBase", c: Any, action: int) -> None:
    relay._acted(c, action)


@callback("int(void *, uint64_t, struct onward_relay *, size_t)", failed=-1)
def _submit(relay: "RelayBase", token: int, c: Any, index: int) -> int:
    relay._submit(token, index)
    return 0


_HELO = re.compile(r"[\w.:\[\]-]{1,255}", re.A)


class RelayBase(Task):
    """One transaction. See onward.Relay."""

    def __init__(self, resolver: Resolver, ruleset: Ruleset, *, hostname: str,
                 mail_from: Text = "", deliver: Any,
                 handlers: Optional[Mapping[str, Any]] = None,
                 submit: Any = None, authserv_id: Text = "",
                 srs: Optional[Srs] = None, sealing: Optional[Sealing] = None,
                 smtputf8: bool = False, body: str = "",
                 require_tls: bool = False, handler_timeout: float = 0,
                 delivery_timeout: float = 0,
                 allow_unauthenticated: bool = False,
                 allow_dmarc_reject: bool = False,
                 allow_malformed: bool = False, share_events: bool = False,
                 allow_unverified_sends: bool = False) -> None:
        child(resolver, Resolver, "resolver")
        child(ruleset, Ruleset, "ruleset")
        for name, function in {"deliver": deliver, "submit": submit,
                               **(handlers or {})}.items():
            if function is not None and not callable(function):
                raise TypeError(f"{name}: expected a function")
        if deliver is None:
            raise TypeError("deliver: expected a function")
        assert resolver._desk is not None
        user = self._begin(resolver._desk)
        self.context = resolver._desk.context
        self.hostname = hostname
        self.handlers: Dict[str, Any] = dict(handlers or {})
        self.rcpts: Dict[str, Reply] = {}
        self._deliver_to, self._submit_to = deliver, submit
        self._events: List[Event] = []
        self._verifier: Optional[VerifierBase] = None
        kept = Kept()
        parents: List[Handle] = [resolver, ruleset]
        seal: Dict[str, Any] = {}
        if sealing is not None:
            seal = {"signer": sealing.signer._c,
                    "seal_domain": sealing.domain,
                    "seal_selector": sealing.selector}
            parents.append(sealing.signer)
        if srs is not None:
            seal.update(srs=srs._c, srs_domain=srs.domain)
            parents.append(srs)
        with ruleset._inside() as rules:
            self._take(self._desk._new(  # type: ignore[union-attr]
                lib.onward_relay_new, "onward_relay", kept.table(
                    "onward_relay_opts", resolver=resolver._c, ruleset=rules,
                    hostname=hostname, authserv_id=authserv_id or hostname,
                    allow_unauthenticated=int(allow_unauthenticated),
                    allow_dmarc_reject=int(allow_dmarc_reject),
                    allow_malformed=int(allow_malformed),
                    share_events=int(share_events),
                    allow_unverified_sends=int(allow_unverified_sends),
                    handler_timeout_ms=int(handler_timeout * 1000),
                    delivery_timeout_ms=int(delivery_timeout * 1000), **seal),
                kept.table("onward_relay_envelope", reverse_path=mail_from,
                           smtputf8=int(smtputf8),
                           body=choice(_BODIES, body, "body"),
                           require_tls=int(require_tls)),
                kept.table(
                    "onward_relay_host", user=user, deliver=_deliver,
                    cancel=_cancel, done=_done, acted=_acted,
                    handle=_handle if handlers else None,
                    submit=_submit if submit else None)),
                lib.onward_relay_free, *parents)

    def rcpt(self, address: Text) -> Reply:
        """Answer RCPT by the rules: below 400 the recipient is taken."""
        kept = Kept()
        reply = kept.table("onward_smtp_reply")
        self._do(lib.onward_relay_rcpt, kept.text(octets(address,
                                                         "an address")), reply)
        told = _told(reply)
        self.rcpts[octets(address).decode("utf-8", "backslashreplace")] = told
        return told

    def start(self, verifier: VerifierBase, message: Octets, *,
              received: Text = "", helo: str = "") -> None:
        """The message is whole, and verified with the same authserv_id.
        received is the Received field for this hop with its CRLF; one is made
        of helo unless it is given."""
        child(verifier, VerifierBase, "verifier")
        if not received:
            host = helo if _HELO.fullmatch(helo) else "unknown"
            received = (f"Received: from {host}\r\n by {self.hostname};"
                        f" {email.utils.formatdate()}\r\n")
        kept = Kept()
        data = message_octets(message)
        source = _MemorySource(self.context, data)
        # Both are read until the relay is gone.
        self._stand_on(source)
        self._stand_on(verifier)
        self._verifier = verifier
        with verifier._inside() as c:
            self._do(lib.onward_relay_start, c, source.table,
                     kept.text(received))

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        kept = Kept()
        reply = kept.table("onward_smtp_reply")
        self._do(lib.onward_relay_reply, reply)
        told = _told(reply)
        summary = kept.table("onward_relay_summary")
        self._do(lib.onward_relay_summarize, summary)
        assert self._verifier is not None
        return Outcome(
            told,
            text(call(lib.onward_relay_status_name, summary.status)),
            text(call(lib.onward_relay_reason_name,
                      self._call(lib.onward_relay_reason))),
            types.MappingProxyType(dict(self.rcpts)), self._verifier.verdict)

    @property
    def events(self) -> Sequence[Event]:
        """Those that handlers were asked about."""
        return tuple(self._events)

    # What the machine does; onward.aio has other ways.

    def _delivery(self, index: int) -> Delivery:
        kept = Kept()
        found = kept.table("onward_relay_delivery")
        self._do(lib.onward_relay_delivery_at, index, found)
        return Delivery(text(found.reverse_path), text(found.recipient),
                        text(found.domain), read_source(found.source),
                        bool(found.smtputf8), bool(found.require_tls),
                        text(found.notice_path))

    def _submission(self, index: int) -> Submission:
        kept = Kept()
        found = kept.table("onward_relay_submission")
        self._do(lib.onward_relay_submission_at, index, found)
        return Submission(
            _SUBMISSIONS[found.kind], text(found.reverse_path),
            tuple(text(self._call(lib.onward_relay_submission_rcpt, index, i))
                  for i in range(found.rcpt_count)),
            read_source(found.source), text(found.message_id),
            text(found.place))

    def _delivered(self, token: int, reply: Union[None, int, str, Reply]
                   ) -> None:
        kept = Kept()
        self._answer(lib.onward_relay_delivery_answer, token,
                     _smtp_reply(kept, reply))

    def _answer(self, function: Any, token: int, *args: Any) -> None:
        """Answer a token; one that is stale is nobody's any more."""
        assert self._desk is not None
        try:
            self._desk._do(function, token, *args)
        except StaleError:
            pass

    def _deliver(self, token: int, index: int) -> None:
        self._delivered(token, self._deliver_to(self._delivery(index)))

    def _submit(self, token: int, index: int) -> None:
        self._submit_to(self._submission(index))
        self._answer(lib.onward_relay_submission_answer, token, 0)

    def _handle(self, event: Event, handler: Any) -> None:
        try:
            handler(event)
        except BaseException as problem:
            self._failed(event, problem)
            raise
        self._answer(lib.onward_event_done, event._token)

    def _failed(self, event: Event, problem: BaseException) -> None:
        kept = Kept()
        why = f"{type(problem).__name__}: {problem}"
        self._answer(lib.onward_event_fail, event._token, kept.text(
            why.encode("utf-8", "backslashreplace")))

    def _canceled(self, token: int) -> None:
        pass

    def _acted(self, c: Any, action: int) -> None:
        pass

    def _acting(self, action: EventAction) -> Any:
        raise StateError(lib.ONWARD_ESTATE,
                         "only in onward.aio can an action be waited for")


class _MemorySource(Handle):
    def __init__(self, context: Context, data: bytes) -> None:
        self._take(context._new(
            lib.onward_memory_source_new, "onward_memory_source", data,
            len(data)), lib.onward_memory_source_free, context)

    @property
    def table(self) -> Any:
        return self._call(lib.onward_memory_source_table)


class Relay(RelayBase):
    """One transaction: made at MAIL, rcpt() for each recipient, start() with
    the message and its verifier, result().

    deliver brings a Delivery to its next hop and gives its reply: None is 250,
    else a number, a text ("451 4.4.1 later") or a Reply. handlers are functions
    of an Event, by the names that rules have for them. submit keeps a
    Submission: what handlers send, and what is put apart. An exception in any
    of them comes out of result(), and the sender is told to come again.
    """

    def result(self) -> Outcome:
        self._wait()
        return self.outcome


def relay(message: Octets, *, rules: Union[Ruleset, Text, Dict[str, Any]],
          rcpt_to: Union[str, Iterable[str]], hostname: str, dns: Dns,
          deliver: DeliverFunction, ip: Optional[Address] = None,
          helo: str = "", mail_from: Text = "",
          handlers: Optional[Mapping[str, Handler]] = None,
          submit: Optional[SubmitFunction] = None,
          srs: Optional[Srs] = None, seal_key: Optional[Key] = None,
          seal_domain: str = "", seal_selector: str = "",
          verifier: Optional[Mapping[str, Any]] = None,
          context: Optional[Context] = None, **options: Any) -> Outcome:
    """Verify a message, route it by rules, and carry it onward; see Relay.
    verifier has options for the Verifier. rcpts of the outcome has what each
    recipient was told; when none was taken, the reply is that of the last."""
    data = crlf(message)
    with Desk(context) as desk:
        if not isinstance(rules, Ruleset):
            rules = Ruleset(rules, context=desk.context)
        resolver = Resolver(desk, dns)
        checker = Verifier(resolver, authserv_id=hostname, ip=ip, helo=helo,
                           mail_from=mail_from, **(verifier or {}))
        sealing = None if seal_key is None else Sealing(
            Signer(desk, seal_key), seal_domain, seal_selector)
        transaction = Relay(
            resolver, rules, hostname=hostname, mail_from=mail_from,
            deliver=deliver, handlers=handlers, submit=submit, srs=srs,
            sealing=sealing, **options)
        told = [transaction.rcpt(address) for address in (
            [rcpt_to] if isinstance(rcpt_to, (str, bytes)) else rcpt_to)]
        checker.feed(data)
        checker.finish()
        verdict = checker.result()
        if not any(reply.code < 400 for reply in told):
            if not told:
                raise ValueError("rcpt_to: nobody")
            return Outcome(told[-1], "Rejected" if told[-1].code >= 500
                           else "Error", "rcpt",
                           types.MappingProxyType(transaction.rcpts), verdict)
        transaction.start(checker, data, helo=helo)
        return transaction.result()
