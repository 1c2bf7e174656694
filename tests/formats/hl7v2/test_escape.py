"""Escape sequences, written and read."""

from __future__ import annotations

import pytest

from isthmus.core.failure import Bug
from isthmus.formats.hl7v2 import Hl7
from isthmus.formats.hl7v2.charset import Charset
from isthmus.formats.hl7v2.delimiters import STANDARD, TRUNCATING, Delimiters
from isthmus.formats.hl7v2.encoding import Encoding
from isthmus.formats.hl7v2.escape import escapes

USUAL = escapes(STANDARD, "utf-8", "utf-8")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", "a|b^c&d~e\\f"),
        ("one\\.br\\two", "one\ntwo"),
        ("one\\.sp\\two\\.sp2\\three", "one\ntwo\n\nthree"),
        ("\\.in+4\\x\\.ti-2\\\\.fi\\y\\.nf\\\\.sk3\\", "xy"),
        ("\\.ce\\title", "\ntitle"),
        ("\\H\\bold\\N\\ plain", "bold plain"),
        ("\\X0d0a\\", "\r\n"),
        ("\\X41\\\\X42\\", "AB"),
        ("\\M2442\\;3ED\\C2842\\ end", "山田 end"),
        ("\\C2842\\plain", "plain"),
        ("\\Zab\\local", "\\Zab\\local"),
        ("C:\\temp\\new", "C:\\temp\\new"),
        ("50\\%", "50\\%"),
        ("\\X4\\", "\\X4\\"),
        ("\\.sp9999\\", "\\.sp9999\\"),
        ("\\", "\\"),
        ("\\\\", "\\\\"),
        ("\\P\\", "\\P\\"),
    ],
)
def test_reading(raw: str, text: str) -> None:
    assert USUAL.read(raw) == text


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("a|b^c&d~e\\f", "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f"),
        ("one\ntwo", "one\\.br\\two"),
        ("one\r\ntwo", "one\\X0D0A\\two"),
        ("\r\x0b\x1c\x00", "\\X0D\\\\X0B\\\\X1C\\\\X00\\"),
        ("tab\tstays", "tab\tstays"),
        ("#", "#"),
    ],
)
def test_writing(text: str, raw: str) -> None:
    assert USUAL.write(text) == raw
    assert USUAL.read(raw) == text


def test_the_truncation_character_is_escaped_where_it_is_one() -> None:
    assert escapes(TRUNCATING, "ascii", "ascii").write("#1") == "\\P\\1"
    assert escapes(TRUNCATING, "ascii", "ascii").read("\\P\\1") == "#1"


def test_without_an_escape_character_nothing_is_escaped() -> None:
    none = escapes(Delimiters(escape=b""), "ascii", "ascii")
    assert none.read("\\F\\") == "\\F\\"
    assert none.write("a|b\n") == "a|b\n"


def test_what_a_charset_lacks_is_our_bug() -> None:
    with pytest.raises(Bug, match="cannot be written in ascii") as failure:
        Encoding(STANDARD, Charset()).write("Ménière")
    assert "Ménière" not in str(failure.value)


def test_escapes_are_undone_after_the_split() -> None:
    message = Hl7(b"MSH|^~\\&|A|B\rOBX|1|ST|X||a\\S\\b^c\\R\\d~e\\T\\f\r")
    assert (message["OBX-5"], message["OBX-5.2"], message["OBX-5[2]"]) == ("a^b", "c~d", "e&f")
