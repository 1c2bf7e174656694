"""Disclosures: who looked at the body of a message, when and why. Append-only, one JSON line each, durable before anything is shown."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct


class Disclosure(Struct, frozen=True, kw_only=True):
    """One look. Holds ids and reasons, nothing of the message."""

    at: datetime
    by: str
    why: str
    message_id: str


def disclosures_file(data: Path) -> Path:
    """Where they are kept."""
    return data / "var" / "disclosures.jsonl"


def note(data: Path, disclosure: Disclosure) -> None:
    """Keep it; raises ``OSError`` when that fails, and then nothing may be shown."""
    path = disclosures_file(data)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, msgspec.json.encode(disclosure) + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
