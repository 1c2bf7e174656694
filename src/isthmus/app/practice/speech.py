"""Utterance: what one practice system says at one moment, and how HL7 v2 is written down by hand."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Utterance(Struct, frozen=True, kw_only=True):
    at: datetime
    """When it is said in the hospital's own time; the player decides how fast that passes."""
    system: str
    """``ehr``, ``lab``, ``pharmacy`` (over MLLP) or ``supply`` (files)."""
    about: str
    """The patient (or product) it is about; utterances about the same one keep their order."""
    kind: str
    body: bytes


def stamp(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S")


def segment(name: str, fields: dict[int, str]) -> str:
    """``segment("PID", {1: "1", 3: "123"})`` → ``PID|1||123``."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def hl7(*, system: str, kind: str, control_id: str, at: datetime, segments: list[str]) -> bytes:
    """A message of version 2.5.1, encoded as UTF-8 and saying so in MSH-18."""
    application = {"ehr": "EHR", "lab": "LIS", "pharmacy": "PHARM"}[system]
    asks = "|" if system == "ehr" else "AL|NE"  # MSH-15, MSH-16: the EHR speaks in original mode, the others in enhanced mode
    header = f"MSH|^~\\&|{application}|PRACTICE|ISTHMUS|PRACTICE|{stamp(at)}+0000||{kind}|{control_id}|T|2.5.1|||{asks}||UNICODE UTF-8"
    if kind.startswith("ADT"):
        segments = [f"EVN|{kind.split('^')[1]}|{stamp(at)}+0000", *segments]
    return "\r".join([header, *segments, ""]).encode()
