"""Upserts, tasks, appointments and withdrawals: the same promises whatever the protocol, the version, practice or real."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from connectors.odoo.bench import Bench, words

from isthmus.connectors.odoo import By, Line, Ref, Xml, ref
from isthmus.core.delivery import Delivery
from isthmus.core.outcome import Delivered, Reject, Retry, Unknown

PARTNER = "res.partner"
TEN = datetime(2031, 7, 1, 10, tzinfo=UTC)


async def test_an_upsert_makes_then_leaves_alone_then_writes_what_differs(bench: Bench) -> None:
    client, key = bench.client(), bench.key("supplier")
    first = words.upsert(PARTNER, key, {"name": "Med One", "ref": key, "is_company": True, "supplier_rank": 1, "email": None})
    (made,) = await bench.deliver(first, client=client)
    assert [receipt.kind for receipt in made.receipts] == ["application", "business"]
    assert made.receipts[-1].code == "written"
    row = await bench.row(made, "name", "supplier_rank", "email")
    assert (row["name"], row["supplier_rank"], row["email"]) == ("Med One", 1, False)
    (again,) = await bench.deliver(first, client=client)
    assert again.unchanged
    (changed,) = await bench.deliver(words.upsert(PARTNER, key, {"name": "Med Two", "supplier_rank": 0}), client=client)
    assert not changed.unchanged
    row = await bench.row(changed, "name", "supplier_rank", "ref")
    assert (row["name"], row["supplier_rank"], row["ref"]) == ("Med Two", 0, key), "fields that are not named keep what they have"


async def test_what_people_changed_in_odoo_is_written_again_and_what_they_deleted_is_made_again(bench: Bench) -> None:
    client, key = bench.client(), bench.key("supplier")
    delivery = words.upsert(PARTNER, key, {"name": "As we say", "ref": key})
    (made,) = await bench.deliver(delivery, client=client)
    record = (await bench.row(made, "id"))["id"]
    await bench.see(PARTNER, "write", [record], vals={"name": "As somebody typed"})
    (mended,) = await bench.deliver(delivery, client=client)
    assert not mended.unchanged
    assert (await bench.row(mended, "name"))["name"] == "As we say"
    await bench.see(PARTNER, "unlink", [record])
    (back,) = await bench.deliver(delivery, client=client)
    assert (await bench.row(back, "id"))["id"] != record
    assert await bench.count(PARTNER, [["ref", "=", key]]) == 1


async def test_many_that_are_unchanged_cost_one_call_and_many_that_changed_one_more_with_what_differs(bench: Bench) -> None:
    def contacts(city: str) -> list[Delivery]:
        values = [{"name": f"N{number}", "ref": bench.key(f"R{number}"), "city": city, "is_company": True} for number in range(50)]
        return [words.upsert("res.partner", bench.key(f"p{number}"), one) for number, one in enumerate(values)]

    client = bench.client()
    await bench.deliver(*contacts("Ghent"), client=client)
    domain = [["ref", "in", [bench.key(f"R{number}") for number in range(50)]]]
    dates = [row["write_date"] for row in await bench.rows("res.partner", domain, "write_date")]
    before = bench.proxy.seen
    assert all(one.unchanged for one in await bench.deliver(*contacts("Ghent"), client=client))
    assert bench.proxy.seen - before == 1
    assert [row["write_date"] for row in await bench.rows("res.partner", domain, "write_date")] == dates
    bench.proxy.plan("unavailable", bench.key("R1"))
    assert not any(one.unchanged for one in await bench.deliver(*contacts("Bruges"), client=client))
    assert (bench.proxy.seen - before, bench.proxy.hits) == (4, 0), "read, written, read; and the unchanged field was not written"
    assert {row["city"] for row in await bench.rows("res.partner", domain, "city")} == {"Bruges"}


async def test_values_of_every_kind_arrive_as_they_were_said(bench: Bench) -> None:
    client, key = bench.client(), bench.key("all")
    parent = ref(PARTNER, bench.key("parent"), name="Holding")
    category = ref("res.partner.category", bench.key("category"), name="Supplier")
    values = {
        "name": "Käse & Söhne <GmbH>",
        "ref": key,
        "comment": "<p>two lines</p>",
        "country_id": Xml("base.de"),
        "parent_id": parent,
        "category_id": [category],
        "type": "invoice",
        "active": False,
    }
    (made,) = await bench.deliver(words.upsert(PARTNER, key, values), client=client)
    row = await bench.row(made, "name", "country_id", "parent_id", "category_id", "type", "active")
    assert (row["name"], row["type"], row["active"]) == (values["name"], "invoice", False)
    assert row["country_id"][1] == "Germany"
    assert row["parent_id"][1].startswith("Holding")
    assert len(row["category_id"]) == 1
    cleared = {"country_id": None, "category_id": [], "active": True}
    (less,) = await bench.deliver(words.upsert(PARTNER, key, cleared), client=client)
    row = await bench.row(less, "country_id", "category_id", "active", "type")
    assert (row["country_id"], row["category_id"], row["active"], row["type"]) == (False, [], True, "invoice")


async def test_lines_have_keys_of_their_own_and_are_updated_in_place(bench: Bench) -> None:
    client, key = bench.client(), bench.key("group")

    def with_lines(second: str) -> object:
        lines = [
            Line(key=bench.key("one"), values={"name": "One", "ref": key}),
            Line(key=bench.key("two"), values={"name": second, "ref": key}),
        ]
        return words.upsert(PARTNER, key, {"name": "Group", "is_company": True, "child_ids": lines})

    await bench.deliver(with_lines("Two"), client=client)
    await bench.deliver(with_lines("Two"), client=client)
    await bench.deliver(with_lines("Zwei"))
    assert sorted(row["name"] for row in await bench.rows(PARTNER, [["ref", "=", key]], "name")) == ["One", "Zwei"]


async def test_a_ref_seeds_what_is_absent_and_never_overwrites(bench: Bench) -> None:
    payer = bench.key("payer")

    def child(name: str, seeded: str) -> object:
        return words.upsert(PARTNER, bench.key(name), {"name": name, "parent_id": ref(PARTNER, payer, name=seeded, ref=payer)})

    await bench.deliver(child("a", "First name"), child("b", "Other name"))
    await bench.deliver(child("c", "Third name"))
    rows = await bench.rows(PARTNER, [["ref", "=", payer]], "name")
    assert [row["name"] for row in rows] == ["First name"], "made once although two in one send differ"


async def test_a_remembered_reference_that_was_deleted_is_made_again(bench: Bench) -> None:
    client, mark = bench.client(), bench.key("parent")
    parent = ref(PARTNER, mark, name="Parent", ref=mark)
    await bench.deliver(words.upsert(PARTNER, bench.key("one"), {"name": "One", "parent_id": parent}), client=client)
    (row,) = await bench.rows(PARTNER, [["ref", "=", mark]], "id")
    await bench.see(PARTNER, "unlink", [row["id"]])
    (two,) = await bench.deliver(words.upsert(PARTNER, bench.key("two"), {"name": "Two", "parent_id": parent}), client=client)
    (again,) = await bench.rows(PARTNER, [["ref", "=", mark]], "id")
    assert (await bench.row(two, "parent_id"))["parent_id"][0] == again["id"] != row["id"]


async def test_a_check_finds_a_record_whose_reference_was_adopted(bench: Bench) -> None:
    code = bench.key("code")
    await bench.deliver(words.upsert("res.partner", bench.key("old"), {"name": "Kept before", "ref": code}))
    parent = ref(PARTNER, bench.key("new"), adopt="ref", name="Ours", ref=code)
    delivery = words.upsert(PARTNER, bench.key("child"), {"name": "Child", "parent_id": parent})
    await bench.deliver(delivery)
    assert isinstance(await bench.client().check(delivery, 10), Delivered), "by a client that remembers nothing"
    assert await bench.count(PARTNER, [["ref", "=", code]]) == 1


async def test_a_check_that_cannot_look_says_unknown(bench: Bench) -> None:
    client, delivery = bench.client(), words.upsert(PARTNER, bench.key("checked"), {"name": "C"})
    await bench.deliver(delivery, client=client)
    bench.proxy.plan("unavailable", "search_read")
    assert isinstance(await client.check(delivery, 10), Unknown)
    assert isinstance(await client.check(delivery, 10), Delivered)


async def test_a_reference_that_is_not_there_rejects_its_delivery_alone(bench: Bench) -> None:
    code = bench.key("code")
    twin = [words.upsert("product.product", bench.key(f"twin-{n}"), {"name": "Twin", "default_code": code}) for n in (1, 2)]
    await bench.deliver(*twin)
    project = ref("project.project", bench.key("project"), name="Wards")

    def task(name: str, **values: object) -> object:
        return words.task(bench.key(name), project=project, name=name, more=values)

    outcomes = await bench.send(
        task("fine"),
        words.upsert(PARTNER, bench.key("no-ref"), {"name": "x", "parent_id": Ref(key=bench.key("nobody"), model=PARTNER)}),
        words.upsert(PARTNER, bench.key("no-xml"), {"name": "x", "country_id": Xml("base.atlantis")}),
        words.movement(bench.key("no-code"), moves=[move(By("product.product", "default_code", bench.key("none")))]),
        words.movement(bench.key("two"), moves=[move(By("product.product", "default_code", code))]),
    )
    assert isinstance(outcomes[0], Delivered)
    assert [one.code for one in outcomes[1:] if isinstance(one, Reject)] == ["reference-absent"] * 3 + ["reference-ambiguous"]


def move(product: object) -> object:
    from isthmus.connectors.odoo import Move  # noqa: PLC0415

    return Move(product=product, quantity=1)


async def test_the_culprits_of_a_batch_are_found_and_the_others_go_through(bench: Bench) -> None:
    keys = [bench.key(f"row-{number}") for number in range(24)]
    bad = {5: {"type": "no such choice"}, 17: {"type": "no such choice"}}
    rows = [
        words.upsert(PARTNER, key, {"name": f"Row {number}", "ref": key, "type": "contact", **bad.get(number, {})})
        for number, key in enumerate(keys)
    ]
    outcomes = await bench.send(*rows)
    assert {number for number, one in enumerate(outcomes) if isinstance(one, Reject)} == set(bad)
    assert all(one.code == "bad-choice" for one in outcomes if isinstance(one, Reject))
    assert all(isinstance(one, Delivered) for number, one in enumerate(outcomes) if number not in bad)
    assert await bench.count(PARTNER, [["ref", "in", keys]]) == 22


async def test_a_rule_of_odoo_that_one_row_breaks_is_not_blamed_on_the_first(bench: Bench) -> None:
    keys = [bench.key(f"row-{number}") for number in range(7)]
    rows = [words.upsert(PARTNER, key, {"name": None if number == 4 else "Ann", "ref": key}) for number, key in enumerate(keys)]
    outcomes = await bench.send(*rows)
    assert [type(one).__name__ for one in outcomes] == ["Delivered"] * 4 + ["Reject"] + ["Delivered"] * 2


async def test_unknown_fields_and_models_are_named(bench: Bench) -> None:
    outcomes = await bench.send(
        words.upsert(PARTNER, bench.key("a"), {"name": "x", "no_such_field": "y"}),
        words.upsert("no.such.model", bench.key("b"), {"name": "x"}),
        words.upsert(PARTNER, bench.key("c"), {"name": "fine"}),
    )
    field, model, fine = outcomes
    assert isinstance(field, Reject)
    assert (field.code, "res.partner.no_such_field" in field.detail) == ("unknown-field", True)
    assert isinstance(model, Reject)
    assert isinstance(fine, Delivered)


async def test_a_key_belongs_to_one_model_for_ever(bench: Bench) -> None:
    key = bench.key("shared")
    await bench.deliver(words.upsert(PARTNER, key, {"name": "A partner"}))
    (outcome,) = await bench.send(words.upsert("project.project", key, {"name": "A project"}))
    assert isinstance(outcome, Reject)
    assert outcome.code == "key-of-other-model"


async def test_the_same_key_twice_in_one_send_makes_one_record(bench: Bench) -> None:
    key = bench.key("twice")
    await bench.deliver(*(words.upsert(PARTNER, key, {"name": f"Version {number}", "ref": key}) for number in range(3)))
    (row,) = await bench.rows(PARTNER, [["ref", "=", key]], "name")
    assert row["name"] == "Version 2"


async def test_clients_that_race_for_one_new_key_make_one_record(bench: Bench) -> None:
    key = bench.key("raced")
    parent = ref(PARTNER, bench.key("raced-parent"), name="Parent", ref=key)
    clients = [bench.client() for _ in range(4)]
    for client in clients:
        await client.open()

    async def insist(client: object, number: int) -> None:
        delivery = words.upsert(PARTNER, key, {"name": f"From {number}", "ref": key, "parent_id": parent})
        for _ in range(20):
            (outcome,) = await bench.send(delivery, client=client)
            if isinstance(outcome, Delivered):
                return
            assert isinstance(outcome, Retry), outcome
        raise AssertionError("never delivered")

    await asyncio.gather(*(insist(client, number) for number, client in enumerate(clients)))
    assert await bench.count(PARTNER, [["ref", "=", key]]) == 2, "the record and its parent"


async def test_keys_may_hold_whatever_business_keys_hold(bench: Bench) -> None:
    keys = [bench.key(name) for name in ("a/b", "a|b", "a,b", "a.b", "ä=b", "A/B", "x" * 180 + "1", "x" * 180 + "2")]
    mark = bench.key("mark")
    for _ in range(2):
        await bench.deliver(*(words.upsert(PARTNER, key, {"name": key[:40], "ref": mark}) for key in keys))
    assert await bench.count(PARTNER, [["ref", "=", mark]]) == len(keys)


# ---- tasks, appointments, withdrawals ------------------------------------------------------------------------------------------


async def test_a_task_keeps_what_people_did_unless_told(bench: Bench) -> None:
    project = ref("project.project", bench.key("beds"), name="Beds")
    key = bench.key("task")

    def task(**more: object) -> object:
        return words.task(key, project=project, name="Clean bed 4", description="room <4> & bath\nnow", deadline=date(2031, 1, 2), **more)

    (made,) = await bench.deliver(task())
    row = await bench.row(made, "name", "project_id", "description", "date_deadline")
    assert (row["name"], row["project_id"][1]) == ("Clean bed 4", "Beds")
    assert "room &lt;4&gt; &amp; bath<br>now" in row["description"]
    assert row["date_deadline"].startswith("2031-01-02")
    fields = await bench.see("project.task", "fields_get", attributes=["type"])
    if "state" in fields:
        await bench.deliver(task(state="done"))
        assert (await bench.row(made, "state"))["state"] == "1_done"
        await bench.deliver(task())
        assert (await bench.row(made, "state"))["state"] == "1_done", "a task without a state is left in the state it has"
        await bench.deliver(task(state="open"))
        assert (await bench.row(made, "state"))["state"] == "01_in_progress"
    client = bench.client()
    await bench.deliver(words.withdraw("project.task", key), client=client)
    (again,) = await bench.deliver(words.withdraw("project.task", key), client=client)
    assert again.unchanged
    assert await bench.count("project.task", [["project_id", "=", row["project_id"][0]]]) == 1, "withdrawn, not deleted"


async def test_an_appointment_is_private_moved_withdrawn_and_brought_back_without_a_mail(bench: Bench) -> None:
    mails = await bench.count("mail.mail") if bench.real else 0
    key = bench.key("appointment")
    people = [ref(PARTNER, bench.key(name), name=name, email=f"{name}@example.org") for name in ("room", "doctor")]

    def at(start: datetime, *partners: object) -> object:
        return words.appointment(key, name="Outpatient slot", start=start, stop=start + timedelta(minutes=30), partners=partners)

    client = bench.client()
    (made,) = await bench.deliver(at(TEN.astimezone(timezone(timedelta(hours=2))), *people), client=client)
    row = await bench.row(made, "start", "stop", "privacy", "partner_ids")
    assert (row["start"], row["stop"], row["privacy"]) == ("2031-07-01 10:00:00", "2031-07-01 10:30:00", "private"), "times are UTC in Odoo"
    assert len(row["partner_ids"]) == 2
    (moved,) = await bench.deliver(at(TEN + timedelta(days=1)), client=client)
    row = await bench.row(moved, "start", "partner_ids")
    assert (row["start"], row["partner_ids"]) == ("2031-07-02 10:00:00", [])
    (gone,) = await bench.deliver(words.withdraw("calendar.event", key), client=client)
    assert gone.receipts[-1].code == "archived"
    assert (await bench.row(gone, "active"))["active"] is False
    (back,) = await bench.deliver(at(TEN), client=client)
    assert (await bench.row(back, "active"))["active"] is True
    if bench.real:
        assert await bench.count("mail.mail") == mails


async def test_what_never_was_is_withdrawn_at_once(bench: Bench) -> None:
    for model in ("calendar.event", "project.task", "account.move", "stock.picking"):
        (outcome,) = await bench.deliver(words.withdraw(model, bench.key(f"never-{model}")))
        assert (outcome.receipts[-1].code, outcome.unchanged) == ("absent", True)


async def test_lookups_answer_narrowly_and_say_absent(bench: Bench) -> None:
    client, code = bench.client(), bench.key("GLV")
    product = {"name": "Gloves", "default_code": code, "type": "consu", "is_storable": True, "list_price": 4.5}
    await bench.deliver(words.upsert("product.product", bench.key("gloves"), product), client=client)
    found = await client.look(words.product(code), 10)
    assert (found.found, found.name, found.price, found.storable) == (True, "Gloves", 4.5, True)
    assert not (await client.look(words.product(bench.key("nothing")), 10)).found
    assert (await client.look(words.exists("product.product", bench.key("gloves")), 10)).id == found.id
    assert (await client.look(words.exists("product.product", bench.key("other")), 10)).count == 0
    assert (await client.look(words.find("product.product", "default_code", code), 10)).count == 1


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_batches_of_any_size_have_one_outcome_each(bench: Bench, size: int) -> None:
    mark = bench.key("mark")
    rows = [words.upsert(PARTNER, bench.key(f"b-{number}"), {"name": f"B {number}", "ref": mark}) for number in range(size)]
    before = bench.proxy.seen
    await bench.deliver(*rows)
    assert await bench.count(PARTNER, [["ref", "=", mark]]) == size
    assert bench.proxy.seen - before < 12, "one batch costs a handful of calls, however many it carries"
