"""Course: one drill from the first message to the last count, and all of them one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Protocol

import msgspec
from msgspec import Struct

from isthmus.app.config import Config, JournalSettings
from isthmus.app.drill.accounts import account
from isthmus.app.drill.catalogue import DRILLS, Drill, Need
from isthmus.app.drill.disks import why_not_image, why_not_mount
from isthmus.app.drill.field import Field, until
from isthmus.app.drill.load import Load
from isthmus.app.drill.messages import sayings
from isthmus.app.drill.process import NodeDied, NodeProcess
from isthmus.app.drill.report import CourseReport, DrillReport, verdict_of
from isthmus.app.drill.sandbox import Sandbox
from isthmus.app.drill.scratch import scratch_database
from isthmus.app.drill.signs import containment, detection
from isthmus.core import Site
from isthmus.core.policy import policy_for

CONNECTIONS = 6
_WARM_UP = 30
"""Messages that are taken before anything strikes."""
_DRAINED = 90.0
"""Seconds after the healing in which everything that piled up has to be worked off."""


class Settings(Struct, frozen=True, kw_only=True):
    """How a run of drills goes; the same for all of them."""

    seed: str
    seconds: float = 4.0
    """How long a fault lasts."""
    rate: float = 80.0
    """Messages a second."""
    times: int = 0
    """How often what strikes at once strikes (kills, cuts); 0: as often as each drill does by itself."""
    drained: float = _DRAINED
    dsn: str = ""
    """A PostgreSQL server on which scratch databases may be made; empty: the journal is SQLite."""


class Telling(Protocol):
    """Who is told while drills go on."""

    def starts(self, name: str) -> None: ...

    def goes(self, text: str) -> None: ...

    def over(self, report: DrillReport) -> None: ...


Tell = Callable[[str], None]


async def all_of(names: Sequence[str], site: Site, config: Config, settings: Settings, *, version: str, telling: Telling) -> CourseReport:
    """These drills, one after the other, each in a sandbox of its own."""
    reports: list[DrillReport] = []
    for name in names:
        telling.starts(name)
        reports.append(await run(DRILLS[name], site, config, settings, tell=telling.goes))
        telling.over(reports[-1])
    good = all(one.verdict in ("passed", "left out") for one in reports) and any(one.verdict == "passed" for one in reports)
    return CourseReport(
        site=config.name,
        journal="postgres" if settings.dsn else "sqlite",
        seed=settings.seed,
        version=version,
        passed=good,
        drills=reports,
    )


async def run(drill: Drill, site: Site, config: Config, settings: Settings, *, tell: Tell = lambda _text: None) -> DrillReport:
    """One drill, in a sandbox of its own."""
    report = DrillReport(name=drill.name, title=drill.title, verdict="left out", seed=settings.seed)
    report.why = _missing(drill, config, settings)
    if report.why:
        return report
    async with scratch_database(settings.dsn) as journal:
        await _in_sandbox(drill, site, config, settings, journal, tell, report)
    return report


async def _in_sandbox(  # noqa: PLR0917 - handed through by one caller
    drill: Drill, site: Site, config: Config, settings: Settings, journal: JournalSettings | None, tell: Tell, report: DrillReport
) -> None:
    rng = Random(f"{settings.seed}/{drill.name}")  # noqa: S311 - repeatable, and guards nothing
    sandbox = Sandbox(site, config, rng, journal=journal)
    try:
        if drill.disk and not (drill.disk == "small" and why_not_mount()):
            sandbox.mount(drill.disk)
        await sandbox.furnish()
        node = NodeProcess(sandbox.plan, sandbox.folder / "node.log")
        stream = sayings(site, config.folder, sandbox.config.sources.keys(), settings.seed)
        load = Load(sandbox.speakers(CONNECTIONS), stream, rate=settings.rate, rng=Random(rng.random()))  # noqa: S311
        field = Field(
            sandbox=sandbox,
            node=node,
            load=load,
            rng=rng,
            seconds=settings.seconds,
            times=settings.times or drill.times,
            timeout=max((policy_for(one.classification).timeout for one in site.subscriptions), default=10.0),
            tell=tell,
        )
        await _take_place(drill, field, settings, report)
        if report.verdict == "failed":
            report.kept = str(sandbox.folder)
    finally:
        await sandbox.clear(keep=bool(report.kept))


async def _take_place(drill: Drill, field: Field, settings: Settings, report: DrillReport) -> None:
    started = time.monotonic()
    node, load, sandbox = field.node, field.load, field.sandbox
    report.verdict, recovered = "failed", False
    try:
        field.tell("starts")
        await node.start()
        async with _playing(load):
            await load.more(_WARM_UP, 30.0)
            field.tell("strikes")
            hurt = await drill.strike(field)
            report.strikes, report.hurt = hurt.times, hurt.how
            field.tell("heals")
            load.stop()
        recovered = await until(lambda: _worked_off(field), settings.drained)
    except (NodeDied, TimeoutError) as error:
        report.why = f"the node did not come back: {error}" if isinstance(error, NodeDied) else "nothing was acknowledged any more"
    if recovered:
        report.recovery = _round(node.standing["asked"] - field.strikes[-1].healed)
    await node.stop()
    for step in field.after:
        await step()
    if field.set_aside:
        report.hurt += f"; {field.set_aside} attempts failed or were unknown"
    report.seconds = _round(time.monotonic() - started)
    (sandbox.folder / "heard.json").write_bytes(msgspec.json.encode(node.heard))
    field.tell("counts")
    report.account = await account(sandbox.config, sandbox.site, load.ledger, load.mistaken, sandbox.sinks)
    report.detection, report.sign = detection(node.heard, field.strikes)
    report.containment = containment(node.heard, field.strikes)
    report.verdict = verdict_of(report.strikes, report.account, recovered)
    if not recovered and not report.why:
        report.why = f"{report.account.waiting} deliveries were still waiting {settings.drained:.0f} s after the healing"
    elif report.verdict == "failed":
        report.why = report.why or "see the ids"
    elif report.verdict == "did not hurt":
        report.why = "the fault never struck: let it last longer (--for), or send more (--rate)"


@asynccontextmanager
async def _playing(load: Load) -> AsyncIterator[None]:
    """The senders speak for as long as the block, and then until all that they began is answered."""
    playing = asyncio.create_task(load.play())
    try:
        yield
        async with asyncio.timeout(60.0):
            await playing
    finally:
        load.stop()
        playing.cancel()
        with suppress(asyncio.CancelledError):
            await playing


def _worked_off(field: Field) -> bool:
    """The node has looked since the last answer, and nothing is open."""
    standing = field.node.standing
    last = max((one.answered for one in field.load.ledger[-64:]), default=0.0)
    return bool(standing.get("asked", 0.0) > last and standing.get("open", 1) == 0)


def _missing(drill: Drill, config: Config, settings: Settings) -> str:
    kinds = {one.kind for one in config.endpoints.values()}
    for need in drill.needs:
        reason = _lacks(need, kinds, settings)
        if reason:
            return reason
    return ""


def _lacks(need: Need, kinds: set[str], settings: Settings) -> str:
    match need:
        case "gates" if not kinds & {"http", "mllp", "odoo"}:
            return "the site has no endpoint with a connection"
        case "mllp" | "odoo" if need not in kinds:
            return f"the site has no endpoint of kind {need}"
        case "image":
            return why_not_image()
        case "postgres" if not settings.dsn:
            return "it needs a journal on PostgreSQL: --journal postgres --dsn DSN"
        case "sqlite" if settings.dsn:
            return "it is about the embedded journal: run it without --journal postgres"
        case _:
            return ""


def _round(seconds: float) -> float:
    return round(seconds, 3)
