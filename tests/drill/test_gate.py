"""A gate on real sockets: each fate does to an answer what it says, and counts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random

import pytest

from isthmus.app.drill.gate import Fate, Gate, Kind

ANSWER = b"\x0bMSH|^~\\&|LAB\rMSA|AA|C-1|\r\x1c\r"


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    """Behind it is a system that answers each request at once."""

    ended = asyncio.Queue[None]()
    begun = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal begun
        begun += 1
        with suppress(ConnectionError):
            while await reader.read(1024):
                writer.write(ANSWER)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        ended.put_nowait(None)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    gate = Gate("lab", server.sockets[0].getsockname()[1], speaks="mllp", rng=Random(1))
    await gate.open(0)
    gate.port = gate._server.sockets[0].getsockname()[1] if gate._server else 0
    yield gate
    await gate.close()
    server.close()
    for _ in range(begun):
        await ended.get()


async def asked(gate: Gate, fate: Fate, seconds: float = 0.3) -> tuple[bytes, bool]:
    """What came back to one request, and whether the connection ended."""
    gate.draw = lambda: fate
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    writer.write(b"a request")
    heard = b""
    try:
        async with asyncio.timeout(seconds):
            while data := await reader.read(1024):
                heard += data
        ended = True
    except ConnectionResetError:
        ended = True
    except TimeoutError:
        ended = False
    await closed(writer)
    return heard, ended


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("kind", "heard", "ended"),
    [("pass", ANSWER, False), ("lose", b"", True), ("hang", b"", False), ("twice", ANSWER * 2, False)],
)
async def test_an_answer_passes_is_lost_never_comes_or_comes_twice(gate: Gate, kind: Kind, heard: bytes, ended: bool) -> None:
    assert await asked(gate, Fate(kind)) == (heard, ended)
    assert gate.struck[kind] == (0 if kind == "pass" else 1)


async def test_an_answer_breaks_off_in_the_middle(gate: Gate) -> None:
    heard, ended = await asked(gate, Fate("cut"))
    assert ended
    assert heard
    assert ANSWER.startswith(heard)
    assert heard != ANSWER


async def test_an_answer_is_rubbish(gate: Gate) -> None:
    heard, _ = await asked(gate, Fate("garble"))
    assert heard.startswith(b"\x0b")
    assert b"MSA" not in heard


async def test_an_answer_names_another_message(gate: Gate) -> None:
    heard, _ = await asked(gate, Fate("foreign"))
    assert heard == ANSWER.replace(b"C-1", b"SOMEBODY-ELSES")


async def test_an_answer_comes_later(gate: Gate) -> None:
    assert await asked(gate, Fate("slow", 0.2), 0.1) == (b"", False)
    assert await asked(gate, Fate("slow", 0.05), 0.3) == (ANSWER, False)


async def test_a_gate_that_is_shut_breaks_what_is_open_and_refuses_what_comes(gate: Gate) -> None:
    gate.draw = lambda: Fate("hang")
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    writer.write(b"a request")
    async with asyncio.timeout(5):
        while not gate.in_the_air:
            await asyncio.sleep(0.001)
    gate.shut()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    await closed(writer)
    assert gate.struck["broken"] == 1
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", gate.port)
    await gate.open(gate.port)
    assert await asked(gate, Fate()) == (ANSWER, False)
