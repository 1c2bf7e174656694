"""The MLLP client against a receiver with the faults of the field."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable

import pytest

from isthmus.connectors.mllp import Mllp, MllpEndpoint
from isthmus.connectors.mllp.client import MllpClient
from isthmus.connectors.mllp.practice import Behave, Freeze, HangUp, PracticeReceiver, Raw, Reaction, Say
from isthmus.connectors.suite import Unlimited
from isthmus.core import Delivered, Delivery, Receipt, Reject, Retry, Transient, Unknown
from isthmus.formats.hl7v2 import Hl7
from isthmus.formats.hl7v2.mllp import frame

LAB = Mllp("lab")
MESSAGE = b"MSH|^~\\&|ISTHMUS|HOSP|LIS|LAB|20260101||OML^O21^OML_O21|X|P|2.5.1|||%b\rPID|||1\rORC|NW|%b\r"
PATIENCE = 0.3
Connect = Callable[..., MllpClient]


def order(number: str, asking: str = "|") -> Delivery:
    return LAB.send(MESSAGE % (asking.encode(), number.encode()), key=number)


def ack(control_id: str, code: str = "AA") -> bytes:
    return f"MSH|^~\\&|LIS|LAB|||20260101||ACK|R1|P|2.5.1\rMSA|{code}|{control_id}\r".encode()


@pytest.fixture
async def receiver() -> AsyncIterator[PracticeReceiver]:
    receiver = PracticeReceiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def connect(receiver: PracticeReceiver) -> AsyncIterator[Connect]:
    made: list[MllpClient] = []

    def build(**settings: object) -> MllpClient:
        client = MllpClient("lab", MllpEndpoint(host="127.0.0.1", port=receiver.port, **settings), Unlimited())  # type: ignore[arg-type]
        made.append(client)
        return client

    yield build
    for client in made:
        await client.close()


def once(*reactions: Reaction, then: Behave = lambda _message: Say()) -> Behave:
    left = list(reactions)
    return lambda message: left.pop(0) if left else then(message)


async def test_original_mode(receiver: PracticeReceiver, connect: Connect) -> None:
    delivery = order("1")
    (outcome,) = await connect().send([delivery], 5)
    assert isinstance(outcome, Delivered)
    assert [(one.kind, one.code) for one in outcome.receipts] == [("transport", "AA"), ("application", "AA")]
    assert receiver.received == [delivery.body]


async def test_one_connection_carries_many_messages(receiver: PracticeReceiver, connect: Connect) -> None:
    client = connect()
    for number in range(20):
        assert isinstance((await client.send([order(str(number))], 5))[0], Delivered)
    assert receiver.connections == 1


async def test_as_many_connections_as_told(receiver: PracticeReceiver, connect: Connect) -> None:
    receiver.behave = lambda _message: Say(delay=0.02)
    client = connect(connections=3)
    outcomes = await asyncio.gather(*(client.send([order(str(number))], 5) for number in range(12)))
    assert all(isinstance(outcome, Delivered) for (outcome,) in outcomes)
    assert receiver.connections == 3


# ---- enhanced mode ---------------------------------------------------------------------------------------------------------------


async def test_enhanced_mode_takes_both_acknowledgements(receiver: PracticeReceiver, connect: Connect) -> None:
    receiver.behave = lambda _message: (Say(code="CA"), Say(code="AA", delay=0.05))
    (outcome,) = await connect().send([order("1", "AL|AL")], 5)
    assert isinstance(outcome, Delivered)
    assert [(one.kind, one.code) for one in outcome.receipts] == [("transport", "CA"), ("application", "AA")]


async def test_enhanced_mode_is_done_with_ca_when_no_more_was_asked(receiver: PracticeReceiver, connect: Connect) -> None:
    receiver.behave = lambda _message: Say(code="CA")
    (outcome,) = await connect(application_wait=60.0).send([order("1", "AL|NE")], 5)
    assert isinstance(outcome, Delivered)
    assert [one.code for one in outcome.receipts] == ["CA"]


async def test_enhanced_mode_refused_by_the_application(receiver: PracticeReceiver, connect: Connect) -> None:
    receiver.behave = lambda _message: (Say(code="CA"), Say(code="AE", error="103", place="ORC^1^1"))
    (outcome,) = await connect().send([order("1", "AL|AL")], 5)
    assert isinstance(outcome, Reject)
    assert [one.code for one in outcome.receipts] == ["CA", "AE"]
    assert outcome.detail == "AE, error 103, at ORC-1"


async def test_an_application_acknowledgement_that_comes_late_is_a_late_receipt(receiver: PracticeReceiver, connect: Connect) -> None:
    receiver.behave = lambda _message: (Say(code="CA"), Say(code="AA", delay=0.2))
    client = connect(application_wait=0.05)
    late: asyncio.Queue[tuple[str, Receipt]] = asyncio.Queue()
    client.late = lambda control_id, receipt: late.put_nowait((control_id, receipt))
    delivery = order("1", "AL|AL")
    (outcome,) = await client.send([delivery], 5)
    assert isinstance(outcome, Delivered)
    assert [one.code for one in outcome.receipts] == ["CA"]
    control_id, receipt = await asyncio.wait_for(late.get(), 5)
    assert (control_id, receipt.kind, receipt.code) == (delivery.key, "application", "AA")


# ---- what may go wrong ------------------------------------------------------------------------------------------------------------


async def test_an_old_acknowledgement_is_never_taken_for_a_new_message(receiver: PracticeReceiver, connect: Connect) -> None:
    """The answer to the first comes while the second is under way, on a receiver that then falls silent."""
    client = connect()
    first, second = order("1"), order("2")
    receiver.behave = lambda _message: None
    assert isinstance((await client.send([first], PATIENCE))[0], Unknown)
    receiver.behave = lambda _message: Raw(data=frame(ack(first.key)))
    (outcome,) = await client.send([second], PATIENCE)
    assert isinstance(outcome, Unknown)
    assert outcome.code == "foreign-acknowledgement"
    assert client.counts["foreign-acknowledgement"] == 2  # the reason of the outcome, and the acknowledgement itself


async def test_waits_on_past_a_foreign_acknowledgement(receiver: PracticeReceiver, connect: Connect) -> None:
    receiver.behave = lambda _message: (Say(control_id="SOMEBODY-ELSE"), Say(code="AA"))
    assert isinstance((await connect().send([order("1")], 5))[0], Delivered)


async def test_two_answers_to_one_message_do_not_answer_the_next(receiver: PracticeReceiver, connect: Connect) -> None:
    client = connect()
    receiver.behave = once(Say(), then=lambda _message: None)
    told: list[str] = []
    client.late = lambda control_id, _receipt: told.append(control_id)
    receiver.behave = lambda _message: (Say(), Say())
    first = order("1")
    assert isinstance((await client.send([first], 5))[0], Delivered)
    receiver.behave = lambda _message: None
    assert isinstance((await client.send([order("2")], PATIENCE))[0], Unknown)
    assert told == [first.key]


@pytest.mark.parametrize(
    "data",
    [b"\x0bhello\x1c\r", b"\x0b\x06\x1c\r", b"\x0bMSH|^~\\&|LIS\r\x1c\r", frame(b"MSH|^~\\&|L|||||||R|P|2.5\rMSA|ZZ|1\r"), b"\x0b\x1c\r"],
    ids=["text", "a bare ACK byte", "no MSA", "no such code", "nothing"],
)
async def test_garbage_is_unknown_and_ends_the_connection(data: bytes, receiver: PracticeReceiver, connect: Connect) -> None:
    client = connect()
    receiver.behave = once(Raw(data=data))
    (outcome,) = await client.send([order("1")], 5)
    assert isinstance(outcome, Unknown)
    assert outcome.code == "garbage"
    assert isinstance((await client.send([order("1")], 5))[0], Delivered)
    assert receiver.connections == 2


async def test_noise_before_the_answer_is_passed_over(receiver: PracticeReceiver, connect: Connect) -> None:
    client = connect()
    delivery = order("1")
    receiver.behave = lambda _message: Raw(data=b"junk\x1c" + frame(ack(delivery.key)))
    assert isinstance((await client.send([delivery], 5))[0], Delivered)
    assert client.counts["noise-between-frames"] == 1


async def test_half_an_answer_is_unknown(receiver: PracticeReceiver, connect: Connect) -> None:
    delivery = order("1")
    receiver.behave = lambda _message: (Raw(data=frame(ack(delivery.key))[:40]), HangUp())
    client = connect()
    (outcome,) = await client.send([delivery], 5)
    assert isinstance(outcome, Unknown)
    assert outcome.code == "connection-lost"


async def test_an_answer_without_end_is_unknown_and_bounded(receiver: PracticeReceiver, connect: Connect) -> None:
    receiver.behave = lambda _message: Raw(data=b"\x0b" + b"A" * 200_000)
    (outcome,) = await connect(max_answer=10_000).send([order("1")], PATIENCE)
    assert isinstance(outcome, Unknown)


async def test_a_receiver_that_hangs_up_before_it_acts_is_unknown_all_the_same(receiver: PracticeReceiver, connect: Connect) -> None:
    """From outside it looks the same as hanging up after it acted."""
    receiver.behave = once(HangUp(acts=False))
    client = connect()
    delivery = order("1")
    (outcome,) = await client.send([delivery], 5)
    assert isinstance(outcome, Unknown)
    assert receiver.effects_of(delivery.key) == 0
    assert isinstance(await client.check(delivery, 5), Retry)
    assert isinstance((await client.send([delivery], 5))[0], Delivered)
    assert receiver.effects_of(delivery.key) == 1


async def test_a_half_open_connection_costs_one_time_out_then_a_new_connection(receiver: PracticeReceiver, connect: Connect) -> None:
    client = connect()
    assert isinstance((await client.send([order("1")], 5))[0], Delivered)
    receiver.behave = once(Freeze())
    assert isinstance((await client.send([order("2")], PATIENCE))[0], Unknown)
    assert isinstance((await client.send([order("2")], 5))[0], Delivered)
    assert receiver.connections == 2


async def test_a_closed_idle_connection_is_noticed_before_anything_is_sent(receiver: PracticeReceiver, connect: Connect) -> None:
    client = connect()
    for round_ in range(5):
        assert isinstance((await client.send([order(str(round_))], 5))[0], Delivered)
        await receiver.stop()
        await receiver.start()
    assert client.counts == {}


def serve_one_each(server: socket.socket, messages: int) -> None:
    """A receiver that answers one message per connection, then closes it."""
    for _ in range(messages):
        connection, _address = server.accept()
        with connection:
            body = b""
            while not body.endswith(b"\x1c\r"):
                body += connection.recv(65_536)
            connection.sendall(frame(ack(body.split(b"|")[9].decode())))


async def test_the_end_of_a_connection_is_noticed_even_before_the_loop_has_seen_it() -> None:
    """The receiver closed while we were busy: its FIN waits in the kernel when the next message is to be sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = MllpClient("lab", MllpEndpoint(host="127.0.0.1", port=server.getsockname()[1]), Unlimited())
        receiver = threading.Thread(target=serve_one_each, args=(server, 5))
        receiver.start()
        outcomes = []
        for number in range(5):
            outcomes += await client.send([order(str(number))], 5)
            time.sleep(0.05)
        receiver.join()
        await client.close()
    assert [type(outcome) for outcome in outcomes] == [Delivered] * 5


async def test_a_cancelled_send_does_not_leave_its_answer_to_the_next(receiver: PracticeReceiver, connect: Connect) -> None:
    client = connect()
    receiver.behave = once(Say(delay=0.1))
    sending = asyncio.create_task(client.send([order("1")], 5))
    while not receiver.received:
        await asyncio.sleep(0.005)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert isinstance((await client.send([order("2")], 5))[0], Delivered)
    assert receiver.connections == 2
    assert client.counts == {}


async def test_a_receiver_that_does_not_deduplicate_is_left_to_a_person(connect: Connect) -> None:
    outcome = await connect(deduplicates=False).check(order("1"), 5)
    assert isinstance(outcome, Reject)
    assert outcome.code == "outcome-unknown"


async def test_nobody_there(receiver: PracticeReceiver, connect: Connect) -> None:
    client = connect()
    await receiver.stop()
    (outcome,) = await client.send([order("1")], 5)
    assert isinstance(outcome, Retry)
    assert outcome.code == "connect"
    with pytest.raises(Transient):
        await client.ping(5)


async def test_a_host_that_has_no_name(connect: Connect) -> None:
    client = MllpClient("lab", MllpEndpoint(host="no-such-host.invalid", port=2575), Unlimited())
    assert isinstance((await client.send([order("1")], 5))[0], Retry)


async def test_a_large_message_and_a_receiver_that_reads_slowly(receiver: PracticeReceiver, connect: Connect) -> None:
    big = Hl7(MESSAGE % (b"|", b"9")).raw + b"OBX|1|ED|||" + b"A" * 3_000_000 + b"\r"
    delivery = LAB.send(big, key="big")
    assert isinstance((await connect().send([delivery], 20))[0], Delivered)
    assert receiver.received == [delivery.body]
