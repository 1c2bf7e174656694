"""Contracts: what a message breaks, told with place, rule and cure, and never with a value."""

from __future__ import annotations

import datetime as dt

import pytest

from isthmus.core.contract import Contract as CoreContract
from isthmus.core.contract import Format
from isthmus.core.failure import Bug
from isthmus.formats.hl7v2 import HL7V2, Contract, Hl7, Rule, rule

HEAD = b"MSH|^~\\&|A|B|||2024||ADT^A03|C1|P|2.5.1\r"


def check(contract: Contract, *lines: str, head: bytes = HEAD) -> list[tuple[str, str, str]]:
    return [(one.where, one.rule, one.severity) for one in contract.check(Hl7(head + "\r".join(lines).encode()))]


def profile(*rules: Rule) -> Contract:
    return Contract("ADT^A03", rules=rules)


def test_it_satisfies_the_port_of_the_core() -> None:
    contract: CoreContract[Hl7] = Contract("ADT^A01", "ADT^A03", version="2.5.1", required=("PID-3", "PV1-19"))
    port: Format[Hl7] = contract.format
    assert contract.kinds == ("ADT^A01", "ADT^A03")
    assert port is HL7V2
    assert port.name == "hl7v2"


def test_required_fields() -> None:
    contract = Contract("ADT^A03", version="2.5.1", required=("PID-3", "PID-5.2", "PV1-19", "MSH-10"))
    good = ("PID|1||7||Doe^Jane", "PV1|1|I|||||||||||||||||V1")
    assert check(contract, *good) == []
    assert check(contract, "PID|1||7||Doe^Jane", "PV1|1") == [("PV1-19", "required", "error")]
    assert check(contract, "PID|1||^^~||Doe") == [
        ("PID-3", "required", "error"),
        ("PID-5.2", "required", "error"),
        ("PV1-19", "required", "error"),
    ]
    assert check(Contract("ADT^A03", required=("PID-3",)), "PID|1||^^^H") == []  # valued, as §2.12.4 has it; PID-3.1 is another place
    assert check(Contract("ADT^A03", required=("PID-3.1",)), "PID|1||^^^H") == [("PID-3.1", "required", "error")]
    assert check(Contract("ADT^A03", required=("PID-3.1", "PV1")), "PID|1") == [
        ("PID-3.1", "required", "error"),
        ("PV1", "required", "error"),
    ]
    assert check(contract, 'PID|1||""||Doe^""', good[1]) == [("PID-3", "required", "error"), ("PID-5.2", "required", "error")]
    assert check(contract, "PID|1||7", "PID|2", good[1]) == [
        ("PID-5.2", "required", "error"), ("PID[2]-3", "required", "error"), ("PID[2]-5.2", "required", "error"),
    ]  # fmt: skip


def test_all_at_once_in_the_order_of_the_message() -> None:
    contract = Contract(
        "ADT^A03",
        version="2.5.1",
        required=("PV1-19", "PID-3", "ZZZ-1"),
        rules=(rule("PID-8", codes="FM"), rule("MSH-3", length=0, codes=["X"])),
    )
    found = check(contract, "PV1|1", "PID|1|||||||Q", head=HEAD.replace(b"2.5.1", b"2.3"))
    assert [where for where, _, _ in found] == ["MSH-3", "MSH-12", "PV1-19", "PID-3", "PID-8", "ZZZ-1"]


def test_a_version_other_than_agreed_is_a_warning() -> None:
    assert check(Contract("ADT^A03", version="2.3")) == [("MSH-12", "version", "warning")]
    assert check(Contract("ADT^A03", version="2.5.1"), head=HEAD.replace(b"2.5.1", b"2.5.1^FRA^2.11")) == []
    assert check(Contract("ADT^A03")) == []


def test_usage() -> None:
    assert check(profile(rule("PID-3", usage="R")), "PV1|1") == []  # no PID, nothing to say of its fields
    assert check(profile(rule("PID-3", usage="R")), "PID|1") == [("PID-3", "required", "error")]
    assert check(profile(rule("PID-3", usage="RE")), "PID|1") == []
    assert check(profile(rule("PID-3.4", usage="R")), "PID|1") == []
    assert check(profile(rule("PID-3.4", usage="R")), "PID|1||1^^^H~2") == [("PID-3[2].4", "required", "error")]
    assert check(profile(rule("PID-19", usage="X")), "PID|1" + "|" * 18 + "123") == [("PID-19", "usage", "warning")]
    assert check(profile(rule("PID-3.2", usage="X")), "PID|1||1^9") == [("PID-3.2", "usage", "warning")]
    assert check(profile(rule("NK1", usage="X")), "NK1|1") == [("NK1", "usage", "warning")]
    assert check(profile(rule("PV1", usage="R")), "PID|1") == [("PV1", "required", "error")]


def test_cardinality() -> None:
    assert check(profile(rule("PID-3", max=1)), "PID|1||1~2") == [("PID-3", "cardinality", "error")]
    assert check(profile(rule("PID-3", max=2)), "PID|1||1~2") == []
    assert check(profile(rule("PID-3", min=2)), "PID|1||1") == [("PID-3", "cardinality", "error")]
    assert check(profile(rule("PID-3", min=1)), "PID|1") == [("PID-3", "required", "error")]
    assert check(profile(rule("PID", min=1, max=1)), "PID|1", "PID|2") == [("PID[2]", "cardinality", "error")]
    assert check(profile(rule("OBX", min=2)), "OBX|1") == [("OBX", "cardinality", "error")]
    assert check(profile(rule("OBX", min=1))) == [("OBX", "required", "error")]


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("NM", ["1", "-1.5", "+.5"], ["<10", "60^120", "one", "1e5"]),
        ("SI", ["1", "0012"], ["1.5", "12345", "x"]),
        ("DT", ["2024", "20240311"], ["202403111200", "11.3.2024", "20241301"]),
        ("TM", ["0930", "093000+0100"], ["9:30", "2500"]),
        ("DTM", ["2024", "20240311093000.1+0100"], ["February 2 2024", "20240230", "20240311^D"]),
        ("TS", ["20240311^D"], ["Aug 15, 1942"]),
        ("ST", ["anything", "^"], []),
        ("ID", ["F"], []),
    ],
)
def test_types(type_: str, good: list[str], bad: list[str]) -> None:
    contract = profile(rule("ZZZ-1", type=type_))  # type: ignore[arg-type] # parametrised
    for value in good:
        assert check(contract, f"ZZZ|{value}") == []
    for value in bad:
        assert check(contract, f"ZZZ|{value}") == [("ZZZ-1", "type", "warning")]
    assert check(contract, "ZZZ|") == []
    assert check(contract, 'ZZZ|""') == []
    assert check(contract, f"ZZZ|{good[0]}~{bad[0]}" if bad else "ZZZ") == ([("ZZZ-1[2]", "type", "warning")] if bad else [])


def test_the_type_that_obx_2_names() -> None:
    contract = profile(rule("OBX-5", type="OBX-2"))
    assert check(contract, "OBX|1|NM|||1.5", "OBX|2|TX|||<10", "OBX|3|CWE|||A^B", "OBX|4|SN|||<^10", "OBX|5|DT|||20240311", "OBX|6") == []
    assert check(contract, "OBX|1|NM|||<10", "OBX|2|NM|||60~120") == [("OBX-5", "type", "warning")]
    assert check(contract, "OBX|1||||text") == [("OBX-2", "required", "warning")]
    assert check(contract, "OBX|1|TXT|||text", "OBX|2|ST|||x") == [("OBX-2", "code-set", "warning")]


def test_length_counts_characters_as_they_are_read() -> None:
    contract = profile(rule("PID-5.1", length=5))
    assert check(contract, "PID|1||||a\\T\\bcd") == []
    assert check(contract, "PID|1||||Müßig") == [("MSH-18", "charset", "warning")]
    assert check(contract, "PID|1||||abcdef~x") == [("PID-5[1].1", "length", "warning")]


def test_code_sets() -> None:
    contract = profile(rule("PID-8", codes={"F", "M", "O"}, table="HL70001", severity="error"))
    assert check(contract, "PID|1|||||||F") == []
    assert check(contract, "PID|1|||||||M^male") == []
    (found,) = contract.check(Hl7(HEAD + b"PID|1|||||||secret"))
    assert (found.where, found.rule, found.severity) == ("PID-8", "code-set", "error")
    assert found.cure == "send one of F, M, O of table HL70001"
    (many,) = profile(rule("PID-8", codes=map(str, range(99)))).check(Hl7(HEAD + b"PID|1|||||||secret"))
    assert many.cure == "send one of the 99 agreed codes"


def test_rules_for_some_kinds_only() -> None:
    contract = Contract("ADT^A01", "ADT^A03", rules=(rule("PV1-45", usage="R", only=["ADT^A03"]), rule("DG1", min=1, only=["ADT^A01"])))
    assert check(contract, "PV1|1") == [("PV1-45", "required", "error")]
    assert check(contract, "PV1|1", head=HEAD.replace(b"A03", b"A01")) == [("DG1", "required", "error")]


def test_rules_for_delimiters_do_not_split_them() -> None:
    assert check(profile(rule("MSH-2", codes=["^~\\&"], length=4, max=1), rule("MSH-1", codes=["|"]))) == []


def test_no_value_of_the_message_is_told() -> None:
    contract = Contract(
        "ADT^A03", version="2.9", required=("PID-3",), structure="MSH EVN PID",
        rules=(rule("PID-5", length=1), rule("PID-7", type="DTM"), rule("PID-8", codes="F", max=1), rule("PID-9", usage="X"), rule("NK1", usage="X")),
    )  # fmt: skip
    body = HEAD + "PID|1||||SECRET^SECRET||SECRET|SECRET~SECRET|SECRET\rNK1|SECRET\rXYZ|SECRET\r\nSECRET\rÄ".encode()
    found = contract.check(Hl7(body))
    assert {one.rule for one in found} >= {
        "required",
        "version",
        "length",
        "type",
        "code-set",
        "cardinality",
        "usage",
        "structure",
        "line",
        "charset",
    }
    assert "SECRET" not in repr(found)


def test_a_second_message_in_the_first_is_an_error() -> None:
    assert check(Contract("ADT^A03"), "PID|1", HEAD.decode()) == [("MSH[2]", "one-message", "error")]


def test_the_zone_of_a_contract_is_that_of_its_messages() -> None:
    contract = Contract("ADT^A03", zone="Europe/Zurich")
    message = contract.format.open(HEAD + b"EVN||20240701120000\r")
    assert message.time("EVN-2").utcoffset() == dt.timedelta(hours=2)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Contract("ADT^A03", required=("PID3",)), "names no place"),
        (lambda: profile(rule("OBX[2]-5", max=1)), "every occurrence"),
        (lambda: profile(rule("PID-3[1].4", max=1)), "every occurrence"),
        (lambda: Contract("ADT^A03", zone="Mars/Olympus"), "time zone"),
        (lambda: Contract("ADT^A03", structure="MSH [PID"), "missing"),
    ],
)
def test_a_contract_that_makes_no_sense_is_our_bug(make: object, why: str) -> None:
    with pytest.raises(Bug, match=why):
        make()  # type: ignore[operator] # parametrised
