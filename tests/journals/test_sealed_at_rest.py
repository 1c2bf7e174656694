"""Nothing on the disk tells who the patient is; and with sealing off, the same look finds it (so the look is a real one)."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

from msgspec import structs

from isthmus.core.contract import Violation
from isthmus.core.lookup import Answer
from isthmus.core.message import Message
from isthmus.core.outcome import Delivered, Receipt, Reject
from isthmus.journals.port import Arrival, Planned, Query, Settlement, Translated
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal
from isthmus.journals.suite.samples import ADT, BILL, DISCHARGED, ME, ODOO, START, at, claim, delivery, envelope, message

NAME, NUMBER, VISIT, BIRTH = "Zyxwvut^Quirin", "MRN-8675309", "VISIT-424242", "19481103"
SECRETS = [text.encode() for text in (NAME, NUMBER, VISIT, BIRTH, "Quirin")]


class Plain(Keyring):
    """Sealing switched off: what the drill must be able to notice."""

    def seal(self, body: bytes, aad: bytes) -> bytes:
        return body

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        return sealed

    def token(self, kind: str, value: str) -> bytes:
        return sha1(value.encode(), usedforsecurity=False).digest()[:16]


async def _play(journal: SqliteJournal, look: Path) -> set[bytes]:
    """Patients in every place where a field could carry one; looked for while it runs, and after everything that can happen."""
    hits: set[bytes] = set()
    await journal.enrol(BILL, frozenset((DISCHARGED,)))
    for n in range(14):
        one: Message = structs.replace(
            message(f"{VISIT}-{n}", body=f"MSH|^~\\&|EHR\rPID|1||{NUMBER}||{NAME}||{BIRTH}".encode()),
            sender=f"EHR|{NAME}", kind=f"ADT^{NAME}", correlation_id=f"{NUMBER}/{n}",
        )  # fmt: skip
        broken = Violation(f"PID-3 {NUMBER}", "type", f"mend {NAME}", "warning")
        await journal.receive(
            [
                Arrival(
                    message=one,
                    state="received",
                    identifiers=(("patient", NUMBER), ("visit", VISIT)),
                    ack=NAME.encode(),
                    violations=(broken,),
                )
            ]
        )
        cause = structs.replace(
            envelope(one, f"{NUMBER}/{n}", ordering_key=NUMBER, body=f'{{"name":"{NAME}"}}'.encode()), correlation_id=NUMBER
        )
        found = Translated(message_id=one.id, events=(cause,), detail=NAME, identifiers=(("birth", BIRTH),), violations=(broken,))
        await journal.translated([found], START)
        (kept,) = await journal.upcoming(BILL, 1)
        mine = structs.replace(
            delivery(kept, f"inv {NUMBER} {n}", ordering_key=NUMBER, body=f'{{"name":"{NAME}","born":{BIRTH}}}'.encode()),
            operation=f"PUT /{NUMBER}", correlation_id=NUMBER, content_type=f"text/{NAME}",
        )  # fmt: skip
        answers = (Answer("l1", "odoo", f"payer of {NUMBER}", NAME.encode()),)
        await journal.planned(BILL, kept.seq, [Planned(event_id=kept.id, deliveries=(mine,), answers=answers)], START)
        for taken in await claim(journal):
            good = Delivered(receipts=(Receipt("business", NAME, f"partner/{NUMBER}"),))
            outcome = Reject(NAME, f"no such patient {NUMBER}") if n % 7 == 6 else good
            state = "dead" if n % 7 == 6 else "delivered"
            await journal.settle(
                [
                    Settlement(
                        delivery_id=taken.delivery.id, outcome=outcome, state=state, started_at=START, ended_at=START, reason="rejected"
                    )
                ],
                ME,
            )
            if state == "dead":
                await journal.abandon([taken.delivery.id], NAME, f"died: {NUMBER}", START)
        hits |= _found(look)
    await journal.receipt(f"inv {NUMBER} 3", ODOO, Receipt("application", NAME, NUMBER), START)
    await journal.stop(BILL, "exception", f"bill:17 {NAME}", START)
    story = await journal.story(mine.id)
    assert story is not None
    await journal.reprocess(
        story.message.id,
        Translated(message_id=story.message.id, detail=NAME, violations=(broken,), identifiers=(("name", NAME),)),
        {}, by=NAME, why=NUMBER, now=START,
    )  # fmt: skip
    hits |= _found(look)
    await journal.prune(ADT, at(9999), at(9999), limit=10)
    return hits | _found(look)


def _found(folder: Path) -> set[bytes]:
    """Which secrets are in any file: database, log, index of the log, lock, temporary."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert {"journal.sqlite", "journal.sqlite-wal"} <= {file.name for file in files}
    return {secret for file in files for secret in SECRETS if secret in (data := file.read_bytes()) or secret.lower() in data.lower()}


async def test_nothing_on_the_disk_tells_who_the_patient_is(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", Keyring.load_or_create(tmp_path / "keys" / "keyring.json"))
    await journal.open()
    assert await _play(journal, tmp_path) == set()
    assert len(await journal.find(Query(identifier=NUMBER))) == 14
    await journal.close()
    assert not any(secret in (tmp_path / "journal.sqlite").read_bytes() for secret in SECRETS)


async def test_with_sealing_off_the_same_look_finds_every_secret(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", Plain.ephemeral())
    await journal.open()
    assert await _play(journal, tmp_path) == set(SECRETS)
    await journal.close()
