"""Secret: the type of a setting that configuration takes from the environment or a file, never as text."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Secret = Annotated[str, Meta(extra={"secret": True})]
"""Already resolved when a connector sees it. A settings struct that holds one hides it from its own ``repr``."""
