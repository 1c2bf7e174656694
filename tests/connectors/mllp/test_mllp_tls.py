"""MLLP over TLS, with certificates of an authority that was made for this run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from isthmus.connectors.mllp import Mllp, MllpEndpoint, MllpSource
from isthmus.connectors.mllp.client import MllpClient
from isthmus.connectors.mllp.practice import PracticeSender
from isthmus.connectors.mllp.source import MllpListener
from isthmus.connectors.port import Reply
from isthmus.connectors.suite import Unlimited
from isthmus.connectors.tls import Tls, client_context
from isthmus.core import Delivered, Delivery, Rejected, Retry, Unknown
from isthmus.formats.hl7v2 import Hl7, acknowledge

MESSAGE = b"MSH|^~\\&|A|B|C|D|20260101||OML^O21^OML_O21|X|P|2.5.1\rPID|||1\r"
DELIVERY = Mllp("lab").send(MESSAGE, key="1")


def accept(_source: str, body: bytes, _peer: str, reply: Reply) -> None:
    reply(acknowledge(body, "accepted", (), reply_id="R1", at="20260101"), "taken")


@pytest.fixture
async def listener(theirs: Tls) -> AsyncIterator[MllpListener]:
    """Lets in only what our authority signed."""
    listener = MllpListener("lab", MllpSource(tls=theirs))
    await listener.start(accept)
    yield listener
    await listener.stop()


@pytest.fixture
async def open_listener(theirs: Tls) -> AsyncIterator[MllpListener]:
    """Encrypted, but lets in everybody."""
    listener = MllpListener("lab", MllpSource(tls=Tls(certificate=theirs.certificate, key=theirs.key)))
    await listener.start(accept)
    yield listener
    await listener.stop()


async def exchange(listener: MllpListener, tls: Tls | None, *, host: str = "127.0.0.1", delivery: Delivery = DELIVERY) -> object:
    client = MllpClient("lab", MllpEndpoint(host=host, port=listener.port, tls=tls), Unlimited())
    await client.open()
    try:
        return (await client.send([delivery], 5))[0]
    finally:
        await client.close()


async def ping(listener: MllpListener, tls: Tls | None) -> None:
    client = MllpClient("lab", MllpEndpoint(host="127.0.0.1", port=listener.port, tls=tls), Unlimited())
    await client.open()
    try:
        await client.ping(5)
    finally:
        await client.close()


async def test_encrypted(open_listener: MllpListener, ours: Tls) -> None:
    assert isinstance(await exchange(open_listener, Tls(ca=ours.ca)), Delivered)
    await ping(open_listener, Tls(ca=ours.ca))


async def test_both_sides_show_who_they_are(listener: MllpListener, ours: Tls) -> None:
    assert isinstance(await exchange(listener, ours), Delivered)
    await ping(listener, ours)


async def test_a_server_of_a_strange_authority_gets_nothing(open_listener: MllpListener, strange: Tls) -> None:
    outcome = await exchange(open_listener, Tls(ca=strange.ca))
    assert isinstance(outcome, Retry)
    assert outcome.code == "tls"
    with pytest.raises(Rejected, match=r"endpoints\.lab\.tls"):
        await ping(open_listener, Tls(ca=strange.ca))


async def test_a_server_of_another_name_gets_nothing(open_listener: MllpListener, ours: Tls) -> None:
    outcome = await exchange(open_listener, Tls(ca=ours.ca, server_name="other.example"))
    assert isinstance(outcome, Retry)
    assert isinstance(await exchange(open_listener, Tls(ca=ours.ca, server_name="localhost")), Delivered)


@pytest.mark.parametrize("certificate", ["none", "strange"])
async def test_a_sender_without_our_certificate_is_not_let_in(certificate: str, listener: MllpListener, ours: Tls, strange: Tls) -> None:
    shown = Tls(ca=ours.ca) if certificate == "none" else Tls(ca=ours.ca, certificate=strange.certificate, key=strange.key)
    assert isinstance(await exchange(listener, shown), Retry | Unknown)
    with pytest.raises(Rejected, match=r"endpoints\.lab\.tls"):
        await ping(listener, shown)


async def test_a_plain_sender_is_not_let_in(listener: MllpListener) -> None:
    assert isinstance(await exchange(listener, None), Retry | Unknown)


async def test_large_messages_and_pipelines_over_tls(listener: MllpListener, ours: Tls) -> None:
    big = Mllp("lab").send(Hl7(MESSAGE).raw + b"OBX|1|ED|||" + b"A" * 2_000_000 + b"\r", key="big")
    assert isinstance(await exchange(listener, ours, delivery=big), Delivered)
    async with PracticeSender("127.0.0.1", listener.port, context=client_context(ours, "test"), server_name="localhost") as sender:
        answers = await asyncio.gather(*(sender.send(b"\x0b" + DELIVERY.body + b"\x1c\r") for _ in range(50)))
        assert len(answers) == 50
        for _ in range(50):
            assert (await sender.hear() or b"").startswith(b"MSH")
