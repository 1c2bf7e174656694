"""Folders in which systems leave files for each other: words, settings, and how to connect or listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.connectors.file.settings import FileEndpoint, FileSource
from isthmus.connectors.file.words import Folder

if TYPE_CHECKING:
    from isthmus.connectors.port import Budget, Client, Source


def connect(name: str, settings: FileEndpoint, budget: Budget) -> Client:
    """The client of one endpoint."""
    from isthmus.connectors.file.client import FileClient  # noqa: PLC0415 (sites import the words; the rest loads when needed)

    return FileClient(name, settings, budget)


def listen(name: str, settings: FileSource) -> Source:
    """The watcher of one folder."""
    from isthmus.connectors.file.source import FolderWatch  # noqa: PLC0415 (as above)

    return FolderWatch(name, settings)


__all__ = ["FileEndpoint", "FileSource", "Folder", "connect", "listen"]
