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

import anyio
import anyio.lowlevel

from signoff.desk.ask import Ask, Kept, kept
from signoff.desk.history import fill, forget
from signoff.desk.record import Answered, CheckSettings, record_checks
from signoff.domain.errors import SignoffError, StoreUnavailable
from signoff.domain.verdict import Verdict
from signoff.store.store import Store
from signoff.store.unit import Unit
from signoff.triggers.facts import Facts
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.watch import PolicyFile

log = logging.getLogger(__name__)

GATHER_S = 0.2
"""How long a check waits for others to be written with it: an agent that asks one after another pays for a part of a
transaction a check, and not for a whole one."""
MOST_WAITING = 100
MOST_WAITING_BYTES = 8 * 1024 * 1024
"""Of JSON; as objects it takes up to some thirty times as much."""
FULL_ENOUGH = 50
"""Checks after which none waits for others any more."""
CLOSE_WITHIN_S = 5.0
RETRY_AFTER_S = 1.0
FORGET_EVERY_S = 600.0
FORGOTTEN_AT_ONCE = 200


class Heard:
    """A check that was answered and is not recorded yet."""

    def __init__(self, ask: Ask, policy: LoadedPolicy, verdict: Verdict, facts: Facts) -> None:
        self.ask = ask
        self.policy = policy
        self.verdict = verdict
        self.facts = facts
        self.size_bytes = ask.size_bytes
        self._what: Kept | None = None

    def what(self, *, document: bool) -> Kept:
        """Return what is kept of it; made once, when there is time for it."""
        if self._what is None:
            self._what = kept(self.facts, document=document)
        return self._what


class Recorder:
    """The line of checks to be recorded, and the task that writes it."""

    def __init__(self, store: Store, policy: PolicyFile, settings: CheckSettings) -> None:
        self._store = store
        self._policy = policy
        self._settings = settings
        self._line: deque[Heard] = deque()
        self._being_written = 0
        """Checks that left the line and are not on disk yet."""
        self._size_bytes = 0
        """Of those and of the line."""
        self._work, self._hurry = anyio.Event(), anyio.Event()
        self._filling = False
        self._running = False

    @property
    def waiting(self) -> int:
        """Return how many answered checks are not on disk yet."""
        return len(self._line) + self._being_written

    async def later(self, heard: Heard) -> None:
        """Record a check soon; at once where the line is full or nobody works on it.

        Raises:
            StoreUnavailable: It could not wait and could not be written, or nothing is written now.
        """
        if self._store.read_only is not None:
            raise StoreUnavailable(self._store.read_only)
        self._line.append(heard)
        self._size_bytes += heard.size_bytes
        if self._running and not self._is_full():
            self._work.set()
            if len(self._line) >= FULL_ENOUGH:
                self._hurry.set()
            return
        try:
            await self.flush()
        except BaseException:
            if heard in self._line:  # the agent is told to stop, so nothing was asked
                self._line.remove(heard)
                self._size_bytes -= heard.size_bytes
            raise

    def _is_full(self) -> bool:
        return self.waiting > MOST_WAITING or self._size_bytes > MOST_WAITING_BYTES

    async def settle(self, ask: Ask) -> None:
        """Write the line first if a check of the same action waits in it: a request must find it.

        Raises:
            StoreUnavailable: It could not be written.
        """
        mine = (ask.agent.id, ask.session, ask.digest)
        if any((one.ask.agent.id, one.ask.session, one.ask.digest) == mine for one in self._line):
            await self.flush()

    async def settle_before(self, policy: LoadedPolicy) -> None:
        """Write the line first if another policy judged a check in it: this one may count what that did not.

        Raises:
            StoreUnavailable: It could not be written.
        """
        if any(one.policy is not policy for one in self._line):
            await self.flush()

    def wake(self) -> None:
        """Let the task look for earlier asks that a new series waits for."""
        self._filling = True
        self._work.set()
        self._hurry.set()

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
        """Write the whole line, in one unit of work; where that fails it stands in line again.

        Raises:
            StoreUnavailable: It could not be written.
        """
        documents = self._settings.keeps_documents
        while self._line:
            # What takes time is done before the unit, which must be short, and with a turn for others after each.
            for heard in list(self._line):
                heard.what(document=documents)
                await anyio.lowlevel.checkpoint()
            # From here no turn for anybody until the unit stands in the writer's line: `settle` counts on it.
            batch = list(self._line)
            self._line.clear()
            self._being_written += len(batch)
            checks = [
                Answered(one.ask, one.verdict, one.facts, one.policy, one.what(document=documents))
                for one in batch
            ]

            async def write(unit: Unit, checks: list[Answered] = checks) -> None:
                await record_checks(unit, checks, audit=self._settings.audit)

            try:
                await self._store.write(write)
            except anyio.get_cancelled_exc_class():
                # The unit runs to its end although nobody waits for it any more.
                self._size_bytes -= sum(one.size_bytes for one in batch)
                raise
            except BaseException:
                self._line.extendleft(reversed(batch))
                raise
            else:
                self._size_bytes -= sum(one.size_bytes for one in batch)
            finally:
                self._being_written -= len(batch)

    async def _write(self) -> None:
        while True:
            await self._work.wait()
            with anyio.move_on_after(GATHER_S):
                await self._hurry.wait()
            self._work, self._hurry = anyio.Event(), anyio.Event()
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
        while self._filling:
            self._filling = False  # unless it is asked for again meanwhile
            try:
                # Between two batches, others have their turn.
                self._filling |= await self._store.write(fill)
            except BaseException:
                self._filling = True
                raise

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
