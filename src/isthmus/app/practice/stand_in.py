"""Run one practice system by itself until Ctrl-C, so that a site of your own has somebody to talk to.

odoo speaks JSON-2 and XML-RPC as Odoo 19 does, for the models that hospitals use most; its API key is practice-key and its database
practice. lab is an MLLP receiver that accepts every message. portal takes every POST, PUT and DELETE over HTTP. They listen on
127.0.0.1 only, keep everything in memory (odoo in a file with --keep), and are for practice: nothing protects what is in them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol

from isthmus.app.cli.amounts import PORT
from isthmus.app.cli.terminal import Terminal
from isthmus.app.exits import Exit

_PORTS = {"odoo": 8069, "lab": 2580, "portal": 8085}


class StandIn(Protocol):
    """What all practice systems can."""

    async def stop(self) -> None: ...


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("system", choices=tuple(_PORTS), metavar="SYSTEM", help="odoo, lab or portal")
    parser.add_argument("--port", type=PORT, metavar="N", help="where it listens (default: odoo 8069, lab 2580, portal 8085)")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="odoo: keep its records in this file")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - not for --help

    loop.run(_run(args, terminal))
    return Exit.OK


async def _run(args: argparse.Namespace, terminal: Terminal) -> None:
    from isthmus.app.loop import Signals  # noqa: PLC0415

    signals = Signals()
    signals.install()
    system, told = await _started(args.system, args.port or _PORTS[args.system], args.keep)
    terminal.line(f"{told}; Ctrl-C ends it")
    terminal.out.flush()
    try:
        await signals.end.wait()
    finally:
        await system.stop()


async def _started(name: str, port: int, keep: Path | None) -> tuple[StandIn, str]:
    if name == "odoo":
        from isthmus.connectors.odoo.practice import PracticeOdoo  # noqa: PLC0415 - only the one that is asked for

        odoo = PracticeOdoo(port, path=keep)
        await odoo.start()
        return odoo, f"practice Odoo at {odoo.url}, database {odoo.database}, API key {odoo.key}"
    if name == "lab":
        from isthmus.connectors.mllp.practice import PracticeReceiver  # noqa: PLC0415

        lab = PracticeReceiver()
        await lab.start(port)
        return lab, f"practice laboratory at 127.0.0.1:{lab.port} (MLLP)"
    from isthmus.connectors.http.practice import PracticePortal  # noqa: PLC0415

    portal = PracticePortal()
    await portal.start(port)
    return portal, f"practice portal at {portal.url}"
