"""What a command is: a module with two functions, loaded only when it is called.

``arguments(parser)`` declares what it takes; ``run(args, terminal)`` does it and returns an exit code. The module's docstring
is the long help: its first line is the summary. Errors are raised as :class:`~isthmus.app.cli.terminal.CommandError`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Protocol

from isthmus.app.cli.terminal import CommandError, Terminal
from isthmus.app.config import FILE, Config, journal_config
from isthmus.app.exits import Exit


class Command(Protocol):
    """The form of a command's module."""

    def arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace, terminal: Terminal) -> int: ...


def site_positional(parser: argparse.ArgumentParser) -> None:
    """``[SITE]``, for commands that are about a site as a whole; ``--site`` says the same, as it does elsewhere."""
    parser.add_argument(
        "whole_site", nargs="?", type=Path, metavar="SITE", help="the site's folder (default: ISTHMUS_SITE, or the current folder)"
    )
    parser.add_argument("--site", type=Path, metavar="DIR", help="the same, as the other commands take it")
    _data(parser)


def site_option(parser: argparse.ArgumentParser) -> None:
    """``--site SITE``, for commands whose positional arguments are something else."""
    parser.add_argument("--site", type=Path, metavar="SITE", help="the site's folder (default: ISTHMUS_SITE, or the current folder)")
    _data(parser)


def json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def why_option(parser: argparse.ArgumentParser) -> None:
    """``--why TEXT`` and ``--by NAME``: acts are kept with a name and a reason."""
    parser.add_argument(
        "--why", required=True, type=_reason, metavar="TEXT", help="the reason; kept in the journal, so write no patient data into it"
    )
    parser.add_argument("--by", metavar="NAME", default="", help="who acts (default: the user who is logged in)")


def _reason(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("say why: a few words, such as a ticket's number")
    return text


def who(args: argparse.Namespace) -> str:
    """The name under which an act is kept."""
    given: str = args.by
    if given:
        return given
    import getpass  # noqa: PLC0415 - slow to import and seldom needed

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def site_folder(args: argparse.Namespace, terminal: Terminal) -> Path:
    """The folder of the site that a command is about: named, from ISTHMUS_SITE, or the current one."""
    named = getattr(args, "whole_site", None) or args.site or terminal.environment.get("ISTHMUS_SITE")
    folder = Path(named) if named else Path.cwd()
    if named and not folder.is_dir():
        raise CommandError(f"there is no folder {folder}", "name a site's folder; `isthmus init FOLDER` makes a new one", exit=Exit.USAGE)
    if not named and not (folder / FILE).is_file() and not (folder / "interfaces").is_dir():
        raise CommandError(
            "the current folder is no site", "go into a site's folder or name it; `isthmus init FOLDER` makes a new one", exit=Exit.USAGE
        )
    return folder


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="keep what the site writes here instead of the folder that isthmus.toml names"
    )


def reading(args: argparse.Namespace, terminal: Terminal) -> Config:
    """The configuration of a command that reads the journal: endpoints and secrets of the other parts need not be in order."""
    folder = site_folder(args, terminal)
    return journal_config(folder, terminal.environment, data=args.data)
