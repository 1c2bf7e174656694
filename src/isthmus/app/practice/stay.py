"""One patient's stay, from the door to the invoice, as the messages of all systems that took part in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from msgspec import Struct, structs

from isthmus.app.practice.population import Patient, bed, patient
from isthmus.app.practice.speech import Utterance, hl7, segment, stamp

TESTS = (("718-7", "Haemoglobin", "g/L", 120, 165), ("2823-3", "Potassium", "mmol/L", 3.4, 5.1), ("1988-5", "CRP", "mg/L", 0, 60))
CHARGES = (("BED", 410), ("LAB01", 38), ("XR-CHEST", 95), ("CONS", 140), ("SURG-2", 1850), ("PHYS", 55), ("ECG", 62))
DRUGS = (("AMOX500", 21), ("IBU400", 12), ("PARA500", 16), ("ENOX40", 10), ("OND4", 6))
SUPPLIES = (("GLV-M", 4), ("SYR-10", 3), ("CATH-18", 1), ("DRESS-S", 2), ("MASK-2", 5))


def hours(rng: Random, low: float, high: float) -> timedelta:
    return timedelta(seconds=rng.uniform(low, high) * 3600)


class _Speaker:
    """Numbers and writes what the systems say about one patient."""

    def __init__(self, who: Patient, index: int, place: str) -> None:
        self.who = who
        self.place = place
        self._index = index
        self._said = 0

    def say(self, system: str, kind: str, at: datetime, *segments: str, person: Patient | None = None) -> Utterance:
        self._said += 1
        about = person or self.who
        body = hl7(
            system=system,
            kind=kind,
            control_id=f"{system[0].upper()}{self._index:07d}{self._said:03d}",
            at=at,
            segments=[self.pid(about), *segments],
        )
        return Utterance(at=at, system=system, about=self.who.number, kind=kind, body=body)

    def pid(self, person: Patient) -> str:
        return segment(
            "PID",
            {
                1: "1",
                3: f"{person.number}^^^PRACTICE^MR",
                5: f"{person.family}^{person.given}",
                7: person.born.strftime("%Y%m%d"),
                8: person.sex,
                11: f"{person.street}^^Practiceville^^0000^XX",
                18: f"{person.visit}^^^PRACTICE^AN",
            },
        )

    def visit(self, *, patient_class: str = "I", prior: str = "", admitted: datetime, discharged: datetime | None = None) -> str:
        fields = {1: "1", 2: patient_class, 3: self.place, 6: prior, 10: "MED", 19: f"{self.who.visit}^^^PRACTICE^VN", 44: stamp(admitted)}
        return segment("PV1", fields | ({45: stamp(discharged)} if discharged else {}))


class Stay(Struct, frozen=True, kw_only=True):
    index: int
    seed: str
    arrived: datetime

    def utterances(self) -> Iterator[Utterance]:
        """All of it, ordered in time."""
        rng = Random(f"{self.seed}/{self.index}")
        who = patient(rng, self.index)
        speaker = _Speaker(who, self.index, bed(rng))
        tell = _inpatient if rng.random() < 0.7 else _outpatient
        yield from sorted(tell(speaker, rng, self.arrived), key=lambda one: one.at)


def _inpatient(speaker: _Speaker, rng: Random, at: datetime) -> Iterator[Utterance]:
    admitted, leaves = at, at + hours(rng, 20, 90)
    yield speaker.say("ehr", "ADT^A01^ADT_A01", at, speaker.visit(admitted=admitted))
    for number in range(rng.randrange(1, 4)):
        yield from _laboratory(speaker, rng, at + hours(rng, 0.2, 18), number, speaker.visit(admitted=admitted))
    for number in range(rng.randrange(0, 3)):
        yield from _dispensing(speaker, rng, at + hours(rng, 1, 19), number)
    for number in range(rng.randrange(0, 3)):
        yield _supply_use(speaker, rng, at + hours(rng, 0.5, 19), number)
    if rng.random() < 0.5:
        yield speaker.say("ehr", "ADT^A08^ADT_A01", at + hours(rng, 0.5, 10), speaker.visit(admitted=admitted))
    if rng.random() < 0.3:
        before, speaker.place = speaker.place, bed(rng)
        yield speaker.say("ehr", "ADT^A02^ADT_A02", at + hours(rng, 11, 19), speaker.visit(admitted=admitted, prior=before))
    gone = speaker.visit(admitted=admitted, discharged=leaves)
    yield speaker.say("ehr", "ADT^A03^ADT_A03", leaves, gone)
    if rng.random() < 0.03:
        back = leaves + hours(rng, 0.1, 0.5)
        yield speaker.say("ehr", "ADT^A13^ADT_A01", back, speaker.visit(admitted=admitted))
        leaves = back + hours(rng, 1, 6)
        yield speaker.say("ehr", "ADT^A03^ADT_A03", leaves, speaker.visit(admitted=admitted, discharged=leaves))
    yield from _charges(speaker, rng, leaves + hours(rng, 0.3, 3), gone)
    yield from _appointment(speaker, rng, leaves + hours(rng, 0.1, 1))
    if rng.random() < 0.02:
        other = structs.replace(speaker.who, number=speaker.who.number.replace("P", "D"))
        yield speaker.say("ehr", "ADT^A28^ADT_A05", at + hours(rng, 0.1, 0.2), person=other)
        merged = f"MRG|{other.number}^^^PRACTICE^MR"
        yield speaker.say("ehr", "ADT^A40^ADT_A39", leaves + hours(rng, 3, 4), merged)


def _outpatient(speaker: _Speaker, rng: Random, at: datetime) -> Iterator[Utterance]:
    visit = speaker.visit(patient_class="O", admitted=at)
    yield from _appointment(speaker, rng, at)
    seen = at + hours(rng, 24, 72)
    yield speaker.say("ehr", "ADT^A04^ADT_A01", seen, visit)
    yield from _laboratory(speaker, rng, seen + hours(rng, 0.1, 0.5), 9, visit)
    yield from _charges(speaker, rng, seen + hours(rng, 2, 6), visit)


def _laboratory(speaker: _Speaker, rng: Random, at: datetime, number: int, visit: str) -> Iterator[Utterance]:
    code, name, unit, low, high = rng.choice(TESTS)
    placer, filler = f"O{speaker.who.visit[1:]}{number}", f"L{speaker.who.visit[1:]}{number}"
    obr = {1: "1", 2: placer, 4: f"{code}^{name}^LN", 7: stamp(at)}
    yield speaker.say("ehr", "OML^O21^OML_O21", at, visit, segment("ORC", {1: "NW", 2: placer, 9: stamp(at)}), segment("OBR", obr))
    done = at + hours(rng, 0.5, 1.9)
    result = {
        1: "1",
        2: "NM",
        3: f"{code}^{name}^LN",
        5: f"{rng.uniform(low, high):.1f}",
        6: unit,
        7: f"{low}-{high}",
        11: "F",
        14: stamp(done),
    }
    answered = obr | {3: filler, 22: stamp(done), 25: "F"}
    order = segment("ORC", {1: "RE", 2: placer, 3: filler})
    yield speaker.say("lab", "ORU^R01^ORU_R01", done, visit, order, segment("OBR", answered), segment("OBX", result))
    if rng.random() < 0.04:
        corrected = segment("OBX", result | {5: f"{rng.uniform(low, high):.1f}", 11: "C"})
        later = done + hours(rng, 0.1, 0.9)
        yield speaker.say("lab", "ORU^R01^ORU_R01", later, visit, order, segment("OBR", answered | {22: stamp(later), 25: "C"}), corrected)


def _dispensing(speaker: _Speaker, rng: Random, at: datetime, number: int) -> Iterator[Utterance]:
    drug, amount = rng.choice(DRUGS)
    order = f"R{speaker.who.visit[1:]}{number}"
    yield speaker.say(
        "pharmacy",
        "RDS^O13^RDS_O13",
        at,
        segment("ORC", {1: "RE", 2: order, 3: f"F{order[1:]}"}),
        segment("RXE", {2: f"{drug}^{drug}^LOCAL", 3: str(amount), 5: "TAB", 10: str(amount)}),
        segment("RXD", {1: "1", 2: f"{drug}^{drug}^LOCAL", 3: stamp(at), 4: str(amount), 5: "TAB", 7: f"{order}-1"}),
    )


def _supply_use(speaker: _Speaker, rng: Random, at: datetime, number: int) -> Utterance:
    item, most = rng.choice(SUPPLIES)
    use = {
        "use": f"U{speaker.who.visit[1:]}-{number}",
        "ward": speaker.place.split("^")[0],
        "used_at": at.isoformat(timespec="seconds"),
        "items": [{"product": item, "quantity": rng.randrange(1, most + 1)}],
    }
    return Utterance(at=at, system="supply", about=item, kind="supply-use", body=json.dumps(use).encode())


def _charges(speaker: _Speaker, rng: Random, at: datetime, visit: str) -> Iterator[Utterance]:
    chosen = rng.sample(CHARGES, rng.randrange(1, 5))
    payer = speaker.who.payer
    insurance = [segment("IN1", {1: "1", 2: f"{payer[0]}-PLAN", 3: payer[0], 4: payer[1]})] if payer else []

    def charge(number: int, code: str, price: int, kind: str) -> str:
        transaction = f"T{speaker.who.visit[1:]}-{number}"
        return segment(
            "FT1",
            {
                1: str(number),
                2: transaction,
                4: stamp(at),
                6: kind,
                7: f"{code}^{code}^LOCAL",
                10: "1",
                11: f"{price}&EUR",
                12: f"{price}&EUR",
            },
        )

    lines = [charge(number, code, price, "CG") for number, (code, price) in enumerate(chosen, 1)]
    yield speaker.say("ehr", "DFT^P03^DFT_P03", at, visit, *lines, *insurance)
    if rng.random() < 0.03:
        code, price = chosen[0]
        yield speaker.say("ehr", "DFT^P03^DFT_P03", at + hours(rng, 1, 5), visit, charge(91, code, price, "CR"), *insurance)


def _appointment(speaker: _Speaker, rng: Random, at: datetime) -> Iterator[Utterance]:
    number = f"A{speaker.who.visit[1:]}"
    chance = rng.random()
    missed = 0.28 <= chance < 0.32
    # A patient who does not come had an appointment at short notice, so that the no-show is heard within the same days.
    start = (at + timedelta(days=1 if missed else rng.randrange(7, 60))).replace(
        hour=rng.randrange(8, 17), minute=rng.choice((0, 20, 40)), second=0
    )

    def scheduled(kind: str, when: datetime, start: datetime, status: str) -> Utterance:
        timing = f"^^20^{stamp(start)}^{stamp(start + timedelta(minutes=20))}"
        sch = segment("SCH", {1: number, 2: number, 6: "FOLLOWUP", 7: "FOLLOWUP", 9: "20", 10: "min", 11: timing, 25: status})
        return speaker.say(
            "ehr", f"SIU^{kind}^SIU_S12", when, sch, segment("RGS", {1: "1"}), segment("AIL", {1: "1", 3: "OPD^01", 6: stamp(start)})
        )

    yield scheduled("S12", at, start, "Booked")
    if chance < 0.2:
        start += timedelta(days=rng.randrange(1, 14))
        yield scheduled("S13", at + hours(rng, 1, 9), start, "Booked")
    elif chance < 0.28:
        yield scheduled("S15", at + hours(rng, 1, 9), start, "Cancelled")
    elif missed:
        yield scheduled("S26", start + timedelta(minutes=30), start, "Noshow")
