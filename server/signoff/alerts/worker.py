"""Takes alerts from the outbox, sends them, and records how it went.

At least once: an alert that was sent and not recorded (a crash in between) is sent again, under the same id.
Every address is sent to on its own, so that a slow one holds up nobody else.
"""

from __future__ import annotations

import logging
from functools import partial

import anyio

from signoff.alerts.channels import Channels
from signoff.alerts.messages import alert_message, notice_message
from signoff.alerts.sending import keep_sending
from signoff.desk.deliver import Errand, Notice, is_due, lease, lease_notices, record
from signoff.desk.desk import Desk
from signoff.desk.heartbeat import beat
from signoff.domain.errors import SignoffError

log = logging.getLogger("signoff.alerts")

AT_ONCE = 48


async def run_alerts(desk: Desk, channels: Channels, *, owner: str) -> None:
    """Send alerts until cancelled.

    Args:
        owner: Names this worker among all processes; leases are held under it.
    """
    # Four times within the time after which it would count as silent.
    beat_every_s = desk.settings.silent_after.total_seconds() / 4
    beat_at = anyio.current_time() - beat_every_s

    async def take(most: int) -> list[Errand | Notice]:
        nonlocal beat_at
        errands = await take_due(desk, owner=owner, most=most)
        # After looking, so that a worker that cannot look is not seen at work.
        if anyio.current_time() - beat_at >= beat_every_s:
            await beat(desk, owner)
            beat_at = anyio.current_time()
        return errands

    await keep_sending(
        "Alerts", take=take, send=partial(deliver, desk, channels, owner=owner), at_once=AT_ONCE
    )


async def send_due(desk: Desk, channels: Channels, *, owner: str) -> int:
    """Send what is due now and return how many alerts that were; for a process that stands in for a silent worker."""
    errands = await take_due(desk, owner=owner, most=AT_ONCE)
    async with anyio.create_task_group() as sending:
        for errand in errands:
            sending.start_soon(partial(deliver, desk, channels, errand, owner=owner))
    return len(errands)


async def take_due(desk: Desk, *, owner: str, most: int) -> list[Errand | Notice]:
    """Lease what is due, without a transaction where nothing is, or nothing may be written."""
    if most == 0 or desk.store.read_only is not None or not await is_due(desk):
        return []
    errands = await lease(desk, owner, most=most)
    # Afterwards, because leasing is what makes digests.
    notices = await lease_notices(desk, owner, most=most - len(errands)) if len(errands) < most else []
    return [*errands, *notices]


async def deliver(desk: Desk, channels: Channels, errand: Errand | Notice, *, owner: str) -> None:
    """Send one alert and record the result; what goes wrong here ends with the lease, and another try."""
    alert = errand.alert
    try:
        message = (
            alert_message(errand, channels.wording)
            if isinstance(errand, Errand)
            else notice_message(errand, channels.wording)
        )
        delivery = await channels.send(alert.address, message)
        await record(desk, owner, errand, delivery)
    except SignoffError as error:
        log.warning("How alert %s went could not be recorded: %s", alert.id, error.message)
    except Exception:
        log.exception("Alert %s failed with an internal error.", alert.id)
