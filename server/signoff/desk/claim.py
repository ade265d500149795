"""Use an approval, once, and say what came of it."""

from __future__ import annotations

from typing import Any

from signoff.desk.answer import Answer, tell
from signoff.desk.check import check_not_paused
from signoff.desk.checkpoints import cover
from signoff.desk.desk import Desk
from signoff.desk.request import check_key, first_case
from signoff.desk.wait import own_case
from signoff.domain.action import Action
from signoff.domain.canonical import canonical, check_value, digest
from signoff.domain.errors import ClaimRefused, LimitExceeded
from signoff.domain.escalation import Escalation, Outcome, claimed, outcome_reported
from signoff.domain.event import Draft
from signoff.domain.people import Agent
from signoff.domain.secrets import mask_secrets
from signoff.store.unit import Unit

MAX_REPORT_BYTES = 64 * 1024


async def claim(
    desk: Desk, agent: Agent, escalation_id: str, action: Action, *, idempotency_key: str | None = None
) -> Answer:
    """Use the approval of a case for exactly this action; succeeds once per case.

    The same idempotency key gets the same answer again, so a lost reply is no lost approval.

    Raises:
        NotFound: No such case of this agent.
        ClaimRefused: It may not run; `reason` says why, and the refusal is in the audit log.
        Conflict: The key was used for something else.
        Forbidden: The agent is paused.
    """
    check_not_paused(agent)
    action.checked()
    check_key(idempotency_key)
    await own_case(desk, agent, escalation_id)
    async with desk.store.reading() as reader:
        last_seq = await reader.last_seq_of_case(escalation_id)
    await cover(desk, last_seq)
    wanted = action.digest
    input_digest = digest({"action_digest": wanted, "escalation_id": escalation_id})

    async def move(unit: Unit) -> Escalation | ClaimRefused:
        first = await first_case(unit, agent, idempotency_key, verb="claim", input_digest=input_digest)
        if first is not None:
            return first
        case = await unit.case(escalation_id)
        assert case is not None  # noqa: S101 -- read above, and cases are never deleted
        try:
            change = claimed(case, wanted, by=agent.actor, now=unit.now)
        except ClaimRefused as refusal:
            data = {"reason": refusal.reason, "action_digest": wanted}
            await unit.record(Draft("escalation.claim_refused", unit.now, agent.actor, data, case.id))
            return refusal
        if idempotency_key is not None:
            await unit.keep_first_answer(
                agent.id, idempotency_key, verb="claim", input_digest=input_digest, escalation_id=case.id
            )
        return await unit.apply(change)

    made = await desk.store.write(move)
    if isinstance(made, ClaimRefused):
        raise made
    return await tell(desk, made)


async def report_outcome(
    desk: Desk,
    agent: Agent,
    escalation_id: str,
    outcome: Outcome,
    *,
    note: str | None = None,
    result: Any = None,
    idempotency_key: str | None = None,
) -> Answer:
    """Record what came of a claimed action.

    `unknown` (a reply got lost: the effect may have happened) may be settled later; repeating an outcome that
    stands changes nothing.

    Raises:
        NotFound: No such case of this agent.
        Conflict: Nothing was claimed, or another outcome stands.
        LimitExceeded: Note and result together are over 64 KB.
    """
    check_value(note, field="note")
    check_value(result, field="result")
    report = canonical(mask_secrets({"note": note, "result": result})[0])
    if len(report) > MAX_REPORT_BYTES:
        raise LimitExceeded("result", f"{MAX_REPORT_BYTES} bytes with the note", f"{len(report)} bytes")
    check_key(idempotency_key)
    await own_case(desk, agent, escalation_id)
    input_digest = digest(
        {"escalation_id": escalation_id, "outcome": outcome, "note": note, "result": result}
    )

    async def move(unit: Unit) -> Escalation:
        first = await first_case(unit, agent, idempotency_key, verb="outcome", input_digest=input_digest)
        if first is not None:
            return first
        case = await unit.case(escalation_id)
        assert case is not None  # noqa: S101 -- read above, and cases are never deleted
        if idempotency_key is not None:
            await unit.keep_first_answer(
                agent.id, idempotency_key, verb="outcome", input_digest=input_digest, escalation_id=case.id
            )
        if case.outcome == outcome:
            return case
        # Of a case that was erased meanwhile only the outcome is kept, not the agent's words.
        erased = await unit.document(case.id) is None
        return await unit.apply(
            outcome_reported(case, outcome, by=agent.actor, report=None if erased else report, now=unit.now)
        )

    return await tell(desk, await desk.store.write(move))
