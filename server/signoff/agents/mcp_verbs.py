"""From a tool call to the verb of the desk behind it, and back to what the agent is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError

from signoff.agents.answers import (
    Case,
    Check,
    Claim,
    Ended,
    case_told,
    check_told,
    claim_told,
    ended_told,
)
from signoff.agents.errors import invalid_arguments
from signoff.agents.mcp_tools import (
    AnswerQuestion,
    CancelRequest,
    CheckTriggers,
    ClaimApproval,
    GetDecision,
    ReportOutcome,
    RequestApproval,
    Tool,
)
from signoff.desk.ask_agent import answer_question
from signoff.desk.check import check_triggers
from signoff.desk.claim import claim, report_outcome
from signoff.desk.close import cancel
from signoff.desk.desk import Desk
from signoff.desk.follow import compare
from signoff.desk.request import request_approval
from signoff.desk.wait import wait_for_decision
from signoff.domain.errors import SignoffError
from signoff.domain.people import Agent

Told = Check | Case | Claim | Ended
Tick = Callable[[float], Awaitable[None]]
"""Told the seconds waited so far, every few seconds of waiting."""


async def call(
    desk: Desk, agent: Agent, tool: Tool, *, arguments: dict[str, Any], tick: Tick, session: str | None = None
) -> Told:
    """Read a tool's arguments, do what it does, and return what is told of it.

    Args:
        session: The agent session, None where the transport has none.

    Raises:
        InvalidRequest: Names the argument at fault, never its value.
        SignoffError: What the desk refuses.
    """
    try:
        given = tool.takes.model_validate(arguments)
    except ValidationError as error:
        raise invalid_arguments(error) from None
    return await _done(desk, agent, given, tick, session)


async def _done(desk: Desk, agent: Agent, given: Any, tick: Tick, session: str | None) -> Told:
    match given:
        case CheckTriggers():
            return check_told(await check_triggers(desk, agent, given.action, given.bundle, session=session))
        case RequestApproval():
            return await _request_approval(desk, agent, given, tick, session)
        case GetDecision():
            return await _get_decision(desk, agent, given, tick)
        case AnswerQuestion():
            return ended_told(
                await answer_question(
                    desk,
                    agent,
                    given.escalation_id,
                    given.answer,
                    additions=given.additions,
                    number=given.question,
                    idempotency_key=given.idempotency_key,
                )
            )
        case ClaimApproval():
            return await _claim_approval(desk, agent, given)
        case ReportOutcome():
            return ended_told(
                await report_outcome(
                    desk,
                    agent,
                    given.escalation_id,
                    given.outcome,
                    note=given.note,
                    result=given.result,
                    idempotency_key=given.idempotency_key,
                )
            )
        case CancelRequest():
            return ended_told(
                await cancel(
                    desk,
                    agent,
                    given.escalation_id,
                    reason=given.reason,
                    idempotency_key=given.idempotency_key,
                )
            )
        case _:
            raise TypeError(type(given).__name__)


async def _request_approval(
    desk: Desk, agent: Agent, given: RequestApproval, tick: Tick, session: str | None
) -> Case:
    answer = await request_approval(
        desk,
        agent,
        given.action,
        given.bundle,
        response_schema=given.response_schema,
        tool_schema=given.tool_schema,
        urgency=given.urgency,
        idempotency_key=given.idempotency_key,
        session=session,
    )
    if given.wait_s and answer.status == "pending":
        try:
            answer = await wait_for_decision(
                desk, agent, answer.escalation_id, wait_s=given.wait_s, on_tick=tick
            )
        except SignoffError:
            # The case is open and acknowledged; an agent that never learnt its id could not go on with it.
            return case_told(answer)
    return case_told(answer)


async def _get_decision(desk: Desk, agent: Agent, given: GetDecision, tick: Tick) -> Case:
    # First the log: where it is not the one that the agent saw, nothing that it says is worth waiting for.
    proof = await _compared(desk, agent, given.seen_checkpoint)
    answer = await wait_for_decision(
        desk, agent, given.escalation_id, wait_s=given.wait_s, action=given.action, on_tick=tick
    )
    return case_told(answer, consistency=proof)


async def _claim_approval(desk: Desk, agent: Agent, given: ClaimApproval) -> Claim:
    proof = await _compared(desk, agent, given.seen_checkpoint)
    answer = await claim(
        desk, agent, given.escalation_id, given.action, idempotency_key=given.idempotency_key
    )
    return claim_told(answer, consistency=proof)


async def _compared(desk: Desk, agent: Agent, seen: str | None) -> str | None:
    return None if seen is None else (await compare(desk, seen, by=agent.actor)).text
