"""A snapshot of the store in the words of the verifier (`audit/verify.py: SourceOfLog`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from signoff.audit.fold import CaseRow
from signoff.audit.payloads import PayloadDigest, PayloadRow
from signoff.audit.verifier import CheckpointRow, EventRow, HeadRow, PolicyRow
from signoff.store.ahead import Payloads
from signoff.store.reader import Reader


class LogSource:
    """Lends a reader's streams under the verifier's names; the reader must see one unchanging state."""

    def __init__(self, reader: Reader, payloads: Payloads | None = None) -> None:
        """Lend a reader's streams.

        Args:
            payloads: Those of the same state, if another process reads them ahead.
        """
        self._reader = reader
        self._payloads = payloads

    async def count(self) -> int:
        """Return how many events there are."""
        return await self._reader.count()

    def events(self) -> AsyncIterator[Sequence[EventRow]]:
        """Return the events, by number."""
        return self._reader.filed_events()

    def payloads(self) -> AsyncIterator[Sequence[PayloadRow | PayloadDigest]]:
        """Return the payloads, by event number."""
        return self._reader.payloads() if self._payloads is None else self._payloads()

    def checkpoints(self) -> AsyncIterator[Sequence[CheckpointRow]]:
        """Return the signed checkpoints, by size."""
        return self._reader.checkpoints()

    async def end(self) -> HeadRow:
        """Return where the store says that the log ends."""
        return await self._reader.head_row()

    def nodes(self, level: int) -> AsyncIterator[Sequence[tuple[int, bytes]]]:
        """Return index and hash of the stored tree nodes of a level, by index."""
        return self._reader.nodes_of_level(level)

    def policies(self) -> AsyncIterator[Sequence[PolicyRow]]:
        """Return every version of the policy."""
        return self._reader.policies()

    def cases(self) -> AsyncIterator[Sequence[CaseRow]]:
        """Return the stored cases in the order of their first events."""
        return self._reader.case_rows()
