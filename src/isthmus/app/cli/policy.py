"""Show how failures are treated, and why so: the policy that follows from each classification.

Without a name: the whole table, and what follows for each interface and subscription of the site. With the name of an
interface or a subscription: each value of its policy, and which part of its classification decides it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

import msgspec

from isthmus.app.cli.command import json_option, site_folder, site_option
from isthmus.app.cli.terminal import CommandError, Terminal
from isthmus.app.config import FILE
from isthmus.app.exits import Exit
from isthmus.app.site_loader import load_site
from isthmus.app.spans import span
from isthmus.core import Classification, Interface, Policy, Site, Subscription, policy_for
from isthmus.core.classification import Criticality, Latency

Flow = Interface[Any] | Subscription[Any]

WHY: dict[str, tuple[str, str]] = {
    "transport": ("latency", "batch collects, all else goes at once"),
    "lane": ("criticality, latency", "care has workers of its own; batches never go before others"),
    "timeout": ("latency", "one attempt may take so long"),
    "first_retry": ("latency", "pauses double from here, with full jitter"),
    "max_retry": ("latency", "the longest pause between two attempts"),
    "give_up_after": ("criticality, recovery", "after so long it is a dead letter and a person decides; 0 s: a person decides each"),
    "breaker_after": ("criticality", "failures in a row after which the endpoint is left alone"),
    "breaker_pause": ("criticality", "how long it is left alone before one probe"),
    "page_after": ("criticality", "stuck for so long: its owner is paged"),
    "latency_target": ("latency", "99 of 100 within this time"),
    "keep_bodies": ("criticality", "then bodies are destroyed; the history stays"),
    "max_backlog": ("volume", "a quarter of a day's messages: then the source is slowed, at twice as many refused"),
}
_COUNTS = ("breaker_after", "max_backlog")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="an interface or a subscription")
    json_option(parser)
    site_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    site = _site(args, terminal)
    flows: dict[str, Flow] = {}
    if site:
        flows.update({one.name: one for one in site.interfaces})
        flows.update({one.name: one for one in site.subscriptions})
    if args.name:
        if args.name not in flows:
            raise CommandError(f"no interface or subscription is named {args.name}", f"there are: {', '.join(flows) or 'none'}")
        flows = {args.name: flows[args.name]}
    if args.json:
        shown = [_data(name, flow) for name, flow in flows.items()]
        terminal.json(shown[0] if args.name else {"table": _table_data(), "flows": shown})
    elif args.name:
        _explain(flows[args.name], terminal)
    else:
        _table(terminal)
        _flows(flows, terminal)
    return Exit.OK


def _site(args: argparse.Namespace, terminal: Terminal) -> Site | None:
    """The site's code; without a name and outside of a site there is only the general table to show."""
    named = args.site or args.name or terminal.environment.get("ISTHMUS_SITE")
    if not named and not (Path(FILE).is_file() or Path("interfaces").is_dir()):
        return None
    loaded = load_site(site_folder(args, terminal))
    if loaded.broken:
        raise CommandError("the site's code cannot be loaded:", findings=loaded.findings)
    return loaded.site


def value(policy: Policy, name: str) -> str:
    """One value of a policy, with its unit."""
    raw = getattr(policy, name)
    return raw if isinstance(raw, str) else f"{raw:,}" if name in _COUNTS else span(raw)


def _table(terminal: Terminal) -> None:
    names = ("lane", "timeout", "first_retry", "max_retry", "give_up_after", "breaker_after", "page_after", "keep_bodies")
    terminal.line("From classification to policy (recovery: replay)", "bold")
    rows = [
        (criticality, latency, *(value(policy_for(Classification(criticality=criticality, latency=latency)), name) for name in names))
        for criticality in get_args(Criticality)
        for latency in get_args(Latency)
    ]
    terminal.table(("criticality", "latency", *names), rows)


def _flows(flows: dict[str, Flow], terminal: Terminal) -> None:
    if not flows:
        return
    terminal.line()
    terminal.line("This site", "bold")
    rows = []
    for name, flow in flows.items():
        declared, policy = flow.classification, flow.policy
        words = f"{declared.criticality}, {declared.latency}, {declared.volume}"
        retries = f"{value(policy, 'first_retry')} … {value(policy, 'max_retry')}"
        noun = "interface" if isinstance(flow, Interface) else "subscription"
        rows.append((noun, name, flow.owner, words, policy.lane, retries, value(policy, "give_up_after")))
    terminal.table(("", "name", "owner", "classification", "lane", "retries", "gives up after"), rows)


def _explain(flow: Flow, terminal: Terminal) -> None:
    declared, policy = flow.classification, flow.policy
    terminal.line(f"{flow.name}: owned by {flow.owner or 'nobody'}", "bold")
    terminal.line(
        f"criticality {declared.criticality}, latency {declared.latency}, recovery {declared.recovery}, volume {declared.volume}"
        + (f"; failure {declared.failure}" if declared.failure else "")
    )
    if flow.runbook:
        terminal.line(f"runbook: {flow.runbook}")
    terminal.line()
    terminal.table(("policy", "value", "follows from", "why"), [(name, value(policy, name), *WHY[name]) for name in WHY])


def _data(name: str, flow: Flow) -> dict[str, Any]:
    return {
        "name": name,
        "noun": "interface" if isinstance(flow, Interface) else "subscription",
        "owner": flow.owner,
        "runbook": flow.runbook,
        "classification": msgspec.to_builtins(flow.classification),
        "policy": msgspec.to_builtins(flow.policy),
    }


def _table_data() -> list[dict[str, Any]]:
    return [
        {
            "criticality": criticality,
            "latency": latency,
            "policy": msgspec.to_builtins(policy_for(Classification(criticality=criticality, latency=latency))),
        }
        for criticality in get_args(Criticality)
        for latency in get_args(Latency)
    ]
