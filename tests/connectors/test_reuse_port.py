"""Listeners of several processes on one port: a new one starts before the old one ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from isthmus.connectors.http.settings import HttpSource
from isthmus.connectors.http.source import HttpListener
from isthmus.connectors.mllp.settings import MllpSource
from isthmus.connectors.mllp.source import MllpListener
from isthmus.core import Rejected


def mllp(port: int, reuse_port: bool) -> Any:
    return MllpListener("clinical", MllpSource(port=port, reuse_port=reuse_port))


def http(port: int, reuse_port: bool) -> Any:
    return HttpListener("clinical", HttpSource(token="t", port=port, reuse_port=reuse_port))


@pytest.mark.parametrize("made", [mllp, http])
async def test_a_second_listener_takes_over_while_the_first_ends(made: Callable[[int, bool], Any]) -> None:
    first = made(0, True)
    await first.start(lambda *_: None)
    second = made(first.port, True)
    await second.start(lambda *_: None)
    assert second.port == first.port
    await first.stop()
    for _ in range(20):  # whoever connects now reaches the second
        _, writer = await asyncio.open_connection("127.0.0.1", second.port)
        writer.close()
        await writer.wait_closed()
    await second.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", second.port)


@pytest.mark.parametrize("made", [mllp, http])
async def test_a_port_is_shared_only_where_both_say_so(made: Callable[[int, bool], Any]) -> None:
    first = made(0, False)
    await first.start(lambda *_: None)
    with pytest.raises(Rejected, match=r"listen.*choose a free port"):
        await made(first.port, True).start(lambda *_: None)
    await first.stop()
