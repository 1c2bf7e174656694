"""The systems around a practice site, as real servers on loopback: Odoo, laboratory, clinicians' portal."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from isthmus.connectors.http.practice import PracticePortal
from isthmus.connectors.mllp.practice import PracticeReceiver
from isthmus.connectors.odoo.practice import PracticeOdoo


class Surroundings:
    """Started systems; ``environment`` is the configuration that points a site at them."""

    def __init__(self, odoo: PracticeOdoo, lab: PracticeReceiver, portal: PracticePortal) -> None:
        self.odoo = odoo
        self.lab = lab
        self.portal = portal

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ISTHMUS_ODOO_KEY": self.odoo.key,
            "ISTHMUS__ENDPOINTS__ODOO__URL": self.odoo.url,
            "ISTHMUS__ENDPOINTS__ODOO__DATABASE": self.odoo.database,
            "ISTHMUS__ENDPOINTS__ODOO__CALLS_PER_SECOND": "500",
            "ISTHMUS__ENDPOINTS__LAB__PORT": str(self.lab.port),
            "ISTHMUS__ENDPOINTS__PORTAL__URL": self.portal.url,
        }

    def duplicated(self) -> dict[str, int]:
        """Effects that are there more often than they were meant, by endpoint, counted in the systems themselves."""
        return {
            "odoo": sum(self.odoo.unnamed(model) for model in ("account.move", "stock.picking", "project.task", "calendar.event")),
            "lab": _repeated(message.split(b"|", 10)[9] for message in self.lab.effects),
            "portal": _repeated(request.key.encode() for request in self.portal.effects),
        }


@asynccontextmanager
async def surroundings() -> AsyncIterator[Surroundings]:
    """All three, each on a free port, for as long as the block runs."""
    async with AsyncExitStack() as stack:
        odoo = await stack.enter_async_context(PracticeOdoo())
        lab, portal = PracticeReceiver(), PracticePortal()
        await lab.start()
        stack.push_async_callback(lab.stop)
        await portal.start()
        stack.push_async_callback(portal.stop)
        yield Surroundings(odoo, lab, portal)


def _repeated(keys: Iterable[bytes]) -> int:
    return sum(count - 1 for count in Counter(keys).values())
