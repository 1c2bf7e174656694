"""Answering: the acknowledgement of a message, in the original or the enhanced mode (HL7 v2.5.1 §2.9.2, 2.9.3)."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from isthmus.core.contract import Verdict, Violation
from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2.document import Hl7
from isthmus.formats.hl7v2.encoding import USUAL, Encoding
from isthmus.formats.hl7v2.errors import error_segments, msa_fields, version_of
from isthmus.formats.hl7v2.header import WHOLE_MSH

_ORIGINAL = {"accepted": b"AA", "invalid": b"AE", "refused": b"AR", "busy": b"AR"}
_ENHANCED = {"accepted": b"CA", "invalid": b"CE", "refused": b"CR", "busy": b"CR"}
_ABSENT = [b""] * 18
_BUSY = Violation("", "busy", "too many messages wait here; this one was not kept: send it again later")
_NOBODY = Violation("MSH-9", "no-interface", "nobody here takes this kind of message; agree on it with the receiver first")


def acknowledge(body: bytes, verdict: Verdict, violations: tuple[Violation, ...], *, reply_id: str, at: str) -> bytes | None:
    """The answer, in the delimiters, version and charset of the message; None where its MSH-15 and MSH-16 ask for none.

    Both empty: original mode, AA, AE or AR. Otherwise enhanced mode: MSH-15 says whether CA, CE or CR is wanted. Where it wants none,
    but MSH-16 wants an application's answer, that is AA, AE or AR at once, for what we accept is in our hands for good.
    What has no readable MSH is always answered, with AR.
    """
    head, encoding, unreadable = _head(body)
    accept, application = head[14].strip(), head[15].strip()  # a blank says nothing
    code = _ORIGINAL[verdict]
    if accept or application:
        if _wanted(accept, verdict):
            code = _ENHANCED[verdict]
        elif not _wanted(application, verdict):
            return None
    if verdict == "accepted":
        return _reply(head, encoding, code, (), (reply_id, at))
    if verdict == "busy":
        violations = (_BUSY,)
    elif violations:
        violations = tuple(sorted(violations, key=_is_warning))  # MSA-3 and the first ERRs are all that many senders show
    else:
        violations = (unreadable or _NOBODY,) if verdict == "refused" else ((unreadable,) if unreadable else ())
    return _reply(head, encoding, code, violations, (reply_id, at))


def application_acknowledgement(
    body: bytes, code: Literal["AA", "AE", "AR"], violations: tuple[Violation, ...] = (), *, reply_id: str, at: str
) -> bytes:
    """An application's own answer (the second of the enhanced mode), whatever MSH-15 and MSH-16 say; ``violations`` tell why not."""
    head, encoding, _ = _head(body)
    return _reply(head, encoding, code.encode(), violations, (reply_id, at))


def _wanted(condition: bytes, verdict: Verdict) -> bool:
    """Table 0155: AL always, NE never, ER on errors, SU on success; empty beside a valued one is NE.

    Any other word is read as AL: a sender that gets an answer too many ignores it, one that waits for an answer stands still.
    """
    if condition == b"AL":
        return True
    condition = condition.strip().upper()
    if condition == b"ER":
        return verdict != "accepted"
    if condition == b"SU":
        return verdict == "accepted"
    return condition not in (b"NE", b"", b'""')


def _is_warning(violation: Violation) -> bool:
    return violation.severity != "error"


def _head(body: bytes) -> tuple[list[bytes], Encoding, Violation | None]:
    """The raw fields of MSH (MSH-2 at index 1, at least up to MSH-18), what they are written in, and why they cannot be read."""
    line = WHOLE_MSH.match(body)
    if line is not None and line[0].isascii():
        head = line[0].split(b"|", 18)
        if len(head) < 18:  # noqa: PLR2004 - up to MSH-18
            head += _ABSENT[len(head) :]
        if head[1] == b"^~\\&":
            return head, USUAL, None
    try:
        message = Hl7(body)
    except Invalid as failure:
        return [b"MSH", b"^~\\&", *_ABSENT[2:]], USUAL, Violation("MSH", failure.code, failure.detail.removeprefix("MSH: "))
    msh = message.segments("MSH")[0]
    head = [b"".join(field.splitlines()) for field in (msh.fields[0], *msh.fields[2:])]
    head += _ABSENT[len(head) :]
    delimiters = message.encoding.delimiters
    if not delimiters.flaw or delimiters.whole:
        head[1] = delimiters.msh2
    return head, message.encoding, None


def _reply(head: list[bytes], encoding: Encoding, code: bytes, violations: tuple[Violation, ...], ours: tuple[str, str]) -> bytes:
    reply_id, at = ours
    separator = encoding.field
    what = _answer_type(head[8], encoding.component)
    answer = separator.join((
        b"MSH", head[1], head[4], head[5], head[2], head[3], at.encode(), b"", what, reply_id.encode(), head[10] or b"P", head[11] or b"2.5.1",
    ))  # fmt: skip
    if head[17]:
        answer += separator * 6 + head[17]
    answer += b"\rMSA" + separator + code + separator + head[9]
    if violations:
        version = version_of(encoding.text(head[11]))
        answer += msa_fields(violations[0], encoding, version) + b"\r" + error_segments(violations, encoding, version)
    else:
        answer += b"\r"
    wire = encoding.charset.wire
    return answer.decode().encode(wire) if wire else answer


@lru_cache(maxsize=1024)
def _answer_type(msh9: bytes, component: bytes) -> bytes:
    """MSH-9 of the answer: ``ACK^A01^ACK``; just ``ACK`` where no trigger is known."""
    parts = msh9.split(component) if component else []
    trigger = parts[1] if len(parts) > 1 else b""
    return b"ACK" + component + trigger + component + b"ACK" if trigger else b"ACK"
