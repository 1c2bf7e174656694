"""Numbers on the command line, with their bounds: what makes no sense is told before anything begins."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number from ``least`` to ``most``, for the ``type`` of an argument."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise _refused(text, f"a whole number {_range(least, most)}") from None
        if number < least or (most is not None and number > most):
            raise _refused(text, f"a whole number {_range(least, most)}")
        return number

    return read


def amount(text: str) -> float:
    """A number that is not negative: seconds, messages a second."""
    try:
        number = float(text)
    except ValueError:
        raise _refused(text, "a number, such as 20 or 0.5") from None
    if not (math.isfinite(number) and number >= 0):
        raise _refused(text, "a number that is not negative")
    return number


LIMIT = whole(1, 10_000)
"""How many on one page; more is a list that nobody reads and that fills the memory."""
PORT = whole(1, 65_535)
"""Where something listens."""


def _range(least: int, most: int | None) -> str:
    return f"of at least {least}" if most is None else f"from {least} to {most}"


def _refused(text: str, cure: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text!r}: write {cure}")
