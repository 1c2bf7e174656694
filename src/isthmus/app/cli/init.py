"""Make a new site that runs: one interface with fixtures, expected plans, a test and a README.

`--template reference` copies the whole reference hospital instead, to be read, run and changed.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import get_args

from isthmus.app.cli.command import json_option
from isthmus.app.cli.terminal import Terminal
from isthmus.app.exits import Exit
from isthmus.app.templates import Template, copy_site


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the new site's folder; its name becomes the site's name")
    parser.add_argument("--template", choices=get_args(Template), default="small", help="what to begin from (default: %(default)s)")
    json_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    made = copy_site(args.template, args.folder)
    if args.json:
        terminal.json(
            {"folder": str(args.folder), "template": args.template, "files": [str(path.relative_to(args.folder)) for path in made]}
        )
        return Exit.OK
    terminal.line(f"{args.folder} is a site now: {len(made)} files", "green")
    fixture = min(path.relative_to(args.folder) for path in made if path.suffix == ".hl7")
    for command, what in (
        (f"cd {shlex.quote(str(args.folder))}", ""),
        ("isthmus check", "everything that is wrong, at once"),
        (f"isthmus plan {fixture}", "what a message would do"),
        ("isthmus run", "Ctrl-C drains it and prints the balance sheet"),
    ):
        terminal.line(f"  {command:<60} {terminal.style(what, 'dim')}".rstrip())
    return Exit.OK
