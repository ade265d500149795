"""Who has a case in hand: the tiers' times, and the moves that say so. None of them touches what is decided.

A tier is due `after` its time, counted from `Escalation.tiers_from`: the opening, or later where somebody said
meanwhile that they look at the case. Every time comes from the case's own events, so that a restart, or another
process, finds the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from signoff.domain.case import Escalation
from signoff.domain.change import Change
from signoff.domain.clock import to_text
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest
from signoff.domain.escalation import check_open
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.people import SignIn, check_may_decide, check_supervises
from signoff.domain.policy import Tier

HANDLING = frozenset(
    {
        "escalation.escalated",
        "escalation.repeated",
        "escalation.acknowledged",
        "escalation.handed_over",
        "escalation.reassigned",
        "escalation.asked",
    }
)
"""The events of these moves, and of a question (`question.py`); each raises `handled` and leaves `version`."""


def next_tier_at(case: Escalation, tiers: Sequence[Tier]) -> datetime | None:
    """Return when the tier after the case's is due, None after the last."""
    later = _next(case, tiers)
    return None if later is None else case.tiers_from + (later.after or timedelta(0))


def repeat_at(case: Escalation, tiers: Sequence[Tier]) -> datetime | None:
    """Return when the case's tier is alerted again; None where it is not, or somebody looks at the case."""
    tier = tiers[min(case.tier, len(tiers) - 1)]
    if tier.repeat is None or case.acknowledged_by is not None:
        return None
    return case.last_alerted_at + tier.repeat


def escalated(
    case: Escalation,
    *,
    tier: int,
    alerted: int,
    now: datetime,
    skipped: Sequence[int] = (),
    deadline_at: datetime | None = None,
) -> Change:
    """Go on to a later tier; whoever had the case in hand has it no more.

    Args:
        alerted: How many people are told.
        skipped: Tiers between in which nobody is on duty.
        deadline_at: The new deadline, where the old one has passed.

    Raises:
        AlreadyDecided: The case has ended.
        Conflict: The tier is not a later one.
    """
    check_open(case if deadline_at is None else replace(case, deadline_at=deadline_at), now)
    if tier <= case.tier:
        raise Conflict("The case has come to this tier already.")
    data: dict[str, Any] = {"tier": tier, "alerted": alerted, "skipped": list(skipped)}
    if deadline_at is not None:
        data["deadline_at"] = to_text(deadline_at)
    after = _handled(case, tier=tier, alerted_at=now, deadline_at=deadline_at or case.deadline_at)
    return Change(after, Draft("escalation.escalated", now, SYSTEM, data, case.id), handles=True)


def repeated(case: Escalation, *, alerted: int, now: datetime) -> Change:
    """Alert the case's tier again.

    Raises:
        AlreadyDecided: The case has ended.
        Conflict: Somebody looks at it.
    """
    check_open(case, now)
    if case.acknowledged_by is not None:
        raise Conflict("Somebody looks at this case.")
    after = replace(case, handled=case.handled + 1, alerted_at=now)
    data = {"tier": case.tier, "alerted": alerted}
    return Change(after, Draft("escalation.repeated", now, SYSTEM, data, case.id), handles=True)


def acknowledged(
    case: Escalation, *, by: SignIn, owner: str | None, tiers: Sequence[Tier], now: datetime
) -> Change:
    """Note that a person looks at the case: the next tier waits its time anew, and nothing is repeated.

    Args:
        owner: The person on whose behalf the agent runs.

    Raises:
        AlreadyDecided: The case has ended.
        Forbidden: This person could not decide it, so that their looking would only hold it up.
        Conflict: They have said so already.
    """
    check_open(case, now)
    check_may_handle(case, by, owner=owner)
    if case.acknowledged_by == by.person.id:
        raise Conflict("You have said already that you look at this case. Decide it, or hand it over.")
    after = replace(
        case,
        handled=case.handled + 1,
        acknowledged_by=by.person.id,
        acknowledged_at=now,
        counts_from=held_from(case, tiers, now),
    )
    data = _counted(after)
    return Change(after, Draft("escalation.acknowledged", now, by.actor, data, case.id), handles=True)


def handed_over(
    case: Escalation, *, to: str, by: SignIn, owner: str | None, tiers: Sequence[Tier], now: datetime
) -> Change:
    """Hand the case to another person, who has the next tier's time for it.

    Args:
        to: The id of a person who may decide it; the caller has checked that.

    Raises:
        AlreadyDecided: The case has ended.
        Forbidden: This person could not decide it, so it is not theirs to hand over.
        InvalidRequest: To oneself.
        Conflict: It is that person's already.
    """
    check_open(case, now)
    check_may_handle(case, by, owner=owner)
    if to == by.person.id:
        raise InvalidRequest("this is you; acknowledge the case instead.", field="to")
    after = _assigned(case, to=to, tiers=tiers, now=now)
    data = {"to": to, **_counted(after)}
    return Change(after, Draft("escalation.handed_over", now, by.actor, data, case.id), handles=True)


def reassigned(case: Escalation, *, to: str, by: SignIn, tiers: Sequence[Tier], now: datetime) -> Change:
    """Give the case to a person, as its supervisor.

    Args:
        to: As in `handed_over`; here it may be the supervisor.

    Raises:
        AlreadyDecided: The case has ended.
        Forbidden: Only supervisors do.
        Conflict: It is that person's already.
    """
    check_open(case, now)
    check_supervises(by)
    after = _assigned(case, to=to, tiers=tiers, now=now)
    data = {"to": to, **_counted(after)}
    return Change(after, Draft("escalation.reassigned", now, by.actor, data, case.id), handles=True)


def moved_to_queue(case: Escalation, *, queue: str, by: SignIn, now: datetime) -> Change:
    """Let the case wait in another queue, from its first tier on, its deadline unchanged.

    Raises:
        AlreadyDecided: The case has ended.
        Forbidden: Only supervisors do.
        Conflict: It waits there already.
    """
    check_open(case, now)
    check_supervises(by)
    if queue == case.queue:
        raise Conflict(f"The case waits in {queue} already.")
    after = replace(_handled(case, tier=0, alerted_at=now), queue=queue, counts_from=now)
    data = {"queue": queue, "tier": 0, **_counted(after)}
    draft = Draft("escalation.reassigned", now, by.actor, data, case.id)
    return Change(after, draft, handles=True, silences=True)


def check_may_handle(case: Escalation, by: SignIn, *, owner: str | None) -> None:
    """Refuse a person who could not decide the case, whatever their sign-in.

    Raises:
        Forbidden: They could not.
    """
    check_may_decide(by, queue=case.queue, role=case.role_needed, assurance="none")
    if case.require.separation and owner == by.person.id:
        raise Forbidden("The agent acts on your behalf, so another person must decide this case.")
    if any(one.person_id == by.person.id for one in case.approvals):
        raise Forbidden("You have approved; another person must, too.")


def held_from(case: Escalation, tiers: Sequence[Tier], now: datetime) -> datetime:
    """Return since when the tiers' times count if somebody takes the case in hand now; never earlier than before."""
    later = _next(case, tiers)
    if later is None:
        return case.tiers_from
    after = later.after or timedelta(0)
    return max(case.tiers_from, now + (later.ack_for or after) - after)


def _next(case: Escalation, tiers: Sequence[Tier]) -> Tier | None:
    return tiers[case.tier + 1] if case.tier + 1 < len(tiers) else None


def _handled(
    case: Escalation, *, tier: int, alerted_at: datetime, deadline_at: datetime | None = None
) -> Escalation:
    """Return the case in nobody's hand, with a tier that was alerted now."""
    return replace(
        case,
        handled=case.handled + 1,
        tier=tier,
        alerted_at=alerted_at,
        acknowledged_by=None,
        acknowledged_at=None,
        assigned_to=None,
        deadline_at=deadline_at or case.deadline_at,
    )


def _assigned(case: Escalation, *, to: str, tiers: Sequence[Tier], now: datetime) -> Escalation:
    if case.assigned_to == to:
        raise Conflict("The case is in that person's hands already.")
    after = _handled(case, tier=case.tier, alerted_at=now)
    return replace(after, assigned_to=to, counts_from=held_from(case, tiers, now))


def _counted(after: Escalation) -> dict[str, Any]:
    return {"counts_from": to_text(after.tiers_from)}
