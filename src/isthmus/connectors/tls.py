"""Tls: how a connection is encrypted and who proves to whom who he is; the same keys for every connector."""

from __future__ import annotations

import ssl
from pathlib import Path

from msgspec import Struct

from isthmus.core.failure import Rejected


class Tls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ``tls`` table. As a client: whom we trust and what we show. As a listener: what we show and whom we let in."""

    ca: Path | None = None
    """PEM file of the authorities that sign the other side. A client without it trusts the machine's authorities;
    a listener with it lets in only senders whose certificate it signed (mTLS)."""
    certificate: Path | None = None
    """PEM file with our certificate and its chain; a listener must have one, a client shows it where asked (mTLS)."""
    key: Path | None = None
    """PEM file with the private key of our certificate, without a passphrase."""
    server_name: str = ""
    """The name that the server's certificate must hold, where it differs from the host we connect to."""


def client_context(tls: Tls, where: str) -> ssl.SSLContext:
    """For connecting. Raises ``Rejected`` that names the key of the configuration and the cure."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _floor(context)
    if tls.ca is not None:
        _trust(context, tls.ca, where)
    else:
        context.load_default_certs()
    if tls.certificate is not None:
        _load(context, tls, where)
    return context


def server_context(tls: Tls, where: str) -> ssl.SSLContext:
    """For listening. Raises ``Rejected`` that names the key of the configuration and the cure."""
    if tls.certificate is None:
        raise Rejected("tls", f"{where}.tls.certificate is missing: a listener shows a certificate; name its PEM file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _floor(context)
    if tls.ca is not None:
        _trust(context, tls.ca, where)
        context.verify_mode = ssl.CERT_REQUIRED
    _load(context, tls, where)
    return context


def _floor(context: ssl.SSLContext) -> None:
    """TLS 1.2 and up: BCP 195 (RFC 9325, 3.1.1), which the IHE ATNA profile follows."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2


def _trust(context: ssl.SSLContext, ca: Path, where: str) -> None:
    try:
        context.load_verify_locations(cafile=_file(ca, f"{where}.tls.ca"))
    except ssl.SSLError as error:
        raise Rejected("tls", f"{where}.tls.ca: {ca} holds no certificate: name a PEM file with one or more") from error


def _load(context: ssl.SSLContext, tls: Tls, where: str) -> None:
    certificate, key = _file(tls.certificate, f"{where}.tls.certificate"), _file(tls.key, f"{where}.tls.key")
    if certificate is None:
        return
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        raise Rejected(
            "tls", f"{where}.tls.certificate and {where}.tls.key do not fit together: name a PEM certificate and its own, unlocked key"
        ) from error


def _no_passphrase() -> str:
    """OpenSSL would ask at the terminal otherwise, and a service would hang there."""
    raise ValueError("the key is locked by a passphrase")


def _file(path: Path | None, where: str) -> str | None:
    if path is None:
        return None
    try:
        with path.open("rb"):
            return str(path)
    except OSError as error:
        raise Rejected("tls", f"{where}: {path} cannot be read ({error.strerror}): name a PEM file that the program may read") from error
