# ruff: noqa: INP001 - beside a script
"""Writes a SQLite journal with millions of messages by plain SQL, in the row shapes and with the indexes of the real one."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct, convert, to_builtins

from isthmus.core.delivery import Delivery
from isthmus.core.event import Envelope
from isthmus.core.ids import derive_id
from isthmus.core.message import Message
from isthmus.journals.port import Arrival
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite.intake import identifier_key, kind_token
from isthmus.journals.sqlite.locator import FANOUT_BITS, FIRST_BITS, entry, id_key, prefix
from isthmus.journals.sqlite.records import MessageHead, StepRecord, body_aad, seal_delivery, seal_event, seal_head, seal_step
from isthmus.journals.sqlite.schema import connect, migrate
from isthmus.journals.sqlite.session import Session, micros, nothing_known, place
from isthmus.journals.sqlite.stages import delivery_key, line_token
from isthmus.journals.sqlite.tidier import ENOUGH

START = datetime(2026, 3, 2, tzinfo=UTC)
ELSEWHERE = "portal"
"""Another endpoint, where nothing waits."""
INTERFACE, TYPE, SUBSCRIPTION, ENDPOINT = "ehr.adt", "patient.admitted", "odoo.bill", "odoo"
PATIENTS = 100_000
ENTRIES = 7
"""Of the locator for one message: itself, control id, patient, visit, its event, its delivery, the delivery's key."""
FIRST_RUN = ENOUGH // ENTRIES
"""Messages of a smallest run."""
REAL = 997
"""Every so many messages one is sealed for real."""
CHUNK = 20_000
ACK = b"MSA|AA|" * 15
FILLER = bytes(range(256)) * 6


class Sample(Struct):
    message_id: str
    visit: str
    patient: str

    @classmethod
    def of(cls, one: Arrival) -> Sample:
        told = dict(one.identifiers)
        return cls(one.message.id, told["visit"], told["patient"])


def patient_of(number: int) -> str:
    return str(number * 7919 % PATIENTS)


def arrival(number: int, size: int = 1_450) -> Arrival:
    control_id = str(number)
    body = b"MSH|^~\\&|EHR|HOSP|||20260302||ADT^A01|" + control_id.encode() + b"\r" + FILLER[: size - 50]
    message_id = derive_id("message", INTERFACE, "EHR|HOSP", control_id, body)
    message = Message(
        id=message_id, interface=INTERFACE, source="clinical", body=body, received_at=START + timedelta(milliseconds=number),
        correlation_id=message_id, kind="ADT^A01", sender="EHR|HOSP", control_id=control_id,
    )  # fmt: skip
    return Arrival(message=message, state="received", identifiers=(("patient", patient_of(number)), ("visit", "V" + control_id)), ack=ACK)


def event_of(message: Message) -> Envelope:
    return Envelope(
        id=derive_id("event", message.id), type=TYPE, version=1, key=message.control_id,
        ordering_key=patient_of(int(message.control_id)), correlation_id=message.id, causation_id=message.id, body=FILLER[:300],
    )  # fmt: skip


def delivery_of(event: Envelope, endpoint: str = ENDPOINT) -> Delivery:
    return Delivery(
        endpoint=endpoint, operation="upsert account.move", key=event.key, body=FILLER[:400], ordering_key=event.ordering_key,
        id=derive_id("delivery", event.id), subscription=SUBSCRIPTION, correlation_id=event.correlation_id, causation_id=event.id,
    )  # fmt: skip


class _Run:
    """A run while it is gathered: its pages as they will lie in the table."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.pages = [bytearray() for _ in range(1 << bits)]

    def add(self, one: bytes) -> None:
        self.pages[prefix(one) >> (32 - self.bits)] += one


def fill(path: Path, keyring: Keyring, plan: list[int], waiting: int, real: int = REAL) -> tuple[list[Sample], int]:
    """A journal as it would be after so many runs of each size, the largest first; its samples, and how many messages it has."""
    told = path.with_suffix(".json")
    if path.exists():
        known = json.loads(told.read_text())
        return convert(known["samples"], list[Sample]), known["made"]
    path.unlink(missing_ok=True)
    connection = connect(path)
    migrate(connection, path)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000", "locking_mode = EXCLUSIVE"):
        connection.execute("PRAGMA " + pragma)
    session = Session(connection, keyring, *nothing_known())
    sizes = [len(plan) - 1 - level for level, runs in enumerate(plan) for _ in range(runs)]
    total = sum(FIRST_RUN << FANOUT_BITS * size for size in sizes)
    filling = _Filling(session, total, waiting, real)
    connection.execute("BEGIN")
    session.run("keep_ring", keyring.id)
    session.run("keep_shelf", 1, INTERFACE)
    number = 0
    for run, size in enumerate(sizes):
        bits = FIRST_BITS + FANOUT_BITS * size
        runs = (_Run(bits), _Run(bits))
        for _ in range(0, FIRST_RUN << FANOUT_BITS * size, CHUNK):
            count = min(CHUNK, (FIRST_RUN << FANOUT_BITS * size) - number_in(run, sizes, number))
            filling.keep(range(number, number + count), runs)
            number += count
        for family, one in enumerate(runs):
            connection.execute(
                "INSERT INTO run (number, family, bits, state) VALUES (?, ?, ?, 'whole')", (2 * run + family + 1, family, bits)
            )
            base = 2 * run + family + 1 << 32
            session.many("keep_page", [(base | page, bytes(entries)) for page, entries in enumerate(one.pages) if entries])
    filling.end()
    connection.execute("COMMIT")
    connection.execute("PRAGMA locking_mode = NORMAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    told.write_text(json.dumps({"made": number, "samples": to_builtins(filling.samples)}))
    return filling.samples, number


def number_in(run: int, sizes: list[int], number: int) -> int:
    """How many messages of its run come before this one."""
    return number - sum(FIRST_RUN << FANOUT_BITS * size for size in sizes[:run])


class _Filling:
    def __init__(self, session: Session, total: int, waiting: int, real: int) -> None:
        self.session = session
        self.real = real
        self.first_waiting = total - waiting
        self.total = total
        self.samples: list[Sample] = []
        self.lines: set[bytes] = set()
        self.kind = kind_token(session, "ADT^A01")
        self.random = random.Random(3)  # noqa: S311 - ids of nobody

    def keep(self, numbers: range, runs: tuple[_Run, _Run]) -> None:
        tables: dict[str, list[tuple[object, ...]]] = {
            name: [] for name in ("keep_message", "keep_body", "keep_event", "keep_delivery", "keep_step", "fill_due")
        }
        for number in numbers:
            waits = number >= self.first_waiting
            self._one(number, tables, runs, real=number % self.real == 0 or waits, waits=waits)
        due = tables.pop("fill_due")
        for name, rows in tables.items():
            self.session.many(name, rows)
        self.session.connection.executemany(
            "INSERT INTO due (seq, endpoint, line, rank, lane, state, turn, ready_at, attempts) VALUES (?, ?, ?, ?, 1, 'due', ?, ?, 0)", due
        )

    def _one(self, number: int, tables: dict[str, list[tuple[object, ...]]], runs: tuple[_Run, _Run], *, real: bool, waits: bool) -> None:
        session, keyring = self.session, self.session.keyring
        at = micros(START) + number * 1000
        message, event, delivery, step = (session.next() for _ in range(4))
        control_id = str(number)
        if real:
            one = arrival(number, 200 if self.real > 1 else 1_450)
            caused = event_of(one.message)
            planned = delivery_of(caused)
            ids = one.message.id, caused.id, planned.id
            head = seal_head(keyring, ids[0], MessageHead("ADT^A01", "EHR|HOSP", control_id, None, one.ack))
            bodies = keyring.seal(one.message.body, body_aad(ids[0])), seal_event(keyring, caused), seal_delivery(keyring, planned)
            proof = seal_step(keyring, step, StepRecord("delivered", "", "", 0.01, (("transport", "200", ""),)))
            if number % REAL == 0:
                self.samples.append(Sample.of(one))
        else:
            drawn = f"{self.random.getrandbits(384):096x}"
            ids = drawn[:32], drawn[32:64], drawn[64:]
            head = seal_head(keyring, ids[0], MessageHead("ADT^A01", "EHR|HOSP", control_id, None, ACK))
            bodies, proof = (FILLER[:230], FILLER[:250], FILLER[:300]), FILLER[:70]
        tables["keep_message"].append((message, ids[0], 1, "clinical", at, 1450, "received", "", self.kind, head))
        tables["keep_event"].append((event, ids[1], message, 1, TYPE, 1, at, 1))
        tables["keep_delivery"].append((delivery, ids[2], message, 1, ENDPOINT, SUBSCRIPTION, 1, at, delivery))
        tables["keep_body"] += [(place(1, seq), body) for seq, body in zip((message, event, delivery), bodies, strict=True)]
        if waits:
            line = line_token(session, planned) or b""
            turn = None if line in self.lines else at
            self.lines.add(line)
            tables["fill_due"].append((delivery, ENDPOINT, line, delivery, turn, at))
        else:
            tables["keep_step"].append((message, step, delivery, at, "attempt", proof))
        for id, seq in zip(ids, (message, event, delivery), strict=True):
            runs[0].add(entry(id_key(id), seq))
        runs[1].add(entry(identifier_key(session, control_id), message))
        runs[1].add(entry(identifier_key(session, patient_of(number)), message))
        runs[1].add(entry(identifier_key(session, "V" + control_id), message))
        runs[1].add(entry(delivery_key(session, ENDPOINT, control_id), delivery))

    def end(self) -> None:
        session = self.session
        waiting = self.total - self.first_waiting
        for noun, name, state, count in (
            ("message", INTERFACE, "translated", self.total),
            ("event", TYPE, "kept", self.total),
            ("delivery", SUBSCRIPTION, "delivered", self.total - waiting),
            ("delivery", SUBSCRIPTION, "due", waiting),
        ):
            session.run("count", noun, name, state, count)
        session.connection.execute("INSERT INTO subscription (name, types, lane, cursor, waiting) VALUES (?, ?, 1, ?, 0)", (SUBSCRIPTION, json.dumps([TYPE]), session.next()))  # fmt: skip
        session.run("keep_last_seq", session.next())
