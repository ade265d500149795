"""How much one agent may ask of people, so that a runaway agent does not bury the others' cases."""

from __future__ import annotations

from datetime import timedelta

from signoff.desk.desk import AgentLimits, Desk
from signoff.desk.people import acting, agent_named
from signoff.domain.errors import InvalidRequest, RateLimited
from signoff.domain.event import Draft
from signoff.domain.people import Agent, SignIn
from signoff.store.unit import Unit

MINUTE = timedelta(minutes=1)
MAX_LIMIT = 1_000_000
LONGEST_RETRY_S = 60
"""An open case may end at any moment, so nobody is told to wait longer for that."""


async def check_rate(unit: Unit, desk: Desk, agent: Agent) -> None:
    """Refuse a request beyond what the agent may ask in a minute; nothing was stored.

    Raises:
        RateLimited: It says when the next one is taken.
    """
    most = (await _limits(unit, desk, agent)).requests_per_minute
    if most == 0:
        return
    oldest = await unit.opened_before(agent.id, most - 1)
    if oldest is None or unit.now - oldest >= MINUTE:
        return
    retry_after_s = int((oldest + MINUTE - unit.now).total_seconds()) + 1
    raise RateLimited(
        f"This agent may open {most} cases in a minute and has done so. Nothing was stored; do not run the action.",
        retry_after_s=retry_after_s,
    )


async def check_open_cases(unit: Unit, desk: Desk, agent: Agent) -> None:
    """Refuse one more case than the agent may have waiting for people; nothing was stored.

    Raises:
        RateLimited: It says when to try again.
    """
    most = (await _limits(unit, desk, agent)).max_open
    if most == 0:
        return
    waiting, first_ends_at = await unit.open_of_agent(agent.id)
    if waiting < most:
        return
    left = LONGEST_RETRY_S if first_ends_at is None else int((first_ends_at - unit.now).total_seconds()) + 1
    raise RateLimited(
        f"This agent has {waiting} cases waiting for people, and may have {most}. Nothing was stored; cancel those"
        " that need no answer any more, and do not run the action.",
        retry_after_s=min(max(left, 1), LONGEST_RETRY_S),
    )


async def limit_agent(
    desk: Desk,
    name: str,
    *,
    max_open: int | None,
    requests_per_minute: int | None,
    by: SignIn | None = None,
) -> tuple[Agent, AgentLimits]:
    """Give an agent limits of its own, 0 for any number, None for those of the settings; return what holds now.

    Raises:
        NotFound: No such agent.
        InvalidRequest: No number, or one that is too large.
        Forbidden: Whoever does it is no admin.
    """
    for field, value in (("max_open", max_open), ("requests_per_minute", requests_per_minute)):
        if value is not None and not 0 <= value <= MAX_LIMIT:
            raise InvalidRequest(f"must be 0 to {MAX_LIMIT}; 0 for any number.", field=field)
    agent = await agent_named(desk, name)

    async def move(unit: Unit) -> tuple[Agent, AgentLimits]:
        actor = await acting(unit, by)
        changed = Agent(
            agent.id,
            agent.name,
            agent.owner,
            agent.created_at,
            agent.paused_at,
            max_open,
            requests_per_minute,
        )
        await unit.set_agent_limits(changed)
        data = {"agent": agent.id, "max_open": max_open, "requests_per_minute": requests_per_minute}
        await unit.record(Draft("agent.limited", unit.now, actor, data))
        return changed, await _limits(unit, desk, changed)

    return await desk.store.write(move)


async def _limits(unit: Unit, desk: Desk, agent: Agent) -> AgentLimits:
    """Return what holds for an agent as it stands now, not as it was when its agent session began."""
    held = await unit.agent(agent.id) or agent
    base = desk.settings.limits
    return AgentLimits(
        base.max_open if held.max_open is None else held.max_open,
        base.requests_per_minute if held.requests_per_minute is None else held.requests_per_minute,
    )
