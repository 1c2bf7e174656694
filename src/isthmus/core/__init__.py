"""The nouns and the pure functions. Imports the standard library, msgspec and itself; knows no I/O, clock or randomness."""

from isthmus.core.claim import ClaimCheck
from isthmus.core.classification import Classification
from isthmus.core.contract import Contract, Format, Header, Verdict, Violation
from isthmus.core.delivery import Delivery
from isthmus.core.endpoint import Endpoint
from isthmus.core.event import Catalogue, Envelope, Event, EventSpec, canonical
from isthmus.core.failure import Bug, Failure, Invalid, Rejected, Transient
from isthmus.core.ids import derive_id
from isthmus.core.interface import Interface, Subscription, subscribe
from isthmus.core.lookup import Answer, Lookup, NotALookup, lookups
from isthmus.core.message import Message
from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject, Retry, Unknown
from isthmus.core.plan import Plan, fan_out, plan, translate
from isthmus.core.policy import Policy, policy_for
from isthmus.core.pseudonym import pseudonym
from isthmus.core.site import Finding, Site

__all__ = [
    "Answer", "Bug", "Catalogue", "ClaimCheck", "Classification", "Contract", "Delivered", "Delivery", "Endpoint", "Envelope", "Event", "EventSpec",
    "Failure", "Finding", "Format", "Header", "Interface", "Invalid", "Lookup", "Message", "NotALookup", "Outcome", "Plan", "Policy",
    "Receipt", "Reject", "Rejected", "Retry", "Site", "Subscription", "Transient", "Unknown", "Verdict", "Violation",
    "canonical", "derive_id", "fan_out", "lookups", "plan", "policy_for", "pseudonym", "subscribe", "translate",
]  # fmt: skip
