"""Ask the policy, without opening a case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signoff.desk.desk import Desk
from signoff.desk.masks import fired_for_model
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.errors import Forbidden
from signoff.domain.people import Agent
from signoff.domain.verdict import Verdict
from signoff.triggers.evaluate import evaluate
from signoff.triggers.facts import Facts
from signoff.triggers.load import LoadedPolicy

_NEXT_STEP = {
    "allow": "No approval is needed. Run the action.",
    "escalate": "Do not run the action yet. Call request_approval with the same action and your whole bundle.",
    "deny": "The policy forbids this action. Do not run it; tell the user why, or choose another way.",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What the policy says of an action that nobody has been asked about."""

    verdict: Verdict
    fired: tuple[dict[str, Any], ...]
    """The triggers that fired, as the agent may see them."""
    next_step: str


async def check_triggers(desk: Desk, agent: Agent, action: Action, material: Material) -> Checked:
    """Return the verdict on an action; nothing is stored and nobody is alerted.

    Raises:
        InvalidRequest: Input without one canonical form.
        LimitExceeded: Input over a limit.
        Forbidden: The agent is paused.
    """
    check_not_paused(agent)
    facts = facts_of(agent, action.checked(), material.checked(), now=desk.clock.now())
    return judge(desk.policy.current(), facts)


def judge(policy: LoadedPolicy, facts: Facts) -> Checked:
    """Return what a policy says of an action, as its agent is told."""
    verdict = evaluate(policy, facts)
    fired = fired_for_model([one.as_json() for one in verdict.fired], policy)
    return Checked(verdict, tuple(fired), _NEXT_STEP[verdict.outcome])


def facts_of(agent: Agent, action: Action, material: Material, *, now: datetime) -> Facts:
    """Return what a policy is evaluated over."""
    return Facts(
        action=action.model_dump(mode="json", exclude_none=True),
        bundle=material.as_json(),
        agent={"id": agent.id, "name": agent.name, "owner": agent.owner},
        session={},
        now=now,
    )


def check_not_paused(agent: Agent) -> None:
    """Refuse a paused agent.

    Raises:
        Forbidden: It is paused.
    """
    if agent.paused_at is not None:
        raise Forbidden("This agent is paused by its operators. Stop, and tell the user.")
