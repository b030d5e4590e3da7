"""Messages: taken apart, and made."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Iterator, List, Mapping, Optional, Tuple, \
    Union

from ._core import Context, Handle, Kept, Text, call, check, crlf, default, \
    message_octets, raw, read_source, text
from ._ffi import ffi, lib
from ._verify import Octets, choice
from .errors import error

__all__ = ["Field", "Header", "Part", "Message", "Anomaly", "Builder",
           "Attachment", "parse", "build"]

_KINDS = {lib.ONWARD_MIME_LEAF: "leaf", lib.ONWARD_MIME_MULTIPART: "multipart",
          lib.ONWARD_MIME_MESSAGE: "message",
          lib.ONWARD_MIME_UNREAD: "unread"}
_SEVERITIES = {lib.ONWARD_HEADER_ODD: "odd",
               lib.ONWARD_HEADER_MALFORMED: "malformed"}


# ---- Headers ------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """One field as it stands: name as written, value unfolded with its encoded
    words decoded, raw all of it."""

    name: str
    value: str
    raw: bytes


class Header:
    """The fields of a header, from the top; by name in any case."""

    def __init__(self, fields: Iterable[Field], is_malformed: bool) -> None:
        self.fields: Tuple[Field, ...] = tuple(fields)
        #: May other readers see other fields?
        self.is_malformed = is_malformed

    def all(self, name: str) -> List[str]:
        """The values of all fields of that name, the topmost first."""
        wanted = name.lower()
        return [field.value for field in self.fields
                if field.name.lower() == wanted]

    def get(self, name: str, otherwise: Optional[str] = None
            ) -> Optional[str]:
        """The value of the topmost field of that name."""
        return next(iter(self.all(name)), otherwise)

    def __getitem__(self, name: str) -> str:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.all(name))

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __repr__(self) -> str:
        return f"<Header of {len(self)} fields>"


def _decoded(context: Context, value: Any) -> str:
    out = ffi.new("struct onward_text **")
    if context._call(lib.onward_words_decode, value,
                     lib.ONWARD_WORDS_UNSTRUCTURED, ffi.NULL, out) < 0:
        return text(value)  # over the limit of a text
    try:
        return text(call(lib.onward_text_str, out[0])).strip(" \t")
    finally:
        call(lib.onward_text_free, out[0])


def header_of(context: Context, c: Any) -> Header:
    """A struct onward_header, all of it."""
    return Header([
        Field(text(call(lib.onward_header_name, c, i)),
              _decoded(context, call(lib.onward_header_value, c, i)),
              raw(call(lib.onward_header_raw, c, i)))
        for i in range(call(lib.onward_header_count, c))],
        bool(call(lib.onward_header_is_malformed, c)))


# ---- Messages -----------------------------------------------------------------------


@dataclass(frozen=True)
class Anomaly:
    """Something that is not as the RFCs have it: severity is "malformed" where
    other readers may see another message, else "odd"."""

    code: str
    severity: str
    part: int
    offset: int


class Part:
    """A part of a message; the message itself is one."""

    def __init__(self, message: "Message", index: int, c: Any) -> None:
        self._message = message
        self.index = index
        self.kind = _KINDS[c.kind]
        self.type = text(c.type) + "/" + text(c.subtype)
        self.charset = text(c.charset)
        self.disposition = text(c.disposition)
        self.file_name = text(c.name)
        self.content_id = text(c.content_id)
        self.encoding: str = text(call(lib.onward_encoding_name, c.encoding))
        self.depth: int = c.depth
        self.offset: int = c.offset
        self._parent: int = c.parent
        self._header: Optional[Header] = None

    @property
    def header(self) -> Header:
        if self._header is None:
            out = ffi.new("struct onward_header **")
            with self._message._inside() as c:
                result = call(lib.onward_mime_tree_header, c, self.index, out)
                if result < 0 and result != lib.ONWARD_ENOENT:
                    raise error(result)
                self._header = Header([], False) if result < 0 else header_of(
                    self._message.context, out[0])
        return self._header

    @property
    def parts(self) -> "List[Part]":
        """Those that are directly in it."""
        return [part for part in self._message.all_parts
                if part._parent == self.index and part is not self]

    @property
    def raw(self) -> bytes:
        """As it was sent, with its header."""
        return raw(self._message._call(lib.onward_mime_tree_raw, self.index, 1))

    @property
    def body(self) -> bytes:
        """Its octets, base64 and quoted-printable decoded."""
        body = ffi.new("struct onward_str *")
        self._message._do(lib.onward_mime_tree_body, self.index, body)
        return raw(body[0])

    @property
    def text(self) -> str:
        """Its text. NotFoundError: it has none, or a charset that nobody
        knows: see body."""
        out = ffi.new("struct onward_text **")
        self._message._do(lib.onward_mime_tree_text, self.index, out)
        try:
            return text(call(lib.onward_text_str, out[0]))
        finally:
            call(lib.onward_text_free, out[0])

    @property
    def is_attachment(self) -> bool:
        return self.kind != "multipart" and (
            self.disposition == "attachment" or bool(self.file_name))

    def __repr__(self) -> str:
        return f"<Part {self.index} {self.type}>"


class Message(Handle):
    """A message that was taken apart: root is its outermost part, header that
    one's header."""

    def __init__(self, message: Octets, *, context: Optional[Context] = None,
                 max_depth: int = 0, max_parts: int = 0) -> None:
        self.context = context = default(context)
        kept = Kept()
        data = message_octets(message)
        pointer = context._new(
            lib.onward_mime_tree_new, "onward_mime_tree", kept.text(data),
            kept.table("onward_mime_opts", max_depth=max_depth,
                       max_parts=max_parts, flags=lib.ONWARD_MIME_DECODE))
        self._take(pointer, lib.onward_mime_tree_free, context, keep=kept)
        self.all_parts: Tuple[Part, ...] = tuple(
            self._part(i) for i in range(self._call(
                lib.onward_mime_tree_count)))

    def _part(self, i: int) -> Part:
        kept = Kept()
        found = kept.table("onward_mime_part")
        self._do(lib.onward_mime_tree_part, i, found)
        return Part(self, i, found)

    @property
    def root(self) -> Part:
        return self.all_parts[0]

    @property
    def header(self) -> Header:
        return self.root.header

    @property
    def anomalies(self) -> List[Anomaly]:
        kept = Kept()
        found = kept.table("onward_mime_anomaly")
        result = []
        for i in range(self._call(lib.onward_mime_tree_anomaly_count)):
            self._do(lib.onward_mime_tree_anomaly_at, i, found)
            result.append(Anomaly(
                text(call(lib.onward_mime_anomaly_name, found.code)),
                _SEVERITIES.get(found.severity, ""), found.part,
                found.offset))
        return result

    def _first(self, kind: str) -> Optional[str]:
        for part in self.all_parts:
            if part.type == kind and part.kind == "leaf" \
                    and not part.is_attachment:
                return part.text
        return None

    @property
    def text(self) -> Optional[str]:
        """The first plain text that is not attached."""
        return self._first("text/plain")

    @property
    def html(self) -> Optional[str]:
        return self._first("text/html")

    @property
    def attachments(self) -> List[Part]:
        return [part for part in self.all_parts if part.is_attachment]


def parse(message: Octets, *, context: Optional[Context] = None,
          **options: Any) -> Message:
    """Take a message apart (RFC 5322, RFC 2045 and following). One that has LF
    and no CR is read as with CRLF."""
    return Message(crlf(message), context=context, **options)


# ---- The builder --------------------------------------------------------------------

#: local@domain, or (name, local@domain).
Mailbox = Union[str, Tuple[str, str]]
Mailboxes = Union[Mailbox, Iterable[Mailbox]]

_ROLES = {"from_": lib.ONWARD_BUILDER_FROM, "sender": lib.ONWARD_BUILDER_SENDER,
          "reply_to": lib.ONWARD_BUILDER_REPLY_TO, "to": lib.ONWARD_BUILDER_TO,
          "cc": lib.ONWARD_BUILDER_CC, "bcc": lib.ONWARD_BUILDER_BCC}
_PLACES = {"attached": lib.ONWARD_BUILDER_ATTACHED,
           "inline": lib.ONWARD_BUILDER_INLINE,
           "alternative": lib.ONWARD_BUILDER_ALTERNATIVE}


@dataclass(frozen=True)
class Attachment:
    """A file; place is "attached", "inline" or "alternative"."""

    data: bytes
    file_name: str = ""
    type: str = ""
    content_id: str = ""
    description: str = ""
    place: str = "attached"


def _mailboxes(value: Optional[Mailboxes], role: str
               ) -> Iterator[Tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, str) or (
            isinstance(value, tuple) and len(value) == 2
            and all(isinstance(item, str) for item in value)
            and "@" not in value[0]):
        value = [value]  # type: ignore[list-item]
    for item in value:
        if isinstance(item, str):
            yield "", item
        elif isinstance(item, tuple) and len(item) == 2:
            yield item[0], item[1]
        else:
            raise TypeError(f"{role}: expected an address, or (name, address)")


class Builder(Handle):
    """A message that is being written. mail_from and rcpt_to are for its
    envelope; to_bytes() gives it, and ends the changes."""

    def __init__(self, *, from_: Optional[Mailboxes] = None,
                 sender: Optional[Mailbox] = None,
                 reply_to: Optional[Mailboxes] = None,
                 to: Optional[Mailboxes] = None,
                 cc: Optional[Mailboxes] = None,
                 bcc: Optional[Mailboxes] = None,
                 subject: Optional[Text] = None, text: Optional[Text] = None,
                 html: Optional[Text] = None,
                 attachments: Iterable[Attachment] = (),
                 fields: Optional[Mapping[str, str]] = None,
                 message_id: Optional[Text] = None, date: int = 0,
                 id_domain: Text = "", allow_8bit: bool = False,
                 allow_utf8: bool = False,
                 context: Optional[Context] = None) -> None:
        self.context = context = default(context)
        kept = Kept()
        self._take(context._new(
            lib.onward_builder_new, "onward_builder", kept.table(
                "onward_builder_opts", id_domain=id_domain, date_s=date,
                allow_8bit=int(allow_8bit), allow_utf8=int(allow_utf8))),
            lib.onward_builder_free, context)
        for role, mailboxes in (("from_", from_), ("sender", sender),
                                ("reply_to", reply_to), ("to", to),
                                ("cc", cc), ("bcc", bcc)):
            self.add_address(role, mailboxes)
        for function, value in (
                (lib.onward_builder_set_subject, subject),
                (lib.onward_builder_set_text, text),
                (lib.onward_builder_set_html, html),
                (lib.onward_builder_set_message_id, message_id)):
            if value is not None:
                self._do(function, kept.text(value))
        for name, value in (fields or {}).items():
            self.add_field(name, value)
        for attachment in attachments:
            self.attach(attachment)

    def add_address(self, role: str, mailboxes: Optional[Mailboxes]) -> None:
        """role is "from_", "sender", "reply_to", "to", "cc" or "bcc"."""
        number = choice(_ROLES, role, "role")
        for name, address in _mailboxes(mailboxes, role):
            kept = Kept()
            result = self._call(lib.onward_builder_add_address, number,
                                kept.text(name), kept.text(address))
            if result == lib.ONWARD_ESYNTAX:
                raise error(result, f"{role}: no such address or name: "
                            f"{(name, address)!r}")
            if result < 0:
                raise error(result)

    def add_field(self, name: str, value: str) -> None:
        kept = Kept()
        result = self._call(lib.onward_builder_add_field, kept.text(name),
                            kept.text(value))
        if result == lib.ONWARD_ESYNTAX:
            raise error(result, f"the field {name!r} cannot be {value!r}")
        if result == lib.ONWARD_EINVAL:
            raise error(result, f"the builder writes {name!r} itself")
        if result < 0:
            raise error(result)

    def attach(self, attachment: Attachment) -> None:
        if not isinstance(attachment, Attachment):
            raise TypeError("attachments: expected an onward.Attachment, not "
                            f"{type(attachment).__name__}")
        kept = Kept()
        self._do(lib.onward_builder_add_part, kept.table(
            "onward_builder_part",
            place=choice(_PLACES, attachment.place, "place"),
            type=attachment.type, file_name=attachment.file_name,
            content_id=attachment.content_id,
            description=attachment.description,
            data=message_octets(attachment.data)))

    def reply_to_message(self, original: Octets) -> None:
        """This answers that message: In-Reply-To and References."""
        data = message_octets(original)
        header = self.context._new(lib.onward_header_new, "onward_header")
        try:
            taken = ffi.new("size_t *")
            check(lib.onward_header_feed, header, data, len(data), taken)
            check(lib.onward_header_finish, header)
            self._do(lib.onward_builder_set_reply_to_message, header)
        finally:
            call(lib.onward_header_free, header)

    def to_bytes(self) -> bytes:
        """The message; it takes no more changes."""
        source = ffi.new("const struct onward_source **")
        self._do(lib.onward_builder_source, source)
        with self._inside():
            return read_source(source[0])

    @property
    def mail_from(self) -> str:
        return text(self._call(lib.onward_builder_mail_from))

    @property
    def rcpt_to(self) -> List[str]:
        return [text(self._call(lib.onward_builder_rcpt_at, i))
                for i in range(self._call(lib.onward_builder_rcpt_count))]

    @property
    def message_id(self) -> str:
        """Without brackets; empty before to_bytes()."""
        return text(self._call(lib.onward_builder_message_id))


def build(**message: Any) -> bytes:
    """Write a message: from_, to, subject, text, html, attachments and so on,
    as Builder has them."""
    with Builder(**message) as builder:
        return builder.to_bytes()
