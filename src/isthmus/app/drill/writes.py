"""A node that kills itself at its n-th write: before it is begun, while it is under way, or when it is durable and nobody has heard."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from isthmus.app.drill.plan import When
from isthmus.journals.port import Journal

WRITES = ("receive", "translated", "planned", "claim", "settle", "release", "stop", "receipt")
"""The port's methods that change something while messages flow."""
MIDDLE = 0.0004
"""Seconds into a write: about half of what a commit takes."""


def die_at(journal: Journal, number: int, when: When, tell: Callable[..., None]) -> None:
    """From now on the journal's writes are counted; the process ends at the one of this number."""
    count = 0

    def counted(name: str, write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def writing(*args: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count != number:
                return await write(*args, **named)
            tell("dying", write=name, number=number, when=when)
            if when == "before":
                _die()
            if when == "during":
                threading.Timer(MIDDLE, _die).start()
            result = await write(*args, **named)
            _die()
            return result

        return writing

    for name in WRITES:
        setattr(journal, name, counted(name, getattr(journal, name)))  # on this one object: loops call it by name


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
