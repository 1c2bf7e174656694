"""A site that runs as a user runs it: ``isthmus run`` as a process of its own, fed and asked by the other commands."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
ISTHMUS = Path(sys.executable).with_name("isthmus")
CORPUS = ROOT.parent / "shared" / "corpus"


async def command(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Type one command; its exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        ISTHMUS,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1", **(environment or {})},
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def on_postgres(folder: Path) -> Path:
    """A copy of the reference hospital whose journal is in the PostgreSQL of the variable ``TEST_DSN``."""
    shutil.copytree(ROOT / "hospital", folder, ignore=shutil.ignore_patterns("__pycache__", "var"))
    configuration = folder / "isthmus.toml"
    text = configuration.read_text()
    changed = text.replace('kind = "sqlite"', 'kind = "postgres"').replace('path = "var/journal.sqlite"', 'dsn = {env = "TEST_DSN"}')
    assert changed.count("TEST_DSN") == 1
    configuration.write_text(changed)
    return folder


class RunningSite:
    """A site, on whatever ``environment`` configures."""

    def __init__(self, folder: Path, environment: Mapping[str, str], data: Path, port: int) -> None:
        self.environment = {**environment, "ISTHMUS__SOURCES__CLINICAL__PORT": str(port), "ISTHMUS_SITE": str(folder)}
        self.data = data
        self.port = port
        self._process: asyncio.subprocess.Process | None = None
        self._output = data / "run.log"

    async def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        with self._output.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                ISTHMUS, "run", "--data", str(self.data), stdout=log, stderr=log, env={**os.environ, **self.environment}
            )
        await self.until(self._listens, 30)

    async def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, f"the site ended: {self._output.read_text()[-2000:]}"
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def kill(self) -> None:
        """As a power cut of the process: no signal handler runs."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return 0
        process.send_signal(number)
        return await process.wait()

    async def feed(self, *paths: Path, connections: int = 8) -> dict[str, Any]:
        """Play files into it; the report of ``isthmus feed``."""
        code, out, err = await command("feed", *paths, "--to", f"127.0.0.1:{self.port}", "--connections", str(connections), "--json")
        assert code == 0, err or out
        report: dict[str, Any] = json.loads(out)
        return report

    async def balance(self) -> dict[str, Any]:
        code, out, err = await command("balance", "--json", "--data", self.data, environment=self.environment)
        assert code in (0, 1), err
        sheet: dict[str, Any] = json.loads(out)
        return sheet

    async def settled(self, seconds: float) -> dict[str, Any]:
        """The balance once nothing is on its way any more."""
        sheet: dict[str, Any] = {}

        async def nothing_open() -> bool:
            nonlocal sheet
            sheet = await self.balance()
            return not sheet["open"]

        await self.until(nothing_open, seconds)
        return sheet

    def log(self) -> str:
        """All that it printed."""
        return self._output.read_text()

    async def until(self, condition: Any, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.2)
