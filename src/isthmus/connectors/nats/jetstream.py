"""JetStream's own questions and answers (``$JS.API``), as far as we ask them: streams, consumers, single messages."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from isthmus.connectors.nats.link import Denied, Link, Lost, NoResponders
from isthmus.core.failure import Rejected, Transient

NANO = 1_000_000_000

T = TypeVar("T")


class StreamConfig(Struct, kw_only=True):
    """Durations in nanoseconds, as JetStream has them."""

    name: str
    subjects: list[str] = []
    storage: str = "file"
    retention: str = "limits"
    discard: str = "new"
    num_replicas: int = 1
    max_bytes: int = -1
    max_msgs: int = -1
    max_msgs_per_subject: int = -1
    max_age: int = 0
    max_msg_size: int = -1
    duplicate_window: int = 0
    persist_mode: str = "default"
    sealed: bool = False
    no_ack: bool = False
    mirror: Any = None


class Peer(Struct):
    name: str
    current: bool = False
    offline: bool = False


class Cluster(Struct):
    leader: str = ""
    replicas: list[Peer] = []


class StreamState(Struct):
    first_seq: int = 0
    last_seq: int = 0
    messages: int = 0


class Stream(Struct):
    config: StreamConfig
    state: StreamState
    cluster: Cluster | None = None

    def servers(self) -> set[str]:
        """Names of those that keep it; empty where the server is alone."""
        if self.cluster is None:
            return set()
        return {name for name in (self.cluster.leader, *(one.name for one in self.cluster.replicas)) if name}


class ConsumerConfig(Struct, kw_only=True, omit_defaults=True):
    name: str = ""
    durable_name: str = ""
    deliver_policy: str = ""
    opt_start_seq: int = 0
    ack_policy: str = ""
    ack_wait: int = 0
    max_ack_pending: int = 0
    filter_subjects: list[str] = []
    headers_only: bool = False
    mem_storage: bool = False
    num_replicas: int = 0
    inactive_threshold: int = 0
    metadata: dict[str, str] = {}


class Sequences(Struct):
    consumer_seq: int = 0
    stream_seq: int = 0


class Consumer(Struct):
    name: str
    delivered: Sequences
    ack_floor: Sequences
    num_pending: int = 0
    num_ack_pending: int = 0
    num_waiting: int = 0


class ApiError(Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Message(Struct):
    seq: int


class _Got(Struct):
    message: _Message


class _Page(Struct):
    total: int = 0
    consumers: list[str] | None = None


class _Answer(Struct):
    error: ApiError | None = None


class Refused(Exception):
    """JetStream said no; ``err_code`` is the stable one."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(f"{error.err_code} {error.description}")
        self.code, self.err_code = error.code, error.err_code


NO_STREAM, NO_CONSUMER, CONSUMER_EXISTS, NO_MESSAGE = 10059, 10014, 10148, 10037


class JetStream:
    """Over one link. Each question raises ``Refused`` (it said no) or ``Transient`` (nobody answered)."""

    def __init__(self, link: Link, domain: str, where: str, timeout: float) -> None:
        self._link = link
        self._prefix = f"$JS.{domain}.API" if domain else "$JS.API"
        self._where = where
        self._timeout = timeout

    async def stream(self, name: str) -> Stream:
        return await self._ask(f"STREAM.INFO.{name}", None, Stream)

    async def create_stream(self, config: StreamConfig) -> Stream:
        return await self._ask(f"STREAM.CREATE.{config.name}", config, Stream)

    async def last(self, stream: str) -> int:
        """The sequence of the last message that is in the stream, by its leader's word; 0 where none is."""
        try:
            found = await self._ask(f"STREAM.MSG.GET.{stream}", {"last_by_subj": ">"}, _Got)
        except Refused as refused:
            if refused.err_code != NO_MESSAGE:
                raise
            return 0
        return found.message.seq

    async def consumer_names(self, stream: str) -> list[str]:
        found: list[str] = []
        while True:
            page = await self._ask(f"CONSUMER.NAMES.{stream}", {"offset": len(found)}, _Page)
            found += page.consumers or []
            if not page.consumers or len(found) >= page.total:
                return found

    async def consumer(self, stream: str, name: str) -> Consumer:
        return await self._ask(f"CONSUMER.INFO.{stream}.{name}", None, Consumer)

    async def create_consumer(self, stream: str, config: ConsumerConfig) -> Consumer:
        """Refused (``CONSUMER_EXISTS``) where another one has this name."""
        return await self._ask(
            f"CONSUMER.CREATE.{stream}.{config.name}", {"stream_name": stream, "action": "create", "config": config}, Consumer
        )

    async def delete_consumer(self, stream: str, name: str) -> None:
        try:
            await self._ask(f"CONSUMER.DELETE.{stream}.{name}", None, _Answer)
        except Refused as refused:
            if refused.err_code != NO_CONSUMER:
                raise

    def next_subject(self, stream: str, consumer: str) -> str:
        """Where a consumer is asked for messages."""
        return f"{self._prefix}.CONSUMER.MSG.NEXT.{stream}.{consumer}"

    async def _ask(self, what: str, question: object, answer: type[T]) -> T:
        body = b"" if question is None else msgspec.json.encode(question)
        try:
            async with asyncio.timeout(self._timeout):
                said = await (await self._link.ask(f"{self._prefix}.{what}", body))
        except NoResponders:
            raise Transient(
                "no-jetstream", f"{self._where}: no JetStream answers: is it switched on, is its domain right, is a majority there?"
            ) from None
        except Denied:
            raise Rejected("permission", f"{self._where}: we may not ask {what.rpartition('.')[0]} of JetStream: let this user") from None
        except (Lost, TimeoutError):
            raise Transient("no-answer", f"{self._where}: JetStream did not answer {what.rpartition('.')[0]}") from None
        refused = msgspec.json.decode(said.data, type=_Answer).error
        if refused is not None:
            raise Refused(refused)
        return msgspec.json.decode(said.data, type=answer)


class PubAck(Struct):
    """The stream's word for one published message."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


pub_ack = msgspec.json.Decoder(PubAck).decode


class Numbers(Struct, frozen=True):
    """What a message that a consumer was given carries in the subject of its acknowledgement."""

    tries: int
    stream: int
    """Its sequence in the stream."""
    consumer: int
    """How many messages the consumer was given so far: without a gap, unless one was lost on the way."""
    pending: int
    """Messages that wait behind it."""


def numbers_of(reply: str) -> Numbers:
    """``$JS.ACK.<stream>.<consumer>.<tries>.<stream seq>.<consumer seq>.<time>.<pending>``, or longer, with domain and account."""
    words = reply.split(".")
    tries = 4 if len(words) == _SHORT else 6
    return Numbers(int(words[tries]), int(words[tries + 1]), int(words[tries + 2]), int(words[tries + 4]))


_SHORT = 9
