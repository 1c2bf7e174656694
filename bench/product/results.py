"""What one run of the benchmark found, as it is kept in ``bench/results/*.json``."""

from __future__ import annotations

from typing import Literal

from bench.product.accounting import Account
from bench.product.messages import Mix
from msgspec import Struct

System = Literal["sqlite", "postgres", "bare", "hl7"]
"""Isthmus on SQLite or PostgreSQL; our MLLP source with nothing behind it; the server of python-hl7."""


class Round(Struct, frozen=True, kw_only=True):
    """One load of some seconds, and the time until all of it was delivered. Per-message figures count acknowledged messages."""

    messages: int
    acks_per_s: float
    p50: float
    """Milliseconds from sending a message to its acknowledgement."""
    p99: float
    p999: float
    delivered_per_s: float = 0.0
    """From the first message sent to the last one delivered."""
    behind: int = 0
    """Acknowledged and not yet delivered when the load ended."""
    cpu: float
    """CPU seconds of the system under test for 1,000 messages, its database's included."""
    cpu_database: float = 0.0
    """That part of it which the database server took."""
    cpu_load: float
    """CPU seconds of generator and sink for 1,000 messages; not part of ``cpu``."""
    written: float = 0.0
    """Bytes that the system's own process wrote to storage, a message."""
    commits: float = 0.0
    """Of the database, a message, by its own counter."""
    wal_bytes: float = 0.0
    wal_syncs: float = 0.0


class Run(Struct, frozen=True, kw_only=True):
    system: System
    mix: Mix
    connections: int
    mean_bytes: int
    rounds: tuple[Round, ...]
    answers: dict[str, int]
    """By MSA-1: anything but AA was turned away or went wrong."""
    ready: float = 0.0
    """Seconds from the start of the process to its first acknowledgement."""
    rss: float = 0.0
    """MB at most of the system's own process."""
    memory_database: float = 0.0
    """MB of the database server, its shared memory counted once."""
    account: Account | None = None


class Syncs(Struct, frozen=True, kw_only=True):
    """System calls that force data to the disk, counted by strace in a run of its own (it slows the process a little)."""

    system: System
    connections: int
    messages: int
    fsyncs: int
    """fsync and fdatasync, from the start to the end of the process."""


class Conditions(Struct, frozen=True, kw_only=True):
    at: str
    version: str
    commit: str
    changed: bool
    """Whether the checkout held changes that were not committed."""
    cpu: str
    cores: int
    memory: float
    """GB."""
    system: str
    python: str
    libraries: dict[str, str]
    file_system: str
    sync_before: float
    """Milliseconds (median) to append 4 kB to a file and fdatasync it, before the runs and after them."""
    sync_after: float
    load_before: float
    """Load average of one minute: what else the machine was doing."""
    load_after: float
    seconds: float
    """How long each round loaded."""
    note: str = ""


class Results(Struct, frozen=True, kw_only=True):
    conditions: Conditions
    runs: tuple[Run, ...]
    syncs: tuple[Syncs, ...] = ()


class Profile(Struct, frozen=True, kw_only=True):
    """Where the CPU of a loaded site goes."""

    at: str
    commit: str
    system: System
    connections: int
    messages: int
    acks_per_s: float
    threads: dict[str, float]
    """Microseconds a message, by thread, and of the database server; without a profiler."""
    shares: dict[str, float]
    """Of the event loop's time, by part of the product, as a profiler sees it."""
    note: str = ""


class Soak(Struct, frozen=True, kw_only=True):
    """A long load, with the memory of the engine's process as it went."""

    conditions: Conditions
    system: System
    connections: int
    seconds: float
    slope: float
    """MB for each 100,000 messages, after the first fifth."""
    samples: tuple[tuple[float, int, float], ...]
    """Seconds, messages delivered by then, MB."""
    account: Account
