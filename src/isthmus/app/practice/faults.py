"""Faults on request: a disturbed stream from a clean one, the same from the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

from msgspec import Struct, structs

from isthmus.app.practice.speech import Utterance


class Faults(Struct, frozen=True, kw_only=True):
    """Shares between 0 and 1 of the messages that each fault befalls."""

    duplicate: float = 0.0
    """Sent twice, byte for byte, the second time some messages later."""
    malformed: float = 0.0
    """Cut short, without its type, without its control id, without its patient, or rubbish."""
    out_of_order: float = 0.0
    """Held back behind the next few messages."""
    dropped: float = 0.0
    """The connection breaks after the bytes have left and before the answer is read; the sender sends again."""
    late: float = 0.0
    """Of what the systems around are sent: they take half a second before they answer."""
    unheard: float = 0.0
    """Of what the systems around are sent: they act, and the connection breaks before their answer."""


MORNING = Faults(duplicate=0.01, malformed=0.005, out_of_order=0.005, dropped=0.002, late=0.01, unheard=0.001)
"""What an ordinary morning brings."""
BAD_DAY = Faults(duplicate=0.1, malformed=0.05, out_of_order=0.05, dropped=0.05, late=0.05, unheard=0.02)
"""What nobody wants to live through, and everything must."""
_HELD = 5


def disturb(utterances: Iterable[Utterance], faults: Faults, rng: Random) -> Iterator[Utterance]:
    """The stream with its faults; ``dropped`` is the player's business, ``late`` and ``unheard`` that of the systems around."""
    held: list[tuple[int, Utterance]] = []
    for number, original in enumerate(utterances):
        due = [one for when, one in held if when <= number]
        held = [(when, one) for when, one in held if when > number]
        yield from due
        utterance = original
        if rng.random() < faults.malformed and utterance.system != "supply":
            utterance = structs.replace(utterance, body=_spoil(utterance.body, rng), kind="malformed")
        if rng.random() < faults.duplicate:
            held.append((number + rng.randrange(1, _HELD), utterance))
        if rng.random() < faults.out_of_order:
            held.append((number + rng.randrange(1, _HELD), utterance))
        else:
            yield utterance
    yield from (one for _, one in held)


def _spoil(body: bytes, rng: Random) -> bytes:
    segments = body.split(b"\r")
    header = segments[0].split(b"|")
    match rng.randrange(5):
        case 0:
            return body[: rng.randrange(1, len(segments[0]))]
        case 1:
            header[8] = b""
        case 2:
            header[9] = b""
        case 3:
            return b"\r".join(one for one in segments if not one.startswith(b"PID"))
        case _:
            return b"EHLO " + bytes(rng.randrange(32, 127) for _ in range(40))
    return b"\r".join([b"|".join(header), *segments[1:]])
