"""Show a message's whole story: every stage, attempt and receipt, in the order of time.

ID is the id of a message, an event or a delivery, or the beginning of one (6 digits or more). Bodies hold patients: --body shows them
only with a reason (--why), and who looked is noted in the site's disclosures.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

import msgspec

from isthmus.app.cli.command import json_option, reading, site_option, who
from isthmus.app.cli.messages import SHORT, STYLES
from isthmus.app.cli.terminal import CommandError, Terminal, printable
from isthmus.app.config import Config
from isthmus.app.disclosures import Disclosure, note
from isthmus.app.exits import Exit
from isthmus.app.planning import readable
from isthmus.app.spans import clock, size, span
from isthmus.journals.port import Step, Story


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="id of a message, event or delivery, or its first 6 digits or more")
    parser.add_argument("--body", action="store_true", help="show what the message, its events and deliveries hold; needs --why")
    parser.add_argument("--why", default="", metavar="TEXT", help="why you have to see it; kept with your name")
    parser.add_argument("--by", default="", metavar="NAME", help="who looks (default: the user who is logged in)")
    json_option(parser)
    site_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - not for --help

    if args.body and not args.why.strip():
        raise CommandError("--body shows what belongs to a patient and needs a reason", 'add --why "…"; it is kept with your name')
    found = loop.run(_story(reading(args, terminal), args))
    if found is None:
        terminal.note("nothing has this id, or several begin with it (give more digits)")
        return Exit.FINDINGS
    story, bodies = found
    if args.json:
        terminal.json({**_data(story), **({"bodies": bodies} if args.body else {})})
    else:
        _show(story, terminal)
        _bodies(bodies, terminal)
    return Exit.OK


async def _story(config: Config, args: argparse.Namespace) -> tuple[Story, dict[str, Any]] | None:
    from isthmus.app.compose import opened  # noqa: PLC0415

    async with opened(config, read_only=True, create=False) as journal:
        story = await journal.story(args.id)
        if story is None or not args.body:
            return (story, {}) if story else None
        note(config.data, Disclosure(at=datetime.now(UTC), by=who(args), why=args.why, message_id=story.message.id))
        message = await journal.message(story.message.id)
        bodies = {story.message.id: readable(message.body) if message and message.body else "pruned"}
        bodies.update({one.id: readable(one.body) if one.body else "pruned" for one in story.events})
        for one in story.deliveries:
            delivery = await journal.delivery(one.id)
            bodies[one.id] = readable(delivery.body) if delivery and delivery.body else "pruned"
        return story, bodies


def _data(story: Story) -> dict[str, Any]:
    """The story without a body: a journal's events carry theirs, and it may hold a patient."""
    data: dict[str, Any] = msgspec.to_builtins(story)
    for event in data["events"]:
        del event["body"]
    return data


def _show(story: Story, terminal: Terminal) -> None:
    style, message = terminal.style, story.message
    state = style(message.state, STYLES.get(message.state, "yellow"), "bold")
    terminal.line(f"{style('message', 'bold')} {message.id}  {state} {message.reason}".rstrip())
    for name, text in (
        ("received", clock(message.received_at)),
        ("interface", message.interface or "none"),
        ("source", message.source),
        ("kind", printable(message.kind)),
        ("sender", printable(message.sender)),
        ("control id", printable(message.control_id)),
        ("correlation", message.correlation_id),
        ("size", size(message.size)),
    ):
        terminal.line(f"  {style(f'{name:<12}', 'dim')}{text}")
    for violation in story.violations:
        mark = style(violation.severity, "red" if violation.severity == "error" else "yellow")
        terminal.line(f"  {mark} {printable(violation.where)} {violation.rule}: {violation.cure}")
    if story.deliveries:
        terminal.line()
        _deliveries(story, terminal)
    terminal.line()
    _steps(story, terminal)


def _deliveries(story: Story, terminal: Terminal) -> None:
    receipts: dict[str, list[str]] = {}
    for delivery_id, receipt in story.receipts:
        receipts.setdefault(delivery_id, []).append(f"{receipt.kind} {receipt.code} {receipt.reference}".rstrip())
    terminal.table(
        ("delivery", "to", "operation", "state", "attempts", "receipts"),
        [
            (
                one.id[:SHORT],
                one.endpoint,
                printable(one.operation),
                terminal.style(one.state, STYLES.get(one.state, "yellow")) + (f" ({one.reason})" if one.reason else ""),
                str(one.attempts),
                "; ".join(dict.fromkeys(receipts.get(one.id, ["behind " + one.behind[:SHORT]] if one.behind else ["-"]))),
            )
            for one in story.deliveries
        ],
    )


def _steps(story: Story, terminal: Terminal) -> None:
    subjects = {story.message.id: "message"}
    subjects.update({one.id: one.type for one in story.events})
    subjects.update({one.id: f"{one.endpoint} {one.id[:SHORT]}" for one in story.deliveries})
    rows = [
        (
            f"{one.at.astimezone():%Y-%m-%d %H:%M:%S.%f}"[:-3],
            subjects.get(one.subject, one.subject[:SHORT]),
            terminal.style(one.stage, STYLES.get(one.code or one.stage, "bold")),
            _words(one),
        )
        for one in story.steps
    ]
    terminal.table(("time", "what", "stage", ""), rows)


def _words(step: Step) -> str:
    took = f"in {span(step.seconds)}" if step.seconds is not None else ""
    by = f"by {step.by}" if step.by else ""
    return printable(" ".join(part for part in (step.code, took, step.detail, by) if part))


def _bodies(bodies: dict[str, Any], terminal: Terminal) -> None:
    for one, body in bodies.items():
        terminal.line()
        terminal.line(one, "bold")
        lines = body if isinstance(body, list) else msgspec.json.format(msgspec.json.encode(body), indent=2).decode().split("\n")
        for line in lines:
            terminal.line("  " + printable(str(line)))
