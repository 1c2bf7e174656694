"""Escape sequences (HL7 v2.5.1 §2.7): writing text so that delimiters survive, and reading it back."""

from __future__ import annotations

import re
from functools import lru_cache

from isthmus.formats.hl7v2.delimiters import Delimiters

_BREAKS = {"br": 1, "sp": 1, "ce": 1}
"""Formatting commands that begin a new line (§2.7.6). The others (indents, fill modes) shape a printed page and leave no text."""


class Escapes:
    r"""Reads and writes the escape sequences of one set of delimiters, themselves in ``codec``; ``escaped`` is what ``\Xdd..\`` is written in."""

    __slots__ = ("_named", "_pattern", "_specials", "_written", "escaped")

    def __init__(self, delimiters: Delimiters, codec: str, escaped: str) -> None:
        escape = delimiters.escape.decode(codec, "replace")
        named = {"F": delimiters.field, "S": delimiters.component, "T": delimiters.subcomponent, "R": delimiters.repetition}
        named |= {"E": delimiters.escape, "P": delimiters.truncation}
        self._named = {letter: raw.decode(codec, "replace") for letter, raw in named.items()}
        mark = re.escape(escape)
        self._pattern = re.compile(
            f"((?:{mark}X(?:[0-9A-Fa-f]{{2}})+{mark})+)"
            f"|((?:{mark}(?:C[0-9A-Fa-f]{{4}}|M[0-9A-Fa-f]{{4}}(?:[0-9A-Fa-f]{{2}})?){mark}[^{mark}]*)+)"
            f"|{mark}(?:([FSTREPHN])|\\.([a-z]{{2}})([+-]?\\d{{0,2}})){mark}"
            if escape
            else "(?!)"
        )
        line = "X0A" if b"." in named.values() else ".br"
        self._written = {text: f"{escape}{letter}{escape}" for letter, text in self._named.items() if text} if escape else {}
        self._written |= {chr(code): f"{escape}X{code:02X}{escape}" for code in range(32) if code not in (9, 10)} if escape else {}
        self._written |= {"\r\n": f"{escape}X0D0A{escape}", "\n": f"{escape}{line}{escape}"} if escape else {}
        self._specials = re.compile("|".join(map(re.escape, sorted(self._written, key=len, reverse=True))) or "(?!)")
        self.escaped = escaped

    def write(self, text: str) -> str:
        r"""Text with every delimiter and control character escaped; a new line becomes ``\.br\``."""
        return self._specials.sub(lambda found: self._written[found[0]], text)

    def read(self, text: str) -> str:
        r"""Text without its escape sequences. What is no sequence of the standard (``C:\temp\``, ``\Z01\``) stays as it stands."""
        return self._pattern.sub(self._replace, text)

    def _replace(self, found: re.Match[str]) -> str:
        hexadecimal, switched, letter, command, count = found.groups()
        if hexadecimal is not None:
            return self._hexadecimal(hexadecimal)
        if switched is not None:
            return self._switched(switched)
        if letter is not None:
            return "" if letter in "HN" else self._named[letter] or found[0]  # highlighting on and off leaves no text
        return "\n" * (int(count) if command == "sp" and count.isdigit() else _BREAKS.get(command, 0))

    def _hexadecimal(self, run: str) -> str:
        raw = bytes.fromhex("".join(part[1:] for part in run.split(run[0]) if part))
        for codec in (self.escaped, "utf-8"):
            try:
                return raw.decode(codec)
            except UnicodeDecodeError:
                continue
        return raw.decode("latin-1")

    def _switched(self, run: str) -> str:
        r"""``\Cxxyy\`` and ``\Mxxyyzz\`` stand for ISO 2022 escape sequences (§2.7.2)."""
        parts = run.split(run[0])  # "", "M2442", "text", "C2842", "text", ...
        raw = b"".join(
            b"\x1b" + bytes.fromhex(part[1:]) if index % 2 else part.encode("ascii", "replace") for index, part in enumerate(parts)
        )
        try:
            return raw.decode("iso2022_jp_ext")
        except UnicodeDecodeError:
            return run


@lru_cache(maxsize=64)
def escapes(delimiters: Delimiters, codec: str, escaped: str) -> Escapes:
    """The escapes of these delimiters; nearly every message shares one."""
    return Escapes(delimiters, codec, escaped)
