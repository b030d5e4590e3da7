"""onward for asyncio: the same objects, with results that are awaited.

    async with onward.aio.Host(dns=onward.aio.system_dns()) as host:
        verifier = host.verifier(ip="192.0.2.1", mail_from="alice@example.com")
        async for chunk in stream:
            verifier.feed(chunk)
        verifier.finish()
        verdict = await verifier.result()

A Host is a desk that the event loop runs: when an answer has come, and when
something is due. Functions that it is given (dns, sign, deliver, submit,
handlers) may be coroutine functions; they become tasks, which end when nobody
waits for their answer any more.

An exception in one of them is raised where its result is awaited; an exception
in dns, which answers for several, in all that are awaited then.
"""
from __future__ import annotations

import asyncio
import inspect
from typing import Any, Awaitable, Callable, Dict, List, Optional, \
    Sequence, Set, Tuple, Union

from . import dns as _dns
from ._core import Context, Desk, Handle, Task, Text, crlf
from ._ffi import ffi, lib
from ._relay import Event, EventAction, Outcome, RelayBase
from ._rules import Ruleset
from ._sign import ArcSealerBase, DkimSignerBase, Key, Signer as _Signer
from ._verify import Dmarc, DmarcCheckBase, Octets, Spf, SpfCheckBase, \
    Verdict, VerifierBase
from .errors import ClosedError, StateError, error

__all__ = ["Host", "Verifier", "SpfCheck", "DmarcCheck", "DkimSigner",
           "ArcSealer", "Relay", "system_dns", "verify"]

AsyncFunction = Callable[[str, str], Awaitable[Union[_dns.Records,
                                                     _dns.Answer]]]
Dns = Union[_dns.Dns, AsyncFunction]


class _Desk(Desk):
    """A desk that the event loop runs."""

    def __init__(self, context: Optional[Context], log_id: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._runs = False
        self._soon: Optional[asyncio.Handle] = None
        self._timer: Optional[asyncio.TimerHandle] = None
        self._waiting: "Set[asyncio.Future[None]]" = set()
        self._settled: "List[asyncio.Future[None]]" = []
        self._tasks: "Dict[Tuple[str, int], asyncio.Task[None]]" = {}
        self._ending: "Set[asyncio.Task[None]]" = set()
        super().__init__(context, log_id=log_id)

    def _touched(self) -> None:
        if self._soon is None and not self._runs and not self.closed \
                and not self._loop.is_closed():
            self._soon = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._soon = None
        if self.closed:
            return
        left: Optional[float] = 0
        self._runs = True
        try:
            if not self.run() and not self.closed:
                left = self.deadline()
        except Exception as problem:  # a callback's
            self._fail(problem)
        finally:
            self._runs = False
            # Not before: an exception of this run goes to these, too.
            for future in self._settled:
                if not future.done():
                    future.set_result(None)
            self._settled.clear()
        if left == 0:
            self._touched()
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if left is not None:
            self._timer = self._loop.call_later(left + 0.001, self._go_on)

    def _fail(self, problem: BaseException) -> None:
        """Raise it where somebody waits."""
        for future in self._waiting:
            if not future.done():
                future.set_exception(problem)
        if not self._waiting:
            self._loop.call_exception_handler({
                "message": "onward: an exception in a callback",
                "exception": problem})

    async def _until(self, task: Task) -> None:
        if not task.done:
            task._c
            self._c
            future: "asyncio.Future[None]" = self._loop.create_future()
            task._future = future  # type: ignore[attr-defined]
            self._waiting.add(future)
            self._touched()
            try:
                await future
            finally:
                self._waiting.discard(future)
        task._c
        if task._status:
            raise error(task._status)

    def _start(self, kind: str, token: int, work: Awaitable[None],
               failed: Callable[[BaseException], None]) -> None:
        """Answer a token by a coroutine."""
        async def run() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except Exception as problem:
                if not self.closed:
                    failed(problem)
            finally:
                self._tasks.pop((kind, token), None)
        self._tasks[kind, token] = self._loop.create_task(run())

    def _stop(self, kind: str, token: int) -> None:
        task = self._tasks.pop((kind, token), None)
        if task is not None:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            # Not now: this may run inside that task.
            self._loop.call_soon(task.cancel)

    def close(self) -> None:
        super().close()
        for handle in (getattr(self, "_soon", None),
                       getattr(self, "_timer", None)):
            if handle is not None:
                handle.cancel()
        if self._tasks and not self._loop.is_closed():
            for task in list(self._tasks.values()):
                task.cancel()


def _host(made: Handle) -> _Desk:
    """The desk of an object."""
    if not isinstance(made._desk, _Desk):
        raise StateError(lib.ONWARD_ESTATE,
                         "made from a desk that no event loop runs")
    return made._desk


class _Settles(Task):
    """A task that wakes up who awaits it."""

    _future: "Optional[asyncio.Future[None]]" = None

    def _settle(self, status: int = 0) -> None:
        super()._settle(status)
        if self._future is not None:
            _host(self)._settled.append(self._future)

    def _closed(self) -> None:
        future = self._future
        if future is None or future.done() or future.get_loop().is_closed():
            return

        waiting: "asyncio.Future[None]" = future

        def end() -> None:
            if not waiting.done():
                waiting.set_exception(ClosedError(
                    lib.ONWARD_ESTATE,
                    f"this {type(self).__name__} is closed"))
        future.get_loop().call_soon_threadsafe(end)

    async def _ended(self) -> None:
        await _host(self)._until(self)


class Verifier(_Settles, VerifierBase):
    """As onward.Verifier."""

    async def result(self) -> Verdict:
        await self._ended()
        return self.verdict


class SpfCheck(_Settles, SpfCheckBase):
    """As onward.SpfCheck."""

    async def result(self) -> Spf:
        await self._ended()
        return self.verdict


class DmarcCheck(_Settles, DmarcCheckBase):
    """As onward.DmarcCheck."""

    async def result(self) -> Dmarc:
        await self._ended()
        return self.verdict


class DkimSigner(_Settles, DkimSignerBase):
    """As onward.DkimSigner."""

    async def result(self) -> bytes:
        await self._ended()
        return self.field


class ArcSealer(_Settles, ArcSealerBase):
    """As onward.ArcSealer."""

    async def result(self) -> bytes:
        await self._ended()
        return self.fields


class _Resolver(_dns.Resolver):
    def _ask(self, token: int, name: str, kind: str) -> None:
        host = _host(self)
        try:
            answer = self._dns(name, kind)
        except (_dns.Failure, OSError) as failure:
            answer = failure
        if not inspect.isawaitable(answer):
            self._answer(token, name, kind, answer)
            return

        async def answered() -> None:
            try:
                found = await answer
            except (_dns.Failure, OSError) as failure:
                found = failure
            except asyncio.TimeoutError:
                found = _dns.Failure("timeout")
            self._answer(token, name, kind, found)

        def failed(problem: BaseException) -> None:
            self._answer(token, name, kind, _dns.Failure())
            host._fail(problem)
        host._start("dns", token, answered(), failed)

    def _cancel(self, token: int) -> None:
        _host(self)._stop("dns", token)


class Signer(_Signer):
    """As onward.Signer; sign may be a coroutine function."""

    def _asked(self, question: Any) -> None:
        host = _host(self)
        token = question.token
        signature = self._sign(
            "rsa" if question.type == lib.ONWARD_KEY_RSA else "ed25519",
            bytes(ffi.buffer(question.input, question.input_len)))
        if not inspect.isawaitable(signature):
            self._signed(token, signature)
            return

        async def answered() -> None:
            self._signed(token, await signature)

        def failed(problem: BaseException) -> None:
            host._call(lib.onward_sign_answer_error, token,
                       lib.ONWARD_ECALLBACK)
            host._fail(problem)
        host._start("sign", token, answered(), failed)

    def _canceled(self, token: int) -> None:
        _host(self)._stop("sign", token)


class Relay(_Settles, RelayBase):
    """As onward.Relay. A handler may await what it has asked for:
    `await event.forward(...)`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._awaited: "Dict[Tuple[Any, int], asyncio.Future[None]]" = {}
        self._problem: Optional[BaseException] = None
        super().__init__(*args, **options)

    async def result(self) -> Outcome:
        await self._ended()
        if self._problem is not None:
            raise self._problem
        return self.outcome

    def _run(self, token: int, work: Any, then: Callable[[Any], None],
             failed: Callable[[BaseException], None]) -> None:
        """What came of a host's function, now or later."""
        if not inspect.isawaitable(work):
            then(work)
            return

        async def answered() -> None:
            then(await work)

        def broken(problem: BaseException) -> None:
            self._problem = self._problem or problem
            failed(problem)
        _host(self)._start("relay", token, answered(), broken)

    def _deliver(self, token: int, index: int) -> None:
        self._run(token, self._deliver_to(self._delivery(index)),
                  lambda reply: self._delivered(token, reply),
                  lambda problem: self._delivered(token, "451 4.3.0"))

    def _submit(self, token: int, index: int) -> None:
        def answer(status: int) -> None:
            self._answer(lib.onward_relay_submission_answer, token, status)
        self._run(token, self._submit_to(self._submission(index)),
                  lambda kept: answer(0),
                  lambda problem: answer(lib.ONWARD_ECALLBACK))

    def _handle(self, event: Event, handler: Any) -> None:
        try:
            work = handler(event)
        except BaseException as problem:
            self._failed(event, problem)
            raise
        self._run(event._token, work,
                  lambda _: self._answer(lib.onward_event_done, event._token),
                  lambda problem: self._failed(event, problem))

    def _canceled(self, token: int) -> None:
        _host(self)._stop("relay", token)

    def _acted(self, c: Any, action: int) -> None:
        future = self._awaited.pop((c, action), None)
        if future is not None and not future.done():
            future.set_result(None)

    def _acting(self, action: EventAction) -> Any:
        if action.state != "pending":
            return None
        key = action._event._pointer, action.index
        future = self._awaited.get(key)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._awaited[key] = future
        return asyncio.shield(future)


class Host:
    """A desk and a resolver that the running event loop drives. Use it with
    `async with`, or close() it; what was made from it is closed with it."""

    def __init__(self, dns: Dns, *, context: Optional[Context] = None,
                 log_id: int = 0, dns_timeout: float = 0) -> None:
        self.desk = _Desk(context, log_id)
        self.context = self.desk.context
        self.resolver = _Resolver(
            self.desk, dns, timeout=dns_timeout)  # type: ignore[arg-type]

    async def __aenter__(self) -> "Host":
        return self

    async def __aexit__(self, *exception: object) -> None:
        tasks = [*self.desk._tasks.values(), *self.desk._ending]
        self.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        self.desk.close()

    def verifier(self, **facts: Any) -> Verifier:
        return Verifier(self.resolver, **facts)

    def spf(self, **facts: Any) -> SpfCheck:
        return SpfCheck(self.resolver, **facts)

    def dmarc(self, author_domain: Text, **facts: Any) -> DmarcCheck:
        return DmarcCheck(self.resolver, author_domain, **facts)

    def signer(self, key: Union[Key, bytes], **options: Any) -> Signer:
        return Signer(self.desk, key, **options)

    def relay(self, ruleset: Ruleset, **options: Any) -> Relay:
        return Relay(self.resolver, ruleset, **options)

    async def verify(self, message: Octets, **facts: Any) -> Verdict:
        """Verify a whole message, as onward.verify()."""
        data = crlf(message)
        with self.verifier(**facts) as verifier:
            verifier.feed(data)
            verifier.finish()
            return await verifier.result()


async def verify(message: Octets, *, dns: Dns,
                 context: Optional[Context] = None, **facts: Any) -> Verdict:
    """As onward.verify(). A Host serves more than one message better."""
    async with Host(dns, context=context) as host:
        return await host.verify(message, **facts)


def system_dns(nameservers: Optional[Sequence[str]] = None, *, port: int = 53,
               timeout: float = 5, trust_ad: bool = False) -> AsyncFunction:
    """As onward.dns.system(), without waiting: dnspython over asyncio."""
    import dns.asyncquery
    import dns.exception
    found = _dns.servers(nameservers)

    async def ask(name: str, kind: str) -> _dns.Answer:
        problem: OSError = OSError("no name server")
        for server in found:
            try:
                response, _ = await dns.asyncquery.udp_with_fallback(
                    _dns.question(name, kind, trust_ad), server, timeout, port)
                return _dns.reply(response, trust_ad)
            except dns.exception.Timeout:
                problem = TimeoutError(f"{server} does not answer")
            except dns.exception.DNSException as failure:
                problem = OSError(str(failure))
            except OSError as failure:
                problem = failure
        raise problem
    return ask
