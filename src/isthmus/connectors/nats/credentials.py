"""Credentials: what stands in a ``.creds`` or seed file, and how a server's challenge is signed with it (NATS nkeys, Ed25519)."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from isthmus.core.failure import Rejected

_JWT = re.compile(r"-+BEGIN NATS USER JWT-+\s*(\S+)\s*-+END NATS USER JWT-+")
_SEED = re.compile(r"\bSU[A-Z2-7]{56}\b")
_USER = 20 << 3
"""The prefix byte of a user's public key: it makes its text begin with U."""
_SEED_BYTES = slice(2, 34)
"""Of a seed: after two bytes of prefix, before two of checksum."""


class Credentials:
    """One user's."""

    def __init__(self, jwt: str, key: Ed25519PrivateKey) -> None:
        self.jwt = jwt
        """Empty: the server knows our public key."""
        self._key = key

    @property
    def public(self) -> str:
        raw = bytes([_USER]) + self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b32encode(raw + checksum(raw)).decode().rstrip("=")

    def sign(self, nonce: str) -> bytes:
        return base64.urlsafe_b64encode(self._key.sign(nonce.encode())).rstrip(b"=")


def read(path: Path, where: str) -> Credentials:
    """Raises ``Rejected`` that names the key of the configuration and the cure; never quotes the file."""
    cure = f"{where}.credentials: {path} holds no user's credentials: name a .creds file, or one with a seed that begins with SU"
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected(
            "credentials", f"{where}.credentials: {path} cannot be read ({type(error).__name__}): let our user read it"
        ) from None
    seed = _SEED.search(text)
    if seed is None:
        raise Rejected("credentials", cure)
    try:
        raw = base64.b32decode(seed[0] + "======")
    except binascii.Error:
        raise Rejected("credentials", cure) from None
    if checksum(raw[:-2]) != raw[-2:]:
        raise Rejected("credentials", f"{where}.credentials: the seed in {path} is damaged (its checksum is wrong): get the file again")
    jwt = _JWT.search(text)
    return Credentials(jwt[1] if jwt else "", Ed25519PrivateKey.from_private_bytes(raw[_SEED_BYTES]))


def checksum(raw: bytes) -> bytes:
    """CRC-16/XMODEM, little end first, as nkeys have it."""
    return binascii.crc_hqx(raw, 0).to_bytes(2, "little")
