"""Run a site until Ctrl-C (or SIGTERM), drain it, and print the balance sheet.

On a terminal a live summary is shown; in a pipe, one line every few seconds. The first Ctrl-C takes nothing more and works off what
can be; the second ends at once. Either way nothing is lost: what is not delivered goes on at the next start.

On a PostgreSQL journal any number of nodes run one site, each with a name of its own (--node). They share its work; when one is gone,
the others take over within seconds. One that is drained while others run sees through what it is sending and leaves the rest to them.

Exit code 0 when the sheet balances; 1 when it does not; 2 when the site is not sound, a port is taken or the journal in use; 3 when
the journal is away.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from isthmus.app.balance import Balance
from isthmus.app.cli.amounts import amount
from isthmus.app.cli.command import json_option, site_folder, site_positional
from isthmus.app.cli.sheet import show_balance
from isthmus.app.cli.terminal import CommandError, Terminal
from isthmus.app.config import Config, load_config
from isthmus.app.exits import Exit
from isthmus.app.site_check import cross_check
from isthmus.app.site_loader import load_site
from isthmus.core import Site


def arguments(parser: argparse.ArgumentParser) -> None:
    site_positional(parser)
    parser.add_argument("--drain", type=amount, default=30.0, metavar="SECONDS", help="how long draining may take (default: %(default)s)")
    parser.add_argument(
        "--every", type=amount, default=5.0, metavar="SECONDS", help="pause between two lines in a pipe (default: %(default)s)"
    )
    parser.add_argument(
        "--node", default="", metavar="NAME", help="the name of this node, where several share the journal (default: the host's)"
    )
    json_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - `run --help` needs no event loop

    config, site = sound_site(args, terminal)
    sheet, drained = loop.run(_run(args, terminal, config, site))
    if args.json:
        terminal.json(sheet)
    else:
        show_balance(sheet, terminal)
        if not drained:
            terminal.note("ended before all was worked off; the rest is in the journal and goes on at the next start")
    return Exit.OK if sheet.balances else Exit.FINDINGS


def sound_site(args: argparse.Namespace, terminal: Terminal) -> tuple[Config, Site]:
    """The site's configuration and code; raises with everything that is wrong with either."""
    folder = site_folder(args, terminal)
    config = load_config(folder, terminal.environment, data=args.data)
    loaded = load_site(folder, config.name)
    findings = loaded.findings or cross_check(loaded.site, config)
    if findings:
        raise CommandError(f"{config.name} is not sound:", "`isthmus check` tells the same without starting it", findings=findings)
    return config, loaded.site


async def _run(args: argparse.Namespace, terminal: Terminal, config: Config, site: Site) -> tuple[Balance, bool]:
    from isthmus.app.cli.watch import LiveWatcher, PlainWatcher  # noqa: PLC0415
    from isthmus.app.loop import Signals  # noqa: PLC0415
    from isthmus.app.serving import serve  # noqa: PLC0415

    signals = Signals()
    signals.install()
    with ExitStack() as stack:
        if terminal.interactive and not args.json:
            return await serve(
                config, site, stack.enter_context(LiveWatcher(terminal, config.name)), signals, drain=args.drain, node=args.node
            )
        plain = PlainWatcher(Terminal(terminal.err) if args.json else terminal, args.every)
        return await serve(config, site, plain, signals, drain=args.drain, node=args.node)
