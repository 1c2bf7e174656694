"""NodePlan: what a drill's node is told, as a file in the sandbox that its owner alone can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from isthmus.app.config import Config, JournalSettings, Placed, PostgresJournal, SqliteJournal
from isthmus.app.kinds import KINDS, Role

When = Literal["before", "during", "after"]
"""Where it dies: before the write is begun, while it is under way, or when it is durable and nobody has heard of it."""


class NodePlan(Struct, frozen=True, kw_only=True):
    folder: str
    """The site's folder: code only; its configuration is not read."""
    data: str
    name: str
    journal: dict[str, Any]
    journal_kind: Literal["sqlite", "postgres"]
    sources: dict[str, tuple[str, dict[str, Any]]]
    """Kind and settings, by name."""
    endpoints: dict[str, tuple[str, dict[str, Any]]]
    die_at: int = 0
    """Number of the write, counted from the start, at which it kills itself; 0: never."""
    die_when: When = "after"


def plan_of(config: Config) -> NodePlan:
    """A configuration as plain data."""

    def plain(placed: dict[str, Placed]) -> dict[str, tuple[str, dict[str, Any]]]:
        return {name: (one.kind, _plain(one.settings)) for name, one in placed.items()}

    return NodePlan(
        folder=str(config.folder),
        data=str(config.data),
        name=config.name,
        journal=_plain(config.journal),
        journal_kind="postgres" if isinstance(config.journal, PostgresJournal) else "sqlite",
        sources=plain(config.sources),
        endpoints=plain(config.endpoints),
    )


def config_of(plan: NodePlan) -> Config:
    """The configuration that a plan holds."""
    cls: type[JournalSettings] = PostgresJournal if plan.journal_kind == "postgres" else SqliteJournal
    return Config(
        folder=Path(plan.folder),
        data=Path(plan.data),
        name=plan.name,
        journal=_settings(cls, plan.journal),
        sources=_placed("sources", plan.sources),
        endpoints=_placed("endpoints", plan.endpoints),
    )


def _placed(role: Role, entries: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, Placed]:
    return {
        name: Placed(name=name, kind=kind, settings=_settings(KINDS[role][kind].load_settings(), settings))
        for name, (kind, settings) in entries.items()
    }


def _plain(settings: Struct) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=str)
    return found


def _settings(cls: Any, plain: dict[str, Any]) -> Any:
    return msgspec.convert(plain, cls, dec_hook=lambda kind, value: kind(value))
