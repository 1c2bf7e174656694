"""Let a subscription that a bug has stopped go on, after the fix is in place: it begins at the event where it stopped.

Without a name, lists the stopped ones. A running engine must have been started again with the fixed code first.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from isthmus.app.cli.command import json_option, reading, site_option
from isthmus.app.cli.terminal import CommandError, Terminal
from isthmus.app.config import Config
from isthmus.app.exits import Exit
from isthmus.journals.port import Position


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subscription", nargs="?", default="", metavar="SUBSCRIPTION", help="the one to go on")
    json_option(parser)
    site_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - not for --help
    from isthmus.app.acts import act  # noqa: PLC0415
    from isthmus.app.control import Resume  # noqa: PLC0415

    config = reading(args, terminal)
    stopped = {one.subscription: one for one in loop.run(_positions(config)) if one.stopped}
    if not args.subscription:
        return _list(stopped, args, terminal)
    if args.subscription not in stopped:
        names = ", ".join(stopped) or "none"
        raise CommandError(f"{args.subscription} is not stopped", f"stopped: {names}", exit=Exit.FINDINGS)
    loop.run(act(config, Resume(args.subscription)))
    if args.json:
        terminal.json({"resumed": args.subscription, "waiting": stopped[args.subscription].waiting})
    else:
        terminal.line(f"{args.subscription} goes on; {stopped[args.subscription].waiting} events wait for it", "green")
    return Exit.OK


def _list(stopped: dict[str, Position], args: argparse.Namespace, terminal: Terminal) -> int:
    if args.json:
        terminal.json({"stopped": list(stopped.values())})
    elif stopped:
        rows = [(one.subscription, one.stopped, str(one.waiting), one.detail) for one in stopped.values()]
        terminal.table(("subscription", "reason", "events waiting", "detail"), rows)
    else:
        terminal.line("no subscription is stopped", "green")
    return Exit.FINDINGS if stopped else Exit.OK


async def _positions(config: Config) -> Sequence[Position]:
    from isthmus.app.compose import opened  # noqa: PLC0415

    async with opened(config, read_only=True, create=False) as journal:
        return await journal.positions()
