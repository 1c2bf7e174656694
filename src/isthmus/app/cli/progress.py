"""A progress bar where somebody looks; nothing in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from isthmus.app.cli.terminal import Terminal

SHORT_WORK = 1_000
"""Steps below which a bar would only flicker."""


@contextmanager
def progress(terminal: Terminal, what: str, total: int, *, least: int = SHORT_WORK) -> Iterator[Callable[[int], None]]:
    """Yields ``advance(steps)``. ``least``: steps from which on a bar is shown; work that waits for others deserves one sooner."""
    if not terminal.err.isatty() or total < least:
        yield lambda _steps: None
        return
    from rich.console import Console  # noqa: PLC0415 - only where somebody looks
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=terminal.err), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda steps: bar.advance(task, steps)
