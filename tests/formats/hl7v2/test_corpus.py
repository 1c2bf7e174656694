"""The public corpus beside the checkout: every message survives, and the oddities it holds are met as written."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import pytest

from isthmus.core.contract import Verdict
from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2 import HL7V2, Batch, Contract, Hl7, mllp, read_acknowledgement, rule, split

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "hl7v2"
pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason="the public message corpus is not beside this checkout (../shared/corpus)"),
]
VERDICTS: tuple[Verdict, ...] = ("accepted", "invalid", "refused", "busy")
REAL_FEEDS = Contract(
    "ADT^*", "ORU^*", required=("MSH-9",),
    rules=(rule("OBX-5", type="OBX-2"), rule("PID-7", type="DTM"), rule("PID-8", codes="FMOUAN", table="HL70001"), rule("OBX-1", type="SI")),
)  # fmt: skip


@cache
def files() -> dict[str, bytes]:
    found = sorted(path for path in CORPUS.rglob("*") if path.suffix in (".hl7", ".hl7v2", ".out"))
    assert len(found) > 300
    return {path.name: path.read_bytes() for path in found}


@cache
def messages() -> tuple[bytes, ...]:
    return tuple(message for data in files().values() for message in split(data).messages)


def test_every_file_is_taken_apart_without_losing_a_byte() -> None:
    for name, data in files().items():
        found = split(data)
        assert b"".join(data[piece.start : piece.end] for piece in found.pieces) == data, name
        starts = [line for line in data.replace(b"\r", b"\n").split(b"\n") if line.lstrip(b"\xef\xbb\xbf \x0b").startswith(b"MSH|")]
        assert len(found.messages) == len(starts), name


def test_every_message_is_itself_again_and_can_be_walked() -> None:
    assert len(messages()) > 880
    for body in messages():
        message = Hl7(body)
        assert bytes(message) == body
        separator = message.encoding.field
        for segment in message:
            assert bytes(segment) in message.view
            again = separator.join(segment.fields[:1] + segment.fields[2:] if segment.name == "MSH" else segment.fields)
            assert again == bytes(segment)
            for number in range(1, len(segment) + 1):
                segment[number].text  # noqa: B018 - decodes and unescapes


def test_every_message_is_answered_and_the_answer_names_it() -> None:
    for body in messages():
        header = HL7V2.header(body)
        document = Hl7(body)
        assert (header.kind, header.control_id) == (document.kind, document.control_id)
        violations = REAL_FEEDS.check(document)
        for verdict in VERDICTS:
            answer = HL7V2.acknowledge(body, verdict, violations, reply_id="R1", at="20240101")
            if answer is not None:
                found = read_acknowledgement(answer)
                assert found.control_id == header.control_id
                assert found.accepted == (verdict == "accepted")


def test_lenient_rules_refuse_none_of_the_real_feeds() -> None:
    refused = [body for body in messages() if any(one.severity == "error" for one in REAL_FEEDS.check(Hl7(body)))]
    assert {HL7V2.header(body).kind for body in refused} == {""}  # only those without MSH-9


def test_every_field_can_be_replaced_alone() -> None:
    rng = random.Random(31)
    for body in rng.sample(messages(), 60):
        message = Hl7(body)
        segment = rng.choice(list(message))
        number = rng.randint(3, len(segment) + 2)
        changed = message.replace(f"{segment.name}[{segment.occurrence}]-{number}", "CHANGED")
        again = list(changed)
        for before, after in zip(message, again, strict=True):
            if before.where == segment.where:
                assert after[number].raw == b"CHANGED"
                assert after.fields[:number] == (before.fields + [b""] * 3)[:number]
                assert after.fields[number + 1 :] == before.fields[number + 1 :]
            else:
                assert bytes(after) == bytes(before)


def test_the_feed_of_the_simulated_hospital_is_531_messages() -> None:
    found = split(files()["messages-shared.out"])
    assert len(found.messages) == 531
    assert found.violations == ()
    assert {piece.what for piece in found.pieces} == {"message"}
    kinds = [HL7V2.header(body).kind for body in found.messages]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"ORU^R01": 322, "ADT^A01": 207, "MDM^T02": 1, "ADT^A34": 1}


def test_a_framed_feed_arrives_whole_in_any_packets() -> None:
    stream = b"".join(mllp.frame(body) for body in messages())
    rng = random.Random(7)
    decoder, events, position = mllp.Decoder(), [], 0
    while position < len(stream):
        size = rng.choice([1, 10, 1460, 65_536])
        events += decoder.feed(stream[position : position + size])
        position += size
    assert [event for event in events if not isinstance(event, mllp.Frame)] == []
    assert [event.body for event in events if isinstance(event, mllp.Frame)] == list(messages())


def test_batches_of_the_corpus() -> None:
    def counted(name: str) -> tuple[int, list[str]]:
        found: Batch = split(files()[name])
        return len(found.messages), [one.rule for one in found.violations]

    assert counted("sample-batch-pdi-20210608-0001.hl7") == (20, [])
    assert counted("test-0001-az-covid-19-hl7.hl7") == (5, [])
    assert counted("Example-hl7-file.hl7") == (1, [])
    assert counted("batch_message.hl7") == (2, [])
    assert counted("005_AL_ORU_R01_NBS_Simplified_0_initial_message.hl7") == (1, ["trailer", "trailer"])


def only(name: str) -> Hl7:
    (body,) = split(files()[name]).messages
    return Hl7(body)


def test_oddities_01_and_04_in_their_file() -> None:
    message = only("sample_unix.hl7")
    assert [segment.name for segment in message] == ["MSH", "EVN", "PID", "PV1", "OBX", "AL1", "AL1", "PRB"]
    assert (message["PID-3.4"], message["PID-3.5"], message["OBX-11"]) == ("A", "MR", "F")
    assert [one.where for one in message.oddities()] == ["MSH-2"]


def test_oddity_02_and_03_in_their_files() -> None:
    marked = [name for name, data in files().items() if data.startswith(b"\xef\xbb\xbf")]
    assert len(marked) > 10
    assert all(only(name).kind for name in marked)
    five = only("EI-to-Identifier-default-assigner.hl7")
    assert five.oddities() == ()
    assert five["MSH-2"] == "^~\\&#"


def test_oddities_05_to_07_in_their_files() -> None:
    assert split(files()["empty.hl7"]).messages == ()
    with pytest.raises(Invalid):
        Hl7(files()["empty.hl7"])
    assert only("msh_present_but_missing_all_fields.hl7").kind == ""
    assert only("msh_present_but_missing_msh-2.hl7").kind == "ORM^O01"
    assert only("msh_present_but_missing_msh-9.hl7").control_id == "111111"
    without = only("msh_present_but_missing_msh-10.hl7")
    assert (without.kind, without.control_id) == ("ORM^O01", "")


def test_oddities_13_15_19_and_23_in_their_files() -> None:
    micro = only("008_ORU_R01_micro_character_encoding.hl7")
    assert any("µ" in value for value in micro.values("OBX-6"))
    assert [one.where for one in micro.oddities()] == ["MSH-18"]
    several = only("MSH-to-MessageHeader-handles-multiple-msh18.hl7")
    assert len(several.values("MSH-18")) > 1
    assert several.oddities() == ()
    nulls = [body for body in split(files()["messages-shared.out"]).messages if b'|""|' in body]
    assert nulls
    assert all(any(segment[number].is_null for segment in Hl7(body) for number in range(1, len(segment) + 1)) for body in nulls)
    (malformed,) = (name for name in files() if name.startswith("011_AL_ORM_O01_malformed_DTM") and "initial" in name)
    assert [(one.where, one.rule, one.severity) for one in REAL_FEEDS.check(only(malformed))] == [("OBX-5", "type", "warning")]
    with pytest.raises(Invalid, match="type: OBX-5"):
        only(malformed).time("OBX-5")


def test_mutated_messages_raise_nothing_but_invalid() -> None:
    rng = random.Random(531)
    letters = b'|^~\\&#\r\n\x0b\x1c\x00\x1b\xff\xc3\xe9" MSHPID1X.-'
    for _ in range(400):
        body = bytearray(rng.choice(messages())[:1500])
        for _ in range(rng.randint(1, 12)):
            at = rng.randrange(len(body))
            body[at : at + rng.randint(0, 3)] = bytes(rng.choices(letters, k=rng.randint(0, 4)))
        exercise(bytes(body))


def exercise(body: bytes) -> None:
    found = split(body)
    assert b"".join(body[piece.start : piece.end] for piece in found.pieces) == body
    for verdict in VERDICTS:
        answer = HL7V2.acknowledge(body, verdict, (), reply_id="R1", at="2024")
        assert answer is None or read_acknowledgement(answer).accepted == (verdict == "accepted")
    try:
        message = HL7V2.open(body)
    except Invalid:
        with pytest.raises(Invalid):
            HL7V2.header(body)
        return
    assert bytes(message) == body
    assert HL7V2.header(body).control_id == message.control_id
    REAL_FEEDS.check(message)
    HL7V2.identifiers(message)
    for segment in message:
        for number in range(1, len(segment) + 1):
            segment[number].text  # noqa: B018 - decodes and unescapes
