"""The Kafka client keeps the contract of all clients, against brokers on real sockets."""

from __future__ import annotations

import pytest

from isthmus.connectors.suite import Clause, Stand, clause_name, clauses


@pytest.mark.parametrize("clause", clauses("takes", "refuses", "down", "slow", "dies"), ids=clause_name)
async def test_contract(clause: Clause, stand: Stand) -> None:
    await clause(stand)
