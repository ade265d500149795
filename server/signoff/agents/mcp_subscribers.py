"""The subscriptions of the MCP revisions before 2026-07-28: one task each, for as long as it has something to watch."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc

from signoff.domain.errors import LimitExceeded, SignoffError

MAX_SUBSCRIPTIONS = 100  # of one MCP session

Ready = Callable[[], None]
Watching = Callable[[Ready], Awaitable[None]]
"""Watches something until it can no longer change; calls its argument once no later change can be missed."""

logger = logging.getLogger(__name__)


class Subscribers:
    """Who watches what, by MCP session and URI."""

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self._tasks = tasks
        self._scopes: dict[tuple[str, str], anyio.CancelScope] = {}

    async def subscribe(self, session: str, uri: str, *, watching: Watching) -> None:
        """Watch a URI for an MCP session; return once no later change can be missed.

        A second time for the same session and URI changes nothing.

        Raises:
            LimitExceeded: 100 subscriptions in this MCP session.
            StoreUnavailable: It cannot be watched now.
        """
        if (session, uri) in self._scopes:
            return
        held = sum(1 for owner, _ in self._scopes if owner == session)
        if held >= MAX_SUBSCRIPTIONS:
            raise LimitExceeded("uri", f"{MAX_SUBSCRIPTIONS} subscriptions", f"{held + 1} subscriptions")
        self._scopes[session, uri] = anyio.CancelScope()
        await self._tasks.start(self._watch, (session, uri), watching)

    def unsubscribe(self, session: str, uri: str) -> None:
        """Stop watching a URI for an MCP session, if it was watched."""
        scope = self._scopes.pop((session, uri), None)
        if scope is not None:
            scope.cancel()

    async def _watch(
        self, key: tuple[str, str], watching: Watching, *, task_status: anyio.abc.TaskStatus[None]
    ) -> None:
        scope = self._scopes[key]
        began = False

        def ready() -> None:
            nonlocal began
            began = True
            task_status.started()

        try:
            with scope:
                await watching(ready)
            if not began:  # unsubscribed while it began
                ready()
        except SignoffError as error:
            if not began:
                raise
            # One lost subscription must not end the connection; the reader finds out by reading.
            logger.warning("A subscription ended: %s", error.code)
        finally:
            if self._scopes.get(key) is scope:
                del self._scopes[key]


@asynccontextmanager
async def subscribers(_server: object) -> AsyncGenerator[Subscribers]:
    """Hold the subscriptions of one server for its life; used as the SDK's lifespan."""
    async with anyio.create_task_group() as tasks:
        yield Subscribers(tasks)
        tasks.cancel_scope.cancel()
