"""Give dead deliveries up for good, with a name and a reason; what waits behind them in order goes on.

They stay in the journal, and `isthmus redeliver` can still bring them back. Works beside a running engine.
"""

from __future__ import annotations

import argparse

from isthmus.app.cli._choice import carry_out, choice
from isthmus.app.cli.command import reading, who
from isthmus.app.cli.terminal import Terminal
from isthmus.app.control import Abandon


def arguments(parser: argparse.ArgumentParser) -> None:
    choice(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    by = who(args)
    return carry_out(args, terminal, reading(args, terminal), lambda ids: Abandon(ids, by, args.why), "abandoned")
