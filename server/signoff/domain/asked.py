"""One ask: an action that an agent put to the policy, what the policy said, and how it stands since.

A check is an ask; so is a request for approval, unless it follows a check of the same action: then both are one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from signoff.domain.case import Escalation, Outcome
from signoff.domain.verdict import Outcome as Said

Standing = Literal["allowed", "waiting", "approved", "denied", "rejected", "expired", "cancelled"]
Counting = Literal["asked", "may_run", "used", "failures", "denials"]
"""Which asks a series counts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One recorded ask."""

    seq: int
    """Its number, in the order of recording."""
    at: datetime
    """When it was asked; of a request that followed its check, when it was requested."""
    checked_at: datetime | None
    """When it was first checked, if a request followed."""
    agent_id: str
    session: str
    tool: str
    server: str | None
    subject: str | None
    """`bundle.subject.id` where it was sent."""
    action_digest: str
    verdict: Said
    fired: tuple[str, ...]
    """Ids of the enforced triggers that fired."""
    shadow: tuple[str, ...]
    history: Mapping[str, Any]
    """The history signals that the rules read, by name, as they were."""
    policy_digest: str
    escalation_id: str | None
    standing: Standing
    outcome: Outcome | None
    moved_at: datetime
    document: Mapping[str, Any] | None = None
    """`action`, `bundle`, `agent`, secrets masked; `masked` and `not_kept` say what is not as it was sent.
    None where it is kept no more."""


@dataclass(frozen=True, slots=True)
class Recording:
    """An ask that is about to be recorded."""

    agent_id: str
    session: str
    tool: str
    server: str | None
    subject: str | None
    action_digest: str
    verdict: Said
    fired: tuple[str, ...]
    shadow: tuple[str, ...]
    history: Mapping[str, Any]
    policy_digest: str
    asked_at: datetime
    document: bytes | None
    """Compressed; None where none is kept."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An ask's place in one series."""

    series: bytes
    """SHA-256 of what is counted, for whom."""
    counting: Counting
    value: Decimal = Decimal(1)
    mark: bytes | None = None
    """The hash of the value, where distinct ones are counted."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An ask that is about to be recorded, with everything that it counts in."""

    asked: Recording
    entries: tuple[Entry, ...]
    standing: Standing


@dataclass(frozen=True, slots=True)
class SeriesState:
    """How far a definition of a series has been filled."""

    id: int
    digest: str
    definition: str
    """Canonical JSON."""
    active: bool
    fill_from: datetime
    fill_next: int
    """The newest ask of those that are still to be entered; below `fill_end` none is."""
    fill_end: int
    lost_at: datetime | None
    """The newest ask that should have been entered and whose document is kept no more."""

    @property
    def filling(self) -> bool:
        """Say whether earlier asks are still to be entered."""
        return self.fill_next >= self.fill_end

    @property
    def complete_from(self) -> datetime | None:
        """Return the instant after which every ask is in; None while earlier ones are still being entered."""
        if self.filling:
            return None
        return self.fill_from if self.lost_at is None else max(self.fill_from, self.lost_at)


@dataclass(frozen=True, slots=True)
class Window:
    """What a series holds after an instant."""

    total: Decimal = field(default=Decimal(0))
    n: int = 0


def standing_after(verdict: Said) -> Standing:
    """Return how an ask stands that nobody was asked about yet.

    One that must be approved waits, whether or not the agent goes on to request that: until then it is the larger
    of the two sums that counts.
    """
    return {"allow": "allowed", "escalate": "waiting", "deny": "denied"}[verdict]  # type: ignore[return-value]


def standing_of(case: Escalation) -> Standing:
    """Return how the ask stands that a case came of; what the policy decided alone, nobody decided."""
    by_policy = case.assurance == "none"
    match case.status:
        case "pending":
            return "waiting"
        case "approved" | "modified":
            return "allowed" if by_policy else "approved"
        case "rejected":
            return "denied" if by_policy else "rejected"
        case "expired" | "cancelled":
            return case.status


def stands(counting: Counting, standing: Standing, outcome: Outcome | None) -> bool:
    """Say whether an ask counts in a series, as it stands."""
    match counting:
        case "asked":
            return True
        case "may_run":
            return standing in ("allowed", "waiting", "approved")
        case "used":
            return standing in ("allowed", "approved")
        case "failures":
            return outcome in ("failed", "unknown")
        case "denials":
            return standing in ("denied", "rejected")
