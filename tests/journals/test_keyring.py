"""The key ring: what is sealed opens only with it, and its files are guarded."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.failure import Rejected
from isthmus.journals.sealing import Keyring

PLACE = b"message 1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "keyring.json"


@given(st.binary(max_size=5_000), st.binary(max_size=40))
def test_what_is_sealed_opens_again_and_shows_nothing(body: bytes, aad: bytes) -> None:
    ring = Keyring.ephemeral()
    sealed = ring.seal(body, aad)
    assert ring.open(sealed, aad) == body
    assert len(body) < 4 or body not in sealed
    assert ring.seal(body, aad) != sealed


def test_a_body_opens_only_at_its_place_and_unchanged() -> None:
    ring = Keyring.ephemeral()
    sealed = ring.seal(b"body", PLACE)
    for broken in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:14], sealed[:2] + b"\x00" + sealed[3:]):
        with pytest.raises(Rejected, match="sealed-damaged"):
            ring.open(broken, PLACE)
    with pytest.raises(Rejected, match="sealed-damaged"):
        ring.open(sealed, b"message 2")


def test_another_ring_opens_nothing() -> None:
    with pytest.raises(Rejected, match="sealed-damaged"):
        Keyring.ephemeral().open(Keyring.ephemeral().seal(b"body", PLACE), PLACE)


def test_nonces_never_come_twice() -> None:
    ring = Keyring.ephemeral()
    nonces = [ring.seal(b"", PLACE)[2:14] for _ in range(5_000)]
    assert len(set(nonces)) == len(nonces)


def test_a_fork_continues_with_nonces_of_its_own() -> None:
    ring = Keyring.ephemeral()
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()

    def child() -> None:
        theirs.send_bytes(ring.seal(b"", PLACE))

    process = context.Process(target=child)
    process.start()
    other = mine.recv_bytes()
    process.join()
    assert ring.open(other, PLACE) == b""
    assert other[2:10] != ring.seal(b"", PLACE)[2:10]


def test_the_first_run_creates_files_that_only_their_owner_can_read(path: Path) -> None:
    ring = Keyring.load_or_create(path)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["keyring.json", "keyring.master.json"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert Keyring.load_or_create(path).open(ring.seal(b"body", PLACE), PLACE) == b"body"


def test_keys_lie_wrapped_in_the_ring_file(path: Path) -> None:
    ring = Keyring.load_or_create(path)
    text = path.read_text()
    master = json.loads(path.with_suffix(".master.json").read_text())["keys"]
    keys = [ring._ring.hash_key, *ring._ring.data_keys.values(), *(base64.b64decode(key) for key in master.values())]
    assert len(keys) == 3
    assert not any(base64.b64encode(key).decode() in text or key.hex() in text for key in keys)


def test_processes_that_start_together_use_one_ring(path: Path) -> None:
    code = f"from pathlib import Path; from isthmus.journals.sealing import Keyring; print(Keyring.load_or_create(Path({str(path)!r})).pseudonym('a', 'b'))"
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert len({process.communicate()[0] for process in started}) == 1


def test_rotation_keeps_older_bodies_readable_and_hashes_the_same(path: Path) -> None:
    ring = Keyring.load_or_create(path)
    before = ring.seal(b"before", PLACE)
    token, name = ring.token("patient", "1"), ring.pseudonym("patient", "1")
    assert ring.rotate() == 2
    after = ring.seal(b"after", PLACE)
    assert before[:2] != after[:2]
    for one in (ring, Keyring.load_or_create(path)):
        assert [one.open(sealed, PLACE) for sealed in (before, after)] == [b"before", b"after"]
        assert (one.token("patient", "1"), one.pseudonym("patient", "1"), one.id) == (token, name, ring.id)


def test_a_ring_of_before_the_rotation_says_what_is_missing(path: Path) -> None:
    ring = Keyring.load_or_create(path)
    stale = Keyring.load_or_create(path)
    ring.rotate()
    with pytest.raises(Rejected, match=r"keyring-key-missing: data key 2 is not in key ring .* restore"):
        stale.open(ring.seal(b"body", PLACE), PLACE)


def test_rotating_the_master_wraps_anew_and_touches_no_body(path: Path) -> None:
    ring = Keyring.load_or_create(path)
    sealed = ring.seal(b"body", PLACE)
    old_ring, old_master = path.read_bytes(), path.with_suffix(".master.json").read_bytes()
    ring.rotate_master()
    assert Keyring.load_or_create(path).open(sealed, PLACE) == b"body"
    new_master = path.with_suffix(".master.json").read_bytes()
    assert new_master != old_master
    path.with_suffix(".master.json").write_bytes(old_master)
    with pytest.raises(Rejected, match="keyring-master"):
        Keyring.load_or_create(path)
    path.with_suffix(".master.json").write_bytes(new_master)
    path.write_bytes(old_ring)
    with pytest.raises(Rejected, match="keyring-master"):
        Keyring.load_or_create(path)


@pytest.mark.parametrize("writes", [1, 2])
def test_a_change_of_master_that_is_cut_short_leaves_the_ring_readable(path: Path, writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Keyring.load_or_create(path)
    sealed = ring.seal(b"body", PLACE)
    replace, done = Path.replace, []

    def dies(self: Path, target: Path) -> Path:
        if len(done) == writes:
            raise OSError("power loss")
        done.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(OSError, match="power loss"):
        ring.rotate_master()
    monkeypatch.undo()
    after = Keyring.load_or_create(path)
    assert after.open(sealed, PLACE) == b"body"
    after.rotate_master()
    assert Keyring.load_or_create(path).open(sealed, PLACE) == b"body"


@pytest.mark.parametrize("name", ["keyring.json", "keyring.master.json"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_ring_that_others_may_read_or_write_is_refused(path: Path, name: str, mode: int) -> None:
    Keyring.load_or_create(path)
    (path.parent / name).chmod(mode)
    with pytest.raises(Rejected, match=f"keyring-open-to-others: .*{name} .* chmod 600"):
        Keyring.load_or_create(path)


def test_a_lost_master_is_told_and_never_replaced(path: Path) -> None:
    Keyring.load_or_create(path)
    path.with_suffix(".master.json").unlink()
    with pytest.raises(Rejected, match=r"keyring-lost: .* restore it from its backup"):
        Keyring.load_or_create(path)
    assert not path.with_suffix(".master.json").exists()


@pytest.mark.parametrize("text", ["", "{}", '{"version":1}', "no json"])
def test_a_damaged_ring_is_told(path: Path, text: str) -> None:
    Keyring.load_or_create(path)
    path.write_text(text)
    with pytest.raises(Rejected, match="keyring-damaged"):
        Keyring.load_or_create(path)


def test_a_ring_of_another_master_is_told(path: Path, tmp_path: Path) -> None:
    Keyring.load_or_create(path)
    other = tmp_path / "other" / "keyring.json"
    Keyring.load_or_create(other)
    text = json.loads(path.read_text())
    text["master"] = json.loads(other.read_text())["master"]
    path.write_text(json.dumps(text))
    path.with_suffix(".master.json").write_bytes(other.with_suffix(".master.json").read_bytes())
    with pytest.raises(Rejected, match="keyring-damaged"):
        Keyring.load_or_create(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_ring_of_another_user_is_told(path: Path) -> None:
    Keyring.load_or_create(path)
    path.chmod(0o000)
    with pytest.raises(Rejected, match="keyring-unreadable"):
        Keyring.load_or_create(path)


def test_tokens_are_keyed_and_kinds_never_meet() -> None:
    ring = Keyring.ephemeral()
    assert ring.token("patient", "1") == ring.token("patient", "1")
    tokens = {ring.token(kind, value) for kind, value in (("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", ""), ("a", "bd"))}
    assert len(tokens) == 5
    assert {len(token) for token in tokens} == {16}
    assert Keyring.ephemeral().token("a", "bc") not in tokens


def test_pseudonyms_are_short_plain_and_stable() -> None:
    ring = Keyring.ephemeral()
    names = {ring.pseudonym("patient", str(n)) for n in range(1_000)}
    assert len(names) == 1_000
    assert {len(name) for name in names} == {16}
    assert set("".join(names)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    assert ring.pseudonym("patient", "1") == ring.pseudonym("patient", "1") != ring.pseudonym("visit", "1")


def test_keys_never_show_in_a_text(path: Path) -> None:
    ring = Keyring.load_or_create(path)
    for text in (repr(ring), repr(ring._ring), str(vars(ring).get("_ring"))):
        assert ring._ring.hash_key.hex() not in text
        assert repr(ring._ring.hash_key) not in text
