"""A drill that cannot fail proves nothing: every kind of harm is done on purpose, and must be told by its ids."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from drill.course import drilled, told
from msgspec import structs

from isthmus.app.drill.catalogue import Drill
from isthmus.app.drill.disks import Image, why_not_image
from isthmus.app.drill.field import DoStrike, Field, Hurt
from isthmus.app.drill.sinks import Portal, Receiver


def tampering(tamper: Callable[[Field], None]) -> DoStrike:
    """A drill during which somebody changes what the witnesses hold, after all is worked off."""

    async def strike(field: Field) -> Hurt:
        async def later() -> None:
            tamper(field)

        async with field.harm():
            await field.load.more(10, 30)
        field.after.append(later)
        return Hurt(1, "somebody changed what is there")

    return strike


def chart(field: Field) -> Portal:
    sink = field.sandbox.sinks["chart"]
    assert isinstance(sink, Portal)
    return sink


def an_effect_disappears(field: Field) -> None:
    del chart(field).practice.effects[3]


def an_effect_is_there_twice(field: Field) -> None:
    effects = chart(field).practice.effects
    effects.append(effects[3])


def two_of_one_patient_change_places(field: Field) -> None:
    """The first and the last of whoever has most."""
    lab = field.sandbox.sinks["lab"]
    assert isinstance(lab, Receiver)
    by_patient: dict[bytes, list[int]] = {}
    for place, message in enumerate(lab.practice.effects):
        by_patient.setdefault(message.split(b"\r")[1], []).append(place)
    chart_effects = chart(field).practice.effects
    most = max(by_patient.values(), key=len)
    if len(most) > 1:
        effects = lab.practice.effects
        effects[most[0]], effects[most[-1]] = effects[most[-1]], effects[most[0]]
    else:
        chart_effects.reverse()


def an_effect_that_nobody_ordered(field: Field) -> None:
    effects = chart(field).practice.effects
    stranger = structs.replace(effects[0], headers={**effects[0].headers, "idempotency-key": "nobodys"})
    effects.append(stranger)


def an_acknowledged_message_is_forgotten(field: Field) -> None:
    """Its sender holds an AA for something that the journal never saw."""
    said = field.load.ledger[0]
    field.load.ledger.append(structs.replace(said, saying=structs.replace(said.saying, message_id="f" * 32, control_id="FORGOTTEN")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tamper", "where", "ids"),
    [
        (an_effect_disappears, "lost", "delivery "),
        (an_effect_is_there_twice, "doubled", "chart holds "),
        (two_of_one_patient_change_places, "reordered", "arrived after"),
        (an_effect_that_nobody_ordered, "strange", "nobodys"),
        (an_acknowledged_message_is_forgotten, "lost", "FORGOTTEN"),
    ],
)
async def test_harm_is_told_by_its_ids(tamper: Callable[[Field], None], where: str, ids: str) -> None:
    drill = Drill(name="tampered", title="", words="", strike=tampering(tamper))
    report = await drilled(drill)
    assert report.verdict == "failed", told(report)
    assert report.account is not None
    found: list[str] = getattr(report.account, where)
    assert found
    assert ids in found[0], told(report)


async def test_a_fault_that_never_struck_is_no_pass() -> None:
    async def strike(field: Field) -> Hurt:
        async with field.harm():
            await field.load.more(5, 30)
        return Hurt(0, "nothing happened")

    report = await drilled(Drill(name="idle", title="", words="", strike=strike))
    assert report.verdict == "did not hurt", told(report)


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not_image()), reason=f"no disk on an image file: {why_not_image()}")
async def test_a_disk_that_lies_about_what_it_has_synced_is_found_out() -> None:
    """The power drill with a disk that keeps what it was told to sync in a cache of its own: what was acknowledged is gone."""

    async def strike(field: Field) -> Hurt:
        disk = field.sandbox.disk
        assert isinstance(disk, Image)
        async with field.harm():
            await field.node.freeze()
            disk.photograph()
            field.node.thaw()
            await field.load.more(20, 30)
            await field.node.kill()
            gone = await disk.come_back()
            await field.node.start()
        return Hurt(gone, "the disk lied")

    report = await drilled(Drill(name="liar", title="", words="", strike=strike, disk="image"))
    assert report.verdict == "failed", told(report)
    assert report.account is not None
    assert len(report.account.lost) >= 15, "messages that were acknowledged are in no journal"
    assert any("acknowledged, and not in the journal" in one for one in report.account.lost)
