"""Lookup: a read as data. ``await`` one in a pure function; the engine answers it and records the answer.

The trampoline here is not asyncio: awaiting anything but a Lookup raises ``NotALookup``, so a translator or a subscription
cannot do I/O of its own by accident, and the same function runs in a dry run, a test, a replay and production.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast, overload

import msgspec
from msgspec import Struct

from isthmus.core.failure import Bug
from isthmus.core.ids import derive_id

T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


class Lookup(Struct, Generic[T], frozen=True, kw_only=True):
    """A question to one endpoint; ``answer`` is the narrow type of what comes back (only the fields that are used)."""

    endpoint: str
    name: str
    """The read, in the connector's words: ``product by code``."""
    answer: type[T]
    args: tuple[str, ...] = ()
    max_age: float = 0.0
    """Seconds for which an earlier answer is good enough; 0 asks each time."""

    @property
    def id(self) -> str:
        return derive_id("lookup", self.endpoint, self.name, *self.args)

    def __await__(self) -> Generator[tuple[Lookup[Any], ...], tuple[Any, ...], T]:
        (reply,) = yield (self,)
        return cast("T", reply)


class _Together(Generic[T]):
    def __init__(self, asked: tuple[Lookup[Any], ...]) -> None:
        self._asked = asked

    def __await__(self) -> Generator[tuple[Lookup[Any], ...], tuple[Any, ...], T]:
        replies = yield self._asked
        return cast("T", replies)


@overload
def lookups(first: Lookup[A], second: Lookup[B], /) -> _Together[tuple[A, B]]: ...
@overload
def lookups(first: Lookup[A], second: Lookup[B], third: Lookup[C], /) -> _Together[tuple[A, B, C]]: ...
@overload
def lookups(*asked: Lookup[T]) -> _Together[tuple[T, ...]]: ...
def lookups(*asked: Lookup[Any]) -> _Together[Any]:
    """Ask several questions in one round, as in ``product, payer = await lookups(one, other)``."""
    return _Together(asked)


class NotALookup(Bug):
    """An interface awaited something that the engine can neither record nor replay. Await a Lookup, or move the work to the engine."""

    def __init__(self, what: object) -> None:
        super().__init__("not-a-lookup", f"an interface may await lookups only, not {type(what).__name__}")


class Answer(Struct, frozen=True):
    """One answered question, as it is recorded."""

    lookup_id: str
    endpoint: str
    name: str
    body: bytes
    """The answer as JSON."""


Resolve = Callable[[Lookup[Any]], Any]
ResolveAsync = Callable[[tuple[Lookup[Any], ...]], Awaitable[tuple[Any, ...]]]


def encode_answer(lookup: Lookup[Any], value: object) -> Answer:
    return Answer(lookup.id, lookup.endpoint, lookup.name, msgspec.json.encode(value))


def decode_answer(lookup: Lookup[T], answer: Answer) -> T:
    return msgspec.json.decode(answer.body, type=lookup.answer)


def _questions(asked: object, coro: Coroutine[Any, Any, Any]) -> tuple[Lookup[Any], ...]:
    if isinstance(asked, tuple) and all(isinstance(one, Lookup) for one in asked):
        return asked
    _abandon(coro)
    raise NotALookup(asked)


class _Abandoned(BaseException):
    """Thrown into a function whose question nobody will answer."""


def _abandon(coro: Coroutine[Any, Any, Any]) -> None:
    """End it where it stands. It is thrown out, for up to Python 3.12 ``close`` leaves an async generator inside half-running."""
    with suppress(_Abandoned, StopIteration, Exception):  # what its own cleaning up raises comes after the reason that counts
        coro.throw(_Abandoned())
    coro.close()


def run(coro: Coroutine[Any, Any, R], resolve: Resolve) -> R:
    """Run to the end, answering each question by ``resolve``."""
    reply: Any = None
    while True:
        try:
            asked = coro.send(reply)
        except StopIteration as stop:
            return cast("R", stop.value)
        questions = _questions(asked, coro)
        try:
            reply = tuple(resolve(one) for one in questions)
        except BaseException:
            _abandon(coro)
            raise


async def drive(coro: Coroutine[Any, Any, R], resolve: ResolveAsync) -> R:
    """Like :func:`run`, for an engine whose answers take time. The questions of one round are resolved together."""
    reply: Any = None
    while True:
        try:
            asked = coro.send(reply)
        except StopIteration as stop:
            return cast("R", stop.value)
        questions = _questions(asked, coro)
        try:
            reply = await resolve(questions)
        except BaseException:
            _abandon(coro)
            raise


async def gather(items: AsyncIterator[R]) -> list[R]:
    """Drain an async generator; meant to be handed to :func:`run` or :func:`drive`."""
    return [item async for item in items]


Produced = Iterable[R] | AsyncIterator[R]
"""What a translator or subscription returns: a plain generator, or an async one when it asks questions."""
