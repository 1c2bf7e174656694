"""Relative paths get their beginning: what a site reads lies in its folder, what it writes or watches in its data folder."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from isthmus.connectors.tls import Tls

S = TypeVar("S", bound=Struct)


def anchored(settings: S, data: Path, folder: Path) -> S:
    """The same settings with absolute paths. Certificates are read from the site's folder, all else is under the data folder."""
    base = folder if isinstance(settings, Tls) else data
    changed: dict[str, object] = {}
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if isinstance(value, Path):
            changed[name] = base / value.expanduser()
        elif isinstance(value, Struct):
            changed[name] = anchored(value, data, folder)
    return msgspec.structs.replace(settings, **changed) if changed else settings
