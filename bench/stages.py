# ruff: noqa: INP001, T201 - a script for people
"""The pure work on one message, stage by stage, on the messages and the site of the product's benchmark.

    python bench/stages.py [--messages 3000] [--profile STAGE]

Microseconds of CPU a message, the best of three passes. ``receive`` is all that happens before a message is journalled, ``translate`` and ``plan`` are the two
durable stages without their journal.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.product.messages import choose, fill, templates  # noqa: E402 - the path comes first

from isthmus.app.site_loader import load_site  # noqa: E402
from isthmus.core.plan import translate  # noqa: E402
from isthmus.engine.answers import Answers  # noqa: E402
from isthmus.engine.clock import SystemClock  # noqa: E402
from isthmus.engine.planning import Planning  # noqa: E402
from isthmus.engine.triage import Triage  # noqa: E402
from isthmus.formats.hl7v2.mllp import Decoder, Frame, frame  # noqa: E402

PASSES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=3_000)
    parser.add_argument("--profile", default="")
    given = parser.parse_args()
    site = load_site(ROOT / "bench" / "site", "bench").site
    rng = random.Random(1)  # noqa: S311 - chooses messages
    framed = [fill(choose(rng, templates("usual")), number, number % 500) for number in range(given.messages)]
    now = datetime(2026, 3, 2, tzinfo=UTC)

    def timed(name: str, run: Callable[[], Any]) -> Any:
        took, result = [], None
        for _ in range(PASSES):
            begun = time.process_time()
            result = run()
            took.append(time.process_time() - begun)
        print(f"  {name:22} {min(took) / given.messages * 1e6:8.1f} us")
        if given.profile == name:
            profile = cProfile.Profile()
            profile.runcall(run)
            pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return result

    decoder = Decoder(1 << 20)
    bodies = timed("unframe", lambda: [one.body for data in framed for one in decoder.feed(data) if isinstance(one, Frame)])
    spoken = site.interfaces[0].contract.format
    timed("  header", lambda: [spoken.header(body) for body in bodies])
    documents = timed("  open", lambda: [spoken.open(body) for body in bodies])
    del documents
    timed("  open + identifiers", lambda: [spoken.identifiers(spoken.open(body)) for body in bodies])
    route = {kind: one for one in site.interfaces for kind in one.contract.kinds}
    kinds = [spoken.header(body).kind for body in bodies]
    timed("  open + check", lambda: [route[kind].contract.check(spoken.open(body)) for kind, body in zip(kinds, bodies, strict=True)])
    timed("  acknowledge", lambda: [frame(spoken.acknowledge(b, "accepted", (), reply_id="1", at="20260302060000") or b"") for b in bodies])
    triage = Triage(site, lambda *_: None)
    arrivals = timed("receive", lambda: [triage.examine("clinical", body, now, "20260302060000") for body in bodies])
    results = timed("translate", lambda: [translate(route[one.message.kind], one.message) for one in arrivals])
    envelopes = [event for events in results for event in events]
    answers = Answers({}, clock=SystemClock(), pseudonym=lambda _kind, value: value)
    planning = Planning(site.subscriptions[0], site.catalogue, answers)
    timed("plan", lambda: asyncio.run(planning.plan(envelopes)))


if __name__ == "__main__":
    main()
