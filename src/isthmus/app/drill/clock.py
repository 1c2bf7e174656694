"""The clock of a drill's node: the machine's time, moved by as much as the drill says. The product itself has no such switch."""

from __future__ import annotations

from datetime import datetime, timedelta

from isthmus.engine.clock import SystemClock


class JumpingClock(SystemClock):
    """Wall time jumps, as when an administrator or NTP sets it; monotonic time never does, so waits go on as they were."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return super().now() + self.offset

    def jump(self, seconds: float) -> None:
        self.offset += timedelta(seconds=seconds)
