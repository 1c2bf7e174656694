"""Report: what a drill found. Its JSON form is what ``isthmus drill --json`` prints; its keys are a promise to scripts."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from isthmus.app.drill.accounts import Account

Verdict = Literal["passed", "failed", "did not hurt", "left out"]
"""passed: it hurt, and nothing was lost, doubled or reordered · failed: something was, or the site did not come back · did not hurt:
the fault never struck, so nothing is proven · left out: this machine or this site does not allow it; ``why`` says what is missing."""


class DrillReport(Struct, kw_only=True):
    """One drill."""

    name: str
    title: str
    verdict: Verdict
    why: str = ""
    """Why it failed or was left out; empty where it passed."""
    seed: str = ""
    """``isthmus drill NAME --seed SEED`` repeats it."""
    strikes: int = 0
    """How often the fault really struck."""
    hurt: str = ""
    """What it did, in words and numbers."""
    detection: float | None = None
    """Seconds from the beginning of the fault to our first sign of it (worst of all strikes); None: there was none."""
    sign: str = ""
    """That first sign, as an operator reads it."""
    containment: float | None = None
    """Seconds from the beginning of the fault until it could do no more harm."""
    recovery: float | None = None
    """Seconds from the healing until everything that had piled up was worked off; None: it was not in time."""
    seconds: float = 0.0
    """How long the drill took, without the counting."""
    account: Account | None = None
    kept: str = ""
    """The sandbox of a drill that failed is kept in this folder: its journal, and what its node wrote (``node.log``, ``heard.json``)."""


class CourseReport(Struct, kw_only=True):
    """All drills of one run."""

    site: str
    journal: str
    """``sqlite`` or ``postgres``."""
    seed: str
    version: str
    passed: bool
    """Every drill passed or was left out, and at least one passed."""
    drills: list[DrillReport]


def verdict_of(strikes: int, account: Account, recovered: bool) -> Verdict:
    if not account.sound or not recovered:
        return "failed"
    return "passed" if strikes else "did not hurt"
