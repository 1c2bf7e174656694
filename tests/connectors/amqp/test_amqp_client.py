"""What is special about a broker: routing, the queue's form, who we are, and a node that dies."""

from __future__ import annotations

import asyncio

import pytest
from connectors.amqp.conftest import AmqpStand
from real.rabbitmq import Rabbit

from isthmus.connectors.amqp.client import CONFIRMED, AmqpClient
from isthmus.connectors.amqp.settings import AmqpEndpoint
from isthmus.connectors.amqp.words import Amqp, routing_key_of
from isthmus.connectors.suite import MARKER, Unlimited
from isthmus.core import Bug, Delivered, Reject, Rejected, Retry, Transient


async def test_a_message_carries_its_ids_and_is_persistent(stand: AmqpStand) -> None:
    await stand.client.open()
    delivery = stand.delivery("k")
    assert await stand.client.send([delivery], 10) == [CONFIRMED]
    message = await (await stand.channel.get_queue(stand.queue)).get()
    assert (message.message_id, message.correlation_id, message.content_type) == (delivery.id, delivery.correlation_id, "application/json")
    assert message.body == delivery.body
    assert message.delivery_mode == 2
    await message.ack()


async def test_a_batch_is_published_in_its_order(stand: AmqpStand) -> None:
    await stand.client.open()
    batch = [stand.delivery(f"k{number}") for number in range(20)]
    assert all(isinstance(one, Delivered) for one in await stand.client.send(batch, 10))
    assert await stand.taken() == [one.id for one in batch]


async def test_a_queue_of_another_form_is_refused(stand: AmqpStand) -> None:
    await stand.channel.declare_queue(stand.queue, durable=True)
    with pytest.raises(Rejected, match=r"queue-form.*x-queue-type"):
        await stand.client.open()


async def test_who_we_are_is_checked_and_no_password_is_told(stand: AmqpStand) -> None:
    client = AmqpClient("cell", stand.endpoint(password="wrong-one"), Unlimited())
    with pytest.raises(Rejected, match="login") as caught:
        await client.open()
    assert "wrong-one" not in str(caught.value) + repr(stand.endpoint(password="wrong-one"))


async def test_an_exchange_must_be_there(stand: AmqpStand) -> None:
    client = AmqpClient("cell", stand.endpoint(exchange="nowhere", queue=""), Unlimited())
    with pytest.raises(Rejected, match="no-exchange"):
        await client.open()


async def test_an_exchange_routes_to_the_bound_queue_and_returns_the_rest(stand: AmqpStand) -> None:
    exchange = f"exchange-{stand.queue}"
    await stand.channel.declare_exchange(exchange, "topic", durable=True)
    client = AmqpClient("cell", stand.endpoint(exchange=exchange, binding="supply.*"), Unlimited())
    await client.open()
    words = Amqp("cell")
    right, wrong = (words.publish(key, {"name": MARKER}, key=key) for key in ("supply.used", "staff.hired"))
    outcomes = await client.send([right, wrong], 10)
    assert isinstance(outcomes[0], Delivered)
    assert isinstance(outcomes[1], Reject)
    assert outcomes[1].code == "unroutable"
    await client.close()
    await stand.channel.exchange_delete(exchange)


async def test_the_next_host_is_tried(stand: AmqpStand) -> None:
    client = AmqpClient("cell", stand.endpoint(hosts=("127.0.0.1:9", f"127.0.0.1:{stand.door.port}")), Unlimited())
    await client.open()
    await client.close()
    with pytest.raises(Transient, match="connect"):
        await AmqpClient("cell", stand.endpoint(hosts=("127.0.0.1:9",)), Unlimited()).open()


async def test_a_consumer_that_recognises_nothing_leaves_the_unknown_to_a_person(stand: AmqpStand) -> None:
    delivery = stand.delivery("k")
    assert isinstance(await stand.client.check(delivery, 1), Retry)
    outcome = await AmqpClient("cell", stand.endpoint(deduplicates=False), Unlimited()).check(delivery, 1)
    assert isinstance(outcome, Reject)
    assert outcome.code == "outcome-unknown"


@pytest.mark.slow
async def test_what_a_cluster_confirmed_survives_the_loss_of_its_leader(rabbits: list[Rabbit]) -> None:
    first, *others = rabbits
    stand = AmqpStand(others[0])
    await stand.start()
    hosts = tuple(f"127.0.0.1:{one.broker.port}" for one in rabbits)
    client = AmqpClient("cell", stand.endpoint(hosts=hosts), Unlimited())
    await client.open()  # at the first node, which leads the queue that it declares
    confirmed: list[str] = []
    unconfirmed = 0
    for number in range(100):
        if number == 50:
            first.kill()
        batch = [stand.delivery(f"k{number}-{one}") for one in range(5)]
        while batch:
            outcomes = await client.send(batch, 10)
            taken = [one.id for one, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, Delivered)]
            confirmed += taken
            batch = [one for one in batch if one.id not in taken]
            unconfirmed += len(batch)
            await asyncio.sleep(0.1 if batch else 0)
    assert unconfirmed, "it did not hurt"
    await client.close()
    found = await stand.taken()
    assert set(found) == set(confirmed)
    assert list(dict.fromkeys(found)) == confirmed, "out of order"
    await stand.stop()


def test_no_default_user() -> None:
    with pytest.raises(Rejected, match="authorization"):
        AmqpEndpoint(hosts=("broker",), user="", password="")


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "tab\t"])
def test_a_bad_routing_key_is_told_early_and_not_quoted(key: str) -> None:
    with pytest.raises(Bug, match="routing-key"):
        Amqp("cell").publish(key, b"", key="k")
    with pytest.raises(Bug, match="operation"):
        routing_key_of("publish " + key)
