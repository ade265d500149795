"""The queues that the policy has, held against those that people work."""

from __future__ import annotations

from collections.abc import Iterable

from signoff.desk.desk import Desk
from signoff.domain.errors import InvalidRequest
from signoff.domain.near import meant
from signoff.domain.people import Person, works_queue
from signoff.domain.policy import DEFAULT_QUEUE


def queue_names(desk: Desk) -> list[str]:
    """Return the queues that a case may come to: those of the policy, and the one of cases whose triggers name none."""
    return sorted({*desk.policy.current().policy.queues, DEFAULT_QUEUE})


def check_queues(desk: Desk, queues: Iterable[str], *, held: Iterable[str] = ()) -> None:
    """Refuse queues to which no case ever comes.

    Args:
        held: Queues that stay though the policy has them no more: their open cases still need somebody.

    Raises:
        InvalidRequest: The policy has no such queue; the message names those it has.
    """
    names = queue_names(desk)
    for one in queues:
        if one not in names and one not in held:
            raise InvalidRequest(
                f"the policy has no queue called '{one[:100]}'{meant(one, names) or '.'} There are: {', '.join(names)}.",
                field="queues",
            )


def without_cases(desk: Desk, person: Person) -> list[str]:
    """Return the queues of an operator that the policy does not have; supervisors work every one it has."""
    if person.disabled_at is not None or "operator" not in person.roles or "supervisor" in person.roles:
        return []
    return sorted(person.queues.difference(queue_names(desk)))


def left_alone(desk: Desk, away: Person, there: Person) -> list[str]:
    """Return the queues that one person works and their stand-in does not."""
    return [one for one in queue_names(desk) if works_queue(away, one) and not works_queue(there, one)]


def not_served(desk: Desk, rotation: str, there: Person) -> list[str]:
    """Return the queues whose tiers alert a rotation and that a person who takes its turn does not work."""
    queues = desk.policy.current().policy.queues
    return sorted(
        name
        for name, queue in queues.items()
        if not works_queue(there, name) and any(f"rotation:{rotation}" in tier.alert for tier in queue.tiers)
    )
