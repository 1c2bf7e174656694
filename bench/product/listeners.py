"""What the product is compared with, each a process of its own with nothing durable behind it.

bare   our own MLLP source: frames, a header read, an acknowledgement; nothing kept, nothing delivered: the limit of the socket
hl7    the asyncio MLLP server of python-hl7 (https://pypi.org/project/hl7/): parse, acknowledge

    python -m bench.product.listeners bare --port 2576
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import uvloop


async def bare(port: int) -> None:
    from isthmus.connectors.mllp import MllpSource
    from isthmus.connectors.mllp.source import MllpListener
    from isthmus.connectors.port import Reply
    from isthmus.formats.hl7v2 import acknowledge

    def accept(_source: str, body: bytes, _peer: str, reply: Reply) -> None:
        reply(acknowledge(body, "accepted", (), reply_id="1", at="20240311093001"), "taken")

    await MllpListener("bare", MllpSource(host="127.0.0.1", port=port, max_connections=256)).start(accept)
    await _forever()


async def hl7(port: int) -> None:
    import hl7.mllp  # type: ignore[import-untyped]

    async def connected(reader: hl7.mllp.HL7StreamReader, writer: hl7.mllp.HL7StreamWriter) -> None:
        try:
            while True:
                message = await reader.readmessage()
                writer.writemessage(message.create_ack("AA"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    await hl7.mllp.start_hl7_server(connected, "127.0.0.1", port, encoding="utf-8")
    await _forever()


async def _forever() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("which", choices=("bare", "hl7"))
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    uvloop.run(bare(given.port) if given.which == "bare" else hl7(given.port))


if __name__ == "__main__":
    main()
