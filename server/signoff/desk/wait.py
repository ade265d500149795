"""Wait for a decision: repeatable, survives restarts, costs nothing while asleep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from signoff.desk.answer import Answer, tell
from signoff.desk.close import expire
from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.domain.action import Action
from signoff.domain.errors import InvalidRequest, NotFound, StoreUnavailable
from signoff.domain.escalation import Escalation
from signoff.domain.people import Agent

MAX_WAIT_S = 45  # Claude Desktop cuts a call at about 60 s
TICK_S = 5.0
QUESTION_PAUSE_S = 1.0
"""How long a call waits for a decision where a question was open before it: a client that only repeats the call until
the status changes must not do so in a tight loop."""


async def wait_for_decision(
    desk: Desk,
    agent: Agent,
    escalation_id: str,
    *,
    wait_s: float = 0,
    action: Action | None = None,
    on_tick: Callable[[float], Awaitable[None]] | None = None,
) -> Answer:
    """Return the decision on a case, waiting up to `wait_s` for it.

    Safe to repeat, from any process; a call that times out has changed nothing. A person's question ends the wait, too:
    at once where it comes during the call.

    Args:
        escalation_id: `esc_` and 26 characters.
        wait_s: Seconds, 0 to 45.
        action: What the agent is about to run, for `proceed`.
        on_tick: Called with the seconds waited so far, every five seconds of waiting.

    Raises:
        NotFound: No such case for this agent.
        InvalidRequest: `wait_s` is out of range.
        StoreUnavailable: The answer is unknown; ask again.
    """
    if not 0 <= wait_s <= MAX_WAIT_S:
        raise InvalidRequest(f"must be 0 to {MAX_WAIT_S} seconds; call again to wait longer.", field="wait_s")
    if action is not None:
        action.checked()
    began = anyio.current_time()
    known: int | None = None
    async with desk.store.watch(escalation_id) as watch:
        while True:
            case = await own_case(desk, agent, escalation_id)
            async with desk.store.reading() as reader:
                now = await moment(desk, reader)
            if case.is_open and now >= case.deadline_at:
                case = await expire(desk, escalation_id)
            waited = anyio.current_time() - began
            known = case.questions if known is None else known
            if case.is_open and case.questioned_by is not None:
                wait_s = min(wait_s, QUESTION_PAUSE_S if case.questions == known else 0)
            if case.released(now) or waited >= wait_s:
                return await tell(desk, case, action=action)
            ends_at = case.deadline_at if case.is_open else case.release_at or now
            until = (ends_at - now).total_seconds()
            await watch.wait(min(wait_s - waited, TICK_S, max(until, 0.01)))
            if on_tick is not None:
                await on_tick(anyio.current_time() - began)


async def own_case(desk: Desk, agent: Agent, escalation_id: str) -> Escalation:
    """Return an agent's own case.

    Raises:
        NotFound: It does not exist, or is another's: both answer alike.
        StoreUnavailable: The store is read-only: what it says of a case may be older than what was decided.
    """
    if desk.store.read_only is not None:
        raise StoreUnavailable(desk.store.read_only)
    async with desk.store.reading() as reader:
        case = await reader.case(escalation_id)
    if case is None or case.agent_id != agent.id:
        raise NotFound("There is no such escalation of yours. Check the escalation_id.")
    return case
