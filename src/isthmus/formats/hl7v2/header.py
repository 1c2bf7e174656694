"""Header: the four fields of MSH that the receiver reads before it keeps a message; about a microsecond."""

from __future__ import annotations

from functools import lru_cache

from isthmus.core.contract import Header
from isthmus.formats.hl7v2.document import Hl7
from isthmus.formats.hl7v2.kind import kind


def read_header(body: bytes) -> Header:
    """Kind, sender (``APPLICATION|FACILITY``) and control id; raises ``Invalid`` where there is no MSH."""
    end = body.find(b"\r")
    if end > 0 and body.startswith(b"MSH|^~\\&|"):
        line = body[:end]
        if line.isascii() and b"\n" not in line:
            fields = line.decode("ascii").split("|", 10)
            if len(fields) > 9:  # noqa: PLR2004 - MSH-10 is there
                application, facility, control_id = _plain(fields[2]), _plain(fields[3]), _plain(fields[9])
                what = _kind(fields[8])
                if what and application is not None and facility is not None and control_id is not None:
                    return Header(what, f"{application}|{facility}", control_id)
    return _carefully(body)


def _plain(field: str) -> str | None:
    """The first component of a field in which nothing has to be read with care."""
    if "^" in field:
        field = field.partition("^")[0] or "~"
    return None if "\\" in field or "~" in field or "&" in field or '"' in field else field.rstrip(" ")


@lru_cache(maxsize=1024)
def _kind(msh9: str) -> str:
    """Empty where MSH-9 alone does not tell, or has to be read with care."""
    parts = msh9.split("^")
    return kind(parts[0], parts[1], "") if len(parts) > 1 and parts[1] and not set(msh9) & set('\\~&"') else ""


def _carefully(body: bytes) -> Header:
    message = Hl7(body)
    sender = "|".join(message[f"{field}.1"] or message[f"{field}.2"] for field in ("MSH-3", "MSH-4"))
    return Header(kind=message.kind, sender=sender, control_id=message.control_id)
