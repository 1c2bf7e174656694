"""The file client keeps the contract of all clients, in a real folder. A folder is never slow and cannot die half-way: see the kill test."""

from __future__ import annotations

import pytest

from isthmus.connectors.suite import Clause, Stand, clause_name, clauses


@pytest.mark.parametrize("clause", clauses("takes", "refuses", "down"), ids=clause_name)
async def test_contract(clause: Clause, stand: Stand) -> None:
    await clause(stand)
