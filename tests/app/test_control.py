"""The control socket: acts reach the running engine, failures come back as themselves, and nobody else gets in."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from isthmus.app.control import Abandon, ControlServer, Redeliver, Request, Resume, ask, running, socket_path
from isthmus.core import Rejected, Transient


async def test_an_act_and_its_reply(tmp_path: Path) -> None:
    heard: list[Request] = []

    async def act(request: Request) -> tuple[str, ...]:
        heard.append(request)
        return ("d1",)

    path = socket_path(tmp_path)
    server = ControlServer(path, act)
    await server.start()
    try:
        assert await running(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await ask(path, Redeliver(("d1", "d2"), "ada", "lost")) == ("d1",)
        assert heard == [Redeliver(("d1", "d2"), "ada", "lost")]
    finally:
        await server.stop()
    assert not path.exists()
    assert not await running(path)


async def test_nobody_there(tmp_path: Path) -> None:
    assert await ask(socket_path(tmp_path), Resume("x")) is None


async def test_a_socket_that_a_dead_process_left(tmp_path: Path) -> None:
    path = socket_path(tmp_path)
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert path.exists()
    assert not await running(path)

    async def act(_request: Request) -> tuple[str, ...]:
        return ()

    server = ControlServer(path, act)
    await server.start()
    assert await ask(path, Resume("x")) == ()
    with pytest.raises(Rejected, match="already-running"):
        await ControlServer(path, act).start()
    await server.stop()


@pytest.mark.parametrize("failure", [Rejected("preview-outdated", "look again"), Transient("journal-away", "soon")])
async def test_a_failure_comes_back_as_itself(tmp_path: Path, failure: Exception) -> None:
    async def act(_request: Request) -> tuple[str, ...]:
        raise failure

    server = ControlServer(socket_path(tmp_path), act)
    await server.start()
    try:
        with pytest.raises(type(failure), match=str(failure)):
            await ask(socket_path(tmp_path), Abandon(("d",), "ada", "no"))
    finally:
        await server.stop()


async def test_garbage_is_refused_and_the_server_goes_on(tmp_path: Path) -> None:
    async def act(_request: Request) -> tuple[str, ...]:
        return ()

    path = socket_path(tmp_path)
    server = ControlServer(path, act)
    await server.start()
    try:
        for body in (b"\x00\x00\x00\x03abc", b"\xff\xff\xff\xff", b"\x00\x00"):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(body)
            writer.write_eof()
            await reader.read()
            writer.close()
        assert await ask(path, Resume("x")) == ()
    finally:
        await server.stop()


def test_a_path_that_is_too_long_for_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    path = socket_path(deep)
    assert len(os.fsencode(path)) < 100
    assert path == socket_path(deep)
    assert path != socket_path(deep / "other")
