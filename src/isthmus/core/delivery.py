"""Delivery: what shall be sent, to whom, in which order, as data."""

from __future__ import annotations

from msgspec import Struct


class Delivery(Struct, frozen=True, kw_only=True):
    """One thing to be sent. Built by the words of a connector; the plan fills in the ids.

    A retry sends ``body`` again, byte for byte, under the same ``id``.
    """

    endpoint: str
    operation: str
    """What the endpoint shall do, in the connector's words: ``upsert account.move``, ``POST /results``, ``OML^O21``."""
    key: str
    """The business key; unique within a plan for one endpoint. Odoo's external id and HL7's control id derive from it."""
    body: bytes
    ordering_key: str = ""
    """Deliveries of one endpoint with the same key leave one after the other, in the order of their events."""
    content_type: str = "application/json"
    id: str = ""
    subscription: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    """Id of the event from which it was planned."""
    supersedes: str = ""
    """Id of the delivery that a reprocess replaced by this one."""
