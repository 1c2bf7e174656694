"""Reprocess: which planned deliveries stand as they are, which are new, and which old ones they take the place of."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, structs

from isthmus.core.delivery import Delivery
from isthmus.core.ids import derive_id
from isthmus.journals.postgres.history import History
from isthmus.journals.postgres.rows import Row, Seals
from isthmus.journals.rules import UNFINISHED, Act, same_bytes


class _Known(Struct):
    """A delivery of the message, before or because of this act."""

    delivery: Delivery
    rank: int | None
    state: str
    replaced: bool
    row: Row | None = None
    """None: made by this act."""
    successor: str = ""


class Replacement:
    """Decides over the deliveries of one message; whoever uses it writes down what it says."""

    def __init__(self, seals: Seals, history: History, act: Act, rows: Iterable[Row]) -> None:
        self._history = history
        self._act = act
        self._known: dict[str, _Known] = {}
        for row in rows:
            delivery = seals.delivery(row)
            self._known[delivery.id] = _Known(delivery, row["rank"], row["state"], row["replaced"], row)
        for one in self._known.values():
            if one.delivery.supersedes in self._known:
                self._known[one.delivery.supersedes].successor = one.delivery.id
        self._before = list(self._known.values())
        self._seals = seals
        self._stays: set[str] = set()
        self.fresh: dict[str, list[tuple[Delivery, int | None]]] = {}
        """New deliveries by subscription, with the rank that they inherit."""
        self.ids: list[str] = []
        self.superseded: list[Row] = []
        self.in_hand: list[Row] = []
        """Superseded as soon as their outcome is known."""

    @property
    def lines(self) -> list[tuple[str, bytes]]:
        """Endpoint and line of all that came or went."""
        touched = [one for made in self.fresh.values() for one, _ in made] + [self._known[row["id"]].delivery for row in self.superseded]
        return [(one.endpoint, self._seals.line(one.ordering_key)) for one in touched]

    def place(self, subscription: str, delivery: Delivery) -> None:
        delivery = structs.replace(delivery, subscription=subscription)
        old = self._known.get(delivery.id)
        if old is None:
            self._keep(delivery, None)
            return
        while old.successor:
            old = self._known[old.successor]
        if old.state != "superseded" and not old.replaced and same_bytes(old.delivery, delivery):
            self._stays.add(old.delivery.id)
            return
        successor = derive_id("reprocess", old.delivery.id, delivery.body)
        self._keep(structs.replace(delivery, id=successor, supersedes=old.delivery.id), old.rank)
        self._supersede(old, successor)

    def supersede_the_rest(self) -> None:
        """What waits and is planned no more."""
        for one in self._before:
            if one.delivery.id not in self._stays and one.state in UNFINISHED:
                self._supersede(one, "")

    def _keep(self, delivery: Delivery, rank: int | None) -> None:
        self._known[delivery.id] = _Known(delivery, rank, "due", replaced=False)
        self.fresh.setdefault(delivery.subscription, []).append((delivery, rank))
        self.ids.append(delivery.id)
        self._stays.add(delivery.id)

    def _supersede(self, one: _Known, successor: str) -> None:
        one.successor = one.successor or successor
        if one.row is None:
            return  # planned twice in one act: the first word counts, its successor follows it in the line
        if one.state in ("sending", "unknown"):
            one.replaced = True
            self.in_hand.append(one.row)
        elif one.state != "superseded":
            self._history.move("delivery", one.delivery.subscription, one.state, "superseded")
            one.state = "superseded"
            self.superseded.append(one.row)
            self._history.step(
                one.row["message"], one.row["seq"], one.delivery.id, self._act.at, "superseded", detail=successor, by=self._act.by
            )
