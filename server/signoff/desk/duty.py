"""Who is on duty, and where their alerts go: the desk's side of `domain/duty.py`."""

from __future__ import annotations

from datetime import datetime

from signoff.domain.duty import Roster, chosen
from signoff.domain.escalation import Escalation
from signoff.domain.people import Person, SignIn, may_see_case
from signoff.domain.policy import Tier
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


def may_decide(person: Person, case: Escalation, *, owner: str | None) -> bool:
    """Say whether somebody has the role for a case, sees its queue, and is not kept from deciding it.

    Args:
        owner: The person on whose behalf the agent runs.
    """
    if case.require.role not in person.roles and "supervisor" not in person.roles:
        return False
    if case.require.separation and owner == person.id:
        return False
    if any(one.person_id == person.id for one in case.approvals):
        return False
    return may_see_case(SignIn(person, "link"), case.id, case.queue)


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
