"""The key ring: seals bodies, hashes identifiers.

Envelope encryption: every body is sealed with the newest *data key* (AES-256-GCM); data keys and the *hash key* are kept wrapped
by the *master key*, which lies in a file of its own. Rotating adds a data key (older bodies stay readable), rotating the master
wraps all keys anew and touches no body. The hash key never changes, so what was found yesterday is found tomorrow.

A sealed body is ``number of the data key (2 bytes) · nonce (12) · ciphertext and tag``. Nonces are 8 random bytes for a process and
a counter of 4 (NIST SP 800-38D 8.2.1): no nonce comes twice under one key, and no call to the system's randomness per body.
"""

from __future__ import annotations

import os
from base64 import b32encode
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from isthmus.core.failure import Rejected
from isthmus.journals.sealing.ring_file import Ring, create_ring, new_ring, read_ring, rewrap_ring, write_data_key

_NONCE = 12
_NUMBER = 2
_COUNTED = 1 << 32
_PSEUDONYM = 10
"""Bytes; 16 characters in base32, and no two of a billion identifiers meet (birthday bound 4e-7)."""


class _Sealer(NamedTuple):
    """What seals at present; replaced as a whole, so that threads never see half of a new one."""

    number: bytes
    prefix: bytes
    counter: count[int]
    aead: AESGCM


class Keyring:
    """Built by :meth:`load_or_create`, or :meth:`ephemeral` for tests. Safe to use from several threads and after a fork."""

    def __init__(self, ring: Ring, path: Path | None = None, master: Path | None = None) -> None:
        self._path = path
        self._master = master
        self._take(ring)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    @classmethod
    def load_or_create(cls, path: Path, master: Path | None = None) -> Keyring:
        """The ring in this file; made on the first run, readable by its owner only, durable before it is used.

        ``master`` is the file of the master key; beside the ring unless told (``keyring.json`` → ``keyring.master.json``), and
        better kept on another volume. Raises ``Rejected`` (``keyring-…``) with the cure.
        """
        master = master or path.with_suffix(".master.json")
        ring = read_ring(path, master) if path.exists() else create_ring(path, master)
        return cls(ring, path, master)

    @classmethod
    def ephemeral(cls) -> Keyring:
        """A ring that exists only in this process."""
        return cls(new_ring())

    @property
    def id(self) -> str:
        """Names the ring; a journal remembers by it which ring it was sealed with."""
        return self._ring.id

    def seal(self, body: bytes, aad: bytes) -> bytes:
        """Encrypt. ``aad`` names the place (noun and id): a sealed body moved to another place does not open."""
        number, prefix, counter, aead = self._sealer
        turn = next(counter)
        if turn >= _COUNTED:
            self._renew()
            return self.seal(body, aad)
        nonce = prefix + turn.to_bytes(4, "big")
        return number + nonce + aead.encrypt(nonce, body, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """Decrypt; raises ``Rejected`` where the key is not in the ring, or the bytes are not what was sealed for this place."""
        aead = self._aeads.get(sealed[:_NUMBER])
        if aead is None:
            number = int.from_bytes(sealed[:_NUMBER], "big")
            raise Rejected(
                "keyring-key-missing",
                f"data key {number} is not in key ring {self.id}: restore the latest copy of the ring's files from their backup",
            )
        try:
            return aead.decrypt(sealed[_NUMBER : _NUMBER + _NONCE], sealed[_NUMBER + _NONCE :], aad)
        except InvalidTag:
            raise Rejected(
                "sealed-damaged",
                "a sealed body does not open: the store was damaged or changed by hand, or the ring is not the one it was sealed with",
            ) from None

    def token(self, kind: str, value: str) -> bytes:
        """Keyed hash (16 bytes) under which a value is found again; never changes, and kinds never meet."""
        hashed = self._kinds.get(kind)
        if hashed is None:
            hashed = self._kinds[kind] = blake2b(
                len(kind.encode()).to_bytes(4, "big") + kind.encode(), key=self._ring.hash_key, digest_size=16
            )
        hashed = hashed.copy()
        hashed.update(value.encode())
        return hashed.digest()

    def pseudonym(self, kind: str, value: str) -> str:
        """A stable reference (16 characters, A-Z and 2-7) that stands for an identifier where it must not go."""
        return b32encode(self.token("pseudonym " + kind, value)[:_PSEUDONYM]).decode()

    def rotate(self) -> int:
        """Add a data key and seal with it from now on; returns its number. Older bodies stay readable."""
        ring = self._ring.with_data_key()
        if self._path is not None and self._master is not None:
            write_data_key(self._path, self._master, ring)
        self._take(ring)
        return max(ring.data_keys)

    def rotate_master(self) -> None:
        """A new master key; all keys of the ring are wrapped anew, and the old master opens nothing any more."""
        if self._path is not None and self._master is not None:
            rewrap_ring(self._path, self._master, self._ring)

    def _take(self, ring: Ring) -> None:
        self._ring = ring
        self._aeads = {number.to_bytes(_NUMBER, "big"): AESGCM(key) for number, key in ring.data_keys.items()}
        self._kinds: dict[str, blake2b] = {}
        self._renew()

    def _renew(self) -> None:
        number = max(self._aeads)
        self._sealer = _Sealer(number, os.urandom(_NONCE - 4), count(), self._aeads[number])
