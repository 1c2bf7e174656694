"""Put a site through failures in a sandbox, and count by ids what became of every message.

WORDS are names of drills (--list tells them; default: all) and, first or alone, a SITE: a folder, or `hospital` for the reference
hospital. Without one a small ward is drilled, which is part of this program.

Nothing real is touched: the engine runs as a process of its own in a temporary folder, its endpoints are practice systems on this
machine, its journal is new (SQLite, or a scratch database beside none of yours with --journal postgres --dsn DSN), and the addresses
and credentials of the site's isthmus.toml are not even read into it. Senders speak to it under load, each message with an id of its
own. Then a fault strikes, heals, and every acknowledged id is looked for: in the journal, and where its effect belongs.

A drill passes only if the fault really struck: otherwise it is told as `did not hurt`, and proves nothing. --seed repeats a run.

Exit code 0 when every drill passed (or was left out, with its reason); 1 when one failed or did not hurt; 2 when it could not begin.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.app.cli.amounts import amount, whole
from isthmus.app.cli.command import json_option
from isthmus.app.cli.terminal import CommandError, Terminal
from isthmus.app.exits import Exit

if TYPE_CHECKING:
    from isthmus.app.config import Config
    from isthmus.app.drill.report import CourseReport
    from isthmus.core import Site

HOSPITAL = "hospital"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="SITE|NAME", help="the site's folder, and the drills that shall be done (default: all)")
    parser.add_argument("--list", action="store_true", help="tell what each drill does, and do none")
    parser.add_argument("--seed", default="", metavar="TEXT", help="repeat the run that told this seed (default: a new one)")
    parser.add_argument("--for", dest="seconds", type=amount, default=4.0, metavar="SECONDS", help="how long each fault lasts (default: 4)")
    parser.add_argument(
        "--times", type=whole(1, 10_000), default=0, metavar="N", help="how often what strikes at one moment strikes (kills, power cuts)"
    )
    parser.add_argument("--rate", type=amount, default=80.0, metavar="N", help="messages a second (default: %(default)g)")
    parser.add_argument("--journal", choices=("sqlite", "postgres"), default="sqlite", help="what it is drilled on (default: sqlite)")
    parser.add_argument(
        "--dsn", default="", metavar="DSN", help="with --journal postgres: a server on which a scratch database may be made"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page about it as well")
    json_option(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app.drill.catalogue import DRILLS  # noqa: PLC0415 - `drill --help` needs none of it

    if args.list:
        return _list(args, terminal)
    if not args.rate or not args.seconds:
        raise CommandError("--rate and --for must be above nought", "a drill without load, or without a fault, proves nothing")
    if (args.journal == "postgres") != bool(args.dsn):
        raise CommandError("--journal postgres and --dsn belong together", "name a server on which a scratch database may be made")
    folders = [word for word in args.words if word not in DRILLS]
    if len(folders) > 1:
        raise CommandError(f"there is no drill {folders[1]!r}", "isthmus drill --list tells their names; a site comes first")
    config, site = _site(folders[0] if folders else "", terminal)
    names = [word for word in args.words if word in DRILLS] or list(DRILLS)
    report = _drill(args, terminal, config, site, names)
    if args.html:
        from isthmus.app.drill.page import page  # noqa: PLC0415 - only where it is asked for

        args.html.write_text(page(report), encoding="utf-8")
    if args.json:
        terminal.json(report)
    else:
        from isthmus.app.cli.drilled import tell_end  # noqa: PLC0415

        tell_end(report, terminal)
        if args.html:
            terminal.note(f"the page is {args.html}")
    return Exit.OK if report.passed else Exit.FINDINGS


def _list(args: argparse.Namespace, terminal: Terminal) -> int:
    from isthmus.app.drill.catalogue import DRILLS  # noqa: PLC0415

    if args.json:
        terminal.json([{"name": one.name, "title": one.title, "words": one.words, "needs": one.needs} for one in DRILLS.values()])
        return Exit.OK
    for one in DRILLS.values():
        terminal.line(f"{terminal.style(f'{one.name:<18}', 'bold')}{one.title}")
        terminal.line(f"{'':18}{one.words}", "dim")
    return Exit.OK


def _site(word: str, terminal: Terminal) -> tuple[Config, Site]:
    """The site that is drilled, its configuration read for its shape only: secrets need not be there."""
    from isthmus.app.config import read_config  # noqa: PLC0415
    from isthmus.app.drill.sandbox import unfit  # noqa: PLC0415
    from isthmus.app.site_loader import load_site  # noqa: PLC0415

    folder = _folder(word)
    loaded = read_config(folder, terminal.environment, secrets=False)
    if loaded.config is None:
        raise CommandError(f"{folder.name} is not sound:", "`isthmus check` tells the same", findings=loaded.findings)
    code = load_site(folder, loaded.config.name)
    findings = (*code.findings, *unfit(code.site, loaded.config))
    if findings:
        raise CommandError(f"{loaded.config.name} cannot be drilled:", "mend what is named first", findings=findings)
    return loaded.config, code.site


def _folder(word: str) -> Path:
    from isthmus.app import drill  # noqa: PLC0415
    from isthmus.app.site_loader import reference_site  # noqa: PLC0415

    if not word:
        return Path(str(drill.__file__)).parent / "ward"
    if word == HOSPITAL and not Path(word).is_dir():
        return reference_site()
    if not Path(word).is_dir():
        raise CommandError(
            f"there is no drill and no folder {word!r}", "isthmus drill --list tells the drills; `hospital` is the reference hospital"
        )
    return Path(word)


def _drill(args: argparse.Namespace, terminal: Terminal, config: Config, site: Site, names: list[str]) -> CourseReport:
    import secrets  # noqa: PLC0415

    from isthmus.app import loop  # noqa: PLC0415
    from isthmus.app.cli import version  # noqa: PLC0415
    from isthmus.app.cli.drilled import Telling  # noqa: PLC0415
    from isthmus.app.drill.course import Settings, all_of  # noqa: PLC0415

    seed = args.seed or secrets.token_hex(4)
    settings = Settings(seed=seed, seconds=args.seconds, rate=args.rate, times=args.times, dsn=args.dsn)
    telling = Telling(Terminal(terminal.err) if args.json else terminal)
    telling.begin(config.name, seed, len(names))
    return loop.run(all_of(names, site, config, settings, version=version(), telling=telling))
