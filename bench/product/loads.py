"""What a load generator hands over: figures, and for the accounting the number, patient and answer of every single message."""

from __future__ import annotations

from array import array
from pathlib import Path

from msgspec import Struct


class Load(Struct, frozen=True, kw_only=True):
    """One run of the generator. Times are of the monotonic clock, which all processes of a machine share."""

    sent: int
    acked: int
    answers: dict[str, int]
    """By MSA-1, and what else happened to a connection."""
    begun: float
    seconds: float
    """From the first message to the last answer."""
    mean_bytes: int
    cpu: float
    """Seconds that the generator itself took."""

    @property
    def acks_per_s(self) -> float:
        return self.acked / self.seconds


class Ledger(Struct, frozen=True, kw_only=True):
    """Every message of one run."""

    first: int
    patients: array[int]
    """The patient of message ``first``, ``first + 1``, …"""
    acked: array[int]
    latencies: array[float]
    """Seconds from sending to the acknowledgement."""


def write(path: Path, *, first: int, patients: array[int], acked: array[int], latencies: array[float]) -> None:
    with path.open("wb") as file:
        array("Q", (first, len(patients), len(acked), len(latencies))).tofile(file)
        for one in (patients, acked, latencies):
            one.tofile(file)


def read(path: Path) -> Ledger:
    head, patients, acked, latencies = array("Q"), array("I"), array("I"), array("d")
    with path.open("rb") as file:
        head.fromfile(file, 4)
        patients.fromfile(file, head[1])
        acked.fromfile(file, head[2])
        latencies.fromfile(file, head[3])
    return Ledger(first=head[0], patients=patients, acked=acked, latencies=latencies)


def write_numbers(path: Path, numbers: array[int]) -> None:
    """What a sink has received, in the order of arrival."""
    with path.open("wb") as file:
        numbers.tofile(file)


def read_numbers(path: Path) -> array[int]:
    numbers = array("I")
    numbers.frombytes(path.read_bytes())
    return numbers
