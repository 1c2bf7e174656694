"""Does what the code declares fit what the configuration places? Pure: two values in, findings out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isthmus.app.config import Config, Placed
from isthmus.core import Finding, Site
from isthmus.core.pseudonym import ENDPOINT as OURSELVES


def cross_check(site: Site, config: Config) -> tuple[Finding, ...]:
    """Every disagreement between code and configuration, each with its cure."""
    return (*_sources(site, config), *_endpoints(site, config), *_places(config))


def _sources(site: Site, config: Config) -> Iterator[Finding]:
    for source in site.sources:
        if source not in config.sources:
            users = ", ".join(interface.name for interface in site.at(source))
            yield Finding(
                f"sources.{source}", f"is not configured, but {users} listens to it", f"add a section [sources.{source}] with its kind"
            )
    for name in config.sources:
        if name not in site.sources:
            yield Finding(f"sources.{name}", "no interface listens to it", f'write an interface with source="{name}" or remove the section')


def _endpoints(site: Site, config: Config) -> Iterator[Finding]:
    for name, endpoint in site.endpoints.items():
        placed = config.endpoints.get(name)
        if name == OURSELVES:
            yield Finding(f"endpoint {name}", "this name is the engine's own", "give the endpoint another name")
        elif placed is None:
            kind = endpoint.kind or "mllp"
            yield Finding(
                f"endpoints.{name}", "is declared in code but not configured", f'add a section [endpoints.{name}] with kind = "{kind}"'
            )
        elif endpoint.kind and placed.kind != endpoint.kind:
            yield Finding(
                f"endpoints.{name}.kind",
                f"is {placed.kind}, but the code declares {endpoint!r} of kind {endpoint.kind}",
                f'write kind = "{endpoint.kind}" or change the declaration in systems.py',
            )
    for name in config.endpoints:
        if name not in site.endpoints:
            yield Finding(f"endpoints.{name}", "no code sends to it", "declare it in systems.py and subscribe, or remove the section")


def _places(config: Config) -> Iterator[Finding]:
    taken: dict[object, str] = {}
    for name, placed in config.sources.items():
        for place, words in _listens(placed, config):
            if place in taken:
                yield Finding(
                    f"sources.{name}", f"{words} is already taken by sources.{taken[place]}", "give each source a place of its own"
                )
            taken.setdefault(place, name)


def _listens(placed: Placed, config: Config) -> Iterator[tuple[object, str]]:
    """Where a source listens: a port (whatever the address: 0.0.0.0 takes it from all), or a folder."""
    settings: Any = placed.settings
    port, folder = getattr(settings, "port", None), getattr(settings, "folder", None)
    if port:
        yield ("port", port), f"port {port}"
    if folder:
        yield ("folder", (config.data / Path(folder)).resolve()), f"folder {folder}"
