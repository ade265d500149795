"""Ask the policy, without opening a case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from signoff.desk.ask import Ask, kept
from signoff.desk.desk import Desk
from signoff.desk.history import windows
from signoff.desk.masks import fired_for_model
from signoff.desk.record import Answered, record_checks
from signoff.desk.recorder import Heard
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.errors import Forbidden
from signoff.domain.people import Agent
from signoff.domain.verdict import Verdict
from signoff.store.unit import Unit
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


async def check_triggers(
    desk: Desk, agent: Agent, action: Action, material: Material, *, session: str | None = None
) -> Checked:
    """Return the verdict on an action, and record that it was asked; nobody is alerted.

    Where a history signal counts the action or judges it, the record is on disk before this returns; otherwise it is
    written behind the answer.

    Args:
        session: The agent session; None where the transport has none.

    Raises:
        InvalidRequest: Input without one canonical form.
        LimitExceeded: Input over a limit.
        Forbidden: The agent is paused.
        StoreUnavailable: A history signal needs the ask recorded, and it could not be.
    """
    check_not_paused(agent)
    ask = Ask.of(agent, action, material, session=session)
    policy = desk.policy.current()
    if policy.needs_history(action.tool):
        verdict = await _judged(desk, ask, policy)
    else:
        facts = ask.facts(desk.clock.now())
        verdict = evaluate(policy, facts)
        await desk.recorder.later(Heard(ask, policy, verdict, facts))
    return _told(policy, verdict)


def judge(policy: LoadedPolicy, facts: Facts) -> Checked:
    """Return what a policy says of an action, as its agent would be told; nothing is recorded."""
    return _told(policy, evaluate(policy, facts))


def _told(policy: LoadedPolicy, verdict: Verdict) -> Checked:
    fired = fired_for_model([one.as_json() for one in verdict.fired], policy)
    return Checked(verdict, tuple(fired), _NEXT_STEP[verdict.outcome])


async def _judged(desk: Desk, ask: Ask, policy: LoadedPolicy) -> Verdict:
    """Evaluate over the history and record, in one unit of work: no other ask comes between."""
    await desk.recorder.settle_before(policy)
    what = kept(ask.facts(desk.clock.now()), document=desk.settings.checks.keeps_documents)

    async def judge(unit: Unit) -> Verdict:
        facts = ask.facts(await unit.history.now())
        facts = replace(facts, history=await windows(unit, policy, facts, ask.digest))
        verdict = evaluate(policy, facts)
        await record_checks(
            unit, [Answered(ask, verdict, facts, policy, what)], audit=desk.settings.checks.audit
        )
        return verdict

    verdict = await desk.store.write(judge)
    if any(one.reason.startswith("missing signals.") for one in verdict.fired):
        desk.recorder.wake()  # a series may still be filling
    return verdict


def check_not_paused(agent: Agent) -> None:
    """Refuse a paused agent.

    Raises:
        Forbidden: It is paused.
    """
    if agent.paused_at is not None:
        raise Forbidden("This agent is paused by its operators. Stop, and tell the user.")
