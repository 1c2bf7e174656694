"""The event loop, and what Ctrl-C means to it."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


def run(main: Coroutine[Any, Any, R]) -> R:
    """Run to the end; on uvloop where it is installed, which is two to five times faster here than the standard loop."""
    # Libraries write to the log as they please, addresses and values included; what matters here is a notice of our own.
    logging.getLogger().addHandler(logging.NullHandler())
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    factory: Callable[[], asyncio.AbstractEventLoop]
    try:
        from uvloop import new_event_loop as factory  # noqa: PLC0415 - not on every system
    except ImportError:
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


class Signals:
    """SIGINT and SIGTERM: the first asks for a graceful end, the second for one now."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.now = asyncio.Event()

    def install(self) -> None:
        """From here on, in the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.ask)

    def ask(self) -> None:
        """Somebody wants us to end."""
        (self.now if self.end.is_set() else self.end).set()


async def first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Until one of these is done; the others are cancelled. Raises what it raised."""
    tasks = [asyncio.create_task(one) for one in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def done(task: asyncio.Task[Any]) -> None:
    """Until a task is done, however it ended; to be handed to :func:`first`, which cancels this and not the task."""
    await asyncio.wait([task])
