"""One measurement: a system started, loaded for some rounds, drained, ended and accounted for."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.product.accounting import account
from bench.product.generation import Generation
from bench.product.loads import Ledger, Load, read_numbers
from bench.product.messages import Mix
from bench.product.process import cpu, free_port, memory, python, written
from bench.product.results import Round, Run, Syncs
from bench.product.site import Sink, Site
from bench.product.store import Store
from msgspec import Struct

WARM = 1.0
"""Seconds of load before the first round, which count in the accounting only."""
SETTLED = 1.2
"""Seconds after which PostgreSQL's sessions have told their counters."""


class Plan(Struct, frozen=True, kw_only=True):
    """How one system is loaded."""

    connections: int
    rounds: int
    seconds: float
    mix: Mix = "usual"


def whole_way(folder: Path, store: Store, plan: Plan) -> Run:
    """The site on an empty journal, from the MLLP socket to the HTTP endpoint."""
    sink = Sink()
    with sink.child:
        site = Site(store, folder / "site", sink, first=1)
        ledgers: list[Ledger] = []
        loads: list[Load] = []
        rounds: list[Round] = []
        with site:
            for number in range(-1, plan.rounds):
                seconds = WARM if number < 0 else plan.seconds
                first = 2 + sum(len(one.patients) for one in ledgers)
                generation = Generation(site.port, folder, connections=plan.connections, seconds=seconds, first=first, mix=plan.mix)
                figures, load, ledger = _round(site, store, generation, delivered=1 + sum(len(one.acked) for one in ledgers))
                ledgers.append(ledger)
                if number >= 0:
                    loads.append(load)
                    rounds.append(figures)
            rss, of_database = memory(site.pid, "VmHWM"), store.memory()
            sink.dump(folder / "numbers")
        return Run(
            system=store.kind,
            mix=plan.mix,
            connections=plan.connections,
            mean_bytes=loads[0].mean_bytes,
            rounds=tuple(rounds),
            answers=_answers(loads),
            ready=site.ready,
            rss=rss,
            memory_database=of_database,
            account=account(ledgers, read_numbers(folder / "numbers"), probes=(site.probe,)),
        )


def _round(site: Site, store: Store, generation: Generation, *, delivered: int) -> tuple[Round, Load, Ledger]:
    """``delivered``: what the sink must have when the load begins."""
    site.drained(delivered)
    own, server, disk, traffic, sunk = cpu(site.pid), store.cpu(), written(site.pid), store.traffic(), site.sink.count()
    load, ledger = generation.run()
    behind = delivered + load.acked - site.sink.count().delivered
    site.drained(delivered + load.acked)
    time.sleep(SETTLED)  # also lets the last settlements be written, which belong to these messages
    count = site.sink.count()
    used, of_database = cpu(site.pid) - own, store.cpu() - server
    counted, many = store.traffic().since(traffic), max(1, load.acked)
    figures = Round(
        messages=load.acked,
        acks_per_s=load.acked / load.seconds,
        p50=_percentile(ledger, 0.5),
        p99=_percentile(ledger, 0.99),
        p999=_percentile(ledger, 0.999),
        delivered_per_s=(count.delivered - delivered) / max(1e-9, count.last - load.begun),
        behind=behind,
        cpu=1000 * (used + of_database) / many,
        cpu_database=1000 * of_database / many,
        cpu_load=1000 * (load.cpu + count.cpu - sunk.cpu) / many,
        written=(written(site.pid) - disk) / many,
        commits=counted.commits / many,
        wal_bytes=counted.wal_bytes / many,
        wal_syncs=counted.wal_syncs / many,
    )
    return figures, load, ledger


def listening(folder: Path, which: str, plan: Plan) -> Run:
    """A listener with nothing durable behind it."""
    with python("bench.product.listeners", which, "--port", port := free_port()) as child:
        child.line(20)
        rounds: list[Round] = []
        loads: list[Load] = []
        for number in range(plan.rounds):
            before = cpu(child.pid)
            load, ledger = Generation(
                port, folder, connections=plan.connections, seconds=plan.seconds, first=1 + number * 10_000_000, mix=plan.mix
            ).run()
            many = max(1, load.acked)
            loads.append(load)
            rounds.append(
                Round(
                    messages=load.acked,
                    acks_per_s=load.acked / load.seconds,
                    p50=_percentile(ledger, 0.5),
                    p99=_percentile(ledger, 0.99),
                    p999=_percentile(ledger, 0.999),
                    cpu=1000 * (cpu(child.pid) - before) / many,
                    cpu_load=1000 * load.cpu / many,
                )
            )
        rss = memory(child.pid, "VmHWM")
    return Run(
        system="bare" if which == "bare" else "hl7",
        mix=plan.mix,
        connections=plan.connections,
        mean_bytes=loads[0].mean_bytes,
        rounds=tuple(rounds),
        answers=_answers(loads),
        rss=rss,
    )


def syncs(folder: Path, store: Store, plan: Plan) -> Syncs | None:
    """How often the site's process forces data to the disk; None where there is no strace, or it may not watch."""
    if shutil.which("strace") is None:
        return None
    report = folder / "strace"
    wrap = ("strace", "-f", "--seccomp-bpf", "-c", "-e", "trace=fsync,fdatasync", "-o", str(report))
    sink = Sink()
    with sink.child:
        site = Site(store, folder / "site", sink, first=1, wrap=wrap)
        with site:
            load, _ = Generation(site.port, folder, connections=plan.connections, seconds=plan.seconds, first=2).run()
            site.drained(1 + load.acked)
    text = report.read_text() if report.exists() else ""
    counted = [int(one[1]) for one in re.finditer(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?f(?:data)?sync$", text, re.MULTILINE)]
    return Syncs(system=store.kind, connections=plan.connections, messages=load.acked + 1, fsyncs=sum(counted)) if counted else None


def _percentile(ledger: Ledger, share: float) -> float:
    """Milliseconds within which this share of the messages was acknowledged."""
    waits = sorted(ledger.latencies)
    return waits[min(len(waits) - 1, int(len(waits) * share))] * 1e3 if waits else 0.0


def _answers(loads: Sequence[Load]) -> dict[str, int]:
    return dict(sum((Counter(one.answers) for one in loads), Counter[str]()))
