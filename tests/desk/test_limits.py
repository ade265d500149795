"""A runaway agent is braked before it buries the cases of others."""

from __future__ import annotations

import pytest
from tests._support.cases import WIRE, approve, ask
from tests._support.clock import HandClock
from tests.conftest import Cast

from signoff.desk.close import cancel
from signoff.desk.desk import AgentLimits, Desk, DeskSettings
from signoff.desk.limits import limit_agent
from signoff.domain.action import Action
from signoff.domain.errors import InvalidRequest, NotFound, RateLimited


@pytest.fixture
def settings() -> DeskSettings:
    return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=0, limits=AgentLimits(3, 5))


async def test_an_agent_with_too_many_open_cases_is_refused_until_one_ends(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    asked = [await ask(desk, cast.ada) for _ in range(3)]
    with pytest.raises(RateLimited) as refused:
        await ask(desk, cast.ada)
    assert "3 cases waiting" in refused.value.message
    assert refused.value.retry_after_s == 60
    await ask(desk, cast.bea)
    await approve(desk, cast.omar, asked[0].escalation_id)
    await ask(desk, cast.ada)
    async with desk.store.reading() as reader:
        assert await reader.count_cases() == 5


async def test_an_agent_that_asks_too_fast_is_told_when_to_go_on(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    for _ in range(5):
        asked = await ask(desk, cast.ada)
        await cancel(desk, cast.ada, asked.escalation_id, reason="not needed")
        clock.advance(2)
    with pytest.raises(RateLimited) as refused:
        await ask(desk, cast.ada)
    assert 50 <= refused.value.retry_after_s <= 51
    clock.advance(refused.value.retry_after_s)
    await ask(desk, cast.ada)


async def test_repeating_a_call_with_its_key_is_no_new_request(desk: Desk, cast: Cast) -> None:
    first = await ask(desk, cast.ada, idempotency_key="one")
    for _ in range(10):
        assert (await ask(desk, cast.ada, idempotency_key="one")).escalation_id == first.escalation_id


async def test_what_the_policy_settles_at_once_does_not_wait(desk: Desk, cast: Cast) -> None:
    for _ in range(3):
        await ask(desk, cast.ada, WIRE)
    assert (await ask(desk, cast.ada, Action(tool="launch_missiles"))).status == "rejected"


async def test_an_agent_gets_limits_of_its_own_and_loses_them_again(desk: Desk, cast: Cast) -> None:
    _, held = await limit_agent(desk, "Ada", max_open=1, requests_per_minute=None)
    assert held == AgentLimits(1, 5)
    await ask(desk, cast.ada)
    with pytest.raises(RateLimited):
        await ask(desk, cast.ada)
    await limit_agent(desk, "Ada", max_open=0, requests_per_minute=0)
    for _ in range(10):
        await ask(desk, cast.ada)
    _, held = await limit_agent(desk, "Ada", max_open=None, requests_per_minute=None)
    assert held == desk.settings.limits
    with pytest.raises(RateLimited):
        await ask(desk, cast.ada)


async def test_a_limit_that_is_none_is_refused(desk: Desk, cast: Cast) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await limit_agent(desk, "Ada", max_open=-1, requests_per_minute=None)
    assert refused.value.field == "max_open"
    with pytest.raises(NotFound):
        await limit_agent(desk, "Nobody", max_open=1, requests_per_minute=None)
