"""A Kafka cluster for tests: the brokers that librdkafka carries for its own tests, on real sockets, told to fail by its C interface
(rdkafka_mock.h). Kafka's own server is in no registry that these tests can reach.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import pytest

PRODUCE = 0
"""API key of the request (Kafka protocol guide)."""
MESSAGE_TOO_LARGE, NOT_ENOUGH_REPLICAS = 10, 19


class KafkaCluster:
    """Brokers 1 to ``size``; their ports stay."""

    def __init__(self, size: int = 3) -> None:
        self._library = _library()
        self._handle = self._library.rd_kafka_new(0, None, ctypes.create_string_buffer(512), ctypes.c_size_t(512))
        self._cluster = self._library.rd_kafka_mock_cluster_new(ctypes.c_void_p(self._handle), size)
        servers: bytes = self._library.rd_kafka_mock_cluster_bootstraps(ctypes.c_void_p(self._cluster))
        self.servers = tuple(servers.decode().split(","))
        self._brokers = range(1, size + 1)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(ctypes.c_void_p(self._cluster), 100)

    def close(self) -> None:
        self._library.rd_kafka_mock_cluster_destroy(ctypes.c_void_p(self._cluster))
        self._library.rd_kafka_destroy(ctypes.c_void_p(self._handle))

    def topic(self, name: str, *, partitions: int = 4, replicas: int = 3) -> None:
        self._call("topic_create", name.encode(), partitions, replicas)

    def down(self, *brokers: int) -> None:
        for one in brokers or self._brokers:
            self._call("broker_set_down", one)

    def up(self, *brokers: int) -> None:
        for one in brokers or self._brokers:
            self._call("broker_set_up", one)

    def slow(self, seconds: float) -> None:
        """Each answer takes so long; what was asked is done at once."""
        for one in self._brokers:
            self._call("broker_set_rtt", one, int(1000 * seconds))

    def fail(self, request: int, *errors: int) -> None:
        """The next requests of this kind are answered so."""
        self._call(
            "push_request_errors_array", ctypes.c_int16(request), ctypes.c_size_t(len(errors)), (ctypes.c_int * len(errors))(*errors)
        )

    def forgive(self, request: int) -> None:
        self._library.rd_kafka_mock_clear_request_errors(ctypes.c_void_p(self._cluster), ctypes.c_int16(request))

    def leader(self, topic: str, partition: int, broker: int) -> None:
        self._call("partition_set_leader", topic.encode(), partition, broker)

    def _call(self, name: str, *arguments: object) -> None:
        error = getattr(self._library, f"rd_kafka_mock_{name}")(ctypes.c_void_p(self._cluster), *arguments)
        assert name == "push_request_errors_array" or error == 0, f"rd_kafka_mock_{name}: {error}"


def _library() -> ctypes.CDLL:
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(folder.glob("librdkafka-*"))))
    library.rd_kafka_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


@pytest.fixture
def kafka() -> Iterator[KafkaCluster]:
    cluster = KafkaCluster()
    yield cluster
    cluster.close()
