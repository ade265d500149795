"""Waking those who wait for a case, whoever changed it.

Changes of this process wake at once. Changes of other processes are found by `PRAGMA data_version`, polled only
while somebody waits.
"""

from __future__ import annotations

from collections.abc import Iterable

import anyio


class Watching:
    """One waiter's bell; it rings once and is then made anew."""

    def __init__(self) -> None:
        self._bell = anyio.Event()

    def ring(self) -> None:
        """Wake the waiter."""
        self._bell.set()

    async def wait(self, wait_s: float) -> bool:
        """Sleep until rung, at most `wait_s` seconds; True if rung."""
        with anyio.move_on_after(max(wait_s, 0)):
            await self._bell.wait()
        rang = self._bell.is_set()
        self._bell = anyio.Event()
        return rang


class Waiters:
    """Who waits for which case in this process."""

    def __init__(self) -> None:
        self._by_case: dict[str | None, set[Watching]] = {}
        self._someone = anyio.Event()

    def add(self, escalation_id: str | None) -> Watching:
        """Let someone wait for a case, or for anything at all."""
        watching = Watching()
        self._by_case.setdefault(escalation_id, set()).add(watching)
        self._someone.set()
        return watching

    def remove(self, escalation_id: str | None, watching: Watching) -> None:
        """Let them go."""
        mine = self._by_case[escalation_id]
        mine.discard(watching)
        if not mine:
            del self._by_case[escalation_id]
        if not self._by_case:
            self._someone = anyio.Event()

    def wake(self, escalation_ids: Iterable[str]) -> None:
        """Wake everyone who waits for one of some cases."""
        for escalation_id in escalation_ids:
            for watching in self._by_case.get(escalation_id, ()):
                watching.ring()
        self.wake_watchers_of_all()

    def wake_watchers_of_all(self) -> None:
        """Wake everyone who waits for anything at all."""
        for watching in self._by_case.get(None, ()):
            watching.ring()

    @property
    def anyone(self) -> bool:
        """Say whether anyone waits."""
        return bool(self._by_case)

    async def someone_waits(self) -> None:
        """Sleep until at least one waits."""
        await self._someone.wait()
