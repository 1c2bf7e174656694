"""Events between cells: CloudEvents 1.0 as JSON, whatever broker carries them."""

from __future__ import annotations

from isthmus.formats.cloudevents.exchange import MEDIA_TYPE, Exchange, draft, kind_of, numbered

__all__ = ["MEDIA_TYPE", "Exchange", "draft", "kind_of", "numbered"]
