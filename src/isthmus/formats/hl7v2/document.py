"""Hl7: one message of HL7 v2, read lazily from its original bytes, which are never altered."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping

from isthmus.core.contract import Violation
from isthmus.core.failure import Invalid
from isthmus.formats.hl7v2.charset import Charset, settle, wide, writable
from isthmus.formats.hl7v2.delimiters import read_delimiters
from isthmus.formats.hl7v2.edit import replace
from isthmus.formats.hl7v2.encoding import USUAL, Encoding
from isthmus.formats.hl7v2.giants import LARGE, Giants, find_giants
from isthmus.formats.hl7v2.group import Group
from isthmus.formats.hl7v2.kind import kind
from isthmus.formats.hl7v2.lines import Lines, read_lines
from isthmus.formats.hl7v2.primitive import moment
from isthmus.formats.hl7v2.segment import Segment
from isthmus.formats.hl7v2.write import Draft, Value, timestamp, write_header, write_segment

_LEAD = re.compile(rb"(?:\xef\xbb\xbf|[ \t\r\n\x00\x0b])*")
_HEAD = 256  # bytes in which the delimiters stand
_TRAIL = b" \r\n\x00\x1a\x1c"


class Hl7(Group):
    """A message. ``message["PV1-19"]`` is text, ``message.segments("OBX")`` segments, ``bytes(message)`` what the sender sent.

    Any mix of CR, LF and CRLF ends a segment. Nothing but ``Invalid`` is raised for what a sender wrote, and only where there is
    no MSH with a field separator; whatever else is odd is read as docs/explanation/hl7v2-oddities.md says, and told by
    :meth:`oddities`.
    """

    __slots__ = ("_first", "_lines", "_made", "encoding", "message_id", "raw", "slim")

    def __init__(self, raw: bytes, zone: dt.tzinfo = dt.UTC) -> None:
        self._zone = zone
        self.raw = raw
        self.message_id = ""
        """Of the message as the journal keeps it, for claim checks; empty until it is translated."""
        giants = _giants(raw) if len(raw) > LARGE else None
        slim = raw if giants is None else giants.slim()
        self.slim = slim
        """What is split: the view, without the giants of a large message."""
        self.encoding = USUAL
        self._lines: Lines | None = None
        self._first: dict[bytes, Segment] = {}
        self._made: dict[int, Segment] | None = None
        if not slim.startswith(b"MSH|^~\\&|") or not slim.isascii() or b"\x1b" in slim or b"\x1c" in slim[-4:]:
            self.slim, self.encoding = _prepare(slim)
        if giants is not None:
            self.encoding = Encoding(self.encoding.delimiters, self.encoding.charset, giants)

    def __bytes__(self) -> bytes:
        return self.raw

    def __repr__(self) -> str:
        return f"<Hl7 {self.kind} of {len(self.raw)} bytes>"

    @property
    def view(self) -> bytes:
        """The original bytes from MSH on, or their UTF-8 where the charset hides delimiters in its characters."""
        return self.encoding.whole(self.slim)

    # ---- what MSH says ---------------------------------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """``ADT^A03``."""
        return kind(self["MSH-9.1"], self["MSH-9.2"], self["MSH-9.3"], self["EVN-1"])

    @property
    def control_id(self) -> str:
        return self["MSH-10"]

    @property
    def version(self) -> str:
        return self["MSH-12"]

    @property
    def zone(self) -> dt.tzinfo:
        """The offset in MSH-7, which holds for the whole message (§2.15.9.7); else the zone that the contract names.

        Where the two agree when the message was sent, it is the contract's, which also knows of summer time.
        """
        sent = moment(self["MSH-7"])
        if sent is None or sent.value.tzinfo is None:
            return self._zone
        try:
            agreed = sent.value.astimezone(self._zone).utcoffset() == sent.value.utcoffset()
        except (OverflowError, ValueError):  # in the first or last hours that a calendar has
            agreed = False
        return self._zone if agreed else sent.value.tzinfo

    # ---- segments --------------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> Lines:
        lines = self._lines
        if lines is None:
            lines = self._lines = read_lines(self.slim, self.encoding.field)
        return lines

    def find(self, name: bytes, occurrence: int = 1) -> Segment | None:
        if occurrence > 1:
            index = self.lines.index(name, occurrence)
            return None if index < 0 else self._segment(index, occurrence)
        segment = self._first.get(name)
        if segment is None:
            index = self.lines.index(name, 1)
            if index < 0:
                return None
            segment = self._first[name] = self._segment(index, 1)
        return segment

    def _segment(self, index: int, occurrence: int) -> Segment:
        made = self._made
        if made is None:
            made = self._made = {}
        segment = made.get(index)
        if segment is None:
            segment = made[index] = Segment(self.lines.order[index], self.encoding, occurrence)
        return segment

    def __iter__(self) -> Iterator[Segment]:
        seen: dict[bytes, int] = {}
        for index, key in enumerate(self.lines.keys):
            seen[key] = number = seen.get(key, 0) + 1
            yield self._segment(index, number)

    def segments(self, *names: str) -> tuple[Segment, ...]:
        if len(names) != 1:
            return super().segments(*names)
        return tuple(self.named(names[0].encode()))

    def named(self, name: bytes) -> list[Segment]:
        """Like :meth:`segments`, for who reads every message."""
        indexes = self.lines.indexes(name)
        if len(indexes) <= 1:
            first = self.find(name) if indexes else None
            return [] if first is None else [first]
        return [self._segment(index, number) for number, index in enumerate(indexes, 1)]

    def oddities(self) -> tuple[Violation, ...]:
        """What the sender should mend although it could be read; and, as an error, a second message under the first one's MSH."""
        found: list[Violation] = []
        if flaw := self.encoding.delimiters.flaw:
            found.append(Violation("MSH-2", "delimiters", f"{flaw}; send ^~\\&", "warning"))
        if flaw := self.encoding.charset.flaw:
            found.append(Violation("MSH-18", "charset", f"{flaw}; declare what you send, best UNICODE UTF-8", "warning"))
        lines = self.lines
        if lines.count(b"MSH") > 1:
            found.append(Violation("MSH[2]", "one-message", "a second message stands in this one: send each in a frame of its own"))
        return (*found, *lines.odd)

    # ---- writing ---------------------------------------------------------------------------------------------------------

    def replace(self, path: str, value: Value) -> Hl7:
        """A new message with this field, repetition, component or sub-component changed and every other byte as it was."""
        encoding = Encoding(self.encoding.delimiters, self.encoding.charset)
        if encoding.codec == "ascii":  # so far; what its MSH-18 allows may be written into it
            encoding = Encoding(encoding.delimiters, writable(self.values("MSH-18")))
        return Hl7(replace(self.raw, self.view, encoding, path, value), self._zone)

    @classmethod
    def build(
        cls,
        kind: str,
        *segments: Draft,
        control_id: str,
        at: dt.datetime | str,
        sender: tuple[str, str],
        receiver: tuple[str, str],
        version: str = "2.5.1",
        more: Mapping[int, Value] | None = None,
    ) -> Hl7:
        """A new message in UTF-8: ``Hl7.build("OML^O21^OML_O21", ("PID", {3: "123", 5: ("Doe", "Jane")}), …)``.

        A value is text (escaped here), a number, a date or time, a tuple of components (in it, tuples of sub-components), a list of
        repetitions, ``NULL``, or None for nothing; bytes are taken as they are. ``sender`` and ``receiver`` are application and
        facility; ``more`` are further fields of MSH (``{15: "AL", 16: "AL"}``).
        """
        sent = at if isinstance(at, str) else timestamp(at)
        fields: dict[int, Value] = {3: sender[0], 4: sender[1], 5: receiver[0], 6: receiver[1], 7: sent, 10: control_id, 12: version}
        lines = [write_header(kind, fields | dict(more or {}))]
        lines += [write_segment(name, fields) for name, fields in segments]
        return cls(b"".join(line + b"\r" for line in lines))


def _giants(raw: bytes) -> Giants | None:
    """What is taken out of a large message; nothing where it has no readable beginning, or characters of several bytes throughout."""
    lead = _LEAD.match(raw)
    begin = lead.end() if lead else 0
    head = raw[begin : begin + _HEAD]
    return find_giants(raw, begin, read_delimiters(head)) if head[:3] == b"MSH" and not wide(raw) else None


def _prepare(raw: bytes) -> tuple[bytes, Encoding]:
    """View and encoding of a message that does not begin and end as most do."""
    view, codec = raw, wide(raw)
    if codec:
        view = raw.decode(codec, "replace").encode().removeprefix(b"\xef\xbb\xbf")
    lead = _LEAD.match(view)
    view = view[lead.end() if lead else 0 :].rstrip(_TRAIL)
    if view[:3] != b"MSH":
        raise _headless(view)
    delimiters = read_delimiters(view)
    if codec:
        return view, Encoding(delimiters, Charset("utf-8", "utf-8", wire=codec))
    fields = view.splitlines()[0].split(delimiters.field)
    declared = fields[17] if len(fields) > 17 else b""  # noqa: PLR2004 - MSH-18
    names = declared.split(delimiters.repetition) if delimiters.repetition else [declared]
    view, charset = settle(view, [name.decode("latin-1") for name in names if name.strip()])
    return view, Encoding(delimiters, charset)


def _headless(view: bytes) -> Invalid:
    if not view:
        return Invalid("empty", "MSH: there is nothing here; send a message that begins with MSH")
    if view[:3] in (b"FHS", b"BHS"):
        return Invalid("batch", "MSH: this is a batch; split it, or send each of its messages in a frame of its own")
    return Invalid("no-msh", "MSH: a message begins with MSH; what stands here does not")
