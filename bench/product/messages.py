"""The messages that are sent: an EHR's ADT and a laboratory's ORU of 1 to 2 kB, and an ORU of 10 kB. Pure; nobody in them lives.

Each template has three places: the control id, the patient, and the business number by which a message is found again at the sink.
"""

from __future__ import annotations

import random
from typing import Literal

Mix = Literal["usual", "large"]

MARK = b"BENCH-"
"""Stands before the number (nine digits) in PV1-19 or OBR-3, and so in the body that arrives at the sink."""

_FRAME = b"\x0b%b\x1c\r"
_AT = b"20240311093000+0000"


def templates(mix: Mix) -> tuple[bytes, ...]:
    """Framed templates in the shares of a hospital's day; fill one in by :func:`fill`."""
    if mix == "large":
        return (_framed(_oru(96)),)
    updates = [_framed(_adt(b"A08", family)) for family in range(4)]
    stays = [_framed(_adt(trigger, 4)) for trigger in (b"A01", b"A02", b"A03")]
    reports = [_framed(_oru(observations)) for observations in (7, 10, 12)]
    return (*updates, *stays, *reports)


def fill(template: bytes, number: int, patient: int) -> bytes:
    """One message: control id and business number from ``number``."""
    return template % {b"number": number, b"patient": patient}


def control_id(number: int) -> bytes:
    """MSH-10 of a message, which its acknowledgement repeats."""
    return b"B%09d" % number


def choose(rng: random.Random, those: tuple[bytes, ...]) -> bytes:
    return those[rng.randrange(len(those))]


def _framed(segments: list[bytes]) -> bytes:
    return _FRAME % (b"\r".join(segments) + b"\r")


def _header(kind: bytes, sender: bytes) -> bytes:
    return rb"MSH|^~\&|" + sender + b"|GENERAL|ISTHMUS|GENERAL|" + _AT + b"||" + kind + b"|B%(number)09d|P|2.5.1||||||UNICODE UTF-8"


def _person() -> bytes:
    return (
        b"PID|1||%(patient)08d^^^GENERAL^MR~756.%(patient)010d^^^AHV^SS||Example^Edna^Maria^^Dr.^^L~Sample^Edna^^^^^M|Sample|19560102|F||"
        b"2106-3|Spring Lane 12^^Newtown^^8000^CH^H~PO Box 4^^Newtown^^8001^CH^M||^PRN^PH^^41^44^5550199~^NET^Internet^edna@example.org|"
        b"^WPN^PH^^41^44^5550111|de|M|REF|%(patient)08d-01^^^GENERAL^AN|||||Newtown||||CH"
    )


def _visit() -> bytes:
    return (
        b"PV1|1|I|MED2^204^1^GENERAL^^B^3|E|||0123^Welby^Marcus^^^Dr.^^^GENERAL^L|0456^House^Gregory^^^Dr.^^^GENERAL^L|||||||A0||"
        b"0123^Welby^Marcus^^^Dr.^^^GENERAL^L|IP|" + MARK + b"%(number)09d^^^GENERAL^VN|||||||||||||||||||||||||20240311083000+0000"
    )


def _adt(trigger: bytes, relatives: int) -> list[bytes]:
    visit = _visit()
    if trigger in (b"A02", b"A03"):
        visit = visit.replace(b"|E|||", b"|E||MED1^101^2^GENERAL^^B^3|")
    return [
        _header(b"ADT^" + trigger + b"^ADT_A01", b"EHR"),
        b"EVN|" + trigger + b"|" + _AT + b"||REG|0789^Clerk^Carl^^^^^^GENERAL^L|" + _AT,
        _person(),
        b"PD1|||General Practice Newtown^L^7654^^^^GENERAL|0456^House^Gregory^^^Dr.^^^GENERAL^L",
        *(
            b"NK1|%d|Example^Relative%d^^^^^L|SPO^Spouse^HL70063|Spring Lane 12^^Newtown^^8000^CH^H|^PRN^PH^^41^44^5550199" % (n, n)
            for n in range(1, relatives + 1)
        ),
        visit,
        b"PV2|||K35.8^Acute appendicitis^I10||||||20240318|7||planned",
        b"AL1|1|DA|Z88.0^Penicillin^I10|MO|Rash and swelling of the face|20190504",
        b"AL1|2|FA|Z91.010^Peanuts^I10|MI|Itching",
        b"DG1|1||K35.8^Acute appendicitis^I10|Acute appendicitis|20240311|A|||||||||1|0456^House^Gregory^^^Dr.^^^GENERAL^L",
        b"IN1|1|HMO^Basic^L|8101^^^GENERAL|Health Mutual|Mutual Street 1^^Newtown^^8000^CH|||||||20240101|20241231",
    ]


_TESTS = (
    (b"718-7^Hemoglobin^LN", b"13.4", b"g/dL", b"12.0-16.0", b""),
    (b"6690-2^Leukocytes [#/volume] in Blood^LN", b"14.2", b"10*9/L", b"4.0-10.0", b"H"),
    (b"777-3^Platelets [#/volume] in Blood^LN", b"245", b"10*9/L", b"150-400", b""),
    (b"2951-2^Sodium [Moles/volume] in Serum or Plasma^LN", b"139", b"mmol/L", b"136-145", b""),
    (b"2823-3^Potassium [Moles/volume] in Serum or Plasma^LN", b"3.3", b"mmol/L", b"3.5-5.1", b"L"),
    (b"1988-5^C reactive protein^LN", b"87", b"mg/L", b"0-5", b"HH"),
)


def _oru(observations: int) -> list[bytes]:
    return [
        _header(b"ORU^R01^ORU_R01", b"LAB"),
        _person(),
        _visit().replace(MARK + b"%(number)09d", b"V%(patient)08d"),
        b"ORC|RE|P%(number)09d^EHR|" + MARK + b"%(number)09d^LAB|||||||||0456^House^Gregory^^^Dr.^^^GENERAL^L",
        b"OBR|1|P%(number)09d^EHR|" + MARK + b"%(number)09d^LAB|24323-8^Comprehensive panel^LN|||20240311085500+0000|||||||||"
        b"0456^House^Gregory^^^Dr.^^^GENERAL^L||||||20240311092800+0000||LAB|F",
        *(
            b"OBX|%d|NM|%b||%b|%b|%b|%b|||F|||20240311090000+0000" % (number, code, value, unit, usual, flag)
            for number, (code, value, unit, usual, flag) in enumerate((_TESTS[n % len(_TESTS)] for n in range(observations)), 1)
        ),
    ]
