"""The wire on real sockets, against servers that do what servers do on bad days."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from isthmus.connectors.http.failures import NoConnection, Unanswered
from isthmus.connectors.http.wire import Wire

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    """A server on a real socket that speaks bytes; its connections end with it."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def wire(url: str, *, limit: int = 4) -> AsyncIterator[Wire]:
    made = Wire(url, headers={"User-Agent": "isthmus"}, context=None, limit=limit, connect_timeout=2.0)
    yield made
    await made.close()
    assert made.connections == 0


async def read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
    return head, await reader.readexactly(length)


async def test_a_request_is_what_rfc_9112_asks_for() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append(await read(reader))
            writer.write(OK)

    async with server(serve) as url, wire(f"{url}/api/v1/") as one:
        await one.request("POST", "/results", {"Idempotency-Key": "k1"}, b"{}", timeout=5)
        await one.request("GET", "/results/1?a=b", {}, timeout=5, limit=10)
        await one.request("DELETE", "/results/1", {}, timeout=5)
        assert one.connections == 1
    host = url.removeprefix("http://").encode()
    assert seen == [
        (
            b"POST /api/v1/results HTTP/1.1\r\nHost: %b\r\nUser-Agent: isthmus\r\nIdempotency-Key: k1\r\nContent-Length: 2\r\n\r\n" % host,
            b"{}",
        ),
        (b"GET /api/v1/results/1?a=b HTTP/1.1\r\nHost: %b\r\nUser-Agent: isthmus\r\n\r\n" % host, b""),
        (b"DELETE /api/v1/results/1 HTTP/1.1\r\nHost: %b\r\nUser-Agent: isthmus\r\nContent-Length: 0\r\n\r\n" % host, b""),
    ]


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0b"])
async def test_a_value_never_becomes_a_header_of_its_own(value: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read(reader)
        writer.write(OK)

    async with server(serve) as url, wire(url) as one:
        with pytest.raises(ValueError, match="line end"):
            await one.request("POST", "/", {"X-Correlation-Id": value}, b"", timeout=5)
        assert (await one.request("POST", "/", {}, b"", timeout=5)).status == 200


async def test_a_connection_that_the_server_closes_while_idle_is_replaced() -> None:
    connections = 0
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read(reader)
        writer.write(OK)
        await writer.drain()
        writer.close()
        closed.set()

    async with server(serve) as url, wire(url) as one:
        for _ in range(3):
            assert (await one.request("POST", "/", {}, b"x", timeout=5)).status == 200
            await closed.wait()
            while one.connections:
                await asyncio.sleep(0.001)
            closed.clear()
    assert connections == 3


async def test_close_is_honoured() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await read(reader)
            writer.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async with server(serve) as url, wire(url) as one:
        for _ in range(2):
            assert (await one.request("POST", "/", {}, b"x", timeout=5)).status == 200
    assert connections == 2


async def test_what_breaks_after_sending_is_unanswered() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read(reader)
        writer.transport.abort()

    async with server(serve) as url, wire(url) as one:
        with pytest.raises(Unanswered) as caught:
            await one.request("POST", "/", {}, b"x", timeout=5)
        assert caught.value.code == "connection-lost"


async def test_what_is_no_http_is_unanswered_and_its_connection_is_not_used_again() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await read(reader)
            writer.write(b"220 mail.example ESMTP\r\n\r\n")

    async with server(serve) as url, wire(url) as one:
        for _ in range(2):
            with pytest.raises(Unanswered) as caught:
                await one.request("POST", "/", {}, b"x", timeout=5)
            assert caught.value.code == "malformed-answer"
            assert "220" not in str(caught.value)
    assert connections == 2


async def test_a_late_answer_is_not_taken_for_the_next_ones() -> None:
    """The request times out, its answer comes afterwards: the next request must not hear it."""
    late = asyncio.Event()
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while True:
            await read(reader)
            requests += 1
            if requests == 1:
                await late.wait()
                writer.write(OK.replace(b"200 OK", b"201 Late"))
            else:
                writer.write(OK)

    async with server(serve) as url, wire(url, limit=1) as one:
        with pytest.raises(Unanswered) as caught:
            await one.request("POST", "/", {}, b"x", timeout=0.1)
        assert caught.value.code == "timeout"
        late.set()
        assert (await one.request("POST", "/", {}, b"x", timeout=5)).status == 200


async def test_an_answer_to_nobody_ends_the_connection() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read(reader)
        writer.write(OK)
        await writer.drain()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with server(serve) as url, wire(url) as one:
        for _ in range(2):
            assert (await one.request("POST", "/", {}, b"x", timeout=5)).status == 200
            while one.connections:
                await asyncio.sleep(0.001)
    assert connections == 2


async def test_a_caller_that_is_cancelled_takes_its_connection_with_it() -> None:
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read(reader)
        asked.set()
        await reader.read()

    async with server(serve) as url, wire(url, limit=1) as one:
        task = asyncio.create_task(one.request("POST", "/", {}, b"x", timeout=5))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while one.connections:
            await asyncio.sleep(0.001)
        again = asyncio.create_task(one.request("POST", "/", {}, b"x", timeout=0.2))  # its place is free again
        with pytest.raises(Unanswered):
            await again


async def test_the_limit_holds_and_a_place_that_comes_too_late_is_not_lost() -> None:
    most = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most
        while True:
            await read(reader)
            most = max(most, one.connections)
            await asyncio.sleep(0.02)
            writer.write(OK)

    async with server(serve) as url, wire(url, limit=2) as one:
        asked = [one.request("POST", "/", {}, b"x", timeout=0.05 if n % 3 else 5) for n in range(30)]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert any(isinstance(result, NoConnection) for result in ended)
        assert all(not isinstance(result, BaseException) for result in ended[::3])
        assert (await one.request("POST", "/", {}, b"x", timeout=5)).status == 200
    assert most == 2


async def pieces(*those: bytes) -> AsyncIterator[bytes]:
    for one in those:
        yield one


async def test_a_body_in_pieces_waits_for_a_slow_reader() -> None:
    got = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await reader.readuntil(b"\r\n\r\n")
        while got < 8 << 20:
            got += len(await reader.read(1 << 20))
        writer.write(OK)

    async with server(serve) as url, wire(url) as one:
        body = pieces(*[b"x" * (1 << 20)] * 8)
        response = await one.request("POST", "/", {"Content-Length": str(8 << 20)}, body, timeout=10)
    assert (response.status, got) == (200, 8 << 20)


async def test_an_early_answer_ends_a_body_in_pieces() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * (1 << 20)

    async with server(serve) as url, wire(url) as one:
        response = await one.request("POST", "/", {"Content-Length": str(1 << 40)}, endless(), timeout=10)
        assert (response.status, response.reusable) == (413, False)


async def test_nobody_there() -> None:
    async with server(lambda _reader, _writer: asyncio.sleep(0)) as url:
        pass
    async with wire(url) as one:
        with pytest.raises(NoConnection) as caught:
            await one.request("POST", "/", {}, b"x", timeout=5)
        assert caught.value.code == "connect"
