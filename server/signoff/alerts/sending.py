"""The loop of whatever is leased, sent and recorded: alerts, and sign-in links that people asked for."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from signoff.domain.errors import SignoffError

log = logging.getLogger("signoff.alerts")

LOOK_EVERY_S = 0.5  # how late something that another process wants sent may be noticed
PAUSE_AFTER_ERROR_S = 5.0

T = TypeVar("T")


async def keep_sending(
    what: str,
    *,
    take: Callable[[int], Awaitable[Sequence[T]]],
    send: Callable[[T], Awaitable[None]],
    at_once: int,
) -> None:
    """Send what is due until cancelled, each on its own, so that a slow one holds up nobody else.

    Args:
        what: What waits where it cannot be taken, for the log.
        take: Leases at most so many that are due.
        send: Sends one and records how that went; raises nothing.
        at_once: No more are leased than can be sent at once, so that no lease runs out in a queue.
    """
    free = anyio.Semaphore(at_once)

    async def send_and_free(one: T) -> None:
        try:
            await send(one)
        finally:
            free.release()

    async with anyio.create_task_group() as sending:
        while True:
            try:
                taken = await take(free.value)
            except SignoffError as error:
                log.warning("%s wait: %s", what, error.message)
                await anyio.sleep(PAUSE_AFTER_ERROR_S)
                continue
            except Exception:
                log.exception("%s wait after an internal error.", what)
                await anyio.sleep(PAUSE_AFTER_ERROR_S)
                continue
            for one in taken:
                free.acquire_nowait()
                sending.start_soon(send_and_free, one)
            if not taken:
                await anyio.sleep(LOOK_EVERY_S)
