"""What every object stands on: calls, callbacks, lives, texts.

Lives. C objects are freed outside of all calls of the library, children before
parents, by whoever may use them at that moment: what is closed in a callback,
or collected while another thread is inside, waits in _graves. A handle that was
closed refuses all calls from then on.

Exceptions. One that is raised in a callback is kept, the library is told that
the callback failed, and the call of the library that was running raises it.
"""
from __future__ import annotations

import collections
import contextlib
import itertools
import logging
import os
import threading
import time
import weakref
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Optional, Type, TypeVar, Union

from ._ffi import ffi, lib
from .errors import ClosedError, StateError, error

Text = Union[str, bytes]
Self = TypeVar("Self", bound="Handle")

# ---- Calls and callbacks ------------------------------------------------------


class _Thread(threading.local):
    depth = 0  # calls of the library on the stack
    leaf = 0  # callbacks on it that must not call back
    raised: Optional[BaseException] = None


_thread = _Thread()
_graves: "collections.deque[Owned]" = collections.deque()


def call(function: Any, *args: Any) -> Any:
    """Call the library; raise what a callback raised inside."""
    here = _thread
    if here.leaf:
        raise StateError(lib.ONWARD_ESTATE,
                         "this callback must not call the library")
    outer, here.raised = here.raised, None
    here.depth += 1
    try:
        result = function(*args)
    finally:
        here.depth -= 1
        raised, here.raised = here.raised, outer
        if _graves and not here.depth:
            _bury()
    if raised is not None:
        raise raised
    return result


def check(function: Any, *args: Any) -> int:
    """Call it; a negative result is an exception."""
    result: int = call(function, *args)
    if result < 0:
        raise error(result)
    return result


def _raised(kind: Any, exception: Any, trace: Any) -> None:
    if _thread.raised is None:
        _thread.raised = exception
    else:  # one comes out of the call; do not lose the others
        logging.getLogger("onward").error(
            "one more exception in a callback",
            exc_info=(kind, exception, trace))


_users: "weakref.WeakValueDictionary[int, Any]" = weakref.WeakValueDictionary()
_numbers = itertools.count(1)


def enroll(owner: Any) -> Any:
    """The user pointer of a callback table: a number, so that one that is
    stale finds nothing. owner lives as long as somebody holds it."""
    number = next(_numbers)
    _users[number] = owner
    return ffi.cast("void *", number)


def callback(signature: str, failed: Any = None, leaf: bool = False
             ) -> Callable[[Callable[..., Any]], Any]:
    """A function that C calls. Its first argument becomes the object that was
    enrolled. failed is what C hears when it raises, or when that is gone."""
    def made(function: Callable[..., Any]) -> Any:
        def run(user: Any, *args: Any) -> Any:
            owner = _users.get(int(ffi.cast("uintptr_t", user)))
            if owner is None:
                return failed
            _thread.leaf += leaf
            try:
                return function(owner, *args)
            finally:
                _thread.leaf -= leaf
        return ffi.callback(signature, run, error=failed, onerror=_raised)
    return made


# ---- Lives ---------------------------------------------------------------------


class Alone:
    """Of an object that one thread at a time may use."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def enter(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise StateError(lib.ONWARD_ESTATE, "another thread is using it")

    def leave(self) -> None:
        self._lock.release()

    def enter_last(self) -> bool:
        return self._lock.acquire(blocking=False)

    leave_last = leave


class Shared:
    """Of an object that all threads may use at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0

    def enter(self) -> None:
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1

    def enter_last(self) -> bool:
        return self._users == 0

    def leave_last(self) -> None:
        pass


class Owned:
    """A C object, and who must go before it."""

    __slots__ = ("pointer", "free", "guard", "parents", "children", "is_closed",
                 "keep", "handle")

    def __init__(self, pointer: Any, free: Any, guard: Any,
                 parents: "list[Owned]", keep: Any) -> None:
        self.pointer = pointer
        self.free = free
        self.guard = guard
        self.parents: "list[Owned]" = []
        self.children: "set[Owned]" = set()
        self.is_closed = False
        self.keep = keep
        self.handle: "Optional[weakref.ref[Handle]]" = None
        for parent in parents:
            self.stand_on(parent)

    def stand_on(self, parent: "Owned") -> None:
        self.parents.append(parent)
        parent.children.add(self)

    def close(self) -> None:
        self._mark()
        self.release()

    def _mark(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            for child in list(self.children):
                child._mark()
            handle = self.handle() if self.handle is not None else None
            if handle is not None:
                handle._closed()

    def release(self) -> None:
        if self.pointer is None:
            return
        if _thread.depth or not self.guard.enter_last():
            _graves.append(self)
            return
        try:
            for child in list(self.children):
                child.release()
            pointer, self.pointer = self.pointer, None
            for parent in self.parents:
                parent.children.discard(self)
            if pointer is not None:
                call(self.free, pointer)
            self.parents, self.keep = [], None
        finally:
            self.guard.leave_last()


def _bury() -> None:
    for _ in range(len(_graves)):
        try:
            owned = _graves.popleft()
        except IndexError:  # another thread did
            return
        owned.release()


class Handle:
    """Something of the library's. Close it, or let it be collected."""

    _owned: Owned
    _desk: "Optional[Desk]" = None

    def _take(self, pointer: Any, free: Any, *parents: "Handle",
              guard: Any = None, keep: Any = None) -> None:
        """Own a C object. Parents stay alive as long as it does."""
        self._parents = list(parents)
        if guard is None:  # all that is of one desk has the desk's
            guard = self._desk._owned.guard if self._desk else Alone()
        self._owned = Owned(pointer, free, guard,
                            [parent._owned for parent in parents], keep)
        self._owned.handle = weakref.ref(self)

    def _closed(self) -> None:
        """It was closed, or what it stands on."""

    def _stand_on(self, parent: "Handle") -> None:
        self._parents.append(parent)
        self._owned.stand_on(parent._owned)

    @property
    def _c(self) -> Any:
        owned = getattr(self, "_owned", None)
        if owned is None or owned.is_closed:
            raise ClosedError(lib.ONWARD_ESTATE,
                              f"this {type(self).__name__} is closed")
        return owned.pointer

    def _call(self, function: Any, *args: Any) -> Any:
        """Call a function with this object as its first argument."""
        self._c
        guard = self._owned.guard
        guard.enter()
        try:
            return call(function, self._c, *args)
        finally:
            guard.leave()
            self._touch()

    def _touch(self) -> None:
        if self._desk is not None:
            self._desk._touched()

    @contextlib.contextmanager
    def _inside(self) -> Iterator[Any]:
        """The C object, which nobody frees meanwhile."""
        self._c
        guard = self._owned.guard
        guard.enter()
        try:
            yield self._c
        finally:
            guard.leave()

    def _do(self, function: Any, *args: Any) -> int:
        result: int = self._call(function, *args)
        if result < 0:
            raise error(result)
        return result

    def _new(self, function: Any, kind: str, *args: Any) -> Any:
        out = ffi.new(f"struct {kind} **")
        self._do(function, *args, out)
        return out[0]

    def close(self) -> None:
        """Free it, and what was made from it. A second time does nothing."""
        if hasattr(self, "_owned"):
            self._owned.close()

    @property
    def closed(self) -> bool:
        return not hasattr(self, "_owned") or self._owned.is_closed

    def __enter__(self: Self) -> Self:
        self._c
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled")


# ---- Texts and tables ------------------------------------------------------------


class Kept(list):  # type: ignore[type-arg]
    """What must live until a call has returned."""

    def __call__(self, thing: Any) -> Any:
        self.append(thing)
        return thing

    def text(self, value: Text) -> Any:
        """A struct onward_str that borrows a text."""
        data = octets(value)
        return self(ffi.new("struct onward_str *", {
            "data": self(ffi.from_buffer("char[]", data)),
            "len": len(data)}))[0]

    def table(self, kind: str, **fields: Any) -> Any:
        """An open struct with its size; what is None stays 0."""
        made = self(ffi.new(f"struct {kind} *"))
        made.size = ffi.sizeof(made[0])
        for name, value in fields.items():
            if isinstance(value, (str, bytes)):
                value = self.text(value)
            if value is not None:
                setattr(made, name, value)
        return made

    def ip(self, value: Any) -> Any:
        """A struct onward_ip from text or an ipaddress object; NULL of None."""
        if value is None:
            return ffi.NULL
        made = self(ffi.new("struct onward_ip *"))
        if not isinstance(value, (str, bytes)):
            if not hasattr(value, "packed"):
                raise TypeError("ip: a text or an ipaddress object, not "
                                f"{type(value).__name__}")
            value = str(value)
        if call(lib.onward_ip_parse, self.text(value), made) < 0:
            raise error(lib.ONWARD_ESYNTAX, f"no IP address: {value!r}")
        return made


def octets(value: Text, what: str = "a text") -> bytes:
    """UTF-8 of a str; octets as they are."""
    if isinstance(value, str):
        return value.encode()  # lone surrogates: UnicodeEncodeError
    if isinstance(value, bytes):
        return value
    raise TypeError(f"expected {what} (str or bytes), not "
                    f"{type(value).__name__}")


def message_octets(value: Any) -> bytes:
    """A message: octets. What can change is copied, as C must not see that."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise TypeError("a message is bytes (open its file with 'rb'), not "
                    f"{type(value).__name__}")


def crlf(message: Union[bytes, bytearray, memoryview]) -> bytes:
    """A message from a file: LF becomes CRLF where it holds no CR at all."""
    data = message_octets(message)
    return data if b"\r" in data else data.replace(b"\n", b"\r\n")


def raw(value: Any) -> bytes:
    """A struct onward_str as octets."""
    return bytes(ffi.buffer(value.data, value.len)) if value.len else b""


def text(value: Any) -> str:
    """A struct onward_str, or a C string, as text for people: octets that are
    no UTF-8 are escaped."""
    kind = ffi.typeof(value).kind
    if kind == "array" or kind == "pointer":
        data = ffi.string(value) if kind == "array" or value else b""
    else:
        data = raw(value)
    return bytes(data).decode("utf-8", "backslashreplace")


def word(function: Any, number: int) -> str:
    """The word of one of the library's enums."""
    return text(call(function, number))


def buffered(function: Any, subject: Any, cap: int) -> str:
    """What a function writes into the room that it is lent."""
    room = ffi.new("char[]", cap)
    length = check(function, subject, room, cap)
    return bytes(ffi.buffer(room, length)).decode()


def read_source(source: Any) -> bytes:
    """All of a struct onward_source that never waits."""
    pieces = []
    offset = 0
    room = ffi.new("char[]", 65536)
    got = ffi.new("size_t *")
    while offset < source.len:
        check(source.read, source.user, offset, room, len(room), got)
        if got[0] == 0:
            raise error(lib.ONWARD_ECALLBACK, "the message ended early")
        pieces.append(bytes(ffi.buffer(room, got[0])))
        offset += got[0]
    return b"".join(pieces)


# ---- The context -------------------------------------------------------------------


@dataclass(frozen=True)
class LogEvent:
    """One event: level is "error", "warn", "info" or "debug"."""

    level: str
    module: str
    code: str
    log_id: int
    detail: str


_LEVELS = {1: "error", 2: "warn", 3: "info", 4: "debug"}
_LOGGING = {"error": logging.ERROR, "warn": logging.WARNING,
            "info": logging.INFO, "debug": logging.DEBUG}


class _World:
    def __init__(self, now: Callable[[], float], random: Callable[[int], bytes],
                 log: Optional[Callable[[LogEvent], object]]) -> None:
        self.now, self.random, self.log = now, random, log


@callback("int64_t(void *)", failed=0, leaf=True)
def _now_s(world: _World) -> int:
    return int(world.now())


@callback("int(void *, void *, size_t)", failed=-1, leaf=True)
def _fill(world: _World, data: Any, size: int) -> int:
    found = world.random(size)
    if not isinstance(found, bytes) or len(found) != size:
        raise ValueError(f"random: expected {size} octets")
    ffi.memmove(data, found, size)
    return 0


@callback("void(void *, const struct onward_log_event *)", leaf=True)
def _log(world: _World, event: Any) -> None:
    if world.log is not None:
        world.log(LogEvent(_LEVELS.get(event.level, "debug"),
                           text(event.module), text(event.code), event.log_id,
                           text(event.detail)))


class Context(Handle):
    """What the library knows of the machine: clock, random source, log, limits.
    All threads may share it.

    now gives the seconds since 1970, random so many octets, fit for keys. log
    gets events, as a function or as a logging.Logger. What is None is the
    system's; a limit of 0 is the library's default.
    """

    def __init__(self, *, now: Optional[Callable[[], float]] = None,
                 random: Optional[Callable[[int], bytes]] = None,
                 log: Union[Callable[[LogEvent], object], logging.Logger,
                            None] = None,
                 header_bytes: int = 0, header_fields: int = 0,
                 message_bytes: int = 0) -> None:
        if isinstance(log, logging.Logger):
            logger = log

            def log(event: LogEvent) -> None:
                logger.log(_LOGGING[event.level], "%s: %s %s", event.module,
                           event.code, event.detail)
        for name, function in (("now", now), ("random", random), ("log", log)):
            if function is not None and not callable(function):
                raise TypeError(f"{name}: expected a function")
        world = _World(now or time.time, random or os.urandom, log)
        user = enroll(world)
        kept = Kept()
        out = ffi.new("struct onward_ctx **")
        check(lib.onward_ctx_new, kept.table(
            "onward_ctx_opts",
            clock=kept.table("onward_clock", user=user, now_s=_now_s),
            random=kept.table("onward_random", user=user, fill=_fill),
            log=kept.table("onward_log", user=user, event=_log) if log
            else None,
            limits=kept.table("onward_limits", header_bytes=header_bytes,
                              header_fields=header_fields,
                              message_bytes=message_bytes)), out)
        self._world = world
        self._take(out[0], lib.onward_ctx_free, guard=Shared(), keep=world)


_default: Optional[Context] = None
_default_lock = threading.Lock()


def default(context: Optional[Context]) -> Context:
    """The one that is given, or the one of the process."""
    global _default
    if context is not None:
        if not isinstance(context, Context):
            raise TypeError("context: expected an onward.Context")
        return context
    with _default_lock:
        if _default is None or _default.closed:
            _default = Context()
        return _default


# ---- The desk ------------------------------------------------------------------------


def now_ms() -> int:
    return int(time.monotonic() * 1000)


class Desk(Handle):
    """Where everything slow meets; one thread at a time. Whatever waits for
    something has a result(), which runs the desk."""

    def __init__(self, context: Optional[Context] = None, *, log_id: int = 0
                 ) -> None:
        context = default(context)
        kept = Kept()
        self.context = context
        self._take(context._new(lib.onward_desk_new, "onward_desk", kept.table(
            "onward_desk_opts", log_id=log_id)), lib.onward_desk_free, context)

    def run(self) -> bool:
        """Go on with what was answered or came due: is more ready at once?"""
        return self._do(lib.onward_desk_run, now_ms()) == 1

    def deadline(self) -> Optional[float]:
        """Seconds until run() must be called; None: there is no need."""
        due: int = self._call(lib.onward_desk_deadline)
        return None if due == 2**63 - 1 else max(0, due - now_ms()) / 1000

    def _touch(self) -> None:
        self._touched()

    def _touched(self) -> None:
        """Something may be ready: for hosts that wait elsewhere."""

    def _run_until(self, is_done: Callable[[], bool]) -> None:
        while not is_done():
            if self.run() or is_done():
                continue
            left = self.deadline()
            if left is None:
                raise StateError(lib.ONWARD_ESTATE,
                                 "nothing is left that could bring a result")
            if left:
                time.sleep(left)


class Task(Handle):
    """What comes to an end inside the desk."""

    _status: Optional[int] = None

    def _begin(self, desk: Desk) -> Any:
        self._desk = desk
        return enroll(self)

    def _settle(self, status: int = 0) -> None:
        self._status = status

    @property
    def done(self) -> bool:
        return self._status is not None

    def _wait(self) -> None:
        """Until its end."""
        assert self._desk is not None
        self._c
        self._desk._run_until(lambda: self.closed or self.done)
        self._c
        if self._status:
            raise error(self._status)


def child(parent: Any, kind: Type[Handle], what: str) -> Any:
    if not isinstance(parent, kind):
        raise TypeError(f"{what}: expected an onward.{kind.__name__}, not "
                        f"{type(parent).__name__}")
    return parent
