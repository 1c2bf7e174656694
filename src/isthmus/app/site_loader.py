"""Load a site: a folder of Python that declares interfaces, subscriptions, endpoints and events.

The folder is a package under its own name: ``systems.py``, ``events.py`` and every ``interfaces/<name>/interface.py`` are
imported, and what they declare at the top level is collected. Imports inside a site are relative. What a hospital's author got
wrong becomes a finding with file and line, never a traceback; the other files are still loaded, so that one run tells all.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.resources import files
from pathlib import Path
from types import ModuleType, TracebackType

from msgspec import Struct

from isthmus.app.purity import impure
from isthmus.core import Endpoint, Event, Failure, Finding, Interface, Rejected, Site, Subscription


class LoadedSite(Struct, frozen=True):
    """A site as far as it could be loaded, and everything that is wrong with it."""

    site: Site
    findings: tuple[Finding, ...]
    broken: bool = False
    """Some of the code could not be imported, so what is missing may be there, only not seen."""


def load_site(folder: Path, name: str = "") -> LoadedSite:
    """Import a site's folder and collect what it declares. Loading the same folder again in one process gives the same objects."""
    folder = folder.resolve()
    name = name or folder.name
    if not folder.is_dir():
        missing = Finding(str(folder), "there is no such folder", "name a site's folder; `isthmus init FOLDER` makes a new one")
        return LoadedSite(Site(name), (missing,), broken=True)
    paths = _files(folder)
    package = _package(folder)
    findings: list[Finding] = []
    modules = [module for path in paths if (module := _import(package, folder, path, findings)) is not None]
    if not any(path.name == "interface.py" for path in paths) and not findings:
        findings.append(
            Finding(str(folder), "declares no interface", "write interfaces/<name>/interface.py; `isthmus init FOLDER` shows one that runs")
        )
    site, declared = _site(name, modules, folder)
    return LoadedSite(site, (*findings, *declared, *site.findings(), *impure(folder)), broken=len(modules) < len(paths) or bool(declared))


def reference_site() -> Path:
    """The reference hospital's folder: inside an installed package, or at the top of a checkout."""
    package = Path(str(files("isthmus")))
    for folder in (package / "_hospital", package.parents[1] / "hospital"):
        if (folder / "isthmus.toml").is_file():
            return folder
    raise Rejected("no-reference-site", "this installation holds no reference hospital: install the package again")


def _files(folder: Path) -> list[Path]:
    top = [path for name in ("systems.py", "events.py") if (path := folder / name).is_file()]
    return [*top, *sorted(folder.glob("interfaces/*/interface.py"))]


def _package(folder: Path) -> str:
    """Make the folder importable under its name (with a mark when the name is taken) and return that name."""
    marked = f"{folder.name}_{hashlib.blake2b(str(folder).encode(), digest_size=4).hexdigest()}"
    for name in (folder.name, marked):
        module = sys.modules.get(name)
        if module is not None and str(folder) in list(getattr(module, "__path__", ())):
            return name
    name = folder.name if _is_free(folder.name) else marked
    module = ModuleType(name, "A site of Isthmus.")
    module.__path__ = [str(folder)]
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    module.__spec__ = spec
    sys.modules[name] = module
    return name


def _is_free(name: str) -> bool:
    if not name.isidentifier() or name in sys.modules or name in sys.stdlib_module_names:
        return False
    return importlib.util.find_spec(name) is None


def _import(package: str, folder: Path, path: Path, findings: list[Finding]) -> ModuleType | None:
    name = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
    try:
        return importlib.import_module(name)
    except Failure as failure:
        findings.append(Finding(_place(folder, path, failure.__traceback__), failure.detail or failure.code, "mend the declaration there"))
    except SyntaxError as error:
        place = f"{_relative(folder, Path(error.filename or path))}:{error.lineno or 0}"
        findings.append(Finding(place, f"no valid Python: {error.msg}", "mend the line"))
    except ImportError as error:
        cure = "check the name; inside a site write relative imports (from ...systems import odoo)"
        findings.append(Finding(_place(folder, path, error.__traceback__), f"an import failed: {error}", cure))
    except Exception as error:  # noqa: BLE001 - whatever a site's code raises is told as a finding with its place
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        findings.append(Finding(_place(folder, path, error.__traceback__), text, "mend the line; `--debug` shows the whole trace"))
    return None


def _place(folder: Path, path: Path, trace: TracebackType | None) -> str:
    """The innermost line of the site's own code that led to the failure."""
    place = _relative(folder, path)
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(folder):
            place = f"{_relative(folder, file)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _relative(folder: Path, path: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def _site(name: str, modules: list[ModuleType], folder: Path) -> tuple[Site, tuple[Finding, ...]]:
    declared = list(dict.fromkeys(_declared(modules)))
    interfaces = [one for one in declared if isinstance(one, Interface)]
    subscriptions = [one for one in declared if isinstance(one, Subscription)]
    endpoints = [one for one in declared if isinstance(one, Endpoint)]
    events = [one for one in declared if isinstance(one, type) and issubclass(one, Event)]
    try:
        return Site(name, interfaces=interfaces, subscriptions=subscriptions, endpoints=endpoints, events=events), ()
    except Failure as failure:
        finding = Finding(str(folder.name), failure.detail or failure.code, "mend the declarations of the events")
        return Site(name, interfaces=interfaces, endpoints=endpoints), (finding,)


def _declared(modules: list[ModuleType]) -> Iterator[object]:
    """What the modules hold at their top level and the engine knows, in the order in which it was written."""
    for module in modules:
        for value in vars(module).values():
            event = isinstance(value, type) and issubclass(value, Event) and hasattr(value, "spec")
            if event or isinstance(value, Interface | Subscription | Endpoint):
                yield value
