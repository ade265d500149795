"""What is to be told to a person, and how telling went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from signoff.domain.verdict import Urgency

AlertKind = Literal["opened", "fresh_link", "escalated", "repeated", "handed_over", "expired"]
TERMINAL = "terminal:"
"""The address of the terminal that runs the server; the only one that needs no configuration."""


@dataclass(frozen=True, slots=True)
class AlertDraft:
    """One alert to one address, before it stands in the outbox."""

    kind: AlertKind
    person_id: str
    address: str
    urgency: Urgency
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """One row of the outbox."""

    id: str
    """Stable over every retry, and part of the message: a person can see that it is a repeat."""
    kind: AlertKind
    escalation_id: str
    person_id: str
    address: str
    urgency: Urgency
    due_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel said that it has the message."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The channel did not take the message.

    `permanent` says whether trying again is pointless; `why` is short and holds no address.
    """

    why: str
    permanent: bool = False


Delivery = Sent | Failed
