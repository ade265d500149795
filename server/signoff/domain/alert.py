"""What is to be told to a person, and how telling went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from signoff.domain.verdict import Urgency

AlertKind = Literal[
    "opened",
    "fresh_link",
    "escalated",
    "repeated",
    "handed_over",
    "answered",
    "decided",
    "expired",
    "digest",
    "dead_letter",
    "rights_changed",
    "test",
    "heartbeat",
]
ALERT_KINDS: tuple[AlertKind, ...] = get_args(AlertKind)
ASKING: frozenset[AlertKind] = frozenset(
    {"opened", "fresh_link", "escalated", "repeated", "handed_over", "answered"}
)
"""Kinds that ask for a decision and bring a magic link; useless once the case has ended."""
CLOSING: frozenset[AlertKind] = frozenset({"decided", "expired"})
"""Kinds that tell those who were asked how it ended; sent once the agent may know it too."""

AlertState = Literal["waiting", "digested", "sent", "failed", "dropped"]
"""`waiting`: not sent yet, or to be tried again. `digested`: part of a digest that waits. `failed`: given up,
visibly. `dropped`: nobody needs it any more."""

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
    about: str | None = None
    """Of a `dead_letter`: the id of the alert that was given up. Of a `heartbeat`: how many alerts wait, since when. Of a
    `rights_changed`: what changed, whose, who changed it, and where in the log."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One row of the outbox."""

    id: str
    """Stable over every retry, and part of the message: a person can see that it is a repeat."""
    kind: AlertKind
    escalation_id: str | None
    """None for what is about no case: digest, dead_letter, rights_changed, test, heartbeat."""
    person_id: str
    address: str
    urgency: Urgency
    due_at: datetime
    attempts: int
    about: str | None = None
    digest_id: str | None = None
    """The digest that this alert is, or was, part of."""
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send an alert."""

    number: int
    began_at: datetime
    ended_at: datetime | None
    """None: the result was never recorded, because the worker ended first; it may have been sent."""
    error: str | None
    """Why the channel did not take it; None where it did, or where that is unknown."""

    @property
    def result(self) -> Literal["sent", "failed", "unknown"]:
        """Say how it went."""
        if self.ended_at is None:
            return "unknown"
        return "sent" if self.error is None else "failed"


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
    gone: bool = False
    """The address does not exist any more: a browser took its subscription back."""


Delivery = Sent | Failed


@dataclass(frozen=True, slots=True)
class Health:
    """How sending to one address went of late."""

    last_sent_at: datetime | None = None
    last_failed_at: datetime | None = None
    last_error: str = ""
    """Why it failed last; holds no address."""
    failures: int = 0
    """Tries that failed since the last success."""

    @property
    def state(self) -> Literal["unknown", "good", "failing"]:
        """Say whether alerts arrive there."""
        if self.failures:
            return "failing"
        return "good" if self.last_sent_at is not None else "unknown"


# What an alert without a case is about; `alerts/messages.py` words it.


@dataclass(frozen=True, slots=True)
class InBrief:
    """One case of a digest."""

    tool: str
    agent_name: str
    urgency: Urgency
    seconds_left: int
    page_url: str
    """Opens for people who are signed in."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Many alerts of one address in one message."""

    waiting: int
    """Cases that wait for a decision."""
    ended: int
    """Cases that have ended since the person was asked."""
    agents: tuple[tuple[str, int], ...]
    """Who asks, with how many of the waiting cases, most first."""
    soonest_s: int | None
    """Seconds until the first of the waiting cases expires; None where none waits."""
    cases: tuple[InBrief, ...] = ()
    """The first few of the waiting cases, most urgent first, then least time left."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An alert that was given up, as an administrator hears of it."""

    alert_id: str
    person_name: str
    channel: str
    tries: int
    why: str
    more: int
    """How many other alerts to the same address were given up within the hour."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts are due and no worker sends them."""

    waiting: int
    """Alerts that are due."""
    since: datetime
    """When the first of them was due."""
    last_beat_at: datetime | None
    """When a worker was last seen; None: never."""


RightsChange = Literal["added", "roles", "addresses"]


@dataclass(frozen=True, slots=True)
class RightsChanged:
    """Somebody changed on a page who may do what, or where somebody's alerts go."""

    what: RightsChange
    person_name: str
    by_name: str
    mine: bool
    """It is about whoever is told."""


About = Digest | DeadLetter | Silence | RightsChanged
