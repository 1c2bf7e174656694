"""The clock of a drill's node: the machine's, set by as much as the drill says. The product itself has no such switch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Wall:
    """What somebody may set, as an administrator or NTP does with a real clock; monotonic time goes on as it was."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def jump(self, seconds: float) -> None:
        self.offset += timedelta(seconds=seconds)
