"""What a verification found: problems are values, the first bad event by number."""

from __future__ import annotations

from dataclasses import dataclass

from signoff.audit.checkpoint import Checkpoint
from signoff.audit.recovery import Recovery

PROBLEMS_KEPT = 20
"""How many problems a report names; it counts all of them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not hold."""

    seq: int | None
    """The event at fault, or the event that a stored row disagrees with; None for what lies beside the events."""
    escalation_id: str | None
    what: str

    def __str__(self) -> str:
        where = "" if self.seq is None else f"event {self.seq}: "
        case = "" if self.escalation_id is None else f" (case {self.escalation_id})"
        return f"{where}{self.what}{case}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found."""

    events: int
    checkpoints: int
    """Checkpoints that are signed by the key and match the tree."""
    payloads: int
    """Payloads that are stored and match."""
    erased: int
    """Payloads that are gone and whose erasure is an event."""
    cases: int
    root: bytes
    """The tree hash over all events."""
    newest: Checkpoint | None
    """The largest checkpoint that matches; events after it are chained but not signed yet."""
    problems: tuple[Problem, ...]
    """The first ones in the order of the log, at most `PROBLEMS_KEPT`. Those of cases come after those of events
    where they may follow from them, and those beside the log last."""
    problem_count: int
    human_signatures: int = 0
    """Decisions that a person signed with a passkey, and that verify."""
    operators_pinned: bool = False
    """True: by keys that the verifier brought; False: by keys that the server enrolled, which vouches for them."""
    recoveries: tuple[Recovery, ...] = ()
    """The recoveries that the log names, in order: each gave up a signed history, and what is lost of it."""

    @property
    def size(self) -> int:
        """Return the tree's size, which is the number of events."""
        return self.events

    @property
    def ok(self) -> bool:
        """Say whether everything holds."""
        return self.problem_count == 0

    @property
    def first_bad_event(self) -> int | None:
        """Return the number of the first event at fault, None if no event is."""
        return self.problems[0].seq if self.problems else None
