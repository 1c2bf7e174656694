"""The order of segments, in the standard's abstract message syntax."""

from __future__ import annotations

import pytest

from isthmus.core.failure import Bug
from isthmus.formats.hl7v2 import Contract, Hl7
from isthmus.formats.hl7v2.structure import Structure

ADT = "MSH [{SFT}] EVN PID [PD1] [{ROL}] [{NK1}] PV1 [PV2] [{OBX}] [{AL1}]"
ORU = "MSH { [ PID [{NK1}] [{NTE}] [PV1 [PV2]] ] { [ORC] OBR [{NTE}] { [ OBX [{NTE}] ] } [{SPM}] } } [DSC]"


def check(structure: str, names: str) -> list[str]:
    found = list(Structure(structure).check(names.split()))
    assert {(one.rule, one.severity) for one in found} <= {("structure", "warning")}
    return [one.where for one in found]


@pytest.mark.parametrize(
    ("structure", "names"),
    [
        (ADT, "MSH EVN PID PV1"),
        (ADT, "MSH SFT SFT EVN PID PD1 NK1 NK1 PV1 PV2 OBX OBX AL1"),
        (ADT, "MSH EVN ZPD PID ZXX PV1 ZBE"),
        (ORU, "MSH OBR"),
        (ORU, "MSH PID PV1 ORC OBR NTE OBX OBX NTE NTE OBX SPM OBR OBX ORC OBR PID OBR OBX DSC"),
        ("MSH < OBR | RQD > [PID]", "MSH RQD PID"),
        ("MSH { < OBR | RQD > }", "MSH RQD OBR RQD"),
        ("MSH { PID [PD1] MRG [PV1] }", "MSH PID MRG PID PD1 MRG PV1"),
    ],
)
def test_what_follows_the_structure(structure: str, names: str) -> None:
    assert check(structure, names) == []


@pytest.mark.parametrize(
    ("structure", "names", "where"),
    [
        (ADT, "MSH PID PV1", ["EVN"]),
        (ADT, "MSH EVN PID", ["PV1"]),
        (ADT, "MSH EVN PID PV1 PID", ["PID[2]"]),
        (ADT, "MSH EVN PID PV1 NK1", ["NK1"]),
        (ADT, "MSH EVN PID PD1 PD1 PV1", ["PV1", "PD1[2]"]),
        (ADT, "MSH EVN PID PV1 ORC", ["ORC"]),
        (ADT, "MSH FOO EVN PID PV1 FOO", ["FOO", "FOO[2]"]),
        (ORU, "MSH PID ORC OBX", ["OBR"]),
        (ORU, "MSH PID", ["OBR"]),
        ("MSH < OBR | RQD > [PID]", "MSH PID", ["OBR"]),
    ],
)
def test_what_does_not(structure: str, names: str, where: list[str]) -> None:
    found = check(structure, names)
    assert found[: len(where)] == where or sorted(found) == sorted(where)


@pytest.mark.parametrize("structure", ["MSH [PID", "MSH PID]", "MSH {PID]", "MSH []", "MSH pid", "MSH PID, PV1"])
def test_a_broken_notation_is_our_bug(structure: str) -> None:
    with pytest.raises(Bug):
        Structure(structure)


def test_one_structure_per_kind() -> None:
    contract = Contract("ADT^A01", "ADT^A40", structure={"ADT^A01": "MSH EVN PID PV1", "ADT^A40": "MSH EVN {PID MRG}"})
    merge = Hl7(b"MSH|^~\\&|A|B|||2024||ADT^A40|1|P|2.3\rEVN\rPID|||1\rMRG|2\rPID|||3\r")
    assert [(one.where, one.cure) for one in contract.check(merge)] == [("MRG", "send MRG after PID[2]")]
    other = Hl7(b"MSH|^~\\&|A|B|||2024||ADT^A08|1|P|2.3\rPID|||1\r")
    assert contract.check(other) == ()
