"""What a check lets pass quickly, it finds nothing in when it looks closely: no violation is missed for the sake of speed."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from isthmus.core.contract import Violation
from isthmus.formats.hl7v2 import Hl7, rule
from isthmus.formats.hl7v2.checks import FORMS, TYPES, Check
from isthmus.formats.hl7v2.place import place
from isthmus.formats.hl7v2.rules import Rule

PLACES = ("OBX-5", "OBX-5.1", "OBX-5.2", "OBX-5.1.1", "OBX-8", "OBX-2", "OBX-99")
values = st.one_of(
    st.text("0123456789.+-", max_size=22),
    st.from_regex(r"\d{4}(\d\d(\d\d(\d{4}(\d\d)?)?)?)?([+-]\d{4})?", fullmatch=True),
    st.text('AF0 9.^~&\\"T', max_size=8),
    st.sampled_from(["", '""', "A", "F", "13.4", ".", "20240230", "20240229103000+1400", "NM", "\\F\\", " ", "^", "~", "A~F", "99999"]),
)
rules = st.builds(
    lambda place, usage, least, most, of_type, length, codes: rule(
        place, usage=usage, min=least, max=most, type=of_type, length=length, codes=codes
    ),
    st.sampled_from(PLACES),
    st.sampled_from(["R", "RE", "O", "X"]),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(["", "NM", "SI", "DT", "TM", "DTM", "TS", "ID", "ST", "OBX-2"]),
    st.integers(0, 5),
    st.sampled_from([(), ("A", "F"), ("13.4",), ("NM", "ST")]),
)


@given(rules, values, st.sampled_from([*sorted(TYPES), "", "nm", "XX"]), values, st.booleans())
@example(rule("OBX-5", type="OBX-2"), "20240229", "DT", "", False)
@example(rule("OBX-5", type="TS"), "20240231", "TS", "", False)
@example(rule("OBX-5", min=2), "A", "ST", "", False)
@example(rule("OBX-5", usage="X"), "A", "ST", "", False)
@example(rule("OBX-5", length=2), "13.4", "NM", "", False)
def test_what_passes_quickly_breaks_nothing(one: Rule, value: str, type: str, flag: str, must: bool) -> None:
    segment = Hl7(f"MSH|^~\\&|A|B|C|D|20240311||ORU^R01|1|P|2.5.1\rOBX|1|{type}|1^x^LN||{value}|||{flag}\r".encode()).segments("OBX")[0]
    check = Check(place(one.place), one, must=must)
    found: list[Violation] = []
    check.run(segment, found)
    if check.passes(segment.fields):
        assert not found


def test_usual_values_do_pass_quickly() -> None:
    """Otherwise the quick way would be of no use."""
    usual = [("NM", "13.4"), ("NM", "7"), ("TS", "20240311090000+0000"), ("ST", "positive"), ("CWE", "A1^Text^L"), ("FT", "Seen by us")]
    for type, value in usual:
        segment = Hl7(f"MSH|^~\\&|A|B|C|D|20240311||ORU^R01|1|P|2.5.1\rOBX|1|{type}|1||{value}||||||F\r".encode()).segments("OBX")[0]
        assert Check(place("OBX-5"), rule("OBX-5", type="OBX-2")).passes(segment.fields), (type, value)
        assert Check(place("OBX-11"), rule("OBX-11", usage="R", codes="CF")).passes(segment.fields)
    assert FORMS.keys() <= TYPES | {"SI"}
