"""Where rows end: the same whatever the pieces, and one bad quote never costs more than its line."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.formats.rows.cutter import Cutter, RawRow


def _cut(data: bytes, pieces: list[int] | None = None, *, max_row: int = 10_000, quoted: bool = True) -> list[RawRow]:
    cutter = Cutter(delimiter=b",", quoted=quoted, max_row=max_row)
    rows, at = [], 0
    for size in pieces or []:
        rows += cutter.feed(data[at : at + size])
        at += size
    rows += cutter.feed(data[at:])
    return rows + cutter.close()


_CELL = st.text(alphabet='ab",\n\r é;', max_size=8)


@given(
    table=st.lists(st.lists(_CELL, min_size=2, max_size=4), min_size=1, max_size=8),
    pieces=st.lists(st.integers(1, 20), max_size=10),
    end=st.sampled_from(["\r\n", "\n"]),
)
def test_what_a_csv_writer_wrote_is_cut_into_its_rows(table: list[list[str]], pieces: list[int], end: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    data = written.getvalue().encode()
    rows = _cut(data, pieces)
    assert b"".join(row.raw for row in rows) == data
    assert [next(csv.reader((row.raw.decode().removesuffix(end),), strict=True)) for row in rows] == table
    for row in rows:
        before = data[: data.index(row.raw)] if data.count(row.raw) == 1 else None
        assert before is None or row.line == len((before + b"x").splitlines())


@given(data=st.text(alphabet='a",\n\r b', max_size=120), pieces=st.lists(st.integers(1, 30), max_size=10), max_row=st.integers(5, 40))
def test_the_pieces_make_no_difference_and_nothing_but_the_ends_of_lines_that_are_too_long_is_left_out(
    data: str, pieces: list[int], max_row: int
) -> None:
    raw = data.encode()
    rows = _cut(raw, pieces, max_row=max_row)
    assert rows == _cut(raw, max_row=max_row)
    assert all(len(row.bare) <= max_row for row in rows)
    if all(len(line) < max_row for line in raw.splitlines(keepends=True)):
        assert b"".join(row.raw for row in rows) + raw[len(b"".join(row.raw for row in rows)) :] == raw
        assert not raw[len(b"".join(row.raw for row in rows)) :].strip(b" \r\n")


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b'1,"a\nb",2\n3\n', [(1, b'1,"a\nb",2\n'), (3, b"3\n")]),
        (b'1,5" pipe,2\n3\n', [(1, b'1,5" pipe,2\n'), (2, b"3\n")]),  # an inch mark in the middle of a field opens nothing
        (b'1,"say ""no""",2\n', [(1, b'1,"say ""no""",2\n')]),
        (b"a\r\n\r\n\nb", [(1, b"a\r\n"), (4, b"\r\n\nb")]),
        (b'1,"open,2\n2,b\n3,c\n', [(1, b'1,"open,2\n'), (2, b"2,b\n"), (3, b"3,c\n")]),
        (b'1,"open,2\n2,"b",3\n', [(1, b'1,"open,2\n'), (2, b'2,"b",3\n')]),  # what closes it is another field's
        (b"a\rb\rc", [(1, b"a\r"), (2, b"b\r"), (3, b"c")]),
        (b"\n \n", []),
        (b"", []),
    ],
)  # fmt: skip
def test_rows(data: bytes, rows: list[tuple[int, bytes]]) -> None:
    assert _cut(data) == rows


def test_a_quote_that_is_never_closed_costs_its_own_line_and_no_memory() -> None:
    cutter = Cutter(delimiter=b",", quoted=True, max_row=1000)
    rows = cutter.feed(b'1,"open\n')
    for number in range(2, 5000):
        rows += cutter.feed(b"%d,x\n" % number)
        assert sum(map(len, cutter._open)) <= 1000
    rows += cutter.close()
    assert [row.line for row in rows] == list(range(1, 5000))


def test_a_line_without_end_costs_no_memory() -> None:
    cutter = Cutter(delimiter=b",", quoted=True, max_row=1000)
    rows = [row for _ in range(1000) for row in cutter.feed(b"x" * 999)]
    rows += cutter.feed(b"\nnext\n")
    assert [(row.line, len(row.raw)) for row in rows] == [(1, 1000), (2, 5)]


def test_without_quoting_quotes_are_text() -> None:
    assert [row.raw for row in _cut(b'"a\nb"\n', quoted=False)] == [b'"a\n', b'b"\n']
