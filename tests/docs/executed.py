"""Runs a page of the documentation as its reader would: writes the files it shows, types its commands, compares what it promises.

A fenced block with a title is a file (```` ```python title="interfaces/x/interface.py" ````). A ``console`` block holds commands
after ``$`` and, below each, what they print; ``...`` stands for anything, within a line or for lines. ``title`` with a trailing
``+`` appends. Every command must end with exit code 0 unless its line says ``# exits N``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_FENCE = re.compile(r"^```(?P<language>\w+)(?P<attributes>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_EXITS = re.compile(r"\s+# exits (\d+)$")


class Block(NamedTuple):
    line: int
    language: str
    title: str
    body: str


class Command(NamedTuple):
    line: int
    text: str
    exits: int
    expected: list[str]


def blocks(page: str) -> Iterator[Block]:
    for match in _FENCE.finditer(page):
        title = _TITLE.search(match["attributes"])
        yield Block(page.count("\n", 0, match.start()) + 1, match["language"], title[1] if title else "", match["body"])


def commands(block: Block) -> Iterator[Command]:
    current: Command | None = None
    for number, line in enumerate(block.body.splitlines(), block.line + 1):
        if line.startswith("$ "):
            if current:
                yield current
            exits = _EXITS.search(line)
            current = Command(number, _EXITS.sub("", line[2:]), int(exits[1]) if exits else 0, [])
        elif current:
            current.expected.append(line)
    if current:
        yield current


def promised(expected: list[str]) -> re.Pattern[str]:
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line.rstrip()).replace(r"\.\.\.", ".*?") + r"[ ]*\n" for line in expected
    )
    return re.compile(pattern + ("" if expected and expected[-1].strip() == "..." else r"\s*$"))


def run(page: Path, folder: Path, environment: Mapping[str, str] | None = None) -> int:
    """Run the page in a folder; returns how many commands it typed. Fails with the page's line where it lies."""
    typed = 0
    here = folder
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in blocks(page.read_text()):
        if block.title:
            target = here / block.title.removesuffix("+")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("a" if block.title.endswith("+") else "w", newline="") as file:
                file.write(block.body)
        elif block.language == "console":
            for command in commands(block):
                typed += 1
                if command.text.startswith("cd "):
                    here = (here / command.text[3:]).resolve()
                    continue
                done = subprocess.run(
                    ["bash", "-c", command.text],
                    cwd=here, capture_output=True, text=True, timeout=110, check=False,
                    env={**os.environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "140", **(environment or {})},
                )  # fmt: skip
                where = f"{page.name}:{command.line}: $ {command.text}"
                assert done.returncode == command.exits, f"{where}\nexit code {done.returncode}\n{done.stdout}{done.stderr}"
                if command.expected:
                    printed = done.stdout if done.stdout.endswith("\n") or not done.stdout else done.stdout + "\n"
                    output = re.sub(r"[ ]+\n", "\n", printed + done.stderr)
                    assert promised(command.expected).match(output), f"{where}\nprinted:\n{output}\npromised:\n" + "\n".join(
                        command.expected
                    )
    return typed
