"""Durability: what must be so before a message is trusted to a stream. Whatever is not proven is refused.

| demanded | why |
|---|---|
| ``storage: file``, ``persist_mode: default`` | else an acknowledgement is no promise |
| ``retention: limits`` | else messages go when nobody listens yet, and with them the ids by which the stream knows what it had |
| ``discard: new``, no limit by number of messages | else the oldest are thrown away in silence when it is full |
| at least so many ``replicas``; not less ``duplicate_window``, ``max_age`` | as the settings say |
| ``sync_interval: always`` at each server that keeps it | else a power cut takes what was acknowledged |

The setting of ``sync_interval`` is told by a server's monitoring (``/varz``, since 2.11) or to a system account, to nobody else; a
stream's own description does not hold it. We ask the monitoring, for it needs no rights over the whole cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import aiohttp
import msgspec
from msgspec import Struct

from isthmus.connectors.nats.jetstream import NANO, Stream, StreamConfig
from isthmus.connectors.nats.settings import NatsEndpoint
from isthmus.core.failure import Rejected, Transient


class _Config(Struct, frozen=True):
    sync_always: bool = False
    max_storage: int = 0


class _JetStream(Struct, frozen=True):
    config: _Config = _Config()


class Server(Struct, frozen=True):
    """What a server tells about itself (``/varz``)."""

    server_name: str = ""
    version: str = ""
    jetstream: _JetStream = _JetStream()

    @property
    def synced(self) -> bool:
        return self.jetstream.config.sync_always


def wanted(settings: NatsEndpoint) -> StreamConfig:
    """The stream as the settings describe it."""
    return StreamConfig(
        name=settings.stream,
        subjects=list(settings.subjects),
        num_replicas=settings.replicas,
        max_bytes=settings.max_bytes,
        max_age=int(settings.max_age * NANO),
        duplicate_window=int(settings.duplicate_window * NANO),
    )


def objections(settings: NatsEndpoint, found: StreamConfig) -> tuple[str, ...]:
    """Everything about a stream that is not as it must be, each with its cure; pure."""
    return tuple(_object(wanted(settings), found))


def _object(want: StreamConfig, found: StreamConfig) -> Iterator[str]:
    for name in ("storage", "retention", "discard", "persist_mode", "max_msgs", "max_msgs_per_subject"):
        have, must = getattr(found, name), getattr(want, name)
        if have != must:
            yield f"{name} is {have}, it must be {'unlimited' if must == -1 else must}"
    if found.sealed or found.no_ack or found.mirror is not None:
        yield "it is sealed, a mirror, or acknowledges nothing: publish to a stream that takes messages and acknowledges them"
    if found.num_replicas < want.num_replicas:
        yield f"it has {found.num_replicas} replicas, replicas asks for {want.num_replicas}"
    if found.duplicate_window < want.duplicate_window:
        yield f"its duplicate_window is {found.duplicate_window / NANO:g} s, ours {want.duplicate_window / NANO:g} s"
    if found.max_age and (not want.max_age or found.max_age < want.max_age):
        yield f"its max_age is {found.max_age / NANO:g} s, which is shorter than ours"
    if missing := [subject for subject in want.subjects if not any(covers(one, subject) for one in found.subjects)]:
        yield f"it does not take {', '.join(missing)}"


def covers(pattern: str, subject: str) -> bool:
    """Whether all that ``subject`` matches (it may hold wildcards itself) is matched by ``pattern``; the rules of NATS subjects."""
    wide, narrow = pattern.split("."), subject.split(".")
    for place, word in enumerate(wide):
        if word == ">":
            return len(narrow) > place
        if place >= len(narrow) or narrow[place] == ">" or word not in ("*", narrow[place]):
            return False
    return len(wide) == len(narrow)


def not_synced(stream: Stream, servers: Sequence[Server]) -> str:
    """Why it is not proven that what this stream acknowledges is on disks; empty when it is. Pure.

    Every server that answered must sync always, also one that keeps another replica set today: streams move. And those that
    answered must be a majority of the replicas, for a majority is what acknowledges.
    """
    if loose := sorted(one.server_name for one in servers if not one.synced):
        return f"{', '.join(loose)}: sync_interval is not always; set `jetstream {{ sync_interval: always }}` there and restart it"
    names = {one.server_name for one in servers}
    keepers = stream.servers() or names  # a server without a cluster names nobody
    asked = len(keepers & names)
    if asked <= len(keepers) // 2:
        silent = ", ".join(sorted(keepers - names)) or "any server"
        return (
            f"only {asked} of {max(1, len(keepers))} servers that keep the stream told their sync_interval; name the monitoring of {silent}"
        )
    return ""


async def servers(monitors: Sequence[str], timeout: float) -> tuple[Server, ...]:
    """Those that answer. One that is down tells nothing; whether the others are enough is judged elsewhere."""
    limit = aiohttp.ClientTimeout(total=timeout)
    async with aiohttp.ClientSession(timeout=limit) as session:
        told = await asyncio.gather(*(_varz(session, one) for one in monitors))
    return tuple(one for one in told if one is not None)


async def _varz(session: aiohttp.ClientSession, monitor: str) -> Server | None:
    try:
        async with session.get(monitor.rstrip("/") + "/varz", allow_redirects=False) as response:
            return msgspec.json.decode(await response.read(), type=Server)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):  # ValueError: what answers there is no NATS server
        return None


async def demand(settings: NatsEndpoint, stream: Stream, where: str) -> None:
    """Raises ``Rejected`` where something is not as it must be, ``Transient`` where it could not be learnt now."""
    if wrong := objections(settings, stream.config):
        raise Rejected(
            "stream-form", f"{where}.stream: {settings.stream} is not what we may trust messages to: {'; '.join(wrong)}; mend or rename it"
        )
    if settings.unsynced_reason:
        return
    told = await servers(settings.monitors, settings.connect_timeout)
    if problem := not_synced(stream, told):
        if all(one.synced for one in told) and len(told) < len(settings.monitors):
            raise Transient("monitor", f"{where}.monitors: {len(told)} of {len(settings.monitors)} answer; {problem}")
        raise Rejected("unsynced", f"{where}: {problem}; or say under unsynced_reason why acknowledged messages may be lost")
