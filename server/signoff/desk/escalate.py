"""The tier clock: who of a queue is told of a case, and when the next are.

What is due follows from the case, its events and the policy as it is now, and every step is one compare-and-set with
its event and its alerts: nothing is told twice because two processes looked, and nothing is forgotten because one died.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import orjson

from signoff.desk.desk import Desk
from signoff.desk.duty import Target, may_decide, targets
from signoff.desk.moment import moment
from signoff.domain.alert import AlertDraft, AlertKind
from signoff.domain.change import Change
from signoff.domain.clock import from_text
from signoff.domain.duty import chosen
from signoff.domain.errors import SignoffError
from signoff.domain.escalation import Escalation, expired
from signoff.domain.handling import escalated, next_tier_at, repeat_at, repeated
from signoff.domain.people import Person
from signoff.domain.policy import Tier
from signoff.store.reader import Reader
from signoff.store.unit import Unit
from signoff.triggers.load import LoadedPolicy

log = logging.getLogger("signoff")

LOOK_AGAIN = timedelta(minutes=1)
"""How soon the clock looks again where something is due and nobody is on duty."""


@dataclass(frozen=True, slots=True)
class _Reached:
    tier: int
    people: list[Target]


async def escalate_due(desk: Desk) -> int:
    """Move every case whose next tier, or repeat, is due; return how many moves that were.

    A case that cannot be moved holds up no other; it is tried again at the next call.
    """
    moves = 0
    policy = desk.policy.current()
    async with desk.store.reading() as reader:
        due = await reader.cases_to_look_at(await moment(desk, reader), policy.digest)
    for escalation_id in due:
        try:
            moves += await escalate(desk, escalation_id)
        except SignoffError as error:
            log.warning("The tiers of %s wait: %s", escalation_id, error.message)
    return moves


async def escalate(desk: Desk, escalation_id: str) -> int:
    """Alert whoever is due to hear of a case now, and return how many moves that were."""

    async def move(unit: Unit) -> int:
        case = await unit.case(escalation_id)
        # What its deadline does to a case is decided where cases expire.
        if case is None or not case.is_open or unit.now >= case.deadline_at:
            return 0
        return (await take_up(unit, case, desk.policy.current())).handled - case.handled

    return await desk.store.write(move)


async def take_up(unit: Unit, case: Escalation, policy: LoadedPolicy, *, at_once: bool = False) -> Escalation:
    """Do whatever is due for an open case, plan the next look at it, and return it as it stands then.

    Args:
        at_once: Nobody of the case's tier was told, so the next is due now.
    """
    tiers = policy.policy.queue_named(case.queue).tiers
    while (change := await _due(unit, case, tiers, at_once=at_once)) is not None:
        case, at_once = await unit.apply(change), False
    await unit.plan_case(case.id, look_at=_look_at(case, tiers, unit.now), policy_digest=policy.digest)
    return case


async def _due(unit: Unit, case: Escalation, tiers: Sequence[Tier], *, at_once: bool) -> Change | None:
    tier_at = next_tier_at(case, tiers)
    if tier_at is not None and (at_once or tier_at <= unit.now):
        reached = await _reach(unit, case, tiers, case.tier + 1)
        if reached is not None:
            return _escalation(unit, case, reached)
    again_at = repeat_at(case, tiers)
    if again_at is not None and again_at <= unit.now:
        people = await _in_hand(unit, case, tiers)
        if people:
            change = repeated(case, alerted=len(people), now=unit.now)
            return replace(change, alerts=drafts("repeated", case, people, unit.now))
    return None


def _look_at(case: Escalation, tiers: Sequence[Tier], now: datetime) -> datetime | None:
    due = [at for at in (next_tier_at(case, tiers), repeat_at(case, tiers)) if at is not None]
    # What is due and was not done waits for somebody to come on duty.
    return min((at if at > now else now + LOOK_AGAIN for at in due), default=None)


async def _reach(unit: Unit, case: Escalation, tiers: Sequence[Tier], first: int) -> _Reached | None:
    """Return the first tier from one on in which somebody is on duty."""
    for number in range(first, len(tiers)):
        people = await targets(unit, tiers[number], case, unit.now)
        if people:
            return _Reached(number, people)
    return None


def _escalation(
    unit: Unit, case: Escalation, reached: _Reached, *, deadline_at: datetime | None = None
) -> Change:
    change = escalated(
        case,
        tier=reached.tier,
        alerted=len(reached.people),
        skipped=range(case.tier + 1, reached.tier),
        now=unit.now,
        deadline_at=deadline_at,
    )
    return replace(change, alerts=drafts("escalated", case, reached.people, unit.now))


async def _in_hand(unit: Unit, case: Escalation, tiers: Sequence[Tier]) -> list[Target]:
    """Return who is reminded: the person who was given the case, otherwise its tier."""
    if case.assigned_to is not None:
        person = await unit.person(case.assigned_to)
        if person is not None and may_decide(person, case, owner=await owner_of(unit, case)):
            return await addressed(unit, case, person)
    return await targets(unit, tiers[min(case.tier, len(tiers) - 1)], case, unit.now)


async def addressed(unit: Unit, case: Escalation, person: Person) -> list[Target]:
    """Return where a person who was chosen by name is told, on duty or not."""
    on_duty = await targets(unit, Tier(alert=(f"person:{person.name}",)), case, unit.now)
    if on_duty:
        return on_duty
    return [(person, chosen(person, case.urgency))] if person.addresses else []


async def first_alerts(
    unit: Unit, case: Escalation, tiers: Sequence[Tier], *, kind: AlertKind = "opened"
) -> tuple[AlertDraft, ...]:
    """Return the alerts of a queue's first tier for a case; none where only a later tier has somebody on duty.

    Where no tier has, everybody who may decide is told, on duty or not: a case that nobody hears of helps nobody.
    """
    reached = await _reach(unit, case, tiers, 0)
    if reached is None:
        return drafts(kind, case, await everybody(unit, case), unit.now)
    return drafts(kind, case, reached.people, unit.now) if reached.tier == 0 else ()


async def alerts_anew(unit: Unit, case: Escalation, tiers: Sequence[Tier]) -> tuple[AlertDraft, ...]:
    """Return the alerts of a case that is open again: of every tier that it had come to, each person once."""
    people: dict[str, Target] = {}
    for tier in tiers[: case.tier + 1]:
        for person, addresses in await targets(unit, tier, case, unit.now):
            people.setdefault(person.id, (person, addresses))
    told = list(people.values()) or await everybody(unit, case)
    return drafts("opened", case, told, unit.now)


async def everybody(unit: Unit, case: Escalation) -> list[Target]:
    """Return all who may decide a case, on duty or not."""
    owner = await owner_of(unit, case)
    people = [one for one in await unit.people() if one.addresses and may_decide(one, case, owner=owner)]
    return [(one, chosen(one, case.urgency)) for one in people]


async def owner_of(reader: Reader, case: Escalation) -> str | None:
    """Return the person on whose behalf a case's agent runs."""
    agent = await reader.agent(case.agent_id)
    return agent.owner if agent else None


async def at_deadline(unit: Unit, case: Escalation, policy: LoadedPolicy) -> Change:
    """Return what becomes of a case whose deadline has passed: another tier and time for it, or its end.

    At the end, whoever was told of the case hears that it is over, as at every end (`store/outbox.py`).
    """
    tiers = policy.policy.queue_named(case.queue).tiers
    reached = None
    if case.on_deadline == "next_tier":
        reached = await _reach(unit, case, tiers, case.tier + 1)
    if reached is None:
        return expired(case, now=unit.now)
    return _escalation(unit, case, reached, deadline_at=unit.now + await _approve_within(unit, case))


async def _approve_within(unit: Unit, case: Escalation) -> timedelta:
    """Return the time that people had at first, as the case's first event states it."""
    events = await unit.events_of_case(case.id)
    return from_text(orjson.loads(events[0][1])["data"]["deadline_at"]) - case.opened_at


def drafts(
    kind: AlertKind, case: Escalation, people: Iterable[Target], now: datetime
) -> tuple[AlertDraft, ...]:
    """Return an alert to each address."""
    return tuple(
        AlertDraft(kind, person.id, address, case.urgency, now)
        for person, addresses in people
        for address in addresses
    )
