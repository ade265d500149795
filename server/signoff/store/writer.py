"""The one writer of a process: units of work wait in line and share a transaction, and so an fsync.

A unit runs in a savepoint, so one that fails takes nothing of the others with it. Nobody hears of success
before the commit. Only this loop touches the write connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from signoff.domain.clock import Clock, from_text
from signoff.domain.errors import SignoffError, StoreUnavailable
from signoff.domain.ids import NewId
from signoff.store import rows
from signoff.store.unit import Batch, Unit

MOST_UNITS = 256  # as many as a batch may share; more would make the first of them wait too long
Work = Callable[[Unit], Awaitable[Any]]


class Job:
    """One unit of work on its way through the writer."""

    def __init__(self, work: Callable[[Any], Awaitable[Any]], *, alone: bool = False) -> None:
        self.work = work
        self.alone = alone
        """True: it gets the connection itself, outside any transaction."""
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = anyio.Event()

    def fail(self, error: BaseException) -> None:
        """End without success."""
        self.error = error
        self.done.set()


class Writer:
    """Runs units of work in shared transactions.

    Args:
        connection: An aiosqlite connection in autocommit mode that nothing else uses.
        translated: Turns an error of the database's into ours.
        committed: Called with the ids of cases that changed, after each commit.
    """

    def __init__(
        self,
        connection: Any,
        queries: Any,
        *,
        clock: Clock,
        new_id: NewId,
        translated: Callable[[BaseException], SignoffError | None],
        committed: Callable[[set[str]], None],
    ) -> None:
        self._connection = connection
        self._q = queries
        self._clock = clock
        self._new_id = new_id
        self._translated = translated
        self._committed = committed
        self._line: deque[Job] = deque()
        self._work_waits = anyio.Event()
        self._closed = False
        self.finished = anyio.Event()

    async def submit(self, work: Work) -> Any:
        """Put a unit of work in line and wait until it is on disk."""
        return await self._done(Job(work))

    async def submit_alone(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """Put work in line that needs the connection outside any transaction, and wait until it is done."""
        return await self._done(Job(work, alone=True))

    async def _done(self, job: Job) -> Any:
        if self._closed:
            raise StoreUnavailable("The store is closed. Nothing was written.")
        self._line.append(job)
        self._work_waits.set()
        await job.done.wait()
        if job.error is not None:
            raise job.error
        return job.result

    async def run(self) -> None:
        """Work until closed; whatever is in line then is still written."""
        # Only `close` ends it: a cancelled writer would leave a transaction half done, and its closer waiting.
        with anyio.CancelScope(shield=True):
            while True:
                await self._work_waits.wait()
                self._work_waits = anyio.Event()
                while self._line:
                    if self._line[0].alone:
                        await self._alone(self._line.popleft())
                    else:
                        await self._batch()
                if self._closed:
                    self.finished.set()
                    return

    def close(self) -> None:
        """Take no more work."""
        self._closed = True
        self._work_waits.set()

    async def _alone(self, job: Job) -> None:
        try:
            job.result = await job.work(self._connection)
        except Exception as error:  # noqa: BLE001 -- raised where it was submitted
            job.error = self._translated(error) or error
        job.done.set()

    async def _batch(self) -> None:
        ran: list[Job] = []
        try:
            await self._execute("BEGIN IMMEDIATE")
            row = await self._q.head(self._connection)
            batch = Batch(rows.head(row), row["log"])
            size_before = batch.head.size
            while self._line and not self._line[0].alone and len(ran) < MOST_UNITS:
                job = self._line.popleft()
                ran.append(job)
                await self._unit(job, batch)
            if batch.head.size != size_before:
                head = batch.head
                await self._q.move_head(
                    self._connection, size=head.size, prev=head.prev, edge=b"".join(head.edge), at=head.at
                )
            await self._execute("COMMIT")
        except BaseException as error:
            await self._give_up(error, ran)
            if not isinstance(error, Exception):
                raise
            return
        self._committed(batch.changed)
        for job in ran:
            job.done.set()

    async def _unit(self, job: Job, batch: Batch) -> None:
        """Run one unit in its savepoint; its own failure stays its own."""
        head, changed = batch.head, set(batch.changed)
        now = self._clock.now()
        if head.at:
            now = max(now, from_text(head.at))
        await self._execute("SAVEPOINT unit")
        try:
            unit = Unit(self._connection, self._q, batch=batch, now=now, new_id=self._new_id)
            job.result = await job.work(unit)
        except BaseException as error:
            # A panic of the rule engine (Rust) is no Exception, and still fails only the unit that met it.
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            if not self._connection.in_transaction:
                raise  # the database threw the whole transaction away (disk full, I/O error)
            await self._execute("ROLLBACK TO unit")
            batch.head, batch.changed = head, changed
            job.error = self._translated(error) or error
        await self._execute("RELEASE unit")

    async def _give_up(self, error: BaseException, ran: list[Job]) -> None:
        with anyio.CancelScope(shield=True):
            try:
                if self._connection.in_transaction:
                    await self._execute("ROLLBACK")
            finally:
                if not ran and self._line:
                    ran = [
                        self._line.popleft()
                    ]  # BEGIN failed: the first in line learns it, the next tries anew
                ours = self._translated(error) or StoreUnavailable(
                    "The store failed while writing. Nothing was written; try again."
                )
                for job in ran:
                    job.fail(ours if job.error is None else job.error)

    async def _execute(self, sql: str) -> None:
        await self._connection.execute_fetchall(sql)
