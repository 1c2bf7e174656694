"""Window: how many messages, and how many bytes of them, a watcher has handed over and has no answer for."""

from __future__ import annotations

import asyncio

HELD = 16 << 20
"""Bytes without an answer; one message is always handed over, whatever its size."""


class Window:
    def __init__(self, messages: int) -> None:
        self._messages = messages
        self._open = asyncio.Event()
        self._unanswered = self._bytes = 0
        self._paused = self._over = False
        self._regulate()

    async def has_room(self) -> None:
        """Wait until one more may be handed over, or until the end."""
        await self._open.wait()

    def hand_over(self, size: int) -> None:
        self._unanswered += 1
        self._bytes += size
        self._regulate()

    def answered(self, size: int) -> None:
        self._unanswered -= 1
        self._bytes -= size
        self._regulate()

    def pause(self, paused: bool) -> None:
        self._paused = paused
        self._regulate()

    def end(self) -> None:
        """Nobody waits any more."""
        self._over = True
        self._regulate()

    def _regulate(self) -> None:
        if self._over or (not self._paused and self._unanswered < self._messages and self._bytes < HELD):
            self._open.set()
        else:
            self._open.clear()
