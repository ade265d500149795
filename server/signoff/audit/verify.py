"""Verifying a whole log from a source of rows, as a stranger would: nothing is believed but the public keys.

One pass in the order of the log. Memory does not grow with it: besides one batch of each kind of row, only what is
not settled yet is held (`verifier.py` says what).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Generic, Protocol, TypeVar

from signoff.audit.fold import CaseRow
from signoff.audit.keys import PublicKeys
from signoff.audit.merkle import last_leaf
from signoff.audit.operators import Operators
from signoff.audit.payloads import PayloadDigest, PayloadRow
from signoff.audit.report import Report
from signoff.audit.verifier import CheckpointRow, EventRow, HeadRow, PolicyRow, Verifier


class SourceOfLog(Protocol):
    """Where the rows come from: one unchanging view of a store, read in batches of any size.

    They are read side by side.
    """

    async def count(self) -> int:
        """Return how many events there are."""
        ...

    def events(self) -> AsyncIterator[Sequence[EventRow]]:
        """Return the events, by number."""
        ...

    def payloads(self) -> AsyncIterator[Sequence[PayloadRow | PayloadDigest]]:
        """Return the payloads, by event number; what counts of them is enough."""
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
    total, covered, fed = await source.count(), 0, 0
    verifier = Verifier(keys, operators, expected=total)
    for anchor in anchors:
        verifier.anchor(anchor)
    head = await source.end()
    tree = None if head is None else _Tree(source)
    checkpoints, payloads = _Rows(source.checkpoints()), _Rows(source.payloads())
    cases = _Rows(source.cases())
    async for batch in source.events():
        last = batch[-1][0] if batch else -1
        while covered <= last and (signed := await checkpoints.next()) is not None:
            covered = verifier.checkpoint(signed)
        verifier.events(batch)
        if tree is not None and not await tree.agrees(verifier):
            tree = None
        while some := await payloads.up_to(lambda row: row.seq < verifier.size):
            for payload in some:
                verifier.payload(payload)
        for case in await cases.some(verifier.opened - fed):
            verifier.case(case)
            fed += 1
        on_progress(verifier.size, total)
    while (signed := await checkpoints.next()) is not None:
        verifier.checkpoint(signed)
    while (left := await payloads.next()) is not None:
        verifier.payload(left)
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
    """Batches of rows, taken as many at a time as are wanted."""

    def __init__(self, batches: AsyncIterator[Sequence[Row]]) -> None:
        self._batches = batches
        self._held: Sequence[Row] = ()
        self._at = 0

    async def _any_left(self) -> bool:
        """Say whether there is a next row, which is held then."""
        while self._at >= len(self._held):
            batch = await anext(self._batches, None)
            if batch is None:
                return False
            self._held, self._at = batch, 0
        return True

    async def up_to(self, wanted: Callable[[Row], bool]) -> Sequence[Row]:
        """Return and take the rows before the first that is not wanted, those of one batch at most."""
        if not await self._any_left():
            return ()
        start, held = self._at, self._held
        if wanted(held[-1]):  # rows are in order, so all of them are
            self._at = len(held)
        while self._at < len(held) and wanted(held[self._at]):
            self._at += 1
        return held[start : self._at]

    async def some(self, most: int) -> list[Row]:
        """Return and take up to so many rows; fewer only at the end."""
        taken: list[Row] = []
        while len(taken) < most and await self._any_left():
            start = self._at
            self._at = min(start + most - len(taken), len(self._held))
            taken += self._held[start : self._at]
        return taken

    async def next(self) -> Row | None:
        """Return and take the next row, None after the last."""
        if not await self._any_left():
            return None
        self._at += 1
        return self._held[self._at - 1]


class _Tree:
    """The stored nodes, a stream for each level."""

    def __init__(self, source: SourceOfLog) -> None:
        self._source = source
        self._levels: list[_Rows[tuple[int, bytes]]] = []

    async def agrees(self, verifier: Verifier) -> bool:
        """Compare the nodes that the last events completed with those that are stored."""
        wrong = []
        for level, made in enumerate(verifier.grown(), start=1):
            if level > len(self._levels):
                self._levels.append(_Rows(self._source.nodes(level)))
            held = await self._levels[level - 1].some(len(made)) if made else []
            if held != made:
                index = next(one[0] for one, other in zip_longest(made, held) if one != other)
                wrong.append((last_leaf(level, index), level, index))
        if wrong:
            _, level, index = min(wrong)
            verifier.node_differs(level, index)
        return not wrong
