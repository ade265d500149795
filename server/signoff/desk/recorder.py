"""Record checks behind the answer: a bounded line in this process, written in batches by a task of its own.

Only checks that no history signal counts or judges wait here; what a signal counts is on disk before its answer
(`desk/check.py`). A process that is killed loses at most the line. When the line is full, or no task is running, a
check is written before it is answered, so an agent cannot outrun the disk, and a disk that is gone stops it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import anyio

from signoff.desk.ask import Ask, kept
from signoff.desk.history import fill, forget
from signoff.desk.record import CheckSettings, record_check
from signoff.domain.errors import SignoffError, StoreUnavailable
from signoff.domain.verdict import Verdict
from signoff.store.store import Store
from signoff.store.unit import Unit
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.watch import PolicyFile

log = logging.getLogger(__name__)

MOST_WAITING = 100
"""A bundle has up to 2 MB, so the line holds at most 200 MB; usually some kilobytes."""
WRITTEN_AT_ONCE = 20
CLOSE_WITHIN_S = 5.0
RETRY_AFTER_S = 1.0
FORGET_EVERY_S = 600.0
FORGOTTEN_AT_ONCE = 200


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A check that was answered and is not recorded yet."""

    ask: Ask
    policy: LoadedPolicy
    verdict: Verdict
    at: datetime


class Recorder:
    """The line of checks to be recorded, and the task that writes it."""

    def __init__(self, store: Store, policy: PolicyFile, settings: CheckSettings) -> None:
        self._store = store
        self._policy = policy
        self._settings = settings
        self._line: deque[Heard] = deque()
        self._work = anyio.Event()
        self._running = False

    @property
    def waiting(self) -> int:
        """Return how many answered checks are not on disk yet."""
        return len(self._line)

    async def later(self, heard: Heard) -> None:
        """Record a check soon; at once where the line is full or nobody works on it.

        Raises:
            StoreUnavailable: It could not wait and could not be written, or nothing is written now.
        """
        if self._store.read_only is not None:
            raise StoreUnavailable(self._store.read_only)
        self._line.append(heard)
        if self._running and len(self._line) <= MOST_WAITING:
            self._work.set()
            return
        try:
            await self.flush()
        except BaseException:
            if heard in self._line:  # the agent is told to stop, so nothing was asked
                self._line.remove(heard)
            raise

    async def settle(self, ask: Ask) -> None:
        """Write the line first if a check of the same action waits in it: a request must find it.

        Raises:
            StoreUnavailable: It could not be written.
        """
        mine = (ask.agent.id, ask.session, ask.digest)
        if any((one.ask.agent.id, one.ask.session, one.ask.digest) == mine for one in self._line):
            await self.flush()

    def wake(self) -> None:
        """Let the task look for earlier asks that a new series waits for."""
        self._work.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Write the line until the end, and what is left of it then; forget what is old meanwhile."""
        self._running = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write)
            tasks.start_soon(self._forget)
            try:
                yield
            finally:
                self._running = False
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_WITHIN_S):
                    await self._empty()
                if self._line:
                    log.error("%d checks that were answered could not be recorded.", len(self._line))

    async def _empty(self) -> None:
        try:
            await self.flush()
        except SignoffError as error:
            log.error("Recording checks: %s", error.message)  # noqa: TRY400 -- ours, and said in words

    async def flush(self) -> None:
        """Write the whole line, a batch a unit of work; a batch that fails stands in line again.

        Raises:
            StoreUnavailable: It could not be written.
        """
        while self._line:
            batch = [self._line.popleft() for _ in range(min(WRITTEN_AT_ONCE, len(self._line)))]

            async def write(unit: Unit, batch: list[Heard] = batch) -> None:
                for heard in batch:
                    facts = heard.ask.facts(heard.at)
                    what = kept(facts, document=self._settings.keeps_documents)
                    await record_check(
                        unit,
                        heard.ask,
                        heard.verdict,
                        facts=facts,
                        policy=heard.policy,
                        what=what,
                        audit=self._settings.audit,
                    )

            try:
                await self._store.write(write)
            except anyio.get_cancelled_exc_class():
                # The unit runs to its end although nobody waits for it any more.
                raise
            except BaseException:
                self._line.extendleft(reversed(batch))
                raise

    async def _write(self) -> None:
        while True:
            await self._work.wait()
            self._work = anyio.Event()
            if self._store.read_only is not None:  # said once, by whoever found it out
                await self._retry()
                continue
            try:
                await self.flush()
                await self._fill()
            except SignoffError as error:
                log.warning("Recording checks: %s It is tried again.", error.message)
                await self._retry()
            except Exception:
                log.exception("Recording checks: internal error.")
                await self._retry()

    async def _fill(self) -> None:
        more = True
        while more:
            more = await self._store.write(fill)  # between two batches, others have their turn

    async def _retry(self) -> None:
        await anyio.sleep(RETRY_AFTER_S)
        self._work.set()

    async def forget_old(self) -> int:
        """Drop what is kept no longer, a batch a unit of work so that others get their turn; return how much it was.

        Raises:
            StoreUnavailable: It could not be written.
        """
        policy, count = self._policy.current(), 0

        async def drop(unit: Unit) -> int:
            return await forget(
                unit, policy, documents_for=self._settings.keep_documents_for, most=FORGOTTEN_AT_ONCE
            )

        while dropped := await self._store.write(drop):
            count += dropped
        return count

    async def _forget(self) -> None:
        while True:
            await anyio.sleep(FORGET_EVERY_S)
            if self._store.read_only is not None:
                continue
            try:
                await self.forget_old()
            except SignoffError as error:
                log.warning("Forgetting old asks: %s", error.message)
            except Exception:
                log.exception("Forgetting old asks: internal error.")
