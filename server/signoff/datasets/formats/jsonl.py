"""`jsonl`: everything of each decided case, one JSON object a line, for code of one's own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from signoff.datasets.decided import DecidedCase
from signoff.datasets.formats.row import Row
from signoff.domain.clock import to_text
from signoff.domain.decision import Decision


def row(decided: DecidedCase) -> Row:
    """Return the row of any decided case.

    People are named by id; names and receipts stay in the house.
    """
    case = decided.case
    values: dict[str, Any] = {
        "escalation_id": case.id,
        "audit_seq": decided.audit_seq,
        "opened_seq": decided.opened_seq,
        "status": case.status,
        "agent_id": case.agent_id,
        **{name: decided.document[name] for name in ("action", "bundle", "verdict")},
        "response_schema": decided.document.get("response_schema"),
        "masked": list(case.masked),
        "triggers": list(case.triggers),
        "queue": case.queue,
        "urgency": case.urgency,
        "require": case.require.as_json(),
        "final_arguments": decided.arguments,
        "action_digest": case.action_digest,
        "final_digest": case.final_digest,
        "policy_digest": case.policy_digest,
        "decisions": [_decision(one) for one in decided.decisions],
        "assurance": case.assurance,
        "opened_at": to_text(case.opened_at),
        "decided_at": _time(case.decided_at),
        "considered_ms": round(decided.considered_for.total_seconds() * 1000),
        "claimed_at": _time(case.claimed_at),
        "outcome": case.outcome,
        "report": decided.report,
    }
    return Row(values, material=values)


def _decision(one: Decision) -> dict[str, Any]:
    return {
        "id": one.id,
        "audit_seq": one.seq,
        "choice": one.choice,
        "person_id": one.person_id,
        "roles": list(one.roles),
        "assurance": one.assurance,
        "decided_at": to_text(one.decided_at),
        "arguments": one.arguments,
        "response": one.response,
        "note": one.note,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else to_text(at)
