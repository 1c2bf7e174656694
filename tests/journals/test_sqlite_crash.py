"""kill -9 in the middle of writing: everything that was acknowledged is there afterwards, in order; what was claimed is unknown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from isthmus.journals.port import Query
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal
from isthmus.journals.sqlite.schema import connect_to_read
from isthmus.journals.suite.samples import ME, ODOO, at, claim, delivered

WRITERS = 4

RECEIVE = """
import asyncio, sys
from pathlib import Path
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal
from isthmus.journals.suite.samples import arrival, message

async def writer(journal, name, start):
    for n in range(start, 1_000_000):
        one = message(f"{name}-{n:07}")
        await journal.receive([arrival(one)])
        sys.stdout.write(f"{name} {n}\\n")  # acknowledged: from here on it must never be lost
        sys.stdout.flush()

async def main(path, ring, starts):
    journal = SqliteJournal(Path(path), Keyring.load_or_create(Path(ring)))
    await journal.open()
    await asyncio.gather(*(writer(journal, name, int(start)) for name, start in enumerate(starts)))

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
"""

CLAIM = """
import asyncio, os, signal, sys
from pathlib import Path
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal
from isthmus.journals.suite.samples import claim, due

async def main(path, ring):
    journal = SqliteJournal(Path(path), Keyring.load_or_create(Path(ring)))
    await journal.open()
    await due(journal, "a1", "a2", line="patient/1")
    await due(journal, "free")
    taken = await claim(journal)
    print(*(one.delivery.key for one in taken), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_was_acknowledged_survives_kill_9_five_times(tmp_path: Path) -> None:
    path, ring = tmp_path / "journal.sqlite", tmp_path / "keys" / "keyring.json"
    random = Random(9)
    acknowledged: list[list[int]] = [[] for _ in range(WRITERS)]
    for _ in range(5):
        starts = [str(each[-1] + 1 if each else 0) for each in acknowledged]
        with subprocess.Popen([sys.executable, "-c", RECEIVE, path, ring, *starts], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(random.randint(20, 400)):
                name, n = process.stdout.readline().split()
                acknowledged[int(name)].append(int(n))
            process.kill()
            for line in process.stdout.read().splitlines():  # said before it died
                if len(parts := line.split()) == 2:
                    acknowledged[int(parts[0])].append(int(parts[1]))
    journal = SqliteJournal(path, Keyring.load_or_create(ring))
    await journal.open()
    kept: list[list[int]] = [[] for _ in range(WRITERS)]
    for one in await journal.untranslated(1_000_000):
        name, _, number = one.control_id.partition("-")
        kept[int(name)].append(int(number))
        assert one.control_id.encode() in one.body
    await journal.close()
    assert sum(map(len, acknowledged)) > 300
    for said, found in zip(acknowledged, kept, strict=True):
        assert found == sorted(found)
        assert set(said) <= set(found)


async def test_what_a_killed_process_had_claimed_is_checked_before_it_is_sent_again(tmp_path: Path) -> None:
    path, ring = tmp_path / "journal.sqlite", tmp_path / "keys" / "keyring.json"
    process = subprocess.run([sys.executable, "-c", CLAIM, path, ring], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout.split()) == (-9, ["a1", "free"]), process.stderr
    journal = SqliteJournal(path, Keyring.load_or_create(ring))
    await journal.open()
    assert list(await claim(journal, now=at(60), owner="node-2")) == []
    assert list(await journal.owners()) == [ME]
    assert await journal.release(ME, at(60)) == 2
    again = await claim(journal, now=at(60), owner="node-2")
    assert [(one.delivery.key, one.unknown, one.attempt) for one in again] == [("a1", True, 2), ("free", True, 2)]
    await journal.settle([delivered(one.delivery.id, ended=at(61)) for one in again], "node-2")
    assert [(one.delivery.key, one.unknown) for one in await claim(journal, now=at(62), owner="node-2")] == [("a2", False)]
    assert await journal.next_due(ODOO) is None
    await journal.close()


PRUNE = """
import asyncio, sys
from pathlib import Path
from isthmus.journals.port import Translated
from isthmus.journals.sealing import Keyring
from isthmus.journals.sqlite import SqliteJournal, checkpointer, merging, prune, store, tidier
from isthmus.journals.suite.samples import ADT, START, arrival, at, message

async def main(path, ring, start):
    checkpointer.LOG_BYTES, tidier.ENOUGH, merging.DROPPED, prune.SLICE, store.PAGES = 300_000, 50, 5, 3, 2
    journal = SqliteJournal(Path(path), Keyring.load_or_create(Path(ring)))
    await journal.open()

    async def receive():
        for n in range(int(start), 1_000_000):
            one = message(f"A-{n:07}", body=b"body of %07d" % n + bytes(9_000), received=at(n))
            await journal.receive([arrival(one)])
            await journal.translated([Translated(message_id=one.id)], at(n))
            print(n, flush=True)
            receive.last = n

    async def forget():
        while True:
            await journal.prune(ADT, at(receive.last - 20), at(receive.last))
            await asyncio.sleep(0.005)

    receive.last = int(start)
    await asyncio.gather(receive(), forget())

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
async def test_kill_9_while_pruning_checkpointing_and_shrinking(tmp_path: Path) -> None:
    path, ring = tmp_path / "journal.sqlite", tmp_path / "keys" / "keyring.json"
    random, last = Random(4), -1
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", PRUNE, path, ring, str(last + 1)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(random.randint(50, 200)):
                last = int(process.stdout.readline())
            process.kill()
            last = max([last, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
    journal = SqliteJournal(path, Keyring.load_or_create(ring))
    await journal.open()
    bodies: list[bool] = []
    for n in range(last + 1):
        (kept,) = await journal.find(Query(identifier=f"A-{n:07}"))
        one = await journal.message(kept.id)
        assert one is not None
        assert one.body in (b"", b"body of %07d" % n + bytes(9_000))
        bodies.append(bool(one.body))
    assert all(bodies[-20:])
    assert bodies.count(False) > last / 3  # the drill hurt: most were pruned
    assert await journal.size() < 9_000 * len(bodies) * 0.75  # space went back; the rest waits for the next checkpoint
    await journal.close()
    connection = connect_to_read(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
