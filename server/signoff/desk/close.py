"""End a case without a decision: the agent cancels it, or its deadline passes."""

from __future__ import annotations

from signoff.desk.answer import Answer, tell
from signoff.desk.desk import Desk
from signoff.desk.escalate import at_deadline
from signoff.desk.request import check_key, first_case
from signoff.domain.canonical import canonical, check_value, digest
from signoff.domain.errors import Conflict, LimitExceeded, NotFound
from signoff.domain.escalation import Escalation, cancelled
from signoff.domain.people import Agent
from signoff.domain.secrets import mask_secrets
from signoff.store.unit import Unit

MAX_REASON_CHARS = 2000
EXPIRED_AT_ONCE = 100


async def cancel(
    desk: Desk, agent: Agent, escalation_id: str, *, reason: str, idempotency_key: str | None = None
) -> Answer:
    """End the agent's own case because no answer is needed any more.

    Repeating it returns the cancelled case.

    Raises:
        NotFound: No such case of this agent.
        AlreadyDecided: It has ended otherwise; the answer says how.
        Conflict: It is being decided, or the key was used for something else.
        LimitExceeded: The reason is over 2,000 characters.
    """
    check_value(reason, field="reason")
    if len(reason) > MAX_REASON_CHARS:
        raise LimitExceeded("reason", f"{MAX_REASON_CHARS} characters", f"{len(reason)} characters")
    check_key(idempotency_key)

    async def move(unit: Unit) -> Escalation:
        case = await unit.case(escalation_id)
        if case is None or case.agent_id != agent.id:
            raise NotFound("There is no such escalation of yours. Check the escalation_id.")
        input_digest = digest({"escalation_id": escalation_id, "reason": reason})
        first = await first_case(unit, agent, idempotency_key, verb="cancel", input_digest=input_digest)
        if first is not None:
            return first
        if not case.released(unit.now) and not case.is_open:
            # A decision in its undo window is not the agent's to know, and not its to undo.
            raise Conflict("This case cannot be cancelled now. Call get_decision to see how it goes on.")
        if idempotency_key is not None:
            await unit.keep_first_answer(
                agent.id, idempotency_key, verb="cancel", input_digest=input_digest, escalation_id=case.id
            )
        if case.status == "cancelled":
            return case
        return await unit.apply(
            cancelled(
                case, by=agent.actor, reason=canonical(mask_secrets({"reason": reason})[0]), now=unit.now
            )
        )

    return await tell(desk, await desk.store.write(move))


async def expire(desk: Desk, escalation_id: str) -> Escalation:
    """End a case whose deadline has passed, or let its next tier have more time; return it as it stands.

    Nothing happens where somebody else was first.

    Raises:
        NotFound: There is no such case.
    """

    async def move(unit: Unit) -> Escalation:
        case = await unit.case(escalation_id)
        if case is None:
            raise NotFound("There is no such case.")
        if not case.is_open or unit.now < case.deadline_at:
            return case
        return await unit.apply(await at_deadline(unit, case, desk.policy.current()))

    return await desk.store.write(move)


async def expire_due(desk: Desk) -> int:
    """Do so for every case whose deadline has passed and return how many there were."""
    count = 0
    while True:
        async with desk.store.reading() as reader:
            due = await reader.due_cases(desk.clock.now(), EXPIRED_AT_ONCE)
        for escalation_id in due:
            await expire(desk, escalation_id)
        count += len(due)
        if len(due) < EXPIRED_AT_ONCE:
            return count
