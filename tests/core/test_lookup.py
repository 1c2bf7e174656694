"""Questions are data: answered, recorded, and the only thing that an interface may await."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from msgspec import Struct

from isthmus.core.failure import Bug
from isthmus.core.lookup import Lookup, NotALookup, decode_answer, drive, encode_answer, gather, lookups, run


class Product(Struct, frozen=True):
    id: int


def product(code: str) -> Lookup[Product]:
    return Lookup(endpoint="odoo", name="product by code", answer=Product, args=(code,))


async def names(*codes: str) -> AsyncIterator[int]:
    for code in codes:
        found = await product(code)
        yield found.id


def test_each_question_is_answered_in_turn() -> None:
    assert run(gather(names("a", "bb")), lambda lookup: Product(len(lookup.args[0]))) == [1, 2]


def test_questions_of_one_round_reach_the_engine_together() -> None:
    rounds: list[tuple[str, ...]] = []

    async def resolve(asked: tuple[Lookup[object], ...]) -> tuple[object, ...]:
        await asyncio.sleep(0)
        rounds.append(tuple(one.args[0] for one in asked))
        return tuple(Product(len(one.args[0])) for one in asked)

    async def both() -> int:
        one, other = await lookups(product("a"), product("bb"))
        return one.id + other.id

    assert asyncio.run(drive(both(), resolve)) == 3
    assert rounds == [("a", "bb")]


def test_awaiting_anything_else_is_a_bug_even_inside_a_running_loop() -> None:
    async def impure() -> None:
        await asyncio.sleep(0)

    async def inside() -> None:
        with pytest.raises(NotALookup):
            run(impure(), lambda _: None)

    asyncio.run(inside())
    assert issubclass(NotALookup, Bug)


def test_an_answer_is_recorded_and_read_back_typed() -> None:
    asked = product("a")
    answer = encode_answer(asked, Product(7))
    assert decode_answer(asked, answer) == Product(7)
    assert answer.lookup_id == product("a").id != product("b").id


def test_a_failing_answer_closes_the_function_it_belongs_to() -> None:
    closed = []

    async def asking() -> None:
        try:
            await product("a")
        finally:
            closed.append(True)

    async def down(_: tuple[Lookup[object], ...]) -> tuple[object, ...]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(drive(asking(), down))
    assert closed == [True]


def test_an_async_generator_whose_question_is_not_answered_ends_cleanly_inside_a_running_loop() -> None:
    """Left half-running, it would be closed by the loop later, which fails up to Python 3.12."""
    complaints: list[object] = []

    async def asking() -> AsyncIterator[int]:
        yield (await product("a")).id

    def unanswered(_: Lookup[object]) -> object:
        raise ConnectionError

    async def unanswered_later(_: tuple[Lookup[object], ...]) -> tuple[object, ...]:
        raise ConnectionError

    async def inside() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        with pytest.raises(ConnectionError):
            run(gather(asking()), unanswered)
        with pytest.raises(ConnectionError):
            await drive(gather(asking()), unanswered_later)
        gc.collect()
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(inside())
    gc.collect()
    assert complaints == []
