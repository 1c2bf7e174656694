"""The command line. This file only finds the command; each command is a file of its own, imported when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from isthmus.app.cli._list import COMMANDS, GROUPS
from isthmus.app.exits import Exit

if TYPE_CHECKING:
    import argparse  # 15 ms that `isthmus --help` does not need

__all__ = ["main", "parser_of"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see ``isthmus.app.exits``)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        if len(words) > 1 and words[0] == "help":
            return main([words[1], "--help"])
        sys.stdout.write(overview())
        return Exit.OK if words else Exit.USAGE
    if words[0] in ("-V", "--version", "version"):
        sys.stdout.write(f"isthmus {version()}\n")
        return Exit.OK
    name = words[0]
    listed = COMMANDS.get(name)
    if listed is None:
        return _unknown(name)
    return _run(name, words[1:])


def overview() -> str:
    """What ``isthmus --help`` prints."""
    lines = ["usage: isthmus COMMAND [ARGUMENTS]", "", "A hospital's integration: messages become events, events become deliveries.", ""]
    size = max(map(len, COMMANDS)) + 2
    for group in GROUPS:
        lines.append(f"{group}:")
        lines += [f"  {name:<{size}}{listed.summary}" for name, listed in COMMANDS.items() if listed.group == group]
        lines.append("")
    lines += [
        "isthmus COMMAND --help tells more; every command takes --debug (show the trace of an error).",
        "Output is plain when piped; NO_COLOR switches colours off. Exit codes: "
        + ", ".join(f"{int(e)} {e.name.lower()}" for e in Exit)
        + ".",
        "",
    ]
    return "\n".join(lines)


def version() -> str:
    from importlib.metadata import version as installed  # noqa: PLC0415 - takes longer than the rest of this file

    return installed("isthmus")


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of one command; also read by the generator of the reference pages."""
    import argparse  # noqa: PLC0415 - see above

    module = importlib.import_module(COMMANDS[name].module)
    summary, _, rest = (module.__doc__ or "").strip().partition("\n")
    parser = argparse.ArgumentParser(
        prog=f"isthmus {name}", description=f"{summary}\n{rest}", formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    module.arguments(parser)
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")
    return parser


def _run(name: str, words: list[str]) -> int:
    parser = parser_of(name)
    try:
        args = parser.parse_args(words)
    except SystemExit as stop:  # argparse has printed the help or the error
        return Exit.OK if not stop.code else Exit.USAGE
    from isthmus.app.cli.guard import guarded  # noqa: PLC0415 - imports what errors need

    return guarded(COMMANDS[name], args)


def _unknown(name: str) -> int:
    import difflib  # noqa: PLC0415 - only when somebody mistyped

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    cure = f"did you mean {near[0]}?" if near else "isthmus --help lists all"
    sys.stderr.write(f"isthmus: there is no command {name[:40]!r}: {cure}\n")
    return Exit.USAGE
