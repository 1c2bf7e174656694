"""Examine a site on this machine: configuration, code, journal, key ring, ports, endpoints, disk and clock, each with its cure.

Reads only; works beside a running engine. Exit code 0 when all is well (warnings aside), 2 when the configuration is wrong,
3 when something does not answer, 1 for anything else.
"""

from __future__ import annotations

import argparse

from isthmus.app.cli.command import json_option, site_folder, site_positional
from isthmus.app.cli.terminal import Terminal
from isthmus.app.config import Config, read_config
from isthmus.app.examinations import Examined, Verdict, examine
from isthmus.app.exits import Exit
from isthmus.app.site_check import cross_check
from isthmus.app.site_loader import load_site
from isthmus.core import Finding

_STYLES = {"ok": "green", "warning": "yellow", "bad": "red", "skipped": "dim"}


def arguments(parser: argparse.ArgumentParser) -> None:
    site_positional(parser)
    json_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app import loop  # noqa: PLC0415 - not for --help

    folder = site_folder(args, terminal)
    loaded = read_config(folder, terminal.environment, data=args.data)
    code = load_site(folder, loaded.config.name if loaded.config else "")
    agree = cross_check(code.site, loaded.config) if loaded.config and not code.broken else ()
    found = [*_findings("configuration", loaded.findings), *_findings("code", (*code.findings, *agree))]
    if not args.json:
        for one in found:
            _tell(one, terminal)
    if loaded.config is not None:
        found += loop.run(_examine(loaded.config, None if args.json else terminal))
    if args.json:
        terminal.json({"ok": not _bad(found), "examined": found})
    return _exit(found, configured=loaded.config is not None)


async def _examine(config: Config, terminal: Terminal | None) -> list[Examined]:
    found: list[Examined] = []
    async for one in examine(config):
        found.append(one)
        if terminal is not None:
            _tell(one, terminal)
    return found


def _findings(what: str, findings: tuple[Finding, ...]) -> list[Examined]:
    verdict: Verdict = "bad"
    if not findings:
        return [Examined(what=what, verdict="ok", told="in order")]
    return [Examined(what=what, verdict=verdict, told=f"{one.where}: {one.problem}", cure=one.cure) for one in findings]


def _bad(found: list[Examined]) -> list[Examined]:
    return [one for one in found if one.verdict == "bad"]


def _exit(found: list[Examined], *, configured: bool) -> int:
    bad = _bad(found)
    if not configured:
        return Exit.USAGE
    if any(one.what.startswith(("endpoint", "journal")) for one in bad):
        return Exit.UNREACHABLE
    return Exit.FINDINGS if bad else Exit.OK


def _tell(one: Examined, terminal: Terminal) -> None:
    terminal.line(f"{terminal.style(f'{one.verdict:<8}', _STYLES[one.verdict])} {terminal.style(one.what, 'bold')}: {one.told}")
    if one.cure:
        terminal.line(f"         {one.cure}", "dim")
