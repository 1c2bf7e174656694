"""Documents that claim checks stand for, on a real socket."""

from __future__ import annotations

import base64
import hashlib

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from isthmus.connectors.http.client import HttpClient
from isthmus.connectors.http.settings import HttpEndpoint
from isthmus.connectors.http.words import Http
from isthmus.connectors.port import Redeems
from isthmus.connectors.suite import Unlimited
from isthmus.core import ClaimCheck, Delivered, Delivery, Outcome, Reject, Retry, Transient
from isthmus.core.claim import CLAIM, check_in

DOCUMENT = bytes(range(256)) * (12 << 10)  # 3 MB
BODY = b"MSH|...\rOBX|1|ED|||^application^pdf^Base64^" + base64.b64encode(DOCUMENT) + b"\r"
START = BODY.index(b"64^") + 3
CHECK = check_in("m", BODY, START, len(BODY) - START - 1, stored="base64", media_type="application/pdf")


def _delivery(check: ClaimCheck = CHECK) -> Delivery:
    return msgspec.structs.replace(Http("portal").put("/documents/1", check, key="1"), id="d1", correlation_id="c1")


class Journal:
    """Hands out pieces of one message; counts how much is asked for at once."""

    def __init__(self, body: bytes = BODY) -> None:
        self.body = body
        self.largest = 0
        self.away_at = 1 << 40

    async def piece(self, message_id: str, start: int, length: int) -> bytes:
        assert message_id == "m"
        if start >= self.away_at:
            raise Transient("journal-unavailable", "away")
        self.largest = max(self.largest, length)
        return self.body[start : start + length]


class Portal:
    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.taken.append((dict(request.headers), body))
        return web.Response(status=201)


async def _send(journal: Journal, portal: Portal, delivery: Delivery) -> Outcome:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_put("/documents/1", portal.take)
    async with TestServer(app) as server:
        client = HttpClient("portal", HttpEndpoint(url=str(server.make_url("")).rstrip("/")), Unlimited())
        assert isinstance(client, Redeems)
        client.redeem_from(journal.piece)
        await client.open()
        (outcome,) = await client.send([delivery], 20.0)
        await client.close()
    return outcome


def test_the_words_carry_a_claim_check_as_data() -> None:
    delivery = _delivery()
    assert delivery.content_type == CLAIM
    assert len(delivery.body) < 400
    assert msgspec.json.decode(delivery.body, type=ClaimCheck) == CHECK


async def test_a_document_is_sent_decoded_and_whole_in_pieces() -> None:
    journal, portal = Journal(), Portal()
    assert isinstance(await _send(journal, portal, _delivery()), Delivered)
    ((headers, body),) = portal.taken
    assert body == DOCUMENT
    assert (headers["Content-Type"], headers["Content-Length"]) == ("application/pdf", str(len(DOCUMENT)))
    assert "Transfer-Encoding" not in headers
    assert headers["Content-Digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(DOCUMENT).digest()).decode()}:"
    assert journal.largest <= 1 << 20


async def test_a_pruned_message_and_a_changed_one_are_dead_letters_and_nobody_takes_half_a_document() -> None:
    for journal, code in ((Journal(b""), "claim-gone"), (Journal(BODY[:-9] + b"AAAAAAAA\r"), "claim-digest")):
        portal = Portal()
        outcome = await _send(journal, portal, _delivery())
        assert isinstance(outcome, Reject)
        assert outcome.code == code
        assert portal.taken == []


async def test_a_journal_that_goes_away_in_the_middle_is_tried_again() -> None:
    journal, portal = Journal(), Portal()
    journal.away_at = 2 << 20
    outcome = await _send(journal, portal, _delivery())
    assert isinstance(outcome, Retry)
    assert portal.taken == []
