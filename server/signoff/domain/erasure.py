"""What can be erased, what must not be, and what is left of a case in between.

The log keeps its events: ids, digests, times. What people and agents wrote lies beside it and can go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from signoff.domain.case import Escalation
from signoff.domain.errors import Conflict, InvalidRequest

Kind = Literal["bundle", "check", "decision", "report", "alert", "hold"]
KINDS: Mapping[Kind, str] = {
    "bundle": "what the agent sent, the tool's name included, questions to it with its answers, and its idempotency keys",
    "check": "what agents asked of the policy without requesting approval",
    "decision": "notes, responses and changed arguments",
    "report": "outcome notes and results, and reasons for cancelling",
    "alert": "who was alerted at which address, and the links sent there",
    "hold": "subjects and reasons of legal holds that were lifted",
}
"""What can be erased by itself, each with what it holds."""

FIELDS: Mapping[str, Kind] = {
    "bundle": "bundle",
    "decision": "decision",
    "report": "report",
    "reason": "report",
    "subject": "hold",
}
"""The kind of a payload by its field; what is not listed goes with the bundle, so that nothing is forgotten."""

Cause = Literal["request", "retention", "restored"]
"""Why something was erased: somebody asked, it was due, or a backup had brought it back."""

ERASED_TOOL = "[erased]"
"""What stands where a tool's name was."""


class UnderHold(Conflict):
    """A legal hold keeps it from being erased."""

    def __init__(self, hold_id: str, what: str) -> None:
        super().__init__(f"{what} is under legal hold {hold_id}. `signoff hold list` says why.")
        self.hold_id = hold_id


def kind_of(payload_field: str) -> Kind:
    """Return the kind that a payload is erased with."""
    return FIELDS.get(payload_field, "bundle")


def check_kinds(kinds: Iterable[str]) -> frozenset[Kind]:
    """Return kinds that exist; all of them for none.

    Raises:
        InvalidRequest: There is no such kind.
    """
    given = frozenset(kinds)
    unknown = sorted(given - set(KINDS))
    if unknown:
        raise InvalidRequest(f"there is no kind '{unknown[0]}'; there are {', '.join(KINDS)}.", field="kind")
    return frozenset(one for one in KINDS if not given or one in given)


@dataclass(frozen=True, slots=True)
class Part:
    """One payload: where it lies, and the commitment that stays in its event."""

    seq: int
    field: str
    commitment: str


@dataclass(frozen=True, slots=True)
class AskRef:
    """One recorded ask, as an erasure names it."""

    seq: int
    asked_at: str
    """When it was first asked, as events write times; with `seq`, no other ask's even after a backup was restored."""
    subject: str | None = field(default=None, compare=False)
    is_check: bool = True
    """False: a case came of it."""
    worded: bool = field(default=True, compare=False)
    """False: only what it counts as in windows is left of it."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is left of a case, besides its events."""

    opened_seq: int
    parts: tuple[Part, ...]
    keys: int
    """Idempotency keys."""
    alerts: int
    alerts_sent: int
    """Of these, alerts that a channel took: they lie where signoff cannot reach."""
    links: int
    asks: tuple[AskRef, ...] = ()
    """The ask that the case came of, and checks of the same action by the same agent."""

    def of_kinds(self, kinds: Iterable[Kind]) -> Contents:
        """Return only what belongs to some kinds."""
        wanted = set(kinds)
        alerts, bundle = "alert" in wanted, "bundle" in wanted
        return Contents(
            self.opened_seq,
            tuple(one for one in self.parts if kind_of(one.field) in wanted),
            self.keys if bundle else 0,
            self.alerts if alerts else 0,
            self.alerts_sent if alerts else 0,
            self.links if alerts else 0,
            tuple(one for one in self.asks if ("check" if one.is_check else "bundle") in wanted),
        )

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to erase."""
        return not (self.parts or self.keys or self.alerts or self.links or self.asks)


@dataclass(frozen=True, slots=True)
class Hold:
    """Something that must not be erased."""

    id: str
    escalation_id: str | None
    subject: str | None
    """The subject's id; None for a hold on one case, and once that is erased."""
    reason: str
    placed_seq: int
    placed_at: datetime
    placed_by: str | None
    lifted_at: datetime | None = None
    lifted_by: str | None = None

    def covers(self, escalation_id: str, subject: str | None) -> bool:
        """Say whether it keeps a case, about a subject, from being erased."""
        if self.lifted_at is not None:
            return False
        return self.escalation_id == escalation_id or (subject is not None and self.subject == subject)


def why_kept(case: Escalation, now: datetime) -> str | None:
    """Return why a case cannot be erased now, None if it can.

    A case that people or its agent still act on is not erased: it would be decided, or run, unseen.
    """
    if case.is_open:
        return "still waits for a decision; decide it, or let it expire or be cancelled, first"
    if not case.released(now):
        return "was decided a moment ago and can still be taken back"
    if case.claimed_at is None and case.valid_until is not None and now < case.valid_until:
        return f"is approved and may still be used, until {case.valid_until:%Y-%m-%d %H:%M} UTC"
    return None


@dataclass(frozen=True, slots=True)
class Exported:
    """An export as it was recorded: where it went and which cases it holds."""

    directory: str
    made_at: datetime
    opened_seqs: frozenset[int] = field(repr=False)
