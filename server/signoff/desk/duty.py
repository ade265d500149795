"""Who is on duty, and where their alerts go: the desk's side of `domain/duty.py`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.domain.duty import Roster, chosen
from signoff.domain.errors import NotFound
from signoff.domain.escalation import Escalation
from signoff.domain.people import Person, works_queue
from signoff.domain.policy import DEFAULT_QUEUE, Tier
from signoff.store.reader import Reader

Target = tuple[Person, tuple[str, ...]]
"""Somebody to be alerted, and the addresses that their preferences choose, in order; never empty."""


async def targets(reader: Reader, tier: Tier, case: Escalation, at: datetime) -> list[Target]:
    """Return who of a tier is on duty at an instant and may decide the case, each once, by name.

    Nobody is a plain answer: then the next tier is alerted at once.

    Args:
        reader: Also a unit of work, which is a reader.
        at: The time of the unit of work that alerts.
    """
    roster = await reader.roster(at)
    agent = await reader.agent(case.agent_id)
    on_duty = {one for target in tier.alert for one in people_of(roster, target, case.queue, at)}
    found = sorted((roster.people[one] for one in on_duty), key=lambda one: one.name)
    return [
        (one, chosen(one, case.urgency))
        for one in found
        if one.addresses and may_decide(one, case, owner=agent.owner if agent else None)
    ]


@dataclass(frozen=True, slots=True)
class Standing:
    """One person, or nobody, behind a target of a tier, at an instant."""

    person: Person | None
    """Who would be alerted; None for nobody."""
    meant: Person | None
    """Whom the target means: another person where somebody stands in for them; None where `why` says all."""
    until: datetime | None
    """When that changes; None if not within two weeks."""
    zone: str
    """Whose clocks people read here."""
    why: str = ""
    """Why nobody is on duty."""


@dataclass(frozen=True, slots=True)
class TierDuty:
    """A tier of a queue, with who is on duty for each of its targets."""

    after: timedelta | None
    targets: tuple[tuple[str, tuple[Standing, ...]], ...]

    @property
    def is_vacant(self) -> bool:
        """Say whether nobody at all is on duty, so that the next tier is alerted at once."""
        return not any(one.person is not None for _, standings in self.targets for one in standings)


@dataclass(frozen=True, slots=True)
class Duty:
    """Who is on duty for every queue, at an instant."""

    at: datetime
    queues: tuple[tuple[str, tuple[TierDuty, ...]], ...]
    roster: Roster


async def duty(desk: Desk, *, at: datetime | None = None, queue: str | None = None) -> Duty:
    """Return who is on duty for the queues of the policy, now or at another instant.

    Raises:
        NotFound: The policy has no such queue.
    """
    policy = desk.policy.current().policy
    names = sorted({*policy.queues, DEFAULT_QUEUE})
    if queue is not None and queue not in names:
        raise NotFound(f"The policy has no queue called {queue[:100]}. There are: {', '.join(names)}.")
    async with desk.store.reading() as reader:
        then = at or await moment(desk, reader)
        roster = await reader.roster(then)
    queues = tuple(
        (name, tuple(_tier_duty(roster, tier, name, then) for tier in policy.queue_named(name).tiers))
        for name in ([queue] if queue is not None else names)
    )
    return Duty(then, queues, roster)


def _tier_duty(roster: Roster, tier: Tier, queue: str, at: datetime) -> TierDuty:
    found = []
    for target in tier.alert:
        kind, _, name = target.partition(":")
        if kind == "rotation":
            standings = [_rotation_standing(roster, name, queue, at)]
        else:
            meant = [one for one in roster.people.values() if _is_meant(one, kind, name, queue)]
            standings = [_standing(roster, one, queue, at) for one in meant]
        found.append((target, tuple(standings) or (Standing(None, None, None, "UTC", _nobody(kind)),)))
    return TierDuty(tier.after, tuple(found))


def _nobody(kind: str) -> str:
    return "there is nobody of that name" if kind == "person" else "nobody has that role here"


def _standing(roster: Roster, meant: Person, queue: str, at: datetime) -> Standing:
    found = roster.for_person(meant.id, at)
    until = roster.person_until(meant.id, at)
    if found is not None:
        return _reached(roster.people[found], meant, queue, until, meant.hours.zone)
    why = "outside working hours"
    if meant.disabled_at is not None:
        why = "disabled"
    elif meant.hours.hold(at):
        why = _away(roster.people[roster.stand_in(meant.id, at)], meant)
    return Standing(None, meant, until, meant.hours.zone, why)


def _rotation_standing(roster: Roster, name: str, queue: str, at: datetime) -> Standing:
    rotation = roster.rotations.get(name)
    if rotation is None:
        return Standing(None, None, None, "UTC", "there is no rotation of that name")
    meant = roster.people[rotation.turn(at).person_id]
    found, until = roster.for_rotation(name, at), roster.rotation_until(name, at)
    if found is not None:
        return _reached(roster.people[found], meant, queue, until, rotation.zone)
    why = "not served at this hour"
    if rotation.hours.hold(at):
        why = _away(roster.people[roster.stand_in(meant.id, at, rotation=name)], meant)
    return Standing(None, meant, until, rotation.zone, why)


def _reached(person: Person, meant: Person, queue: str, until: datetime | None, zone: str) -> Standing:
    if not person.addresses:
        return Standing(None, meant, until, zone, f"{person.name} has no address")
    if not person.roles & {"operator", "supervisor"}:
        return Standing(None, meant, until, zone, f"{person.name} decides no cases")
    if works_queue(person, queue):
        return Standing(person, meant, until, zone)
    if person.id == meant.id:
        return Standing(None, meant, until, zone, f"{person.name} does not work this queue")
    why = f"{person.name} stands in for {meant.name} and does not work this queue"
    return Standing(None, None, until, zone, why)


def _away(person: Person, meant: Person) -> str:
    why = "disabled" if person.disabled_at is not None else "absent"
    return why if person.id == meant.id else f"{person.name} stands in, and is {why}"


def may_decide(person: Person, case: Escalation, *, owner: str | None) -> bool:
    """Say whether somebody has the role for a case, works its queue, and is not kept from deciding it.

    Args:
        owner: The person on whose behalf the agent runs.
    """
    if person.disabled_at is not None or not works_queue(person, case.queue):
        return False
    if case.role_needed not in person.roles and "supervisor" not in person.roles:
        return False
    if case.require.separation and owner == person.id:
        return False
    return not any(one.person_id == person.id for one in case.approvals)


def people_of(roster: Roster, target: str, queue: str, at: datetime) -> list[str]:
    """Return the ids of those on duty whom a policy's `role:…`, `person:…` or `rotation:…` means."""
    kind, _, name = target.partition(":")
    if kind == "rotation":
        found = [roster.for_rotation(name, at)]
    else:
        meant = (one for one in roster.people.values() if _is_meant(one, kind, name, queue))
        found = [roster.for_person(one.id, at) for one in meant]
    return [one for one in found if one is not None]


def _is_meant(person: Person, kind: str, name: str, queue: str) -> bool:
    if kind == "person":
        return person.name == name
    if name not in person.roles:
        return False
    return name != "operator" or not person.queues or queue in person.queues
