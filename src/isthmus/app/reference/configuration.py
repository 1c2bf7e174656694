"""docs/reference/configuration.md: every key of isthmus.toml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo

from isthmus.app.config.fill import describe, is_secret, struct_in
from isthmus.app.config.load import JOURNALS
from isthmus.app.config.model import SiteSettings
from isthmus.app.kinds import KINDS
from isthmus.app.reference.docstrings import doc, field_docs
from isthmus.app.reference.markdown import code, table

_INTRO = """# Configuration

`isthmus.toml` in the site's folder says where things are and how large they may be; what an interface means is code.
`isthmus check` tells everything that is wrong with it at once.

- **Secrets** are written `{env = "NAME"}` or `{file = "path"}`, never as text; a file must not be readable by everybody.
- **The environment** overrides the file: `ISTHMUS__ENDPOINTS__ODOO__URL` is `[endpoints.odoo] url` (case does not matter, `-` is written `_`).
- **Relative paths** begin in the data folder (`[site] data`, or `--data`); certificates and secret files in the site's folder.
- Retries, back-off, time-outs, retention and backlog are not configured: they follow from each interface's classification, see
  [policy.md](policy.md).
"""


def page() -> str:
    parts = [_INTRO, _section("[site]", SiteSettings)]
    parts += [_section(f'[journal] kind = "{kind}"', settings) for kind, settings in JOURNALS.items()]
    for role, kinds in KINDS.items():
        parts += [_section(f'[{role}.<name>] kind = "{kind}"', one.load_settings()) for kind, one in kinds.items()]
    return "".join(parts)


def settings() -> Iterator[tuple[str, type[Struct]]]:
    """Every settings struct with the section it belongs to; for the test that all are documented."""
    yield "site", SiteSettings
    yield from JOURNALS.items()
    for role, kinds in KINDS.items():
        for kind, one in kinds.items():
            yield f"{role} {kind}", one.load_settings()


def _section(title: str, struct: type[Struct]) -> str:
    return f"\n## {code(title)}\n\n{_text(doc(struct))}\n\n{table(('key', 'takes', 'default', ''), _rows(struct, ''))}"


def _rows(struct: type[Struct], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    texts = field_docs(struct)
    for field in msgspec.structs.fields(struct):
        nested = struct_in(field.type)
        takes = "a secret" if is_secret(field) else describe(field.type)
        yield code(prefix + field.encode_name), takes, _default(field), texts.get(field.name, "")
        if nested is not None:
            yield from _rows(nested, f"{prefix}{field.encode_name}.")


def _default(field: FieldInfo) -> str:
    if field.default is NODEFAULT:
        return "**required**" if field.default_factory is NODEFAULT else ""
    value = field.default
    if value is None or value in ("", Path()):
        return ""
    return code(str(value).lower() if isinstance(value, bool) else str(value))


def _text(text: str) -> str:
    """The docstring's first line repeats the section's title in this project; what follows it is the text."""
    rest = text.partition(":")[2].strip() if text.startswith("`[") else text
    return rest[:1].upper() + rest[1:]
