"""Disks: full, or cut off so that whatever was written and not synced is gone."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

from isthmus.app.drill.disks import Image, Small
from isthmus.app.drill.field import Field, Hurt, until

_MOST = 0.5
"""Seconds at most between a start's first acknowledgement and the cut."""
_TRIES = 400
"""Times that the node is stopped to see whether it is in the middle of a write; about a second."""


async def full(field: Field) -> Hurt:
    """The journal's disk fills up while messages come, and gets room again."""
    disk = field.sandbox.disk
    async with field.harm():
        if isinstance(disk, Small):
            taken = disk.fill()
            what = f"the disk was full ({taken >> 10} KiB taken by somebody else)"
        else:
            limit_writes(field.node.pid, _largest(field.sandbox.data))
            what = "files could not grow any more"
        said = field.load.taken
        await asyncio.sleep(field.seconds)
        refused = field.load.struck["busy"] + field.load.struck["unheard"]
        kept = field.load.taken - said
        if isinstance(disk, Small):
            disk.free()
        else:
            limit_writes(field.node.pid, resource.RLIM_INFINITY)
    signs = len(field.node.since(field.strikes[0].began, "LoopRestarted", "SourceSlowed", "MessagesTurnedAway"))
    return Hurt(refused + signs, f"{what}; {kept} messages still fitted, senders were sent away {refused} times, {signs} notices")


async def cut(field: Field) -> Hurt:
    """The power goes at random moments: what was not synced is gone from the disk, and the node starts on what is left."""
    disk = field.sandbox.disk
    if not isinstance(disk, Image):
        return Hurt(0, "there was no disk to cut off")
    hit = gone = 0
    for number in range(field.times):
        await field.moment(_MOST)
        field.tell(f"power cut {number + 1} of {field.times}")
        async with field.harm():
            await _caught(field, disk)
            disk.photograph()
            await field.node.kill()
            lost = await disk.come_back()
            hit += lost > 0
            gone += lost
            await field.node.start()
    claims = field.node.counts["ClaimsReleased.claims"]
    return Hurt(
        hit,
        f"{field.times} cuts, {hit} of them threw away what was written and not synced ({gone >> 10} KiB); {claims} claims were in hand",
    )


async def _caught(field: Field, disk: Image) -> None:
    """Stop the node where something is written and not synced, or, if it is never caught there, where it is."""
    ending = field.rng.choice(("", "-wal"))  # any file, or the one that commits go to
    for _ in range(_TRIES):
        await field.node.freeze()
        await until(disk.at_rest, 2.0)
        if disk.unsynced(ending) != 0:
            return
        field.node.thaw()
        await asyncio.sleep(field.rng.uniform(0.0, 0.004))
    await field.node.freeze()
    await until(disk.at_rest, 2.0)


def limit_writes(pid: int, largest: int) -> None:
    """No file of this process may become larger; it goes on running."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, hard))


def _largest(folder: Path) -> int:
    return max((path.stat().st_size for path in folder.rglob("*") if path.is_file()), default=0)
