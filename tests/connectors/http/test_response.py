"""Answers as servers write them, whole and in every way in which they can be cut."""

from __future__ import annotations

import pytest

from isthmus.connectors.http.response import Malformed, Response, TooLarge

WHOLE = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
    (b"HTTP/1.1 200 OK\r\ncontent-length:5\r\nConnection: close\r\n\r\nhello", 200, b"hello", False),
    (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nhi", 200, b"hi", True),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b"", True),
    (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\n1",
        201,
        b"",
        True,
    ),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\nA;x=y\r\npedia in c\r\n0\r\n\r\n", 200, b"Wikipedia in c", True),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\na\r\n0\r\nX: y\r\nZ: a\r\n\r\n", 200, b"a", True),
]


@pytest.mark.parametrize(("wire", "status", "body", "reusable"), WHOLE)
def test_an_answer_is_the_same_however_it_is_cut(wire: bytes, status: int, body: bytes, reusable: bool) -> None:
    for cut in range(len(wire)):
        response = Response(limit=1_000)
        assert not response.feed(wire[:cut]), cut
        assert response.feed(wire[cut:])
        assert (response.status, response.body, response.reusable) == (status, body, reusable), cut
    response = Response(limit=1_000)
    done = [response.feed(wire[at : at + 1]) for at in range(len(wire))]
    assert done == [False] * (len(wire) - 1) + [True]
    assert (response.status, response.body) == (status, body)


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 999 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 70_000,
    ],
)
def test_what_is_no_answer_is_told_and_never_quoted(wire: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        Response(limit=1_000).feed(wire)
    assert "five" not in str(caught.value)


def test_without_a_length_the_end_of_the_connection_is_the_end() -> None:
    response = Response(limit=1_000)
    assert not response.feed(b"HTTP/1.1 200 OK\r\n\r\nhel")
    assert not response.feed(b"lo")
    assert response.ended()
    assert (response.body, response.reusable) == (b"hello", False)


def test_a_body_that_breaks_off_has_not_ended() -> None:
    response = Response(limit=1_000)
    assert not response.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
    assert not response.ended()
    assert response.status == 200


def test_a_body_that_nobody_wants_is_read_over_or_left() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    short, long = Response(), Response()
    assert short.feed(head % 60_000 + b"x" * 60_000)
    assert (short.body, short.reusable) == (b"", True)
    assert long.feed(head % 10_000_000 + b"x" * 70_000)
    assert (long.body, long.reusable) == (b"", False)


def test_a_wanted_body_has_a_limit_and_an_error_page_is_not_wanted() -> None:
    with pytest.raises(TooLarge):
        Response(limit=4).feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    missing = Response(limit=4)
    assert missing.feed(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello")
    assert (missing.status, missing.body) == (404, b"")


def test_more_than_was_asked_for_ends_the_connection() -> None:
    response = Response()
    assert response.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert not response.reusable


def test_fields_are_found_by_name_whatever_their_case() -> None:
    response = Response()
    response.feed(b"HTTP/1.1 503 Busy\r\nRETRY-AFTER:  17 \r\nX-Retry-After: 1\r\nContent-Length: 0\r\n\r\n")
    assert response.header(b"retry-after") == "17"
    assert response.header(b"date") == ""
