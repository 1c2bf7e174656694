"""The command line as a person and a script meet it: real processes, exit codes, pipes, terminals, speed."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isthmus.app.cli import main, parser_of
from isthmus.app.cli import policy as policy_command
from isthmus.app.cli._list import COMMANDS, GROUPS
from isthmus.app.cli.terminal import Terminal
from isthmus.app.compose import opened
from isthmus.app.config import journal_config
from isthmus.app.exits import Exit
from isthmus.connectors.http.practice import PracticePortal
from isthmus.connectors.odoo.practice import PracticeOdoo
from isthmus.core import Policy

CONFIG = """
[journal]
kind = "memory"
[sources.cabinet]
kind = "file"
folder = "in"
[endpoints.portal]
kind = "http"
url = "http://127.0.0.1:9"
"""
ISTHMUS = str(Path(sys.executable).with_name("isthmus"))


def in_terminal(*words: str, **environment: str) -> str:
    """What a command shows on a real pseudo-terminal."""
    head, tail = pty.openpty()
    process = subprocess.Popen([ISTHMUS, *words], stdout=tail, stderr=tail, stdin=tail, env={**os.environ, "TERM": "xterm", **environment})
    os.close(tail)
    shown = b""
    while True:
        try:
            part = os.read(head, 65_536)
        except OSError:
            break
        if not part:
            break
        shown += part
    process.wait(30)
    os.close(head)
    return shown.decode()


def test_help_is_there_before_one_wonders(isthmus) -> None:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        result = isthmus("--help")
        times.append(time.perf_counter() - begun)
        assert result.returncode == Exit.OK
    assert min(times) < 0.3, times


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from isthmus.app.cli import main; main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"msgspec", "rich", "asyncio", "aiohttp", "argparse", "sqlite3", "cryptography"}
    assert not [name for name in heavy if f"'{name}'" in result.stderr]
    assert all(name in result.stdout for name in COMMANDS)
    assert all(listed.group in GROUPS for listed in COMMANDS.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_words_for_each_argument(name: str) -> None:
    parser = parser_of(name)
    assert (parser.description or "").strip().endswith(".")
    for action in parser._actions:
        assert action.help, action


def test_no_command_is_the_help_and_a_usage_error(isthmus) -> None:
    result = isthmus()
    assert result.returncode == Exit.USAGE
    assert "usage: isthmus COMMAND" in result.stdout


def test_version(isthmus) -> None:
    assert isthmus("--version").stdout.startswith("isthmus 0.")


@pytest.mark.parametrize(("words", "told"), [(["chek"], "did you mean check?"), (["xyzzy"], "--help"), (["check", "--nope"], "--nope")])
def test_mistyped(isthmus, words: list[str], told: str) -> None:
    result = isthmus(*words)
    assert result.returncode == Exit.USAGE
    assert told in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("demo", "--for", "0s"),
        ("demo", "--rate", "-1"),
        ("demo", "--messages", "0"),
        ("demo", "--connections", "0"),
        ("feed", "x", "--to", "127.0.0.1"),
        ("feed", "x", "--to", "127.0.0.1:99999"),
        ("feed", "x", "--repeat", "-1"),
        ("feed", "x", "--connections", "0"),
        ("feed", "x", "--give-up-after", "nan"),
        ("practice", "odoo", "--port", "99999"),
        ("balance", "--wait", "-1"),
        ("run", "--drain", "soon"),
        ("dead", "--limit", "0"),
        ("messages", "--limit", "10001"),
    ],
    ids=" ".join,
)
def test_an_amount_that_makes_no_sense_is_told_before_anything_begins(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == Exit.USAGE
    assert f"argument {words[-2]}: {words[-1]!r}: write " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["redeliver", "abandon", "reprocess"])
def test_an_act_needs_a_reason_that_says_something(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "7af301", "--why", " "]) == Exit.USAGE
    assert "say why" in capsys.readouterr().err


def test_not_in_a_site(isthmus, tmp_path: Path) -> None:
    result = isthmus("check", cwd=tmp_path)
    assert result.returncode == Exit.USAGE
    assert "isthmus init" in result.stderr
    assert isthmus("check", tmp_path / "absent").returncode == Exit.USAGE


def test_a_column_of_noughts_may_be_left_out() -> None:
    out = io.StringIO()
    terminal = Terminal(out, environment={})
    terminal.table(("name", "dead", "failed?", "waiting?"), [("adt", "0", "0", "12"), ("oru", "0", "0", "0")])
    assert out.getvalue() == "name  dead  waiting\nadt      0       12\noru      0        0\n"
    terminal.table(("name", "failed?"), [])
    assert out.getvalue().endswith("name\n")


# ---- check -----------------------------------------------------------------------------------------------------------------------


def test_check_of_a_sound_site(isthmus, make_site) -> None:
    folder = make_site({})
    result = isthmus("check", folder)
    assert (result.returncode, result.stdout) == (Exit.OK, "west is sound: 1 interface, 1 subscription, 1 endpoint\n")
    assert isthmus("check", "--site", folder, cwd="/").stdout == result.stdout
    assert isthmus("check", ISTHMUS_SITE=str(folder)).returncode == Exit.OK
    assert isthmus("check", cwd=folder).returncode == Exit.OK


def test_check_tells_everything_at_once(isthmus, make_site) -> None:
    folder = make_site(
        {
            "isthmus.toml": '[sources.cabinet]\nkind = "file"\nfoldr = "in"\n[endpoints.portal]\nkind = "htp"\n',
            "interfaces/one/interface.py": "x = undefined_name\n",
            "interfaces/two/interface.py": "def f(:\n",
        }
    )
    result = isthmus("check", folder)
    assert result.returncode == Exit.FINDINGS
    for text in ("did you mean folder?", "did you mean http?", "one/interface.py:1", "two/interface.py:1", "5 findings"):
        assert text in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    data = json.loads(isthmus("check", folder, "--json").stdout)
    assert data["ok"] is False
    assert {"where", "problem", "cure"} == set(data["findings"][0])


def test_secret_that_is_not_here_is_only_noted(isthmus, make_site) -> None:
    folder = make_site({})
    config = folder / "isthmus.toml"
    config.write_text(config.read_text() + 'token = {env = "PORTAL_TOKEN"}\n')
    result = isthmus("check", folder)
    assert result.returncode == Exit.OK
    assert "PORTAL_TOKEN is not set" in result.stdout


def test_colours_only_on_a_terminal(isthmus, make_site) -> None:
    folder = make_site({})
    assert "\x1b[" not in isthmus("check", folder).stdout
    assert "\x1b[" in in_terminal("check", str(folder))
    assert "\x1b[" not in in_terminal("check", str(folder), NO_COLOR="1")
    assert "\x1b[" in isthmus("check", folder, FORCE_COLOR="1").stdout


# ---- plan ------------------------------------------------------------------------------------------------------------------------

USE = '{"use": "U1", "product": "GAUZE", "quantity": 3}'


def test_plan_for_people(isthmus, make_site) -> None:
    folder = make_site({})
    result = isthmus("plan", "-", "--site", folder, stdin=USE)
    assert result.returncode == Exit.OK, result.stderr
    for text in ("accepted", "event supply.taken U1", "stand-in", "delivery portal POST /uses use-U1", "GAUZE"):
        assert text in result.stdout


def test_plan_needs_no_configuration(isthmus, make_site) -> None:
    folder = make_site({})
    (folder / "isthmus.toml").unlink()
    (folder / "use.json").write_text(USE)
    data = json.loads(isthmus("plan", folder / "use.json", "--json", "--site", folder).stdout)
    assert data["events"] == [
        {
            "type": "supply.taken",
            "version": 1,
            "key": "U1",
            "ordering_key": "GAUZE",
            "body": {"use": "U1", "product": "GAUZE", "quantity": 3},
        }
    ]
    assert data["lookups"][0]["stand_in"] is True
    assert data["deliveries"][0]["body"] == {"product": "GAUZE", "cost": 3.0}


def test_plan_with_recorded_answers(isthmus, make_site) -> None:
    """What --json prints can be edited and given back as --answers."""
    folder = make_site({})
    (folder / "use.json").write_text(USE)
    printed = json.loads(isthmus("plan", folder / "use.json", "--json", "--site", folder).stdout)
    printed["lookups"][0]["answer"]["amount"] = 2.5
    (folder / "answers.json").write_text(json.dumps(printed))
    again = json.loads(isthmus("plan", folder / "use.json", "--json", "--site", folder, "--answers", folder / "answers.json").stdout)
    assert again["deliveries"][0]["body"]["cost"] == 7.5
    assert again["lookups"][0]["stand_in"] is False


@pytest.mark.parametrize(
    ("answers", "told", "exit"),
    [
        ("{", "answers", Exit.USAGE),
        ('[{"endpoint": "portal"}]', "name", Exit.USAGE),
        ('[{"endpoint": "portal", "name": "GET /prices/GAUZE", "answer": 7}]', "Price", Exit.FINDINGS),
    ],
)
def test_answers_that_are_wrong(isthmus, make_site, answers: str, told: str, exit: Exit) -> None:
    folder = make_site({"answers.json": answers})
    result = isthmus("plan", "-", "--site", folder, "--answers", folder / "answers.json", stdin=USE)
    assert result.returncode == exit
    assert told in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


def test_plan_of_what_is_invalid(isthmus, make_site) -> None:
    result = isthmus("plan", "-", "--site", make_site({}), stdin='{"use": "U1", "quantity": "many"}')
    assert result.returncode == Exit.FINDINGS
    assert "invalid (contract)" in result.stdout
    assert "/product" in result.stdout
    assert "/quantity" in result.stdout


def test_plan_of_nonsense(isthmus, make_site) -> None:
    folder = make_site({})
    assert "refused (unreadable)" in isthmus("plan", "-", "--site", folder, stdin="not json").stdout
    assert "holds no message" in isthmus("plan", "-", "--site", folder, stdin="").stderr
    assert "there is no file" in isthmus("plan", folder / "absent", "--site", folder).stderr
    unknown = isthmus("plan", "-", "--site", folder, "--interface", "nope", stdin=USE)
    assert (unknown.returncode, "there are: supply.cabinet" in unknown.stderr) == (Exit.USAGE, True)
    no_answers = isthmus("plan", "-", "--site", folder, "--answers", folder / "absent", stdin=USE)
    assert (no_answers.returncode, "No such file" in no_answers.stderr) == (Exit.USAGE, True)


def test_a_bug_of_one_subscription_hides_no_other(isthmus, make_site) -> None:
    more = (
        "from typing import Iterator\nfrom isthmus.core import Delivery, subscribe\nfrom ...systems import portal\n"
        "from ..cabinet.interface import CLASS, SupplyTaken\n\n\n"
        "@subscribe(SupplyTaken, to=portal, owner='x', classification=CLASS)\ndef broken(event: SupplyTaken) -> Iterator[Delivery]:\n"
        "    raise KeyError(event.product)\n    yield\n"
    )
    folder = make_site({"interfaces/audit/interface.py": more})
    result = isthmus("plan", "-", "--site", folder, stdin=USE)
    assert result.returncode == Exit.FINDINGS
    assert "bug subscription portal.broken: exception" in result.stdout
    assert ": 'GAUZE'" in result.stdout  # a dry run shows what the message holds anyway
    assert "delivery portal POST /uses use-U1" in result.stdout


async def test_plan_that_asks_the_real_endpoint(isthmus, make_site) -> None:
    portal = PracticePortal()
    portal.resources["/prices/GAUZE"] = b'{"found": true, "amount": 4}'
    await portal.start()
    try:
        folder = make_site({"isthmus.toml": CONFIG.replace('kind = "memory"', "").replace("http://127.0.0.1:9", portal.url)})
        ring = await asyncio.to_thread(isthmus, "plan", "-", "--live", "--json", "--site", folder, stdin=USE)
        assert "there is no key ring" in ring.stderr  # pseudonyms need the site's own
        (folder / "isthmus.toml").write_text((folder / "isthmus.toml").read_text().replace("[journal]", '[journal]\nkind = "memory"'))
        result = await asyncio.to_thread(isthmus, "plan", "-", "--live", "--json", "--site", folder, stdin=USE)
        data = json.loads(result.stdout)
        assert data["deliveries"][0]["body"]["cost"] == 12
        assert data["lookups"][0]["stand_in"] is False
        assert portal.effects == []
    finally:
        await portal.stop()
    away = await asyncio.to_thread(isthmus, "plan", "-", "--live", "--site", folder, stdin=USE)
    assert away.returncode == Exit.FINDINGS
    assert "transient subscription portal.tell" in away.stdout


def test_what_a_message_holds_cannot_steer_the_terminal(isthmus, make_site) -> None:
    hostile = json.dumps({"use": "U\x1b[2J1", "product": "G\x07", "quantity": 1})
    result = isthmus("plan", "-", "--site", make_site({}), stdin=hostile)
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout


def test_a_reader_that_has_enough(make_site) -> None:
    """``isthmus policy | head -1`` ends quietly."""
    command = f"{ISTHMUS} policy --site {make_site({})} | head -1"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert result.stderr == ""


# ---- policy ----------------------------------------------------------------------------------------------------------------------


def test_policy(isthmus, make_site, tmp_path: Path) -> None:
    folder = make_site({})
    table = isthmus("policy", cwd=tmp_path)
    assert table.returncode == Exit.OK
    assert table.stdout.count("\n") == 14
    flows = isthmus("policy", "--site", folder).stdout
    assert "supply.cabinet" in flows
    one = isthmus("policy", "portal.tell", "--site", folder)
    assert "criticality revenue, latency minutes" in one.stdout
    data = json.loads(isthmus("policy", "portal.tell", "--site", folder, "--json").stdout)
    assert data["policy"]["give_up_after"] == 14 * 86_400
    assert "portal.tell" in isthmus("policy", "nope", "--site", folder).stderr


def test_why_covers_the_whole_policy() -> None:
    assert list(policy_command.WHY) == list(Policy.__struct_fields__)


# ---- doctor and keys -------------------------------------------------------------------------------------------------------------


def test_doctor_tells_each_thing_and_its_cure(isthmus, make_site) -> None:
    folder = make_site({})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = (
            (folder / "isthmus.toml").read_text().replace('kind = "file"', f'kind = "mllp"\nport = {port}').replace('folder = "in"', "")
        )
        (folder / "isthmus.toml").write_text(config)
        result = isthmus("doctor", folder, "--json")
    examined = {one["what"]: one for one in json.loads(result.stdout)["examined"]}
    assert result.returncode == Exit.UNREACHABLE
    assert "in use" in examined["source cabinet"]["told"]
    assert f"free port {port}" in examined["source cabinet"]["cure"]
    assert (examined["endpoint portal"]["verdict"], examined["journal"]["verdict"]) == ("bad", "warning")
    assert {"configuration", "code", "engine", "disk", "clock"} <= set(examined)
    plain = isthmus("doctor", folder)
    assert "bad      endpoint portal" in plain.stdout


async def test_doctor_leaves_no_connection_open_where_an_endpoint_says_no(isthmus, make_site) -> None:
    async with PracticeOdoo() as odoo:
        endpoint = f'[endpoints.portal]\nkind = "odoo"\nurl = "{odoo.url}"\ndatabase = "absent"\nkey = {{env = "KEY"}}\n'
        folder = make_site({"isthmus.toml": CONFIG[: CONFIG.index("[endpoints")] + endpoint})
        result = await asyncio.to_thread(isthmus, "doctor", folder, KEY=odoo.key)
    assert "bad      endpoint portal: no-database" in result.stdout
    assert result.stderr == ""


def test_doctor_with_a_wrong_configuration(isthmus, make_site) -> None:
    folder = make_site({"isthmus.toml": "[jurnal]\n", "interfaces/cabinet/interface.py": "x = y\n"})
    result = isthmus("doctor", folder)
    assert result.returncode == Exit.USAGE
    assert "did you mean journal?" in result.stdout
    assert "interface.py:1" in result.stdout


def test_keys_are_shown_and_rotated(isthmus, make_site) -> None:
    folder = make_site({"isthmus.toml": CONFIG.replace('"memory"', '"sqlite"')})
    assert "there is no key ring" in isthmus("keys", "--site", folder).stderr
    asyncio.run(made_journal(folder))
    before = json.loads(isthmus("keys", "--site", folder, "--json").stdout)
    assert before["mode"] == "600"
    assert json.loads(isthmus("keys", "rotate", "--site", folder, "--json").stdout)["rotated"] == "data key 2"
    assert json.loads(isthmus("keys", "rotate", "--master", "--site", folder, "--json").stdout)["rotated"] == "master key"
    assert json.loads(isthmus("keys", "--site", folder, "--json").stdout)["ring"] == before["ring"]
    assert isthmus("balance", folder).returncode == Exit.OK
    (folder / "var/keyring.json").chmod(0o644)
    assert isthmus("doctor", folder).returncode != Exit.OK


async def made_journal(folder: Path) -> None:
    async with opened(journal_config(folder, {})):
        pass


def test_a_person_is_asked_and_may_say_no(isthmus, make_site) -> None:
    """Nobody at the keyboard means no; what is typed there counts."""
    head, tail = pty.openpty()
    code = "from isthmus.app.cli.terminal import Terminal; print(Terminal().confirm('Go on?'))"
    for typed, said in ((b"y\n", b"True"), (b"\n", b"False")):
        os.write(head, typed)
        result = subprocess.run([sys.executable, "-c", code], stdin=tail, capture_output=True, check=True)
        assert said in result.stdout
    os.close(head)
    os.close(tail)
    unattended = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert b"False" in unattended.stdout


# ---- bugs ------------------------------------------------------------------------------------------------------------------------


def test_a_bug_is_told_without_a_trace_and_without_data(isthmus, make_site, monkeypatch, capsys) -> None:
    def broken(args: object, terminal: object) -> int:
        raise RuntimeError("Mustermann, Erika")

    monkeypatch.setattr(policy_command, "run", broken)
    assert main(["policy"]) == Exit.BUG
    told = capsys.readouterr().err
    assert "a bug: RuntimeError in test_cli.py" in told
    assert "Mustermann" not in told
    assert main(["policy", "--debug"]) == Exit.BUG
    assert "Traceback" in capsys.readouterr().err
