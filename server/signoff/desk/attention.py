"""Who has a case in hand, as one person sees it, and what that person may do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from signoff.desk.duty import may_decide, targets
from signoff.domain.errors import SignoffError
from signoff.domain.escalation import Escalation
from signoff.domain.handling import check_may_handle, next_tier_at
from signoff.domain.people import Agent, Person, SignIn
from signoff.domain.policy import DEFAULT_QUEUE, Policy, Tier
from signoff.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody to whom a case can be given."""

    id: str
    name: str
    on_duty: bool


@dataclass(frozen=True, slots=True)
class Attention:
    """Who looks at a case, who is told next, and what this person may do about it."""

    tier: int
    """From 1, as people count."""
    tiers: int
    next_tier_at: datetime | None
    """When the tier after this one is alerted; None for none before the deadline."""
    mine: bool
    """This person has said that they look at it."""
    may_acknowledge: bool
    candidates: tuple[Candidate, ...]
    """To whom this person can give the case, those on duty first; empty where they cannot."""
    supervises: bool
    """This person may reassign and override."""
    queues: tuple[str, ...]
    """Other queues that the case can wait in."""
    may_override: bool
    may_pause: bool
    agent_paused: bool


async def attention(
    reader: Reader, policy: Policy, case: Escalation, sign_in: SignIn, agent: Agent | None, *, now: datetime
) -> Attention:
    """Return who has a case in hand, as a person sees it."""
    tiers = policy.queue_named(case.queue).tiers
    tier_at = next_tier_at(case, tiers)
    owner = agent.owner if agent else None
    is_open = case.is_open and now < case.deadline_at
    supervises = "supervisor" in sign_in.person.roles
    may_handle = is_open and _may_handle(case, sign_in, owner)
    found: tuple[Candidate, ...] = ()
    if is_open and (may_handle or supervises):
        found = await _candidates(reader, case, owner, but=case.assigned_to, now=now)
    if not supervises:
        found = tuple(one for one in found if one.id != sign_in.person.id)
    decided = bool(case.decided_by) and not case.released(now)
    return Attention(
        tier=case.tier + 1,
        tiers=max(len(tiers), case.tier + 1),
        next_tier_at=tier_at if is_open and tier_at is not None and tier_at < case.deadline_at else None,
        mine=case.acknowledged_by == sign_in.person.id,
        may_acknowledge=may_handle and case.acknowledged_by != sign_in.person.id,
        candidates=found,
        supervises=supervises and is_open,
        queues=tuple(name for name in queue_names(policy) if name != case.queue),
        may_override=supervises
        and (
            (is_open and case.overridden_by is None) or (decided and case.decided_by[-1] != sign_in.person.id)
        ),
        may_pause=supervises and sign_in.only_case is None and agent is not None and agent.paused_at is None,
        agent_paused=agent is not None and agent.paused_at is not None,
    )


def queue_names(policy: Policy) -> tuple[str, ...]:
    """Return the queues of a policy, the one that always exists first."""
    return tuple(dict.fromkeys((DEFAULT_QUEUE, *policy.queues)))


def may_be_given(person: Person, case: Escalation, owner: str | None) -> bool:
    """Say whether a person could decide a case that is handed to them."""
    return may_decide(person, case, owner=owner)


def _may_handle(case: Escalation, sign_in: SignIn, owner: str | None) -> bool:
    try:
        check_may_handle(case, sign_in, owner=owner)
    except SignoffError:
        return False
    return True


async def _candidates(
    reader: Reader, case: Escalation, owner: str | None, *, but: str | None, now: datetime
) -> tuple[Candidate, ...]:
    people = [one for one in await reader.people() if one.id != but and may_be_given(one, case, owner)]
    on_duty = await _on_duty(reader, case, people, now)
    made = [Candidate(one.id, one.name, one.id in on_duty) for one in people]
    return tuple(sorted(made, key=lambda one: (not one.on_duty, one.name)))


async def _on_duty(
    reader: Reader, case: Escalation, people: Iterable[Person], now: datetime
) -> frozenset[str]:
    named = tuple(f"person:{one.name}" for one in people)
    if not named:
        return frozenset()
    return frozenset(one.id for one, _ in await targets(reader, Tier(alert=named), case, now))
