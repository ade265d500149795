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
from signoff.audit.verifier import CheckpointRow, HeadRow, IndexRow, PayloadRow, PolicyRow, Verifier


class SourceOfLog(Protocol):
    """Where the rows come from: one unchanging view of a store, read in batches of any size.

    They are read side by side.
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

    def checkpoints(self) -> AsyncIterator[Sequence[CheckpointRow]]:
        """Return the signed checkpoints, by size."""
        ...

    async def end(self) -> HeadRow | None:
        """Return where the store says that the log ends; None where nothing is ever appended."""
        ...

    def nodes(self, level: int) -> AsyncIterator[Sequence[tuple[int, bytes]]]:
        """Return index and hash of the stored tree nodes of a level above the leaves, by index.

        Asked for only where there is a head.
        """
        ...

    def policies(self) -> AsyncIterator[Sequence[PolicyRow]]:
        """Return every version of the policy."""
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
        verifier.anchor(anchor)
    head = await source.end()
    tree = None if head is None else _Tree(source)
    total, covered, fed = await source.count(), 0, 0
    checkpoints, payloads = _Rows(source.checkpoints()), _Rows(source.payloads())
    cases, index = _Rows(source.cases()), _Rows(source.index())
    async for batch in source.events():
        while batch and covered <= batch[-1][0] and (signed := await checkpoints.next()) is not None:
            covered = verifier.checkpoint(signed)
        for seq, raw in batch:
            verifier.event(seq, raw)
            if tree is not None and verifier.grown and not await tree.agrees(verifier):
                tree = None
            while (filed := await index.peek()) is not None and filed.seq <= seq:
                index.drop()
                verifier.index(filed)
        while (payload := await payloads.peek()) is not None and payload.seq < verifier.size:
            payloads.drop()
            verifier.payload(payload)
        while fed < verifier.opened and (row := await cases.next()) is not None:
            verifier.case(row)
            fed += 1
        on_progress(verifier.size, total)
    while (signed := await checkpoints.next()) is not None:
        verifier.checkpoint(signed)
    while (payload := await payloads.next()) is not None:
        verifier.payload(payload)
    while (row := await cases.next()) is not None:
        verifier.case(row)
    async for policies in source.policies():
        for policy in policies:
            verifier.policy(policy)
    if head is not None:
        verifier.head(head)
    return verifier.finish()


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

    def drop(self) -> None:
        """Take the row that `peek` showed."""
        self._held.popleft()

    async def next(self) -> Row | None:
        """Return and take the next row, None after the last."""
        row = await self.peek()
        if row is not None:
            self._held.popleft()
        return row


class _Tree:
    """The stored nodes, a stream for each level."""

    def __init__(self, source: SourceOfLog) -> None:
        self._source = source
        self._levels: dict[int, _Rows[tuple[int, bytes]]] = {}

    async def agrees(self, verifier: Verifier) -> bool:
        """Compare what the last event completed with what is stored."""
        for made in verifier.grown:
            level = made[0]
            if level not in self._levels:
                self._levels[level] = _Rows(self._source.nodes(level))
            if not verifier.node(made, await self._levels[level].next()):
                return False
        return True
