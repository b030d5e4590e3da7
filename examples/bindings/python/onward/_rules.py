"""Rules: what happens to mail for an address."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, \
    Tuple, Union

from ._core import Context, Handle, Kept, Shared, Text, call, callback, \
    default, enroll, octets, text
from ._ffi import ffi, lib
from ._verify import Address
from .errors import error

__all__ = ["Ruleset", "Decision", "Action", "Step", "Facts", "route"]

_MATCHES = {lib.ONWARD_RULESET_MATCH_NONE: "",
            lib.ONWARD_RULESET_MATCH_EXACT: "exact",
            lib.ONWARD_RULESET_MATCH_BASE: "base",
            lib.ONWARD_RULESET_MATCH_CATCH_ALL: "catch-all",
            lib.ONWARD_RULESET_MATCH_PATTERN: "pattern"}
_NO_RULE = 2 ** (8 * ffi.sizeof("size_t")) - 1


@dataclass(frozen=True)
class Reply:
    """An SMTP reply."""

    code: int
    enhanced: str = ""
    text: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced,
                                      self.text)))


@dataclass(frozen=True)
class Action:
    """One thing to do: kind is "forward", "failover", "handler", "webhook",
    "drop", "reject", "quarantine", "add-field" or "tag"."""

    kind: str
    destinations: Tuple[str, ...]
    name: str
    value: str
    reply: Optional[Reply]


@dataclass(frozen=True)
class Step:
    """A step on the way to a decision."""

    zone: str
    rule: Optional[int]
    rule_name: str
    what: str
    detail: str


@dataclass(frozen=True)
class Decision:
    """What to do with mail for an address. kind is as in Action, or
    "need-message": the facts that are known do not decide."""

    kind: str
    reason: str
    match: str
    zone: str
    rule: Optional[int]
    rule_name: str
    destinations: Tuple[str, ...]
    handler: str
    reply: Optional[Reply]
    group: int
    actions: Tuple[Action, ...]
    steps: Tuple[Step, ...]


@dataclass(frozen=True)
class Facts:
    """What is known of a message now. What is None is not known yet.

    verified says of a destination: True, False (revoked), or None (the rules'
    word counts). verdicts are words, {"spf": "pass", "dmarc": "fail"}.
    """

    verified: Optional[Callable[[str], Optional[bool]]] = None
    sender: Optional[str] = None
    header: Optional[Mapping[str, Sequence[str]]] = None
    attachment_names: Optional[Sequence[str]] = None
    attachment_types: Optional[Sequence[str]] = None
    verdicts: Mapping[str, str] = field(default_factory=dict)
    size: Optional[int] = None
    score: Optional[float] = None
    client: Optional[Address] = None
    tls: Optional[bool] = None


class _Asked:
    """Facts during one call, and the texts that were handed out."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.kept = Kept()
        self.steps: List[Step] = []

    def texts(self, fact: int, name: str) -> Optional[Sequence[str]]:
        facts = self.facts
        if fact == lib.ONWARD_RULESET_FACT_SENDER:
            return None if facts.sender is None else [facts.sender]
        if fact == lib.ONWARD_RULESET_FACT_HEADER:
            if facts.header is None:
                return None
            return [value for key, values in facts.header.items()
                    if key.lower() == name.lower() for value in values]
        if fact == lib.ONWARD_RULESET_FACT_ATTACHMENT_NAME:
            return facts.attachment_names
        if fact == lib.ONWARD_RULESET_FACT_ATTACHMENT_TYPE:
            return facts.attachment_types
        if fact == lib.ONWARD_RULESET_FACT_VERDICT:
            found = facts.verdicts.get(name)
            return None if found is None else [found]
        return []


@callback("int(void *, const char *, size_t)", failed=lib.ONWARD_ECALLBACK,
          leaf=True)
def _destination(asked: _Asked, address: Any, length: int) -> int:
    if asked.facts.verified is None:
        return 0
    found = asked.facts.verified(
        bytes(ffi.buffer(address, length)).decode("utf-8", "replace"))
    return 0 if found is None else 1 if found else 2


@callback("int(void *, size_t, const char *, size_t, size_t,"
          " struct onward_str *)", failed=lib.ONWARD_ECALLBACK, leaf=True)
def _fact_text(asked: _Asked, fact: int, name: Any, length: int, index: int,
               out: Any) -> int:
    found = asked.texts(fact, bytes(ffi.buffer(name, length)).decode(
        "utf-8", "replace") if length else "")
    if found is None:
        return int(lib.ONWARD_AGAIN)
    if index >= len(found):
        return 0
    value = asked.kept.text(found[index])
    out.data, out.len = value.data, value.len
    return 1


@callback("int(void *, size_t, int64_t *)", failed=lib.ONWARD_ECALLBACK,
          leaf=True)
def _fact_number(asked: _Asked, fact: int, out: Any) -> int:
    facts = asked.facts
    value: Union[int, float, None] = None
    if fact == lib.ONWARD_RULESET_FACT_SIZE:
        value = facts.size
    elif fact == lib.ONWARD_RULESET_FACT_SCORE:
        value = None if facts.score is None else round(facts.score * 1000)
    elif fact == lib.ONWARD_RULESET_FACT_TLS:
        value = None if facts.tls is None else int(facts.tls)
    if value is None:
        return int(lib.ONWARD_AGAIN)
    out[0] = value
    return 1


@callback("int(void *, struct onward_ip *)", failed=lib.ONWARD_ECALLBACK)
def _fact_client(asked: _Asked, out: Any) -> int:
    if asked.facts.client is None:
        return int(lib.ONWARD_AGAIN)
    out[0] = asked.kept.ip(asked.facts.client)[0]
    return 1


@callback("void(void *, const struct onward_ruleset_step *)", leaf=True)
def _step(asked: _Asked, step: Any) -> None:
    asked.steps.append(Step(text(step.zone), _rule(step.rule),
                            text(step.rule_name), text(step.what),
                            text(step.detail)))


def _rule(number: int) -> Optional[int]:
    """The rule's place; -1 is the catch-all."""
    return {_NO_RULE: None, _NO_RULE - 1: -1}.get(number, number)


def _texts(values: Any, count: int) -> Tuple[str, ...]:
    return tuple(text(values[i]) for i in range(count))


def _reply(c: Any) -> Optional[Reply]:
    return Reply(c.reply_code, text(c.reply_enhanced), text(c.reply_text)) \
        if c.reply_code else None


class Ruleset(Handle):
    """Rules, loaded from JSON text or from what json.load() gave. All threads
    may share one."""

    def __init__(self, rules: Union[Text, Dict[str, Any]], *,
                 context: Optional[Context] = None) -> None:
        self.context = context = default(context)
        if isinstance(rules, dict):
            import json
            rules = json.dumps(rules)
        kept = Kept()
        fault = kept.table("onward_ruleset_fault")
        out = ffi.new("struct onward_ruleset **")
        result = context._call(lib.onward_ruleset_new,
                               kept.text(octets(rules, "rules as JSON")),
                               ffi.NULL, fault, out)
        if result in (lib.ONWARD_ESYNTAX, lib.ONWARD_ELIMIT):
            raise error(result, text(fault.text),
                        line=fault.line or None,
                        path=text(fault.path))
        if result < 0:
            raise error(result)
        self._take(out[0], lib.onward_ruleset_free, context, guard=Shared())

    @property
    def zone_count(self) -> int:
        found: int = self._call(lib.onward_ruleset_zone_count)
        return found

    @property
    def rule_count(self) -> int:
        found: int = self._call(lib.onward_ruleset_rule_count)
        return found

    def route(self, address: Text, facts: Optional[Facts] = None) -> Decision:
        """Decide about an address (local@domain)."""
        kept = Kept()
        mailbox = ffi.NULL
        router = ffi.NULL
        asked = _Asked(facts or Facts())
        if not isinstance(asked.facts, Facts):
            raise TypeError("facts: expected an onward.Facts")
        user = enroll(asked)
        try:
            out = ffi.new("struct onward_mailbox **")
            result = self.context._call(
                lib.onward_mailbox_parse, kept.text(address),
                lib.ONWARD_MAILBOX_ALLOW_UTF8, out)
            if result < 0:
                raise error(result, f"no mail address: {address!r}"
                            if result == lib.ONWARD_ESYNTAX else "")
            mailbox = out[0]
            router = self.context._new(lib.onward_ruleset_router_new,
                                       "onward_ruleset_router")
            found = kept.table("onward_ruleset_decision")
            with self._inside():
                self._do(lib.onward_ruleset_route, router, mailbox, kept.table(
                    "onward_ruleset_facts", user=user, text=_fact_text,
                    destination=_destination, number=_fact_number,
                    client=_fact_client),
                    kept.table("onward_ruleset_trace", user=user, step=_step),
                    found)
                return self._decision(found, asked)
        finally:
            call(lib.onward_ruleset_router_free, router)
            call(lib.onward_mailbox_free, mailbox)

    @staticmethod
    def _decision(found: Any, asked: _Asked) -> Decision:
        actions = []
        action = found.actions
        while action != ffi.NULL:
            actions.append(Action(
                text(call(lib.onward_ruleset_kind_name, action.kind)),
                _texts(action.destinations, action.destination_count),
                text(action.name), text(action.value), _reply(action)))
            action = action.next
        return Decision(
            text(call(lib.onward_ruleset_kind_name, found.kind)),
            text(call(lib.onward_ruleset_reason_name, found.reason)),
            _MATCHES.get(found.match, ""), text(found.zone),
            _rule(found.rule), text(found.rule_name),
            _texts(found.destinations, found.destination_count),
            text(found.handler), _reply(found), found.group, tuple(actions),
            tuple(asked.steps))


def route(rules: Union[Text, Dict[str, Any], Ruleset], address: Text,
          facts: Optional[Facts] = None, *,
          context: Optional[Context] = None) -> Decision:
    """What these rules do with mail for an address."""
    if not isinstance(rules, Ruleset):
        rules = Ruleset(rules, context=context)
    return rules.route(address, facts)
