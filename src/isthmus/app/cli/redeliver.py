"""Send the same bytes under the same id once more: for deliveries that are dead, abandoned, or delivered and lost by the receiver.

Nothing is computed anew (that is `isthmus reprocess`). Works beside a running engine. The reason is kept with your name.
"""

from __future__ import annotations

import argparse

from isthmus.app.cli._choice import carry_out, choice
from isthmus.app.cli.command import reading, who
from isthmus.app.cli.terminal import Terminal
from isthmus.app.control import Redeliver


def arguments(parser: argparse.ArgumentParser) -> None:
    choice(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    by = who(args)
    return carry_out(args, terminal, reading(args, terminal), lambda ids: Redeliver(ids, by, args.why), "due again")
