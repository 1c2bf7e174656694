"""Run one command; whatever goes wrong becomes one clear paragraph and an exit code, never a traceback unless asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback

from isthmus.app.cli._list import Listed
from isthmus.app.cli.terminal import CommandError, Terminal
from isthmus.app.config import Misconfigured
from isthmus.app.exits import Exit
from isthmus.app.spans import count
from isthmus.core import Bug, Failure, Invalid, Transient


def guarded(listed: Listed, args: argparse.Namespace) -> int:
    """The command's exit code."""
    terminal = Terminal()
    try:
        code: int = importlib.import_module(listed.module).run(args, terminal)
        terminal.out.flush()
    except BrokenPipeError:  # the reader (head, less) has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except KeyboardInterrupt:
        terminal.note("interrupted")
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one place where a person is told instead of shown a trace
        if args.debug:
            traceback.print_exc()
        told = explain(error)
        terminal.error(told)
        return told.exit
    return code


def explain(error: Exception) -> CommandError:
    """Whose fault it was, in words, with what to do."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, Misconfigured):
        return CommandError(f"the configuration has {count(len(error.findings), 'mistake')}:", findings=error.findings)
    if isinstance(error, Failure):
        cure, code = next(told for kind, told in _FAILURES.items() if isinstance(error, kind))
        return CommandError(str(error), cure, exit=code)
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return CommandError(f"{error.strerror or type(error).__name__}{where}", exit=Exit.UNREACHABLE)
    return CommandError(f"a bug: {_where(error)}", "run again with --debug and report what it prints", exit=Exit.BUG)


_FAILURES: dict[type[Failure], tuple[str, Exit]] = {
    Transient: ("try again; `isthmus doctor` tells what does not answer", Exit.UNREACHABLE),
    Bug: ("this is a mistake in code, of the site or ours; --debug shows the trace", Exit.BUG),
    Invalid: ("", Exit.FINDINGS),
    Failure: ("", Exit.USAGE),
}


def _where(error: Exception) -> str:
    """Kind and place of an unforeseen error; its text stays out, for it may quote a message."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119 - a name, no file access
