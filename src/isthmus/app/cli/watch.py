"""Who looks on while a site runs: a live table on a terminal, one plain line every few seconds in a pipe."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from isthmus.app.balance import UNSETTLED, Balance
from isthmus.app.cli.terminal import Terminal
from isthmus.app.serving import Snapshot
from isthmus.engine.status import Status
from isthmus.engine.telemetry import Notice

if TYPE_CHECKING:
    from rich.console import RenderableType

_TOLD = ("warning", "error")


class PlainWatcher:
    """For pipes and logs: numbers on standard output, warnings on standard error."""

    def __init__(self, terminal: Terminal, every: float = 5.0) -> None:
        self.every = every
        self._terminal = terminal
        self._rate = _Rate()

    def notice(self, notice: Notice) -> None:
        if notice.level in _TOLD:
            self._terminal.note(f"{_now()} {notice.level} {notice.line()}")

    def show(self, snapshot: Snapshot) -> None:
        """One line; the same words each time, so that it can be cut and searched."""
        total = _Totals(snapshot.balance)
        breakers = " ".join(f"{name}={one.breaker}" for name, one in snapshot.status.endpoints.items() if one.breaker != "closed")
        self._terminal.line(
            f"{_now()} {'draining ' if snapshot.draining else ''}received {total.received} ({self._rate.of(total.received):.0f}/s) "
            f"waiting {total.waiting} delivered {total.delivered} due {total.due} dead {total.dead}"
            + _nodes(snapshot.status)
            + (f" {breakers}" if breakers else "")
        )
        self._terminal.out.flush()


class LiveWatcher:
    """For a terminal: a table that stays where it is, and the last warnings below it."""

    every = 1.0

    def __init__(self, terminal: Terminal, title: str) -> None:
        from rich.console import Console  # noqa: PLC0415 - only where somebody looks
        from rich.live import Live  # noqa: PLC0415

        self._title = title
        self._terminal = terminal
        self._console = Console(file=terminal.out, no_color=not terminal.color)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._notices: deque[tuple[str, str]] = deque(maxlen=5)
        self._rates: dict[str, _Rate] = {}

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """The table goes; what was told last stays readable."""
        self._live.stop()
        for _level, line in self._notices:
            self._terminal.note(line)

    def notice(self, notice: Notice) -> None:
        if notice.level in _TOLD:
            self._notices.append((notice.level, f"{_now()} {notice.line()}"))

    def show(self, snapshot: Snapshot) -> None:
        self._live.update(self._picture(snapshot), refresh=True)

    def _picture(self, snapshot: Snapshot) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        sheet, status = snapshot.balance, snapshot.status
        head = Text(
            f"{self._title}  {'draining …  Ctrl-C again ends it now' if snapshot.draining else 'running  Ctrl-C drains it'} {_nodes(status)}",
            "bold",
        )
        taken = Table(
            "interface", *(_right(name) for name in ("received", "per s", "duplicates", "invalid", "refused", "waiting")), box=None
        )
        for name, one in sheet.interfaces.items():
            rate = self._rates.setdefault(name, _Rate()).of(one.received)
            taken.add_row(name, *map(str, (one.received, round(rate), one.duplicates, one.invalid, one.refused, one.waiting)))
        sent = Table(
            "endpoint", "breaker", *(_right(name) for name in ("delivered", "due", "unknown", "dead", "proven by receipts")), box=None
        )
        for name, endpoint in status.endpoints.items():
            flows = [one for one in sheet.subscriptions.values() if one.endpoint == name]
            states = {state: sum(one.deliveries[state] for one in flows) for state in ("delivered", "due", "sending", "unknown", "dead")}
            proven = sum(one.receipts["business"] or one.receipts["application"] for one in flows)
            breaker = Text(endpoint.breaker, "green" if endpoint.breaker == "closed" else "yellow")
            dead = Text(str(states["dead"]), "red" if states["dead"] else "")
            sent.add_row(
                name, breaker, str(states["delivered"]), str(states["due"] + states["sending"]), str(states["unknown"]), dead, str(proven)
            )
        told = [Text(text, "red" if level == "error" else "yellow") for level, text in self._notices]
        stopped = [Text(f"{name} is stopped: {one.stopped}", "red") for name, one in sheet.subscriptions.items() if one.stopped]
        return Group(head, "", taken, "", sent, "", *stopped, *told)


def _nodes(status: Status) -> str:
    if status.nodes is None:
        return ""
    return f" nodes {len(status.nodes.living)}" + ("" if status.nodes.holds else " (no lease)")


class _Totals:
    def __init__(self, sheet: Balance) -> None:
        flows = sheet.subscriptions.values()
        self.received = sum(one.received for one in sheet.interfaces.values())
        self.waiting = sum(one.waiting for one in sheet.interfaces.values()) + sum(one.events_waiting for one in flows)
        self.delivered = sum(one.deliveries["delivered"] for one in flows)
        self.due = sum(one.deliveries[state] for one in flows for state in UNSETTLED)
        self.dead = sheet.dead


class _Rate:
    """How fast a count grows, over the last few looks."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=6)

    def of(self, count: int) -> float:
        self._seen.append((time.monotonic(), count))
        (begun, low), (ended, high) = self._seen[0], self._seen[-1]
        return (high - low) / (ended - begun) if ended > begun else 0.0


def _right(name: str) -> Any:
    from rich.table import Column  # noqa: PLC0415

    return Column(name, justify="right")


def _now() -> str:
    return time.strftime("%H:%M:%S")
