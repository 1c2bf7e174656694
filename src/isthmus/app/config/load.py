"""Read, merge and check a site's configuration as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from isthmus.app.config.fill import Filler
from isthmus.app.config.layers import FILE, FromEnvironment, Tree, overlay, read_file
from isthmus.app.config.model import Config, JournalSettings, MemoryJournal, Placed, PostgresJournal, SiteSettings, SqliteJournal
from isthmus.app.config.paths import anchored
from isthmus.app.kinds import KINDS, Kind, Role
from isthmus.core import Finding

JOURNALS: dict[str, type[Struct]] = {"sqlite": SqliteJournal, "postgres": PostgresJournal, "memory": MemoryJournal}
SECTIONS = ("site", "journal", "sources", "endpoints")


class Loaded(Struct, frozen=True):
    """What came of loading: the configuration (None when something is wrong) and everything that is wrong."""

    config: Config | None
    findings: tuple[Finding, ...]
    missing_secrets: tuple[Finding, ...] = ()


class Misconfigured(Exception):
    """The configuration is wrong; ``findings`` says all of it."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(f"{one.where}: {one.problem}. {one.cure}" for one in findings))
        self.findings = findings


def load_config(folder: Path, environment: Mapping[str, str], *, data: Path | None = None) -> Config:
    """The configuration of the site in a folder; raises :class:`Misconfigured` with every finding."""
    loaded = read_config(folder, environment, data=data)
    if loaded.config is None:
        raise Misconfigured(loaded.findings)
    return loaded.config


def read_config(folder: Path, environment: Mapping[str, str], *, data: Path | None = None, secrets: bool = True) -> Loaded:
    """The configuration with all findings. ``secrets=False``: secrets that are not here are noted, not held against it."""
    folder = folder.absolute()
    tree, findings = read_file(folder / FILE)
    if findings:
        return Loaded(None, findings)
    tree = overlay(tree, environment)
    filler = Filler(folder, environment, secrets=secrets)
    for section in tree:
        if section not in SECTIONS:
            filler.unknown(section, section, SECTIONS)
    sections = {name: _table(filler, tree.get(name, {}), name) for name in SECTIONS}
    site = filler.fill(SiteSettings, sections["site"], "site")
    journal = _journal(filler, sections["journal"])
    placed = {role: _placed(filler, role, sections[role]) for role in KINDS}
    if filler.findings or site is None or journal is None:
        return Loaded(None, tuple(filler.findings), tuple(filler.missing_secrets))
    home = (data or folder / site.data).absolute()
    config = Config(
        folder=folder,
        data=home,
        name=site.name or folder.name,
        journal=anchored(journal, home, folder),
        sources={name: _anchored(one, home, folder) for name, one in placed["sources"].items()},
        endpoints={name: _anchored(one, home, folder) for name, one in placed["endpoints"].items()},
    )
    return Loaded(config, (), tuple(filler.missing_secrets))


def journal_config(folder: Path, environment: Mapping[str, str], *, data: Path | None = None) -> Config:
    """Only what leads to the journal; a support desk that reads it holds no secret of an endpoint."""
    folder = folder.absolute()
    tree, findings = read_file(folder / FILE)
    if findings:
        raise Misconfigured(findings)
    tree = overlay(tree, environment)
    filler = Filler(folder, environment)
    site = filler.fill(SiteSettings, _table(filler, tree.get("site", {}), "site"), "site")
    journal = _journal(filler, _table(filler, tree.get("journal", {}), "journal"))
    if filler.findings or site is None or journal is None:
        raise Misconfigured(tuple(filler.findings))
    home = (data or folder / site.data).absolute()
    return Config(
        folder=folder, data=home, name=site.name or folder.name, journal=anchored(journal, home, folder), sources={}, endpoints={}
    )


def _journal(filler: Filler, tree: Tree) -> JournalSettings | None:
    kind = _text(tree.get("kind", "sqlite"))
    settings = JOURNALS.get(kind)
    if settings is None:
        filler.unknown_kind("journal.kind", kind, JOURNALS)
        return None
    return cast("JournalSettings | None", filler.fill(settings, _without_kind(tree), "journal"))


def _placed(filler: Filler, role: Role, section: Tree) -> dict[str, Placed]:
    found: dict[str, Placed] = {}
    for name, raw in section.items():
        where = f"{role}.{name}"
        tree = _table(filler, raw, where)
        if not isinstance(raw, dict):
            continue
        if "kind" not in tree:
            filler.add(f"{where}.kind", "is missing", f"add kind = {_or(KINDS[role])}")
            continue
        text = _text(tree["kind"])
        kind: Kind | None = KINDS[role].get(text)
        if kind is None:
            filler.unknown_kind(f"{where}.kind", text, KINDS[role])
            continue
        settings = filler.fill(kind.load_settings(), _without_kind(tree), where)
        if settings is not None:
            found[name] = Placed(name=name, kind=text, settings=settings)
    return found


def _anchored(placed: Placed, data: Path, folder: Path) -> Placed:
    return Placed(name=placed.name, kind=placed.kind, settings=anchored(placed.settings, data, folder))


def _table(filler: Filler, raw: Any, where: str) -> Tree:
    if isinstance(raw, dict):
        return raw
    filler.add(where, "is no table", f"write it as a section [{where}]")
    return {}


def _without_kind(tree: Tree) -> Tree:
    return {key: value for key, value in tree.items() if key != "kind"}


def _text(value: Any) -> str:
    return str(value.value if isinstance(value, FromEnvironment) else value)


def _or(names: Mapping[str, Any]) -> str:
    return " or ".join(f'"{name}"' for name in names)
