"""Allowance: how many bytes of large messages one source holds in memory at once, over all its connections.

A connection in the middle of a large message is read only while the allowance lasts. The one that has waited longest for the rest of
its message is read as soon as what is whole is within it, or all of them could wait for each other for ever. So a source holds at most
its allowance and one message more. What is small is not counted: an admission never waits behind somebody's scan.
"""

from __future__ import annotations

from typing import Protocol

SMALL = 1 << 16
"""Bytes below which a message, or what has come of it so far, is not counted."""


class Holder(Protocol):
    """A connection or a request."""

    def regulate(self) -> None:
        """Read or do not read, as things are now."""
        ...


class Allowance:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pending: dict[Holder, int] = {}
        """Bytes of the message that each is in the middle of, in the order in which they became large."""
        self._kept = 0
        """Bytes of whole messages that have no answer yet."""

    @property
    def held(self) -> int:
        """All that is counted now."""
        return self._kept + sum(self._pending.values())

    def permits(self, holder: Holder) -> bool:
        """Whether it may be read."""
        pending = self._pending
        return holder not in pending or self.held < self._limit or (self._kept < self._limit and next(iter(pending)) is holder)

    def pending(self, holder: Holder, size: int) -> None:
        """So much has come of the message that it is in the middle of; 0: it is in the middle of none."""
        if size > SMALL:
            self._pending[holder] = size
        elif self._pending.pop(holder, 0):
            self._regulate()

    def keep(self, size: int) -> None:
        """A whole message was handed over."""
        self._kept += size

    def release(self, size: int) -> None:
        """It was answered, so it is in nobody's memory any more."""
        self._kept -= size
        self._regulate()

    def _regulate(self) -> None:
        for holder in tuple(self._pending):
            holder.regulate()
