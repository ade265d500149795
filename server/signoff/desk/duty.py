"""Who is on duty, and where their alerts go: the desk's side of `domain/duty.py`."""

from __future__ import annotations

from datetime import datetime

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
    people = [one for one in await reader.people() if one.disabled_at is None and one.addresses]
    meant = [one for one in people if any(_is_meant(one, target, case.queue) for target in tier.alert)]
    return [(one, tuple(dict.fromkeys(one.addresses))) for one in meant if may_decide(one, case)]


def may_decide(person: Person, case: Escalation) -> bool:
    """Say whether somebody has the role for a case, and sees its queue."""
    if case.role_needed not in person.roles and "supervisor" not in person.roles:
        return False
    return may_see_case(SignIn(person, "link"), case.id, case.queue)


def _is_meant(person: Person, target: str, queue: str) -> bool:
    kind, _, name = target.partition(":")
    if kind == "person":
        return person.name == name
    if name not in person.roles:
        return False
    return name != "operator" or not person.queues or queue in person.queues
