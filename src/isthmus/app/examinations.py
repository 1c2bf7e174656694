"""What ``isthmus doctor`` examines, each by itself: one broken thing does not hide the next."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from isthmus.app.compose import client_of, keyring_of, opened, shared_journal
from isthmus.app.config import Config, MemoryJournal, PostgresJournal, SqliteJournal
from isthmus.app.control import running, socket_path
from isthmus.app.spans import size
from isthmus.connectors.tls import server_context
from isthmus.core import Failure
from isthmus.engine.clock import SystemClock

Verdict = Literal["ok", "warning", "bad", "skipped"]

PATIENCE = 5.0
_MADE = 1_767_225_600
"""2026-01-01, before this release was made."""
LITTLE, TOO_LITTLE = 5_000_000_000, 500_000_000
"""Bytes of free disk below which we warn, and below which it is bad."""


class Examined(Struct, frozen=True, kw_only=True):
    """One examination: what, how it is, and the cure where it is not well."""

    what: str
    verdict: Verdict
    told: str
    cure: str = ""


async def examine(config: Config) -> AsyncIterator[Examined]:
    """Everything about a site whose configuration is in order, one by one as it is known."""
    is_running = await running(socket_path(config.data))
    yield Examined(what="engine", verdict="ok", told="runs on this data folder" if is_running else "is not running")
    for one in (_disk(config.data), *_keyring(config)):
        yield one
    yield await _journal(config)
    if isinstance(config.journal, PostgresJournal):
        yield await _nodes(config.journal)
    for name, placed in config.sources.items():
        yield _source(name, placed.settings, is_running, shared=isinstance(config.journal, PostgresJournal))
    clock = SystemClock()
    for one in await asyncio.gather(*(_endpoint(config, name, clock) for name in config.endpoints)):
        yield one
    yield _clock()


def _disk(folder: Path) -> Examined:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    verdict: Verdict = "bad" if free < TOO_LITTLE else "warning" if free < LITTLE else "ok"
    cure = "" if verdict == "ok" else "free some space, or name another data folder: a full disk refuses every message"
    return Examined(what="disk", verdict=verdict, told=f"{size(free)} free for {folder}", cure=cure)


def _keyring(config: Config) -> Iterator[Examined]:
    settings = config.journal
    if isinstance(settings, MemoryJournal):
        return
    path = settings.keyring
    if not path.exists():
        yield Examined(what="key ring", verdict="ok", told=f"{path} will be made on the first run", cure="")
        return
    try:
        ring = keyring_of(settings, create=False)
    except Failure as failure:
        yield Examined(what="key ring", verdict="bad", told=failure.code, cure=failure.detail)
        return
    loose = path.stat().st_mode & 0o077
    verdict: Verdict = "bad" if loose else "ok"
    cure = f"chmod 600 {path}, then isthmus keys rotate --master" if loose else ""
    yield Examined(what="key ring", verdict=verdict, told=f"{ring.id} in {path}" + (", which others may read" if loose else ""), cure=cure)


async def _journal(config: Config) -> Examined:
    if isinstance(config.journal, MemoryJournal):
        told, cure = "in memory: all is lost when the process ends", 'choose kind = "sqlite" or "postgres"'
        return Examined(what="journal", verdict="warning", told=told, cure=cure)
    if isinstance(config.journal, SqliteJournal) and not config.journal.path.exists():
        return Examined(what="journal", verdict="ok", told=f"{config.journal.path} will be made on the first run")
    try:
        async with asyncio.timeout(PATIENCE):
            return await _read(config)
    except Failure as failure:
        return Examined(what="journal", verdict="bad", told=failure.code, cure=failure.detail)
    except TimeoutError:
        return Examined(what="journal", verdict="bad", told=f"does not answer within {PATIENCE:.0f} s", cure="is its server up?")


async def _read(config: Config) -> Examined:
    begun = time.monotonic()
    async with opened(config, read_only=True, create=False) as journal:
        stopped = [one.subscription for one in await journal.positions() if one.stopped]
        dead = await journal.deliveries(state="dead", limit=1)
        told = f"answers in {(time.monotonic() - begun) * 1000:.0f} ms, {size(await journal.size())}"
    if stopped:
        return Examined(
            what="journal", verdict="bad", told=f"{told}; stopped: {', '.join(stopped)}", cure="fix the code, then isthmus resume"
        )
    if dead:
        return Examined(what="journal", verdict="warning", told=f"{told}; there are dead deliveries", cure="isthmus dead lists them")
    return Examined(what="journal", verdict="ok", told=told)


async def _nodes(settings: PostgresJournal) -> Examined:
    """Who runs this site at present."""
    try:
        journal = shared_journal(settings, keyring_of(settings, create=False))
        async with asyncio.timeout(PATIENCE):
            await journal.open()
            try:
                seen = await journal.nodes()
            finally:
                await journal.close()
    except Failure as failure:
        return Examined(what="nodes", verdict="skipped", told=failure.code, cure="see the journal")
    except TimeoutError:
        return Examined(what="nodes", verdict="skipped", told="the journal does not answer", cure="see the journal")
    if not seen:
        return Examined(what="nodes", verdict="ok", told="none runs")
    told = ", ".join(f"{one.node.partition(':')[0]} ({_lease(one.left)})" for one in seen)
    if any(one.left <= 0 for one in seen):
        return Examined(what="nodes", verdict="warning", told=told, cure="the others take its work over; if none runs, start one")
    return Examined(what="nodes", verdict="ok", told=told)


def _lease(left: float) -> str:
    return f"lease runs for {left:.1f} s" if left > 0 else f"lease ran out {-left:.0f} s ago"


def _source(name: str, settings: Any, is_running: bool, *, shared: bool) -> Examined:
    what, folder = f"source {name}", getattr(settings, "folder", None)
    if folder is not None:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        writable = os.access(there, os.W_OK)
        cure = "" if writable else f"let this user write to {there}"
        return Examined(what=what, verdict="ok" if writable else "bad", told=f"watches {folder}", cure=cure)
    try:
        if settings.tls is not None:
            server_context(settings.tls, f"sources.{name}")
    except Failure as failure:
        return Examined(what=what, verdict="bad", told=failure.code, cure=failure.detail)
    if is_running:
        return Examined(what=what, verdict="ok", told=f"port {settings.port} is held by the running engine")
    return _port(what, settings, shared=shared)


def _port(what: str, settings: Any, *, shared: bool) -> Examined:
    """Whether we could listen there. On a shared journal nothing tells whether it is an engine of this site that does already."""
    host, port = settings.host, settings.port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if getattr(settings, "reuse_port", False):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if shared and error.errno == errno.EADDRINUSE:
                return Examined(what=what, verdict="warning", told=f"{host}:{port} is taken", cure="right if a node of this site runs here")
            cure = f"free port {port}, or choose another; below 1024 it takes a privilege"
            return Examined(what=what, verdict="bad", told=f"{host}:{port}: {error.strerror}", cure=cure)
    return Examined(what=what, verdict="ok", told=f"{host}:{port} is free")


async def _endpoint(config: Config, name: str, clock: SystemClock) -> Examined:
    what, client = f"endpoint {name}", client_of(config.endpoints[name], clock)
    begun = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            try:
                await client.open()
                await client.ping(PATIENCE)
            finally:
                await client.close()  # also what was only half opened
    except Failure as failure:
        return Examined(what=what, verdict="bad", told=failure.code, cure=failure.detail)
    except TimeoutError:
        return Examined(
            what=what, verdict="bad", told=f"does not answer within {PATIENCE:.0f} s", cure="is it up, and does a firewall let us there?"
        )
    return Examined(what=what, verdict="ok", told=f"answers in {(time.monotonic() - begun) * 1000:.0f} ms")


def _clock() -> Examined:
    """Acknowledgements and receipts carry our time: it must be after this release was made, and go on."""
    now, steady = time.time(), time.monotonic()
    time.sleep(0.01)
    drift = abs((time.time() - now) - (time.monotonic() - steady))
    if now < _MADE or drift > 1.0:
        return Examined(what="clock", verdict="bad", told=time.strftime("%Y-%m-%d %H:%M:%S %Z"), cure="set the clock and keep it by NTP")
    return Examined(what="clock", verdict="ok", told=time.strftime("%Y-%m-%d %H:%M:%S %Z"))
