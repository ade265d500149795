"""One case as it stands: the values; `escalation.py` holds the moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from signoff.domain.people import Assurance, Role
from signoff.domain.verdict import Requirement, Urgency

Status = Literal["pending", "approved", "modified", "rejected", "expired", "cancelled"]
STATUSES: tuple[Status, ...] = ("pending", "approved", "modified", "rejected", "expired", "cancelled")
Outcome = Literal["succeeded", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Approval:
    """One of several approvals that a case needs."""

    person_id: str
    roles: tuple[Role, ...]
    assurance: Assurance
    at: datetime
    final_digest: str
    """What this person agreed to run; approvals count together only for the same digest."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """One case as it stands; the bundle lies beside it."""

    id: str
    agent_id: str
    version: int
    status: Status
    tool: str
    server: str | None
    summary: str
    """The agent's claim in one line; agent text."""
    action_digest: str
    """Of the action as proposed, over its unmasked arguments."""
    masked: tuple[str, ...]
    """Where in action and bundle a secret was masked; `action.arguments…` there means no modification."""
    policy_digest: str
    triggers: tuple[str, ...]
    queue: str
    urgency: Urgency
    tier: int
    require: Requirement
    opened_at: datetime
    deadline_at: datetime
    approval_valid_for: timedelta
    approvals: tuple[Approval, ...] = ()
    decided_at: datetime | None = None
    decided_by: tuple[str, ...] = ()
    """Person ids; empty while undecided, and for what the policy decided."""
    assurance: Assurance | None = None
    final_digest: str | None = None
    """Of the action that may run; None unless approved or modified."""
    release_at: datetime | None = None
    """Until then the decision can be taken back and the agent is told `pending`."""
    valid_until: datetime | None = None
    """Until then the approval can be claimed."""
    claimed_at: datetime | None = None
    outcome: Outcome | None = None
    handled: int = 0
    """Moves that changed who has the case in hand. They leave `version` alone: nothing that a decision rests on changed,
    so a page, or a signature, made before them still counts."""
    counts_from: datetime | None = None
    """Since when the tiers' times count: the opening, or later where somebody acknowledged or it was reassigned.
    None: the opening."""
    alerted_at: datetime | None = None
    """When the tier was last alerted; None: at the opening."""
    acknowledged_by: str | None = None
    """The person who said that they look at it; None again once another tier is alerted."""
    acknowledged_at: datetime | None = None
    assigned_to: str | None = None
    """The person it was handed to; others may still decide."""
    overridden_by: str | None = None
    """The supervisor who took it from the operators; from then on only supervisors decide."""
    on_deadline: Literal["expire", "next_tier"] = "expire"
    """What the policy said at the opening."""

    questions: int = 0
    """How many questions were put to the agent (`question.py`)."""
    questioned_by: str | None = None
    """Who put the one that is open; None where none is. A decision leaves it: what the agent sees must not change before
    it may know of the decision."""
    questioned_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Say whether people can still decide."""
        return self.status == "pending"

    @property
    def role_needed(self) -> Role:
        """Return who must decide, at least."""
        return "supervisor" if self.overridden_by is not None else self.require.role

    @property
    def tiers_from(self) -> datetime:
        """Return since when the tiers' times count."""
        return self.counts_from or self.opened_at

    @property
    def last_alerted_at(self) -> datetime:
        """Return when the tier was last alerted."""
        return self.alerted_at or self.opened_at

    def released(self, now: datetime) -> bool:
        """Say whether the agent may know how the case ended."""
        return not self.is_open and (self.release_at is None or now >= self.release_at)
