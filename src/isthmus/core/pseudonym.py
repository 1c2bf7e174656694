"""Pseudonym: a stable reference that stands for an identifier where the identifier itself must not go.

No patient's identifier reaches the administration's systems; they hold a pseudonym, and whoever has the site's keys can make
the same one again from the identifier. Nobody can go back from it without the keys.
"""

from __future__ import annotations

from isthmus.core.lookup import Lookup

ENDPOINT = "isthmus"
"""The endpoint of questions that the engine answers itself, in process."""

NAME = "pseudonym"


def pseudonym(kind: str, value: str) -> Lookup[str]:
    """The keyed, stable reference for an identifier, as in ``patient = await pseudonym("patient", event.patient)``.

    The same kind and value give the same reference on every replay and for every consumer; different kinds never meet. It is
    short, of letters and digits only, and fit to be shown to people, stored in the target and searched for there.
    """
    return Lookup(endpoint=ENDPOINT, name=NAME, answer=str, args=(kind, value))
