"""A case to move, without a policy or a store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from signoff.domain import escalation as moves
from signoff.domain.action import action_digest
from signoff.domain.canonical import canonical, sha256
from signoff.domain.change import Change
from signoff.domain.people import Agent, Person, Role, SignIn
from signoff.domain.verdict import Outcome, Requirement, Verdict

ARGUMENTS: dict[str, Any] = {"amount": 12_500}
PROPOSED = moves.Proposed("wire_transfer", None, ARGUMENTS)
DIGEST = action_digest("wire_transfer", ARGUMENTS, server=None)


def person(name: str, at: datetime, *roles: Role) -> SignIn:
    """Return somebody who is fully signed in."""
    return SignIn(Person(f"per_{name}", name, frozenset(roles), frozenset(), (), at), "session")


def opened_case(
    agent: Agent,
    now: datetime,
    *,
    outcome: Outcome = "escalate",
    require: Requirement | None = None,
    masked: tuple[str, ...] = (),
) -> Change:
    """Return the opening of a case that people have thirty minutes for and an approval of ten."""
    verdict = Verdict(
        outcome=outcome,
        fired=(),
        shadow=(),
        policy_digest=sha256(b"a policy"),
        queue="default",
        urgency="normal",
        require=require or Requirement(),
        approve_within=timedelta(minutes=30),
        approval_valid_for=timedelta(minutes=10),
        on_deadline="expire",
    )
    document = canonical({"action": {"tool": "wire_transfer", "arguments": ARGUMENTS}, "bundle": {}})
    request = moves.Request("wire_transfer", None, "", DIGEST, masked, document)
    return moves.opened(request, verdict, case_id="esc_1", agent=agent, now=now, urgency="normal")
