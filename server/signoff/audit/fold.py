"""What the events of a case say about it, so that the stored case can be compared with its events.

The same moves as `domain/escalation.py`, read back from the log by code that shares nothing with the code that
wrote them. What each event type carries in `data`:

    escalation.opened          status, action_digest, final_digest, agent, policy_digest, verdict, triggers, queue,
                               urgency, require, deadline_at, on_deadline, bundle*
    escalation.approval_given  decision_id, action_digest, proposed_digest, count, of, decision* …
    escalation.decided         decision_id, status, action_digest (of what may run, or null), proposed_digest,
                               decided_by, assurance, view_digest, policy_digest, release_at, valid_until,
                               receipt (digest of the token), decision*
    escalation.undone          decision_id, deadline_at
    escalation.overridden      decision_id (or null), deadline_at; only supervisors decide from here on
    escalation.expired         deadline_at
    escalation.cancelled       reason*
    escalation.escalated       tier, alerted, skipped, deadline_at where it is another
    escalation.repeated        tier, alerted
    escalation.acknowledged    counts_from
    escalation.handed_over     to, counts_from
    escalation.reassigned      to, or queue and tier; counts_from
    escalation.asked           number, question*
    escalation.answered        number, answer*; the case has no open question then
    escalation.claimed         action_digest
    escalation.claim_refused   reason, action_digest; moves nothing
    escalation.outcome         outcome, report*

A field with a star is a commitment to a payload that is stored beside the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from signoff.domain.erasure import ERASED_TOOL
from signoff.domain.people import ASSURANCES

COMMITMENTS: Mapping[str, tuple[str, ...]] = {
    "escalation.opened": ("bundle", "tool_commitment"),
    "escalation.approval_given": ("decision",),
    "escalation.decided": ("decision",),
    "escalation.cancelled": ("reason",),
    "escalation.outcome": ("report",),
    "escalation.asked": ("question",),
    "escalation.answered": ("answer",),
    "hold.placed": ("reason", "subject"),
    "hold.lifted": ("reason",),
    "log.recovered": ("reason",),
}
"""Which fields of an event's `data` commit to a payload; each payload is stored under the event's number and the
field's name. A field may be absent."""

ERASED = "bundle.erased"
"""The event that says which payloads are gone: `parts` lists their commitments."""

LOADED = "policy.loaded"
"""The event that says which policy counts from then on, by `policy_digest`; its text is kept beside the log."""

ERASED_TEXTS: Mapping[str, Any] = {"tool": ERASED_TOOL, "server": None, "summary": "", "masked": ()}
"""What a case's row must say instead of the bundle's words once the bundle is erased."""

MOVE_PREFIX = "escalation."
NO_MOVES = frozenset({"escalation.claim_refused"})
"""Events about a case that leave it as it was; every other `escalation.` event raises its version by one."""
HANDLING = frozenset(
    {
        "escalation.escalated",
        "escalation.repeated",
        "escalation.acknowledged",
        "escalation.handed_over",
        "escalation.reassigned",
        "escalation.asked",
    }
)
"""Events that say who has a case in hand: they raise `handled` by one, and leave the version, on which decisions
and signatures rest."""


class ApprovalRow(NamedTuple):
    """One of the approvals that a case has gathered, as the case's row holds it."""

    person_id: str
    roles: tuple[str, ...]
    assurance: str | None
    at: str
    final_digest: str | None
    """What the person agreed to."""


class DecisionRow(NamedTuple):
    """A decision as the store holds it beside its event; it is what people are shown of it."""

    seq: int
    id: str
    escalation_id: str
    choice: str
    person_id: str
    roles: tuple[str, ...]
    assurance: str
    decided_at: str
    undone_at: str | None
    content: Any
    """The payload beside its event, as JSON, which has the choice, too; None once erased."""


class ReceiptRow(NamedTuple):
    """A receipt as the store holds it."""

    seq: int
    escalation_id: str
    token: str


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
    approvals: tuple[ApprovalRow, ...]
    """In order."""
    decided_by: tuple[str, ...]
    assurance: str | None
    release_at: str | None
    valid_until: str | None
    claimed: bool
    outcome: str | None
    decisions: tuple[DecisionRow, ...]
    """Those stored for the case or under one of its events, those that were taken back too."""
    receipts: tuple[ReceiptRow, ...]
    """As `decisions`."""
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
    handled: int
    """Moves so far that changed who has the case in hand."""
    counts_from: str | None
    alerted_at: str | None
    acknowledged_by: str | None
    acknowledged_at: str | None
    assigned_to: str | None
    overridden_by: str | None
    on_deadline: str
    questions: int
    """How many questions were put to the agent."""
    questioned_by: str | None
    """Who put the one that is open."""
    questioned_at: str | None

    @property
    def moves(self) -> int:
        """Return how many events have moved the case."""
        return self.version + self.handled


_OPENED = frozenset(
    {
        *("agent_id", "action_digest", "policy_digest", "queue", "urgency", "triggers", "require"),
        *("opened_seq", "opened_at", "approval_valid_s", "tool", "server", "summary", "masked"),
        "on_deadline",
    }
)
_DECIDED = frozenset(
    {
        *("final_digest", "decided_by", "decided_at", "assurance", "release_at", "valid_until"),
    }
)


@dataclass(slots=True)
class Folded:
    """A case as its events say it is."""

    opened_seq: int
    last_seq: int
    decided_seq: int
    last_at: str = ""
    version: int = 1
    handled: int = 0
    queue_seq: int | None = None
    """The event that moved the case to another queue."""
    approvals_needed: int = 1
    assurance_needed: str | None = None
    decision_id: str | None = None
    """The decision that stands; None while undecided, after an undo, and for what the policy decided."""
    decisions: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By event number, what is stated of each decision, by the names of `DecisionRow`."""
    receipts: dict[int, str] = field(default_factory=dict)
    """The digest of each receipt by event number."""
    commits: bool = False
    """True: the opening event commits to a bundle, which says what the row repeats."""
    fields: dict[str, Any] = field(default_factory=dict)
    """By the names of `CaseRow`; a field that no event stated is absent and is not compared."""

    @property
    def moves(self) -> int:
        """Return how many events have moved the case."""
        return self.version + self.handled

    def source_of(self, name: str) -> int:
        """Return the number of the event that a field was taken from."""
        if name == "queue" and self.queue_seq is not None:
            return self.queue_seq
        if name in _OPENED:
            return self.opened_seq
        return self.decided_seq if name in _DECIDED else self.last_seq


Move = Callable[[Folded, Mapping[str, Any], Mapping[str, Any]], str | None]
"""Changes a case by an event's `data` and `actor`; returns what is wrong with the move, None if nothing."""


_IN_NOBODYS_HAND = {"acknowledged_by": None, "acknowledged_at": None, "assigned_to": None}


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
        "overridden_by": None,
        "counts_from": None,
        "alerted_at": None,
        "questions": 0,
        "questioned_by": None,
        "questioned_at": None,
        **_IN_NOBODYS_HAND,
    }
    if isinstance(triggers, list):
        fields["triggers"] = tuple(triggers)
    stated = ("action_digest", "final_digest", "policy_digest", "queue", "urgency", "deadline_at", "require")
    if data.get("status") == "pending":
        fields.update(final_digest=None, assurance=None, release_at=None, valid_until=None)
    for name in (*stated, "on_deadline", "approval_valid_s", "assurance", "release_at", "valid_until"):
        if name in data:
            fields[name] = data[name]
    folded = Folded(
        seq,
        seq,
        seq,
        at,
        approvals_needed=needed if type(needed) is int else 1,
        assurance_needed=sure if sure in ASSURANCES else None,
        commits=isinstance(data.get("bundle"), str),
        fields=fields,
    )
    _issued(folded, data)
    return folded


def move_case(
    case: Folded, seq: int, *, kind: str, at: str, data: Mapping[str, Any], actor: Mapping[str, Any]
) -> str | None:
    """Move a case by one of its events.

    Returns:
        What makes the move one that cannot have happened; None if it can. The case is moved either way, so that
        one bad event is one problem.
    """
    if kind in HANDLING:
        case.handled += 1
    else:
        case.version += 1
    case.last_seq, case.last_at = seq, at
    if kind in _TIMES:
        name, ends = _TIMES[kind]
        case.fields[name] = at if ends else None
    move = _MOVES.get(kind)
    return move(case, data, actor) if move is not None else None


def _issued(case: Folded, data: Mapping[str, Any]) -> None:
    if data.get("receipt") is not None:
        case.receipts[case.last_seq] = data["receipt"]


def _approval(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> ApprovalRow:
    """Note the decision that an event states, and return it as an approval."""
    roles, digest = data.get("roles"), data.get("action_digest")
    said = tuple(roles) if isinstance(roles, list) else ()
    case.decisions[case.last_seq] = {
        "id": data.get("decision_id"),
        # An approval that changes the response only is a modification of the same action.
        "choice": ("reject",) if digest is None else ("approve", "modify"),
        "person_id": actor.get("id"),
        "roles": said,
        "assurance": actor.get("assurance"),
        "decided_at": case.last_at,
        "undone_at": None,
    }
    return ApprovalRow(
        str(actor.get("id")), said, actor.get("assurance"), case.last_at, data.get("action_digest")
    )


def _approval_given(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    wrong = _must_be_pending(case) or _must_be_decided_by_people(actor)
    given = _approval(case, data, actor)
    wrong = wrong or _must_be_a_supervisor(case, given)
    agreed = _agreed(case, given.final_digest)
    if any(one.person_id == given.person_id for one in agreed):
        wrong = wrong or "counts the same person's approval twice"
    case.fields["approvals"] = (*agreed, given)
    return wrong


def _agreed(case: Folded, digest: str | None) -> tuple[ApprovalRow, ...]:
    return tuple(one for one in case.fields["approvals"] if one.final_digest == digest)


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
    given = _approval(case, data, actor)
    wrong = wrong or _must_be_a_supervisor(case, given)
    fields["approvals"] = () if status == "rejected" else (*_agreed(case, digest), given)
    if status != "rejected" and people != tuple(one.person_id for one in fields["approvals"]):
        wrong = wrong or "names other people than those whose approvals came before"
    case.decided_seq = case.last_seq
    fields.update(
        status=status,
        final_digest=digest,
        decided_by=people,
        assurance=data.get("assurance"),
        release_at=data.get("release_at"),
        valid_until=data.get("valid_until"),
    )
    case.decision_id = data.get("decision_id")
    _issued(case, data)
    return wrong


def _undone(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    fields, wrong = case.fields, None
    if case.decision_id is None or case.decision_id != data.get("decision_id"):
        wrong = "takes back a decision that does not stand"
    elif fields["claimed"]:
        wrong = "takes back a decision that was already used"
    _reopen(case, data)
    return wrong


def _overridden(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    fields, wrong = case.fields, _must_be_done_by_a_person(actor)
    if fields["status"] != "pending" and case.decision_id is None:
        wrong = wrong or f"moves a case that is already {fields['status']}"
    elif fields["claimed"]:
        wrong = wrong or "takes back a decision that was already used"
    _reopen(case, data)
    fields.update(
        _IN_NOBODYS_HAND,
        overridden_by=actor.get("id"),
        acknowledged_by=actor.get("id"),
        acknowledged_at=case.last_at,
        counts_from=case.last_at,
    )
    return wrong


def _reopen(case: Folded, data: Mapping[str, Any]) -> None:
    fields = case.fields
    case.decided_seq = case.last_seq
    fields.update(
        status="pending", approvals=(), decided_by=(), assurance=None, final_digest=None,
        release_at=None, valid_until=None,
    )  # fmt: skip
    case.decision_id = None
    for stated in case.decisions.values():  # with the last, the approvals before it fall too
        stated["undone_at"] = stated["undone_at"] or case.last_at
    if "deadline_at" in data:
        fields["deadline_at"] = data["deadline_at"]


def _ended(status: str) -> Move:
    def move(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
        wrong = _must_be_pending(case)
        case.decided_seq = case.last_seq
        case.fields.update(status=status, final_digest=None, release_at=case.last_at)
        return wrong

    return move


def _escalated(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    wrong = _must_be_pending(case)
    tier = data.get("tier")
    if type(tier) is not int or tier <= case.fields["tier"]:
        wrong = wrong or "goes on to a tier that the case has come to already"
    case.fields.update(_IN_NOBODYS_HAND, tier=tier, alerted_at=case.last_at)
    if "deadline_at" in data:
        case.fields["deadline_at"] = data["deadline_at"]
    return wrong


def _repeated(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    case.fields["alerted_at"] = case.last_at
    return _must_be_pending(case)


def _acknowledged(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    case.fields.update(acknowledged_by=actor.get("id"), acknowledged_at=case.last_at)
    _count_from(case, data)
    return _must_be_pending(case) or _must_be_done_by_a_person(actor)


def _passed_on(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    case.fields.update(_IN_NOBODYS_HAND, alerted_at=case.last_at)
    _count_from(case, data)
    if "queue" in data:
        case.fields.update(queue=data["queue"], tier=data.get("tier"))
        case.queue_seq = case.last_seq
    else:
        case.fields["assigned_to"] = data.get("to")
    return _must_be_pending(case) or _must_be_done_by_a_person(actor)


def _asked(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    fields, wrong = case.fields, _must_be_pending(case) or _must_be_done_by_a_person(actor)
    if fields["questioned_by"] is not None:
        wrong = wrong or "asks the agent while an earlier question is open"
    elif data.get("number") != fields["questions"] + 1:
        wrong = wrong or "numbers a question out of turn"
    fields.update(
        questions=fields["questions"] + 1, questioned_by=actor.get("id"), questioned_at=case.last_at
    )
    return wrong


def _answered(case: Folded, data: Mapping[str, Any], actor: Mapping[str, Any]) -> str | None:
    fields, wrong = case.fields, _must_be_pending(case)
    if (actor.get("kind"), actor.get("id")) != ("agent", fields["agent_id"]):
        wrong = wrong or "is an answer by somebody else than the case's agent"
    elif fields["questioned_by"] is None or data.get("number") != fields["questions"]:
        wrong = wrong or "answers a question that is not open"
    fields.update(questioned_by=None, questioned_at=None)
    return wrong


def _count_from(case: Folded, data: Mapping[str, Any]) -> None:
    case.fields["counts_from"] = data.get("counts_from")


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
    "escalation.overridden": _overridden,
    "escalation.escalated": _escalated,
    "escalation.repeated": _repeated,
    "escalation.acknowledged": _acknowledged,
    "escalation.handed_over": _passed_on,
    "escalation.reassigned": _passed_on,
    "escalation.asked": _asked,
    "escalation.answered": _answered,
    "escalation.claimed": _claimed,
    "escalation.outcome": _outcome,
}


_TIMES: Mapping[str, tuple[str, bool]] = {
    "escalation.decided": ("decided_at", True),
    "escalation.undone": ("decided_at", False),
    "escalation.overridden": ("decided_at", False),
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


def _must_be_done_by_a_person(actor: Mapping[str, Any]) -> str | None:
    return None if actor.get("kind") == "person" else "is not done by a person"


def _must_be_a_supervisor(case: Folded, given: ApprovalRow) -> str | None:
    if case.fields["overridden_by"] is None or "supervisor" in given.roles:
        return None
    return "is decided by somebody else than a supervisor, after a supervisor took the case over"


def _sure_enough(case: Folded, given: Any) -> bool:
    if case.assurance_needed is None:
        return True
    return given in ASSURANCES and ASSURANCES.index(given) >= ASSURANCES.index(case.assurance_needed)


def differences(case: Folded, row: CaseRow) -> list[tuple[str, Any, Any]]:
    """Return the fields in which a stored case is not what its events say: name, by the events, by the row."""
    found: list[tuple[str, Any, Any]] = []
    if case.version != row.version:
        found.append(("version", case.version, row.version))
    if case.handled != row.handled:
        found.append(("handled", case.handled, row.handled))
    for name, said in case.fields.items():
        if said != getattr(row, name):
            found.append((name, said, getattr(row, name)))
    return found


def decision_problems(case: Folded, row: CaseRow) -> list[tuple[int, str]]:
    """Return what is wrong with the stored decisions of a case: the event of each, and what."""
    held = {one.seq: one for one in row.decisions}
    extra = held.keys() - case.decisions.keys()
    found = [(seq, "a decision is stored for it, and it states none of this case") for seq in sorted(extra)]
    for seq, stated in case.decisions.items():
        one = held.get(seq)
        if one is None:
            found.append((seq, "the decision that it states is not stored"))
            continue
        for name, said in {**stated, "escalation_id": row.escalation_id, **_chosen(one, stated)}.items():
            if said != getattr(one, name):
                what = f"the stored decision says {name} {short(getattr(one, name))}, its event says {short(said)}"
                found.append((seq, what))
    return found


def _chosen(held: DecisionRow, stated: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(held.content, dict):
        return {"choice": held.content.get("choice")}
    return {"choice": held.choice} if held.choice in stated["choice"] else {}


def short(value: Any) -> str:
    """Return a value fit for a message; a tampered row may hold anything of any length."""
    shown = ascii(value)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."
