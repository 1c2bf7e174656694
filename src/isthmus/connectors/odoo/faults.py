"""Faults: what Odoo says when a call did not work, and what follows from it.

Odoo's status says little: 500 is a wrong field name as well as a lost race. The *name* of its exception decides. Its ``message`` and
``debug`` may quote values, SQL and a traceback, so neither gets into our texts: only the name, the model and the method.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from isthmus.core.failure import Failure, Rejected, Transient
from isthmus.core.outcome import Outcome, Reject, Retry, Unknown

Verdict = Literal["retry", "reject", "unknown"]
"""retry: had no effect, may work later · reject: would be refused again · unknown: was sent, nobody knows."""


class Fate(NamedTuple):
    """What a kind of failure means."""

    verdict: Verdict
    code: str
    cure: str


_CONFIGURED_WRONG = frozenset({"unauthorised", "no-database", "redirected", "forbidden"})
"""Deliveries wait when these happen, for they are not to blame; ``open`` and ``ping`` reject, so that a person is told."""


_HOPELESS = _CONFIGURED_WRONG | {"unreachable", "unavailable", "slow-down", "no-answer", "no-time-left", "no-turn", "lease-lapsed"}


class Fault(Exception):
    """One call to Odoo that did not work."""

    def __init__(
        self,
        verdict: Verdict,
        code: str,
        detail: str = "",
        *,
        after: float | None = None,
        rows: tuple[int, ...] = (),
        untried: bool = False,
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.verdict: Verdict = verdict
        self.code = code
        self.detail = detail
        self.after = after
        self.untried = untried
        """With ``retry``: no call was made, so that it says nothing about Odoo."""
        self.rows = rows
        """Rows of a ``load`` that Odoo complained about: a hint only, for it blames the first row for what any row did."""

    @property
    def hopeless(self) -> bool:
        """Whether the next call would meet it as well."""
        return self.code in _HOPELESS

    @property
    def outcome(self) -> Outcome:
        match self.verdict:
            case "retry":
                return Retry(self.code, self.detail, self.after, self.untried)
            case "reject":
                return Reject(self.code, self.detail)
            case _:
                return Unknown(self.code, self.detail, self.untried)

    @property
    def failure(self) -> Failure:
        """For an endpoint that is opened or asked: what a person must mend in the configuration is rejected."""
        if self.verdict == "reject" or self.code in _CONFIGURED_WRONG:
            return Rejected(self.code, self.detail)
        return Transient(self.code, self.detail, self.after)


_NO_KEY = "Odoo does not take the API key: make a new one for the service user (keys live at most 90 days) and put it where 'key' points"
_BY_NAME: dict[str, Fate] = {
    "SerializationFailure": Fate("retry", "busy", "another transaction was faster"),
    "DeadlockDetected": Fate("retry", "busy", "another transaction was faster"),
    "LockNotAvailable": Fate("retry", "busy", "another transaction holds the record"),
    "QueryCanceled": Fate("retry", "busy", "Odoo's database gave up on a statement"),
    "TooManyConnections": Fate("retry", "busy", "Odoo's database takes no more connections"),
    "PoolError": Fate("retry", "busy", "Odoo has no free connection to its database"),
    "CannotConnectNow": Fate("retry", "database-down", "Odoo's database is starting or stopping"),
    "OperationalError": Fate("unknown", "database-lost", "Odoo lost its database during the call"),
    "InterfaceError": Fate("unknown", "database-lost", "Odoo lost its database during the call"),
    "AdminShutdown": Fate("unknown", "database-lost", "Odoo's database was shut down during the call"),
    "MemoryError": Fate("retry", "busy", "Odoo ran out of memory"),
    "Unauthorized": Fate("retry", "unauthorised", _NO_KEY),
    "AccessDenied": Fate("retry", "unauthorised", _NO_KEY),
    "TooManyRequests": Fate("retry", "slow-down", "Odoo asks for fewer calls"),
    "ServiceUnavailable": Fate("retry", "unavailable", "Odoo is not ready"),
    "AccessError": Fate("reject", "access-denied", "the service user lacks a right here: grant it, then redeliver"),
    "MissingError": Fate("reject", "record-gone", "the record was deleted in Odoo"),
    "UserError": Fate("reject", "refused", "Odoo's own rules refuse it: try the same by hand in Odoo to read why"),
    "ValidationError": Fate("reject", "refused", "Odoo's own rules refuse it: try the same by hand in Odoo to read why"),
    "RedirectWarning": Fate("reject", "refused", "Odoo wants something set up first: try the same by hand to read what"),
    "NotFound": Fate("reject", "unknown-model", "Odoo has no such model or method: install the module that brings it"),
}
_FAILED = Fate("reject", "not-understood", "Odoo failed on the values or on a field that it does not have")


_NAME = re.compile(r"^[A-Za-z_]\w{0,59}$")


def by_name(name: str, where: str, after: float | None = None) -> Fault:
    """The fault for the name of an exception, such as ``psycopg2.errors.SerializationFailure``."""
    short = name.rpartition(".")[2]
    fate = _BY_NAME.get(short, _FAILED)
    safe = short if _NAME.match(short) else "an error"
    return Fault(fate.verdict, fate.code, f"{where}: {safe}; {fate.cure}", after=after)


_LOADED: tuple[tuple[str, Fate], ...] = (
    (r"could not serialize|deadlock detected|could not obtain lock", Fate("retry", "busy", "another transaction was faster")),
    (r"ir_model_data_module_name_uniq", Fate("retry", "busy", "another transaction made the same record")),
    (r"[Tt]ransaction is aborted|Unknown database error", Fate("retry", "busy", "the transaction was given up")),
    (r"^No matching record found for", Fate("reject", "reference-absent", "the record it refers to is not in Odoo")),
    (r"found record of different model", Fate("reject", "key-of-other-model", "this key names a record of another model: give keys a prefix")),
    (r"not allowed to|access rights|security restrictions", Fate("reject", "access-denied", "the service user lacks a right: grant it, redeliver")),
    (r"not found in selection field", Fate("reject", "bad-choice", "the value is none of the field's choices")),
    (r"[Mm]issing required value|mandatory field is not set", Fate("reject", "value-missing", "Odoo requires a field that was not given")),
    (r"does not seem to be an? ", Fate("reject", "bad-value", "the value does not fit the field's type")),
)  # fmt: skip
_UNREAD = Fate("reject", "refused", "Odoo's own rules refuse it: import the same row by hand to read why")
_FIELD = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")


def by_messages(messages: list[dict[str, object]], where: str) -> Fault:
    """The fault in the messages of a ``load`` that answered 200 without ids. A lost race outweighs what followed from it."""
    errors = [one for one in messages if one.get("type") == "error"]
    found = [_of_message(one, where) for one in errors] or [
        Fault("retry", "no-effect", f"{where}: Odoo answered without ids and without a reason")
    ]
    worst = next((one for one in found if one.verdict == "retry"), found[0])
    rows = {first for one in errors if isinstance(span := one.get("rows"), dict) and isinstance(first := span.get("from"), int)}
    return Fault(worst.verdict, worst.code, worst.detail, rows=tuple(sorted(rows)))


def _of_message(message: dict[str, object], where: str) -> Fault:
    field = str(message.get("field", ""))
    fate = _fate(str(message.get("message", "")))
    place = f"{where}.{field}" if _FIELD.match(field) else where
    return Fault(fate.verdict, fate.code, f"{place}: {fate.cure}")


def _fate(text: str) -> Fate:
    for pattern, fate in _LOADED:
        if re.search(pattern, text):
            return fate
    return _UNREAD
