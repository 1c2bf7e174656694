"""A file taken apart while it is read is taken apart as the whole."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.formats.hl7v2 import BatchStream, split
from isthmus.formats.hl7v2 import batch_stream as module

_LINE = st.sampled_from([
    b"MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5", b"PID|||1", b"FHS|^~\\&|A", b"BHS|^~\\&|A", b"BTS|1", b"BTS|2", b"FTS|1", b"prose", b"", b"# note",
    b"NTE|1||word MSH|^~\\&| within", b"\x0bMSH|^~\\&|C|D\rPV1|1\x1c", b"\x1c", b"MSH",
])  # fmt: skip


@given(
    lines=st.lists(st.tuples(_LINE, st.sampled_from([b"\r", b"\n", b"\r\n"])), max_size=25),
    pieces=st.lists(st.integers(1, 60), max_size=12),
    size=st.integers(1, 120),
    lead=st.sampled_from([b"", b"\xef\xbb\xbf", b"\n\n"]),
)
def test_the_stream_says_what_the_whole_says(lines: list[tuple[bytes, bytes]], pieces: list[int], size: int, lead: bytes) -> None:
    data = lead + b"".join(line + end for line, end in lines)
    whole = split(data)
    with mock.patch.object(module, "_PIECE", size):
        stream, at = BatchStream(), 0
        found: list[bytes] = []
        for piece in pieces:
            found += stream.feed(data[at : at + piece])
            at += piece
        found += stream.feed(data[at:])
        found += stream.close()
    assert found == list(whole.messages)
    assert stream.violations == whole.violations
    assert stream.messages == len(found)


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-32"])
def test_wide_files_are_gathered(codec: str) -> None:
    data = "MSH|^~\\&|A\rPID|1\rMSH|^~\\&|B\r".encode(codec)
    stream = BatchStream()
    with mock.patch.object(module, "_PIECE", 4):
        assert stream.feed(data[:20]) == stream.feed(data[20:]) == []
        assert stream.close() == list(split(data).messages)


def test_memory_is_that_of_a_piece() -> None:
    message = b"MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.5\rPID|||1\rNTE|1||" + b"x" * 1000 + b"\r"
    stream = BatchStream()
    count = 0
    for _ in range(5000):
        count += len(stream.feed(message))
        assert len(stream._gathered) < (1 << 20) + 2 * len(message)
    assert count + len(stream.close()) == 5000
    assert stream.violations == ()
