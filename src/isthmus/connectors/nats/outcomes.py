"""What JetStream's refusals mean for a delivery."""

from __future__ import annotations

from isthmus.connectors.nats.jetstream import ApiError
from isthmus.connectors.nats.link import Denied, Lost, NoResponders
from isthmus.core.outcome import Outcome, Reject, Retry, Unknown

TIMEOUT = Unknown("no-acknowledgement", "the stream acknowledged nothing within the time-out")
NO_ACKNOWLEDGEMENT = Unknown("answer", "the answer is no acknowledgement of JetStream's: does something else listen on this subject?")
AFTER_FAILURE = Retry("after-failure", "not sent, for the one before it with the same ordering key was not delivered")

_FULL = 10077
"""The store did not take it: with ``discard: new`` that is a full stream, otherwise a full or broken disk. (JSStreamStoreFailed)"""
_LIMITS = ("maximum bytes exceeded", "maximum messages exceeded", "maximum messages per subject exceeded")
_NOT_NOW = {10008, 10009, 10023, 10047, 10076}
"""No leader, not the leader, not enough room or memory, JetStream off: it was not proposed to the replicas."""
_TOO_LARGE, _ANOTHER_STREAM = 10054, 10060
_SERVER_FAULT = 500


def refused(error: ApiError, stream: str) -> Outcome:
    """The outcome of a publish that was answered by an error; the server's own words do not quote what was sent."""
    code = error.err_code
    if code == _FULL and error.description.endswith(_LIMITS):
        return Retry("stream-full", f"{stream} is full and throws nothing away: let its consumers catch up, or give it more max_bytes")
    if code in _NOT_NOW:
        return Retry(f"jetstream-{code}", f"{stream} takes nothing now: {error.description}")
    if code == _TOO_LARGE:
        return Reject("too-large", f"{stream} takes no message of this size (max_msg_size): send a reference instead, or raise it")
    if code == _ANOTHER_STREAM:
        return Reject("another-stream", f"the subject belongs to another stream than {stream}: correct subject or subjects")
    if error.code >= _SERVER_FAULT or code == _FULL:
        return Unknown(f"jetstream-{code}", f"{stream} met a fault of the server: {error.description}")
    return Reject(f"jetstream-{code}", f"{stream} refuses it: {error.description}")


def unanswered(failure: BaseException, where: str) -> Outcome:
    """The outcome of a publish to which the stream did not answer."""
    match failure:
        case NoResponders():  # the server itself says that it gave the message to nobody
            return Retry(
                "no-stream", "no stream takes the subject now: its leader is being elected, JetStream is off, or the stream is gone"
            )
        case Denied():
            return Reject("permission", f"{where}: this user may not publish to the subject: let it, at the server, then redeliver")
        case Lost():
            return Unknown("connection-lost", "the connection ended before the acknowledgement")
        case _:
            raise failure
