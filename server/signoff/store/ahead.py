"""Reading and hashing a log's payloads in a process of its own, ahead of the one that verifies the log.

The bytes of the payloads are most of a log. What comes back of each is its commitment and a few words, a page at a
time; the pipe holds a few pages, so the other process is never far ahead. It opens the database itself, and what it
says counts only if it sees the log end where this one sees it end: every change of a payload is an event.

Whatever becomes of that process, nothing goes unread: from where its answers end, payloads are read here.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from signoff.audit.payloads import PayloadDigest, digest_payload
from signoff.audit.processors import spare_processors
from signoff.store.payload_process import send_payloads
from signoff.store.reader import Reader

FIRST = 10_000
"""Payloads of earlier events are read here, in the time that the other process takes to start."""
ALONE = 2 * FIRST
"""With fewer events there is no other process."""


class Payloads:
    """The payloads of a log that a reader sees, those that another process has hashed first."""

    def __init__(self, reader: Reader, answers: Connection | None) -> None:
        self._reader = reader
        self._answers = answers
        self.were_ahead = False
        """True once the other process has sent all of them."""

    async def __call__(self) -> AsyncGenerator[Sequence[PayloadDigest]]:
        """Stream every payload by event number, in pages."""
        seq, field = -1, ""
        async for rows in self._reader.payloads():
            mine = [digest_payload(row) for row in rows if self._answers is None or row.seq < FIRST]
            if mine:
                yield mine
                seq, field = mine[-1].seq, mine[-1].field
            if len(mine) < len(rows):
                break
        while (answered := self._answer()) is not None:
            if not answered:
                self.were_ahead = True
                return
            yield answered
            seq, field = answered[-1].seq, answered[-1].field
        async for rows in self._reader.payloads(seq, field):
            yield [digest_payload(row) for row in rows]

    def _answer(self) -> list[PayloadDigest] | None:
        """Return the next page of the other process; an empty one says that all were read, None that it is gone."""
        if self._answers is None:
            return None
        try:
            return [PayloadDigest._make(one) for one in self._answers.recv()]
        except (EOFError, OSError):
            self._answers = None
            return None


@asynccontextmanager
async def payloads_ahead(path: Path, reader: Reader) -> AsyncGenerator[Payloads]:
    """Lend the payloads of a log, hashed by another process where that is worth its start.

    Args:
        path: The database file.
        reader: One unchanging view of it.
    """
    if await reader.count() < ALONE or not spare_processors():
        yield Payloads(reader, None)
        return
    # Not forked: this process may have threads that hold locks.
    context = multiprocessing.get_context("spawn")
    answers, sending = context.Pipe(duplex=False)
    process = context.Process(
        target=send_payloads, args=(await reader.orders(path, first=FIRST), sending), daemon=True
    )
    try:
        process.start()
    except OSError:
        sending.close()
        yield Payloads(reader, None)
        return
    sending.close()  # it is the other process's alone, so that its end shows here
    try:
        yield Payloads(reader, answers)
    finally:
        answers.close()
        process.kill()
        process.join()
