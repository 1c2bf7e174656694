"""The files of a key ring: who may read them, how they are written, what they hold.

``keyring.json`` holds the wrapped keys, ``keyring.master.json`` the master key (two of them during a change of master). Both are
JSON, written whole to a new file, fsynced and renamed, mode 0600. Losing either means that the journal cannot be read: back up both,
apart from each other and from the journal.
"""

from __future__ import annotations

import os
import secrets
import stat
from base64 import b64decode, b64encode
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct, structs

from isthmus.core.failure import Rejected

_NONCE = 12
F = TypeVar("F", bound=Struct)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Ring(Struct, frozen=True):
    """The keys, unwrapped; in memory only."""

    id: str
    hash_key: bytes
    data_keys: dict[int, bytes]
    """By number, from 1; the highest seals."""

    def with_data_key(self) -> Ring:
        return structs.replace(self, data_keys={**self.data_keys, max(self.data_keys) + 1: AESGCM.generate_key(256)})

    def __repr__(self) -> str:
        return f"Ring({self.id})"  # keys never reach a log


class _RingFile(Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    id: str
    master: str
    """Id of the master key that wraps."""
    hash_key: str
    data_keys: dict[int, str]
    """Each wrapped: base64 of nonce and sealed key."""


class _MasterFile(Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    keys: dict[str, str]


def new_ring() -> Ring:
    return Ring(secrets.token_hex(8), secrets.token_bytes(32), {1: AESGCM.generate_key(256)})


def create_ring(path: Path, master: Path) -> Ring:
    """Make both files. When two processes start at once, the first one's ring wins and both use it."""
    for folder in {path.parent, master.parent}:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
    ring = new_ring()
    if not master.exists():
        with suppress(FileExistsError):
            _write(master, _MasterFile(1, {secrets.token_hex(4): _text(AESGCM.generate_key(256))}), replace=False)
    with suppress(FileExistsError):
        _write(path, _wrapped(ring, *_newest(_read_master(master))), replace=False)
    return read_ring(path, master)


def read_ring(path: Path, master: Path) -> Ring:
    file = _read(path, _RingFile)
    masters = _read_master(master)
    key = masters.get(file.master)
    if key is None:
        raise Rejected("keyring-master", f"{path} is wrapped by master key {file.master}, which is not in {master}: restore that file")
    try:
        return Ring(
            file.id,
            _unwrap(key, file.hash_key, "hash"),
            {number: _unwrap(key, wrapped, f"data {number}") for number, wrapped in file.data_keys.items()},
        )
    except (InvalidTag, ValueError):
        raise Rejected("keyring-damaged", f"{path} does not open with its master key: restore both files from one backup") from None


def write_data_key(path: Path, master: Path, ring: Ring) -> None:
    """Write the ring with its new data key, wrapped by the master key in use."""
    file = _read(path, _RingFile)
    _write(path, _wrapped(ring, file.master, _read_master(master)[file.master]), replace=True)


def rewrap_ring(path: Path, master: Path, ring: Ring) -> None:
    """Change the master key. Until the ring is rewritten, the master's file holds both: a crash at any line leaves it readable."""
    old = _read(master, _MasterFile)
    name, key = secrets.token_hex(4), AESGCM.generate_key(256)
    _write(master, _MasterFile(1, {**old.keys, name: _text(key)}), replace=True)
    _write(path, _wrapped(ring, name, key), replace=True)
    _write(master, _MasterFile(1, {name: _text(key)}), replace=True)


def _wrapped(ring: Ring, master: str, key: bytes) -> _RingFile:
    return _RingFile(
        1,
        ring.id,
        master,
        _wrap(key, ring.hash_key, "hash"),
        {number: _wrap(key, data_key, f"data {number}") for number, data_key in ring.data_keys.items()},
    )


def _wrap(master: bytes, key: bytes, what: str) -> str:
    nonce = os.urandom(_NONCE)
    return _text(nonce + AESGCM(master).encrypt(nonce, key, what.encode()))


def _unwrap(master: bytes, wrapped: str, what: str) -> bytes:
    raw = b64decode(wrapped, validate=True)
    return AESGCM(master).decrypt(raw[:_NONCE], raw[_NONCE:], what.encode())


def _read_master(path: Path) -> dict[str, bytes]:
    return {name: b64decode(key) for name, key in _read(path, _MasterFile).keys.items()}


def _newest(masters: dict[str, bytes]) -> tuple[str, bytes]:
    return list(masters.items())[-1]


def _read(path: Path, kind: type[F]) -> F:
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except FileNotFoundError:
        raise Rejected(
            "keyring-lost", f"{path} is missing: without it nothing that the journal holds can be read; restore it from its backup"
        ) from None
    except PermissionError:
        raise Rejected(
            "keyring-unreadable", f"{path} cannot be read by this user: run as its owner, or give it to this user (chown)"
        ) from None
    if os.name == "posix" and mode & _OTHERS:
        raise Rejected("keyring-open-to-others", f"{path} may be read or written by others: chmod 600 {path}, then rotate the keys")
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError:
        raise Rejected("keyring-damaged", f"{path} is not a key ring of this program's version: restore it from its backup") from None


def _write(path: Path, value: Struct, *, replace: bool) -> None:
    """Durable before it returns: file, name and folder are synced. Without ``replace`` an existing file is left (FileExistsError)."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(value), indent=2))
            file.flush()
            os.fsync(file.fileno())
        if replace:
            fresh.replace(path)
        else:
            path.hardlink_to(fresh)
    finally:
        fresh.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()
