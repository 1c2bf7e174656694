"""JSON documents as messages: a format for what systems without a standard of their own send, and contracts by typed structs."""

from __future__ import annotations

from isthmus.formats.jsondoc.contract import Contract
from isthmus.formats.jsondoc.document import Json, JsonDocument

__all__ = ["Contract", "Json", "JsonDocument"]
