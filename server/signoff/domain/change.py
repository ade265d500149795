"""What a move of a case wants written, as a value: the case after it, its event, its alerts.

The store writes a change in one transaction, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from signoff.domain.alert import AlertDraft
from signoff.domain.case import Escalation
from signoff.domain.decision import Answer
from signoff.domain.event import Draft
from signoff.domain.people import SignIn


@dataclass(frozen=True, slots=True)
class Taken:
    """A decision to be kept beside its event."""

    id: str
    answer: Answer
    by: SignIn


@dataclass(frozen=True, slots=True)
class Change:
    """One move of one case."""

    case: Escalation
    """The case after the move; its version is one above the version before."""
    draft: Draft
    payloads: Mapping[str, bytes] = field(default_factory=dict)
    """Stored beside the log under the event's number; the event's `data` gets a commitment by the same name."""
    salts: Mapping[str, bytes] = field(default_factory=dict)
    """Of payloads whose commitment was stated before, because somebody signed it; others get a fresh salt."""
    decision: Taken | None = None
    undoes: str | None = None
    """Id of the decision that is taken back."""
    receipt: str | None = None
    """The signed receipt; the event carries its digest."""
    alerts: tuple[AlertDraft, ...] = ()
    closes: bool = False
    """True: alerts still waiting are dropped and links are revoked."""
    handles: bool = False
    """True: `handled` is one above, not `version`; nothing that a decision rests on changed."""
    silences: bool = False
    """True: alerts still waiting are dropped, because others have the case in hand now."""
