"""docs/reference/exit-codes.md: what the exit code of a command says."""

from __future__ import annotations

from isthmus.app.exits import Exit
from isthmus.app.reference.markdown import table


def page() -> str:
    rows = [(str(int(one)), one.name.lower(), one.meaning) for one in Exit]
    return "# Exit codes\n\nThe same for every command; `--help` of a command says what its 1 means.\n\n" + table(
        ("code", "name", "meaning"), rows
    )
