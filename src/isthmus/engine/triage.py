"""Triage: the receiver's verdict on one message, before it is kept. Pure.

accepted  an interface of this source takes it and its contract holds (AA)
invalid   its contract is broken; kept, quarantined, answered with every violation (AE)
refused   unreadable, or no interface of this source takes its kind; kept, answered (AR)

The id derives from source, sender, control id and content, so the same bytes sent again are recognised, and another content
under a used control id is a message of its own. The id of what was not taken derives from the reason too: once the interface
is there or the contract mended, the sender may send the same bytes again and they are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct

from isthmus.core.contract import Format, Header, Verdict, Violation
from isthmus.core.failure import Bug, Invalid
from isthmus.core.ids import derive_id
from isthmus.core.interface import Interface
from isthmus.core.message import Message
from isthmus.core.site import Site
from isthmus.journals.port import Arrival, Identifier

_REPLY_ID = 20
"""Digits of a reply's id: what HL7 v2 allows for MSH-10 up to version 2.6."""

_NOTHING = Header()
_VERDICTS: dict[str, Verdict] = {"received": "accepted", "invalid": "invalid", "refused": "refused"}


class _Finding(Struct, frozen=True):
    state: Any
    header: Header
    interface: str = ""
    reason: str = ""
    violations: tuple[Violation, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    error: Exception | None = None


class Triage:
    """The verdicts of one site. ``stumbled`` hears when contract or format code raised something of its own (our bug: the
    message is kept and refused under the reason ``bug``, to be reprocessed after the fix).
    """

    def __init__(self, site: Site, stumbled: Callable[[str, str, Exception], None]) -> None:
        self._site = site
        self._stumbled = stumbled
        self._formats = formats(site)
        self._route = lru_cache(maxsize=1024)(site.route)  # bounded, for the kinds come from outside

    def examine(self, source: str, body: bytes, now: datetime, stamp: str) -> Arrival:
        """The message with its verdict and its answer; ``stamp`` is ``now`` as ``YYYYMMDDHHMMSS``."""
        finding = self._find(source, self._formats[source], body)
        header, state, reason = finding.header, finding.state, finding.reason
        if state == "received":
            message_id = derive_id("message", source, header.sender, header.control_id, body)
        else:
            message_id = derive_id("message", source, header.sender, header.control_id, body, reason)
        if finding.error is not None:
            self._stumbled(source, message_id, finding.error)
        message = Message(
            id=message_id,
            interface=finding.interface,
            source=source,
            body=body,
            received_at=now,
            correlation_id=message_id,
            kind=header.kind,
            sender=header.sender,
            control_id=header.control_id,
        )
        return Arrival(
            message=message,
            state=state,
            reason=reason,
            violations=finding.violations,
            identifiers=finding.identifiers,
            ack=self.answer(source, body, _VERDICTS[state], finding.violations, derive_id("reply", message_id), stamp),
        )

    def answer(self, source: str, body: bytes, verdict: Verdict, violations: tuple[Violation, ...], reply_id: str, at: str) -> bytes:  # noqa: PLR0917 - the format's own, in its order
        """The reply's bytes; empty where the sender asked for none, or where not even that can be read."""
        try:
            return self._formats[source].acknowledge(body, verdict, violations, reply_id=reply_id[:_REPLY_ID], at=at) or b""
        except Invalid:
            return b""
        except Exception as error:  # noqa: BLE001 - a bug in a format must not cost the message; it is told
            self._stumbled(source, "", error)
            return b""

    def violations(self, source: str, body: bytes) -> tuple[Violation, ...]:
        """What :meth:`examine` would tell of it, without its id and its answer."""
        return self._find(source, self._formats[source], body).violations

    def interface_of(self, source: str, body: bytes) -> str:
        """The interface that takes it, from the header alone; empty when none does or it cannot be read."""
        try:
            interface = self._route(source, self._formats[source].header(body).kind)
        except Exception:  # noqa: BLE001 - whatever is wrong with it is told by ``examine``
            return ""
        return interface.name if interface is not None else ""

    def _find(self, source: str, format: Format[Any], body: bytes) -> _Finding:
        header, name = _NOTHING, ""
        try:
            header = format.header(body)
            interface = self._route(source, header.kind)
            if interface is None:
                return self._unrouted(header)
            name = interface.name
            return _examine(interface, format, header, body)
        except Invalid as failure:
            return _Finding("refused", header, name, "unreadable", (Violation("", failure.code, failure.detail),))
        except Exception as error:  # noqa: BLE001 - our bug must not cost a message, nor the connection it came by
            cure = "keep the message; the receiving side is at fault and will process it after a repair"
            return _Finding("refused", header, name, "bug", (Violation("", "bug", cure),), (), error)

    def _unrouted(self, header: Header) -> _Finding:
        if any(one.takes(header.kind) for one in self._site.interfaces):
            reason, cure = "wrong-source", f"send {header.kind or 'it'} to the port or folder that its interface listens to"
        else:
            reason, cure = "no-interface", f"stop sending {header.kind or 'it'}, or ask for an interface that takes it"
        return _Finding("refused", header, "", reason, (Violation("", reason, cure),))


def _examine(interface: Interface[Any], format: Format[Any], header: Header, body: bytes) -> _Finding:
    document = format.open(body)
    identifiers = format.identifiers(document)
    violations = interface.contract.check(document)
    if any(one.severity == "error" for one in violations):
        return _Finding("invalid", header, interface.name, "contract", violations, identifiers)
    return _Finding("received", header, interface.name, "", violations, identifiers)


def formats(site: Site) -> Mapping[str, Format[Any]]:
    """The one format of each source; raises ``Bug`` where the interfaces of a source do not agree on it."""
    found: dict[str, Format[Any]] = {}
    for source in site.sources:
        spoken = {one.contract.format.name: one.contract.format for one in site.at(source)}
        if len(spoken) > 1:
            names = ", ".join(sorted(spoken))
            raise Bug(
                "format-twice", f"source {source} speaks one format, its interfaces expect {names}: give each format a source of its own"
            )
        found[source] = next(iter(spoken.values()))
    return found
