"""docs/reference/cli.md: every command with its arguments."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from isthmus.app.cli import parser_of
from isthmus.app.cli._list import COMMANDS, GROUPS
from isthmus.app.reference.markdown import code, table


def page() -> str:
    lines = [
        "# Commands\n",
        "`isthmus COMMAND --help` says the same. Output is plain when piped; `NO_COLOR` switches colours off; `--json`\n",
    ]
    lines += ["prints one document with stable keys. What exit codes mean is in [exit-codes.md](exit-codes.md).\n"]
    for group in GROUPS:
        lines.append(f"\n## {group}\n\n")
        lines.append(table(("command", ""), [(f"[{name}](#{name})", one.summary) for name, one in COMMANDS.items() if one.group == group]))
    for name in COMMANDS:
        parser = parser_of(name)
        lines.append(f"\n### {name}\n\n{(parser.description or '').strip()}\n\n{code(_usage(name, parser))}\n\n")
        lines.append(table(("argument", "", "default"), _rows(parser)))
    return "".join(lines)


def _usage(name: str, parser: argparse.ArgumentParser) -> str:
    """One line; argparse's own differs between versions of Python."""
    words = [f"isthmus {name}"]
    for action in parser._actions:  # noqa: SLF001 - argparse offers no other way to list arguments
        if not action.option_strings:
            shown = _name(action)
            words.append(shown if action.required else f"[{shown}]")
        elif action.required:
            words.append(_name(action))
    return " ".join([*words, "[OPTIONS]"])


def _rows(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, str]]:
    for action in parser._actions:  # noqa: SLF001 - as above
        if action.dest != "help":
            yield code(_name(action)), _help(action), _default(action)


def _name(action: argparse.Action) -> str:
    value = (
        action.metavar
        if isinstance(action.metavar, str)
        else ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest)
    )
    if not action.option_strings:
        return f"{value}…" if action.nargs in ("*", "+") else value
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {value}"


def _help(action: argparse.Action) -> str:
    return (action.help or "").split(" (default")[0]


def _default(action: argparse.Action) -> str:
    words = (action.help or "").partition("(default: ")[2].rpartition(")")[0]
    return str(action.default) if words.startswith("%(default)") else words
