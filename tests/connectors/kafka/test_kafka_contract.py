"""The Kafka client and source keep the contracts of all clients and of all sources of brokers, against brokers on real sockets."""

from __future__ import annotations

import pytest

from isthmus.connectors.source_suite import SOURCE_CLAUSES, SourceClause, SourceStand, gives_again_what_was_not_answered
from isthmus.connectors.suite import Clause, Stand, clause_name, clauses

NOT_OF_A_LOG = (gives_again_what_was_not_answered,)
"""A log gives nothing again because a connection ended: the place is the consumer's. A killed consumer is in test_kafka_source."""


@pytest.mark.parametrize("clause", clauses("takes", "refuses", "down", "slow", "dies"), ids=clause_name)
async def test_contract(clause: Clause, stand: Stand) -> None:
    await clause(stand)


@pytest.mark.parametrize("clause", [one for one in SOURCE_CLAUSES if one not in NOT_OF_A_LOG], ids=clause_name)
async def test_source_contract(clause: SourceClause, source_stand: SourceStand) -> None:
    await clause(source_stand)
