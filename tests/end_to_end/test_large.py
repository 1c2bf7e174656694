"""Large messages and large files through a real ``isthmus run``: what the kernel says its memory was at most, and nothing lost by kill -9."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.append(str(ROOT))

from bench import large  # noqa: E402 - bench is no installed package

pytestmark = pytest.mark.slow
MB = large.MB


def test_a_large_message_costs_half_as_much_again_as_its_size_and_its_document_arrives_as_it_was(tmp_path: Path) -> None:
    found = large.measure_message(tmp_path, 48 * MB)  # compares the document's digest
    assert found.growth < 1.5 * 48 * MB + 64 * MB  # beside it: SQLite's caches, and the allocator's


def test_the_peak_grows_slower_than_the_file(tmp_path: Path) -> None:
    """What grows with the rows is SQLite's page cache, which has its own bound; the file itself is never in memory."""
    found = large.measure_rows(tmp_path, 60_000, per=20, delivered=False)
    assert found.growth < 110 * MB


_ALONE = """
    import asyncio, pathlib, sys
    from isthmus.connectors.file import FileSource, listen
    from isthmus.formats.rows import RowFile, RowsFormat

    def peak():
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

    def accept(source, body, peer, reply):
        answer = RowsFormat().acknowledge(body, "accepted", (), reply_id="r", at="2026")
        asyncio.get_running_loop().call_soon(reply, answer, "taken")

    async def main():
        folder = pathlib.Path(sys.argv[1])
        rows = RowFile(kind="price-list", totals=("price",), rows_per_message=10)
        source = listen("prices", FileSource(folder=folder, every=0.01, settle=0.0, split="rows", rows=rows))
        await source.start(accept)
        before = peak()
        (folder / "prices.part").rename(folder / "prices.csv")
        while not (folder / "done" / "prices.csv.manifest.json").exists():
            await asyncio.sleep(0.01)
        await source.stop()
        print(peak() - before)

    asyncio.run(main())
"""


def test_the_source_by_itself_holds_a_window_and_never_the_file(tmp_path: Path) -> None:
    line = "I{},{}.50," + "x" * 480 + "\n"
    with (tmp_path / "prices.part").open("w") as file:
        file.write("item,price,text\n")
        file.writelines(line.format(n, n) for n in range(100_000))
    assert (tmp_path / "prices.part").stat().st_size > 45 * MB
    command = [sys.executable, "-c", textwrap.dedent(_ALONE), str(tmp_path)]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)
    assert grown * 1024 < 20 * MB


def test_killed_in_the_middle_of_a_file_every_row_arrives_once_and_the_manifest_once(tmp_path: Path) -> None:
    rows, hurt = 6_000, 0
    with large.running(tmp_path) as (site, sink):
        large.write_rows(tmp_path / "prices.csv", rows)
        (tmp_path / "prices.csv").rename(tmp_path / "var" / "in" / "prices.csv")
        for _ in range(3):
            before = sink.prices
            large.wait_for(lambda before=before: sink.prices > before + 200, timeout=60, what="some rows")
            site.kill()
            hurt += (tmp_path / "var" / "in" / "taking" / "prices.csv").exists()
            site.start()
        large.wait_for(lambda: bool(sink.bodies) and len(sink.items) == rows, timeout=120, what="all rows")
        assert hurt, "no kill hit the file on its way: this drill did not hurt"
        assert sink.items == {f"I{n:07}" for n in range(rows)}
        assert list(sink.bodies.values()) == [b'{"rows":%d,"taken":%d}' % (rows, rows)]
        large.wait_for((tmp_path / "var" / "in" / "done" / "prices.csv.manifest.json").exists, timeout=30, what="the manifest beside it")
        site.end()
        assert site.balance_line() == "It balances: lost 0, duplicated 0."
