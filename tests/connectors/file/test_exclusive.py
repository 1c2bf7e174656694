"""A folder is read by one node at a time: its source says so, and can be started again where it was stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

from isthmus.connectors.file.settings import FileSource
from isthmus.connectors.file.source import FolderWatch
from isthmus.connectors.port import Exclusive, Reply


async def test_it_is_handed_from_node_to_node_and_back(tmp_path: Path) -> None:
    nodes = [FolderWatch("drop", FileSource(folder=tmp_path, every=0.02, settle=0.02)) for _ in range(2)]
    assert all(isinstance(one, Exclusive) and one.exclusive for one in nodes)
    taken: list[tuple[int, bytes]] = []

    def accept(node: int) -> object:
        def take(_source: str, body: bytes, _peer: str, reply: Reply) -> None:
            taken.append((node, body))
            reply(b"", "taken")

        return take

    for turn, node in enumerate((0, 1, 0)):
        await nodes[node].start(accept(node))  # type: ignore[arg-type]
        (tmp_path / f"{turn}.txt").write_bytes(b"%d" % turn)
        async with asyncio.timeout(20):
            while len(taken) <= turn:
                await asyncio.sleep(0.01)
        await nodes[node].stop()
    assert taken == [(0, b"0"), (1, b"1"), (0, b"2")]
    assert sorted(path.name for path in (tmp_path / "done").iterdir())
