"""Acknowledgement: what an answer to one of our messages says (MSA and ERR, HL7 v2.5.1 §2.9, 2.15.5, 2.15.8)."""

from __future__ import annotations

from msgspec import Struct

from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2.document import Hl7
from isthmus.formats.hl7v2.segment import Segment

CODES = frozenset(("AA", "AE", "AR", "CA", "CE", "CR"))


class Acknowledgement(Struct, frozen=True, kw_only=True):
    """One answer, read. Texts are the receiver's own and may hold PHI."""

    code: str
    """``AA`` ``AE`` ``AR`` (application) or ``CA`` ``CE`` ``CR`` (accept)."""
    control_id: str
    """MSA-2: control id of the message that it answers."""
    own_id: str = ""
    """MSH-10 of the answer itself."""
    error_code: str = ""
    """Of table HL70357, such as ``101``."""
    location: str = ""
    """Place of the first error: ``PID-3[2].4``."""
    text: str = ""
    severity: str = ""

    @property
    def accepted(self) -> bool:
        return self.code in ("AA", "CA")

    @property
    def application(self) -> bool:
        """True where the receiving application itself answers; False for an accept acknowledgement: the message is safe there."""
        return self.code.startswith("A")


def read_acknowledgement(body: bytes) -> Acknowledgement:
    """Read an answer of any version; raises ``Invalid`` where it is none."""
    message = Hl7(body)
    msa = message.segment("MSA")
    if msa is None:
        raise Invalid("no-msa", "MSA: an acknowledgement has an MSA segment")
    code = msa["1"].strip().upper()
    if code not in CODES:
        raise Invalid("acknowledgement-code", "MSA-1: send AA, AE, AR, CA, CE or CR")
    err = message.segment("ERR")
    error_code, location, text, severity = ("", "", "", "") if err is None else _error(err)
    return Acknowledgement(
        code=code,
        control_id=msa["2"].strip(),
        own_id=message.control_id,
        error_code=error_code or msa["6.1"],
        location=location,
        text=text or msa[3].text or msa["6.2"],
        severity=severity,
    )


def _error(err: Segment) -> tuple[str, str, str, str]:
    """Code, location, text and severity: of ERR-2 to ERR-8 (v2.5 and later), else of ERR-1."""
    if err[2] or err[3] or err[8]:
        parts = [component[1] for component in err[2][1]]
        return err["3.1"], _location(parts), err[8].text or err[7].text or err["3.2"], err["4"]
    first = err[1][1]
    parts = [first[number][1] for number in (1, 2, 3)]
    return first[4][1], _location(parts), first[4][2], ""


def _location(parts: list[str]) -> str:
    """ERL (segment, sequence, field, repetition, component, sub-component) as a place."""
    segment, sequence, field, repetition, component, subcomponent = (*parts, "", "", "", "", "", "")[:6]
    place = segment + (f"[{sequence}]" if sequence not in ("", "1") else "")
    if field:
        place += f"-{field}" + (f"[{repetition}]" if repetition not in ("", "1") else "")
    if component:
        place += f".{component}" + (f".{subcomponent}" if subcomponent else "")
    return place
