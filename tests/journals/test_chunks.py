"""Bodies sealed in chunks: whole again, readable in parts, and not to be reordered, cut or mixed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.core.failure import Rejected
from isthmus.journals.sealing import Keyring
from isthmus.journals.sealing.chunks import CHUNK, chunks, chunks_for, open_chunks, open_piece, seal_chunks

RING = Keyring.ephemeral()
BODY = bytes(range(256)) * (CHUNK // 256 * 3) + b"the end"
SEALED = list(seal_chunks(RING, BODY, b"message 1"))


def test_a_body_of_one_chunk_is_sealed_whole() -> None:
    assert (chunks(0), chunks(CHUNK), chunks(CHUNK + 1), chunks(len(BODY))) == (0, 0, 2, 4)
    assert list(seal_chunks(RING, b"x" * CHUNK, b"message 1")) == []


def test_chunks_make_the_whole_again() -> None:
    assert len(SEALED) == 4
    assert open_chunks(RING, SEALED, len(BODY), b"message 1") == BODY


@settings(max_examples=30, deadline=None)
@given(st.integers(0, len(BODY) + 5), st.integers(0, len(BODY) + 5))
def test_any_piece_is_read_from_its_chunks_alone(start: int, length: int) -> None:
    numbers = chunks_for(len(BODY), start, length)
    assert len(numbers) <= length // CHUNK + 2
    held = [SEALED[number] for number in numbers]
    assert open_piece(RING, held, len(BODY), b"message 1", start=start, length=length) == BODY[start : start + length]


@pytest.mark.parametrize(
    "damaged",
    [SEALED[:-1], [SEALED[1], SEALED[0], *SEALED[2:]], [*SEALED[:-1], SEALED[0]], [], [b"", *SEALED[1:]]],
    ids=["cut", "reordered", "repeated", "gone", "emptied"],
)
def test_what_is_not_the_whole_in_order_does_not_open(damaged: list[bytes]) -> None:
    with pytest.raises(Rejected):
        open_chunks(RING, damaged, len(BODY), b"message 1")


def test_chunks_of_another_body_or_length_do_not_open() -> None:
    with pytest.raises(Rejected, match="sealed-damaged"):
        open_chunks(RING, SEALED, len(BODY), b"message 2")
    with pytest.raises(Rejected, match="sealed-damaged"):
        open_chunks(RING, SEALED[:3], 3 * CHUNK, b"message 1")  # the size was changed together with the chunks
