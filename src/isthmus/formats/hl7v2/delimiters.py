"""Delimiters: what MSH-1 and MSH-2 say about the rest of a message (HL7 v2.5.1 §2.5.4, truncation character v2.7 §2.5.5.2)."""

from __future__ import annotations

from msgspec import Struct

from isthmus.core.failure import Invalid


class Delimiters(Struct, frozen=True):
    """Each delimiter as the bytes that stand in the message; empty where the sender declared none."""

    field: bytes = b"|"
    component: bytes = b"^"
    repetition: bytes = b"~"
    escape: bytes = b"\\"
    subcomponent: bytes = b"&"
    truncation: bytes = b""
    flaw: str = ""
    """What is wrong with MSH-2, for people; empty where it follows the standard."""

    @property
    def whole(self) -> bool:
        """None of the four is missing, so that :attr:`msh2` can be read by others as we mean it."""
        return bool(self.component and self.repetition and self.escape and self.subcomponent)

    @property
    def msh2(self) -> bytes:
        """MSH-2 as a reply has to carry it."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


STANDARD = Delimiters()
TRUNCATING = Delimiters(truncation=b"#")


def read_delimiters(raw: bytes) -> Delimiters:
    r"""The delimiters of a message that begins with its MSH (or FHS, BHS); raises ``Invalid`` where there is no MSH-1.

    Omitted characters are not in use (§2.5.4 lets a sender omit what it does not need). A wholly empty MSH-2 breaks the
    standard: the recommended ``^~\&`` are used and the message gets a warning. So do the other oddities below.
    """
    if raw[3:9] == b"|^~\\&|":
        return STANDARD
    if raw[3:10] == b"|^~\\&#|":
        return TRUNCATING
    separator = _separator(raw)
    rest = raw[3 + len(separator) : 3 + len(separator) + 64]
    declared = _until(rest, separator)
    characters = _characters(declared)
    flaw = ""
    if characters[2:4] == [b"\\", b"\\"]:  # written through a language that doubles backslashes
        del characters[3]
        flaw = "the escape character is doubled"
    usable: list[bytes] = []
    for position, character in enumerate(characters[:5]):
        if character.isalnum() or character.isspace():  # an entity such as &amp;, or no MSH-2 at all
            flaw = flaw or "letters, digits and blanks are no delimiters"
            break
        if character in usable or character == separator:
            flaw, character = flaw or "one character is declared for two purposes", b""  # noqa: PLW2901 - unusable: none is in use
        elif not character.isascii() and raw.count(character) < 2:  # noqa: PLR2004 - once is MSH-2 itself
            flaw, character = flaw or "a delimiter is no ASCII character", b"^~\\&#"[position : position + 1]  # noqa: PLW2901
        elif not character.isascii():
            flaw = flaw or "a delimiter is no ASCII character"
        usable.append(character)
    if not usable:
        component, repetition, escape, subcomponent = (character.replace(separator, b"") for character in (b"^", b"~", b"\\", b"&"))
        return Delimiters(separator, component, repetition, escape, subcomponent, flaw=flaw or "it is empty")
    component, repetition, escape, subcomponent, truncation = usable + [b""] * (5 - len(usable))
    flaw = flaw or ("it has too many characters" if len(characters) > 5 else "")  # noqa: PLR2004 - MSH-2 has four or five
    return Delimiters(separator, component, repetition, escape, subcomponent, truncation, flaw)


def _separator(raw: bytes) -> bytes:
    first = raw[3:4]
    if not first or first.isalnum() or first.isspace() or first < b" ":
        raise Invalid("delimiters", "MSH-1: the character after MSH is the field separator; send MSH|^~\\&|")
    if first.isascii():
        return first
    for length in (2, 3, 4):  # one character of UTF-8 may be several bytes
        try:
            raw[3 : 3 + length].decode()
        except UnicodeDecodeError:
            continue
        return raw[3 : 3 + length]
    return first


def _until(rest: bytes, separator: bytes) -> bytes:
    for end in (separator, b"\r", b"\n"):
        rest = rest.partition(end)[0]
    return rest


def _characters(declared: bytes) -> list[bytes]:
    try:
        return [character.encode() for character in declared.decode()]
    except UnicodeDecodeError:
        return [declared[i : i + 1] for i in range(len(declared))]
