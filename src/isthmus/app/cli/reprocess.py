"""Run today's code on a kept message: shows what would change, asks, and keeps exactly what was shown.

Questions get the answers that were recorded then; --answers fresh asks them all anew. Deliveries that would be the same bytes stay
as they are; others are superseded by new ones. Works beside a running engine: the code is that of this command, so restart the
engine with the same code.

Exit code 0 when it was applied or nothing would change, 4 when nobody said yes.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, get_args

import msgspec

from isthmus.app.cli.command import json_option, site_option, who, why_option
from isthmus.app.cli.run import sound_site
from isthmus.app.cli.terminal import CommandError, Terminal, printable
from isthmus.app.config import Config
from isthmus.app.exits import Exit
from isthmus.core import Site
from isthmus.engine.diff import Diff, FieldChange
from isthmus.engine.replay import Replay, Which

_STYLES = {"added": "green", "removed": "red", "changed": "yellow"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="a message, by id or its first 6 digits or more")
    parser.add_argument(
        "--answers", choices=get_args(Which), default="recorded", help="where answers to lookups come from (default: %(default)s)"
    )
    parser.add_argument("--yes", action="store_true", help="apply without asking")
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    why_option(parser)
    json_option(parser)
    site_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - not for --help

    config, site = sound_site(args, terminal)
    diff = loop.run(_preview(config, site, args))
    if args.json:
        shown = {key: value for key, value in msgspec.to_builtins(diff).items() if key not in ("result", "planned")}
        applied = not diff.empty and not args.dry_run and args.yes
        ids = loop.run(_apply(config, diff, args)) if applied else ()
        terminal.json({"diff": shown, "empty": diff.empty, "applied": applied, "new_deliveries": ids})
        return Exit.OK if applied or diff.empty or args.dry_run else Exit.DECLINED
    _show(diff, terminal)
    if diff.empty or args.dry_run:
        return Exit.OK
    if not args.yes and not terminal.confirm("Keep this?"):
        raise CommandError("nothing was changed", "--yes applies without asking", exit=Exit.DECLINED)
    ids = loop.run(_apply(config, diff, args))
    terminal.line(f"kept; {len(ids)} new deliveries are due", "green")
    return Exit.OK


async def _preview(config: Config, site: Site, args: argparse.Namespace) -> Diff:
    from isthmus.app.compose import opened  # noqa: PLC0415

    async with opened(config, read_only=True, create=False) as journal, _answers(config) as answers:
        story = await journal.story(args.id)
        if story is None:
            raise CommandError(f"nothing has the id {args.id}, or several begin with it", "isthmus messages finds ids", exit=Exit.FINDINGS)
        replay = Replay(site, journal, answers, clock=_clock(), due=lambda: None)
        return await replay.preview(story.message.id, args.answers)


async def _apply(config: Config, diff: Diff, args: argparse.Namespace) -> Sequence[str]:
    from isthmus.app.acts import act  # noqa: PLC0415
    from isthmus.app.control import Reprocess  # noqa: PLC0415

    planned = {name: tuple(plans) for name, plans in diff.planned.items()}
    return await act(config, Reprocess(diff.message_id, diff.digest, diff.result, planned, who(args), args.why))


@asynccontextmanager
async def _answers(config: Config) -> AsyncIterator[Any]:
    """Answers from the real endpoints; their clients are opened when a preview asks them something."""
    from isthmus.app.compose import clients_of, keyring_of  # noqa: PLC0415
    from isthmus.app.lazy_client import LazyClient  # noqa: PLC0415
    from isthmus.engine.answers import Answers  # noqa: PLC0415

    clients = {name: LazyClient(client) for name, client in clients_of(config, _clock()).items()}
    try:
        yield Answers(clients, clock=_clock(), pseudonym=keyring_of(config.journal, create=False).pseudonym)
    finally:
        for client in clients.values():
            await client.close()


def _clock() -> Any:
    from isthmus.engine.clock import SystemClock  # noqa: PLC0415

    return SystemClock()


def _show(diff: Diff, terminal: Terminal) -> None:
    style = terminal.style
    if diff.empty:
        terminal.line("nothing would change", "green")
        return
    if diff.old_state != diff.new_state:
        why = f" ({diff.reason}: {diff.detail})" if diff.reason else ""
        terminal.line(f"message: {diff.old_state} → {style(diff.new_state, 'bold')}{why}")
    for violation in diff.violations:
        terminal.line(f"  {violation.where} {violation.rule}: {violation.cure}")
    for event in diff.events:
        terminal.line(f"{style(event.change, _STYLES[event.change])} event {event.type} {event.id[:12]}")
        _fields(event.fields, terminal)
    for one in diff.deliveries:
        was = f" (is {one.state})" if one.state else ""
        terminal.line(
            f"{style(one.change, _STYLES[one.change])} delivery {one.endpoint} {printable(one.operation)} {printable(one.key)}{was}"
        )
        _fields(one.fields, terminal)
    if diff.asked_anew:
        terminal.line(f"! {diff.asked_anew} questions were answered by the world of today; it may differ from that of then", "yellow")


def _fields(fields: Sequence[FieldChange], terminal: Terminal) -> None:
    for one in fields:
        where = f"{printable(one.where)}: " if one.where else ""
        if one.old is not None:
            terminal.line(terminal.style(f"    - {where}{_text(one.old)}", "red"))
        if one.new is not None:
            terminal.line(terminal.style(f"    + {where}{_text(one.new)}", "green"))


def _text(value: Any) -> str:
    return printable(value if isinstance(value, str) else msgspec.json.encode(value).decode())
