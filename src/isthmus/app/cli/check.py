"""Tell everything that is wrong with a site, at once, each with its cure.

Checks the code (does it load, does each kind have a translator, do classifications make sense), the configuration (every key
and value) and whether the two agree. Needs no network and no secrets: a secret that this machine lacks is only noted.
"""

from __future__ import annotations

import argparse

from isthmus.app.cli.command import json_option, site_folder, site_positional
from isthmus.app.cli.terminal import Terminal
from isthmus.app.config import read_config
from isthmus.app.exits import Exit
from isthmus.app.site_check import cross_check
from isthmus.app.site_loader import load_site
from isthmus.app.spans import count


def arguments(parser: argparse.ArgumentParser) -> None:
    site_positional(parser)
    json_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    folder = site_folder(args, terminal)
    loaded = read_config(folder, terminal.environment, data=args.data, secrets=False)
    code = load_site(folder, loaded.config.name if loaded.config else "")
    agree = cross_check(code.site, loaded.config) if loaded.config and not code.broken else ()
    findings = (*loaded.findings, *code.findings, *agree)
    if args.json:
        terminal.json({"site": code.site.name, "ok": not findings, "findings": findings, "missing_secrets": loaded.missing_secrets})
        return Exit.FINDINGS if findings else Exit.OK
    for finding in findings:
        terminal.finding(finding)
    for finding in loaded.missing_secrets:
        terminal.finding(finding, style="yellow")
    site = code.site
    parts = (site.interfaces, "interface"), (site.subscriptions, "subscription"), (site.endpoints, "endpoint")
    size = ", ".join(count(len(those), noun) for those, noun in parts)
    if findings:
        terminal.line(f"{count(len(findings), 'finding')} in {site.name} ({size})", "red", "bold")
        return Exit.FINDINGS
    needs = f"; before it runs here it needs {count(len(loaded.missing_secrets), 'secret')}" if loaded.missing_secrets else ""
    terminal.line(f"{site.name} is sound: {size}{needs}", "green")
    return Exit.OK
