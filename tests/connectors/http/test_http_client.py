"""The HTTP client against a portal with the faults of the field."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from isthmus.connectors.http import Http, HttpEndpoint
from isthmus.connectors.http.client import HttpClient
from isthmus.connectors.http.practice import PracticePortal, Respond
from isthmus.connectors.suite import Unlimited
from isthmus.connectors.tls import Tls, client_context, server_context
from isthmus.core import Delivered, Delivery, Lookup, Reject, Rejected, Retry, Transient, Unknown

PORTAL = Http("portal")
Connect = Callable[..., HttpClient]


class Tariff(msgspec.Struct):
    code: str
    price: int


class OneAtATime:
    """The strictest budget."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    @asynccontextmanager
    async def call(self, lane: str = "normal") -> AsyncIterator[None]:
        async with self._turn:
            yield


def result(key: str = "r1", *, confirm: str = "", path: str = "/results") -> Delivery:
    draft = PORTAL.post(path, {"key": key}, key=key, confirm=confirm)
    return msgspec.structs.replace(draft, id=f"id-{key}", correlation_id=f"correlation-{key}")


@pytest.fixture
async def connect(portal: PracticePortal) -> AsyncIterator[Connect]:
    made: list[HttpClient] = []

    def build(**settings: object) -> HttpClient:
        client = HttpClient("portal", HttpEndpoint(**{"url": portal.url} | settings), Unlimited())  # type: ignore[arg-type]
        made.append(client)
        return client

    yield build
    for client in made:
        await client.close()


async def send(client: HttpClient, delivery: Delivery, timeout: float = 5.0) -> object:
    await client.open()
    return (await client.send([delivery], timeout))[0]


async def test_sends_what_it_was_given_under_its_id(portal: PracticePortal, connect: Connect) -> None:
    outcome = await send(connect(token="hush"), result())
    assert isinstance(outcome, Delivered)
    assert [(one.kind, one.code) for one in outcome.receipts] == [("transport", "201"), ("application", "201")]
    (request,) = portal.received
    assert (request.method, request.path, request.body) == ("POST", "/results", b'{"key":"r1"}')
    assert request.headers["idempotency-key"] == "id-r1"
    assert request.headers["x-correlation-id"] == "correlation-r1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer hush"


async def test_basic_authentication(portal: PracticePortal, connect: Connect) -> None:
    await send(connect(user="isthmus", password="hush"), result())
    assert portal.received[0].headers["authorization"] == "Basic aXN0aG11czpodXNo"


async def test_connections_are_kept(portal: PracticePortal, connect: Connect) -> None:
    client = connect(in_flight=2)
    await client.open()
    await asyncio.gather(*(client.send([result(str(number))], 5) for number in range(20)))
    assert len(portal.effects) == 20
    assert portal.connections <= 2


# ---- what the receiver says --------------------------------------------------------------------------------------------------------


async def test_retry_after_in_seconds_and_as_a_date(portal: PracticePortal, connect: Connect) -> None:
    portal.behave = lambda _request: Respond(status=503, acts=False, headers={"Retry-After": "11"})
    outcome = await send(connect(), result())
    assert isinstance(outcome, Retry)
    assert (outcome.code, outcome.after) == ("http-503", 11.0)
    portal.behave = lambda _request: Respond(
        status=429, acts=False, headers={"Date": "Thu, 01 Jan 2026 12:00:00 GMT", "Retry-After": "Thu, 01 Jan 2026 12:02:00 GMT"}
    )
    later = await send(connect(), result())
    assert isinstance(later, Retry)
    assert later.after == 120.0  # by the receiver's own clock, however wrong that is


async def test_a_redirect_is_not_followed(portal: PracticePortal, connect: Connect) -> None:
    portal.behave = lambda _request: Respond(status=307, acts=False, headers={"Location": f"{portal.url}/elsewhere"})
    outcome = await send(connect(), result())
    assert isinstance(outcome, Reject)
    assert "url" in outcome.detail
    assert len(portal.received) == 1


async def test_an_expired_token_waits_for_a_new_one(portal: PracticePortal, connect: Connect) -> None:
    portal.token = "new"
    client = connect(token="old")
    outcome = await send(client, result())
    assert isinstance(outcome, Retry)
    assert outcome.code == "http-401"
    with pytest.raises(Rejected, match="token"):
        await client.ping(5)


async def test_a_failure_half_way_is_checked_then_sent_again_with_one_effect(portal: PracticePortal, connect: Connect) -> None:
    portal.behave = lambda _request: Respond(status=500)
    client = connect()
    outcome = await send(client, result())
    assert isinstance(outcome, Unknown)
    assert isinstance(await client.check(result(), 5), Retry)
    portal.behave = lambda _request: Respond()
    assert isinstance(await send(client, result()), Delivered)
    assert len(portal.effects) == 1


async def test_what_may_have_acted_is_left_to_a_person_where_the_receiver_ignores_the_key(portal: PracticePortal, connect: Connect) -> None:
    client = connect(idempotent=False)
    portal.behave = lambda _request: Respond(status=504)
    assert isinstance(await send(client, result()), Unknown)
    outcome = await client.check(result(), 5)
    assert isinstance(outcome, Reject)
    assert outcome.code == "outcome-unknown"


# ---- a receiver that lies ----------------------------------------------------------------------------------------------------------


async def test_a_confirmed_effect_is_a_business_receipt(portal: PracticePortal, connect: Connect) -> None:
    outcome = await send(connect(), result(path="/results/r1", confirm="/results/r1"))
    assert isinstance(outcome, Delivered)
    assert [(one.kind, one.code, one.reference) for one in outcome.receipts][-1] == ("business", "200", "/results/r1")


async def test_a_receiver_that_says_yes_and_does_nothing_is_found_out(portal: PracticePortal, connect: Connect) -> None:
    portal.behave = lambda _request: Respond(status=200, acts=False)
    client = connect()
    delivery = result(path="/results/r1", confirm="/results/r1")
    outcome = await send(client, delivery)
    assert isinstance(outcome, Unknown)
    assert outcome.code == "not-confirmed"
    assert isinstance(await client.check(delivery, 5), Retry)
    portal.behave = lambda _request: Respond()
    assert isinstance(await send(client, delivery), Delivered)


async def test_a_receiver_that_is_behind_is_confirmed_by_the_check(portal: PracticePortal, connect: Connect) -> None:
    portal.behave = lambda _request: Respond(status=202, acts=False)
    client = connect(idempotent=False)
    delivery = result(path="/results/r1", confirm="/results/r1")
    assert isinstance(await send(client, delivery), Unknown)
    portal.resources["/results/r1"] = b"{}"
    checked = await client.check(delivery, 5)
    assert isinstance(checked, Delivered)
    assert checked.receipts[0].kind == "business"


async def test_what_is_seen_to_be_absent_is_sent_again(portal: PracticePortal, connect: Connect) -> None:
    """Where the effect can be seen, a receiver need not know our keys."""
    delivery = result(confirm="/results/r1")
    client = connect(idempotent=False)
    await client.open()
    assert isinstance(await client.check(delivery, 5), Retry)
    await portal.stop()
    assert isinstance(await client.check(delivery, 5), Unknown)


async def test_confirming_needs_no_second_place_in_the_budget(portal: PracticePortal) -> None:
    """With one call at a time, a confirmation inside the write would wait for itself."""
    client = HttpClient("portal", HttpEndpoint(url=portal.url, in_flight=1), OneAtATime())
    outcome = await asyncio.wait_for(send(client, result(path="/results/r1", confirm="/results/r1")), 5)
    assert isinstance(outcome, Delivered)
    await client.close()


async def test_a_body_that_breaks_off_does_not_undo_the_status(connect: Connect) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    client = connect(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert isinstance(await send(client, result()), Delivered)
    server.close()


# ---- time and connections ----------------------------------------------------------------------------------------------------------


async def test_a_break_after_sending_is_unknown(portal: PracticePortal, connect: Connect) -> None:
    portal.behave = lambda _request: Respond(acts=False, hang_up=True)
    outcome = await send(connect(), result())
    assert isinstance(outcome, Unknown)
    assert outcome.code == "connection-lost"


async def test_a_host_that_takes_the_connection_but_never_reads() -> None:
    """The time-out after the headers have left is unknown; the one before it is a retry."""
    writers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    client = HttpClient("portal", HttpEndpoint(url=f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"), Unlimited())
    outcome = await send(client, result(), 0.3)
    assert isinstance(outcome, Unknown)
    assert outcome.code == "timeout"
    await client.close()
    silent.close()
    for writer in writers:
        writer.close()


async def test_a_wait_for_a_connection_is_a_retry(portal: PracticePortal, connect: Connect) -> None:
    portal.behave = lambda _request: Respond(delay=0.5)
    client = connect(in_flight=1)
    await client.open()
    (first,), (second,) = await asyncio.gather(client.send([result("1")], 10), client.send([result("2")], 0.1))
    assert isinstance(first, Delivered)
    assert isinstance(second, Retry)
    assert len(portal.received) == 1


async def test_names_that_do_not_resolve() -> None:
    client = HttpClient("portal", HttpEndpoint(url="http://no-such-host.invalid"), Unlimited())
    outcome = await send(client, result())
    assert isinstance(outcome, Retry)
    with pytest.raises(Transient):
        await client.ping(5)
    await client.close()


async def test_a_huge_answer_is_not_read(portal: PracticePortal, connect: Connect) -> None:
    portal.behave = lambda _request: Respond(body=b"x" * 30_000_000)
    assert isinstance(await send(connect(), result()), Delivered)


# ---- questions ---------------------------------------------------------------------------------------------------------------------


async def test_look_answers_with_the_type_asked_for(portal: PracticePortal, connect: Connect) -> None:
    portal.resources["/tariffs/A1"] = b'{"code":"A1","price":120,"more":"not asked"}'
    client = connect()
    await client.open()
    assert await client.look(PORTAL.get("/tariffs/A1", Tariff), 5) == Tariff("A1", 120)


async def test_look_tells_what_is_wrong_without_quoting_it(portal: PracticePortal, connect: Connect) -> None:
    portal.resources |= {"/wrong": b'{"code":"A1","price":"DOE JANE"}', "/none": b"DOE JANE", "/big": b'"' + b"x" * 5_000 + b'"'}
    client = connect(max_answer=1_000)
    await client.open()
    for path, code in (("/wrong", "answer"), ("/none", "answer"), ("/big", "answer-size"), ("/missing", "http-404")):
        with pytest.raises(Rejected) as caught:
            await client.look(PORTAL.get(path, Tariff), 5)
        assert caught.value.code == code
        assert "DOE" not in str(caught.value)
    with pytest.raises(Rejected):
        await client.look(Lookup(endpoint="portal", name="product by code", answer=Tariff), 5)
    await portal.stop()
    with pytest.raises(Transient):
        await client.look(PORTAL.get("/tariffs/A1", Tariff), 5)


# ---- TLS ---------------------------------------------------------------------------------------------------------------------------


async def test_mutual_tls(ours: Tls, theirs: Tls, strange: Tls) -> None:
    portal = PracticePortal(context=server_context(theirs, "test"))
    await portal.start()
    try:
        trusted = HttpClient("portal", HttpEndpoint(url=portal.url, tls=ours), Unlimited())
        assert isinstance(await send(trusted, result()), Delivered)
        await trusted.close()
        wary = HttpClient("portal", HttpEndpoint(url=portal.url, tls=Tls(ca=strange.ca)), Unlimited())
        outcome = await send(wary, result("2"))
        assert isinstance(outcome, Retry)
        assert outcome.code == "tls"
        with pytest.raises(Rejected, match=r"endpoints\.portal\.tls"):
            await wary.ping(5)
        await wary.close()
        assert len(portal.effects) == 1
        assert client_context(ours, "test").check_hostname
    finally:
        await portal.stop()
