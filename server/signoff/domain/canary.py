"""A canary: a case that must be rejected, put to people to see whether it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from signoff.domain.case import Status
from signoff.domain.decision import Choice


@dataclass(frozen=True, slots=True)
class Canary:
    """One canary, and what was made of it."""

    escalation_id: str
    made_by: str
    """The id of the person who made it; `signoff` where it was made from the command line."""
    made_at: datetime
    drill: str | None
    """The exercise that it belongs to."""
    queue: str
    tool: str
    summary: str
    status: Status
    answered_by: str | None
    answered_at: datetime | None
    choice: Choice | None

    @property
    def caught(self) -> bool:
        """Say whether somebody rejected it; approving it as it is or with changes misses it."""
        return self.choice == "reject"
