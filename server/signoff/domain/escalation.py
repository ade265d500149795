"""One case put to people, and every move it can make.

    pending ──> approved | modified | rejected | expired | cancelled

All five on the right are terminal. A decision may be taken back (`undone`) until it is released to the agent;
after that nothing moves it. Each move is a pure function that returns a `Change`; none reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, get_args

from signoff.domain.action import action_digest, checked_arguments, modified_arguments
from signoff.domain.case import STATUSES, Approval, Escalation, Outcome, Status
from signoff.domain.change import Change, Taken
from signoff.domain.clock import to_text
from signoff.domain.decision import Answer, decision_payload
from signoff.domain.errors import AlreadyDecided, ClaimRefused, Conflict, Forbidden, InvalidRequest
from signoff.domain.event import SYSTEM, Actor, Draft
from signoff.domain.people import ASSURANCES, Agent, Assurance, SignIn, check_may_decide
from signoff.domain.verdict import Urgency, Verdict

__all__ = [
    "STATUSES",
    "Approval",
    "Escalation",
    "Outcome",
    "Proposed",
    "Request",
    "Status",
    "already_decided",
    "cancelled",
    "check_open",
    "claimed",
    "decided",
    "expired",
    "final_digest_of",
    "opened",
    "outcome_reported",
    "undone",
]


@dataclass(frozen=True, slots=True)
class Request:
    """What `opened` needs to know of a request, checked and masked."""

    tool: str
    server: str | None
    summary: str
    action_digest: str
    masked: tuple[str, ...]
    document: bytes
    """Canonical bytes of `{action, bundle, verdict, response_schema, masked}`: all that the page may show."""


def opened(
    request: Request, verdict: Verdict, *, case_id: str, agent: Agent, now: datetime, urgency: Urgency
) -> Change:
    """Open a case under a verdict.

    `escalate` opens it pending; `deny` opens it rejected and an explicit `allow` approved, both decided by
    the policy alone: such a case records that nobody was asked, and why.

    Args:
        urgency: The verdict's, or a higher one that the agent asked for.
    """
    case = Escalation(
        id=case_id,
        agent_id=agent.id,
        version=1,
        status="pending",
        tool=request.tool,
        server=request.server,
        summary=request.summary,
        action_digest=request.action_digest,
        masked=request.masked,
        policy_digest=verdict.policy_digest,
        triggers=tuple(fired.trigger for fired in verdict.fired),
        queue=verdict.queue,
        urgency=urgency,
        tier=0,
        require=verdict.require,
        opened_at=now,
        deadline_at=now + verdict.approve_within,
        approval_valid_for=verdict.approval_valid_for,
    )
    if verdict.outcome == "deny":
        case = replace(case, status="rejected", decided_at=now, release_at=now, assurance="none")
    if verdict.outcome == "allow":
        case = replace(
            case,
            status="approved",
            decided_at=now,
            release_at=now,
            assurance="none",
            final_digest=case.action_digest,
            valid_until=now + verdict.approval_valid_for,
        )
    data = {
        "status": case.status,
        "action_digest": case.action_digest,
        "final_digest": case.final_digest,
        "agent": agent.id,
        "policy_digest": case.policy_digest,
        "verdict": verdict.outcome,
        "triggers": list(case.triggers),
        "queue": case.queue,
        "urgency": case.urgency,
        "require": case.require.as_json(),
        "deadline_at": to_text(case.deadline_at),
        "approval_valid_s": int(case.approval_valid_for.total_seconds()),
        "assurance": case.assurance,
        "release_at": to_text(case.release_at) if case.release_at else None,
        "valid_until": to_text(case.valid_until) if case.valid_until else None,
    }
    draft = Draft("escalation.opened", now, agent.actor, data, case_id)
    return Change(case, draft, payloads={"bundle": request.document}, closes=not case.is_open)


@dataclass(frozen=True, slots=True)
class Proposed:
    """The action as it lies in the bundle, for a decision to agree with or change."""

    tool: str
    server: str | None
    arguments: dict[str, Any]


def decided(
    case: Escalation,
    answer: Answer,
    *,
    proposed: Proposed,
    by: SignIn,
    owner: str | None,
    decision_id: str,
    view_digest: str,
    now: datetime,
    undo_s: int,
    signed: Mapping[str, Any] | None = None,
) -> Change:
    """Take a person's answer.

    Where the case needs several approvals, an approval before the last leaves it pending with an
    `escalation.approval_given` event. One rejection rejects; a modification counts as an approval of the
    modified action only, so it resets approvals of any other.

    Args:
        answer: Already checked by `Answer.checked`, its response against the schema.
        owner: The person on whose behalf the agent runs.
        view_digest: Of the page the person saw.
        undo_s: Seconds in which the decision can be taken back, 0 for none.
        signed: What the person signed with a passkey, as JSON; checked.

    Raises:
        AlreadyDecided: The case has ended.
        Forbidden: This person may not decide it, or already approved it.
        StepUpNeeded: The person needs a surer sign-in for it.
        InvalidRequest: The modification is none, or cannot be made.
    """
    check_open(case, now)
    check_may_decide(by, role=case.require.role, assurance=case.require.assurance)
    if case.require.separation and owner == by.person.id:
        raise Forbidden("The agent acts on your behalf, so another person must decide this case.")
    final_digest = final_digest_of(case, answer, proposed)
    status = _status(case, answer, final_digest)
    roles = tuple(sorted(by.person.roles))
    mine = Approval(by.person.id, roles, by.assurance, now, final_digest or "")
    agreed = tuple(one for one in case.approvals if one.final_digest == final_digest)
    if answer.choice != "reject":
        if any(one.person_id == by.person.id for one in agreed):
            raise Forbidden("You have already approved this; another person must.")
        agreed = (*agreed, mine)
    base_data: dict[str, Any] = {
        "decision_id": decision_id,
        "action_digest": final_digest,
        "proposed_digest": case.action_digest,
        "assurance": by.assurance,
        "roles": list(roles),
        "view_digest": view_digest,
        "policy_digest": case.policy_digest,
    }
    if signed is not None:
        base_data["passkey"] = dict(signed)
    payloads = {"decision": decision_payload(answer)}
    taken = Taken(decision_id, answer, by)
    if answer.choice != "reject" and len(agreed) < case.require.approvals:
        after = replace(case, version=case.version + 1, approvals=agreed)
        data = {**base_data, "count": len(agreed), "of": case.require.approvals}
        draft = Draft("escalation.approval_given", now, by.actor, data, case.id)
        return Change(after, draft, payloads=payloads, decision=taken)

    deciders = (mine,) if answer.choice == "reject" else agreed
    release_at = now + timedelta(seconds=undo_s)
    after = replace(
        case,
        version=case.version + 1,
        status=status,
        approvals=() if answer.choice == "reject" else agreed,
        decided_at=now,
        decided_by=tuple(one.person_id for one in deciders),
        assurance=_weakest(deciders),
        final_digest=final_digest,
        release_at=release_at,
        valid_until=release_at + case.approval_valid_for if final_digest else None,
    )
    data = {
        **base_data,
        "status": status,
        "decided_by": list(after.decided_by),
        "assurance": after.assurance,
        "release_at": to_text(release_at),
        "valid_until": to_text(after.valid_until) if after.valid_until else None,
    }
    draft = Draft("escalation.decided", now, by.actor, data, case.id)
    return Change(after, draft, payloads=payloads, decision=taken, closes=True)


def final_digest_of(case: Escalation, answer: Answer, proposed: Proposed) -> str | None:
    """Return the digest of what may run after an answer, None for a rejection.

    Raises:
        InvalidRequest: The modification is none, or cannot be made.
    """
    if answer.choice == "reject":
        return None
    agreed = case.approvals[-1].final_digest if case.approvals else case.action_digest
    if answer.choice == "approve" or answer.arguments is None:
        # A co-approver agrees with what the approvers before them agreed on, which may be a modification.
        return agreed
    hidden = [path for path in case.masked if path.startswith("action.arguments")]
    if hidden:
        raise InvalidRequest(
            f"this action carries a masked secret at {hidden[0]}, which signoff does not keep, so it cannot be"
            " rebuilt here. Reject with a note that says what to change.",
            field="arguments",
        )
    if agreed == case.action_digest:
        changed = modified_arguments(proposed.arguments, answer.arguments)
        return action_digest(proposed.tool, changed, server=proposed.server)
    # A co-approver changes what the page showed, the modification before; back to the proposal is a change too.
    digest = action_digest(proposed.tool, checked_arguments(answer.arguments), server=proposed.server)
    if digest == agreed:
        raise InvalidRequest("nothing was changed; approve the action, or change a value.", field="arguments")
    return digest


def _status(case: Escalation, answer: Answer, final_digest: str | None) -> Status:
    if answer.choice == "reject":
        return "rejected"
    # Agreeing to a colleague's modification ends as modified: the agent must run other arguments than its own.
    return "modified" if answer.choice == "modify" or final_digest != case.action_digest else "approved"


def _weakest(deciders: tuple[Approval, ...]) -> Assurance:
    return min((one.assurance for one in deciders), key=ASSURANCES.index)


def undone(case: Escalation, *, decision_id: str, by: SignIn, now: datetime, deadline_at: datetime) -> Change:
    """Take a decision back before the agent was told.

    Args:
        deadline_at: The case's deadline, or a little later if it passed meanwhile: whoever undoes must be
            able to decide again.

    Raises:
        Conflict: There is nothing to take back, or the agent has been told.
        Forbidden: Somebody else decided.
    """
    if case.status not in ("approved", "modified", "rejected") or not case.decided_by:
        raise Conflict("There is no decision to take back.")
    if case.released(now):
        raise Conflict("The agent has already been told; the decision stands.")
    if case.decided_by[-1] != by.person.id:
        raise Forbidden("Only the person who decided can take the decision back.")
    after = replace(
        case,
        version=case.version + 1,
        status="pending",
        approvals=(),
        decided_at=None,
        decided_by=(),
        assurance=None,
        final_digest=None,
        release_at=None,
        valid_until=None,
        deadline_at=max(case.deadline_at, deadline_at),
    )
    data = {"decision_id": decision_id, "deadline_at": to_text(after.deadline_at)}
    return Change(after, Draft("escalation.undone", now, by.actor, data, case.id), undoes=decision_id)


def expired(case: Escalation, *, now: datetime) -> Change:
    """End a case whose deadline has passed; an expired case is never an approval.

    Raises:
        AlreadyDecided: The case has ended otherwise.
        Conflict: The deadline has not passed.
    """
    if not case.is_open:
        raise already_decided(case)
    if now < case.deadline_at:
        raise Conflict("The deadline of this case has not passed.")
    after = replace(case, version=case.version + 1, status="expired", decided_at=now, release_at=now)
    draft = Draft("escalation.expired", now, SYSTEM, {"deadline_at": to_text(case.deadline_at)}, case.id)
    return Change(after, draft, closes=True)


def cancelled(case: Escalation, *, by: Actor, reason: bytes, now: datetime) -> Change:
    """End a case because the agent no longer needs an answer.

    Args:
        reason: Canonical bytes of the reason; stored beside the log.

    Raises:
        AlreadyDecided: The case has ended.
    """
    if not case.is_open:
        raise already_decided(case)
    after = replace(case, version=case.version + 1, status="cancelled", decided_at=now, release_at=now)
    draft = Draft("escalation.cancelled", now, by, {}, case.id)
    return Change(after, draft, payloads={"reason": reason}, closes=True)


def claimed(case: Escalation, digest: str, *, by: Actor, now: datetime) -> Change:
    """Use an approval, once, for exactly the action it was given for.

    Raises:
        ClaimRefused: `not_approved`, `already_claimed`, `digest_mismatch` or `approval_expired`.
    """
    if case.status not in ("approved", "modified") or not case.released(now):
        raise ClaimRefused("not_approved", f"This case is {_told_status(case, now)}; nothing may run.")
    if case.claimed_at is not None:
        raise ClaimRefused("already_claimed", "This approval was used already. Ask again for another run.")
    if digest != case.final_digest:
        raise ClaimRefused(
            "digest_mismatch",
            "This is not the action that was approved. Call get_decision and run exactly its `action`.",
        )
    if case.valid_until is None or now >= case.valid_until:
        raise ClaimRefused("approval_expired", "This approval was valid for a limited time. Ask again.")
    after = replace(case, version=case.version + 1, claimed_at=now)
    return Change(after, Draft("escalation.claimed", now, by, {"action_digest": digest}, case.id))


def outcome_reported(
    case: Escalation, outcome: Outcome, *, by: Actor, report: bytes | None, now: datetime
) -> Change:
    """Record what came of the action.

    `unknown` may be settled later by `succeeded` or `failed`; those two are final.

    Args:
        report: Canonical bytes of `{note, result}`; stored beside the log. None where nothing may be kept.

    Raises:
        InvalidRequest: There is no such outcome.
        Conflict: The approval was never claimed, or another outcome stands.
    """
    if outcome not in get_args(Outcome):
        raise InvalidRequest("must be succeeded, failed or unknown.", field="outcome")
    if case.claimed_at is None:
        raise Conflict("Nothing was claimed for this case. Call claim_approval before running the action.")
    if case.outcome in ("succeeded", "failed"):
        raise Conflict(f"The outcome is already recorded as {case.outcome}.")
    after = replace(case, version=case.version + 1, outcome=outcome)
    draft = Draft("escalation.outcome", now, by, {"outcome": outcome}, case.id)
    return Change(after, draft, payloads={} if report is None else {"report": report})


def check_open(case: Escalation, now: datetime) -> None:
    """Refuse a case that has ended, or whose deadline has passed though nobody wrote it down yet.

    Raises:
        AlreadyDecided: It has.
    """
    if not case.is_open:
        raise already_decided(case)
    if now >= case.deadline_at:
        raise AlreadyDecided(case.id, "expired", "")


def already_decided(case: Escalation, *, decided_by: str = "") -> AlreadyDecided:
    """Return the error that tells a loser who won."""
    return AlreadyDecided(case.id, case.status, decided_by or ", ".join(case.decided_by))


def _told_status(case: Escalation, now: datetime) -> str:
    return case.status if case.released(now) else "pending"
