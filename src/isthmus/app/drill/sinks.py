"""Sinks: the practice systems of a drill, one for each endpoint of the site, and what took effect in them, by id.

A practice system recognises what it is sent twice only where the site's configuration says that the real one does. Elsewhere whatever
is sent twice is there twice, and is counted.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal, Protocol

from isthmus.app.config import Placed
from isthmus.connectors.file.words import file_name
from isthmus.connectors.http.practice import PracticePortal
from isthmus.connectors.mllp.practice import PracticeReceiver
from isthmus.connectors.odoo.practice import PracticeOdoo
from isthmus.connectors.odoo.values import external_id
from isthmus.core import Delivery, Rejected
from isthmus.formats.hl7v2 import HL7V2

Speaks = Literal["mllp", "http", ""]

PRACTISED = ("http", "mllp", "odoo", "file")
"""Kinds of endpoint for which there is a practice system."""


class Sink(Protocol):
    """One endpoint's stand-in."""

    speaks: Speaks
    """Over what it is reached; empty where it has no port."""

    @property
    def port(self) -> int: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def token(self, delivery: Delivery) -> str:
        """Under which the effect of this delivery is found; empty where it cannot be seen."""
        ...

    def effects(self) -> Counter[str]:
        """How often each token took effect."""
        ...

    def order(self) -> list[str]:
        """Tokens in the order in which they took effect; empty where that cannot be seen."""
        ...

    def strangers(self) -> int:
        """Effects beyond those that carry a token: made a second time, without a name."""
        ...

    def recognised(self) -> int:
        """Times that something was sent again and recognised."""
        ...


class Portal:
    speaks: Speaks = "http"

    def __init__(self, *, deduplicates: bool) -> None:
        self.practice = PracticePortal(deduplicates=deduplicates)

    @property
    def port(self) -> int:
        return self.practice.port

    async def start(self) -> None:
        await self.practice.start()

    async def stop(self) -> None:
        await self.practice.stop()

    def token(self, delivery: Delivery) -> str:
        return delivery.id

    def effects(self) -> Counter[str]:
        return Counter(one.key for one in self.practice.effects)

    def order(self) -> list[str]:
        return [one.key for one in self.practice.effects]

    def strangers(self) -> int:
        return 0

    def recognised(self) -> int:
        return sum(one.method != "GET" for one in self.practice.received) - len(self.practice.effects)


class Receiver:
    speaks: Speaks = "mllp"

    def __init__(self, *, deduplicates: bool) -> None:
        self.practice = PracticeReceiver(deduplicates=deduplicates)

    @property
    def port(self) -> int:
        return self.practice.port

    async def start(self) -> None:
        await self.practice.start()

    async def stop(self) -> None:
        await self.practice.stop()

    def token(self, delivery: Delivery) -> str:
        return delivery.key

    def effects(self) -> Counter[str]:
        return Counter(self.order())

    def order(self) -> list[str]:
        return [HL7V2.header(one).control_id for one in self.practice.effects]

    def strangers(self) -> int:
        return 0

    def recognised(self) -> int:
        return len(self.practice.received) - len(self.practice.effects)


class Erp:
    """Odoo: each record has an external id, and one record each; what would be made twice has none."""

    speaks: Speaks = "http"
    _MODELS = ("account.move", "stock.picking", "project.task", "calendar.event")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.practice = PracticeOdoo(path=path)
        self._wanted: set[str] = set()

    @property
    def port(self) -> int:
        return self.practice.port

    async def start(self) -> None:
        await self.practice.start()

    async def stop(self) -> None:
        await self.practice.stop()

    def token(self, delivery: Delivery) -> str:
        if delivery.operation.startswith("withdraw"):
            return ""  # what was never there needs no withdrawal
        token = external_id(delivery.key)
        self._wanted.add(token)
        return token

    def effects(self) -> Counter[str]:
        return Counter({token: 1 for token in self._wanted if self.practice.model_of(token)})

    def order(self) -> list[str]:
        return []

    def strangers(self) -> int:
        return sum(self.practice.unnamed(model) for model in self._MODELS)

    def recognised(self) -> int:
        return 0


class Drop:
    """A folder; a file of one name is there once, however often it was written."""

    speaks: Speaks = ""
    port = 0

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def token(self, delivery: Delivery) -> str:
        return file_name(delivery.operation)

    def effects(self) -> Counter[str]:
        return Counter(path.name for path in self._folder.glob("*") if path.is_file() and path.suffix != ".sha256")

    def order(self) -> list[str]:
        return []

    def strangers(self) -> int:
        return 0

    def recognised(self) -> int:
        return 0


def sink_for(placed: Placed, folder: Path) -> Sink:
    """The practice system that stands in for an endpoint; ``folder``: where it may write."""
    settings: Any = placed.settings
    match placed.kind:
        case "http":
            return Portal(deduplicates=settings.idempotent)
        case "mllp":
            return Receiver(deduplicates=settings.deduplicates)
        case "odoo":
            return Erp(folder / f"{placed.name}.kept")
        case "file":
            return Drop(folder / placed.name)
        case _:
            raise Rejected("no-practice", f"there is no practice system of kind {placed.kind} for endpoint {placed.name}")
