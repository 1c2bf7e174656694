"""Large bodies are sealed in chunks, so that a part of one can be read alone and nobody needs several copies of it in memory.

A body up to ``CHUNK`` bytes is sealed whole, for its place alone. A longer one is cut into chunks of ``CHUNK`` bytes (the last one
shorter); each is sealed for ``place · chunk NUMBER of TOTAL``. The total follows from the size that the store keeps beside the body,
so a chunk that was moved, left out, or taken from a body of another length does not open. Every adapter seals like this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO

from isthmus.core.failure import Rejected
from isthmus.journals.sealing.keyring import Keyring

CHUNK = 1 << 20


def chunks(size: int) -> int:
    """How many chunks a body of so many bytes has; 0 where it is sealed whole."""
    return -(-size // CHUNK) if size > CHUNK else 0


def seal_chunks(keyring: Keyring, body: bytes, aad: bytes) -> Iterator[bytes]:
    """The chunks of a long body in order, each made when it is asked for."""
    total = chunks(len(body))
    for number in range(total):
        yield keyring.seal(body[number * CHUNK : (number + 1) * CHUNK], _aad(aad, number, total))


def open_chunks(keyring: Keyring, sealed: Iterable[bytes], size: int, aad: bytes) -> bytes:
    """The whole body again; raises ``Rejected`` (``sealed-damaged``) where a chunk is missing or not the one that belongs there."""
    return _joined(keyring, sealed, range(chunks(size)), size, aad)


def chunks_for(size: int, start: int, length: int) -> range:
    """Numbers of the chunks that hold ``length`` bytes from ``start`` on; ``start`` and ``length`` are not negative."""
    end = min(size, start + length)
    return range(start // CHUNK, -(-end // CHUNK)) if start < end else range(0)


def open_piece(keyring: Keyring, sealed: Iterable[bytes], size: int, aad: bytes, *, start: int, length: int) -> bytes:
    """``length`` bytes from ``start`` on; ``sealed`` are the chunks that :func:`chunks_for` names, in order."""
    wanted = chunks_for(size, start, length)
    first = start - wanted.start * CHUNK
    return _joined(keyring, sealed, wanted, size, aad)[first : first + length]


def _joined(keyring: Keyring, sealed: Iterable[bytes], numbers: range, size: int, aad: bytes) -> bytes:
    total, found = chunks(size), iter(sealed)
    whole = BytesIO()  # hands out its buffer without a copy
    for number in numbers:
        chunk = next(found, None)
        if chunk is None:
            raise Rejected(
                "sealed-damaged", f"chunk {number} of {total} of a large body is missing: the store was damaged or changed by hand"
            )
        whole.write(keyring.open(chunk, _aad(aad, number, total)))
    return whole.getvalue()


def _aad(aad: bytes, number: int, total: int) -> bytes:
    return b"%b chunk %d of %d" % (aad, number, total)
