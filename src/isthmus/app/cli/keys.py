"""The key ring that seals the journal: show it, or rotate it.

`keys rotate` adds a data key; what is sealed from now on is sealed with it, and older bodies stay readable. `keys rotate --master`
changes the master key that wraps all others, and touches no body. Back the ring up afterwards, apart from the journal: without
it nothing can be read. A running engine takes a new data key at its next start; with several nodes on PostgreSQL, give each the new
ring and start it again before you act on the journal, or it cannot open what is sealed anew.
"""

from __future__ import annotations

import argparse

from isthmus.app.cli.command import json_option, reading, site_option
from isthmus.app.cli.terminal import CommandError, Terminal
from isthmus.app.config import MemoryJournal
from isthmus.app.exits import Exit


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", nargs="?", default="show", choices=("show", "rotate"), help="what to do (default: %(default)s)")
    parser.add_argument("--master", action="store_true", help="with rotate: the master key instead of a new data key")
    json_option(parser)
    site_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app.compose import keyring_of  # noqa: PLC0415 - loads cryptography

    config = reading(args, terminal)
    if isinstance(config.journal, MemoryJournal):
        raise CommandError("a journal in memory has no key ring that lasts")
    ring = keyring_of(config.journal, create=False)
    done: dict[str, object] = {
        "ring": ring.id,
        "file": str(config.journal.keyring),
        "mode": f"{config.journal.keyring.stat().st_mode & 0o777:o}",
    }
    if args.act == "rotate" and args.master:
        ring.rotate_master()
        done["rotated"] = "master key"
    elif args.act == "rotate":
        done["rotated"] = f"data key {ring.rotate()}"
    if args.json:
        terminal.json(done)
    else:
        for name, value in done.items():
            terminal.line(f"{name:<8} {value}")
        if args.act == "rotate":
            terminal.note("back up both files of the ring now, apart from the journal")
    return Exit.OK
