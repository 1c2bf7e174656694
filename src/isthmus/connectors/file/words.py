"""What an interface may say to a folder that another system reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.core.delivery import Delivery
from isthmus.core.endpoint import Endpoint
from isthmus.core.failure import Bug

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=+@-]{0,199}\Z")
_DROP = "drop "


class Folder(Endpoint):
    """``Folder("archive")``: files appear in it whole or not at all.

    A file's name is seen by everybody who may list the folder, and by logs: it must hold nothing of a patient.
    """

    kind = "file"

    def drop(
        self,
        name: str,
        body: Struct | Mapping[str, Any] | bytes,
        *,
        key: str,
        ordering_key: str = "",
        content_type: str = "application/json",
    ) -> Delivery:
        """A file of this name with this content. One of the same name and content is left as it is; other content is refused."""
        if not _NAME.match(name):
            raise Bug(
                "file-name", f"a file for {self.name} needs a name of letters, digits and _.,=+@- that does not begin with a dot (≤ 200)"
            )
        return Delivery(
            endpoint=self.name,
            operation=_DROP + name,
            key=key,
            body=body if isinstance(body, bytes) else msgspec.json.encode(body, order="deterministic"),
            ordering_key=ordering_key,
            content_type=content_type,
        )


def file_name(operation: str) -> str:
    """The name in ``drop <name>``, checked again: what comes from a journal never leaves the folder."""
    name = operation.removeprefix(_DROP)
    if not operation.startswith(_DROP) or not _NAME.match(name):
        raise Bug("operation", "a file delivery's operation is `drop <name>`: build it by its words")
    return name
