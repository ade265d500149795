"""What the events of a case say about it, so that the stored case can be compared with its events.

The same moves as `domain/escalation.py`, read back from the log by code that shares nothing with the code that
wrote them. What each event type carries in `data`:

    escalation.opened          status, action_digest, final_digest, agent, policy_digest, verdict, triggers, queue,
                               urgency, require, deadline_at, bundle*
    escalation.approval_given  decision_id, action_digest, proposed_digest, count, of, decision* …
    escalation.decided         decision_id, status, action_digest (of what may run, or null), proposed_digest,
                               decided_by, assurance, view_digest, policy_digest, release_at, valid_until,
                               receipt (digest of the token), decision*
    escalation.undone          decision_id, deadline_at
    escalation.expired         deadline_at
    escalation.cancelled       reason*
    escalation.escalated       tier
    escalation.claimed         action_digest
    escalation.claim_refused   reason, action_digest; moves nothing
    escalation.outcome         outcome, report*

A field with a star is a commitment to a payload that is stored beside the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from signoff.domain.erasure import ERASED_TOOL
from signoff.domain.people import ASSURANCES

COMMITMENTS: Mapping[str, tuple[str, ...]] = {
    "escalation.opened": ("bundle", "tool_commitment"),
    "escalation.approval_given": ("decision",),
    "escalation.decided": ("decision",),
    "escalation.cancelled": ("reason",),
    "escalation.outcome": ("report",),
    "hold.placed": ("reason", "subject"),
    "hold.lifted": ("reason",),
    "log.recovered": ("reason",),
}
"""Which fields of an event's `data` commit to a payload; each payload is stored under the event's number and the
field's name. A field may be absent."""

ERASED = "bundle.erased"
"""The event that says which payloads are gone: `parts` lists their commitments."""

ERASED_TEXTS: Mapping[str, Any] = {"tool": ERASED_TOOL, "server": None, "summary": "", "masked": ()}
"""What a case's row must say instead of the bundle's words once the bundle is erased."""

MOVE_PREFIX = "escalation."
NO_MOVES = frozenset({"escalation.claim_refused"})
"""Events about a case that leave it as it was; every other `escalation.` event raises its version by one."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as the store holds it, in the words of the events."""

    escalation_id: str
    version: int
    """Moves so far, `opened` being the first."""
    status: str
    agent_id: str
    action_digest: str
    """Of the action as proposed."""
    final_digest: str | None
    """Of what may run."""
    policy_digest: str
    queue: str
    urgency: str
    triggers: tuple[str, ...]
    """Ids of those that fired, in order."""
    require: Any
    """What an approval must bring, as JSON; the text of the column where that is none."""
    tier: int
    deadline_at: str
    approvals: tuple[tuple[str, str], ...]
    """Person id and the digest that person agreed to, in order."""
    decided_by: tuple[str, ...]
    assurance: str | None
    release_at: str | None
    valid_until: str | None
    claimed: bool
    outcome: str | None
    decision_id: str | None
    """The decision that stands; None while undecided, after an undo, and for what the policy decided."""
    receipt: str | None
    """The token that goes with it, whole."""
    opened_seq: int
    opened_at: str
    approval_valid_s: int
    decided_at: str | None
    claimed_at: str | None
    tool: str
    server: str | None
    summary: str
    masked: tuple[str, ...]
    """Where in action and bundle a secret was masked."""


_OPENED = frozenset(
    {
        *("agent_id", "action_digest", "policy_digest", "queue", "urgency", "triggers", "require"),
        *("opened_seq", "opened_at", "approval_valid_s", "tool", "server", "summary", "masked"),
    }
)
_DECIDED = frozenset(
    {
        *("final_digest", "decided_by", "decided_at", "assurance", "release_at", "valid_until"),
        *("decision_id", "receipt"),
    }
)


@dataclass(slots=True)
class Folded:
    """A case as its events say it is."""

    opened_seq: int
    last_seq: int
    decided_seq: int
    version: int = 1
    approvals_needed: int = 1
    assurance_needed: str | None = None
    commits: bool = False
    """True: the opening event commits to a bundle, which says what the row repeats."""
    fields: dict[str, Any] = field(default_factory=dict)
    """By the names of `CaseRow`; a field that no event stated is absent and is not compared. `receipt` is the
    token's digest."""

    def source_of(self, name: str) -> int:
        """Return the number of the event that a field was taken from."""
        if name in _OPENED:
            return self.opened_seq
        return self.decided_seq if name in _DECIDED else self.last_seq


Move = Callable[[Folded, Mapping[str, Any], Mapping[str, Any]], str | None]
"""Changes a case by an event's `data` and `actor`; returns what is wrong with the move, None if nothing."""


def open_case(seq: int, data: Mapping[str, Any], *, at: str) -> Folded:
    """Return a case as its `escalation.opened` event says."""
    require = data.get("require")
    needed = require.get("approvals") if isinstance(require, dict) else None
    sure = require.get("assurance") if isinstance(require, dict) else None
    triggers = data.get("triggers")
    fields = {
        "status": data.get("status"),
        "agent_id": data.get("agent"),
        "tier": 0,
        "approvals": (),
        "decided_by": (),
        "claimed": False,
        "claimed_at": None,
        "decided_at": None if data.get("status") == "pending" else at,
        "opened_at": at,
        "opened_seq": seq,
        "outcome": None,
        "decision_id": None,
        "receipt": data.get("receipt"),
    }
    if isinstance(triggers, list):
        fields["triggers"] = tuple(triggers)
    stated = ("action_digest", "final_digest", "policy_digest", "queue", "urgency", "deadline_at", "require")
    if data.get("status") == "pending":
        fields.update(final_digest=None, assurance=None, release_at=None, valid_until=None)
    for name in (*stated, "approval_valid_s", "assurance", "release_at", "valid_until"):
        if name in data:
            fields[name] = data[name]
    return Folded(
        seq,
        seq,
        seq,
        approvals_needed=needed if type(needed) is int else 1,
        assurance_needed=sure if sure in ASSURANCES else None,
        commits=isinstance(data.get("bundle"), str),
        fields=fields,
    )


def move_case(
    case: Folded, seq: int, *, kind: str, at: str, data: Mapping[str, Any], actor: Mapping[str, Any]
) -> str | None:
    """Move a case by one of its events.

    Returns:
        What makes the move one that cannot have happened; None if it can. The case is moved either way, so that
        one bad event is one problem.
    """
    case.version += 1
    case.last_seq = seq
    if kind in _TIMES:
        name, ends = _TIMES[kind]
        case.fields[name] = at if ends else None
    move = _MOVES.get(kind)
    return move(case, data, actor) if move is not None else None


def _approval_given(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    wrong = _must_be_pending(case) or _must_be_decided_by_people(actor)
    digest, who = data.get("action_digest"), actor.get("id")
    agreed = tuple(one for one in case.fields["approvals"] if one[1] == digest)
    if any(one[0] == who for one in agreed):
        wrong = wrong or "counts the same person's approval twice"
    case.fields["approvals"] = (*agreed, (who, digest))
    return wrong


def _decided(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    wrong = _must_be_pending(case) or _must_be_decided_by_people(actor)
    fields, status, digest = case.fields, data.get("status"), data.get("action_digest")
    by = data.get("decided_by")
    people = tuple(map(str, by)) if isinstance(by, list) else ()
    if status not in ("approved", "modified", "rejected"):
        wrong = wrong or "decides neither approved, modified nor rejected"
    elif data.get("proposed_digest") != fields.get("action_digest"):
        wrong = wrong or "decides about another action than the case was opened with"
    elif (status == "rejected") != (digest is None):
        wrong = wrong or "names an action that may run exactly where none may, or none where one may"
    elif status == "approved" and digest != fields.get("action_digest"):
        wrong = wrong or "approves another action than the one that was asked for"
    elif status != "rejected" and len(set(people)) < case.approvals_needed:
        wrong = wrong or f"is an approval by {len(set(people))} where {case.approvals_needed} are needed"
    elif status != "rejected" and not _sure_enough(case, data.get("assurance")):
        wrong = wrong or f"is an approval with less than the assurance {case.assurance_needed} that is needed"
    agreed = tuple(one for one in fields["approvals"] if one[1] == digest)
    fields["approvals"] = () if status == "rejected" else (*agreed, (actor.get("id"), digest))
    if status != "rejected" and people != tuple(one[0] for one in fields["approvals"]):
        wrong = wrong or "names other people than those whose approvals came before"
    case.decided_seq = case.last_seq
    fields.update(
        status=status,
        final_digest=digest,
        decided_by=people,
        assurance=data.get("assurance"),
        release_at=data.get("release_at"),
        valid_until=data.get("valid_until"),
        decision_id=data.get("decision_id"),
        receipt=data.get("receipt"),
    )
    return wrong


def _undone(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    fields, wrong = case.fields, None
    if fields["decision_id"] is None or fields["decision_id"] != data.get("decision_id"):
        wrong = "takes back a decision that does not stand"
    elif fields["claimed"]:
        wrong = "takes back a decision that was already used"
    case.decided_seq = case.last_seq
    fields.update(
        status="pending", approvals=(), decided_by=(), assurance=None, final_digest=None,
        release_at=None, valid_until=None, decision_id=None, receipt=None,
    )  # fmt: skip
    if "deadline_at" in data:
        fields["deadline_at"] = data["deadline_at"]
    return wrong


def _ended(status: str) -> Move:
    def move(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
        wrong = _must_be_pending(case)
        case.fields.update(status=status, final_digest=None)
        # Nobody has to wait for these, so no event states when they are released.
        case.fields.pop("release_at", None)
        return wrong

    return move


def _escalated(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    wrong = _must_be_pending(case)
    case.fields["tier"] = data.get("tier")
    if "deadline_at" in data:
        case.fields["deadline_at"] = data["deadline_at"]
    return wrong


def _claimed(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    fields, wrong = case.fields, None
    if fields["status"] not in ("approved", "modified"):
        wrong = f"claims a case that is {fields['status']}"
    elif fields["claimed"]:
        wrong = "claims an approval a second time"
    elif data.get("action_digest") != fields.get("final_digest"):
        wrong = "claims another action than the one that was approved"
    fields["claimed"] = True
    return wrong


def _outcome(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    fields, wrong = case.fields, None
    if not fields["claimed"]:
        wrong = "reports what came of an action that was never claimed"
    elif fields["outcome"] not in (None, "unknown"):
        wrong = "reports a second outcome"
    fields["outcome"] = data.get("outcome")
    return wrong


_MOVES: Mapping[str, Move] = {
    "escalation.approval_given": _approval_given,
    "escalation.decided": _decided,
    "escalation.undone": _undone,
    "escalation.expired": _ended("expired"),
    "escalation.cancelled": _ended("cancelled"),
    "escalation.escalated": _escalated,
    "escalation.claimed": _claimed,
    "escalation.outcome": _outcome,
}


_TIMES: Mapping[str, tuple[str, bool]] = {
    "escalation.decided": ("decided_at", True),
    "escalation.undone": ("decided_at", False),
    "escalation.expired": ("decided_at", True),
    "escalation.cancelled": ("decided_at", True),
    "escalation.claimed": ("claimed_at", True),
}
"""Which time of a case an event sets to its own, or takes away."""


def shown(document: Any) -> dict[str, Any]:
    """Return what a case's bundle says of the columns that repeat it; nothing for what is no bundle."""
    action = document.get("action") if isinstance(document, dict) else None
    if not isinstance(action, dict):
        return {}
    return {
        "tool": action.get("tool"),
        "server": action.get("server"),
        "summary": action.get("summary", ""),
        "masked": tuple(document.get("masked", ())),
    }


def _must_be_pending(case: Folded) -> str | None:
    status = case.fields["status"]
    return None if status == "pending" else f"moves a case that is already {status}"


def _must_be_decided_by_people(actor: Mapping[str, Any]) -> str | None:
    return "is an agent's decision" if actor.get("kind") == "agent" else None


def _sure_enough(case: Folded, given: Any) -> bool:
    if case.assurance_needed is None:
        return True
    return given in ASSURANCES and ASSURANCES.index(given) >= ASSURANCES.index(case.assurance_needed)


def differences(case: Folded, row: CaseRow) -> list[tuple[str, Any, Any]]:
    """Return the fields in which a stored case is not what its events say: name, by the events, by the row.

    The receipt is left out; the row has the token and the events its digest.
    """
    found: list[tuple[str, Any, Any]] = []
    if case.version != row.version:
        found.append(("version", case.version, row.version))
    for name, said in case.fields.items():
        if name != "receipt" and said != getattr(row, name):
            found.append((name, said, getattr(row, name)))
    return found
