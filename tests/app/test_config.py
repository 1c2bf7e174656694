"""Configuration: every mistake at once, with key path, reason and cure; no secret in any text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.app.config import Loaded, MemoryJournal, Misconfigured, PostgresJournal, SqliteJournal, load_config, read_config
from isthmus.app.config.layers import overlay

GOOD = """
[site]
name = "west-wing"
[journal]
kind = "sqlite"
[sources.clinical]
kind = "mllp"
port = 2575
[sources.supply]
kind = "file"
folder = "var/in/supply"
[endpoints.portal]
kind = "http"
url = "http://127.0.0.1:8085"
token = {env = "PORTAL_TOKEN"}
"""


def site(folder: Path, text: str) -> Path:
    (folder / "isthmus.toml").write_text(text)
    return folder


def read(folder: Path, text: str, *, secrets: bool = True, **environment: str) -> Loaded:
    return read_config(site(folder, text), environment, secrets=secrets)


def told(loaded: Loaded) -> dict[str, str]:
    assert loaded.config is None
    return {one.where: f"{one.problem} | {one.cure}" for one in loaded.findings}


def test_good_one(tmp_path: Path) -> None:
    config = load_config(site(tmp_path, GOOD), {"PORTAL_TOKEN": "t0k3n"})
    assert config.name == "west-wing"
    assert isinstance(config.journal, SqliteJournal)
    assert config.journal.path == tmp_path / "var/journal.sqlite"
    assert config.sources["clinical"].settings.port == 2575
    assert config.sources["supply"].settings.folder == tmp_path / "var/in/supply"
    assert config.endpoints["portal"].settings.token == "t0k3n"


def test_everything_wrong_at_once(tmp_path: Path) -> None:
    problems = told(
        read(
            tmp_path,
            """
            [site]
            nme = "x"
            [jornal]
            [journal]
            kind = "sqllite"
            [sources.clinical]
            kind = "mllp"
            prot = 2575
            max_bytes = 0
            [sources.supply]
            kind = "flie"
            [sources.lost]
            port = 1
            [endpoints.portal]
            kind = "http"
            url = 7
            calls_per_secnd = 3
            token = "hunter2-in-the-file"
            in_flight = "many"
            [endpoints.other]
            kind = "file"
            [endpoints]
            odd = 3
            """,
        )
    )
    expected = {
        "site.nme": "did you mean name?",
        "jornal": "did you mean journal?",
        "journal.kind": "did you mean sqlite?",
        "sources.clinical.prot": "did you mean port?",
        "sources.clinical.max_bytes": "at least 1",
        "sources.supply.kind": "did you mean file?",
        "sources.lost.kind": '"mllp"',
        "endpoints.portal.url": "expected str, got int",
        "endpoints.portal.calls_per_secnd": "did you mean calls_per_second?",
        "endpoints.portal.token": "secret",
        "endpoints.portal.in_flight": "a whole number",
        "endpoints.other.folder": "is missing",
        "endpoints.odd": "[endpoints.odd]",
    }
    assert {where: text for where, text in expected.items() if text not in problems.get(where, "")} == {}
    assert set(problems) == set(expected)
    assert "hunter2" not in str(problems)


def test_no_file(tmp_path: Path) -> None:
    problems = told(read_config(tmp_path, {}))
    assert "isthmus init" in problems[str(tmp_path / "isthmus.toml")]


def test_no_toml_names_the_line(tmp_path: Path) -> None:
    (text,) = told(read(tmp_path, "[site]\nname = \n")).values()
    assert "line 2" in text


def test_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "isthmus.toml").write_bytes(b"\xff\xfe")
    (text,) = told(read_config(tmp_path, {})).values()
    assert "UTF-8" in text


def test_raised_as_one(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_config(site(tmp_path, "[site]\na = 1\nb = 2\n"), {})
    assert [one.where for one in caught.value.findings] == ["site.a", "site.b"]


# ---- secrets -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ('{env = "NOPE"}', "NOPE is not set"),
        ('{env = "EMPTY"}', "EMPTY is empty"),
        ('{file = "absent"}', "there is no file"),
        ('{file = "open"}', "chmod 600"),
        ('{file = "blank"}', "is empty"),
        ('{file = "."}', "no regular file"),
        ("{env = 3}", "needs a name"),
        ('{envv = "X"}', "a secret stands in the file as text"),
        ('"s3cr3t"', "a secret stands in the file as text"),
    ],
)
def test_secret_that_cannot_be_had(tmp_path: Path, token: str, reason: str) -> None:
    for name, mode, text in (("open", 0o644, "s3cr3t"), ("blank", 0o600, "\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    toml = f'[endpoints.portal]\nkind = "http"\nurl = "http://127.0.0.1:1"\ntoken = {token}\n'
    problems = told(read(tmp_path, toml, EMPTY=""))
    assert reason in problems["endpoints.portal.token"]
    assert "s3cr3t" not in str(problems)


def test_secret_from_a_private_file(tmp_path: Path) -> None:
    secret = tmp_path / "portal.token"
    secret.write_text("s3cr3t\n")
    secret.chmod(0o600)
    loaded = read(tmp_path, '[endpoints.portal]\nkind = "http"\nurl = "http://127.0.0.1:1"\ntoken = {file = "portal.token"}\n')
    assert loaded.config is not None
    assert loaded.config.endpoints["portal"].settings.token == "s3cr3t"
    assert "s3cr3t" not in repr(loaded.config.endpoints["portal"].settings)


def test_check_needs_no_secrets(tmp_path: Path) -> None:
    loaded = read(tmp_path, GOOD, secrets=False)
    assert loaded.config is not None
    assert [one.where for one in loaded.missing_secrets] == ["endpoints.portal.token"]


def test_settings_check_themselves(tmp_path: Path) -> None:
    """What a connector's own settings refuse (two ways to log in) becomes a finding beside the others."""
    problems = told(
        read(
            tmp_path, '[endpoints.portal]\nkind = "http"\nurl = "ftp://x"\n[endpoints.other]\nkind = "http"\nurl = "http://a"\nuser = "u"\n'
        )
    )
    assert "http://" in problems["endpoints.portal"]
    assert "belong together" in problems["endpoints.other"]


# ---- layers --------------------------------------------------------------------------------------------------------------------


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        GOOD.replace("clinical", "clinical-feed"),
        PORTAL_TOKEN="t",
        ISTHMUS__SOURCES__CLINICAL_FEED__PORT="2600",
        ISTHMUS__SITE__NAME="other",
        ISTHMUS__ENDPOINTS__PORTAL__CALLS_PER_SECOND="2.5",
        ISTHMUS__JOURNAL__KIND="memory",
    )
    assert loaded.config is not None
    assert loaded.config.name == "other"
    assert loaded.config.sources["clinical-feed"].settings.port == 2600
    assert loaded.config.endpoints["portal"].settings.calls_per_second == 2.5
    assert isinstance(loaded.config.journal, MemoryJournal)


def test_unset_is_not_default(tmp_path: Path) -> None:
    """An override of one key leaves what the file says of the others, and never brings a default back over it."""
    text = '[journal]\nkind = "postgres"\nconnections = 4\ndsn = {env = "DSN"}\n'
    loaded = read(tmp_path, text, DSN="postgresql://h/db", ISTHMUS__JOURNAL__KEYRING="keys.json")
    assert loaded.config is not None
    assert isinstance(loaded.config.journal, PostgresJournal)
    assert (loaded.config.journal.connections, loaded.config.journal.keyring) == (4, tmp_path / "keys.json")


def test_wrong_override_names_its_variable(tmp_path: Path) -> None:
    problems = told(read(tmp_path, GOOD, PORTAL_TOKEN="t", ISTHMUS__SOURCES__CLINICAL__PORT="many", ISTHMUS__SITTE__NAME="x"))
    assert any("ISTHMUS__SOURCES__CLINICAL__PORT" in where for where in problems)
    assert "did you mean site?" in problems["sitte"]


def test_data_folder_moves_what_is_written(tmp_path: Path) -> None:
    config = read_config(site(tmp_path, GOOD), {"PORTAL_TOKEN": "t"}, data=tmp_path / "elsewhere").config
    assert config is not None
    assert config.journal.path == tmp_path / "elsewhere/var/journal.sqlite"
    assert config.sources["supply"].settings.folder == tmp_path / "elsewhere/var/in/supply"


def test_certificates_are_read_from_the_site(tmp_path: Path) -> None:
    text = '[sources.clinical]\nkind = "mllp"\ntls = {certificate = "certs/us.pem", key = "certs/us.key"}\n'
    config = read_config(site(tmp_path, text), {}, data=tmp_path / "elsewhere").config
    assert config is not None
    assert config.sources["clinical"].settings.tls.certificate == tmp_path / "certs/us.pem"


@given(st.dictionaries(st.text("ABC_", min_size=1), st.text(max_size=5), max_size=4))
def test_overlay_never_fails_nor_changes_the_tree(variables: dict[str, str]) -> None:
    tree = {"a": {"b": 1}, "c": 2}
    overlay(tree, {f"ISTHMUS__{name}": value for name, value in variables.items()})
    assert tree == {"a": {"b": 1}, "c": 2}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_we_may_not_read(tmp_path: Path) -> None:
    site(tmp_path, GOOD)
    (tmp_path / "isthmus.toml").chmod(0)
    (text,) = told(read_config(tmp_path, {})).values()
    assert "Permission denied" in text
