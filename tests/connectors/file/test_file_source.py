"""The watcher of a folder, with a receiver in the test's hands."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from isthmus.connectors.file import FileSource
from isthmus.connectors.file.inbox import Inbox
from isthmus.connectors.file.source import FolderWatch
from isthmus.connectors.port import Reply, Said
from isthmus.core import Rejected
from isthmus.formats.hl7v2 import acknowledge

Watch = Callable[..., Awaitable[FolderWatch]]


class Hand:
    """A receiver that knows duplicates, as the engine's does, and answers at once unless told otherwise."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.kept: set[bytes] = set()
        self.open: list[tuple[bytes, Reply]] = []
        self.at_once = True
        self.verdict: Callable[[bytes], tuple[bytes | None, Said]] = lambda _body: (b"AA", "taken")

    def accept(self, source: str, body: bytes, peer: str, reply: Reply) -> None:
        assert source == "supply"
        assert peer.startswith("in/")
        self.taken.append(body)
        self.open.append((body, reply))
        if self.at_once:
            self.answer()

    def answer(self) -> None:
        answered, self.open = self.open, []
        for body, reply in answered:
            answer, said = self.verdict(body)
            if said == "taken":
                self.kept.add(body)
            reply(answer, said)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
async def watch(hand: Hand, folder: Path) -> AsyncIterator[Watch]:
    made: list[FolderWatch] = []

    async def build(**settings: object) -> FolderWatch:
        watch = FolderWatch("supply", FileSource(**{"folder": folder, "every": 0.01, "settle": 0.0} | settings))  # type: ignore[arg-type]
        await watch.start(hand.accept)
        made.append(watch)
        return watch

    yield build
    hand.at_once = True
    hand.verdict = lambda _body: (b"AA", "taken")
    hand.answer()
    for one in made:
        await one.stop()


def names(folder: Path, sub: str = "") -> list[str]:
    return sorted(path.name for path in (folder / sub).iterdir() if path.is_file())


async def test_takes_what_is_there_and_what_comes(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "b.csv").write_bytes(b"second")
    (folder / "a.csv").write_bytes(b"first")
    await watch()
    await until(lambda: names(folder, "done") == ["a.csv", "b.csv"])
    (folder / "c.csv").write_bytes(b"third")
    await until(lambda: names(folder, "done") == ["a.csv", "b.csv", "c.csv"])
    assert hand.taken == [b"first", b"second", b"third"]
    assert (folder / "done" / "a.csv").read_bytes() == b"first"
    assert names(folder) == names(folder, "taking") == []


async def test_the_folder_is_made(watch: Watch, hand: Hand, folder: Path) -> None:
    await watch(folder=folder / "deep" / "in")
    (folder / "deep" / "in" / "a").write_bytes(b"x")
    await until(lambda: names(folder, "deep/in/done") == ["a"])


async def test_a_folder_that_cannot_be_is_told(watch: Watch, folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(Rejected, match=r"sources\.supply\.folder"):
        await watch(folder=folder / "file" / "in")


async def test_a_file_is_taken_once_it_has_settled_and_not_while_it_is_written(watch: Watch, hand: Hand, folder: Path) -> None:
    await watch(settle=0.15)
    with (folder / "slow.csv").open("wb") as file:
        for part in range(10):
            file.write(b"part %d;" % part)
            file.flush()
            await asyncio.sleep(0.03)
    assert hand.taken == []
    await until(lambda: names(folder, "done") == ["slow.csv"])
    assert hand.taken == [b"".join(b"part %d;" % part for part in range(10))]


async def test_a_sender_that_renames_is_taken_whole(watch: Watch, hand: Hand, folder: Path) -> None:
    await watch()
    (folder / "a.csv.part").write_bytes(b"half")
    (folder / ".b.csv").write_bytes(b"half")
    await asyncio.sleep(0.05)
    assert hand.taken == []
    (folder / "a.csv.part").rename(folder / "a.csv")
    await until(lambda: names(folder, "done") == ["a.csv"])
    assert names(folder) == [".b.csv"]


@pytest.mark.parametrize("mode", ["settled", "sha256"])
async def test_a_checksum_is_verified_in_every_mode(mode: str, watch: Watch, hand: Hand, folder: Path) -> None:
    for name, told in (("good", hashlib.sha256(b"x").hexdigest()), ("bad", "0" * 64), ("silly", "no checksum")):
        (folder / f"{name}.sha256").write_text(f"{told}  {name}\n")
        (folder / name).write_bytes(b"x")
    source = await watch(complete=mode)
    await until(lambda: len(names(folder, "rejected")) == 6 and "good" in names(folder, "done"))
    assert names(folder, "done") == ["good", "good.sha256"]
    assert names(folder, "rejected") == ["bad", "bad.reason", "bad.sha256", "silly", "silly.reason", "silly.sha256"]
    assert (folder / "rejected" / "bad.reason").read_text().startswith("checksum: the content is not what")
    assert hand.taken == [b"x"]
    assert source.counts == {"checksum": 1, "checksum-unreadable": 1}


async def test_a_companion_is_waited_for(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "a").write_bytes(b"x")
    source = await watch(complete="done")
    await until(lambda: source.waiting == 1)
    assert hand.taken == []
    (folder / "a.done").touch()
    await until(lambda: names(folder, "done") == ["a", "a.done"])


async def test_what_is_no_proper_file_is_rejected_with_the_reason(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "big").write_bytes(b"x" * 101)
    (folder / "empty").touch()
    (folder / "link").symlink_to(folder / "big")
    (folder / "sub").mkdir()
    await watch(max_bytes=100)
    await until(lambda: len(names(folder, "rejected")) == 4)
    assert (folder / "rejected" / "big.reason").read_text() == "too-large: larger than max_bytes (100): send smaller files, or raise it\n"
    assert (folder / "rejected" / "empty.reason").read_text().startswith("empty: ")
    assert hand.taken == []
    assert (folder / "link").is_symlink()


async def test_a_refused_file_has_its_answer_beside_it(watch: Watch, hand: Hand, folder: Path) -> None:
    hand.verdict = lambda _body: (b"AE because", "refused")
    source = await watch()
    (folder / "a").write_bytes(b"x")
    await until(lambda: names(folder, "refused") == ["a", "a.ack"])
    assert (folder / "refused" / "a.ack").read_bytes() == b"AE because"
    await until(lambda: source.counts == {"refused": 1})


async def test_the_same_name_again_does_not_overwrite(watch: Watch, hand: Hand, folder: Path) -> None:
    await watch()
    for content in (b"1", b"2", b"3"):
        (folder / ".a").write_bytes(content)
        (folder / ".a").rename(folder / "a.csv")
        await until(lambda: not (folder / "a.csv").exists() and names(folder, "taking") == [])
    assert names(folder, "done") == ["a.csv", "a.csv.1", "a.csv.2"]
    assert {(folder / "done" / name).read_bytes() for name in names(folder, "done")} == {b"1", b"2", b"3"}


async def test_the_same_name_while_the_first_is_on_its_way(watch: Watch, hand: Hand, folder: Path) -> None:
    """The second is neither lost nor taken for the first."""
    hand.at_once = False
    await watch()
    (folder / "a").write_bytes(b"first")
    await until(lambda: len(hand.open) == 1)
    (folder / "a").write_bytes(b"second")
    await asyncio.sleep(0.05)
    assert hand.taken == [b"first"]
    hand.at_once = True
    hand.answer()
    await until(lambda: names(folder, "done") == ["a", "a.1"])
    assert (folder / "done" / "a").read_bytes() == b"first"
    assert (folder / "done" / "a.1").read_bytes() == b"second"


async def test_it_is_moved_only_when_it_is_durable_and_known_again_after_a_kill(watch: Watch, hand: Hand, folder: Path) -> None:
    """A process that died between commit and move left its file in taking/: handed over again, a duplicate, moved."""
    (folder / "taking").mkdir()
    (folder / "taking" / "a").write_bytes(b"x")
    hand.kept.add(b"x")
    hand.at_once = False
    await watch()
    await until(lambda: len(hand.open) == 1)
    await asyncio.sleep(0.05)
    assert names(folder, "taking") == ["a"]
    assert names(folder, "done") == []
    assert len(hand.taken) == 1, "it is handed over once a run, not once a round"
    hand.answer()
    await until(lambda: names(folder, "done") == ["a"])


async def test_busy_leaves_the_file_for_another_time(watch: Watch, hand: Hand, folder: Path) -> None:
    message = b"MSH|^~\\&|A|B|||20260101||ADT^A01|C1|P|2.5.1\r"
    hand.verdict = lambda body: (acknowledge(body, "busy", (), reply_id="R", at="20260101"), "busy")
    source = await watch()
    (folder / "a").write_bytes(message)
    await until(lambda: source.counts["busy"] >= 2)
    hand.verdict = lambda _body: (b"AA", "taken")
    await until(lambda: names(folder, "done") == ["a"])
    assert names(folder, "refused") == []


async def test_paused_takes_nothing(watch: Watch, hand: Hand, folder: Path) -> None:
    source = await watch()
    source.pause()
    (folder / "a").write_bytes(b"x")
    await asyncio.sleep(0.05)
    assert hand.taken == []
    source.resume()
    await until(lambda: names(folder, "done") == ["a"])


def adt(number: int) -> bytes:
    return b"MSH|^~\\&|A|B|||20260101||ADT^A01|C%d|P|2.5.1\rPID|||%d\r" % (number, number)


async def test_each_message_of_a_file_is_handed_over_by_itself(watch: Watch, hand: Hand, folder: Path) -> None:
    await watch(split="hl7", window=2)
    (folder / "batch.hl7").write_bytes(b"FHS|^~\\&\rBHS|^~\\&\r" + b"".join(adt(number) for number in range(5)) + b"BTS|5\rFTS|1\r")
    await until(lambda: names(folder, "done") == ["batch.hl7"])
    assert hand.taken == [adt(number) for number in range(5)]


async def test_no_more_than_the_window_without_an_answer(watch: Watch, hand: Hand, folder: Path) -> None:
    hand.at_once = False
    await watch(split="hl7", window=3)
    (folder / "batch.hl7").write_bytes(b"".join(adt(number) for number in range(8)))
    for taken in (3, 6, 8):
        await until(lambda taken=taken: len(hand.taken) == taken)  # type: ignore[misc]
        await asyncio.sleep(0.02)
        assert len(hand.taken) == taken
        hand.answer()
    await until(lambda: names(folder, "done") == ["batch.hl7"])


async def test_one_refused_message_of_a_batch(watch: Watch, hand: Hand, folder: Path) -> None:
    hand.verdict = lambda body: (b"AE 1", "refused") if b"C1|" in body else (b"AA", "taken")
    await watch(split="hl7")
    (folder / "batch.hl7").write_bytes(b"".join(adt(number) for number in range(3)))
    await until(lambda: names(folder, "refused") == ["batch.hl7", "batch.hl7.ack"])
    assert (folder / "refused" / "batch.hl7.ack").read_bytes() == b"AE 1"
    assert hand.kept == {adt(0), adt(2)}


async def test_a_wrong_count_is_remarked_upon_and_its_messages_are_taken(watch: Watch, hand: Hand, folder: Path) -> None:
    source = await watch(split="hl7")
    (folder / "batch.hl7").write_bytes(b"BHS|^~\\&\r" + adt(1) + b"BTS|25\r")
    await until(lambda: "batch.hl7" in names(folder, "done"))
    assert hand.taken == [adt(1)]
    assert "batch.hl7.remarks" in names(folder, "done")
    assert source.counts["remarks"] == 1


async def test_what_is_no_hl7_is_handed_over_so_that_the_journal_tells_of_it(watch: Watch, hand: Hand, folder: Path) -> None:
    hand.verdict = lambda _body: (None, "refused")
    await watch(split="hl7")
    (folder / "letter.hl7").write_bytes(b"Dear colleague, attached please find nothing.")
    await until(lambda: "letter.hl7.ack" in names(folder, "refused"))
    assert len(hand.taken) == 1


async def test_stop_waits_for_what_was_handed_over_and_keeps_the_rest(watch: Watch, hand: Hand, folder: Path) -> None:
    hand.at_once = False
    source = await watch(split="hl7", window=2)
    (folder / "batch.hl7").write_bytes(b"".join(adt(number) for number in range(5)))
    await until(lambda: len(hand.open) == 2)
    stopping = asyncio.create_task(source.stop())
    await asyncio.sleep(0.02)
    assert not stopping.done()
    hand.answer()
    await asyncio.wait_for(stopping, 5)
    assert names(folder, "taking") == ["batch.hl7"]
    hand.at_once = True
    await watch(split="hl7")
    await until(lambda: names(folder, "done") == ["batch.hl7"])
    assert hand.kept == {adt(number) for number in range(5)}


async def test_a_folder_that_goes_away_and_comes_back(watch: Watch, hand: Hand, folder: Path) -> None:
    source = await watch()
    await until((folder / "done").exists)
    away = folder.with_name("away")
    folder.rename(away)
    await until(lambda: any(code.startswith("folder-") for code in source.counts))
    (away / "a").write_bytes(b"x")
    away.rename(folder)
    await until(lambda: names(folder, "done") == ["a"])


def test_a_file_on_its_way_is_never_overwritten(folder: Path) -> None:
    """Not even by another process that watches the same folder."""
    inbox = Inbox(folder, 1_000)
    inbox.prepare()
    (folder / "taking" / "a").write_bytes(b"first")
    (folder / "a").write_bytes(b"second")
    (seen,) = inbox.look()
    assert not inbox.claim(seen)
    assert (folder / "taking" / "a").read_bytes() == b"first"
    assert (folder / "a").read_bytes() == b"second"
