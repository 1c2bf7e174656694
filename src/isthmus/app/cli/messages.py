"""Find messages, newest first: by any identifier they carry, interface, kind, state and time.

Identifiers (patient, visit, order, control id …) are found through keyed hashes, so the journal holds none of them in the clear.
Works beside a running engine.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import cast, get_args

from isthmus.app.cli.amounts import LIMIT, whole
from isthmus.app.cli.command import json_option, reading, site_option
from isthmus.app.cli.terminal import CommandError, Terminal, printable
from isthmus.app.config import Config
from isthmus.app.exits import Exit
from isthmus.app.spans import clock, moment, size
from isthmus.journals.port import MessageState, Query, Stored

SHORT = 12
"""Digits of an id in a table; enough to name it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--id",
        "--patient",
        dest="identifier",
        default="",
        metavar="VALUE",
        help="any business identifier: patient, visit, order, control id …",
    )
    parser.add_argument("--interface", default="", metavar="NAME", help="taken by this interface")
    parser.add_argument("--kind", default="", metavar="KIND", help="of this kind, such as ADT^A03")
    parser.add_argument("--state", default="", choices=get_args(MessageState), help="in this state")
    parser.add_argument("--since", default="", metavar="WHEN", help="received since: 2h, 3 days, 2026-11-23, 2026-11-23T08:00")
    parser.add_argument("--until", default="", metavar="WHEN", help="received before")
    parser.add_argument("--limit", type=LIMIT, default=50, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--before", type=whole(0), default=0, metavar="SEQ", help="the next page: what the last one printed")
    json_option(parser)
    site_option(parser)  # fmt: skip


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - not for --help

    query = Query(
        identifier=args.identifier,
        interface=args.interface,
        kind=args.kind,
        state=cast("MessageState", args.state),
        since=_when(args.since, "--since"),
        until=_when(args.until, "--until"),
        before=args.before,
        limit=args.limit,
    )
    found = loop.run(_find(reading(args, terminal), query))
    more = found[-1].seq if len(found) == args.limit else 0
    if args.json:
        terminal.json({"messages": found, "next": more or None})
    else:
        _table(found, terminal)
        if more:
            terminal.note(f"more: the same with --before {more}")
    return Exit.OK if found else Exit.FINDINGS


async def _find(config: Config, query: Query) -> list[Stored]:
    from isthmus.app.compose import opened  # noqa: PLC0415

    async with opened(config, read_only=True, create=False) as journal:
        return list(await journal.find(query))


def _table(found: list[Stored], terminal: Terminal) -> None:
    if not found:
        terminal.note("no such message")
        return
    terminal.table(
        ("id", "received", "interface", "kind", "sender", "control id", "size", "state", "reason"),
        [
            (
                one.id[:SHORT],
                clock(one.received_at),
                one.interface or "-",
                printable(one.kind) or "-",
                printable(one.sender) or "-",
                printable(one.control_id) or "-",
                size(one.size),
                terminal.style(one.state, STYLES.get(one.state, "yellow")),
                one.reason,
            )
            for one in found
        ],
    )


STYLES = {"translated": "green", "delivered": "green", "failed": "red", "dead": "red", "invalid": "yellow", "refused": "yellow"}


def _when(text: str, option: str) -> datetime | None:
    if not text:
        return None
    try:
        return moment(text, datetime.now(UTC)).astimezone(UTC)
    except ValueError:
        raise CommandError(f"{option} {text}: no time", "write 2h, 3 days, 2026-11-23 or 2026-11-23T08:00") from None
