"""A real folder in the hands of the contract suite."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from isthmus.connectors.file.client import FileClient
from isthmus.connectors.file.settings import FileEndpoint
from isthmus.connectors.file.words import Folder
from isthmus.connectors.suite import MARKER, Behaviour, Unlimited
from isthmus.core import Delivery, derive_id


class FileStand:
    """A folder; it is down when it is not there, and refuses a name that has another content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.words = Folder("archive")
        self.client = FileClient("archive", FileEndpoint(folder=folder, checksum=True), Unlimited())
        self._refused: set[str] = set()

    def delivery(self, key: str) -> Delivery:
        draft = self.words.drop(f"{key}.json", {"key": key, "name": MARKER}, key=key)
        return msgspec.structs.replace(draft, id=derive_id("stand", key), correlation_id=derive_id("correlation", key))

    async def behave(self, behaviour: Behaviour) -> None:
        away = self.folder.with_name("unmounted")
        if behaviour == "down":
            self.folder.rename(away)
        elif behaviour == "refuses":
            for name in ("refused.json", "silent.json"):
                (self.folder / name).write_text("another content")
        elif away.exists():
            away.rename(self.folder)

    async def effects(self, delivery: Delivery) -> int:
        name = delivery.operation.removeprefix("drop ")
        return sum(1 for path in self.folder.iterdir() if path.name == name and path.read_bytes() == delivery.body)


@pytest.fixture
def stand(tmp_path: Path) -> FileStand:
    folder = tmp_path / "archive"
    folder.mkdir()
    return FileStand(folder)
