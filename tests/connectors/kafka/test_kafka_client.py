"""What is special about a log of records: partitions, replicas, leaders that change."""

from __future__ import annotations

import pytest
from connectors.kafka.conftest import TOPIC, KafkaStand
from msgspec import structs
from real.kafka import NOT_ENOUGH_REPLICAS, PRODUCE

from isthmus.connectors.kafka.client import KafkaClient
from isthmus.connectors.kafka.settings import KafkaEndpoint, KafkaSource
from isthmus.connectors.kafka.words import Kafka, topic_of
from isthmus.connectors.suite import Unlimited
from isthmus.connectors.tls import Tls
from isthmus.core import Bug, Delivered, Reject, Rejected, Retry


async def test_records_of_one_ordering_key_keep_their_order_in_one_partition(stand: KafkaStand) -> None:
    await stand.client.open()
    sent: dict[str, list[str]] = {}
    for number in range(10):
        batch = [stand.delivery(f"{number}-{patient}", ordering_key=f"patient/{patient}") for patient in range(6)]
        assert all(isinstance(one, Delivered) for one in await stand.client.send(batch, 10))
        for one in batch:
            sent.setdefault(one.ordering_key, []).append(one.id)
    found = await stand.records()
    for ids in sent.values():
        homes = [[one for one, _ in records if one in ids] for records in found.values()]
        assert [home for home in homes if home] == [ids]
    assert sum(bool(records) for records in found.values()) > 1, "all in one partition: it shows nothing"


async def test_leaders_that_change_under_load_cost_nothing(stand: KafkaStand) -> None:
    await stand.client.open()
    sent: list[str] = []
    moved = 0
    for number in range(40):
        if number % 10 == 5:
            for partition in range(4):
                stand.cluster.leader(TOPIC, partition, 1 + (number + partition) % 3)
            moved += 1
        batch = [stand.delivery(f"{number}-{one}") for one in range(10)]
        for one, outcome in zip(batch, await stand.client.send(batch, 10), strict=True):
            assert isinstance(outcome, Delivered)
            sent.append(one.id)
    assert moved == 4
    found = [one for records in (await stand.records()).values() for one, _ in records]
    assert sorted(found) == sorted(sent)


async def test_too_few_replicas_in_sync_may_be_tried_again(stand: KafkaStand) -> None:
    await stand.client.open()
    stand.cluster.fail(PRODUCE, *[NOT_ENOUGH_REPLICAS] * 200)
    outcome = (await stand.client.send([stand.delivery("k")], 2))[0]
    assert not isinstance(outcome, Delivered)
    stand.cluster.forgive(PRODUCE)
    assert isinstance((await stand.client.send([stand.delivery("k")], 10))[0], Delivered)
    assert await stand.effects(stand.delivery("k")) == 1


async def test_a_topic_without_replicas_is_refused_unless_somebody_says_why(stand: KafkaStand) -> None:
    stand.cluster.topic("alone", replicas=1)
    with pytest.raises(Rejected, match=r"replicas.*alone has 1 replicas, 3 are needed"):
        await KafkaClient("cell", stand.endpoint(topics=("alone",)), Unlimited()).open()
    client = KafkaClient("cell", stand.endpoint(topics=("alone",), unreplicated_reason="a trial"), Unlimited())
    await client.open()
    await client.close()


async def test_a_topic_that_the_endpoint_does_not_name_is_refused(stand: KafkaStand) -> None:
    await stand.client.open()
    stray = structs.replace(stand.delivery("k"), operation="produce elsewhere")
    (outcome,) = await stand.client.send([stray], 10)
    assert isinstance(outcome, Reject)
    assert outcome.code == "topic"


async def test_a_consumer_that_recognises_nothing_leaves_the_unknown_to_a_person(stand: KafkaStand) -> None:
    assert isinstance(await stand.client.check(stand.delivery("k"), 1), Retry)
    outcome = await KafkaClient("cell", stand.endpoint(deduplicates=False), Unlimited()).check(stand.delivery("k"), 1)
    assert isinstance(outcome, Reject)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(Rejected, match="authorization"):
        KafkaEndpoint(servers=("a:1",), topics=("t",), user="us")
    with pytest.raises(Rejected, match="PLAIN shows the password"):
        KafkaEndpoint(servers=("a:1",), topics=("t",), user="us", password="secret", mechanism="PLAIN")
    settings = KafkaEndpoint(servers=("a:1",), topics=("t",), user="us", password="secret", mechanism="PLAIN", tls=Tls())
    assert "secret" not in repr(settings)
    with pytest.raises(Rejected, match="group"):
        KafkaSource(servers=("a:1",), topics=("t",), group="")


@pytest.mark.parametrize("topic", ["", "with space", "x" * 250, "a/b"])
def test_a_bad_topic_is_told_early(topic: str) -> None:
    with pytest.raises(Bug, match="topic"):
        Kafka("cell").produce(topic, b"", key="k")
    with pytest.raises(Bug, match="operation"):
        topic_of("produce " + topic)
