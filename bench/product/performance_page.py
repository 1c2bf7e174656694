"""docs/explanation/performance.md, from the results of one run. Pure: the same results give the same page."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

from bench.product.report import NAMES, median, ordered, verdict
from bench.product.results import Conditions, Profile, Results, Run, Soak, System

TARGETS = (
    ("delivered/s at 32 connections, SQLite", "≥ 5,000"),
    ("ACK p99 at 32 connections, SQLite", "≤ 25 ms"),
    ("ACK p50 on 1 connection, SQLite", "≤ 1 ms"),
    ("CPU seconds for 1,000 messages, SQLite, 32 connections", "≤ 0.2"),
    ("memory, SQLite", "≤ 150 MB"),
    ("ready after the start, SQLite", "≤ 1 s"),
    ("delivered/s at 32 connections, PostgreSQL, one node", "≥ 3,000"),
)

QUOTED = {1: 39, 8: 70, 32: 56}
"""Mirth Connect's deliveries a second, by connections."""


def page(results: Results, name: str, soaks: Sequence[tuple[str, Soak]], profiles: Sequence[Profile]) -> str:
    """``soaks``: each with the name of its file."""
    return "\n".join(_lines(results, name, soaks, profiles)) + "\n"


def _lines(results: Results, name: str, soaks: Sequence[tuple[str, Soak]], profiles: Sequence[Profile]) -> Iterator[str]:
    yield from _head(name)
    yield from _targets(results)
    yield from _costs(results)
    yield from _profiles(profiles)
    yield from _soaks(soaks)
    yield from _others(results)
    yield from _conditions(results.conditions)


def _head(name: str) -> Iterator[str]:
    yield "# Performance: what it does on two cores, and how that is measured"
    yield f"<!-- Generated from bench/results/{name} by bench/product/report.py. Do not edit: run `make bench ARGS=--page`. -->"
    yield ""
    yield "A hospital forgets an interface engine that is fast enough. This page says how fast this one was, on which machine, with what switched on, and"
    yield "against whom; `make bench` measures it again on yours. Every figure here was written by a program from"
    yield f"[the results](../../bench/results/{name}); [decision 17](../decisions/0017-how-we-measure.md) says why it is measured so."
    yield ""
    yield "## What is measured"
    yield "`isthmus run` as a process of its own, on [a site](../../bench/site) with everything switched on: an MLLP listener, ADT and ORU profiles with their rules"
    yield "checked before the acknowledgement, two durable stages, one subscription, order per patient, every body sealed, counters counted, and a real HTTP endpoint"
    yield "that is another process. Messages are ADT and ORU of 1 to 2 kB. N connections stay open, each has one message in flight and checks each answer (MSA-1 is AA,"
    yield "MSA-2 is the control id). *Delivered* counts what the endpoint has received, and the time runs from the first message sent to the last one delivered."
    yield "Generator, endpoint and, where there is one, the database share the two cores with the system under test."
    yield ""
    yield "After each run every message is accounted for by its number: acknowledged messages that never arrived, arrived twice, or arrived after a later one of the same"
    yield "patient. A run that loses, doubles or reorders one fails."
    yield ""


def _targets(results: Results) -> Iterator[str]:
    yield "## Targets"
    yield from _table(
        ("", "target", "measured"), ((what, target, got) for (what, target), got in zip(TARGETS, _reached(results), strict=True))
    )
    yield ""
    yield "## Throughput and latency"
    rounds = max((len(run.rounds) for run in _durable(results)), default=0)
    loads = f"The median of {rounds} loads" if rounds > 1 else "One load"
    yield f"{loads} of {results.conditions.seconds:g} s, after one second of warming up."
    yield ""
    head = ("", "connections", "message", "acks/s", "ACK p50", "p99", "p99.9", "delivered/s", "accounting")
    yield from _table(head, (_speed(run) for run in ordered(results.runs)))
    yield ""
    yield "*MLLP source alone* is our listener with nothing behind it: no parse but the header, nothing kept, nothing delivered. It shows what socket, framing and load"
    yield "generator can do here. *python-hl7's server* is the asyncio MLLP server of the [hl7](https://pypi.org/project/hl7/) package, which parses and acknowledges and"
    yield "keeps nothing. Both ran in the same hour as the figures beside them, so the ratios hold where the absolute figures of a shared machine do not."
    yield ""
    yield "Delivered durably by us, to acknowledged and forgotten by python-hl7's server; and its CPU time a message to ours (above 1: we take less):"
    yield ""
    yield from _table(("connections", "rate, SQLite", "rate, PostgreSQL", "CPU, SQLite", "CPU, PostgreSQL"), _against(results))
    yield ""


def _costs(results: Results) -> Iterator[str]:
    yield "## What a message costs"
    head: tuple[str, ...] = (
        "",
        "connections",
        "message",
        "CPU s / 1,000",
        "of it database",
        "memory",
        "database",
        "written",
        "commits",
        "WAL",
        "syncs",
    )
    yield from _table(head, (_cost(run, results) for run in ordered(results.runs) if run.account is not None))
    yield ""
    yield "CPU seconds are those of all processes of the system under test, from `/proc`; generator and endpoint are left out. Memory is the most that the process ever"
    yield "held (RSS), for the database server what it held at the end, shared pages counted once. *Written* is what the process itself caused to be written to the disk."
    yield "Commits, WAL and syncs are per message: PostgreSQL's by its own counters; SQLite's syncs by `strace`, in a run of its own (a sync of SQLite is a commit or a"
    yield "checkpoint)."
    yield ""


def _profiles(profiles: Sequence[Profile]) -> Iterator[str]:
    for one in profiles:
        yield f"## Where the CPU goes: {NAMES[one.system]}, {one.connections} connections"
        yield f"At {one.acks_per_s:,.0f} acknowledgements a second. By thread, microseconds of CPU a message:"
        yield ""
        yield from _table(("thread", "µs a message"), ((thread, f"{used:.0f}") for thread, used in one.threads.items()))
        ours = sum(used for thread, used in one.threads.items() if thread != "database server")
        yield ""
        yield f"Together {ours:.0f} µs in one process, whose threads share one interpreter lock: that bounds it near {1e6 / ours:,.0f} messages a second, however"
        yield "fast the disk is. Less CPU a message, or a second process, is what makes it faster."
        yield ""
        yield "And the event loop's own time by part, as a profiler sees it (it weighs Python heavier than C):"
        yield ""
        yield from _table(("part", "share"), ((part, f"{share:.0%}") for part, share in one.shares.items()))
        yield ""


def _soaks(soaks: Sequence[tuple[str, Soak]]) -> Iterator[str]:
    if not soaks:
        return
    yield "## A long load"
    head = ("", "connections", "messages", "minutes", "MB at a fifth", "MB at the end", "MB for each 100,000 more", "accounting", "results")
    yield from _table(head, (_soaked(name, one) for name, one in soaks))
    yield ""
    yield "The memory of the engine's process, sampled each second; the slope is that of the line of least squares after the first fifth of the messages."
    yield ""


def _soaked(name: str, one: Soak) -> tuple[str, ...]:
    most = one.samples[-1][1]
    fifth = next(mb for _, messages, mb in one.samples if messages >= most / 5)
    return (
        NAMES[one.system],
        f"{one.connections}",
        f"{one.account.acked:,}",
        f"{one.seconds / 60:.1f}",
        f"{fifth:.0f}",
        f"{one.samples[-1][2]:.0f}",
        f"{one.slope:+.2f}",
        f"{one.account.lost} lost, {one.account.doubled} doubled, {one.account.out_of_order} out of order",
        f"[{name}](../../bench/results/{name})",
    )


def _others(results: Results) -> Iterator[str]:
    yield "## Ready"
    yield from _table(("", "first acknowledgement after", "starts"), _ready(results))
    yield ""
    yield "From the start of the process, on an empty journal that it first makes, to the first message acknowledged."
    yield ""
    yield "## Beside Mirth Connect 4.5.2, quoted"
    yield "Not measured here: measured elsewhere on a like machine (two cores), PostgreSQL as durable storage, one HTTP destination, messages of 1.5 kB, and quoted as they"
    yield "were told to us. Ratios to the table above are therefore of an order, not of a digit."
    yield ""
    head = ("connections", "Mirth delivered/s", *(f"{NAMES[system]}, of it" for system in ("sqlite", "postgres")))
    yield from _table(head, (_beside(results, connections, theirs) for connections, theirs in QUOTED.items()))
    yield ""
    yield "With four threads, and order given up, it delivered 148/s. Its ACK p50 was 25 to 528 ms. It took 10 to 16 CPU seconds for 1,000 messages, 5 commits and 4 WAL syncs a message, 394 to 959 MB, 10 s to start, and acknowledged 317/s while it delivered"
    yield "82/s."
    yield ""
    yield "## Conditions"


def _beside(results: Results, connections: int, theirs: int) -> tuple[str, ...]:
    ours = (_find(results, system, connections) for system in ("sqlite", "postgres"))
    return f"{connections}", f"{theirs}", *(f"{median(run, 'delivered_per_s') / theirs:.0f} times" if run else "" for run in ours)


def _against(results: Results) -> Iterator[tuple[str, ...]]:
    """Ours, delivered durably, beside python-hl7's, acknowledged and forgotten, at the same connections."""
    for connections in sorted({run.connections for run in results.runs}):
        peer = _find(results, "hl7", connections)
        ours = [_find(results, system, connections) for system in ("sqlite", "postgres")]
        if peer is not None and any(ours):
            rate = [f"{median(run, 'delivered_per_s') / median(peer, 'acks_per_s'):.1f}" if run else "" for run in ours]
            cost = [f"{median(peer, 'cpu') / median(run, 'cpu'):.1f}" if run else "" for run in ours]
            yield f"{connections}", *rate, *cost


def _reached(results: Results) -> tuple[str, ...]:
    def of(system: System, connections: int, what: str, form: str) -> str:
        run = _find(results, system, connections)
        return form.format(median(run, what)) if run else "not measured"

    sqlite = [run for run in _durable(results) if run.system == "sqlite"]
    return (
        of("sqlite", 32, "delivered_per_s", "{:,.0f}"),
        of("sqlite", 32, "p99", "{:.1f} ms"),
        of("sqlite", 1, "p50", "{:.2f} ms"),
        of("sqlite", 32, "cpu", "{:.3f}"),
        f"{max(run.rss for run in sqlite):.0f} MB" if sqlite else "not measured",
        f"{statistics.median(run.ready for run in sqlite):.2f} s" if sqlite else "not measured",
        of("postgres", 32, "delivered_per_s", "{:,.0f}"),
    )


def _find(results: Results, system: System, connections: int) -> Run | None:
    return next((run for run in results.runs if (run.system, run.connections, run.mix) == (system, connections, "usual")), None)


def _durable(results: Results) -> list[Run]:
    return [run for run in results.runs if run.account is not None]


def _speed(run: Run) -> tuple[str, ...]:
    delivered = f"{median(run, 'delivered_per_s'):,.0f}" if run.account else ""
    counted = f"{run.account.acked:,} acknowledged, {run.account.delivered:,} delivered: {verdict(run)}" if run.account else ""
    waits = (f"{median(run, what):.{digits}f} ms" for what, digits in (("p50", 2), ("p99", 1), ("p999", 1)))
    return NAMES[run.system], f"{run.connections}", _size(run), f"{median(run, 'acks_per_s'):,.0f}", *waits, delivered, counted


def _cost(run: Run, results: Results) -> tuple[str, ...]:
    own = run.system == "postgres"
    syncs = next((one for one in results.syncs if (one.system, one.connections) == (run.system, run.connections)), None)
    return (
        NAMES[run.system],
        f"{run.connections}",
        _size(run),
        f"{median(run, 'cpu'):.3f}",
        f"{median(run, 'cpu_database'):.3f}" if own else "",
        f"{run.rss:.0f} MB",
        f"{run.memory_database:.0f} MB" if own else "",
        "" if own else f"{median(run, 'written') / 1024:.1f} kB",
        f"{median(run, 'commits'):.3f}" if own else "",
        f"{median(run, 'wal_bytes') / 1024:.1f} kB" if own else "",
        f"{median(run, 'wal_syncs'):.3f}" if own else f"{syncs.fsyncs / syncs.messages:.3f}" if syncs and run.mix == "usual" else "",
    )


def _ready(results: Results) -> Iterator[tuple[str, ...]]:
    for system in ("sqlite", "postgres"):
        starts = [run.ready for run in results.runs if run.system == system]
        if starts:
            yield NAMES[system], f"{statistics.median(starts):.2f} s ({min(starts):.2f} to {max(starts):.2f})", f"{len(starts)}"


def _size(run: Run) -> str:
    return f"{run.mean_bytes / 1000:.1f} kB"


def _conditions(of: Conditions) -> Iterator[str]:
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(of.libraries.items()))
    yield f"- {of.at}, Isthmus {of.version}, commit {of.commit}{' with changes not committed' if of.changed else ''}"
    yield f"- {of.cpu}, {of.cores} cores, {of.memory:g} GB, {of.system}, {of.file_system}"
    yield f"- Python {of.python}; {libraries}"
    yield f"- one append of 4 kB and its `fdatasync` took {of.sync_before:.2f} ms before the runs and {of.sync_after:.2f} ms after them (median)"
    yield f"- load average {of.load_before:.2f} before, {of.load_after:.2f} after, the benchmark's own load included"
    yield "- what was synced: SQLite in WAL mode with `synchronous=FULL`; PostgreSQL with `fsync`, `synchronous_commit` and `full_page_writes` on"
    if of.note:
        yield f"- {of.note}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join("---" for _ in head) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
