"""A site that really runs: real MLLP, a real SQLite journal, real signals, and people who act on it while it runs."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from isthmus.app.exits import Exit
from isthmus.connectors.http.practice import PracticePortal, Respond, takes

ISTHMUS = str(Path(sys.executable).with_name("isthmus"))
PV1 = "PV1|1|I|WEST^12^B" + "|" * 16 + "{visit}"


def adt(number: int, kind: str = "A01", visit: str | None = None) -> bytes:
    visit = f"V-{number}" if visit is None else visit
    lines = (
        f"MSH|^~\\&|PAS|NORTH|ISTHMUS|NORTH|20260302081500||ADT^{kind}^ADT_A01|C-{number}|P|2.5.1",
        f"PID|1||P-{number}^^^NORTH^MR||Mustermann^Erika||19700101|F",
        PV1.format(visit=visit),
    )
    return b"\x0b" + "\r".join(lines).encode() + b"\r\x1c\r"


_PORTS = itertools.count(20_000 + os.getpid() % 50 * 200)  # neighbours among the workers of a test run get ranges of their own


def free_port() -> int:
    """A new one each time, below the range from which the system gives away ports, so that nobody takes it meanwhile."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


class Running:
    """``isthmus run`` in a process of its own."""

    def __init__(self, folder: Path, port: int, *words: str, **environment: str) -> None:
        self.folder, self.port = folder, port
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS")}
        self.out = folder / "run.out"
        self.errors = folder / "run.err"
        with self.out.open("w") as out, self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [ISTHMUS, "run", str(folder), "--every", "0.1", *words], stdout=out, stderr=errors, env=clean | environment
            )
        self.until(lambda: self.out.stat().st_size > 0 or self.errors.stat().st_size > 0 or self.process.poll() is not None)

    def until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.told()
            time.sleep(0.02)

    def told(self) -> str:
        return self.out.read_text() + self.errors.read_text()

    def send(self, *messages: bytes) -> list[bytes]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as link:
            answers = []
            for message in messages:
                link.sendall(message)
                answer = b""
                while not answer.endswith(b"\x1c\r"):
                    part = link.recv(65_536)
                    assert part, answer
                    answer += part
                answers.append(answer)
            return answers

    def balance(self) -> dict:
        return json.loads(subprocess.run([ISTHMUS, "balance", str(self.folder), "--json"], capture_output=True, check=False).stdout)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


class Starter:
    """A site made by `isthmus init`, changed where told, and started as often as wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.begun: list[Running] = []

    def made(self, toml: str = "", files: Mapping[str, str] | None = None) -> Path:
        subprocess.run([ISTHMUS, "init", str(self.folder)], check=True, capture_output=True)
        config = self.folder / "isthmus.toml"
        config.write_text(config.read_text().replace("2575", str(self.port)) + toml)
        for name, text in (files or {}).items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        return self.folder

    def __call__(
        self, *words: str, toml: str = "", files: Mapping[str, str] | None = None, fresh: bool = True, **environment: str
    ) -> Running:
        if fresh:
            self.made(toml, files)
        self.begun.append(Running(self.folder, self.port, *words, **environment))
        return self.begun[-1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path / "site")
    yield starter
    for one in starter.begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def delivered(running: Running, count: int) -> None:
    running.until(lambda: f"delivered {count} due 0" in running.told())


def test_from_message_to_balance_sheet(start) -> None:
    running = start()
    answers = running.send(adt(1), adt(2), adt(1), adt(3, visit=""), adt(4, kind="A08"))
    assert [re.search(rb"MSA\|(\w\w)", one)[1] for one in answers] == [b"AA", b"AA", b"AA", b"AE", b"AR"]
    delivered(running, 2)
    assert running.end() == Exit.OK, running.told()
    sheet = running.told()
    assert "It balances: lost 0, duplicated 0." in sheet
    assert sorted(path.name for path in (running.folder / "var/out/arrivals").iterdir()) == ["V-1-in.json", "V-2-in.json"]
    data = running.balance()
    one = data["interfaces"]["admissions"]
    assert (one["received"], one["duplicates"], one["translated"], one["invalid"]) == (3, 1, 2, 1)
    assert data["interfaces"]["(none)"]["refused"] == 1
    assert "Mustermann" not in running.told()


def test_balance_as_json_on_standard_output_alone(start) -> None:
    running = start("--json")
    running.send(adt(1))
    running.until(lambda: "delivered 1" in running.errors.read_text())
    assert running.end(signal.SIGTERM) == Exit.OK
    assert json.loads(running.out.read_text())["balances"] is True


def test_a_live_summary_on_a_terminal(start) -> None:
    folder = start.made()
    head, tail = pty.openpty()
    process = subprocess.Popen([ISTHMUS, "run", str(folder)], stdout=tail, stderr=tail, stdin=tail, env={**os.environ, "TERM": "xterm"})
    os.close(tail)
    shown = b""
    try:
        while b"Ctrl-C drains it" not in shown:
            shown += os.read(head, 65_536)
        process.send_signal(signal.SIGINT)
        while True:
            try:
                part = os.read(head, 65_536)
            except OSError:  # Linux's way to say that nobody holds the other end any more
                break
            if not part:
                break
            shown += part
        assert process.wait(30) == Exit.OK
    finally:
        process.kill()
        process.wait()
        os.close(head)
    for text in (b"admissions", b"closed", b"It balances"):
        assert text in shown


def test_people_look_and_act_while_it_runs(start, isthmus) -> None:
    running = start()
    running.send(adt(1), adt(2))
    delivered(running, 2)
    site = running.folder
    assert stat.S_IMODE((site / "var/control.sock").stat().st_mode) == 0o600

    found = json.loads(isthmus("messages", "--site", site, "--patient", "P-1", "--json").stdout)["messages"]
    assert [one["control_id"] for one in found] == ["C-1"]
    assert isthmus("messages", "--site", site, "--patient", "P-9").returncode == Exit.FINDINGS
    page = json.loads(isthmus("messages", "--site", site, "--limit", "1", "--json").stdout)
    after = json.loads(isthmus("messages", "--site", site, "--limit", "1", "--before", page["next"], "--json").stdout)
    assert [page["messages"][0]["control_id"], after["messages"][0]["control_id"]] == ["C-2", "C-1"]
    assert isthmus("messages", "--site", site, "--since", "1h", "--until", "1 min").returncode == Exit.FINDINGS
    assert isthmus("messages", "--site", site, "--since", "soon").returncode == Exit.USAGE

    story = json.loads(isthmus("show", found[0]["id"][:8], "--site", site, "--json").stdout)
    assert [step["stage"] for step in story["steps"]] == ["received", "translated", "planned", "attempt", "receipt"]
    delivery = story["deliveries"][0]["id"]
    (site / "var/out/arrivals/V-1-in.json").unlink()
    done = isthmus("redeliver", delivery[:10], "--site", site, "--why", "the desk deleted it", "--by", "ada")
    assert (done.returncode, done.stdout) == (Exit.OK, "1 due again\n"), done.stderr
    running.until((site / "var/out/arrivals/V-1-in.json").exists)
    again = json.loads(isthmus("show", delivery, "--site", site, "--json").stdout)
    (step,) = [one for one in again["steps"] if one["stage"] == "redelivered"]
    assert (step["by"], step["detail"]) == ("ada", "the desk deleted it")

    assert isthmus("dead", "--site", site).returncode == Exit.OK
    assert isthmus("abandon", delivery, "--site", site, "--why", "x").returncode == Exit.FINDINGS  # it is not dead
    assert isthmus("doctor", site).returncode == Exit.OK
    assert isthmus("run", site).returncode == Exit.USAGE  # a second writer of one journal
    assert running.end() == Exit.OK
    assert "it balances" in running.told().lower()


def test_a_body_is_shown_for_a_reason_only_and_noted(start, isthmus) -> None:
    running = start()
    running.send(adt(1))
    delivered(running, 1)
    site = running.folder
    (found,) = json.loads(isthmus("messages", "--site", site, "--json").stdout)["messages"]
    assert "Mustermann" not in isthmus("show", found["id"], "--site", site).stdout
    story = json.loads(isthmus("show", found["id"], "--site", site, "--json").stdout)
    assert story["events"]
    assert not [event for event in story["events"] if "body" in event]
    refused = isthmus("show", found["id"], "--site", site, "--body")
    assert (refused.returncode, "--why" in refused.stderr) == (Exit.USAGE, True)
    shown = isthmus("show", found["id"], "--site", site, "--body", "--why", "ticket 7", "--by", "ada")
    assert "Mustermann^Erika" in shown.stdout
    bodies = json.loads(isthmus("show", found["id"], "--site", site, "--body", "--json", "--why", "t", "--by", "ada").stdout)["bodies"]
    assert set(bodies) == {found["id"], *(one["id"] for one in (*story["events"], *story["deliveries"]))}
    kept = site / "var/disclosures.jsonl"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    line, _ = [json.loads(one) for one in kept.read_text().splitlines()]
    assert (line["by"], line["why"], line["message_id"]) == ("ada", "ticket 7", found["id"])


PORTAL = """
[endpoints.portal]
kind = "http"
url = "{url}"
"""
NOTICE = """
from collections.abc import Iterator

from isthmus.connectors.http.words import Http
from isthmus.core import Delivery, subscribe

from ..admissions.interface import DESK, BedChanged

portal = Http("portal", owner="web-team")


@subscribe(BedChanged, to=portal, owner="web-team", classification=DESK)
def notice(event: BedChanged) -> Iterator[Delivery]:
    yield portal.post("/beds", {"bed": event.bed}, key=event.encounter)
"""


async def test_dead_letters_are_decided_by_people(start, isthmus) -> None:
    portal = PracticePortal()
    await portal.start()
    try:
        portal.behave = lambda _request: Respond(status=422, acts=False)
        files = {"interfaces/portal/interface.py": NOTICE}
        running = await asyncio.to_thread(start, toml=PORTAL.format(url=portal.url), files=files)
        await asyncio.to_thread(running.send, adt(1), adt(2), adt(3))
        await asyncio.to_thread(running.until, lambda: "dead 3" in running.told())
        site = running.folder

        def command(*words: object) -> subprocess.CompletedProcess[str]:
            return isthmus(*words, "--site", site)

        dead = await asyncio.to_thread(command, "dead", "--json")
        assert dead.returncode == Exit.FINDINGS
        listed = json.loads(dead.stdout)["deliveries"]
        assert {(one["owner"], one["endpoint"], one["subscription"]) for one in listed} == {("web-team", "portal", "portal.notice")}
        assert "web-team" in (await asyncio.to_thread(command, "dead")).stdout
        gone = await asyncio.to_thread(command, "abandon", listed[0]["id"], "--why", "the bed is gone")
        assert gone.stdout == "1 abandoned\n", gone.stderr
        portal.behave = takes
        unasked = await asyncio.to_thread(command, "redeliver", "--dead", "--why", "portal is mended")
        assert unasked.returncode == Exit.DECLINED  # nobody is there to say yes
        again = await asyncio.to_thread(command, "redeliver", "--dead", "--endpoint", "portal", "--yes", "--why", "portal is mended")
        assert again.stdout == "2 due again\n", again.stderr
        await asyncio.to_thread(running.until, lambda: "delivered 5 due 0 dead 0" in running.told())
        assert await asyncio.to_thread(running.end) == Exit.OK
        data = await asyncio.to_thread(running.balance)
        assert data["subscriptions"]["portal.notice"]["deliveries"]["abandoned"] == 1
    finally:
        await portal.stop()


def test_reprocess_shows_asks_and_keeps(start, isthmus) -> None:
    running = start()
    running.send(adt(1))
    delivered(running, 1)
    site = running.folder
    (found,) = json.loads(isthmus("messages", "--site", site, "--json").stdout)["messages"]
    same = isthmus("reprocess", found["id"], "--site", site, "--why", "look")
    assert (same.returncode, same.stdout) == (Exit.OK, "nothing would change\n"), same.stderr

    code = site / "interfaces/admissions/interface.py"
    code.write_text(
        code.read_text().replace('ward=message["PV1-3.1"]', 'ward=message["PV1-3.1"] + "-NORTH"').replace("-{step}", "-{step}-2")
    )
    shown = isthmus("reprocess", found["id"], "--site", site, "--why", "wards were wrong", "--dry-run")
    assert shown.returncode == Exit.OK
    for text in ("changed event bed.changed", "- /ward: WEST", "+ /ward: WEST-NORTH", "added delivery arrivals"):
        assert text in shown.stdout
    assert isthmus("reprocess", found["id"], "--site", site, "--why", "wards were wrong").returncode == Exit.DECLINED
    kept = isthmus("reprocess", found["id"], "--site", site, "--why", "wards were wrong", "--by", "ada", "--yes")
    assert kept.returncode == Exit.OK, kept.stderr
    running.until((site / "var/out/arrivals/V-1-in-2.json").exists)
    story = json.loads(isthmus("show", found["id"], "--site", site, "--json").stdout)
    assert any(step["stage"] == "reprocessed" and step["by"] == "ada" for step in story["steps"])
    assert running.end() == Exit.OK


BUGGY = NOTICE.replace(
    '    yield portal.post("/beds", {"bed": event.bed}, key=event.encounter)', "    raise KeyError(event.bed)\n    yield"
)


def test_a_stopped_subscription_goes_on_after_the_fix(start, isthmus) -> None:
    files = {"interfaces/portal/interface.py": BUGGY}
    running = start(toml=PORTAL.format(url=f"http://127.0.0.1:{free_port()}"), files=files)
    running.send(adt(1))
    running.until(lambda: "stopped" in running.told())
    delivered(running, 1)  # the other subscription is not concerned
    site = running.folder
    assert isthmus("resume", "--site", site).returncode == Exit.FINDINGS
    assert isthmus("doctor", site).returncode == Exit.UNREACHABLE
    assert running.end() == Exit.OK
    (site / "interfaces/portal/interface.py").write_text(NOTICE)
    went_on = isthmus("resume", "portal.notice", "--site", site)  # no engine runs: on the journal itself
    assert "1 events wait" in went_on.stdout, went_on.stderr
    again = start("--drain", "0.2", fresh=False)
    again.until(lambda: "due 1" in again.told())
    assert again.end() == Exit.OK
    assert "1 still on their way" in again.told()


def test_the_second_signal_ends_it_now(start) -> None:
    """The receiver takes the connection and never answers, so the drain would wait for it."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = start("--drain", "60", toml=PORTAL.format(url=url), files={"interfaces/portal/interface.py": NOTICE})
        running.send(adt(1))
        running.until(lambda: "delivered 1 due 1" in running.told())
        running.process.send_signal(signal.SIGINT)
        running.until(lambda: "draining" in running.told())
        begun = time.monotonic()
        assert running.end() == Exit.OK
        assert time.monotonic() - begun < 8  # a send may take 10 s by its policy
        assert "goes on at the next start" in running.told()


def test_killed_and_started_again_nothing_is_lost(start) -> None:
    running = start()
    running.send(*(adt(number) for number in range(50)))
    running.process.kill()
    running.process.wait()
    again = start(fresh=False)
    again.until(lambda: "delivered 50 due 0" in again.told())
    assert again.end() == Exit.OK, again.told()
    assert len(list((again.folder / "var/out/arrivals").iterdir())) == 50


def test_a_port_that_is_taken(start) -> None:
    first = start()
    port = first.port
    assert first.end() == Exit.OK
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        second = start(fresh=False)
        assert second.process.wait(20) == Exit.USAGE
        assert str(port) in second.told()
        assert "Traceback" not in second.told()


def test_wrong_configuration_is_told_whole_before_anything_starts(start) -> None:
    running = start(toml='[endpoints.other]\nkind = "flie"\n[sources.two]\nkind = "mllp"\nprot = 1\n')
    assert running.process.wait(20) == Exit.USAGE
    assert "did you mean file?" in running.told()
    assert "did you mean port?" in running.told()


@pytest.mark.postgres
def test_the_same_on_postgresql(start, isthmus, postgres_dsn: str) -> None:
    """No control socket is needed: any process may act, and the running engine looks by itself."""
    journal = '[journal]\nkind = "postgres"\ndsn = {env = "ISTHMUS_DSN"}\n'
    folder = start.made()
    config = folder / "isthmus.toml"
    config.write_text(re.sub(r"(?s)\[journal\].*?\n\n", journal + "\n", config.read_text()))
    running = start(fresh=False, ISTHMUS_DSN=postgres_dsn)
    running.send(adt(1), adt(2), adt(1))
    delivered(running, 2)
    site = running.folder

    def command(*words: object) -> subprocess.CompletedProcess[str]:
        return isthmus(*words, ISTHMUS_DSN=postgres_dsn)

    assert not (site / "var/control.sock").exists()
    (found,) = json.loads(command("messages", "--site", site, "--patient", "P-1", "--json").stdout)["messages"]
    story = json.loads(command("show", found["id"], "--site", site, "--json").stdout)
    (site / "var/out/arrivals/V-1-in.json").unlink()
    done = command("redeliver", story["deliveries"][0]["id"], "--site", site, "--why", "lost")
    assert done.stdout == "1 due again\n", done.stderr
    running.until((site / "var/out/arrivals/V-1-in.json").exists)
    assert command("doctor", site).returncode == Exit.OK
    assert running.end() == Exit.OK, running.told()
    sheet = json.loads(command("balance", site, "--json").stdout)
    assert (sheet["balances"], sheet["interfaces"]["admissions"]["duplicates"]) == (True, 1)


@pytest.mark.postgres
def test_a_database_that_is_away(start, isthmus) -> None:
    folder = start.made()
    config = folder / "isthmus.toml"
    dsn = f"postgresql://nobody:hunter2@127.0.0.1:{free_port()}/none"
    config.write_text(
        re.sub(r"(?s)\[journal\].*?\n\n", '[journal]\nkind = "postgres"\ndsn = {env = "ISTHMUS_DSN"}\n\n', config.read_text())
    )
    (folder / "var").mkdir()
    result = isthmus("run", folder, ISTHMUS_DSN=dsn)
    assert result.returncode == Exit.UNREACHABLE, result.stderr
    assert "hunter2" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert isthmus("doctor", folder, ISTHMUS_DSN=dsn).returncode == Exit.UNREACHABLE
