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
from signoff.audit.operators import Operators
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
    operators: Operators | None = None,
) -> Report:
    """Verify everything that a source holds.

    Args:
        source: The rows.
        keys: The public keys that are trusted; the log's name is that of the log's key.
        on_progress: Called after each batch with the events done and all events.
        anchors: Checkpoints kept elsewhere, as signed notes; only they show that a whole log is an old copy.
        operators: The passkeys of people, kept elsewhere; None believes those that the log enrolled.
    """
    verifier = Verifier(keys, operators)
    for anchor in anchors:
        verifier.anchor(anchor)
    head = await source.end()
    tree = None if head is None else _Tree(source)
    total, covered, fed = await source.count(), 0, 0
    checkpoints, payloads = _Rows(source.checkpoints()), _Rows(source.payloads())
    cases, index = _Rows(source.cases()), _Rows(source.index())
    async for batch in source.events():
        last = batch[-1][0] if batch else -1
        while covered <= last and (signed := await checkpoints.next()) is not None:
            covered = verifier.checkpoint(signed)
        filed: list[IndexRow] = []
        while some_filed := await index.up_to(lambda row, last=last: row.seq <= last):  # type: ignore[misc]
            filed += some_filed
        tree = await _feed(verifier, batch, filed, tree)
        while some_payloads := await payloads.up_to(lambda row: row.seq < verifier.size):
            for one in some_payloads:
                verifier.payload(one)
        while fed < verifier.opened and (some := await cases.some(verifier.opened - fed)):
            for case in some:
                verifier.case(case)
            fed += len(some)
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


async def _feed(
    verifier: Verifier, batch: Sequence[tuple[int, bytes]], filed: Sequence[IndexRow], tree: _Tree | None
) -> _Tree | None:
    """Feed a batch of events, each followed by what it is filed under and the nodes that it completes.

    Returns:
        The stored tree, None once it is another than the events make.
    """
    at, end = 0, len(filed)
    for seq, raw in batch:
        verifier.event(seq, raw)
        if tree is not None and verifier.grown and not await tree.agrees(verifier):
            tree = None
        while at < end and filed[at].seq <= seq:
            verifier.index(filed[at])
            at += 1
    return tree


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
