"""Which deliveries an act is about: named by id (or its first digits), or all dead ones of an endpoint."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from isthmus.app.cli.command import json_option, site_option, why_option
from isthmus.app.cli.terminal import CommandError, Terminal
from isthmus.app.config import Config
from isthmus.app.control import Request
from isthmus.app.exits import Exit
from isthmus.journals.port import Journal

PAGE = 500


def choice(parser: argparse.ArgumentParser) -> None:
    """Arguments shared by ``redeliver`` and ``abandon``."""
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="deliveries, by id or its first 6 digits or more; a message's id means its dead ones"
    )
    parser.add_argument("--dead", action="store_true", help="all dead deliveries (narrow them with --endpoint and --reason)")
    parser.add_argument("--endpoint", default="", metavar="NAME", help="with --dead: only those to this endpoint")
    parser.add_argument("--reason", default="", metavar="CODE", help="with --dead: only those that died for this reason")
    parser.add_argument("--yes", action="store_true", help="do not ask before acting on many")
    why_option(parser)
    json_option(parser)
    site_option(parser)


def carry_out(
    args: argparse.Namespace, terminal: Terminal, config: Config, request: Callable[[tuple[str, ...]], Request], done: str
) -> int:
    """Choose, ask when it is many, act by pages, and tell how many it was."""
    from isthmus.app import loop  # noqa: PLC0415 - not for --help

    if bool(args.ids) == args.dead:
        raise CommandError("say which deliveries: their ids, or --dead", "isthmus dead lists them")
    chosen = loop.run(_chosen(config, args))
    if not chosen:
        terminal.note("none of these is dead" if args.ids else "nothing is dead")
    if args.dead and chosen and not args.yes and not terminal.confirm(f"{len(chosen)} deliveries will be {done}. Go on?"):
        raise CommandError("not done", "--yes does not ask", exit=Exit.DECLINED)
    acted = loop.run(_act(config, chosen, request, terminal))
    rest = [one for one in chosen if one not in set(acted)]
    if args.json:
        terminal.json({"done": acted, "not_done": rest})
    else:
        terminal.line(f"{len(acted)} {done}", "green" if acted else "yellow")
        if rest:
            terminal.note(
                f"{len(rest)} were not, for their state does not allow it: {', '.join(one[:12] for one in rest[:5])}; `isthmus show` tells more"
            )
    return Exit.OK if acted and not rest else Exit.FINDINGS


async def _chosen(config: Config, args: argparse.Namespace) -> list[str]:
    from isthmus.app.compose import opened  # noqa: PLC0415

    async with opened(config, read_only=True, create=False) as journal:
        if args.dead:
            return await _all_dead(journal, args.endpoint, args.reason)
        return [one for name in args.ids for one in await _named(journal, name)]


async def _all_dead(journal: Journal, endpoint: str, reason: str) -> list[str]:
    found: list[str] = []
    before = 0
    while True:
        page = await journal.deliveries(state="dead", endpoint=endpoint, before=before, limit=PAGE)
        found += [one.id for one in page if reason in ("", one.reason)]
        if len(page) < PAGE:
            return found[::-1]  # oldest first: order holds within an ordering key
        before = page[-1].seq


async def _named(journal: Journal, name: str) -> list[str]:
    story = await journal.story(name)
    if story is None:
        raise CommandError(f"nothing has the id {name}, or several begin with it", "isthmus dead lists ids", exit=Exit.FINDINGS)
    exact = [one.id for one in story.deliveries if one.id.startswith(name)]
    if exact:
        return exact
    return [
        one.id
        for one in story.deliveries
        if one.state == "dead" and (story.message.id.startswith(name) or one.causation_id.startswith(name))
    ]


async def _act(config: Config, chosen: Sequence[str], request: Callable[[tuple[str, ...]], Request], terminal: Terminal) -> list[str]:
    from isthmus.app.acts import AT_ONCE, act  # noqa: PLC0415
    from isthmus.app.cli.progress import progress  # noqa: PLC0415

    acted: list[str] = []
    with progress(terminal, "deliveries", len(chosen)) as advance:
        for start in range(0, len(chosen), AT_ONCE):
            page = tuple(chosen[start : start + AT_ONCE])
            acted += await act(config, request(page))
            advance(len(page))
    return acted
