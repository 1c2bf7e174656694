"""Pages: how much of a file is written and not yet on its way to the disk, as the kernel knows it (``cachestat``, Linux 6.5)."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_CACHESTAT = 451


class _Range(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _Stat(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "recently_evicted"))


def unsynced(path: Path) -> int | None:
    """Pages of this file that a power cut would take back; None where the kernel does not tell."""
    kernel = ctypes.CDLL(None, use_errno=True)
    whole, stat = _Range(0, 0), _Stat()
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return 0
    try:
        failed = kernel.syscall(_CACHESTAT, descriptor, ctypes.byref(whole), ctypes.byref(stat), 0)
    finally:
        os.close(descriptor)
    return None if failed else int(stat.dirty) + int(stat.writeback)
