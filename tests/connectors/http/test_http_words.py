from __future__ import annotations

import msgspec
import pytest

from isthmus.connectors.http import Http, HttpEndpoint, HttpSource
from isthmus.connectors.http.words import Request, read_operation
from isthmus.core import Bug, Rejected

PORTAL = Http("portal")


class Result(msgspec.Struct):
    b: int
    a: str


def test_a_write_is_data() -> None:
    delivery = PORTAL.post("/results", Result(b=1, a="x"), key="r1", ordering_key="p1", confirm="/results/r1")
    assert delivery.endpoint == "portal"
    assert delivery.operation == "POST /results then GET /results/r1"
    assert delivery.body == b'{"b":1,"a":"x"}'
    assert (delivery.key, delivery.ordering_key, delivery.content_type) == ("r1", "p1", "application/json")
    assert read_operation(delivery.operation) == Request("POST", "/results", "/results/r1")


def test_put_and_delete() -> None:
    assert read_operation(PORTAL.put("/results/1", b"<r/>", key="1", content_type="text/xml").operation) == Request("PUT", "/results/1")
    assert read_operation(PORTAL.delete("/results/1", key="1").operation) == Request("DELETE", "/results/1")


def test_mappings_are_encoded_in_one_way() -> None:
    """A retry and a replay send the same bytes, however the mapping was built."""
    assert PORTAL.post("/r", {"b": 1, "a": 2}, key="1") == PORTAL.post("/r", {"a": 2, "b": 1}, key="1")


def test_a_read_is_a_lookup() -> None:
    lookup = PORTAL.get("/tariffs/A1", Result, max_age=60)
    assert (lookup.endpoint, lookup.name, lookup.answer, lookup.max_age) == ("portal", "GET /tariffs/A1", Result, 60)


@pytest.mark.parametrize("path", ["results", "", "/a b", "/a\nb", "/ä", "/a#b", "//x\x00", "/a\n"])
def test_a_path_that_is_none_is_a_bug_and_not_quoted(path: str) -> None:
    with pytest.raises(Bug) as caught:
        PORTAL.post(path, b"", key="1")
    assert path == "" or path not in str(caught.value)


@pytest.mark.parametrize("operation", ["upsert account.move", "GET /x", "POST x", ""])
def test_an_operation_of_another_connector_is_a_bug(operation: str) -> None:
    with pytest.raises(Bug):
        read_operation(operation)


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        ({"url": "portal.example"}, "http://"),
        ({"url": "http://user:secret@portal"}, "no credentials"),
        ({"url": "http://p", "token": "t", "user": "u", "password": "p"}, "both set"),
        ({"url": "http://p", "user": "u"}, "belong together"),
    ],
)
def test_settings_that_contradict_themselves(settings: dict[str, str], cure: str) -> None:
    with pytest.raises(Rejected, match=cure):
        HttpEndpoint(**settings)  # type: ignore[arg-type]


def test_no_secret_in_a_repr() -> None:
    assert "hush" not in repr(HttpEndpoint(url="http://p", token="hush"))
    assert "hush" not in repr(HttpEndpoint(url="http://p", user="u", password="hush"))
    assert "hush" not in repr(HttpSource(token="hush"))


def test_a_listener_without_a_token_is_refused() -> None:
    with pytest.raises(Rejected, match="anybody"):
        HttpSource(token="")
