"""libonward: email routing and authentication.

    import onward

    verdict = onward.verify(message, ip="192.0.2.1", dns=onward.dns.system(),
                            mail_from="alice@example.com")
    print(verdict.authres)

One call for one message: verify(), sign(), seal(), spf(), dmarc(), parse(),
build(), relay(). The objects behind them (Context, Desk, Resolver, Verifier,
...) are for those who have more than one message, or one that comes in pieces;
onward.aio is the same for asyncio.
"""
from . import dns
from ._core import Context, Desk, LogEvent, crlf
from ._ffi import ffi as _ffi, lib as _lib
from ._mime import Anomaly, Attachment, Builder, Field, Header, Message, \
    Part, build, parse
from ._relay import Delivery, Event, EventAction, Outcome, Relay, Sealing, \
    Srs, Submission, relay
from ._rules import Action, Decision, Facts, Reply, Ruleset, Step, route
from ._sign import ArcSealer, DkimSigner, Key, Signer, seal, sign
from ._verify import Arc, Dkim, Dmarc, DmarcCheck, Spf, SpfCheck, Verdict, \
    Verifier, dmarc, dmarc_record, spf, spf_record, verify
from .dns import Resolver
from .errors import *  # noqa: F401,F403
from .errors import __all__ as _errors

__version__ = "0.1.0"


def version() -> str:
    """The version of the library that is loaded."""
    found: str = _ffi.string(_lib.onward_version()).decode()
    return found


__all__ = [
    "Action", "Anomaly", "Arc", "ArcSealer", "Attachment", "Builder",
    "Context", "Decision", "Delivery", "Desk", "Dkim", "DkimSigner", "Dmarc",
    "DmarcCheck", "Event", "EventAction", "Facts", "Field", "Header", "Key",
    "LogEvent", "Message", "Outcome", "Part", "Relay", "Reply", "Resolver",
    "Ruleset", "Sealing", "Signer", "Spf", "SpfCheck", "Srs", "Step",
    "Submission", "Verdict", "Verifier", "build", "crlf", "dmarc",
    "dmarc_record", "dns", "parse", "relay", "route", "seal", "sign", "spf",
    "spf_record", "verify", "version", *_errors,
]
