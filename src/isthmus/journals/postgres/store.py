"""Connections and transactions: what of a database's failures is worth another try, and how named queries are run."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Final, Literal, TypeVar

import asyncpg

from isthmus.core.failure import Bug, Failure, Rejected, Transient
from isthmus.journals.postgres.locator import Places
from isthmus.journals.postgres.rows import Row, Seals
from isthmus.journals.postgres.statements import statement

R = TypeVar("R")

_SETTINGS: Final = {
    "application_name": "isthmus",
    "search_path": "isthmus",
    "timezone": "UTC",
    "jit": "off",
    # The plans are known beforehand: to plan anew with each call's values costs more than the call, the more runs and shelves there are.
    "plan_cache_mode": "force_generic_plan",
    # Every query has its index, which gives the rows in the order wanted. A plan that was made while a table was small must not
    # scan it, nor sort all that waits, when it has grown.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_mergejoin": "off",
    "enable_hashjoin": "off",
    "enable_material": "off",
    # A node that is paused or cut off within a transaction must not hold its locks until somebody notices: others would wait for them
    # when they take over. Shorter than a lease; a node that is late by so much tries again.
    "idle_in_transaction_session_timeout": "2s",
    # What is sent to a node that no packet reaches any more.
    "tcp_user_timeout": "10s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_CONNECT_SECONDS: Final = 10.0
_SCRIPT_SECONDS: Final = 3_600.0
_COMMAND_SECONDS: Final = 60.0
"""A server that takes longer for one of the journal's small statements is as good as gone; its standby may be, for which it waits."""
_SILENCE: Final = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 8_000}
"""Seconds, and milliseconds: after eight to ten seconds without a sign of the other end a connection is given up."""
_TRIES: Final = 5

# What passes by itself, or with another node's help: connection lost or refused, server starting or stopping, standby promoted,
# no room (disk, memory, connections), locks.
_TRANSIENT: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # the database lets nobody in for the moment
    asyncpg.IdleInTransactionSessionTimeoutError,
    OSError,
    TimeoutError,
)


class Session:
    """One connection, within a transaction or not; runs queries by their names."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy[Row], seals: Seals, places: Places) -> None:
        self._connection = connection
        self.seals = seals
        self.places = places

    async def rows(self, name: str, *args: object) -> list[Row]:
        return await self._connection.fetch(statement(name), *args)

    async def value(self, name: str, *args: object) -> Any:
        return await self._connection.fetchval(statement(name), *args)

    async def run(self, name: str, *args: object) -> None:
        await self._connection.execute(statement(name), *args)

    async def script(self, name: str, **names: object) -> None:
        """What takes no arguments: settings, and work on tables whose names hold numbers. It may take its time."""
        sql = statement(name)
        for key, value in names.items():
            sql = sql.replace(f"{{{key}}}", str(value))
        await self._connection.execute(sql, timeout=_SCRIPT_SECONDS)

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """Within another: a savepoint."""
        return self._connection.transaction()

    async def migrate(self, sql: str) -> None:
        await self._connection.execute(sql)


class Store:
    """The pool of connections to one database."""

    def __init__(self, dsn: str, connections: int, seals: Seals) -> None:
        self._dsn = dsn
        self._seals = seals
        self._places = Places()
        self._connections = connections
        self._pool: asyncpg.Pool[Row] | None = None

    async def open(self) -> None:
        if self._pool is not None:
            return
        with _told_apart():
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=1,
                max_size=self._connections,
                timeout=_CONNECT_SECONDS,
                command_timeout=_COMMAND_SECONDS,
                server_settings=dict(_SETTINGS),
                init=_notice_silence,
                reset=_nothing_to_reset,
            )

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection[Row]]:
        """A connection of one's own, beside the pool; closed at the end."""
        with _told_apart():
            connection = await asyncpg.connect(self._dsn, timeout=_CONNECT_SECONDS, server_settings=dict(_SETTINGS))
            try:
                await _notice_silence(connection)
                yield connection
            finally:
                connection.terminate()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A connection without a transaction: each statement commits by itself."""
        if self._pool is None:
            raise Bug("journal-closed", "the journal is not open: await journal.open() first")
        with _told_apart():
            async with self._pool.acquire(timeout=_CONNECT_SECONDS) as connection:
                with _thrown_away_if_confused(connection):
                    yield Session(connection, self._seals, self._places)

    async def transact(self, work: Callable[[Session], Awaitable[R]]) -> R:
        """Run the work in one transaction. A deadlock or a lost race, which left no trace, is tried again here."""
        for _ in range(_TRIES - 1):
            try:
                return await self._transact(work, None)
            except Transient as failure:
                if failure.code != "journal-conflict":
                    raise
        return await self._transact(work, None)

    async def look(self, work: Callable[[Session], Awaitable[R]]) -> R:
        """Run the work, which only reads, on one unchanging view of the store."""
        return await self._transact(work, "repeatable_read")

    async def _transact(self, work: Callable[[Session], Awaitable[R]], isolation: Literal["repeatable_read"] | None) -> R:
        if self._pool is None:
            raise Bug("journal-closed", "the journal is not open: await journal.open() first")
        with _told_apart():
            async with self._pool.acquire(timeout=_CONNECT_SECONDS) as connection:
                with _thrown_away_if_confused(connection):
                    async with connection.transaction(isolation=isolation, readonly=isolation is not None):
                        return await work(Session(connection, self._seals, self._places))


async def _notice_silence(connection: asyncpg.Connection[Row] | asyncpg.pool.PoolConnectionProxy[Row]) -> None:
    """A network that is cut says nothing; by default the kernel believes in a connection for a quarter of an hour."""
    wire = connection._transport.get_extra_info("socket")  # type: ignore[union-attr]  # noqa: SLF001 - asyncpg has no setting for it
    if wire is not None and wire.family in (socket.AF_INET, socket.AF_INET6):
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _SILENCE.items():
            if (option := getattr(socket, name, None)) is not None:  # not every system has all of them
                wire.setsockopt(socket.IPPROTO_TCP, option, value)


async def _nothing_to_reset(connection: asyncpg.Connection[Row]) -> None:
    """Transactions set nothing that outlives them, so a connection goes back as it is, without a round trip."""


@contextmanager
def _thrown_away_if_confused(connection: asyncpg.pool.PoolConnectionProxy[Row]) -> Iterator[None]:
    """A server that ends a connection between two of our messages can leave asyncpg's protocol in a state that it takes for its own
    mistake. The connection is of no use any more, and what was asked has not been answered: the same as lost.
    """
    try:
        yield
    except asyncpg.InternalClientError as error:
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError from error


@contextmanager
def _told_apart() -> Iterator[None]:
    """The database's failures as ours. Its own texts stay out of them: they may quote values."""
    try:
        yield
    except Failure:
        raise
    except (asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError) as error:
        raise Transient("journal-conflict", f"PostgreSQL gave up a transaction ({error.sqlstate}): try again") from None
    except _TRANSIENT as error:
        raise Transient("journal-unreachable", f"no answer from PostgreSQL ({_name(error)}): is it running, and reachable?") from None
    except asyncpg.InterfaceError as error:
        if "closed" in str(error) or "closing" in str(error):
            raise Transient("journal-unreachable", "the connection to PostgreSQL was closed meanwhile") from None
        raise Bug("journal-use", type(error).__name__) from None
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise Rejected("journal-login", f"PostgreSQL refuses the user or password of the DSN ({error.sqlstate}): check both") from None
    except asyncpg.InvalidCatalogNameError:
        raise Rejected(
            "journal-database", "the DSN names a database that does not exist: create it (createdb), or correct the DSN"
        ) from None
    except asyncpg.PostgresError as error:
        raise Bug("journal-sql", _name(error)) from None


def _name(error: BaseException) -> str:
    return f"{type(error).__name__} {error.sqlstate}" if isinstance(error, asyncpg.PostgresError) else type(error).__name__
