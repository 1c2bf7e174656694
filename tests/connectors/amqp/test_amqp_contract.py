"""The AMQP client and source keep the contracts of all clients and of all sources of brokers, against a real RabbitMQ."""

from __future__ import annotations

import pytest

from isthmus.connectors.source_suite import SOURCE_CLAUSES, SourceClause, SourceStand
from isthmus.connectors.suite import Clause, Stand, clause_name, clauses


@pytest.mark.parametrize("clause", clauses("takes", "refuses", "down", "slow", "dies"), ids=clause_name)
async def test_contract(clause: Clause, stand: Stand) -> None:
    await clause(stand)


@pytest.mark.parametrize("clause", SOURCE_CLAUSES, ids=clause_name)
async def test_source_contract(clause: SourceClause, source_stand: SourceStand) -> None:
    await clause(source_stand)
