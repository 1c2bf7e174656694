"""docs/reference/counters.md: what the engine tells about itself."""

from __future__ import annotations

import re

from isthmus.app.reference.docstrings import doc
from isthmus.app.reference.markdown import code, table
from isthmus.engine import telemetry
from isthmus.engine.telemetry import Notice
from isthmus.journals import port

_INTRO = """# Notices and counters

Each thing that happens is one typed notice; it knows its log line and its counters, and no metric is counted anywhere else. No notice
holds anything of a message but ids of our own.

"""


def page() -> str:
    notices = [one for one in vars(telemetry).values() if isinstance(one, type) and issubclass(one, Notice) and one is not Notice]
    rows = [
        (code(_noun(one)), one.level, _counted(one), ", ".join(map(code, one.labels)), code(one.text), _meaning(one)) for one in notices
    ]
    parts = [_INTRO, table(("notice", "level", "counters", "labels", "log line", ""), rows)]
    parts.append("\n## Counters in the journal\n\nKept in the transaction of what they count; `isthmus balance` adds them up.\n\n")
    parts.append(doc(port.Tally) + "\n")
    return "".join(parts)


def _noun(notice: type[Notice]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", notice.__name__).lower()


def _counted(notice: type[Notice]) -> str:
    noun = _noun(notice)
    return ", ".join(code(f"{noun}_{name}") for name in notice.counts) or code(noun)


def _meaning(notice: type[Notice]) -> str:
    """A notice without a text of its own inherits its parent's docstring, which says nothing about it."""
    return doc(notice) if notice.__doc__ else ""
