"""List deliveries that were given up, with the reason, the age and the desk that decides: redeliver, reprocess or abandon.

Exit code 0 when there is none, 1 when a person has to decide.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

import msgspec

from isthmus.app.cli.amounts import LIMIT, whole
from isthmus.app.cli.command import json_option, reading, site_folder, site_option
from isthmus.app.cli.messages import SHORT
from isthmus.app.cli.terminal import Terminal, printable
from isthmus.app.config import Config
from isthmus.app.exits import Exit
from isthmus.app.site_loader import load_site
from isthmus.app.spans import span
from isthmus.journals.port import StoredDelivery


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--endpoint", default="", metavar="NAME", help="only those to this endpoint")
    parser.add_argument("--limit", type=LIMIT, default=50, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--before", type=whole(0), default=0, metavar="SEQ", help="the next page: what the last one printed")
    json_option(parser)
    site_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - not for --help

    config = reading(args, terminal)
    found = loop.run(_dead(config, args))
    owners = {one.name: one.owner for one in load_site(site_folder(args, terminal), config.name).site.subscriptions}
    more = found[-1].seq if len(found) == args.limit else 0
    now = datetime.now(UTC)
    if args.json:
        terminal.json({"deliveries": [_data(one, owners, now) for one in found], "next": more or None})
    elif not found:
        terminal.line("nothing is dead", "green")
    else:
        terminal.table(
            ("id", "to", "subscription", "owner", "operation", "reason", "age", "attempts"),
            [
                (
                    one.id[:SHORT],
                    one.endpoint,
                    one.subscription,
                    owners.get(one.subscription, "-"),
                    printable(one.operation),
                    terminal.style(one.reason, "red"),
                    span(round((now - one.created_at).total_seconds())),
                    str(one.attempts),
                )
                for one in found
            ],
        )
        if more:
            terminal.note(f"more: the same with --before {more}")
        terminal.note("isthmus show ID tells why; isthmus redeliver, reprocess or abandon decides")
    return Exit.FINDINGS if found else Exit.OK


async def _dead(config: Config, args: argparse.Namespace) -> list[StoredDelivery]:
    from isthmus.app.compose import opened  # noqa: PLC0415

    async with opened(config, read_only=True, create=False) as journal:
        return list(await journal.deliveries(state="dead", endpoint=args.endpoint, before=args.before, limit=args.limit))


def _data(one: StoredDelivery, owners: dict[str, str], now: datetime) -> dict[str, Any]:
    return {**msgspec.to_builtins(one), "owner": owners.get(one.subscription, ""), "age_seconds": (now - one.created_at).total_seconds()}
