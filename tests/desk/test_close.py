"""Cases that end without a decision, and the clock."""

from __future__ import annotations

import anyio
import pytest
from tests._support.cases import WIRE, approve, ask, verified
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.promises import promise

from signoff.desk.claim import claim
from signoff.desk.close import cancel, expire_due
from signoff.desk.desk import Desk
from signoff.desk.wait import wait_for_decision
from signoff.domain.clock import from_text
from signoff.domain.errors import AlreadyDecided, ClaimRefused, InvalidRequest, LimitExceeded


@promise("fail-closed")
async def test_a_case_that_nobody_decides_expires_and_is_no_approval(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    told = await ask(desk, cast.ada)
    clock.at = told.deadline_at
    clock.advance(-0.000001)
    assert (await wait_for_decision(desk, cast.ada, told.escalation_id)).status == "pending"
    clock.advance(0.000001)
    after = await wait_for_decision(desk, cast.ada, told.escalation_id, action=WIRE)
    assert (after.status, after.proceed, after.action, after.receipt) == ("expired", False, None, None)
    with pytest.raises(ClaimRefused):
        await claim(desk, cast.ada, told.escalation_id, WIRE)
    with pytest.raises(AlreadyDecided) as refused:
        await approve(desk, cast.omar, told.escalation_id)
    assert refused.value.status == "expired"


@promise("fail-closed")
async def test_who_decides_after_the_deadline_ends_the_case_as_expired(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    told = await ask(desk, cast.ada)
    clock.at = told.deadline_at
    with pytest.raises(AlreadyDecided) as refused:
        await approve(desk, cast.omar, told.escalation_id)
    assert refused.value.status == "expired"
    assert (await wait_for_decision(desk, cast.ada, told.escalation_id)).status == "expired"


@promise("time-goes-forward")
async def test_what_expired_stays_expired_though_the_clock_goes_back(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    told = await ask(desk, cast.ada)
    other = await ask(desk, cast.ada)
    clock.at = told.deadline_at
    await wait_for_decision(desk, cast.ada, told.escalation_id)
    clock.advance(-1000)
    assert (await wait_for_decision(desk, cast.ada, told.escalation_id)).status == "expired"
    with pytest.raises(AlreadyDecided):
        await approve(
            desk, cast.omar, other.escalation_id
        )  # its deadline has passed, whatever the clock says
    async with desk.store.reading() as reader:
        times = [from_text(_at(body)) for page in [p async for p in reader.events()] for _, body in page]
    assert times == sorted(times)
    assert (await verified(desk)).problems == ()


def _at(body: bytes) -> str:
    return body.partition(b'"at":"')[2][:27].decode()


async def test_every_overdue_case_is_ended_by_one_call(desk: Desk, cast: Cast, clock: HandClock) -> None:
    for _ in range(120):
        await ask(desk, cast.ada)
    clock.advance(30 * 60)
    assert await expire_due(desk) == 120
    assert await expire_due(desk) == 0
    async with desk.store.reading() as reader:
        assert await reader.count_pending() == 0


async def test_a_wait_ends_when_the_deadline_comes(desk: Desk, cast: Cast, clock: HandClock) -> None:
    told = await ask(desk, cast.ada)
    got: list[str] = []

    async def wait() -> None:
        got.append((await wait_for_decision(desk, cast.ada, told.escalation_id, wait_s=45)).status)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            clock.at = told.deadline_at
            await expire_due(desk)
    assert got == ["expired"]


async def test_everybody_who_waits_is_told_of_a_decision(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    got: list[str] = []

    async def wait() -> None:
        got.append((await wait_for_decision(desk, cast.ada, told.escalation_id, wait_s=45)).status)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await approve(desk, cast.omar, told.escalation_id)
    assert got == ["approved"] * 20


async def test_a_wait_that_is_cut_off_changes_nothing(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    async with desk.store.reading() as reader:
        before = await reader.head()
    with anyio.move_on_after(0.05):
        await wait_for_decision(desk, cast.ada, told.escalation_id, wait_s=45)
    async with desk.store.reading() as reader:
        assert await reader.head() == before


@pytest.mark.parametrize("wait_s", [-1, 45.1, float("nan"), float("inf")])
async def test_a_wait_that_is_too_long_is_refused(desk: Desk, cast: Cast, wait_s: float) -> None:
    told = await ask(desk, cast.ada)
    with pytest.raises(InvalidRequest) as refused:
        await wait_for_decision(desk, cast.ada, told.escalation_id, wait_s=wait_s)
    assert refused.value.field == "wait_s"


async def test_a_cancelled_case_is_decided_by_nobody_and_alerts_nobody_more(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    ended = await cancel(desk, cast.ada, told.escalation_id, reason="the customer hung up")
    assert ended.status == "cancelled"
    assert (await cancel(desk, cast.ada, told.escalation_id, reason="again")).status == "cancelled"
    with pytest.raises(AlreadyDecided):
        await approve(desk, cast.omar, told.escalation_id)
    async with desk.store.reading() as reader:
        assert {state for _, state in await reader.alerts_of_case(told.escalation_id)} == {"dropped"}


async def test_what_has_ended_is_not_cancelled(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    with pytest.raises(AlreadyDecided) as refused:
        await cancel(desk, cast.ada, told.escalation_id, reason="")
    assert refused.value.status == "approved"


async def test_a_reason_over_its_limit_is_refused(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    with pytest.raises(LimitExceeded):
        await cancel(desk, cast.ada, told.escalation_id, reason="x" * 2001)
    with pytest.raises(InvalidRequest):
        await cancel(desk, cast.ada, told.escalation_id, reason="\x00")
