"""kill -9 of a process that watches a folder: every file is taken at least once, and every file ends in done/."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

FILES = 400
_WATCHER = """
    import asyncio, os, sys
    from pathlib import Path
    from isthmus.connectors.file import FileSource, listen

    journal = open(sys.argv[2], "ab", buffering=0)

    def accept(source, body, peer, reply):
        def commit():
            journal.write(body + b"\\n")
            os.fsync(journal.fileno())
            reply(b"AA", "taken")
        asyncio.get_running_loop().call_soon(commit)

    async def watch():
        folder = Path(sys.argv[1])
        source = listen("supply", FileSource(folder=folder, every=0.01, settle=0.0))
        await source.start(accept)
        print("ready", flush=True)
        while any(path.is_file() for sub in ("", "taking") for path in (folder / sub).iterdir()):
            await asyncio.sleep(0.01)
        await source.stop()
        print("empty", flush=True)

    asyncio.run(watch())
"""


def test_a_killed_watcher_loses_nothing(tmp_path: Path) -> None:
    folder, journal = tmp_path / "in", tmp_path / "journal"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"f{number:03}").write_bytes(b"message %d" % number)
    hurt = 0
    for round_ in range(60):
        watcher = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_WATCHER), str(folder), str(journal)], stdout=subprocess.PIPE, text=True
        )
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "ready\n"
        if hurt >= 3 or round_ > 50:
            assert watcher.stdout.readline() == "empty\n"
            watcher.wait()
            watcher.stdout.close()
            break
        time.sleep(0.002 * round_)  # not for luck: it moves the blow
        os.kill(watcher.pid, signal.SIGKILL)
        watcher.wait()
        watcher.stdout.close()
        hurt += any((folder / "taking").iterdir())
    assert hurt, "no kill hit a file on its way: this drill did not hurt"
    lines = journal.read_bytes().splitlines()
    assert set(lines) == {b"message %d" % number for number in range(FILES)}
    assert len(list((folder / "done").iterdir())) == FILES
    assert [path for path in folder.iterdir() if path.is_file()] == []
