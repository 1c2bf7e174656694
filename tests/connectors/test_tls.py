"""A tls table that cannot work is told with its key and a cure, before anything listens or connects."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from isthmus.connectors.tls import Tls, client_context, server_context
from isthmus.core import Rejected


def test_a_listener_needs_a_certificate() -> None:
    with pytest.raises(Rejected, match=r"sources.lab.tls.certificate is missing"):
        server_context(Tls(), "sources.lab")


@pytest.mark.parametrize("key", ["ca", "certificate", "key"])
def test_a_file_that_is_not_there(key: str, ours: Tls, tmp_path: Path) -> None:
    parts = {"ca": ours.ca, "certificate": ours.certificate, "key": ours.key} | {key: tmp_path / "gone.pem"}
    with pytest.raises(Rejected, match=rf"endpoints.lab.tls.{key}: .*gone.pem cannot be read \(No such file"):
        client_context(Tls(**parts), "endpoints.lab")


def test_a_key_of_another_certificate(ours: Tls, theirs: Tls) -> None:
    with pytest.raises(Rejected, match="do not fit together"):
        client_context(Tls(certificate=ours.certificate, key=theirs.key), "endpoints.lab")


def test_a_file_that_is_no_pem(tmp_path: Path, ours: Tls) -> None:
    (tmp_path / "ca.pem").write_text("this is no certificate")
    with pytest.raises(Rejected, match=r"endpoints.lab.tls.ca"):
        client_context(Tls(ca=tmp_path / "ca.pem"), "endpoints.lab")
    with pytest.raises(Rejected, match=r"sources.lab.tls.ca"):
        server_context(Tls(ca=tmp_path / "ca.pem", certificate=ours.certificate, key=ours.key), "sources.lab")


def test_senders_must_show_a_certificate_where_an_authority_is_named(ours: Tls) -> None:
    assert server_context(ours, "sources.lab").verify_mode == ssl.CERT_REQUIRED
    assert server_context(Tls(certificate=ours.certificate, key=ours.key), "sources.lab").verify_mode == ssl.CERT_NONE


def test_nothing_older_than_tls_1_2(ours: Tls) -> None:
    assert client_context(ours, "endpoints.lab").minimum_version == ssl.TLSVersion.TLSv1_2
    assert server_context(ours, "sources.lab").minimum_version == ssl.TLSVersion.TLSv1_2
