"""Disks of a drill: a small one that can be filled, and one on an image file from which unsynced pages can be thrown away.

Both need the rights of root, to mount. ``possible`` says whether they are there, by trying.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from isthmus.app.drill.pages import unsynced
from isthmus.core import Rejected

_SMALL = 192
_IMAGE = 256
"""Megabytes."""
_PIECE = 64 << 10


class Small:
    """A file system in memory, of a fixed size."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "somebody-elses"
        _do("mount", "-t", "tmpfs", "-o", f"size={_SMALL}m,mode=700", "isthmus-drill", str(place))

    def fill(self) -> int:
        """Somebody else writes until nothing fits any more; bytes taken."""
        taken = 0
        piece = bytes(_PIECE)
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):  # the node writes meanwhile: until it really does not fit
            while written := file.write(piece):
                taken += written
        return taken

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def remove(self) -> None:
        _do("umount", "--lazy", str(self.place))


class Image:
    """A file system (ext4) in a file, on a loop device. What a process writes lies in the page cache above it until it is synced;
    a copy of the file has only what reached the device.
    """

    def __init__(self, place: Path, folder: Path) -> None:
        self.place = place
        self._folder = folder
        self._number = 0
        with self._file().open("wb") as file:
            file.truncate(_IMAGE << 20)
        _do("mkfs.ext4", "-q", "-F", str(self._file()))
        self._mount()

    def at_rest(self) -> bool:
        """Nothing is on its way to the device."""
        return Path(f"/sys/block/{self._device}/inflight").read_text().split() == ["0", "0"]

    def unsynced(self, ending: str = "") -> int | None:
        """Pages of files of this ending that are written and that a cut would take back; None where the kernel does not tell."""
        pages = [unsynced(path) for path in _files(self.place) if path.name.endswith(ending)]
        return None if None in pages else sum(one for one in pages if one is not None)

    def photograph(self) -> None:
        """What would be on the disk if the power went now."""
        _do("cp", "--sparse=always", str(self._file()), str(self._file(1)))

    async def come_back(self) -> int:
        """The disk as the last photograph shows it; how many bytes of the files in it differ from what had been written."""
        written = {path.relative_to(self.place): path.read_bytes() for path in _files(self.place)}
        await self._unmounted()
        self._file().unlink()
        self._number += 1
        self._mount()
        return sum(_differing(data, self.place / name) for name, data in written.items())

    def remove(self) -> None:
        _do("umount", "--lazy", str(self.place))

    def _file(self, ahead: int = 0) -> Path:
        return self._folder / f"disk-{self._number + ahead}.img"

    def _mount(self) -> None:
        # commit=300: the file system's own clock must not sync what the journal did not.
        _do("mount", "-t", "ext4", "-o", "loop,commit=300", str(self._file()), str(self.place))
        self._device = Path(_do("findmnt", "-n", "-o", "SOURCE", str(self.place)).strip()).name

    async def _unmounted(self) -> None:
        for _ in range(50):
            if subprocess.run(["umount", self.place], capture_output=True, check=False).returncode == 0:  # noqa: S603, S607, ASYNC221
                return
            await asyncio.sleep(0.05)
        _do("umount", "--lazy", str(self.place))


@cache
def why_not_mount() -> str:
    """Why nothing can be mounted here; empty where it can."""
    if os.geteuid() != 0:
        return "mounting takes the rights of root"
    return _tried("tmpfs")


@cache
def why_not_image() -> str:
    """Why there can be no disk on an image file; empty where there can."""
    if os.geteuid() != 0:
        return "mounting takes the rights of root"
    missing = [name for name in ("mkfs.ext4", "findmnt", "cp") if shutil.which(name) is None]
    return f"this machine has no {', '.join(missing)}" if missing else _tried("image")


def _tried(kind: str) -> str:
    with tempfile.TemporaryDirectory(prefix="isthmus-drill-") as folder:
        place = Path(folder) / "place"
        place.mkdir()
        try:
            disk = Small(place) if kind == "tmpfs" else Image(place, Path(folder))
        except Rejected as failure:
            return failure.detail
        disk.remove()
    return ""


def _files(folder: Path) -> list[Path]:
    """All but what each start makes anew: shared memory, locks, sockets."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", ".lock"))]


def _differing(written: bytes, path: Path) -> int:
    left = path.read_bytes() if path.exists() else b""
    shorter = min(len(written), len(left))
    return abs(len(written) - len(left)) + sum(
        min(4096, shorter - at) for at in range(0, shorter, 4096) if written[at : at + 4096] != left[at : at + 4096]
    )


def _do(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words and our own paths
    if done.returncode != 0:
        raise Rejected("drill-disk", f"{command[0]} did not work: {done.stderr.strip()[:200]}")
    return done.stdout
