"""Whatever a sender writes is planned or refused with place, rule and cure. It never shows a bug of ours, and never twice the same key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.app.planning import DryRun

FIXTURES = sorted((Path(__file__).parents[2] / "hospital" / "interfaces").glob("*/fixtures/*.hl7"))
BODIES = [path.read_bytes().strip().replace(b"\n", b"\r") for path in FIXTURES]
JUNK = [
    b"", b'""', b"^", b"^^^", b"~", b"~~^", b"&", b"a&b&c^d", b"\\", b"\\E\\", b"\\X0D\\", b"\\XZZ\\", b"0", b"-1", b"-0", b"+1.", b".5", b"1e5",
    b"99999999999999999999999999999999999999999999", b"0.0000000000000000000000000000001", b"NaN", b"Infinity", b"19700101", b"20261332",
    b"99991231235959+1400", b"00010101", b"00010101000000+2300", b"99991231235959-2300", b"February 2 2024", b"202603", b" ", b"\t",
    "\u02dc\u00b5\u4e2d".encode(), b"\xff\xfe", b"A" * 5000, b"CA", b"XX", b"#2", b"/", b"@", b"1#2",
]  # fmt: skip


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A fixture with some of its segments dropped, doubled or moved, and some of its fields exchanged."""
    segments = draw(st.sampled_from(BODIES)).split(b"\r")
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(segments) - 1))
        what = draw(st.sampled_from(["field", "field", "field", "field", "component", "drop", "double", "move", "borrow"]))
        if what in ("field", "component"):
            fields = segments[at].split(b"|")
            number = draw(st.integers(1, len(fields) + 2))
            fields += [b""] * (number + 1 - len(fields))
            junk = draw(st.sampled_from(JUNK))
            if at == 0 and number in (1, 8):  # MSH-2 and MSH-9: another syntax or kind is another message
                continue
            if what == "component":
                parts = fields[number].split(b"^")
                parts[draw(st.integers(0, len(parts) - 1))] = junk
                junk = b"^".join(parts)
            fields[number] = junk
            segments[at] = b"|".join(fields)
        elif what == "borrow":
            segments.insert(at + 1, draw(st.sampled_from(draw(st.sampled_from(BODIES)).split(b"\r")[1:])))
        elif at > 0 and len(segments) > 2:
            one = segments[at]
            if what != "double":
                del segments[at]
            if what != "drop":
                segments.insert(draw(st.integers(1, len(segments))), one)
    return b"\r".join(segments) + b"\r"


def told_well(run: DryRun) -> None:
    assert run.troubles == (), "what passes its contract is understood"
    if run.verdict == "accepted":
        assert run.plan.events
    else:
        assert [one for one in run.plan.violations if one.severity == "error"]
        assert all(one.rule and one.cure for one in run.plan.violations)


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=messages())
def test_a_mutated_message_is_planned_or_told_what_is_wrong(body: bytes, plan: Callable[[bytes], DryRun]) -> None:
    told_well(plan(body))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.sampled_from(BODIES), cut=st.integers(0, 2000), noise=st.binary(max_size=20))
def test_a_broken_off_message_too(body: bytes, cut: int, noise: bytes, plan: Callable[[bytes], DryRun]) -> None:
    run = plan(body[:cut] + noise + body[cut + len(noise) :][: 10 * cut])
    assert [one for one in run.troubles if one.fault == "bug"] == []


@pytest.mark.parametrize("trigger", [f"A{number:02d}" for number in range(1, 63)])
@pytest.mark.parametrize("segments", ["", "MRG|OLD|||X||Y|Z", "PID|2||P2||B^B", "PV1|1|I|W^1^2|||W^1^1|||||||||||||V1"])
def test_every_trigger_of_adt(trigger: str, segments: str, plan: Callable[[str], DryRun]) -> None:
    told_well(plan(f"MSH|^~\\&|EHR|H|||20260301||ADT^{trigger}|1|P|2.3\nEVN|{trigger}|20260301\nPID|1||P1||A^A\n{segments}"))


@pytest.mark.parametrize("trigger", [f"S{number:02d}" for number in range(12, 28)])
def test_every_trigger_of_siu(trigger: str, plan: Callable[[str], DryRun]) -> None:
    told_well(plan(f"MSH|^~\\&|EHR|H|||20260301||SIU^{trigger}|1|P|2.3\nSCH|A1||||||||||^^^202603010900"))


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.9", "", "2.5^FRA^2.11"])
@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_every_version_is_read_alike(version: str, fixture: Path, plan: Callable[[bytes], DryRun]) -> None:
    body = fixture.read_bytes()
    header, rest = body.split(b"\n", 1)
    fields = header.split(b"|")
    fields[11] = version.encode()
    ours, theirs = plan(body), plan(b"|".join(fields) + b"\n" + rest)
    assert ours.verdict == theirs.verdict
    assert [one.body for one in ours.plan.events if not one.type.startswith("order.")] == [
        one.body for one in theirs.plan.events if not one.type.startswith("order.")
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
GOOD = {"kind": "supply-use", "use": "U1", "ward": "W", "used_at": "2026-03-01T07:40:00+01:00"}
ITEM = {"product": "GLV-M", "quantity": 2, "unit": "BOX"}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.dictionaries(st.sampled_from(["use", "ward", "used_at", "items", "more"]), JSON, max_size=2),
    item=st.dictionaries(st.sampled_from(["product", "quantity", "unit", "lot"]), JSON, max_size=2),
)
def test_a_mutated_document_too(changes: dict[str, object], item: dict[str, object], plan: Callable[[bytes], DryRun]) -> None:
    document = {**GOOD, "items": [ITEM, {**ITEM, **item}], **changes}
    told_well(plan(json.dumps(document).encode()))
