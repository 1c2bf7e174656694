"""Files appear whole or not at all, whatever happens to the process that writes them."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import msgspec
import pytest

from isthmus.connectors.file import FileEndpoint, Folder
from isthmus.connectors.file.client import FileClient
from isthmus.connectors.suite import Unlimited
from isthmus.core import Bug, Delivered, Delivery, Reject, Rejected, Retry, Transient, Unknown

ARCHIVE = Folder("archive")


def drop(name: str, body: bytes = b"content", key: str = "1") -> Delivery:
    return ARCHIVE.drop(name, body, key=key)


def client(folder: Path, **settings: object) -> FileClient:
    return FileClient("archive", FileEndpoint(folder=folder, **settings), Unlimited())  # type: ignore[arg-type]


async def test_a_drop_is_data() -> None:
    delivery = ARCHIVE.drop("r-1.json", {"b": 1, "a": 2}, key="r1", ordering_key="p1")
    assert (delivery.endpoint, delivery.operation, delivery.key, delivery.ordering_key) == ("archive", "drop r-1.json", "r1", "p1")
    assert delivery.body == b'{"a":2,"b":1}'


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "a\\b", "a b", "a\n", "ä", "x" * 201, "-rf"])
def test_a_name_that_could_leave_the_folder_or_confuse_a_reader_is_a_bug(name: str) -> None:
    with pytest.raises(Bug) as caught:
        drop(name)
    assert len(name) < 3 or name not in str(caught.value)


async def test_a_name_that_was_tampered_with_in_the_journal_is_a_bug(tmp_path: Path) -> None:
    archive = client(tmp_path)
    await archive.open()
    with pytest.raises(Bug):
        await archive.send([msgspec.structs.replace(drop("a"), operation="drop ../../etc/passwd")], 5)
    await archive.close()


async def test_a_batch_with_checksums(tmp_path: Path) -> None:
    archive = client(tmp_path, checksum=True)
    await archive.open()
    outcomes = await archive.send([drop(f"r{number}", b"content %d" % number) for number in range(20)], 5)
    for number, outcome in enumerate(outcomes):
        digest = hashlib.sha256(b"content %d" % number).hexdigest()
        assert isinstance(outcome, Delivered)
        assert (tmp_path / f"r{number}.sha256").read_text() == f"{digest}  r{number}\n"
    assert subprocess.run(["sha256sum", "-c", "--quiet", "r3.sha256"], cwd=tmp_path, check=False).returncode == 0
    assert len(list(tmp_path.iterdir())) == 40
    await archive.close()


async def test_the_same_again_is_unchanged_and_other_content_is_refused(tmp_path: Path) -> None:
    archive = client(tmp_path)
    await archive.open()
    first, same, other = await archive.send([drop("r"), drop("r"), drop("r", b"other")], 5)
    assert isinstance(first, Delivered)
    assert not first.unchanged
    assert isinstance(same, Delivered)
    assert same.unchanged
    assert isinstance(other, Reject)
    assert other.code == "exists"
    assert (tmp_path / "r").read_bytes() == b"content"
    await archive.close()


async def test_check_compares_what_is_there(tmp_path: Path) -> None:
    archive, careful = client(tmp_path), client(tmp_path, deduplicates=False)
    await archive.open()
    await careful.open()
    assert isinstance(await archive.check(drop("r"), 5), Retry)
    absent = await careful.check(drop("r"), 5)
    assert isinstance(absent, Reject)
    assert absent.code == "outcome-unknown"
    (tmp_path / "r").write_bytes(b"content")
    assert isinstance(await archive.check(drop("r"), 5), Delivered)
    (tmp_path / "r").write_bytes(b"cont")
    assert isinstance(await archive.check(drop("r"), 5), Reject)
    tmp_path.rename(tmp_path.with_name("away"))
    assert isinstance(await archive.check(drop("r"), 5), Unknown)
    await archive.close()
    await careful.close()


async def test_a_folder_that_is_away_is_not_made_anew(tmp_path: Path) -> None:
    """A share that is not mounted: written past it, the file would never arrive."""
    archive = client(tmp_path / "share")
    await archive.open()
    (outcome,) = await archive.send([drop("r")], 5)
    assert isinstance(outcome, Retry)
    assert not (tmp_path / "share").exists()
    with pytest.raises(Transient, match=r"endpoints\.archive\.folder"):
        await archive.ping(5)
    await archive.close()


async def test_a_folder_is_made_where_that_was_said(tmp_path: Path) -> None:
    archive = client(tmp_path / "a" / "b", create=True)
    await archive.open()
    assert isinstance((await archive.send([drop("r")], 5))[0], Delivered)
    await archive.close()
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Rejected, match=r"endpoints\.archive\.folder"):
        await client(tmp_path / "file" / "b", create=True).open()


SIZE = 7 * 1_000_000
_WRITER = """
    import asyncio, sys
    from pathlib import Path
    from isthmus.connectors.file import FileEndpoint, Folder
    from isthmus.connectors.file.client import FileClient
    from isthmus.connectors.suite import Unlimited

    async def write():
        client = FileClient("archive", FileEndpoint(folder=Path(sys.argv[1]), checksum=True), Unlimited())
        await client.open()
        for number in range(int(sys.argv[2]), 100_000):
            body = b"%06d " % number * 1_000_000
            await client.send([Folder("archive").drop(f"r{number}", body, key=str(number))], 30)
            print(number, flush=True)

    asyncio.run(write())
"""


def test_a_killed_writer_leaves_no_half_file_under_a_name(tmp_path: Path) -> None:
    """kill -9, again and again at other moments: what was told to be delivered is there, and what has a name is whole."""
    told = -1
    hurt = 0
    for round_ in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_WRITER), str(tmp_path), str(told + 1)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        told = int(writer.stdout.readline())
        time.sleep(0.002 + 0.004 * round_)  # not for luck: it moves the blow through the writer's work
        os.kill(writer.pid, signal.SIGKILL)
        lines = writer.stdout.read().splitlines()
        told = int(lines[-1]) if lines else told
        writer.wait()
        writer.stdout.close()
        parts = [path for path in tmp_path.iterdir() if path.name.startswith(".isthmus-") and ".sha256" not in path.name]
        hurt += bool(parts)
        for path in tmp_path.iterdir():
            if path.name.startswith("r") and path.suffix != ".sha256":
                assert path.stat().st_size == SIZE, "half a file under its name"
        if hurt >= 2:
            break
    assert all((tmp_path / f"r{number}").exists() for number in range(told + 1))
    assert hurt, "no kill came between a file's first byte and its name: this drill did not hurt"
