"""Print the balance sheet of the whole journal: what came in, what became of it, and whether it adds up.

Works beside a running engine. Exit code 0 when it balances, 1 when not; with --wait also 1 when something is still on its way then.
"""

from __future__ import annotations

import argparse
import asyncio

from isthmus.app.balance import Balance, balance
from isthmus.app.cli.amounts import amount
from isthmus.app.cli.command import json_option, reading, site_folder, site_positional
from isthmus.app.cli.sheet import show_balance
from isthmus.app.cli.terminal import Terminal
from isthmus.app.config import Config
from isthmus.app.exits import Exit
from isthmus.app.site_loader import load_site
from isthmus.core import Site

_LOOK = 0.2
"""Seconds between two looks while it waits."""


def arguments(parser: argparse.ArgumentParser) -> None:
    site_positional(parser)
    parser.add_argument("--wait", type=amount, default=0.0, metavar="SECONDS", help="wait so long until nothing is on its way any more")
    json_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - not for --help

    config = reading(args, terminal)
    sheet = loop.run(_balance(config, load_site(site_folder(args, terminal), config.name).site, args.wait))
    if args.json:
        terminal.json(sheet)
    else:
        show_balance(sheet, terminal)
    return Exit.OK if sheet.balances and not (args.wait and sheet.open) else Exit.FINDINGS


async def _balance(config: Config, site: Site, wait: float) -> Balance:
    from isthmus.app.compose import opened  # noqa: PLC0415

    async with opened(config, read_only=True, create=False) as journal:
        clock = asyncio.get_running_loop().time
        until = clock() + wait
        while (sheet := balance(site, await journal.tallies(), await journal.positions())).open and clock() < until:  # noqa: ASYNC110 - another process works it off
            await asyncio.sleep(_LOOK)
        return sheet
