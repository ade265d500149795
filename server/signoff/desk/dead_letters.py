"""Alerts that were given up: who hears of it instead, and who is asked instead."""

from __future__ import annotations

from datetime import timedelta

from signoff.desk.desk import Desk
from signoff.desk.escalate import drafts, everybody, take_up
from signoff.domain.alert import ASKING, Alert, AlertDraft, DeadLetter
from signoff.domain.duty import chosen
from signoff.domain.errors import Conflict, NotFound
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.ids import made_at
from signoff.domain.people import Person
from signoff.store.unit import Unit
from signoff.triggers.load import LoadedPolicy

ONCE_PER = timedelta(hours=1)
"""How often an administrator hears that alerts to one and the same address are given up."""


async def tell_admins(unit: Unit, alert: Alert) -> None:
    """Tell the administrators of a dead letter, at other addresses than the one that failed.

    What fails of that makes no further dead letter.
    """
    for admin in await admins(unit):
        for address in chosen(admin, "high"):
            if address == alert.address or await unit.dead_letter_told(
                admin.id, address, alert_id=alert.id, since=unit.now - ONCE_PER
            ):
                continue
            draft = AlertDraft("dead_letter", admin.id, address, "high", unit.now, about=alert.id)
            await unit.add_alert(None, draft)


async def admins(unit: Unit) -> list[Person]:
    """Return the people who look after this server."""
    return [one for one in await unit.people() if "admin" in one.roles and one.disabled_at is None]


async def dead_letter_of(unit: Unit, alert_id: str) -> DeadLetter | None:
    """Return what an administrator is told of an alert that was given up."""
    found = await unit.alert(alert_id)
    if found is None or found[1] != "failed":
        return None
    alert, _ = found
    person = await unit.person(alert.person_id)
    return DeadLetter(
        alert_id=alert.id,
        person_name=person.name if person else alert.person_id,
        channel=alert.address.partition(":")[0],
        tries=alert.attempts,
        why=alert.last_error or "",
        more=await unit.outbox.also_failed(alert.id, unit.now - ONCE_PER),
    )


async def ask_others(unit: Unit, alert: Alert, escalation_id: str, policy: LoadedPolicy) -> None:
    """Where a dead letter means that a person was not reached for a case, let the next tier be asked at once.

    Where no later tier has anybody, everybody who may decide and was not asked yet is.
    """
    case = await unit.case(escalation_id)
    if case is None or not case.is_open or unit.now >= case.deadline_at or alert.kind not in ASKING:
        return
    if case.acknowledged_by is not None or await unit.outbox.reached(case.id, alert.person_id):
        return
    if await _passed_on_since(unit, alert, case.id):
        return
    if (await take_up(unit, case, policy, at_once=True)).tier > case.tier:
        return
    asked = {one.person_id for one, _ in await unit.alerts_of_case(case.id)}
    others = [one for one in await everybody(unit, case) if one[0].id not in asked]
    for draft in drafts("escalated", case, others, unit.now):
        await unit.add_alert(case.id, draft)


async def _passed_on_since(unit: Unit, alert: Alert, escalation_id: str) -> bool:
    """Say whether a later tier was asked since an alert was written; what becomes of that is its own affair."""
    return any(
        one.kind == "escalated" and state != "failed" and made_at(one.id) > made_at(alert.id)
        for one, state in await unit.alerts_of_case(escalation_id)
    )


async def retry_alert(desk: Desk, alert_id: str) -> Alert:
    """Take up an alert again that was given up.

    Raises:
        NotFound: There is no such alert.
        Conflict: It was not given up, or its case has ended.
    """

    async def move(unit: Unit) -> Alert:
        found = await unit.alert(alert_id)
        if found is None:
            raise NotFound("There is no such alert. See `signoff alerts list`.")
        alert, state = found
        case = await unit.case(alert.escalation_id) if alert.escalation_id is not None else None
        if case is not None and not case.is_open:
            raise Conflict("The case of this alert has ended; nobody needs the alert any more.")
        if not await unit.outbox.retry(alert_id):
            raise Conflict(f"This alert was not given up; it is {state}.")
        data = {"alert": alert.id, "person": alert.person_id}
        await unit.record(Draft("alert.retried", unit.now, SYSTEM, data, alert.escalation_id))
        return alert

    return await desk.store.write(move)
