"""Canaries: cases that must be rejected, made by supervisors and admins to see whether they are.

A canary looks like any case, alerts like any case, and is asked for under the name of an agent that knows nothing of
it. It ends with the first answer, whatever that is, and is never approved: no decision, no receipt, nothing that an
agent could claim. Whoever answered is told at once. The log says truthfully who made it (`canary.made`, which names the
case and is not filed under it) and who answered what (`canary.answered`).

An agent never sees one, for another principal asked: a stand-in without a key. So neither its limits, nor its cases, nor
the history that the policy counts know of canaries; statistics and datasets leave them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from signoff.desk.ask import Ask
from signoff.desk.attentiveness import ENOUGH_CANARIES, Share, share_of
from signoff.desk.desk import Desk
from signoff.desk.escalate import first_alerts, take_up
from signoff.desk.history import windows
from signoff.desk.moment import moment
from signoff.desk.people import acting, agent_named, check_role
from signoff.desk.policies import note_policy
from signoff.desk.request import asked_for, request_of
from signoff.desk.stats import PERIODS
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.canary import Canary
from signoff.domain.canonical import canonical
from signoff.domain.decision import Answer
from signoff.domain.errors import Forbidden, InvalidRequest
from signoff.domain.escalation import Escalation, cancelled, opened
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.people import Agent, Role, SignIn, check_full
from signoff.domain.policy import check_id
from signoff.store.unit import Unit
from signoff.triggers.evaluate import evaluate

MAKERS: frozenset[Role] = frozenset({"supervisor", "admin"})
MOST_AT_ONCE = 20
"""Canaries that one call makes: more at once would be told apart by their number alone."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a canary is made of, already read."""

    action: Action
    material: Material


async def make_canaries(
    desk: Desk,
    drawn: Sequence[Drawn],
    *,
    agent: str,
    drill: str | None = None,
    by: SignIn | None = None,
) -> list[str]:
    """Put canaries to people as the policy says, all or none, and return their cases' ids.

    Args:
        drawn: What must be rejected.
        agent: Name of the agent under whose name they are asked for.
        drill: Names the exercise that they belong to.
        by: The supervisor or admin who makes them; None for the command line.

    Raises:
        Forbidden: They are neither.
        NotFound: No such agent.
        InvalidRequest: None or too many at once; a drill's name that cannot be one; or an action about which the policy
            would ask nobody.
    """
    if not 0 < len(drawn) <= MOST_AT_ONCE:
        raise InvalidRequest(f"1 to {MOST_AT_ONCE} at once.", field="canaries")
    if drill is not None:
        try:
            check_id(drill)
        except ValueError as error:
            raise InvalidRequest(f"{error}.", field="drill") from None
    borrowed = await agent_named(desk, agent)

    async def move(unit: Unit) -> list[str]:
        actor = await acting(unit, by, roles=MAKERS)
        stand_in = await _stand_in(unit, borrowed)
        made = []
        for one in drawn:
            case = await _open(desk, unit, borrowed, stand_in, one)
            await unit.insight.add_canary(case.id, made_by=actor.id, made_at=unit.now, drill=drill)
            data = {"case": case.id, "agent": stand_in.id, "stands_for": borrowed.id, "drill": drill}
            await unit.record(Draft("canary.made", unit.now, actor, data))
            made.append(case.id)
        return made

    return await desk.store.write(move)


async def _stand_in(unit: Unit, borrowed: Agent) -> Agent:
    found = await unit.insight.stand_in(borrowed.id)
    if found is not None:
        return found
    made = Agent(unit.new_id("agt"), borrowed.name, borrowed.owner, unit.now, stands_for=borrowed.id)
    await unit.insight.add_stand_in(made)
    return made


async def _open(desk: Desk, unit: Unit, borrowed: Agent, stand_in: Agent, one: Drawn) -> Escalation:
    """Open a case as `request_approval` does, but ask in nobody's history and answer to no agent."""
    policy = desk.policy.current()
    asking = Ask.of(borrowed, one.action, one.material, session=None)
    facts = asking.facts(unit.now)
    if policy.needs_history(one.action.tool):
        facts = replace(facts, history=await windows(unit, policy, facts, asking.digest))
    verdict = asked_for(evaluate(policy, facts))
    if verdict.outcome != "escalate":
        raise InvalidRequest(
            f"the policy would answer this by itself ({verdict.outcome}), so nobody would see it.",
            field="action",
        )
    await note_policy(unit, policy)
    change = opened(
        request_of(asking, verdict, {}),
        verdict,
        case_id=unit.new_id("esc"),
        agent=stand_in,
        now=unit.now,
        urgency=verdict.urgency,
    )
    tiers = policy.policy.queue_named(change.case.queue).tiers
    change = replace(change, alerts=await first_alerts(unit, change.case, tiers))
    return await take_up(unit, await unit.apply(change), policy, at_once=not change.alerts)


async def answer_canary(
    unit: Unit, case: Escalation, canary: Canary, answer: Answer, *, by: SignIn
) -> Escalation:
    """Take a person's answer to a canary: the case ends, approved by nobody, and the answer is kept.

    Raises:
        Forbidden: They made it themselves.
    """
    if canary.made_by == by.person.id:
        raise Forbidden("You made this canary, so your answer would tell nothing. Leave it to others.")
    after = await unit.apply(
        cancelled(case, by=SYSTEM, reason=canonical("It was a canary, and it was answered."), now=unit.now)
    )
    await unit.insight.answer_canary(case.id, by=by.person.id, at=unit.now, choice=answer.choice)
    data = {"choice": answer.choice, "caught": answer.choice == "reject"}
    await unit.record(Draft("canary.answered", unit.now, by.actor, data, case.id))
    return after


@dataclass(frozen=True, slots=True)
class Drill:
    """The canaries of one exercise; those without one have the name None."""

    name: str | None
    caught: int
    missed: int
    unanswered: int
    waiting: int
    catch_rate: Share | None
    """None: too few to say."""
    median_s: float | None
    """From making to answer; None where nobody answered."""


@dataclass(frozen=True, slots=True)
class CanaryView:
    """What a maker of canaries sees of them."""

    days: int
    now: datetime
    drills: tuple[Drill, ...]
    """The one with the newest canary first."""
    canaries: tuple[Canary, ...]
    """Newest first: those that have ended, and one's own that wait. Whoever may answer one must not know it."""
    hidden: int
    """Canaries of others that wait."""
    names: dict[str, str]


async def canaries(desk: Desk, sign_in: SignIn | None, *, days: int) -> CanaryView:
    """Return what became of the canaries of the last days.

    Args:
        sign_in: Who looks; None for the command line, which may know those that wait.
        days: Among `PERIODS`; anything else counts as 30.

    Raises:
        Forbidden: Only supervisors and admins see them.
    """
    if sign_in is not None:
        check_full(sign_in)
        check_role(sign_in.person, MAKERS)
    days = days if days in PERIODS else 30
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        found = await reader.insight.canaries_since(now - timedelta(days=days))
        names = {one.id: one.name for one in await reader.people()}
    shown = [
        one for one in found if one.status != "pending" or sign_in is None or one.made_by == sign_in.person.id
    ]
    groups: dict[str | None, list[Canary]] = {}
    for one in found:
        groups.setdefault(one.drill, []).append(one)
    drills = tuple(_drill(name, some) for name, some in groups.items())
    return CanaryView(days, now, drills, tuple(shown), len(found) - len(shown), names)


def _drill(name: str | None, some: Sequence[Canary]) -> Drill:
    answered = [one for one in some if one.choice is not None]
    caught = sum(one.caught for one in answered)
    spans = sorted(
        (one.answered_at - one.made_at).total_seconds() for one in answered if one.answered_at is not None
    )
    return Drill(
        name=name,
        caught=caught,
        missed=len(answered) - caught,
        unanswered=sum(one.choice is None and one.status != "pending" for one in some),
        waiting=sum(one.status == "pending" for one in some),
        catch_rate=share_of(caught, len(answered), enough=ENOUGH_CANARIES),
        median_s=spans[(len(spans) - 1) // 2] if spans else None,
    )
