"""What is special about a stream: what is demanded of it, who we are, order, duplicates, and how an unknown outcome is cleared up."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from connectors.nats.conftest import NatsStand

from isthmus.connectors.nats.client import NatsClient
from isthmus.connectors.nats.words import Nats
from isthmus.connectors.suite import MARKER, Unlimited
from isthmus.core import Bug, Delivered, Delivery, Outcome, Reject, Rejected, Retry, Transient, derive_id
from isthmus.core.events import BedStatusChanged, Location


def client(stand: NatsStand, **changes: Any) -> NatsClient:
    return NatsClient("cell", stand.endpoint(**changes), Unlimited())


async def one(client: NatsClient, delivery: Delivery) -> Outcome:
    (outcome,) = await client.send([delivery], 10)
    return outcome


async def test_a_message_carries_its_ids_and_no_ordering_key_in_the_clear(stand: NatsStand) -> None:
    await stand.client.open()
    delivery = stand.delivery("k", ordering_key="patient-4711")
    await one(stand.client, delivery)
    (message,) = await stand.messages()
    headers = message.headers
    assert (headers["Nats-Msg-Id"], headers["Correlation-Id"], headers["Content-Type"]) == (
        delivery.id,
        delivery.correlation_id,
        "application/json",
    )
    assert "4711" not in json.dumps(headers)
    assert (message.subject, message.data) == (stand.subject, delivery.body)


async def test_an_event_becomes_a_cloud_event_with_the_deliverys_id(stand: NatsStand) -> None:
    await stand.client.open()
    draft = stand.words.publish(stand.subject, free_bed())
    delivery = msgspec.structs.replace(draft, id=derive_id("a"))
    await one(stand.client, delivery)
    (body,) = await stand.bodies()
    assert (body["id"], body["specversion"], body["type"], body["source"]) == (delivery.id, "1.0", "bed.status-changed.v1", "north")
    assert body["data"]["status"] == "K"


async def test_the_same_message_twice_is_recognised_and_said_to_be(stand: NatsStand) -> None:
    await stand.client.open()
    delivery = stand.delivery("k")
    first, second = [await one(stand.client, delivery) for _ in range(2)]
    assert isinstance(first, Delivered)
    assert isinstance(second, Delivered)
    assert (first.unchanged, second.unchanged) == (False, True)
    assert first.receipts == second.receipts
    assert first.receipts[0].reference == f"{stand.stream}/1"


async def test_within_a_batch_a_key_stops_where_one_of_it_failed(stand: NatsStand) -> None:
    """The second of key a is too large; the third must not overtake it, key b is not harmed."""
    await stand.client.open()
    await stand.change(max_msg_size=2_000)
    batch = [stand.delivery(f"{key}{number}", ordering_key=key) for number in range(4) for key in "ab"]
    batch[2] = msgspec.structs.replace(batch[2], body=b"x" * 3_000)
    outcomes = await stand.client.send(batch, 10)
    assert [type(one).__name__ for one in outcomes[0::2]] == ["Delivered", "Reject", "Retry", "Retry"]
    assert all(isinstance(one, Delivered) for one in outcomes[1::2])
    assert await stand.ids() == [batch[0].id, *(one.id for one in batch[1::2])]
    assert stand.client.counts == {"too-large": 1, "after-failure": 2}


async def test_a_full_stream_refuses_and_throws_nothing_away(stand: NatsStand) -> None:
    await stand.make(max_bytes=1 << 20)
    filling = client(stand, max_bytes=1 << 20)
    await filling.open()
    outcomes: list[Outcome] = []
    for number in range(12):
        delivery = msgspec.structs.replace(stand.delivery(f"k{number}"), body=b"x" * 100_000)
        outcomes.append(await one(filling, delivery))
    kept = [one for one in outcomes if isinstance(one, Delivered)]
    assert {one.code for one in outcomes if not isinstance(one, Delivered)} == {"stream-full"}
    assert all(isinstance(one, Delivered | Retry) for one in outcomes)
    assert len(await stand.ids()) == len(kept) < 12
    await stand.js.purge_stream(stand.stream)
    assert isinstance(await one(filling, delivery), Delivered)
    await filling.close()


async def test_a_stream_that_is_gone_is_waited_for(stand: NatsStand) -> None:
    await stand.client.open()
    await stand.js.delete_stream(stand.stream)
    outcome = await one(stand.client, stand.delivery("k"))
    assert isinstance(outcome, Retry)
    assert outcome.code == "no-stream"


async def test_a_subject_of_another_stream_is_refused(stand: NatsStand) -> None:
    await stand.client.open()
    await stand.js.add_stream(name=f"{stand.stream}x", subjects=[f"{stand.stream}x.>"])
    outcome = await one(stand.client, elsewhere(stand, f"{stand.stream}x.a"))
    assert isinstance(outcome, Reject)
    assert outcome.code == "another-stream"
    await stand.js.delete_stream(f"{stand.stream}x")


async def test_what_this_user_may_not_publish_is_refused_at_once(stand: NatsStand) -> None:
    await stand.make()
    reader = client(stand, user="reader")
    await reader.open()
    outcome = await one(reader, stand.delivery("k"))
    assert isinstance(outcome, Reject)
    assert outcome.code == "permission"
    await reader.close()


async def test_a_message_larger_than_the_server_takes_is_refused_here(stand: NatsStand) -> None:
    await stand.client.open()
    outcome = await one(stand.client, msgspec.structs.replace(stand.delivery("k"), body=MARKER.encode() * 300_000))
    assert isinstance(outcome, Reject)
    assert outcome.code == "too-large"
    assert isinstance(await one(stand.client, stand.delivery("after")), Delivered)


# ---- after an unknown outcome


async def test_a_process_that_remembers_nothing_finds_its_message(stand: NatsStand) -> None:
    """As after a crash: another client, another subject's messages behind it, and the answer is exact both ways."""
    await stand.client.open()
    batch = [stand.delivery(f"k{number}") for number in range(50)]
    await stand.client.send(batch, 10)
    other = client(stand)
    await other.open()
    found = await other.check(batch[17], 10)
    assert isinstance(found, Delivered)
    assert found.receipts[0].reference == f"{stand.stream}/18"
    missing = await other.check(stand.delivery("never"), 10)
    assert isinstance(missing, Retry)
    assert missing.code == "not-there"
    assert [one.name for one in await stand.js.consumers_info(stand.stream)] == [], "what reads the stream is removed again"
    await other.close()


@pytest.mark.parametrize("deduplicates", [True, False])
async def test_a_stream_that_no_longer_tells_leaves_it_to_consumers_or_to_a_person(stand: NatsStand, deduplicates: bool) -> None:
    await stand.client.open()
    await stand.client.send([stand.delivery(f"k{number}") for number in range(5)], 10)
    await stand.js.purge_stream(stand.stream)
    other = client(stand, deduplicates=deduplicates)
    outcome = await other.check(stand.delivery("k1"), 10)
    assert isinstance(outcome, Retry if deduplicates else Reject)
    assert outcome.code == ("resend" if deduplicates else "outcome-unknown")
    await other.close()


async def test_what_was_removed_before_it_was_sent_does_not_blur_the_answer(stand: NatsStand) -> None:
    """It was sent after the purge, and the client knows since when to look."""
    await stand.client.open()
    await stand.client.send([stand.delivery(f"k{number}") for number in range(5)], 10)
    await stand.js.purge_stream(stand.stream)
    await stand.door.become("mute")
    lost = stand.delivery("lost")
    await one(stand.client, lost)
    await stand.door.become("open")
    assert isinstance(await stand.client.check(lost, 10), Delivered)


# ---- what is demanded before anything is sent


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"storage": "memory"}, "storage is memory"),
        ({"retention": "workqueue"}, "retention is workqueue"),
        ({"retention": "interest"}, "retention is interest"),
        ({"discard": "old"}, "discard is old"),
        ({"max_msgs": 10}, "max_msgs is 10, it must be unlimited"),
        ({"max_age": 60, "duplicate_window": 60}, "max_age is 60 s"),
        ({"duplicate_window": 10}, "duplicate_window is 10 s, ours 120 s"),
        ({"subjects": ["elsewhere.of.this.test"]}, "does not take"),
        ({"no_ack": True}, "acknowledges nothing"),
    ],
)
async def test_a_stream_of_another_form_is_refused(stand: NatsStand, form: dict[str, Any], told: str) -> None:
    await stand.make(**form)
    with pytest.raises(Rejected, match="stream-form") as caught:
        await stand.client.open()
    assert told in caught.value.detail
    outcome = await one(stand.client, stand.delivery("k"))
    assert isinstance(outcome, Retry), "nothing is sent as long as it is so"


async def test_more_replicas_than_it_has_are_refused(stand: NatsStand) -> None:
    await stand.make()
    with pytest.raises(Rejected, match=r"1 replicas, replicas asks for 3"):
        await client(stand, replicas=3).open()


async def test_a_stream_is_made_as_declared_or_not_at_all(stand: NatsStand) -> None:
    with pytest.raises(Rejected, match="no-stream"):
        await client(stand, create=False).open()
    await stand.client.open()
    config = (await stand.js.stream_info(stand.stream)).config
    assert (config.storage, config.discard, config.retention, config.num_replicas) == ("file", "new", "limits", 1)
    assert (config.max_bytes, config.max_age, config.duplicate_window) == (4 << 20, 2_592_000.0, 120.0)
    with pytest.raises(Rejected, match="stream-not-made"):
        await client(stand, stream=f"{stand.stream}y", subjects=(f"{stand.stream}y.>",), max_bytes=100 << 30).open()


async def test_who_we_are_is_checked_and_no_password_is_told(stand: NatsStand) -> None:
    with pytest.raises(Rejected, match="login") as caught:
        await client(stand, password="wrong-one").open()
    assert "wrong-one" not in str(caught.value) + repr(stand.endpoint(password="wrong-one"))


async def test_monitoring_that_does_not_answer_proves_nothing(stand: NatsStand) -> None:
    for nobody in (9, stand.server.port):
        with pytest.raises(Transient, match="monitor"):
            await client(stand, monitors=(f"http://127.0.0.1:{nobody}",)).open()


async def test_the_next_server_is_tried(stand: NatsStand) -> None:
    second = client(stand, servers=("127.0.0.1:9", f"127.0.0.1:{stand.door.port}"))
    await second.open()
    await second.close()
    with pytest.raises(Transient, match="connect"):
        await client(stand, servers=("127.0.0.1:9",)).open()


def elsewhere(stand: NatsStand, subject: str) -> Delivery:
    return msgspec.structs.replace(stand.words.publish(subject, b"{}", key="k"), id=derive_id("elsewhere", subject))


def free_bed() -> BedStatusChanged:
    return BedStatusChanged(location=Location(ward="W1", bed="3"), status="K")


def test_an_event_says_where_it_happened() -> None:
    with pytest.raises(Bug, match="cell"):
        Nats("other").publish("a.b", free_bed())
