"""What it means for a delivery when a request ends without an answer. Texts of exceptions stay out: they hold addresses and bytes."""

from __future__ import annotations

from isthmus.core.outcome import Retry, Unknown


class Failed(Exception):
    """A request without an answer."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class NoConnection(Failed):
    """Nothing of the request has left, so it certainly had no effect."""


class Unanswered(Failed):
    """Something of it has left, and nobody knows what became of it."""


def no_trust(error: Failed) -> bool:
    """Whether the two sides do not accept each other's certificates."""
    return error.code == "tls"


def unanswered(error: Failed, name: str) -> Retry | Unknown:
    """The outcome of a delivery; ``name``: the endpoint's."""
    if isinstance(error, Unanswered):
        return Unknown(error.code, error.detail)
    if no_trust(error):
        return Retry("tls", f"no trust between us and {name}: compare endpoints.{name}.tls with its certificate")
    return Retry(error.code, f"{name}: {error.detail}")
