"""Show what a message would do, without doing it: verdict, violations, events, lookups, deliveries.

Reads HL7 v2 (also many messages in one file, batches, MLLP frames), or whatever the site's interfaces read, from a file or
standard input (-). Needs the site's code only; no configuration, journal or network. Lookups are answered from --answers, by
the real endpoints with --live (read only), or else by a stand-in that is marked as one.

Exit code 0 when every message would be accepted and planned without trouble, 1 when not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from isthmus.app.answers import Answerer, Asked, read_answers
from isthmus.app.cli.command import json_option, site_folder, site_option
from isthmus.app.cli.terminal import CommandError, Terminal, printable
from isthmus.app.config import load_config
from isthmus.app.exits import Exit
from isthmus.app.messages_file import messages_in
from isthmus.app.planning import DryRun, as_data, dry_run
from isthmus.app.site_loader import load_site
from isthmus.core import Invalid, Site
from isthmus.core.pseudonym import ENDPOINT as OURSELVES


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("message", metavar="MESSAGE", help="a file with one or many messages; - reads standard input")
    parser.add_argument("--interface", default="", metavar="NAME", help="the interface that must take it (default: whichever does)")
    answers = parser.add_mutually_exclusive_group()
    answers.add_argument("--answers", type=Path, metavar="FILE", help="answers to lookups, in the form that --json prints them")
    answers.add_argument("--live", action="store_true", help="ask the configured endpoints (reads only)")
    json_option(parser)
    site_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    folder = site_folder(args, terminal)
    loaded = load_site(folder)
    if loaded.findings:
        raise CommandError("the site's code does not stand:", "isthmus check shows all of it", findings=loaded.findings)
    if args.interface and loaded.site.interface(args.interface) is None:
        there = ", ".join(one.name for one in loaded.site.interfaces)
        raise CommandError(f"there is no interface {args.interface}", f"there are: {there}")
    bodies = messages_in(_read(args.message))
    if not bodies:
        raise CommandError(f"{args.message} holds no message", exit=Exit.FINDINGS)
    runs = _planned(args, terminal, folder, loaded.site, bodies)
    fine = True
    shown = []
    for number, one in enumerate(runs, 1):
        fine = fine and one.ok
        if args.json:
            shown.append(as_data(one))
        else:
            _show(one, f"message {number} of {len(bodies)}" if len(bodies) > 1 else "message", terminal)
    if args.json:
        terminal.json(shown[0] if len(shown) == 1 else shown)
    return Exit.OK if fine else Exit.FINDINGS


def _planned(args: argparse.Namespace, terminal: Terminal, folder: Path, site: Site, bodies: list[bytes]) -> Iterable[DryRun]:
    """One after the other, so that a long file is shown as it is planned."""
    if not args.live:
        recorded = _recorded(args.answers) if args.answers else ()
        return (dry_run(site, body, interface=args.interface, answerer=Answerer(recorded)) for body in bodies)
    from isthmus.app import loop  # noqa: PLC0415 - clients and an event loop, only for this
    from isthmus.app.live import plan_live  # noqa: PLC0415

    config = load_config(folder, terminal.environment, data=args.data)
    return loop.run(plan_live(config, site, bodies, interface=args.interface))


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    path = Path(name)
    if path.is_dir():
        raise CommandError(f"{path} is a folder", "name a file; `isthmus feed` takes folders")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CommandError(f"there is no file {path}") from None


def _recorded(path: Path) -> list[Asked]:
    try:
        return read_answers(path)
    except Invalid as wrong:
        raise CommandError(wrong.detail) from None
    except OSError as error:
        raise CommandError(f"--answers {path}: {error.strerror}", "name a file with recorded answers") from None


def _show(run: DryRun, title: str, terminal: Terminal) -> None:
    style, data, message = terminal.style, as_data(run), run.plan.message
    color = {"accepted": "green", "invalid": "yellow"}.get(run.verdict, "red")
    taker = f"interface {message.interface}" if message.interface else "no interface"
    verdict = style(f"{run.verdict}{f' ({run.reason})' if run.reason else ''}", color, "bold")
    terminal.line(f"{style(title, 'bold')}  {printable(message.kind) or 'unreadable'}  {taker}  {verdict}")
    for violation in run.plan.violations:
        mark = style(violation.severity, "red" if violation.severity == "error" else "yellow")
        place = f"{printable(violation.where)} " if violation.where else ""
        terminal.line(f"  {mark} {place}{style(violation.rule, 'bold')}: {violation.cure}")
    for trouble in run.troubles:
        terminal.line(f"  {style(trouble.fault, 'red', 'bold')} {trouble.where}: {trouble.code}: {printable(trouble.detail)}")
    for event in data["events"]:
        order = f"  ordered by {printable(event['ordering_key'])}" if event["ordering_key"] else ""
        terminal.line(f"  {style('event', 'cyan')} {style(event['type'], 'bold')} {printable(event['key'])}{style(order, 'dim')}")
        _body(event["body"], terminal)
    for asked in data["lookups"]:
        answer = style("stand-in", "yellow", "bold") if asked["stand_in"] else "pseudonym" if asked["endpoint"] == OURSELVES else "answered"
        args = printable(" ".join(asked.get("args", [])))
        terminal.line(f"  {style('lookup', 'magenta')} {asked['endpoint']}: {asked['name']} {args} → {answer}: {_short(asked['answer'])}")
    for delivery in data["deliveries"]:
        head = f"{style('delivery', 'blue')} {style(delivery['endpoint'], 'bold')} {printable(delivery['operation'])}"
        terminal.line(f"  {head} {printable(delivery['key'])}{style('  by ' + delivery['subscription'], 'dim')}")
        _body(delivery["body"], terminal)
    if run.verdict == "accepted" and not data["events"] and not run.troubles:
        terminal.line("  no event: nothing would happen", "yellow")


def _body(body: Any, terminal: Terminal) -> None:
    if isinstance(body, dict):
        size = max(map(len, body), default=0)
        for key, value in body.items():
            terminal.line(f"      {terminal.style(f'{key:<{size}}', 'dim')}  {_short(value)}")
    else:
        for line in body if isinstance(body, list) else [body]:
            terminal.line(f"      {_short(line)}")


def _short(value: Any) -> str:
    import msgspec  # noqa: PLC0415 - here already, by way of the site

    return printable(value if isinstance(value, str) else msgspec.json.encode(value).decode())
