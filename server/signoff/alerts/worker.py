"""Takes alerts from the outbox, sends them, and records how it went.

At least once: an alert that was sent and not recorded (a crash in between) is sent again, under the same id.
Every address is sent to on its own, so that a slow one holds up nobody else.
"""

from __future__ import annotations

import logging

import anyio

from signoff.alerts.channels import Channels
from signoff.alerts.messages import alert_message
from signoff.desk.deliver import Errand, is_due, lease, record
from signoff.desk.desk import Desk
from signoff.domain.errors import SignoffError

log = logging.getLogger("signoff.alerts")

AT_ONCE = 16  # no more are leased than can be sent at once, so that no lease runs out in a queue
LOOK_EVERY_S = 0.5  # how late an alert that another process put into the outbox may be noticed
PAUSE_AFTER_ERROR_S = 5.0


async def run_alerts(desk: Desk, channels: Channels, *, owner: str) -> None:
    """Send alerts until cancelled.

    Args:
        owner: Names this worker among all processes; leases are held under it.
    """
    free = anyio.Semaphore(AT_ONCE)
    async with anyio.create_task_group() as sending:
        while True:
            try:
                errands = await take_due(desk, owner=owner, most=free.value)
            except SignoffError as error:
                log.warning("Alerts wait: %s", error.message)
                await anyio.sleep(PAUSE_AFTER_ERROR_S)
                continue
            except Exception:
                log.exception("Alerts wait after an internal error.")
                await anyio.sleep(PAUSE_AFTER_ERROR_S)
                continue
            for errand in errands:
                free.acquire_nowait()
                sending.start_soon(_deliver_and_free, desk, channels, owner, errand, free)
            if not errands:
                await anyio.sleep(LOOK_EVERY_S)


async def take_due(desk: Desk, *, owner: str, most: int) -> list[Errand]:
    """Lease what is due, without a transaction where nothing is, or nothing may be written."""
    if most == 0 or desk.store.read_only is not None or not await is_due(desk):
        return []
    return await lease(desk, owner, most=most)


async def deliver(desk: Desk, channels: Channels, errand: Errand, *, owner: str) -> None:
    """Send one alert and record the result; what goes wrong here ends with the lease, and another try."""
    alert = errand.alert
    try:
        delivery = await channels.send(alert.address, alert_message(errand))
        await record(desk, owner, errand, delivery)
    except SignoffError as error:
        log.warning("How alert %s went could not be recorded: %s", alert.id, error.message)
    except Exception:
        log.exception("Alert %s failed with an internal error.", alert.id)


async def _deliver_and_free(
    desk: Desk, channels: Channels, owner: str, errand: Errand, free: anyio.Semaphore
) -> None:
    try:
        await deliver(desk, channels, errand, owner=owner)
    finally:
        free.release()
