"""Files of rows: parts, contracts, manifests."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core import Bug, Invalid, Rejected, Violation
from isthmus.core.contract import Contract as ContractPort
from isthmus.formats.rows import Contract, Manifest, Row, RowFile, Rows, RowsFormat, Trailer, column
from isthmus.formats.rows.declared import Declared
from isthmus.formats.rows.manifest import MOST_REFUSALS, Accounts
from isthmus.formats.rows.stream import Piece, Stream, singles

PRICES = Contract(
    "price-list",
    column("sku", required=True, length=8),
    column("name"),
    column("price", "decimal", required=True, least=0),
    column("currency", codes=("CHF", "EUR")),
    column("from", "date", pattern="%d.%m.%Y"),
    identifiers={"item": "sku"},
)
FILE = RowFile(kind="price-list", delimiter=";", decimal=",", totals=("price",))
HEAD = "sku;name;price;currency;from\n"
GOOD = '4711;"Gloves; nitrile";12,50;CHF;01.03.2026\n'


def _stream(data: bytes, file: RowFile = FILE, piece: int = 7) -> tuple[list[Piece], Stream]:
    stream = Stream(file, hashlib.sha256(data).hexdigest())
    pieces = [one for at in range(0, len(data), piece) for one in stream.feed(data[at : at + piece])]
    return pieces + stream.close(), stream


def _rows(pieces: list[Piece]) -> list[Row]:
    return [row for piece in pieces for row in Rows(piece.body)]


def _manifest(stream: Stream, accounts: Accounts, sidecar: Declared | None = None) -> Manifest:
    return Rows(stream.manifest(accounts, sidecar).body).manifest


def _account(pieces: list[Piece], contract: Contract = PRICES, totals: tuple[str, ...] = ("price",)) -> Accounts:
    accounts = Accounts(totals)
    for piece in pieces:
        label, violations = piece.part.label, contract.check(Rows(piece.body))
        if violations:
            accounts.refuse(label.row, label.rows, label.line, violations)
        else:
            accounts.take(label.rows, piece.sums)
    return accounts


def test_a_row_becomes_a_message_that_holds_its_own_bytes_and_its_place() -> None:
    data = b"\xef\xbb\xbf" + (HEAD + "\n" + GOOD + '1;"two\nlines";1;EUR;\n').encode()
    pieces, stream = _stream(data)
    first, second = _rows(pieces)
    assert (first.number, first.line, first.raw.decode()) == (1, 3, GOOD)
    assert (second.number, second.line, second["name"]) == (2, 4, "two\nlines")
    assert (first["name"], first.number_at("price"), str(first.date("from", "%d.%m.%Y"))) == (
        "Gloves; nitrile",
        Decimal("12.50"),
        "2026-03-01",
    )
    assert second.date("from", default=None) is None
    assert (stream.rows, stream.lines, stream.totals) == (2, (3, 4), {"price": Decimal("13.50")})
    body = pieces[0].body
    header = RowsFormat().header(body)
    assert (header.kind, header.control_id) == ("price-list", f"{hashlib.sha256(data).hexdigest()[:16]}/1")
    assert PRICES.format.identifiers(Rows(body)) == (("file", hashlib.sha256(data).hexdigest()), ("item", "4711"))
    as_port: ContractPort[Rows] = PRICES
    assert as_port.kinds == ("price-list", "price-list.manifest")


def test_equal_rows_of_one_file_are_two_messages_and_the_same_file_gives_the_same_ones() -> None:
    data = (HEAD + GOOD + GOOD).encode()
    one, other = (piece.body for piece in _stream(data)[0])
    assert one != other
    assert [piece.body for piece in _stream(data, piece=1000)[0]] == [one, other]
    assert one not in [piece.body for piece in _stream(data + GOOD.encode())[0]]


@given(count=st.integers(0, 30), per=st.integers(1, 7), piece=st.integers(1, 60))
def test_parts_of_several_rows_hold_all_rows_in_order(count: int, per: int, piece: int) -> None:
    lines = [f'{n};"a{chr(10) if n % 3 == 0 else ""}b";{n},5;CHF;\n' for n in range(count)]
    pieces, stream = _stream((HEAD + "".join(lines)).encode(), msgspec.structs.replace(FILE, rows_per_message=per), piece)
    rows = _rows(pieces)
    assert [row["sku"] for row in rows] == [str(n) for n in range(count)]
    assert [row.number for row in rows] == list(range(1, count + 1))
    assert [row.line for row in rows] == [2 + n + (n + 2) // 3 for n in range(count)]
    assert all(one.part.label.rows == per for one in pieces[:-1])
    assert sum((one.sums[0] for one in pieces), Decimal(0)) == stream.totals["price"]
    for one in pieces:
        alone = singles(one, FILE)
        assert [(row.number, row.line, row.raw) for row in _rows(alone)] == [
            (row.number, row.line, row.raw.lstrip()) for row in Rows(one.body)
        ]
        assert sum((each.sums[0] for each in alone), Decimal(0)) == one.sums[0]


def test_rows_of_one_order_are_one_message() -> None:
    data = (HEAD + "A;1;1;CHF;\nA;2;1;CHF;\nB;3;1;CHF;\nA;4;1;CHF;\n").encode()
    pieces, _ = _stream(data, msgspec.structs.replace(FILE, group_by="sku"))
    assert [[row["name"] for row in Rows(one.body)] for one in pieces] == [["1", "2"], ["3"], ["4"]]


@pytest.mark.parametrize(
    ("row", "where", "rule"),
    [
        (";x;1;CHF;", "line 2, sku", "required"),
        ("123456789;x;1;CHF;", "line 2, sku", "length"),
        ("1;x;1.50;CHF;", "line 2, price", "type"),
        ("1;x;1e5;CHF;", "line 2, price", "type"),
        ("1;x;-1;CHF;", "line 2, price", "range"),
        ("1;x;1;USD;", "line 2, currency", "code-set"),
        ("1;x;1;CHF;2026-03-01", "line 2, from", "type"),
        ("1;x;1", "line 2", "columns"),
        ("1;x;1;CHF;;", "line 2", "columns"),
        ('1;"x"y;1;CHF;', "line 2", "quoting"),
        ('1;"x;1;CHF;', "line 2", "quoting"),
    ],
)  # fmt: skip
def test_a_bad_row_is_told_with_its_line_its_column_and_a_cure(row: str, where: str, rule: str) -> None:
    pieces, _ = _stream((HEAD + row + "\n" + GOOD).encode())
    bad, good = (PRICES.check(Rows(one.body)) for one in pieces)
    assert [(one.where, one.rule) for one in bad] == [(where, rule)]
    assert bad[0].cure
    assert good == ()
    assert Rows(pieces[0].body).part.raw.decode() == row + "\n"


def test_bytes_of_another_charset_are_a_bad_row() -> None:
    pieces, _ = _stream(HEAD.encode() + "1;Größe;1;CHF;\n".encode("cp1252") + GOOD.encode())
    assert [one.rule for piece in pieces for one in PRICES.check(Rows(piece.body))] == ["charset"]
    pieces, _ = _stream(HEAD.encode() + "1;Größe;1;CHF;\n".encode("cp1252"), msgspec.structs.replace(FILE, charset="cp1252"))
    assert _rows(pieces)[0]["name"] == "Größe"


@pytest.mark.parametrize(("head", "cure"), [("sku;name\n", "price"), ("sku;sku;price\n", "once"), ('sku;"na"me;price\n', "quote")])
def test_a_header_that_will_not_do_is_known_before_any_row(head: str, cure: str) -> None:
    _, stream = _stream((head + "1;2;3\n").encode())
    told = PRICES.check(Rows(stream.header().body))
    assert [one.where for one in told] == ["header"]
    assert cure in told[0].cure


def test_a_file_without_header_is_named_by_the_settings() -> None:
    file = msgspec.structs.replace(FILE, header=False, columns=("sku", "name; long", "price", "currency", "from"))
    (row,) = _rows(_stream(GOOD.encode(), file)[0])
    assert (row["name; long"], row["price"]) == ("Gloves; nitrile", "12,50")


def test_lines_of_json_are_rows_with_exact_numbers() -> None:
    contract = Contract("stock", column("item", required=True), column("quantity", "decimal"))
    file = RowFile(kind="stock", form="json", totals=("quantity",))
    data = b'{"item": "A", "quantity": 0.1}\n{"item": "B", "quantity": 0.2, "lots": [1]}\n["no"]\n{"item": "A", "quantity": 0.1}\n'
    pieces, stream = _stream(data, file)
    assert stream.totals == {"quantity": Decimal("0.4")}
    assert _rows(pieces)[1]["lots"] == "[1]"
    assert [[one.rule for one in contract.check(Rows(piece.body))] for piece in pieces] == [[], [], ["json"], []]

    class Stock(msgspec.Struct):
        item: str

    assert _rows(pieces)[0].read(Stock).item == "A"
    with pytest.raises(Invalid, match="line 3"):
        _rows(pieces)[2].read(Stock)


def test_the_manifest_tells_what_came_of_every_row_exactly() -> None:
    data = (HEAD + GOOD * 3 + "1;x;bad;CHF;\n" + "2;y;0,01;CHF;\n").encode()
    pieces, stream = _stream(data)
    manifest = _manifest(stream, _account(pieces))
    assert (manifest.outcome, manifest.rows, manifest.taken, manifest.refused, manifest.messages) == ("taken-in-part", 5, 4, 1, 5)
    assert (manifest.bytes, manifest.first_line, manifest.last_line) == (len(data), 2, 6)
    assert [(one.column, one.all, one.taken) for one in manifest.totals] == [("price", Decimal("37.51"), Decimal("37.51"))]
    assert [(one.row, one.where, one.rule) for one in manifest.refusals] == [(4, "line 5, price", "type")]
    assert manifest.rules == {"type": 1}
    assert _stream(data, piece=1000)[1].manifest(_account(pieces)).body == stream.manifest(_account(pieces)).body
    header = RowsFormat().header(stream.manifest(_account(pieces)).body)
    assert (header.kind, header.control_id.endswith("/manifest")) == ("price-list.manifest", True)
    assert PRICES.check(Rows(stream.manifest(_account(pieces)).body)) == ()


def test_sums_are_exact_where_floats_and_short_contexts_are_not() -> None:
    big = "9" * 39
    _, stream = _stream((HEAD + f"1;x;{big},1;CHF;\n" + "2;x;0,0000000000000000000000000000000000001;CHF;\n").encode())
    assert str(stream.totals["price"]) == f"{big}.1000000000000000000000000000000000001"


def test_a_manifest_is_bounded_however_many_rows_are_bad() -> None:
    accounts = Accounts(())
    for row in range(5000):
        accounts.refuse(row, 1, row, (Violation(f"line {row}", "type", "mend it"),))
    _, stream = _stream(HEAD.encode(), RowFile(kind="price-list", delimiter=";"))
    manifest = _manifest(stream, accounts)
    assert (len(manifest.refusals), manifest.refused, manifest.rules) == (MOST_REFUSALS, 5000, {"type": 5000})


TRAILED = msgspec.structs.replace(FILE, trailer=Trailer(mark="END", rows=2, totals={"price": 3}))


@pytest.mark.parametrize(
    ("end", "flaws"),
    [
        ("END;2;25,00\n", []),
        ("END;3;25,00\n", [("trailer, rows", "count")]),
        ("END;2;25,01\n", [("trailer, price", "total")]),
        ("END;x;25,00\n", [("trailer, rows", "type")]),
        ("END\n", [("trailer, rows", "type"), ("trailer, price", "type")]),
        ("", [("trailer", "trailer")]),
    ],
)  # fmt: skip
def test_the_trailer_is_held_against_what_has_come(end: str, flaws: list[tuple[str, str]]) -> None:
    pieces, stream = _stream((HEAD + GOOD * 2 + end).encode(), TRAILED)
    manifest = _manifest(stream, _account(pieces))
    assert [(one.where, one.rule) for one in manifest.flaws] == flaws
    assert manifest.outcome == ("taken-in-part" if flaws else "taken")
    assert manifest.rows == 2


def test_rows_after_the_trailer_are_told_and_a_sidecar_is_held_against_what_has_come() -> None:
    pieces, stream = _stream((HEAD + GOOD + "END;1;12,50\n" + GOOD).encode(), TRAILED)
    manifest = _manifest(stream, _account(pieces), Declared.of_sidecar(b'{"rows": 2, "totals": {"price": "25.00", "weight": 1}}'))
    assert [one.where for one in manifest.flaws] == ["line 4", "trailer, rows", "trailer, price", "sidecar, weight"]
    with pytest.raises(Invalid, match="sidecar"):
        Declared.of_sidecar(b"rows: 2")


def test_what_is_no_part_and_no_manifest_is_the_senders_fault() -> None:
    for body in (b"", b"sku;name\n1;2\n", b"{}\n", b"\xff" * 5000):
        with pytest.raises(Invalid, match="no-label"):
            Rows(body)
    pieces, _ = _stream((HEAD + GOOD).encode())
    with pytest.raises(Invalid, match="no-manifest"):
        _ = Rows(pieces[0].body).manifest
    with pytest.raises(Invalid, match="UTF-16"):
        _stream((HEAD + GOOD).encode("utf-16"), piece=1000)


@pytest.mark.parametrize(
    "settings",
    [{"delimiter": '"'}, {"delimiter": ";;"}, {"charset": "utf-16"}, {"charset": "shift_jis"}, {"charset": "nope"}, {"charset": "base64"},
     {"header": False}, {"columns": ("a",)}, {"form": "json", "trailer": Trailer(mark="END")}],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(Rejected):
        RowFile(**{"kind": "price-list"} | settings)  # type: ignore[arg-type]


def test_a_contract_names_its_columns_once() -> None:
    with pytest.raises(Bug):
        Contract("x", column("a"), column("a"))
    with pytest.raises(Bug):
        Contract("x", column("a"), identifiers={"item": "b"})
