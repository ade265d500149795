"""A policy's answer to one action: what it says, why, and what an approval would need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from signoff.domain.people import Assurance, Role

Outcome = Literal["allow", "escalate", "deny"]
Urgency = Literal["low", "normal", "high", "critical"]
URGENCIES: tuple[Urgency, ...] = ("low", "normal", "high", "critical")
Category = Literal[
    "value", "uncertainty", "security", "regulatory", "sentiment", "urgency", "sla", "vip", "complexity",
    "velocity", "policy",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an approval must bring."""

    role: Role = "operator"
    approvals: int = 1
    """How many distinct people must approve."""
    assurance: Assurance = "link"
    separation: bool = False
    """True: the person on whose behalf the agent runs cannot approve."""
    reason: bool = False
    """True: the decision needs a note."""

    def as_json(self) -> dict[str, Any]:
        """Return the form that is stored and shown."""
        return {
            "role": self.role,
            "approvals": self.approvals,
            "assurance": self.assurance,
            "separation": self.separation,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Fired:
    """One trigger that fired."""

    trigger: str
    title: str
    category: Category
    then: Outcome
    explanation: str
    """The trigger's `explain` with its values filled in; its title where it has none. May hold agent text."""
    reason: str
    """`matched`, `missing <field>`, or `error: <what>`."""
    urgency: Urgency
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What its condition read, by path (`action.arguments.amount`, `has(bundle.confidence)`): short plain JSON,
    secrets masked, a long text cut with its length. Holds agent text."""
    shows: tuple[str, ...] = ()
    """The paths whose values stand in the explanation: a mask that comes later must know."""

    def as_json(self) -> dict[str, Any]:
        """Return the form that is stored and shown."""
        return {
            "trigger": self.trigger,
            "title": self.title,
            "category": self.category,
            "then": self.then,
            "explanation": self.explanation,
            "reason": self.reason,
            "urgency": self.urgency,
            "values": dict(self.values),
            "shows": list(self.shows),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says of one action."""

    outcome: Outcome
    fired: tuple[Fired, ...]
    """Every enforced trigger that fired, in the policy's order, suppressed ones left out."""
    shadow: tuple[Fired, ...]
    """Triggers in shadow mode that would have fired; they never act."""
    policy_digest: str
    queue: str
    urgency: Urgency
    require: Requirement
    approve_within: timedelta
    """How long people have."""
    approval_valid_for: timedelta
    """How long an approval may be claimed after it is released."""
    on_deadline: Literal["expire", "next_tier"]

    @property
    def explicitly_allowed(self) -> bool:
        """Say whether an `allow` trigger matched, as opposed to nothing having matched at all."""
        return self.outcome == "allow" and any(fired.then == "allow" for fired in self.fired)
