"""The reference hospital, live: a simulated feed over MLLP, the journal in SQLite, a practice Odoo, laboratory and portal.

Nothing leaves this machine, and no set-up is needed. Ctrl-C (or the end of --for) stops the feed, drains, and prints the balance
sheet, which is held against what the senders and the practice systems counted themselves. Every message is kept: look at them
afterwards with the commands that the last line names.

Exit code 0 when it balances; 1 when it does not.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import socket
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from isthmus.app.balance import Balance
from isthmus.app.cli.amounts import amount, whole
from isthmus.app.cli.terminal import CommandError, Terminal
from isthmus.app.exits import Exit

if TYPE_CHECKING:
    from isthmus.app.config import Config
    from isthmus.app.practice.faults import Faults
    from isthmus.app.practice.surroundings import Surroundings
    from isthmus.app.practice.traffic import Traffic
    from isthmus.app.serving import Watcher
    from isthmus.core import Site

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_PORT = 2575


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--for", dest="duration", type=_seconds, metavar="30s", help="end after this time (default: at Ctrl-C)")
    parser.add_argument(
        "--rate", type=amount, default=20, metavar="N", help="messages a second; 0: as fast as they are taken (default: %(default)g)"
    )
    parser.add_argument("--messages", type=whole(1), metavar="N", help="end after so many messages")
    parser.add_argument("--connections", type=whole(1), default=8, metavar="N", help="senders at once (default: %(default)s)")
    parser.add_argument("--seed", default="isthmus", help="another seed, another hospital (default: %(default)s)")
    parser.add_argument(
        "--faults", choices=("morning", "none", "bad-day"), default="morning", help="what goes wrong (default: %(default)s)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep journal and key ring here (default: a new temporary folder)")
    parser.add_argument("--json", action="store_true", help="print the balance sheet as one JSON document")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - `demo --help` needs no event loop

    data = args.data or Path(tempfile.mkdtemp(prefix="isthmus-demo-"))
    sheet = loop.run(_demo(args, terminal, data))
    if args.json:
        terminal.json(sheet)
    else:
        from isthmus.app.cli.sheet import show_balance  # noqa: PLC0415
        from isthmus.app.site_loader import reference_site  # noqa: PLC0415

        show_balance(sheet, terminal)
        where = f"--site {reference_site()} --data {data}"
        isthmus = "isthmus" if shutil.which("isthmus") else sys.argv[0]
        terminal.note(f"\nLook at what happened:\n  {isthmus} messages {where}\n  {isthmus} show ID {where}")
    return Exit.OK if sheet.balances and not sheet.lost and not sheet.duplicated else Exit.FINDINGS


async def _demo(args: argparse.Namespace, terminal: Terminal, data: Path) -> Balance:
    from isthmus.app.cli.watch import LiveWatcher, PlainWatcher  # noqa: PLC0415
    from isthmus.app.practice.surroundings import surroundings  # noqa: PLC0415

    async with surroundings() as around:
        around.misbehave(_faults(args), Random(f"{args.seed}/around"))
        config, site = _site(terminal, around, data)
        with ExitStack() as stack:
            watcher: Watcher
            if terminal.interactive and not args.json:
                watcher = stack.enter_context(LiveWatcher(terminal, config.name))
            else:
                watcher = PlainWatcher(Terminal(terminal.err) if args.json else terminal)
            return await _serve(args, config, site, around, watcher)


async def _serve(args: argparse.Namespace, config: Config, site: Site, around: Surroundings, watcher: Watcher) -> Balance:
    from isthmus.app.loop import Signals, done, first  # noqa: PLC0415
    from isthmus.app.serving import serving, watch  # noqa: PLC0415

    signals = Signals()
    signals.install()
    async with serving(config, site, watcher.notice) as served:
        listener: Any = served.assembly.sources["clinical"]
        traffic = _traffic(args, config, listener.port)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch(served, watcher))
            playing = tasks.create_task(traffic.play())
            await first(signals.end.wait(), served.assembly.engine.wait(), _after(args.duration), done(playing))
            traffic.stop()
            await first(done(playing), signals.now.wait())
            playing.cancel()
            await served.drain(signals.now)
            watching.cancel()
        return await served.balance(answered=traffic.answered, duplicated=around.duplicated())


def _site(terminal: Terminal, around: Surroundings, data: Path) -> tuple[Config, Site]:
    from isthmus.app.config import load_config  # noqa: PLC0415
    from isthmus.app.site_loader import load_site, reference_site  # noqa: PLC0415

    folder = reference_site()
    port = str(_PORT if _is_free(_PORT) else 0)
    environment = {**terminal.environment, **around.environment, "ISTHMUS__SOURCES__CLINICAL__PORT": port}
    config = load_config(folder, environment, data=data)
    loaded = load_site(folder, config.name)
    if loaded.findings:
        raise CommandError("the reference hospital is not sound:", findings=loaded.findings, exit=Exit.BUG)
    return config, loaded.site


def _traffic(args: argparse.Namespace, config: Config, port: int) -> Traffic:
    from isthmus.app.practice.day import day  # noqa: PLC0415
    from isthmus.app.practice.faults import disturb  # noqa: PLC0415
    from isthmus.app.practice.player import Player  # noqa: PLC0415
    from isthmus.app.practice.traffic import Traffic  # noqa: PLC0415

    faults = _faults(args)
    stream = disturb(day(args.seed, datetime(2026, 3, 2, 7, tzinfo=UTC)), faults, Random(args.seed))
    player = Player(
        "127.0.0.1", port, connections=args.connections, rate=args.rate, dropped=faults.dropped, rng=Random(args.seed + "/drops")
    )
    return Traffic(player, islice(stream, args.messages), config.data / "var/in/supply")


def _faults(args: argparse.Namespace) -> Faults:
    from isthmus.app.practice.faults import BAD_DAY, MORNING, Faults  # noqa: PLC0415

    return {"morning": MORNING, "none": Faults(), "bad-day": BAD_DAY}[args.faults]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def _after(seconds: float | None) -> None:
    await (asyncio.sleep(seconds) if seconds else asyncio.Event().wait())


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r}: write a time such as 30s, 5m or 1h")
    return float(match[1]) * _UNITS[match[2]]
