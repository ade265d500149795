"""The seam between the desk and a database: what a store promises.

Everything that a call acknowledges is on disk. Units of work run one after another, whichever task or process
they come from; each is written whole or not at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from signoff.domain.people import Agent
from signoff.store.reader import Reader
from signoff.store.unit import Unit

T = TypeVar("T")


class Watch(Protocol):
    """Watches one case; made before the case is read, so that no change falls between."""

    async def wait(self, wait_s: float) -> bool:
        """Sleep until the case changes, at most `wait_s` seconds; True if it did. Wakes may be false."""
        ...


class Store(Protocol):
    """Durable memory."""

    read_only: str | None
    """Why nothing is written, None where it is. Set when the log is not the one that was signed."""

    async def write(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Run a unit of work in a transaction and return what it returned, once that is on disk.

        The work runs to its end even if the caller is cancelled, and must not call `write` itself. If it
        raises, nothing of it is written and the error is raised here.

        Raises:
            StoreUnavailable: The transaction could not be committed (disk full, read-only, locked), or the store
                is `read_only`.
        """
        ...

    async def mend(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Write although the store is `read_only`: for recovery, and for erasing again what a backup brought back."""
        ...

    async def scrub(self, *, vacuum: bool) -> bool:
        """Bring what was erased out of every file of the database: write-ahead log, free pages, page slack.

        Args:
            vacuum: Rewrite the database, which takes time and holds off other writers. Without it, remains of what
                was erased may lie in pages that were split.

        Returns:
            False where another connection reads an older state for too long; try again.
        """
        ...

    def reading(self) -> AbstractAsyncContextManager[Reader]:
        """Lend a connection that reads what is committed.

        Raises:
            StoreUnavailable: The file cannot be read.
        """
        ...

    async def agent(self, agent_id: str) -> Agent | None:
        """Return an agent by id as it is committed now, whichever process wrote it.

        Every call of an agent asks this first, so that a pause counts at once; a store answers as fast as it can, and
        remembers nothing between two calls.

        Raises:
            StoreUnavailable: The file cannot be read.
        """
        ...

    async def agent_by_key(self, key_hash: bytes) -> Agent | None:
        """Return the agent that holds a key now; as `agent`."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[Reader]:
        """Lend a connection of its own that sees one unchanging state: for exports and verification."""
        ...

    def watch(self, escalation_id: str | None) -> AbstractAsyncContextManager[Watch]:
        """Watch a case for changes by any task or process; None: everything that is written."""
        ...
