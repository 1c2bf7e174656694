"""What an interface may say to a system that speaks HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from isthmus.core.claim import CLAIM, ClaimCheck
from isthmus.core.delivery import Delivery
from isthmus.core.endpoint import Endpoint
from isthmus.core.failure import Bug
from isthmus.core.lookup import Lookup

T = TypeVar("T")
Body = Struct | Mapping[str, Any] | bytes
"""A struct or a mapping becomes JSON; bytes stay as they are. A claim check becomes the document for which it stands, with the media
type and the size that it tells; it is read from the journal while it is sent.
"""

_PATH = re.compile(r"/[!-~]*\Z")
_THEN = " then GET "


class Http(Endpoint):
    """``Http("portal")``: writes as deliveries, reads as lookups.

    Paths end up in logs, here and at the receiver. They must not hold anything of a patient: no name, no number, no diagnosis.
    Put those into the body, or use a pseudonym.
    """

    kind = "http"

    def post(
        self, path: str, body: Body, *, key: str, ordering_key: str = "", content_type: str = "application/json", confirm: str = ""
    ) -> Delivery:
        """Create. ``confirm``: a path that answers a GET with 200 only when this very write has taken effect; it makes a 2xx
        without effect visible and yields a business receipt.
        """
        return Delivery(
            endpoint=self.name,
            operation=self._operation("POST", path, confirm),
            key=key,
            body=_encode(body),
            ordering_key=ordering_key,
            content_type=CLAIM if isinstance(body, ClaimCheck) else content_type,
        )

    def put(
        self, path: str, body: Body, *, key: str, ordering_key: str = "", content_type: str = "application/json", confirm: str = ""
    ) -> Delivery:
        """Create or replace what is at the path; ``confirm`` as with ``post``."""
        return Delivery(
            endpoint=self.name,
            operation=self._operation("PUT", path, confirm),
            key=key,
            body=_encode(body),
            ordering_key=ordering_key,
            content_type=CLAIM if isinstance(body, ClaimCheck) else content_type,
        )

    def delete(self, path: str, *, key: str, ordering_key: str = "") -> Delivery:
        """Remove what is at the path; that it is gone already (404, 410) is as good."""
        return Delivery(
            endpoint=self.name, operation=self._operation("DELETE", path, ""), key=key, body=b"", ordering_key=ordering_key, content_type=""
        )

    def get(self, path: str, answer: type[T], *, max_age: float = 0.0) -> Lookup[T]:
        """Read: ``await portal.get("/tariffs/A1", Tariff)``. ``answer`` names only the fields that are used."""
        return Lookup(endpoint=self.name, name=f"GET {self._clean(path)}", answer=answer, max_age=max_age)

    def _operation(self, method: str, path: str, confirm: str) -> str:
        write = f"{method} {self._clean(path)}"
        return write + _THEN + self._clean(confirm) if confirm else write

    def _clean(self, path: str) -> str:
        """The path itself; a bad one is not quoted, for it may hold what it must not."""
        if not _PATH.match(path) or "#" in path:
            raise Bug(
                "path", f"a path of endpoint {self.name} must begin with / and hold visible ASCII without #: quote its parts for a URL"
            )
        return path


class Request(Struct, frozen=True):
    """What the operation of a delivery asks for."""

    method: str
    path: str
    confirm: str = ""


def read_operation(operation: str) -> Request:
    """``POST /results then GET /results/1`` taken apart."""
    write, _, confirm = operation.partition(_THEN)
    method, _, path = write.partition(" ")
    if method not in ("POST", "PUT", "DELETE") or not path.startswith("/"):
        raise Bug(
            "operation", "an HTTP delivery's operation is `POST|PUT|DELETE /path`, perhaps with `then GET /path`: build it by its words"
        )
    return Request(method, path, confirm)


def _encode(body: Body) -> bytes:
    return body if isinstance(body, bytes) else msgspec.json.encode(body, order="deterministic")
