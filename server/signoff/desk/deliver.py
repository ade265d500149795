"""Telling people, the desk's half: who is told, leases, links, and what came of sending.

The worker in `alerts/` does the sending. At least once: an alert is forgotten only when a channel has it, when
its case has ended, or visibly, after the last try.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import orjson

from signoff.desk.addresses import note_delivery
from signoff.desk.checkpoints import footer, publish_checkpoint
from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.desk.sign_in import issue_case_link
from signoff.domain.alert import About, Alert, AlertDraft, Delivery, Sent
from signoff.domain.clock import from_text
from signoff.domain.errors import SignoffError
from signoff.domain.escalation import Escalation
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.people import Person, SignIn, may_see_case
from signoff.domain.policy import Queue
from signoff.store.reader import Reader
from signoff.store.unit import Unit

MOST_TRIES = 10
FIRST_DELAY_S = 5
LONGEST_DELAY_S = 15 * 60


@dataclass(frozen=True, slots=True)
class Errand:
    """One alert on its way, with all that a message may say. Holds a secret: the link."""

    alert: Alert
    person: Person
    case: Escalation
    link_url: str
    """A magic link, where there is something to decide; else where to read about it, without a token."""
    why: str
    """Title of the first trigger that fired; the policy's words, not the agent's."""
    agent_name: str
    seconds_left: int
    footer: str
    """`audit 137 eH22nAG2`: the newest checkpoint, so that every reader holds an anchor of the log."""
    page_url: str = ""
    """The page of the case, without a token: it opens for people who are signed in."""
    by: tuple[str, ...] = ()
    """Names: who decided, or who handed the case over; empty where nobody did, or not yet."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert on its way that is about no case."""

    alert: Alert
    person: Person
    about: About | None
    """None for a test."""
    link_url: str
    """The inbox; opening it needs a sign-in."""
    footer: str


async def alerts_for(unit: Unit, case: Escalation, queue: Queue) -> tuple[AlertDraft, ...]:
    """Return the alerts of a new case: each tier's people at its time, each address once.

    Later tiers wait in the outbox and are dropped when the case ends. Where the first tier reaches nobody who
    may decide this case, everybody who may is told at once: a case that only others hear of helps nobody.
    """
    people = [one for one in await unit.people() if one.disabled_at is None]
    due: dict[str, datetime] = {}
    for tier in queue.tiers:
        due_at = case.opened_at + (tier.after or timedelta(0))
        for person in people:
            if any(_is_meant(person, target, case.queue) for target in tier.alert):
                due.setdefault(person.id, due_at)
    able = [one for one in people if _may_decide(one, case)]
    if not any(due.get(one.id) == case.opened_at for one in able):
        due |= {one.id: case.opened_at for one in able}
    return tuple(
        AlertDraft("opened", person.id, address, case.urgency, due[person.id])
        for person in people
        if person.id in due
        for address in dict.fromkeys(person.addresses)
    )


def _may_decide(person: Person, case: Escalation) -> bool:
    if case.require.role not in person.roles and "supervisor" not in person.roles:
        return False
    return may_see_case(SignIn(person, "link"), case.id, case.queue)


def _is_meant(person: Person, target: str, queue: str) -> bool:
    kind, _, name = target.partition(":")
    if kind == "person":
        return person.name == name
    if name not in person.roles:
        return False
    return name != "operator" or not person.queues or queue in person.queues


async def lease(desk: Desk, owner: str, *, most: int = 10) -> list[Errand]:
    """Take alerts that are due, each with a fresh link, most urgent first.

    A link is issued here and not earlier, so its secret is never stored. What is not recorded within
    `lease_s` is free for another worker.

    Args:
        owner: Names this worker; leases are recorded under it.
    """
    # The footer is an anchor of the log as it stands now. An alert goes out also where nothing can be signed.
    with suppress(SignoffError, OSError):
        await publish_checkpoint(desk)

    async def move(unit: Unit) -> list[Errand]:
        until = unit.now + timedelta(seconds=desk.settings.lease_s)
        made = []
        for alert in await unit.lease_alerts(owner, until=until, most=most):
            case, person = await unit.case(alert.escalation_id), await unit.person(alert.person_id)
            if case is None or person is None or not case.is_open or person.disabled_at is not None:
                await unit.finish_alert(alert.id, owner, state="dropped", error=None)
                continue
            agent = await unit.agent(case.agent_id)
            made.append(
                Errand(
                    alert=alert,
                    person=person,
                    case=case,
                    link_url=await issue_case_link(unit, desk, case, person, alert.address),
                    why=await why_of(unit, case),
                    agent_name=agent.name if agent else case.agent_id,
                    seconds_left=max(int((case.deadline_at - unit.now).total_seconds()), 0),
                    footer=await footer(unit),
                    page_url=f"{desk.settings.base_url}/cases/{case.id}",
                )
            )
        return made

    return await desk.store.write(move)


async def record(desk: Desk, owner: str, errand: Errand, delivery: Delivery) -> None:
    """Record how sending an alert went; a failure is tried again later, up to ten times over about an hour.

    Nothing is recorded for an alert that was dropped meanwhile, or whose lease another worker holds now.
    """
    alert = errand.alert
    channel = alert.address.partition(":")[0]
    data = {"alert": alert.id, "person": alert.person_id, "channel": channel, "attempt": alert.attempts}

    async def move(unit: Unit) -> None:
        await note_delivery(unit, alert.person_id, alert.address, delivery)
        if isinstance(delivery, Sent):
            if await unit.finish_alert(alert.id, owner, state="sent", error=None):
                await unit.record(Draft("alert.sent", unit.now, SYSTEM, data, alert.escalation_id))
            return
        if not delivery.permanent and alert.attempts < MOST_TRIES:
            due_at = unit.now + retry_after(alert)
            await unit.delay_alert(alert.id, owner, due_at=due_at, error=delivery.why)
            return
        if await unit.finish_alert(alert.id, owner, state="failed", error=delivery.why):
            await unit.record(Draft("alert.failed", unit.now, SYSTEM, data, alert.escalation_id))

    await desk.store.write(move)


def retry_after(alert: Alert) -> timedelta:
    """Return how long to wait after a failed try: doubling from 5 s to 15 min, ±25% by the alert's id.

    The jitter comes from the id, so that a restart does not reshuffle it and alerts that failed together
    do not come back together.
    """
    base = min(FIRST_DELAY_S * 2 ** (alert.attempts - 1), LONGEST_DELAY_S)
    share = sha256(f"{alert.id}/{alert.attempts}".encode()).digest()[0] / 255
    return timedelta(seconds=base * (0.75 + share / 2))


async def is_due(desk: Desk) -> bool:
    """Say whether the outbox has work now; costs no transaction."""
    async with desk.store.reading() as reader:
        due_at = await reader.next_alert_due()
        return due_at is not None and from_text(due_at) <= await moment(desk, reader)


async def why_of(reader: Reader, case: Escalation) -> str:
    """Return the title of the first trigger that fired; the policy's words."""
    document = await reader.document(case.id)
    fired = orjson.loads(document)["verdict"]["fired"] if document else []
    return fired[0]["title"] if fired else "The policy asks for a person"
