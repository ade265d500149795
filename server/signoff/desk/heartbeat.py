"""Whether anybody sends the alerts: workers are seen at it, and somebody notices when none is.

Nothing is silent while nothing is due. A beat is a row and no event: the log is not written several times a minute.
"""

from __future__ import annotations

from datetime import timedelta

from signoff.desk.dead_letters import ONCE_PER, admins
from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.domain.alert import Alert, AlertDraft, Silence
from signoff.domain.clock import from_text, to_text
from signoff.domain.duty import chosen
from signoff.domain.event import SYSTEM, Draft
from signoff.store.reader import Reader
from signoff.store.unit import Unit

FORGET_AFTER = timedelta(days=1)


async def beat(desk: Desk, owner: str) -> None:
    """Note that a worker looks for alerts to send; nothing while nothing may be written."""
    if desk.store.read_only is not None:
        return

    async def move(unit: Unit) -> None:
        await unit.outbox.beat(owner, forget_before=unit.now - FORGET_AFTER)

    await desk.store.write(move)


async def silence(desk: Desk, reader: Reader) -> Silence | None:
    """Return what waits in vain: alerts that are due for long, while no worker was seen for as long."""
    now = await moment(desk, reader)
    waiting, since = await reader.outbox.overdue(now)
    if since is None or now - since < desk.settings.silent_after:
        return None
    last = await reader.outbox.last_beat()
    if last is not None and now - last < desk.settings.silent_after:
        return None
    return Silence(waiting, since, last)


async def note_silence(desk: Desk) -> Silence | None:
    """Return what waits in vain, and put alerts to the administrators into the outbox, at most one an hour each.

    Whoever calls this sends them: the worker that should does not.
    """
    if desk.store.read_only is not None:
        return None
    async with desk.store.reading() as reader:
        if await silence(desk, reader) is None:
            return None

    async def move(unit: Unit) -> Silence | None:
        found = await silence(desk, unit)
        if found is None:
            return None
        told = 0
        for admin in await admins(unit):
            for address in chosen(admin, "critical"):
                if await unit.told_lately("heartbeat", admin.id, address, unit.now - ONCE_PER):
                    continue
                about = f"{found.waiting} {to_text(found.since)}"
                draft = AlertDraft("heartbeat", admin.id, address, "critical", unit.now, about=about)
                told += await unit.add_alert(None, draft)
        if told:
            last = None if found.last_beat_at is None else to_text(found.last_beat_at)
            data = {"waiting": found.waiting, "since": to_text(found.since), "last_beat_at": last}
            await unit.record(Draft("worker.silent", unit.now, SYSTEM, data))
        return found

    return await desk.store.write(move)


async def silence_of(unit: Unit, alert: Alert) -> Silence | None:
    """Return what an administrator is told of a silent worker, None once one was seen again.

    As it was when the alert was written: whoever sends it has taken up what waited.
    """
    last = await unit.outbox.last_beat()
    if alert.about is None or (last is not None and last >= alert.due_at):
        return None
    waiting, since = alert.about.split(" ")
    return Silence(int(waiting), from_text(since), last)
