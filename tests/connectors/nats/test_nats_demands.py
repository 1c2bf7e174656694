"""Deny by default: settings that cannot be right, servers that do not sync, credentials, TLS. And the pure rules behind it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from connectors.conftest import Authority
from connectors.nats.conftest import NatsStand
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from real.nats import NatsServer, alone, available

from isthmus.connectors.nats import credentials
from isthmus.connectors.nats.client import NatsClient
from isthmus.connectors.nats.durability import Server, covers, not_synced
from isthmus.connectors.nats.jetstream import Cluster, Peer, Stream, StreamConfig, StreamState, numbers_of
from isthmus.connectors.nats.settings import NatsEndpoint, NatsSource
from isthmus.connectors.nats.words import Nats, subject_of
from isthmus.connectors.suite import Unlimited
from isthmus.connectors.tls import Tls
from isthmus.core import Bug, Delivered, Rejected

GIVEN: dict[str, Any] = {"servers": ("127.0.0.1",), "stream": "S", "subjects": ("s.>",), "monitors": ("http://127.0.0.1:8222",)}
KNOWN: dict[str, Any] = {"user": "u", "password": "p"}


def client(server: NatsServer, **changes: Any) -> NatsClient:
    given = {
        "servers": (server.address,), "stream": "S", "subjects": ("s.>",), "monitors": (server.monitor,), "replicas": 1, "max_bytes": 1 << 20,
        "user": "hospital", "password": server.password,
    }  # fmt: skip
    return NatsClient("cell", NatsEndpoint(**{**given, **changes}), Unlimited())


# ---- settings


@pytest.mark.parametrize("known", [{}, {"user": "u"}, {"password": "p"}, {"tls": Tls()}])
def test_there_is_no_default_user(known: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="authorization"):
        NatsEndpoint(**GIVEN, **known)
    with pytest.raises(Rejected, match="authorization"):
        NatsSource(servers=("127.0.0.1",), stream="S", consumer="c", **known)


@pytest.mark.parametrize("changes", [{"monitors": ()}, {"unsynced_reason": "a test"}, {"monitors": (), "unsynced_reason": "  "}])
def test_either_monitors_or_a_reason(changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="sync"):
        NatsEndpoint(**{**GIVEN, **KNOWN, **changes})


def test_messages_outlive_their_ids() -> None:
    with pytest.raises(Rejected, match="max-age"):
        NatsEndpoint(**GIVEN, **KNOWN, max_age=60, duplicate_window=120)
    NatsEndpoint(**GIVEN, **KNOWN, max_age=0)


def test_no_secret_is_shown() -> None:
    shown = repr(NatsEndpoint(**GIVEN, user="u", password="pass-word")) + repr(
        NatsSource(servers=("127.0.0.1",), stream="S", consumer="c", user="u", password="pass-word")
    )
    assert "pass-word" not in shown


@pytest.mark.parametrize("subject", ["", "a b", "a.*", "a.>", ".a", "a.", "$JS.API", "a\r\nPUB x 0", "x" * 201])
def test_a_bad_subject_is_told_early_and_not_quoted(subject: str) -> None:
    with pytest.raises(Bug, match="subject"):
        Nats("cell").publish(subject, b"", key="k")
    with pytest.raises(Bug, match="operation"):
        subject_of("publish " + subject)


def test_what_is_no_event_needs_a_key() -> None:
    with pytest.raises(Bug, match="key"):
        Nats("cell").publish("a.b", {"id": "1"})
    with pytest.raises(Bug, match="content-type"):
        Nats("cell").publish("a.b", b"{}", key="k", content_type="application/cloudevents+json")
    assert subject_of(Nats("cell").publish("a.b-c.D_1", {"id": "1"}, key="k").operation) == "a.b-c.D_1"


# ---- pure rules


@pytest.mark.parametrize(
    ("pattern", "subject", "covered"),
    [
        ("a.>", "a.b", True), ("a.>", "a.b.c", True), ("a.>", "a", False), ("a.*", "a.b", True), ("a.*", "a.b.c", False), ("a.b", "a.b", True),
        ("a.b", "a.c", False), (">", "a", True), ("a.*", "a.>", False), ("a.>", "a.>", True), ("a.*.c", "a.*.c", True), ("a.b", "a.*", False),
        ("a.b.c", "a.b", False),
    ],
)  # fmt: skip
def test_which_subjects_a_stream_takes(pattern: str, subject: str, covered: bool) -> None:
    assert covers(pattern, subject) is covered


def varz(name: str, always: bool = True) -> Server:
    from msgspec import convert  # noqa: PLC0415 - as the server's answer is read

    return convert({"server_name": name, "jetstream": {"config": {"sync_always": always}}}, Server)


THREE = Stream(StreamConfig(name="S"), StreamState(), Cluster("a", [Peer("b"), Peer("c")]))
ONE = Stream(StreamConfig(name="S"), StreamState())


@pytest.mark.parametrize(
    ("stream", "told", "problem"),
    [
        (THREE, ("a", "b", "c"), ""),
        (THREE, ("a", "c"), ""),
        (THREE, ("a",), "only 1 of 3"),
        (THREE, ("x", "y"), "only 0 of 3"),
        (THREE, (), "only 0 of 3"),
        (ONE, ("a",), ""),
        (ONE, (), "only 0 of 1"),
    ],
)
def test_a_majority_of_those_that_keep_the_stream_is_asked(stream: Stream, told: tuple[str, ...], problem: str) -> None:
    found = not_synced(stream, [varz(name) for name in told])
    assert found.startswith(problem) if problem else found == ""


def test_one_that_does_not_sync_is_enough_to_refuse() -> None:
    assert "b: sync_interval is not always" in not_synced(THREE, [varz("a"), varz("b", always=False), varz("c")])


def test_numbers_of_a_message_with_and_without_a_domain() -> None:
    plain = numbers_of("$JS.ACK.S.c-1.2.30.40.1795468719670349631.5")
    longer = numbers_of("$JS.ACK.leaf.ACCOUNT.S.c-1.2.30.40.1795468719670349631.5.token")
    assert plain == longer
    assert (plain.tries, plain.stream, plain.consumer, plain.pending) == (2, 30, 40, 5)


# ---- against servers


async def test_a_server_with_the_default_sync_is_refused_unless_a_reason_is_given(tmp_path: Path, stand: NatsStand) -> None:
    with alone(tmp_path, sync="2m") as loose:
        with pytest.raises(Rejected, match="unsynced") as caught:
            await client(loose).open()
        assert "sync_interval: always" in caught.value.detail
        assert "unsynced_reason" in caught.value.detail
        (outcome,) = await client(loose).send([stand.delivery("k")], 5)
        assert outcome.code == "unsynced", "nothing is sent"  # type: ignore[union-attr]
        allowed = client(loose, monitors=(), unsynced_reason="practice data only")
        await allowed.open()
        await allowed.close()


async def test_both_sides_show_certificates(tmp_path: Path, authority: Authority, ours: Tls, strange: Tls, stand: NatsStand) -> None:
    theirs = authority.issue("nats")
    secured = f'tls {{ cert_file: "{theirs.certificate}", key_file: "{theirs.key}", ca_file: "{authority.ca}", verify: true }}\n'
    with alone(tmp_path, more=secured) as server:
        good = client(server, tls=ours)
        await good.open()
        (outcome,) = await good.send([in_stream(stand)], 10)
        assert isinstance(outcome, Delivered)
        await good.close()
        for wrong in (strange, Tls(ca=authority.ca)):
            with pytest.raises(Exception, match=r"connect|tls"):
                await client(server, tls=wrong).open()


class Signer:
    """An nkey of any kind: O operator, A account, U user."""

    PREFIX: ClassVar = {"O": 14 << 3, "A": 0, "U": 20 << 3}

    def __init__(self, kind: str) -> None:
        self.kind, self.key = kind, Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        return text(bytes([self.PREFIX[self.kind]]) + self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def seed(self) -> str:
        first = 18 << 3 | self.PREFIX[self.kind] >> 5
        second = (self.PREFIX[self.kind] & 31) << 3
        return text(bytes([first, second]) + self.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))

    def jwt(self, subject: str, nats: dict[str, Any]) -> str:
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        claims = {"jti": "x", "iat": 1, "iss": self.public, "name": "n", "sub": subject, "nats": {**nats, "version": 2}}
        signed = ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in (head, claims))
        return signed + "." + base64.urlsafe_b64encode(self.key.sign(signed.encode())).decode().rstrip("=")


def text(raw: bytes) -> str:
    return base64.b32encode(raw + credentials.checksum(raw)).decode().rstrip("=")


@pytest.mark.parametrize("kind", ["jwt", "nkey"])
async def test_credentials_in_a_file(tmp_path: Path, kind: str, stand: NatsStand) -> None:
    available()
    operator, account, system, user = Signer("O"), Signer("A"), Signer("A"), Signer("U")
    limits = {
        "mem_storage": -1,
        "disk_storage": -1,
        "streams": -1,
        "consumer": -1,
        "subs": -1,
        "conn": -1,
        "data": -1,
        "payload": -1,
        "wildcards": True,
        "imports": -1,
        "exports": -1,
        "leaf": -1,
    }
    path = tmp_path / "user.creds"
    if kind == "jwt":
        told = account.jwt(user.public, {"type": "user", "subs": -1, "data": -1, "payload": -1})
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{told}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
        )
        config = (
            f"operator: {operator.jwt(operator.public, {'type': 'operator'})}\nresolver: MEMORY\nsystem_account: {system.public}\nresolver_preload: {{\n"
            f"  {account.public}: {operator.jwt(account.public, {'type': 'account', 'limits': limits})}\n"
            f"  {system.public}: {operator.jwt(system.public, {'type': 'account', 'limits': {**limits, 'mem_storage': 0, 'disk_storage': 0}})}\n}}\n"
        )
    else:
        path.write_text(user.seed)
        config = f"accounts {{ A {{ jetstream: enabled, users: [{{nkey: {user.public}}}] }} }}\n"
    with alone(tmp_path / "server", accounts=config) as server:
        good = client(server, user="", password="", credentials=path)
        await good.open()
        (outcome,) = await good.send([in_stream(stand)], 10)
        assert isinstance(outcome, Delivered)
        await good.close()
        stranger = Signer("U")
        path.write_text(path.read_text().replace(user.seed, stranger.seed))
        with pytest.raises(Rejected, match="login") as caught:
            await client(server, user="", password="", credentials=path).open()
        assert stranger.seed not in str(caught.value)


def test_credentials_that_are_none_name_the_file_and_quote_nothing(tmp_path: Path) -> None:
    path = tmp_path / "creds"
    with pytest.raises(Rejected, match="cannot be read"):
        credentials.read(path, "endpoints.cell")
    path.write_text("nothing of use")
    with pytest.raises(Rejected, match="holds no user's credentials"):
        credentials.read(path, "endpoints.cell")
    seed = Signer("U").seed
    path.write_text(seed[:-1] + ("A" if seed[-1] != "A" else "Q"))
    with pytest.raises(Rejected, match="damaged") as caught:
        credentials.read(path, "endpoints.cell")
    assert seed[:20] not in str(caught.value)
    path.write_text(seed)
    assert credentials.read(path, "endpoints.cell").public.startswith("U")


def in_stream(stand: NatsStand) -> Any:
    from msgspec import structs  # noqa: PLC0415 - only here

    return structs.replace(stand.words.publish("s.a", {"id": "1"}, key="k"), id="0" * 32)
