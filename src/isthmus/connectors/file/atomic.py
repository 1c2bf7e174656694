"""Writing files so that a reader sees them whole or not at all, and a power cut cannot take back what was told to be there.

Blocking: called in a worker thread. The steps (write beside, fsync, rename, fsync of the folder) are those of POSIX: a rename within
one file system is atomic, and it is durable once its folder was synced.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

TEMPORARY = ".isthmus-"
"""Beginning of the names of files that are being written; hidden, so that readers leave them alone."""
_CHUNK = 1 << 20


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sha256_of(path: Path) -> str | None:
    """Of a file's content; None where there is no file."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return None
    return digest.hexdigest()


def write_beside(folder: Path, name: str, content: bytes) -> Path:
    """A temporary file with this content, on disk. The same name and content always give the same temporary file, so that a retry
    uses up what a killed process left.
    """
    path = folder / f"{TEMPORARY}{sha256(content)[:16]}-{name}.part"
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return path


def sync_folder(folder: Path) -> None:
    """Make renames in it durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_name(folder: Path, name: str) -> Path:
    """A path in the folder that nothing has yet: ``name``, or ``name.1``, ``name.2`` …"""
    path, number = folder / name, 0
    while os.path.lexists(path):
        number += 1
        path = folder / f"{name}.{number}"
    return path
