"""Keys, DKIM signatures and ARC seals."""
from __future__ import annotations

from typing import Any, Callable, Iterable, Optional, Union

from ._core import Context, Desk, Handle, Kept, Shared, Task, Text, \
    buffered, call, callback, child, crlf, default, enroll, \
    message_octets, octets, raw, text
from ._ffi import ffi, lib
from ._verify import Octets, Verifier, VerifierBase, choice
from .dns import Dns, Resolver
from .errors import CanceledError, NotFoundError, error

__all__ = ["Key", "Signer", "DkimSigner", "ArcSealer", "sign", "seal"]

_TYPES = {"rsa": lib.ONWARD_KEY_RSA, "ed25519": lib.ONWARD_KEY_ED25519}
_LISTING = {"guarded": lib.ONWARD_DKIM_LISTING_GUARDED,
            "service": lib.ONWARD_DKIM_LISTING_SERVICE}


class Key(Handle):
    """A private key: from PEM text, Key.generate() or Key.from_seed(). All
    threads may share it."""

    def __init__(self, pem: Text, *, context: Optional[Context] = None) -> None:
        context = default(context)
        kept = Kept()
        fault = kept.table("onward_key_fault")
        out = ffi.new("struct onward_key **")
        result = context._call(lib.onward_key_from_pem,
                               kept.text(octets(pem, "a key as PEM")), fault,
                               out)
        if result in (lib.ONWARD_ESYNTAX, lib.ONWARD_ELIMIT):
            raise error(result, text(fault.text), position=fault.offset)
        if result < 0:
            raise error(result)
        self._own(out[0], context)

    def _own(self, pointer: Any, context: Context) -> None:
        self._take(pointer, lib.onward_key_free, context, guard=Shared())

    @classmethod
    def generate(cls, type: str = "rsa", bits: int = 0, *,
                 context: Optional[Context] = None) -> "Key":
        """Make a new one: "rsa" (of 2048 bits unless told) or "ed25519"."""
        context = default(context)
        made = cls.__new__(cls)
        made._own(context._new(lib.onward_key_generate, "onward_key",
                               choice(_TYPES, type, "type"), bits), context)
        return made

    @classmethod
    def from_seed(cls, seed: bytes, *, context: Optional[Context] = None
                  ) -> "Key":
        """An Ed25519 key from its 32 octets."""
        context = default(context)
        made = cls.__new__(cls)
        seed = message_octets(seed)
        made._own(context._new(lib.onward_key_from_ed25519_seed, "onward_key",
                               seed, len(seed)), context)
        return made

    def _public(self, function: Any, *args: Any) -> Any:
        with self._inside() as c:
            return call(function, call(lib.onward_key_public, c), *args)

    @property
    def type(self) -> str:
        number = self._public(lib.onward_pubkey_type)
        return next(name for name, value in _TYPES.items() if value == number)

    @property
    def bits(self) -> int:
        found: int = self._public(lib.onward_pubkey_bits)
        return found

    def to_pem(self) -> str:
        """PKCS#8. It is a secret."""
        with self._inside() as c:
            return buffered(lib.onward_key_to_pem, c, 4096)

    def dkim_record(self, *, test: bool = False, strict: bool = False) -> str:
        """The text of the TXT record that publishes it, at
        SELECTOR._domainkey.DOMAIN."""
        kept = Kept()
        room = ffi.new("char[]", 1000)
        length = self._public(lib.onward_dkim_record, kept.table(
            "onward_dkim_record_opts", is_test=int(test),
            is_strict=int(strict)), room, 1000)
        if length < 0:
            raise error(length)
        return bytes(ffi.buffer(room, length)).decode()


#: Signs a digest elsewhere: gets key type, octets to sign; gives the signature.
SignFunction = Callable[[str, bytes], bytes]


@callback("int(void *, const struct onward_sign_question *)", failed=-1)
def _sign(signer: "Signer", question: Any) -> int:
    signer._asked(question)
    return 0


@callback("void(void *, uint64_t)")
def _sign_cancel(signer: "Signer", token: int) -> None:
    signer._canceled(token)


class Signer(Handle):
    """One key at one desk.

    key is a Key; or the octets of a public key (SubjectPublicKeyInfo in DER)
    together with sign, a function that has the private one elsewhere: it gets
    the type and what the primitive signs (RSA: a DigestInfo to be padded by
    PKCS#1 v1.5, Ed25519: 32 octets) and gives the signature, which is checked.
    In onward.aio it may be a coroutine function.
    """

    def __init__(self, desk: Desk, key: Union[Key, bytes], *,
                 sign: Optional[SignFunction] = None, label: Text = "",
                 timeout: float = 0) -> None:
        child(desk, Desk, "desk")
        self._desk = desk
        self._sign: Any = sign
        kept = Kept()
        opts = kept.table("onward_signer_opts", label=label,
                          timeout_ms=int(timeout * 1000))
        if isinstance(key, Key):
            if sign is not None:
                raise TypeError("sign: this key signs by itself")
            with key._inside() as c:
                self._take(desk._new(lib.onward_signer_new, "onward_signer",
                                     c, opts), lib.onward_signer_free, desk)
            return
        if not callable(sign):
            raise TypeError("key: expected an onward.Key, or a public key in "
                            "DER together with a function sign")
        der = message_octets(key)
        fault = kept.table("onward_key_fault")
        public = ffi.new("struct onward_pubkey **")
        result = desk.context._call(lib.onward_pubkey_from_der, der, len(der),
                                    fault, public)
        if result < 0:
            raise error(result, text(fault.text), position=fault.offset)
        try:
            self._take(desk._new(
                lib.onward_signer_new_host, "onward_signer", public[0],
                kept.table("onward_signer_host", user=enroll(self), sign=_sign,
                           cancel=_sign_cancel), opts),
                lib.onward_signer_free, desk)
        finally:
            call(lib.onward_pubkey_free, public[0])

    def _asked(self, question: Any) -> None:
        kind = "rsa" if question.type == lib.ONWARD_KEY_RSA else "ed25519"
        self._signed(question.token, self._sign(kind, bytes(
            ffi.buffer(question.input, question.input_len))))

    def _signed(self, token: int, signature: bytes) -> None:
        assert self._desk is not None
        signature = message_octets(signature)
        self._desk._call(lib.onward_sign_answer, token, signature,
                         len(signature))

    def _canceled(self, token: int) -> None:
        pass


# ---- DKIM -------------------------------------------------------------------------


@callback("void(void *, struct onward_dkim_signer *, int)")
def _dkim_done(task: Task, c: Any, status: int) -> None:
    task._settle(status)


def _names(fields: Union[str, Iterable[str], None]) -> Optional[str]:
    if fields is None or isinstance(fields, str):
        return fields
    return ":".join(fields)


class DkimSignerBase(Task):
    """A DKIM-Signature for one message: feed(), finish(), result()."""

    def __init__(self, signer: Signer, *, domain: Text, selector: Text,
                 identity: Text = "",
                 fields: Union[str, Iterable[str], None] = None,
                 listing: str = "guarded", simple_header: bool = False,
                 simple_body: bool = False, time: int = 0, expire: int = 0
                 ) -> None:
        child(signer, Signer, "signer")
        assert signer._desk is not None
        user = self._begin(signer._desk)
        kept = Kept()
        self._take(signer._new(
            lib.onward_dkim_signer_new, "onward_dkim_signer", kept.table(
                "onward_dkim_signer_opts", domain=domain, selector=selector,
                identity=identity, fields=_names(fields),
                listing=choice(_LISTING, listing, "listing"),
                use_simple_header=int(simple_header),
                use_simple_body=int(simple_body), time_s=time,
                expire_s=expire),
            kept.table("onward_dkim_signer_host", user=user, done=_dkim_done)),
            lib.onward_dkim_signer_free, signer)

    def feed(self, data: Octets) -> None:
        data = message_octets(data)
        self._do(lib.onward_dkim_signer_feed, data, len(data))

    def finish(self) -> None:
        result = self._call(lib.onward_dkim_signer_finish)
        if result == lib.ONWARD_ESYNTAX:
            raise error(result, text(self._call(lib.onward_dkim_signer_fault)))
        if result < 0:
            raise error(result)

    @property
    def field(self) -> bytes:
        """The field to put on top, with its CRLF."""
        return raw(self._call(lib.onward_dkim_signer_field))


class DkimSigner(DkimSignerBase):
    __doc__ = DkimSignerBase.__doc__

    def result(self) -> bytes:
        self._wait()
        return self.field


def sign(message: Octets, *, key: Union[Key, Text], domain: Text,
         selector: Text, context: Optional[Context] = None,
         **options: Any) -> bytes:
    """The message with a DKIM-Signature on top. key is a Key or its PEM text. A
    message that has LF and no CR becomes one with CRLF."""
    data = crlf(message)
    with Desk(context) as desk:
        if not isinstance(key, Key):
            key = Key(key, context=desk.context)
        signer = DkimSigner(Signer(desk, key), domain=domain,
                            selector=selector, **options)
        signer.feed(data)
        signer.finish()
        return signer.result() + data


# ---- ARC --------------------------------------------------------------------------


@callback("void(void *, struct onward_arc_sealer *, int)")
def _arc_done(task: Task, c: Any, status: int) -> None:
    task._settle(status)


class ArcSealerBase(Task):
    """An ARC set for a message that was verified, by its verifier: feed() the
    message as it leaves, finish(), result(). body_changed says that its body
    is not the one that came."""

    def __init__(self, signer: Signer, verifier: VerifierBase, *, domain: Text,
                 selector: Text, fields: Union[str, Iterable[str], None] = None,
                 listing: str = "guarded", time: int = 0, expire: int = 0,
                 body_changed: bool = False) -> None:
        child(signer, Signer, "signer")
        child(verifier, VerifierBase, "verifier")
        assert signer._desk is not None
        user = self._begin(signer._desk)
        kept = Kept()
        opts = kept.table(
            "onward_arc_sealer_opts", domain=domain, selector=selector,
            fields=_names(fields), listing=choice(_LISTING, listing, "listing"),
            time_s=time, expire_s=expire)
        result = verifier._call(lib.onward_verifier_sealing, opts)
        if result == lib.ONWARD_AGAIN:
            raise CanceledError(result, "the chain fails only because DNS gave "
                                "no answer: a seal would break it for good")
        if result < 0:
            raise error(result)
        if body_changed:
            opts.body_hash = kept.text(b"")
        self._take(signer._new(
            lib.onward_arc_sealer_new, "onward_arc_sealer", opts,
            kept.table("onward_arc_sealer_host", user=user, done=_arc_done)),
            lib.onward_arc_sealer_free, signer)

    def feed(self, data: Octets) -> None:
        data = message_octets(data)
        self._do(lib.onward_arc_sealer_feed, data, len(data))

    def finish(self) -> None:
        """NotFoundError: the chain had failed before, and gets no more sets."""
        self._do(lib.onward_arc_sealer_finish)

    @property
    def fields(self) -> bytes:
        """The set to put on top, with its CRLFs."""
        return raw(self._call(lib.onward_arc_sealer_fields))


class ArcSealer(ArcSealerBase):
    __doc__ = ArcSealerBase.__doc__

    def result(self) -> bytes:
        self._wait()
        return self.fields


def seal(message: Octets, *, key: Union[Key, Text], domain: Text,
         selector: Text, authserv_id: Text, dns: Dns,
         fields: Union[str, Iterable[str], None] = None, time: int = 0,
         expire: int = 0, context: Optional[Context] = None,
         **facts: Any) -> bytes:
    """Verify the message, and give it with an ARC set on top (RFC 8617). facts
    are those of verify(): ip, mail_from, helo, ... A chain that had failed
    before gets no set: the message is given back as it is."""
    data = crlf(message)
    with Desk(context) as desk:
        if not isinstance(key, Key):
            key = Key(key, context=desk.context)
        verifier = Verifier(Resolver(desk, dns), authserv_id=authserv_id,
                            **facts)
        verifier.feed(data)
        verifier.finish()
        verifier.result()
        sealer = ArcSealer(Signer(desk, key), verifier, domain=domain,
                           selector=selector, fields=fields, time=time,
                           expire=expire)
        sealer.feed(data)
        try:
            sealer.finish()
        except NotFoundError:
            return data
        return sealer.result() + data
