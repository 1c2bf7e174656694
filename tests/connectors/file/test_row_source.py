"""Files of rows in a watched folder, with a receiver in the test's hands that checks the contract as the engine's does."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from isthmus.connectors.file import FileSource
from isthmus.connectors.file.source import FolderWatch
from isthmus.connectors.port import Reply
from isthmus.core import Rejected, Violation
from isthmus.formats.rows import Contract, Manifest, RowFile, Rows, Trailer, column

Watch = Callable[..., Awaitable[FolderWatch]]
PRICES = Contract("price-list", column("sku", required=True), column("price", "decimal", required=True))
FILE = RowFile(kind="price-list", totals=("price",))


class Hand:
    """Knows duplicates and the contract; answers at once unless told otherwise."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bool] = {}
        """In the order in which they were kept; whether the row was taken."""
        self.duplicates = 0
        self.busy: Callable[[Rows], bool] = lambda _rows: False
        self.open: list[tuple[bytes, Reply]] = []
        self.at_once = True
        self.most_open = 0

    def examine(self, source: str, body: bytes) -> tuple[Violation, ...]:
        assert source == "prices"
        return PRICES.check(Rows(body))

    def accept(self, source: str, body: bytes, peer: str, reply: Reply) -> None:
        assert (source, peer.split("/", maxsplit=1)[0]) == ("prices", "in")
        self.open.append((body, reply))
        self.most_open = max(self.most_open, len(self.open))
        if self.at_once:
            self.answer()

    def answer(self) -> None:
        waiting, self.open = self.open, []
        for body, reply in waiting:
            if self.busy(Rows(body)):
                reply(PRICES.format.acknowledge(body, "busy", (), reply_id="r", at="2026"), "busy")
                continue
            self.duplicates += body in self.kept
            wrong = self.examine("prices", body)
            self.kept[body] = not wrong
            reply(
                PRICES.format.acknowledge(body, "invalid" if wrong else "accepted", wrong, reply_id="r", at="2026"),
                "refused" if wrong else "taken",
            )

    @property
    def taken(self) -> list[str]:
        """Stock numbers of the rows, in order."""
        return [row["sku"] for body, taken in self.kept.items() if taken for row in Rows(body)]

    @property
    def manifests(self) -> list[Manifest]:
        return [Rows(body).manifest for body in self.kept if Rows(body).is_manifest]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
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

    async def build(rows: RowFile = FILE, **settings: object) -> FolderWatch:
        every = {"folder": folder, "every": 0.01, "settle": 0.0, "split": "rows", "rows": rows}
        one = FolderWatch("prices", FileSource(**every | settings))  # type: ignore[arg-type]
        one.examine_with(hand.examine)
        await one.start(hand.accept)
        made.append(one)
        return one

    yield build
    hand.at_once, hand.busy = True, lambda _rows: False
    hand.answer()
    for one in made:
        await one.stop()


def _file(count: int, *bad: int, end: str = "") -> bytes:
    rows = (f"{n},{'x' if n in bad else f'{n}.5'}\n" for n in range(1, count + 1))
    return ("sku,price\n" + "".join(rows) + end).encode()


def _there(folder: Path, sub: str) -> Callable[[], bool]:
    return lambda: any((folder / sub).glob("*.manifest.json"))


def _beside(folder: Path, sub: str, name: str = "p.csv") -> Manifest:
    return msgspec.json.decode((folder / sub / f"{name}.manifest.json").read_bytes(), type=Manifest)


async def test_rows_become_messages_in_their_order_and_the_manifest_comes_last(watch: Watch, hand: Hand, folder: Path) -> None:
    data = _file(1000)
    (folder / "p.csv").write_bytes(data)
    await watch()
    await until(_there(folder, "done"))
    assert hand.taken == [str(n) for n in range(1, 1001)]
    assert Rows(list(hand.kept)[-1]).is_manifest
    (manifest,) = hand.manifests
    assert (manifest.outcome, manifest.rows, manifest.taken, manifest.messages) == ("taken", 1000, 1000, 1000)
    assert (manifest.file, manifest.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert manifest.totals[0].taken == Decimal(1000 * 1001 // 2 + 500)
    assert _beside(folder, "done") == manifest
    assert (folder / "done" / "p.csv").read_bytes() == data


@pytest.mark.parametrize("per", [1, 7, 1000])
async def test_a_bad_row_is_refused_with_its_line_and_the_others_go_on(per: int, watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "p.csv").write_bytes(_file(100, 17, 40))
    await watch(msgspec.structs.replace(FILE, rows_per_message=per))
    await until(_there(folder, "refused"))
    assert hand.taken == [str(n) for n in range(1, 101) if n not in (17, 40)]
    manifest = _beside(folder, "refused")
    assert [(one.row, one.where, one.rule) for one in manifest.refusals] == [(17, "line 18, price", "type"), (40, "line 41, price", "type")]
    assert (manifest.outcome, manifest.taken, manifest.refused, manifest.rules) == ("taken-in-part", 98, 2, {"type": 2})
    refused = [Rows(body).part.raw for body, taken in hand.kept.items() if not taken]
    assert refused == [b"17,x\n", b"40,x\n"]  # with their original bytes


async def test_all_or_nothing_takes_none_of_a_file_with_a_bad_row(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "p.csv").write_bytes(_file(100, 17))
    await watch(msgspec.structs.replace(FILE, all_or_nothing=True))
    await until(_there(folder, "refused"))
    (only,) = hand.kept
    assert Rows(only).is_manifest
    manifest = _beside(folder, "refused")
    assert (manifest.outcome, manifest.rows, manifest.taken, manifest.refused, manifest.messages) == ("refused", 100, 0, 100, 0)
    assert [one.where for one in manifest.refusals] == ["line 18, price"]
    assert manifest.rules == {"all-or-nothing": 99, "type": 1}
    (folder / "good.csv").write_bytes(_file(100))
    await until(_there(folder, "done"))
    assert len(hand.taken) == 100


async def test_all_or_nothing_holds_the_trailer_against_the_file_first(watch: Watch, hand: Hand, folder: Path) -> None:
    rows = msgspec.structs.replace(FILE, all_or_nothing=True, trailer=Trailer(mark="END", rows=2))
    await watch(rows)
    (folder / "p.csv").write_bytes(_file(10, end="END,11\n"))
    await until(_there(folder, "refused"))
    assert hand.taken == []
    assert [one.rule for one in _beside(folder, "refused").flaws] == ["count"]
    (folder / "q.csv").write_bytes(_file(10, end="END,10\n"))
    await until(_there(folder, "done"))
    assert len(hand.taken) == 10


async def test_a_header_that_will_not_do_is_one_finding_not_half_a_million(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "p.csv").write_bytes(_file(5000).replace(b"sku", b"item"))
    await watch()
    await until(_there(folder, "refused"))
    assert len(hand.kept) == 1
    manifest = _beside(folder, "refused")
    assert (manifest.rows, manifest.refused, [one.where for one in manifest.flaws]) == (5000, 5000, ["header"])


async def test_a_sidecar_is_held_against_the_file_and_moves_with_it(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "p.csv.totals").write_bytes(b'{"rows": 10, "totals": {"price": "60.1"}}')
    (folder / "p.csv").write_bytes(_file(10))
    (folder / "q.csv.totals").write_bytes(b"ten")
    (folder / "q.csv").write_bytes(_file(11))
    await watch()
    await until((folder / "rejected" / "q.csv.reason").exists)
    assert (folder / "refused" / "p.csv.totals").exists()
    assert [one.where for one in _beside(folder, "refused").flaws] == ["sidecar, price"]
    assert len(hand.taken) == 10


async def test_the_same_file_twice_is_known_and_equal_rows_are_not_mistaken_for_each_other(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "p.csv").write_bytes(b"sku,price\n7,1\n7,1\n7,1\n")
    await watch()
    await until(_there(folder, "done"))
    assert (hand.taken, hand.duplicates) == (["7", "7", "7"], 0)
    (folder / "again.csv").write_bytes(b"sku,price\n7,1\n7,1\n7,1\n")
    await until((folder / "done" / "again.csv.manifest.json").exists)
    assert (hand.taken, hand.duplicates, len(hand.manifests)) == (["7", "7", "7"], 4, 1)


async def test_what_is_turned_away_comes_again_before_what_stands_behind_it(watch: Watch, hand: Hand, folder: Path) -> None:
    turned_away: list[int] = []

    def busy(rows: Rows) -> bool:
        if rows.part.label.row in (3, 60, 0) and turned_away.count(rows.part.label.row) < 3:
            turned_away.append(rows.part.label.row)
            return True
        return False

    hand.busy = busy
    (folder / "p.csv").write_bytes(_file(100))
    await watch()
    await until(_there(folder, "done"))
    assert turned_away == [3, 3, 3, 60, 60, 60, 0, 0, 0]
    assert hand.taken == [str(n) for n in range(1, 101)]
    assert (hand.duplicates, len(hand.manifests)) == (0, 1)


async def test_a_whole_window_that_is_turned_away_comes_again_in_order(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "p.csv").write_bytes(_file(100))
    hand.at_once = False
    await watch(window=20)
    await until(lambda: len(hand.open) == 20)
    hand.busy = lambda _rows: True
    hand.answer()
    hand.busy, hand.at_once = lambda _rows: False, True
    await until(_there(folder, "done"))
    assert hand.taken == [str(n) for n in range(1, 101)]
    assert hand.most_open == 20


async def test_rows_wait_for_room_and_for_the_pause_to_end(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "p.csv").write_bytes(_file(5000))
    hand.at_once = False
    one = await watch(window=50)
    await until(lambda: len(hand.open) == 50)
    one.pause()
    hand.answer()
    for _ in range(20):
        await asyncio.sleep(0)
    assert hand.open == []
    one.resume()
    hand.at_once = True
    await until(_there(folder, "done"))
    assert len(hand.taken) == 5000
    assert hand.most_open == 50


async def test_stopped_in_the_middle_it_goes_on_at_the_next_start(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "p.csv").write_bytes(_file(300))
    hand.at_once = False
    first = await watch(window=50)
    await until(lambda: len(hand.open) == 50)
    stopping = asyncio.create_task(first.stop())
    await asyncio.sleep(0)
    hand.answer()
    await stopping
    assert (folder / "taking" / "p.csv").exists()
    assert len(hand.taken) == 50
    hand.at_once = True
    await watch()
    await until(_there(folder, "done"))
    assert hand.taken == [str(n) for n in range(1, 301)]
    assert (hand.duplicates, len(hand.manifests)) == (50, 1)


async def test_lines_of_json_and_groups(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "p.ndjson").write_bytes(b'{"sku": "a", "price": 0.1}\n{"sku": "a", "price": 0.2}\n{"sku": "b", "price": "x"}\n')
    await watch(RowFile(kind="price-list", form="json", totals=("price",), group_by="sku"))
    await until(_there(folder, "refused"))
    assert hand.taken == ["a", "a"]
    manifest = _beside(folder, "refused", "p.ndjson")
    assert (manifest.messages, manifest.totals[0].taken) == (2, Decimal("0.3"))


async def test_a_file_in_utf_16_is_rejected_with_the_reason(watch: Watch, hand: Hand, folder: Path) -> None:
    (folder / "p.csv").write_bytes(_file(3).decode().encode("utf-16"))
    await watch()
    await until((folder / "rejected" / "p.csv.reason").exists)
    assert hand.kept == {}


async def test_memory_is_that_of_a_window_not_of_the_file(watch: Watch, hand: Hand, folder: Path) -> None:
    seen: list[int] = []
    one = await watch(window=100)
    hand.at_once = False
    (folder / "p.csv").write_bytes(_file(60_000))
    async with asyncio.timeout(30):
        while not _there(folder, "done")():
            seen.append(len(hand.open))
            hand.answer()
            hand.kept = {body: taken for body, taken in hand.kept.items() if not taken}  # a journal on disk
            await asyncio.sleep(0)
    assert max(seen) == 100
    assert one.counts == {}


def test_the_table_and_the_word_belong_together(folder: Path) -> None:
    with pytest.raises(Rejected, match="rows"):
        FileSource(folder=folder, split="rows")
    with pytest.raises(Rejected, match="rows"):
        FileSource(folder=folder, rows=FILE)
