"""What one transaction adds to history: gathered while it works, written at its end in few statements and in one order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from isthmus.core.contract import Violation
from isthmus.core.outcome import Receipt
from isthmus.journals.port import Identifier
from isthmus.journals.postgres.rows import Row, Seals, columns
from isthmus.journals.postgres.store import Session
from isthmus.journals.rules import Noun


class History:
    """Steps, receipts, violations, identifiers and counts of one transaction."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals
        self._steps: list[tuple[object, ...]] = []
        self._violations: list[tuple[object, ...]] = []
        self._identifiers: set[tuple[int, int, int]] = set()
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def step(
        self,
        message: int,
        subject: int,
        subject_id: str,
        at: datetime,
        stage: str,
        *,
        code: str = "",
        detail: str = "",
        by: str = "",
        seconds: float | None = None,
    ) -> None:
        self._steps.append((message, subject, at, stage, plain(code), self._seals.detail(subject_id, detail), plain(by), seconds))

    def receipt(self, delivery: Row, receipt: Receipt, at: datetime) -> None:
        sealed = self._seals.pair("receipt", delivery["id"], receipt.code, receipt.reference)
        self._steps.append((delivery["message"], delivery["seq"], at, "receipt", receipt.kind, sealed, "", None))
        self.count("receipt", delivery["subscription"], receipt.kind)

    def violations(self, message: int, found: Iterable[Violation]) -> None:
        self._violations += [(message, one.where, one.rule, one.cure, one.severity) for one in dict.fromkeys(found)]

    def identifiers(self, message: int, found: Iterable[Identifier]) -> None:
        entries = (self._seals.identifier(value) for _, value in found if value)
        self._identifiers |= {(one.token, one.rest, message) for one in entries}

    def count(self, noun: Noun, name: str, state: str, count: int = 1) -> None:
        self._counts[noun, name, state] += count

    def move(self, noun: Noun, name: str, old: str, new: str) -> None:
        self.count(noun, name, old, -1)
        self.count(noun, name, new)

    async def keep(self, session: Session) -> None:
        if self._identifiers:
            await session.run("keep_identifiers", *columns(self._identifiers, 3))
        if self._violations:
            await session.run("keep_violations", *columns(self._violations, 5))
        if self._steps:
            await session.run("keep_steps", *columns(self._steps, 8))
        counts = [(*names, count) for names, count in self._counts.items() if count]
        if counts:
            await session.run("count", *columns(counts, 4))


def plain(text: str) -> str:
    """What PostgreSQL can keep as text: an endpoint's code may hold anything."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
