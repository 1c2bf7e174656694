# ruff: noqa: INP001, T201 - a script beside the package
"""What a NATS stream takes and gives through our connector: ``python bench/jetstream.py [--seconds 3] [--servers 1]``.

Acknowledged publishes a second with 1, 16 and 128 under way, and messages a second that a source hands over and acknowledges; each with
``sync_interval: always`` and with the server's default, which is no promise. The server runs on the same machine; trust ratios in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from real.nats import USER, NatsServer, alone, cluster

from isthmus.connectors.nats.client import NatsClient
from isthmus.connectors.nats.settings import NatsEndpoint, NatsSource
from isthmus.connectors.nats.source import NatsConsumer
from isthmus.connectors.port import Reply
from isthmus.connectors.suite import Unlimited
from isthmus.core import Delivered, Delivery, derive_id

BODY = b'{"id":"%032x","text":"' + b"x" * 1_400 + b'"}'
KEYS = 64


def deliveries(first: int, count: int) -> list[Delivery]:
    return [
        Delivery(
            endpoint="cells",
            operation="publish cells.bench",
            key=str(number),
            body=BODY % number,
            ordering_key=f"p{number}",
            id=derive_id("bench", str(number)),
        )
        for number in range(first, first + count)
    ]


async def publish(client: NatsClient, under_way: int, seconds: float, first: int) -> tuple[float, int]:
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        outcomes = await client.send(deliveries(first + count, under_way), 30)
        assert all(isinstance(one, Delivered) for one in outcomes), outcomes[0]  # noqa: S101 - a figure of failures is none
        count += under_way
    return count / (time.perf_counter() - began), first + count


async def consume(source: NatsConsumer, count: int) -> float:
    """Taken at once, as a journal that is never the limit would."""
    handed, done = 0, asyncio.Event()

    def accept(name: str, body: bytes, peer: str, reply: Reply) -> None:
        del name, body, peer
        nonlocal handed
        handed += 1
        asyncio.get_running_loop().call_soon(reply, None, "taken")
        if handed >= count:
            done.set()

    began = time.perf_counter()
    await source.start(accept)
    await done.wait()
    took = time.perf_counter() - began
    await source.stop()
    return count / took


async def measure(servers: Sequence[NatsServer], sync: str, seconds: float) -> None:
    addresses = tuple(one.address for one in servers)
    endpoint = NatsEndpoint(
        servers=addresses, stream="BENCH", subjects=("cells.>",), user=USER, password=servers[0].password, replicas=len(servers),
        unsynced_reason="a benchmark", max_bytes=256 << 20,
    )  # fmt: skip
    client = NatsClient("cells", endpoint, Unlimited())
    for attempt in range(30):
        try:
            await client.open()
            break
        except Exception:  # noqa: BLE001 - a cluster elects first
            await asyncio.sleep(0.5 if attempt < 29 else 0)  # noqa: PLR2004
    number = 0
    figures: list[str] = []
    for under_way in (1, 16, 128):
        rate, number = await publish(client, under_way, seconds, number)
        figures.append(f"{rate:8,.0f}")
    await client.close()
    settings = NatsSource(servers=addresses, stream="BENCH", consumer="bench", user=USER, password=servers[0].password)
    rate = await consume(NatsConsumer("cells", settings), number)
    print(f"{len(servers)} server(s), sync {sync:7}: published/s at 1 / 16 / 128 under way {' / '.join(figures)}; consumed/s {rate:8,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--servers", type=int, default=1, choices=(1, 3))
    given = parser.parse_args()
    for sync in ("always", "2m"):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, ExitStack() as stack:
            if given.servers == 1:
                servers = [stack.enter_context(alone(Path(folder), sync=sync))]
            else:
                servers = stack.enter_context(cluster(Path(folder), sync=sync))
            uvloop.run(measure(servers, sync, given.seconds))


if __name__ == "__main__":
    main()
