"""MLLP framing: whatever the packets, the same frames; what is none is told with its bytes."""

from __future__ import annotations

import pytest

from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2.mllp import Decoder, Frame, Noise, frame

A = b"MSH|^~\\&|A\rPID|1\r"
B = b"MSH|^~\\&|B\rPID|2\r"


def decode(data: bytes, *, packet: int = 0, limit: int = 1 << 20) -> list[Frame | Noise]:
    decoder = Decoder(limit)
    packets = [data[i : i + packet] for i in range(0, len(data), packet)] if packet else [data]
    return [event for one in packets for event in decoder.feed(one)] + decoder.close()


CASES: list[tuple[bytes, list[Frame | Noise]]] = [
    (frame(A), [Frame(A)]),
    (frame(A) + frame(B), [Frame(A), Frame(B)]),
    (b"\r\n" + frame(A) + b"\r\n \x00" + frame(B) + b"\n", [Frame(A), Frame(B)]),
    (b"\x0b" + A + b"\x1c\x0b" + B + b"\x1c", [Frame(A), Frame(B)]),
    (b"\x0b" + A + b"\x1c\n\x0b" + B + b"\x1c\r\n", [Frame(A), Frame(B)]),
    (A + b"\x1c\r" + frame(B), [Frame(A, "no-start"), Frame(B)]),
    (b"\x0b" + A + frame(B), [Noise("no-end", A, len(A)), Frame(B)]),
    (b"\x0b" + A, [Noise("no-end", A, len(A))]),
    (A, [Noise("unframed", A, len(A))]),
    (A + frame(B), [Noise("unframed", A, len(A)), Frame(B)]),
    (b"GET / HTTP/1.1\r\n\r\n", [Noise("between-frames", b"GET / HTTP/1.1\r\n\r\n", 18)]),
    (b"junk" + frame(A) + b"more", [Noise("between-frames", b"junk", 4), Frame(A), Noise("between-frames", b"more", 4)]),
    (b"junk\x1c\r" + frame(A), [Noise("between-frames", b"junk", 4), Frame(A)]),
    (b"\x0b\x1c\r", [Frame(b"")]),
    (b"\x1c\r\x1c\r" + frame(A), [Frame(A)]),
    (b"\x0b\x0b" + A + b"\x1c\r", [Noise("no-end", b"", 0), Frame(A)]),
    (b"", []),
]


@pytest.mark.parametrize("packet", [0, 1, 2, 7])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_same_frames_in_any_packets(case: int, packet: int) -> None:
    data, events = CASES[case]
    assert decode(data, packet=packet) == events


@pytest.mark.parametrize("packet", [0, 1, 5])
def test_what_is_too_large_is_told_once_with_its_beginning(packet: int) -> None:
    data = frame(A) + frame(b"MSH|" + b"x" * 100) + frame(B)
    assert decode(data, packet=packet, limit=20) == [Frame(A), Noise("too-large", b"MSH|" + b"x" * 16, 104), Frame(B)]


def test_what_is_too_large_takes_no_memory() -> None:
    decoder = Decoder(limit=1000)
    assert decoder.feed(b"\x0bMSH|") == []
    for _ in range(1000):
        assert decoder.feed(b"x" * 1000) == []
    assert decoder.pending == 1_000_004
    assert sum(len(chunk) for chunk in decoder._chunks) == 1000
    (noise,) = decoder.feed(b"\x1c")
    assert isinstance(noise, Noise)
    assert (noise.reason, noise.size, len(noise.data)) == ("too-large", 1_000_004, 1000)
    assert decoder.feed(frame(A)) == [Frame(A)]


def test_exactly_the_limit_is_taken() -> None:
    assert decode(frame(A), limit=len(A)) == [Frame(A)]
    assert decode(frame(A), limit=len(A) - 1) == [Noise("too-large", A[:-1], len(A))]


def test_a_message_is_there_with_its_fs_and_not_a_packet_later() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x0b" + A) == []
    assert decoder.pending == len(A)
    assert decoder.feed(b"\x1c") == [Frame(A)]
    assert decoder.pending == 0
    assert decoder.feed(b"\r" + frame(B)) == [Frame(B)]


def test_a_decoder_is_usable_after_close() -> None:
    decoder = Decoder()
    decoder.feed(b"\x0b" + A)
    assert decoder.close() == [Noise("no-end", A, len(A))]
    assert decoder.close() == []
    assert decoder.feed(frame(B)) == [Frame(B)]


@pytest.mark.parametrize("body", [b"a\x0bb", b"a\x1cb"])
def test_a_body_that_would_break_its_frame_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid, match="escape them"):
        frame(body)
