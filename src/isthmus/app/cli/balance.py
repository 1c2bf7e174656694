"""Print the balance sheet of the whole journal: what came in, what became of it, and whether it adds up.

Works beside a running engine. Exit code 0 when it balances, 1 when not.
"""

from __future__ import annotations

import argparse

from isthmus.app.balance import Balance, balance
from isthmus.app.cli.command import json_option, reading, site_folder, site_positional
from isthmus.app.cli.sheet import show_balance
from isthmus.app.cli.terminal import Terminal
from isthmus.app.config import Config
from isthmus.app.exits import Exit
from isthmus.app.site_loader import load_site
from isthmus.core import Site


def arguments(parser: argparse.ArgumentParser) -> None:
    site_positional(parser)
    json_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - not for --help

    config = reading(args, terminal)
    sheet = loop.run(_balance(config, load_site(site_folder(args, terminal), config.name).site))
    if args.json:
        terminal.json(sheet)
    else:
        show_balance(sheet, terminal)
    return Exit.OK if sheet.balances else Exit.FINDINGS


async def _balance(config: Config, site: Site) -> Balance:
    from isthmus.app.compose import opened  # noqa: PLC0415

    async with opened(config, read_only=True, create=False) as journal:
        return balance(site, await journal.tallies(), await journal.positions())
