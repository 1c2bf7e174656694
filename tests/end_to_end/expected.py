"""What a set of messages means to the reference hospital, by its plans alone: how many records of each kind Odoo must hold."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from running import ROOT

from isthmus.app.planning import dry_run
from isthmus.app.site_loader import load_site

MODELS = {"invoice": "account.move", "movement": "stock.picking", "task": "project.task", "appointment": "calendar.event"}


def records(bodies: Iterable[bytes]) -> tuple[dict[str, int], dict[str, int]]:
    """Records by model that must exist, and messages by verdict. A delivery's key names one record for ever."""
    site = load_site(ROOT / "hospital").site
    keys: dict[str, set[str]] = {model: set() for model in MODELS.values()}
    verdicts: dict[str, int] = {}
    for body in dict.fromkeys(bodies):
        run = dry_run(site, body)
        verdicts[run.verdict] = verdicts.get(run.verdict, 0) + 1
        for delivery in run.plan.deliveries:
            if delivery.endpoint == "odoo" and (model := MODELS.get(msgspec.json.decode(delivery.body)["type"])):
                keys[model].add(delivery.key)
    return {model: len(found) for model, found in keys.items()}, verdicts
