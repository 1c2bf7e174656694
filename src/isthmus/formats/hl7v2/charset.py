"""Charset: how the bytes of a message become text (MSH-18, HL7 v2.5.1 §2.15.9.18, table 0211). The bytes are never altered.

The rule, for what senders declare and what they really send:

1. What decodes in the declared charset is read so; a declared 8859/x or Windows page whose bytes are valid UTF-8 is read as UTF-8,
   for text of those pages is practically never valid UTF-8 by chance.
2. Nothing declared, ASCII declared, an unknown name, or bytes that do not decode: UTF-8, and value by value Latin-1 where that fails.
3. Every case in which the declaration was not followed is a warning at MSH-18.
"""

from __future__ import annotations

import re

from msgspec import Struct

_CODECS = {
    "": "ascii", "ASCII": "ascii", "US-ASCII": "ascii", "ISO IR6": "ascii", "ISO-IR-6": "ascii", "646": "ascii",
    "UNICODE": "utf-8", "UNICODE UTF-8": "utf-8", "UTF-8": "utf-8", "UTF8": "utf-8", "ISO IR192": "utf-8", "UNICODE-UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16", "UTF-16": "utf-16", "UNICODE UTF-32": "utf-32", "UTF-32": "utf-32",
    "ISO IR14": "iso2022_jp_ext", "ISO IR13": "iso2022_jp_ext", "ISO IR87": "iso2022_jp_ext", "ISO IR159": "iso2022_jp_ext",
    "ISO-2022-JP": "iso2022_jp_ext", "SHIFT_JIS": "cp932", "SJIS": "cp932", "EUC-JP": "euc_jp",
    "GB 18030-2000": "gb18030", "GB18030": "gb18030", "GB18030-2000": "gb18030", "GB2312": "gb18030", "GBK": "gb18030",
    "KS X 1001": "cp949", "KSX1001": "cp949", "EUC-KR": "cp949", "BIG-5": "big5hkscs", "BIG5": "big5hkscs",
    "ISO IR100": "latin-1", "ISO IR101": "iso8859-2", "ISO IR144": "iso8859-5", "ISO IR127": "iso8859-6", "ISO IR126": "iso8859-7",
    "ISO IR138": "iso8859-8", "ISO IR148": "iso8859-9", "ISO IR166": "iso8859-11", "LATIN1": "latin-1", "TIS 620": "iso8859-11",
}  # fmt: skip
"""Names of table 0211, and how senders and DICOM write them. CNS 11643 has no codec in Python and is read by rule 2."""

_8859 = re.compile(r"(?:ISO[ _-]?)?8859[/ _-]?([1-9]|1[0-6])")
_WINDOWS = re.compile(r"(?:WINDOWS|CP|MS|ANSI)[ _-]?(125[0-8])")
_UTF8 = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
_OPAQUE = frozenset(("utf-16", "utf-32", "iso2022_jp_ext", "cp932", "cp949", "gb18030", "big5hkscs"))
"""Their characters may contain the byte of a delimiter, so they are decoded before anything is split."""


class Charset(Struct, frozen=True):
    """How one message is read."""

    codec: str = "ascii"
    """What the view is in: ASCII, UTF-8 or a single-byte page."""
    escaped: str = "ascii"
    """What hexadecimal escapes (``\\Xdd\\``) are in, and what a reply is written in: what the sender declared, or really uses."""
    flaw: str = ""
    """How the declaration was not followed, for people; empty where it was."""
    wire: str = ""
    """What the original bytes are in, where the view is UTF-8 made of them."""


ASCII = Charset()


def codec_of(name: str) -> str:
    """Python's codec for a name in MSH-18; empty where there is none."""
    name = name.strip().upper()
    if name in _CODECS:
        return _CODECS[name]
    if match := _8859.fullmatch(name):
        return f"iso8859-{match[1]}" if match[1] != "12" else ""
    if match := _WINDOWS.fullmatch(name):
        return f"cp{match[1]}"
    return ""


def settle(raw: bytes, declared: list[str]) -> tuple[bytes, Charset]:
    """The view (bytes whose delimiters can be trusted) and the charset of a message with these values in MSH-18."""
    codecs = [codec_of(name) for name in declared] or ["ascii"]
    japanese = "iso2022_jp_ext" in codecs and b"\x1b" in raw
    if raw.isascii() and not japanese:
        return raw, Charset("ascii", codecs[0] if codecs[0] not in ("", "utf-16", "utf-32") else "utf-8")
    codec = "iso2022_jp_ext" if japanese else next((one for one in codecs if one not in ("", "ascii", "iso2022_jp_ext")), "ascii")
    if codec in _OPAQUE:
        return _opaque(raw, codec)
    return raw, _transparent(raw, codec, named=bool(declared))


def writable(declared: tuple[str, ...]) -> Charset:
    """In what a message that is all ASCII so far may be written on."""
    codec = next((codec for name in declared if (codec := codec_of(name)) not in ("", "ascii")), "ascii")
    return ASCII if codec in _OPAQUE else Charset(codec, codec)


def _opaque(raw: bytes, codec: str) -> tuple[bytes, Charset]:
    if codec in ("utf-16", "utf-32"):  # it is not, or it would not have been split into lines of ASCII
        return raw, Charset("utf-8", "utf-8", f"MSH-18 declares {codec.upper()}, but the bytes are not")
    try:
        return raw.decode(codec).encode(), Charset("utf-8", codec, wire=codec)
    except UnicodeDecodeError:
        return raw, Charset("utf-8", "utf-8", "the bytes are not in the charset that MSH-18 declares")


def _transparent(raw: bytes, codec: str, *, named: bool) -> Charset:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return _not_utf8(raw, codec, named=named)
    if codec == "utf-8":
        return Charset("utf-8", "utf-8")
    unnamed = "MSH-18 names no charset for bytes beyond ASCII" if codec == "ascii" else "MSH-18 declares another charset than UTF-8"
    return Charset("utf-8", "utf-8", f"{unnamed}; they are valid UTF-8 and read so")


def _not_utf8(raw: bytes, codec: str, *, named: bool) -> Charset:
    if codec in ("ascii", "utf-8"):
        what = "the bytes are not in the charset that MSH-18 declares" if named else "MSH-18 names no charset for bytes beyond ASCII"
        read = "utf-8" if _UTF8.search(raw) else "latin-1"  # UTF-8 in places: decided value by value, as Encoding.text does
        return Charset(read, read, f"{what}; what is not UTF-8 is read as Latin-1")
    try:
        raw.decode(codec)
    except UnicodeDecodeError:
        return Charset("latin-1", "latin-1", "the bytes are not in the charset that MSH-18 declares; they are read as Latin-1")
    return Charset(codec, codec)


_MARKED = (
    (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
_UNMARKED = tuple(
    (name.encode(codec), codec) for codec in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be") for name in ("MSH", "FHS", "BHS")
)


def wide(raw: bytes) -> str:
    """The codec of a message in UTF-16 or UTF-32, by its byte order mark or its first letters; empty for all others."""
    return next((codec for start, codec in (*_MARKED, *_UNMARKED) if raw.startswith(start)), "")
