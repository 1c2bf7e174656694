"""The client of a folder: a batch of files is written beside its place, synced, renamed, and the folder synced once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from isthmus.connectors.file.atomic import sha256, sha256_of, sync_folder, write_beside
from isthmus.connectors.file.settings import FileEndpoint
from isthmus.connectors.file.words import file_name
from isthmus.connectors.port import Budget
from isthmus.core.delivery import Delivery
from isthmus.core.failure import Rejected, Transient
from isthmus.core.lookup import Lookup
from isthmus.core.outcome import Delivered, Outcome, Receipt, Reject, Retry, Unknown
from isthmus.core.policy import Lane

R = TypeVar("R")

_EXISTS = "a file of this name with other content is there: give each content a name of its own"


class FileClient:
    """All work on the disk is done in threads of its own, so that a slow share holds up nothing else."""

    max_batch = 100

    def __init__(self, name: str, settings: FileEndpoint, budget: Budget) -> None:
        self.in_flight = settings.in_flight
        self.counts: Counter[str] = Counter()
        """Reason codes of what went wrong, for telemetry."""
        self._name = name
        self._settings = settings
        self._folder = settings.folder
        self._budget = budget
        self._threads: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        if self._threads is not None:
            return
        if self._settings.create:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise Rejected(
                    "folder",
                    f"endpoints.{self._name}.folder: {self._folder} cannot be made ({error.strerror}): give its parent to our user",
                ) from error
        self._threads = ThreadPoolExecutor(self.in_flight, thread_name_prefix=f"file-{self._name}")

    async def close(self) -> None:
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False)

    async def send(self, deliveries: Sequence[Delivery], timeout: float, *, lane: Lane = "normal") -> Sequence[Outcome]:
        async with self._budget.call(lane):
            try:
                outcomes = await self._apart(lambda: self._write(deliveries), timeout)
            except TimeoutError:
                outcomes = [Unknown("timeout", "the folder did not answer within the time-out")] * len(deliveries)
        self.counts.update(outcome.code for outcome in outcomes if not isinstance(outcome, Delivered))
        return outcomes

    async def check(self, delivery: Delivery, timeout: float, *, lane: Lane = "normal") -> Outcome:
        """Read what is there under the name, and compare."""
        name = file_name(delivery.operation)
        try:
            async with self._budget.call(lane):
                found = await self._apart(lambda: self._digest(name), timeout)
        except TimeoutError:
            return Unknown("timeout", "the folder did not answer within the time-out")
        except OSError as error:
            return Unknown("folder", f"the folder cannot be read: {error.strerror}")
        mine = sha256(delivery.body)
        if found == mine:
            return Delivered((Receipt("transport", "written", name),), unchanged=True)
        if found is not None:
            return Reject("exists", _EXISTS)
        if self._settings.deduplicates:
            return Retry("absent", "it is not there; writing it again is safe")
        return Reject("outcome-unknown", "it is not there, or no longer: ask the reader whether it took it, then redeliver or abandon it")

    async def look(self, lookup: Lookup[Any], timeout: float, *, lane: Lane = "normal") -> object:
        del timeout, lane
        raise Rejected("lookup", f"a folder answers no questions, such as {lookup.name!r}: ask another endpoint")

    async def ping(self, timeout: float) -> None:
        try:
            async with self._budget.call("safety"):
                await self._apart(lambda: sync_folder(self._folder), timeout)
        except OSError as error:  # TimeoutError is one
            reason = error.strerror or "no answer within the time-out"
            raise Transient("folder", f"endpoints.{self._name}.folder: {self._folder} cannot be used ({reason})") from error

    # ---- in the thread -----------------------------------------------------------------------------------------------------------

    async def _apart(self, work: Callable[[], R], timeout: float) -> R:
        async with asyncio.timeout(timeout):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _digest(self, name: str) -> str | None:
        """Of what is there under the name. Raises ``OSError`` where the folder itself is gone."""
        found = sha256_of(self._folder / name)
        if found is None:
            self._folder.stat()
        return found

    def _write(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """What was renamed is only told once the folder is synced; until then, its outcome is unknown."""
        outcomes = [self._put(delivery) for delivery in deliveries]
        if any(isinstance(outcome, Delivered) for outcome in outcomes):
            try:
                sync_folder(self._folder)
            except OSError as error:
                lost = Unknown("sync", f"the folder could not be synced: {error.strerror}")
                return [lost if isinstance(outcome, Delivered) else outcome for outcome in outcomes]
        return outcomes

    def _put(self, delivery: Delivery) -> Outcome:
        name = file_name(delivery.operation)
        mine = sha256(delivery.body)
        receipt = Receipt("transport", "written", name)
        try:
            found = self._digest(name)
            if found is not None:
                return Delivered((receipt,), unchanged=True) if found == mine else Reject("exists", _EXISTS)
            if self._settings.checksum:
                companion = f"{name}.sha256"
                self._rename(write_beside(self._folder, companion, f"{mine}  {name}\n".encode()), companion)
            temporary = write_beside(self._folder, name, delivery.body)
        except OSError as error:
            return Retry("folder", f"the folder cannot be used: {error.strerror}")
        try:
            self._rename(temporary, name)
        except OSError as error:
            return Unknown("rename", f"the file could not be put into its place: {error.strerror}")
        return Delivered((receipt,))

    def _rename(self, temporary: Path, name: str) -> None:
        temporary.rename(self._folder / name)
