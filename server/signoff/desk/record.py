"""Write an ask down, inside the unit of work that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from signoff.desk.ask import Ask, Kept, recording
from signoff.desk.history import active, entries
from signoff.desk.policies import note_policy
from signoff.domain.asked import Placed, Standing, standing_after, standing_of
from signoff.domain.case import Escalation
from signoff.domain.event import Draft
from signoff.domain.verdict import Verdict
from signoff.store.unit import Unit
from signoff.triggers.facts import Facts
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.signals.history import Definition

Joined = tuple[int, datetime]
"""Number of a check, and when it was first asked."""
AuditChecks = Literal["none", "fired", "all"]
FOLLOWS_WITHIN = timedelta(hours=1)
"""How long after its check a request is still the same ask."""


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """What is kept of what agents ask."""

    keep_documents_for: timedelta = timedelta(days=30)
    """How long action and bundle are kept, masked, for replays and new history signals; zero keeps none."""
    audit: AuditChecks = "none"
    """Which checks get an event in the audit log."""

    @property
    def keeps_documents(self) -> bool:
        """Say whether action and bundle are kept at all."""
        return self.keep_documents_for > timedelta(0)


@dataclass(frozen=True, slots=True)
class Answered:
    """A check with the verdict that was given on it."""

    ask: Ask
    verdict: Verdict
    facts: Facts
    policy: LoadedPolicy
    what: Kept


async def record_checks(unit: Unit, checks: Sequence[Answered], *, audit: AuditChecks) -> None:
    """Record checks in order, with an event for each that the settings want one for.

    What they share is read and written once: a hundred cost little more than one.
    """
    for policy in {one.policy.digest: one.policy for one in checks}.values():
        await note_policy(unit, policy)
    counted = await active(unit)
    await unit.history.add(
        [
            _placed(counted, one.ask, one.verdict, one.facts, one.what, standing_after(one.verdict.outcome))
            for one in checks
        ]
    )
    for one in checks:
        verdict = one.verdict
        if audit == "all" or (audit == "fired" and (verdict.fired or verdict.outcome != "allow")):
            data = {
                "action_digest": one.ask.digest,
                "verdict": verdict.outcome,
                "triggers": [fired.trigger for fired in verdict.fired],
                "policy_digest": verdict.policy_digest,
            }
            await unit.record(Draft("check.recorded", unit.now, one.ask.agent.actor, data))


async def take_up_check(unit: Unit, ask: Ask, facts: Facts) -> Joined | None:
    """Take the check that a request follows out of every series, so that windows do not hold the action twice.

    A check that let the action run is no such check: it may have run, and this is another run.
    """
    found = await unit.history.check_before(
        ask.agent.id, ask.session, ask.digest, since=facts.now - FOLLOWS_WITHIN
    )
    if found is None:
        return None
    await unit.history.take_out(found[0])
    return found


async def record_request(
    unit: Unit,
    ask: Ask,
    verdict: Verdict,
    *,
    facts: Facts,
    what: Kept,
    case: Escalation,
    joined: Joined | None,
) -> None:
    """Record a request with its case, as one ask with the check that it follows."""
    placed = _placed(await active(unit), ask, verdict, facts, what, standing_of(case))
    if joined is None:
        await unit.history.add([placed], case_id=case.id)
    else:
        seq, checked_at = joined
        await unit.history.ask_again(seq, checked_at, placed, case_id=case.id)


def _placed(
    counted: Sequence[Definition], ask: Ask, verdict: Verdict, facts: Facts, what: Kept, standing: Standing
) -> Placed:
    made = recording(ask, verdict, what=what, history=facts.history, asked_at=facts.now)
    return Placed(made, tuple(entries(counted, facts, ask.digest)), standing)
