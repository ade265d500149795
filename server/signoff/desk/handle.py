"""What people do about a case besides deciding it: say that they look at it, pass it on, take it over.

None of this is refused because the page was shown earlier: whoever is last has the case, and the log says who was first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from signoff.desk.attention import may_be_given, queue_names
from signoff.desk.decide import AFTER_UNDO, lost, seen
from signoff.desk.desk import Desk
from signoff.desk.escalate import addressed, drafts, first_alerts, take_up
from signoff.desk.look import CaseView
from signoff.desk.rights import case_seen, still
from signoff.domain.alert import AlertDraft
from signoff.domain.errors import AlreadyDecided, Conflict, Forbidden, InvalidRequest
from signoff.domain.escalation import Escalation, overridden
from signoff.domain.event import Draft
from signoff.domain.handling import acknowledged, handed_over, moved_to_queue, reassigned
from signoff.domain.people import Agent, SignIn, check_supervises
from signoff.store.unit import Unit


async def acknowledge(desk: Desk, sign_in: SignIn, escalation_id: str) -> CaseView:
    """Say that this person looks at the case: the next tier waits its time anew, and nothing is repeated.

    Raises:
        NotFound: Not this person's to see.
        AlreadyDecided: It has ended.
        Forbidden: They could not decide it.
        Conflict: They have said so already.
    """

    async def move(unit: Unit, by: SignIn, case: Escalation, agent: Agent | None) -> None:
        policy = desk.policy.current()
        change = acknowledged(
            case,
            by=by,
            owner=agent.owner if agent else None,
            tiers=policy.policy.queue_named(case.queue).tiers,
            now=unit.now,
        )
        await take_up(unit, await unit.apply(change), policy)

    return await _handled(desk, sign_in, escalation_id, move)


async def hand_over(desk: Desk, sign_in: SignIn, escalation_id: str, *, to: str) -> CaseView:
    """Hand the case to another person, who is alerted at once and has the next tier's time for it.

    Args:
        to: The person's id.

    Raises:
        NotFound: Not this person's to see.
        AlreadyDecided: It has ended.
        Forbidden: They could not decide it.
        InvalidRequest: There is no such person who could, or it is they themselves.
        Conflict: It is in that person's hands already.
    """

    async def move(unit: Unit, by: SignIn, case: Escalation, agent: Agent | None) -> None:
        policy = desk.policy.current()
        owner = agent.owner if agent else None
        tiers = policy.policy.queue_named(case.queue).tiers
        change = handed_over(case, to=to, by=by, owner=owner, tiers=tiers, now=unit.now)
        change = replace(change, alerts=await _alerts_to(unit, case, to, owner))
        await take_up(unit, await unit.apply(change), policy)

    return await _handled(desk, sign_in, escalation_id, move)


async def reassign(desk: Desk, sign_in: SignIn, escalation_id: str, *, to: str) -> CaseView:
    """Give the case to a person, as a supervisor; they are alerted at once.

    Raises:
        As `hand_over`; Forbidden for whoever is no supervisor.
    """

    async def move(unit: Unit, by: SignIn, case: Escalation, agent: Agent | None) -> None:
        policy = desk.policy.current()
        tiers = policy.policy.queue_named(case.queue).tiers
        change = reassigned(case, to=to, by=by, tiers=tiers, now=unit.now)
        alerts = await _alerts_to(unit, case, to, agent.owner if agent else None)
        if to != by.person.id:
            change = replace(change, alerts=alerts)
        await take_up(unit, await unit.apply(change), policy)

    return await _handled(desk, sign_in, escalation_id, move)


async def move_to_queue(desk: Desk, sign_in: SignIn, escalation_id: str, *, queue: str) -> CaseView:
    """Let the case wait in another queue, as a supervisor: its first tier is alerted as if it had been opened now.

    The deadline stays. Alerts that were still waiting for people of the old queue are dropped.

    Raises:
        NotFound: Not this person's to see.
        AlreadyDecided: It has ended.
        Forbidden: Only supervisors do.
        InvalidRequest: The policy has no such queue.
        Conflict: It waits there already.
    """

    async def move(unit: Unit, by: SignIn, case: Escalation, agent: Agent | None) -> None:
        policy = desk.policy.current()
        check_supervises(by)
        if queue not in queue_names(policy.policy):
            raise InvalidRequest("there is no such queue in the policy.", field="queue")
        change = moved_to_queue(case, queue=queue, by=by, now=unit.now)
        tiers = policy.policy.queue_named(queue).tiers
        change = replace(change, alerts=await first_alerts(unit, change.case, tiers))
        await take_up(unit, await unit.apply(change), policy, at_once=not change.alerts)

    return await _handled(desk, sign_in, escalation_id, move)


async def override(desk: Desk, sign_in: SignIn, escalation_id: str) -> CaseView:
    """Take the case from the operators, as a supervisor: approvals so far fall, and only supervisors decide it now.

    A decision that the agent has not been told is taken back with it. The supervisor has the case in hand then and
    decides it like any other; what the policy asks of an approval stays.

    Raises:
        NotFound: Not this person's to see.
        AlreadyDecided: It has ended without people.
        Forbidden: Only supervisors do.
        Conflict: The agent has been told, or a supervisor has taken it already.
    """

    async def move(unit: Unit, by: SignIn, case: Escalation, agent: Agent | None) -> None:
        decisions = await unit.decisions(case.id)
        change = overridden(
            case,
            decision_id=decisions[-1].id if decisions else None,
            by=by,
            now=unit.now,
            deadline_at=unit.now + AFTER_UNDO,
        )
        await take_up(unit, await unit.apply(change), desk.policy.current())

    return await _handled(desk, sign_in, escalation_id, move)


async def pause_agent_of(desk: Desk, sign_in: SignIn, escalation_id: str) -> CaseView:
    """Let the agent of a case ask for nothing until it is resumed, as a supervisor; its open cases stay.

    Raises:
        NotFound: Not this person's to see.
        Forbidden: Only supervisors do, and not by a link that opens one case.
        Conflict: It is paused.
    """

    async def move(unit: Unit, by: SignIn, case: Escalation, agent: Agent | None) -> None:
        check_supervises(by)
        if by.only_case is not None:
            raise Forbidden("This link opens one case only. Sign in to pause an agent.")
        if agent is not None and agent.stands_for is not None:
            raise Conflict(f"This case is a canary, which {agent.name} knows nothing of. Nothing was paused.")
        if agent is None or not await unit.pause_agent(agent.id):
            raise Conflict("The agent is paused already.")
        await unit.record(Draft("agent.paused", unit.now, by.actor, {"agent": agent.id}, case.id))

    return await _handled(desk, sign_in, escalation_id, move)


Move = Callable[[Unit, SignIn, Escalation, Agent | None], Awaitable[None]]


async def _handled(desk: Desk, sign_in: SignIn, escalation_id: str, move: Move) -> CaseView:
    """Do something about a case that a person sees, as the person they are now, and return the case after it."""

    async def work(unit: Unit) -> None:
        by = await still(unit, sign_in, unit.now)
        case = await case_seen(unit, by, escalation_id)
        try:
            await move(unit, by, case, await unit.agent(case.agent_id))
        except AlreadyDecided:
            if case.is_open:  # its deadline has passed, and the clock has not come by yet
                raise
            raise await lost(unit, case) from None

    await desk.store.write(work)
    return await seen(desk, sign_in, escalation_id)


async def _alerts_to(unit: Unit, case: Escalation, to: str, owner: str | None) -> tuple[AlertDraft, ...]:
    person = await unit.person(to) if to.isascii() else None
    if person is None or not may_be_given(person, case, owner):
        raise InvalidRequest("this is nobody who could decide the case. Choose another person.", field="to")
    return drafts("handed_over", case, await addressed(unit, case, person), unit.now)
