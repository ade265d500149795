"""Verifying a whole log from a source of rows, as a stranger would: nothing is believed but the public keys.

One pass in the order of the log. Memory does not grow with it: besides one batch of each kind of row, only what is
not settled yet is held (`verifier.py` says what).
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from signoff.audit.fold import CaseRow
from signoff.audit.keys import PublicKeys
from signoff.audit.report import Report
from signoff.audit.verifier import IndexRow, PayloadRow, Verifier


class SourceOfLog(Protocol):
    """Where the rows come from: one unchanging view of a store, read in batches of any size.

    The five are read side by side.
    """

    async def count(self) -> int:
        """Return how many events there are."""
        ...

    def events(self) -> AsyncIterator[Sequence[tuple[int, bytes]]]:
        """Return each event's number and bytes, by number."""
        ...

    def index(self) -> AsyncIterator[Sequence[IndexRow]]:
        """Return what each event is filed under, by number; nothing where events are not filed."""
        ...

    def payloads(self) -> AsyncIterator[Sequence[PayloadRow]]:
        """Return the payloads, by event number."""
        ...

    def checkpoints(self) -> AsyncIterator[Sequence[str]]:
        """Return the signed notes, by size."""
        ...

    def cases(self) -> AsyncIterator[Sequence[CaseRow]]:
        """Return the stored cases in the order of their `escalation.opened` events."""
        ...


async def verify_log(
    source: SourceOfLog,
    keys: PublicKeys,
    *,
    on_progress: Callable[[int, int], None],
    anchors: Iterable[str] = (),
) -> Report:
    """Verify everything that a source holds.

    Args:
        source: The rows.
        keys: The public keys that are trusted; the log's name is that of the log's key.
        on_progress: Called after each batch with the events done and all events.
        anchors: Checkpoints kept elsewhere, as signed notes; only they show that a whole log is an old copy.
    """
    verifier = Verifier(keys)
    for anchor in anchors:
        verifier.checkpoint(anchor)
    total, covered, fed = await source.count(), 0, 0
    checkpoints, payloads = _Rows(source.checkpoints()), _Rows(source.payloads())
    cases, index = _Rows(source.cases()), _Rows(source.index())
    async for batch in source.events():
        last = batch[-1][0] if batch else -1
        while covered <= last and (note := await checkpoints.next()) is not None:
            covered = verifier.checkpoint(note)
        filed: list[IndexRow] = []
        while some_filed := await index.up_to(lambda row, last=last: row.seq <= last):  # type: ignore[misc]
            filed += some_filed
        _feed(verifier, batch, filed)
        while some_payloads := await payloads.up_to(lambda row: row.seq < verifier.size):
            for one in some_payloads:
                verifier.payload(one)
        while fed < verifier.opened and (some := await cases.some(verifier.opened - fed)):
            for case in some:
                verifier.case(case)
            fed += len(some)
        on_progress(verifier.size, total)
    while (note := await checkpoints.next()) is not None:
        verifier.checkpoint(note)
    while (payload := await payloads.next()) is not None:
        verifier.payload(payload)
    while (row := await cases.next()) is not None:
        verifier.case(row)
    return verifier.finish()


def _feed(verifier: Verifier, batch: Sequence[tuple[int, bytes]], filed: Sequence[IndexRow]) -> None:
    """Feed a batch of events, each followed by what it is filed under."""
    at, end = 0, len(filed)
    for seq, raw in batch:
        verifier.event(seq, raw)
        while at < end and filed[at].seq <= seq:
            verifier.index(filed[at])
            at += 1


Row = TypeVar("Row")


class _Rows(Generic[Row]):
    """Batches of rows, taken one by one; the next one can be looked at first."""

    def __init__(self, batches: AsyncIterator[Sequence[Row]]) -> None:
        self._batches = batches
        self._held: deque[Row] = deque()

    async def peek(self) -> Row | None:
        """Return the next row without taking it, None after the last."""
        while not self._held:
            batch = await anext(self._batches, None)
            if batch is None:
                return None
            self._held.extend(batch)
        return self._held[0]

    async def up_to(self, wanted: Callable[[Row], bool]) -> list[Row]:
        """Return and take rows before the first that is not wanted, those of one batch at most."""
        taken: list[Row] = []
        if await self.peek() is not None:
            held = self._held
            while held and wanted(held[0]):
                taken.append(held.popleft())
        return taken

    async def some(self, most: int) -> list[Row]:
        """Return and take up to so many rows, those of one batch at most; none after the last."""
        if await self.peek() is None:
            return []
        return [self._held.popleft() for _ in range(min(most, len(self._held)))]

    async def next(self) -> Row | None:
        """Return and take the next row, None after the last."""
        row = await self.peek()
        if row is not None:
            self._held.popleft()
        return row
