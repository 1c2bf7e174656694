"""The small parts of the client, each alone."""

from __future__ import annotations

import random
import xmlrpc.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectors.odoo import Line, Xml
from isthmus.connectors.odoo.batches import Batches
from isthmus.connectors.odoo.columns import adapt, matrix
from isthmus.connectors.odoo.compare import differences
from isthmus.connectors.odoo.faults import Fault, by_messages, by_name
from isthmus.connectors.odoo.schema import Field
from isthmus.connectors.odoo.xmlrpc import _parse, _sendable

FIELDS = {
    "name": Field("char"),
    "active": Field("boolean"),
    "price": Field("float"),
    "country_id": Field("many2one", "res.country"),
    "tag_ids": Field("many2many", "tag"),
    "child_ids": Field("one2many", "res.partner"),
    "day": Field("date"),
    "at": Field("datetime"),
    "type": Field("selection"),
}
DE = Xml("base.de")


# ---- names of faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "verdict", "code"),
    [
        ("psycopg2.errors.SerializationFailure", "retry", "busy"),
        ("psycopg2.errors.DeadlockDetected", "retry", "busy"),
        ("psycopg2.errors.LockNotAvailable", "retry", "busy"),
        ("psycopg2.OperationalError", "unknown", "database-lost"),
        ("werkzeug.exceptions.Unauthorized", "retry", "unauthorised"),
        ("odoo.exceptions.AccessError", "reject", "access-denied"),
        ("odoo.exceptions.MissingError", "reject", "record-gone"),
        ("odoo.exceptions.UserError", "reject", "refused"),
        ("builtins.ValueError", "reject", "not-understood"),
        ("psycopg2.errors.NotNullViolation", "reject", "not-understood"),
        ("werkzeug.exceptions.NotFound", "reject", "unknown-model"),
        ("Patient Zzyzx <b>", "reject", "not-understood"),
    ],
)
def test_the_name_decides_not_the_status(name: str, verdict: str, code: str) -> None:
    fault = by_name(name, "res.partner/load")
    assert (fault.verdict, fault.code) == (verdict, code)
    assert "Zzyzx" not in fault.detail
    assert fault.detail.startswith("res.partner/load")


def test_a_lost_race_in_the_messages_of_a_load_outweighs_what_followed_from_it() -> None:
    messages = [
        {"type": "error", "rows": {"from": 0, "to": 0}, "message": "something about Zzyzx"},
        {"type": "error", "rows": {"from": 3, "to": 4}, "message": "could not serialize access due to concurrent update"},
    ]
    fault = by_messages(messages, "m/load")
    assert (fault.verdict, fault.code, fault.rows) == ("retry", "busy", (0, 3))
    assert "Zzyzx" not in fault.detail


def test_a_field_is_named_where_odoo_names_it_safely() -> None:
    (good, bad) = (by_messages([{"type": "error", "message": "x", "field": field}], "m/load") for field in ("country_id", "Zzyzx said"))
    assert "m/load.country_id" in good.detail
    assert "Zzyzx" not in bad.detail


# ---- columns and comparing -----------------------------------------------------------------------------------------------------


def test_values_become_columns() -> None:
    lines = (Line(key="l1", values={"name": "One"}), Line(key="l2", values={"name": "Two", "active": False}))
    values = {"name": "N", "active": False, "price": 0, "country_id": DE, "tag_ids": (DE,), "child_ids": lines, "day": None}
    columns, rows = matrix("isthmus_ext.k", values, FIELDS, {DE: 7})
    table = [dict(zip(columns, row, strict=True)) for row in rows]
    assert table[0] == {
        "id": "isthmus_ext.k",
        "name": "N",
        "active": "0",
        "price": "0",
        "country_id/.id": "7",
        "tag_ids/.id": "7",
        "child_ids/id": "isthmus_ext.l1",
        "child_ids/name": "One",
        "child_ids/active": "",
        "day": "",
    }
    assert (table[1]["child_ids/id"], table[1]["child_ids/active"], table[1]["id"], table[1]["name"]) == ("isthmus_ext.l2", "0", "", "")


def test_older_versions_name_and_type_fields_otherwise() -> None:
    old = {"type": Field("selection"), "groups_id": Field("many2many"), "day": Field("date"), "at": Field("datetime")}
    values = {"is_storable": True, "type": "consu", "group_ids": (), "day": "2031-01-02 10:00:00", "at": "2031-01-02"}
    adapted = adapt("product.product", values, old)
    assert adapted == {"type": "product", "groups_id": (), "day": "2031-01-02", "at": "2031-01-02 00:00:00"}
    with pytest.raises(Fault, match="unknown-field") as caught:
        adapt("product.product", {"colour": "red"}, old)
    assert "product.product.colour" in caught.value.detail


@pytest.mark.parametrize(
    ("field", "wanted", "actual", "same"),
    [
        ("name", "A", "A", True),
        ("name", None, False, True),
        ("name", "", False, True),
        ("name", "A", "B", False),
        ("active", False, False, True),
        ("active", True, False, False),
        ("price", 0.1 + 0.2, 0.3, True),
        ("price", None, 0.0, True),
        ("price", 1, 1.01, False),
        ("country_id", DE, [7, "Germany"], True),
        ("country_id", DE, False, False),
        ("country_id", None, False, True),
        ("country_id", 7, [7, "Germany"], True),
        ("tag_ids", (DE,), [7], True),
        ("tag_ids", (), [7], False),
        ("child_ids", (Line(key="l", values={}),), [1], False),
        ("type", "a", "a", True),
    ],
)
def test_what_is_read_back_is_compared_by_type(field: str, wanted: object, actual: object, same: bool) -> None:
    assert (differences({field: wanted}, {field: actual}, FIELDS, {DE: 7}) == frozenset()) is same


# ---- batches -------------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.sets(st.integers(0, 59), max_size=8), st.booleans())
async def test_the_culprits_are_found_and_nobody_else_is_blamed(count: int, bad: set[int], hints: bool) -> None:
    done: list[int] = []

    async def act(batch: list[int]) -> None:
        culprits = [index for index, item in enumerate(batch) if item in bad]
        if culprits:
            raise Fault("reject", "refused", rows=(0, *culprits) if hints else ())  # the first is blamed for what any did
        done.extend(batch)

    failed = await Batches(100).run(range(count), act)
    assert sorted(item for item, _ in failed) == sorted(one for one in bad if one < count)
    assert sorted(done) == sorted(set(range(count)) - bad)


async def test_many_good_rows_beside_one_bad_cost_few_calls() -> None:
    calls = 0

    async def act(batch: list[int]) -> None:
        nonlocal calls
        calls += 1
        if 63 in batch:
            raise Fault("reject", "refused")

    await Batches(100).run(range(100), act)
    assert calls <= 16


async def test_a_transient_fault_is_not_bisected() -> None:
    calls = 0

    async def act(batch: list[int]) -> None:
        nonlocal calls
        calls += 1
        raise Fault("retry", "unreachable")

    failed = await Batches(100).run(range(50), act)
    assert (calls, len(failed)) == (1, 50)


async def test_batches_shrink_after_no_answer_and_grow_again() -> None:
    batches, rng = Batches(64), random.Random(1)

    async def silent(batch: list[int]) -> None:
        raise Fault("unknown", "no-answer")

    async def brisk(batch: list[int]) -> None:
        assert len(batch) <= batches.size

    await batches.run(range(64), silent)
    assert batches.size == 32
    for _ in range(4):
        await batches.run(range(rng.randint(40, 64)), brisk)
    assert batches.size > 32


# ---- XML ---------------------------------------------------------------------------------------------------------------------


BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<methodResponse><params><param><value><string>&b;</string></value></param></params></methodResponse>"""


@pytest.mark.parametrize(
    "answer", [BOMB, BOMB.decode().encode("utf-16"), b"", b"<html>", b"<methodResponse></methodResponse>", b"\xff\xfe"]
)
def test_what_is_no_answer_is_not_parsed(answer: bytes) -> None:
    with pytest.raises(Fault, match="strange-answer") as caught:
        _parse(answer, "m/read")
    assert caught.value.verdict == "unknown"


def fault(code: int, text: str) -> bytes:
    return xmlrpc.client.dumps(xmlrpc.client.Fault(code, text)).encode()


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (
            1,
            'Traceback (most recent call last):\n  File "x"\npsycopg2.errors.SerializationFailure: could not serialize\nCONTEXT: Zzyzx',
            "busy",
        ),
        (1, "Traceback (most recent call last):\n  File\nValueError: Zzyzx: bad", "not-understood"),
        (2, "Zzyzx is wrong", "refused"),
        (3, "Access Denied", "unauthorised"),
        (4, "Zzyzx", "access-denied"),
        (1, "", "not-understood"),
    ],
)
def test_xml_faults_are_told_by_their_code_and_the_name_in_the_traceback(code: int, text: str, expected: str) -> None:
    with pytest.raises(Fault) as caught:
        _parse(fault(code, text), "m/load")
    assert caught.value.code == expected
    assert "Zzyzx" not in str(caught.value)


def test_a_none_that_could_not_be_sent_is_a_success() -> None:
    assert _parse(fault(1, "Traceback\nTypeError: cannot marshal None unless allow_none is enabled"), "m/button_cancel") is None


def test_null_becomes_false_and_control_characters_are_refused() -> None:
    assert _sendable({"a": [None, (None,)]}, "m/load") == {"a": [False, (False,)]}
    for bad in ("\x00", "a\x0b", "\ud800"):
        with pytest.raises(Fault, match="bad-value"):
            _sendable({"a": [bad]}, "m/load")
