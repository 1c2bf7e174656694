"""Send recorded messages to a listener, as a sender does: one in flight per connection, again until it is answered.

PATH is a file (one message or many, a batch, MLLP-framed or not) or a folder with such files. Messages about the same patient go
over the same connection and keep their order. The answers are counted; a message that is refused is told, never left out.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.app.cli.amounts import PORT, amount, whole
from isthmus.app.cli.progress import progress
from isthmus.app.cli.terminal import CommandError, Terminal
from isthmus.app.exits import Exit

if TYPE_CHECKING:
    from isthmus.app.practice.player import Played
    from isthmus.app.practice.recorded import Recording
    from isthmus.app.practice.speech import Utterance

ANSWERS = ("taken", "invalid", "refused", "unasked", "unanswered")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder with messages")
    parser.add_argument("--to", type=_address, default="127.0.0.1:2575", metavar="HOST:PORT", help="the listener (default: %(default)s)")
    parser.add_argument("--connections", type=whole(1), default=8, metavar="N", help="senders at once (default: %(default)s)")
    parser.add_argument("--rate", type=amount, default=0, metavar="N", help="messages a second (default: as fast as they are answered)")
    parser.add_argument("--repeat", type=whole(1), default=1, metavar="N", help="play all of it N times (default: once)")
    parser.add_argument(
        "--give-up-after",
        type=amount,
        default=120,
        metavar="S",
        help="seconds to wait for an answer to any one message (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app.practice.recorded import read  # noqa: PLC0415 - `feed --help` needs none of it

    for path in args.paths:
        if not path.exists():
            raise CommandError(f"there is no file or folder {path}", "name files or folders with HL7 v2 messages", exit=Exit.USAGE)
    recording = read(args.paths)
    if not recording.utterances:
        raise CommandError(
            "no messages there", "name files that begin with MSH, FHS or BHS, or folders that hold such files", exit=Exit.USAGE
        )
    started = time.monotonic()
    played, kinds = asyncio.run(_play(args, terminal, recording))
    report = {
        "files": recording.files,
        "passed_over": len(recording.passed_over),
        "messages": len(recording.utterances) * args.repeat,
        **{name: played[name] for name in (*ANSWERS, "resent", "busy")},
        "seconds": round(time.monotonic() - started, 3),
        "kinds": {kind: dict(answers) for kind, answers in sorted(kinds.items())},
    }
    if args.json:
        terminal.json(report)
    else:
        _tell(terminal, report, kinds)
    return Exit.UNREACHABLE if played["unanswered"] else Exit.OK


async def _play(args: argparse.Namespace, terminal: Terminal, recording: Recording) -> tuple[Played, dict[str, Counter[str]]]:
    from isthmus.app.practice.player import Player  # noqa: PLC0415

    kinds: dict[str, Counter[str]] = {}

    async def messages() -> AsyncIterator[Utterance]:
        for _ in range(args.repeat):
            for utterance in recording.utterances:
                yield utterance

    with progress(terminal, "answered", len(recording.utterances) * args.repeat, least=0) as advance:

        def notice(utterance: Utterance, heard: str) -> None:
            kinds.setdefault(utterance.kind, Counter())[heard] += 1
            advance(1)

        def stumble(error: Exception) -> None:
            """Told once, so that nobody waits before a silent screen."""
            if not told:
                told.append(error)
                host, port = args.to
                why = (
                    "nobody listens there"
                    if isinstance(error, ConnectionRefusedError)
                    else getattr(error, "strerror", "") or "it breaks off"
                )
                terminal.note(f"no answer from {host}:{port} ({why}); trying again for {args.give_up_after:g} s")

        told: list[Exception] = []
        player = Player(
            *args.to, stumble=stumble, connections=args.connections, rate=args.rate, give_up_after=args.give_up_after, notice=notice
        )
        return await player.play(messages()), kinds


def _tell(terminal: Terminal, report: dict[str, object], kinds: dict[str, Counter[str]]) -> None:
    terminal.table(("kind", *ANSWERS), [(kind, *(str(answers[name] or "") for name in ANSWERS)) for kind, answers in sorted(kinds.items())])
    terminal.line()
    passed = f", {report['passed_over']} files without messages passed over" if report["passed_over"] else ""
    terminal.line(f"{report['messages']} messages from {report['files']} files in {report['seconds']} s{passed}")
    terminal.line(", ".join(f"{name} {report[name]}" for name in ANSWERS) + f"; sent again {report['resent']} times")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        return host.strip("[]") or "127.0.0.1", PORT(port)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r}: write HOST:PORT, such as 127.0.0.1:2575") from None
