"""What goes wrong, with the library's reasons."""
from __future__ import annotations

from typing import Optional

from ._ffi import LibraryError, ffi, lib

__all__ = [
    "Error", "OutOfMemoryError", "InvalidError", "StateError", "ClosedError",
    "MalformedError", "LimitError", "CallbackError", "VersionError",
    "StaleError", "NotFoundError", "RandomError", "CryptoError",
    "CanceledError", "Refused", "LibraryError",
]


class Error(Exception):
    """A call that failed.

    code is the library's number, name its constant, text what is wrong;
    position is the octet, and line and path the place in a text, where one is
    known.
    """

    def __init__(self, code: int, text: str = "", *,
                 position: Optional[int] = None, line: Optional[int] = None,
                 path: str = "") -> None:
        self.code = code
        self.name: str = ffi.string(lib.onward_error_name(code)).decode()
        self.text: str = text or ffi.string(
            lib.onward_strerror(code)).decode()
        self.position = position
        self.line = line
        self.path = path
        where = "".join((f" in line {line}" if line else "",
                         f" at {path}" if path else "",
                         f" at octet {position}" if position is not None
                         else ""))
        super().__init__(f"{self.text}{where} ({self.name})")


class OutOfMemoryError(Error, MemoryError):
    pass


class InvalidError(Error, ValueError):
    """An argument that the library does not take."""


class StateError(Error):
    """The right call at the wrong moment."""


class ClosedError(StateError):
    """The object was closed, or what it was made from."""


class MalformedError(Error, ValueError):
    """A text that does not follow its grammar."""


class LimitError(Error):
    pass


class CallbackError(Error):
    pass


class VersionError(Error):
    pass


class StaleError(Error):
    """A late, unknown or second answer."""


class NotFoundError(Error, LookupError):
    pass


class RandomError(Error):
    pass


class CryptoError(Error):
    pass


class CanceledError(Error):
    pass


class Refused(Exception):
    """What a handler may not do, and why.

    name is the word that programs compare, "E_HEADER_NOT_ALLOWED"; what is the
    field or the address that it is about.
    """

    def __init__(self, code: int, what: str = "") -> None:
        self.code = code
        self.name: str = ffi.string(lib.onward_refusal_name(code)).decode()
        self.text: str = ffi.string(lib.onward_refusal_text(code)).decode()
        self.what = what
        super().__init__(f"{self.name}: {self.text}"
                         + (f" ({what})" if what else ""))


_KINDS = {
    lib.ONWARD_ENOMEM: OutOfMemoryError,
    lib.ONWARD_EINVAL: InvalidError,
    lib.ONWARD_ESTATE: StateError,
    lib.ONWARD_ESYNTAX: MalformedError,
    lib.ONWARD_ELIMIT: LimitError,
    lib.ONWARD_ECALLBACK: CallbackError,
    lib.ONWARD_EVERSION: VersionError,
    lib.ONWARD_ESTALE: StaleError,
    lib.ONWARD_ENOENT: NotFoundError,
    lib.ONWARD_ERANDOM: RandomError,
    lib.ONWARD_ECRYPTO: CryptoError,
    lib.ONWARD_ECANCELED: CanceledError,
}


def error(code: int, text: str = "", *, position: Optional[int] = None,
          line: Optional[int] = None, path: str = "") -> Error:
    """The exception for a return value below 0."""
    return _KINDS.get(code, Error)(code, text, position=position, line=line,
                                   path=path)
