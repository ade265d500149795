"""An id gives no right: an absent and a foreign case answer alike, whatever is asked of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests._support.cases import WIRE, approve, ask
from tests.conftest import Cast
from tests.promises import promise

from signoff.desk.claim import claim, report_outcome
from signoff.desk.close import cancel
from signoff.desk.desk import Desk
from signoff.desk.look import agent_case, agent_cases
from signoff.desk.people import agent_by_key, rotate_agent_key
from signoff.desk.prove import prove
from signoff.desk.sessions import signed_in
from signoff.desk.sign_in import open_link
from signoff.desk.wait import wait_for_decision
from signoff.domain.errors import Forbidden, LinkSpent, NotFound
from signoff.domain.people import Agent

VERBS: dict[str, Callable[[Desk, Agent, str], Awaitable[Any]]] = {
    "wait": lambda desk, agent, case: wait_for_decision(desk, agent, case),
    "wait with action": lambda desk, agent, case: wait_for_decision(desk, agent, case, action=WIRE),
    "claim": lambda desk, agent, case: claim(desk, agent, case, WIRE),
    "claim with key": lambda desk, agent, case: claim(desk, agent, case, WIRE, idempotency_key="k"),
    "outcome": lambda desk, agent, case: report_outcome(desk, agent, case, "succeeded"),
    "cancel": lambda desk, agent, case: cancel(desk, agent, case, reason="x"),
    "cancel with key": lambda desk, agent, case: cancel(desk, agent, case, reason="x", idempotency_key="k"),
    "case": lambda desk, agent, case: agent_case(desk, agent, case),
    "proof": lambda desk, agent, case: prove(desk, agent, case),
}
ABSENT = (
    "esc_01JDD7Z0000000000000000000",
    "",
    "esc_",
    "nonsense",
    "' OR 1=1 --",
    "\ud800",
    "a\x00b",
    "x" * 100_000,
)


@promise("only-that-human")
@pytest.mark.parametrize("verb", VERBS)
async def test_a_foreign_and_an_absent_case_answer_alike(desk: Desk, cast: Cast, verb: str) -> None:
    pending, done = await ask(desk, cast.ada), await ask(desk, cast.ada, idempotency_key="k")
    await approve(desk, cast.omar, done.escalation_id)
    async with desk.store.reading() as reader:
        before = await reader.head()
    messages = set()
    for case in (pending.escalation_id, done.escalation_id, *ABSENT):
        with pytest.raises(NotFound) as refused:
            await VERBS[verb](desk, cast.bea, case)
        messages.add((refused.value.code, refused.value.message))
    assert len(messages) == 1
    assert await agent_cases(desk, cast.bea) == []
    async with desk.store.reading() as reader:
        assert await reader.head() == before  # nothing was written for somebody who asks at random


@promise("only-that-human")
async def test_nothing_that_an_agent_holds_signs_anybody_in(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    after = await wait_for_decision(desk, cast.ada, told.escalation_id)
    assert after.receipt is not None
    for held in (cast.ada_key, told.escalation_id, after.receipt, cast.ada.id, cast.omar.person.id):
        with pytest.raises(Forbidden):
            await signed_in(desk, held)
        with pytest.raises(LinkSpent):
            await open_link(desk, held[:60], cast.ada_key, source="10.0.0.1")


@promise("only-that-human")
async def test_an_agents_answers_hold_no_link_and_no_secret(desk: Desk, cast: Cast) -> None:
    from signoff.desk.deliver import lease

    told = await ask(desk, cast.ada)
    (errand,) = await lease(desk, "worker")
    link, _, secret = errand.link_url.rpartition("/d/")[2].partition("#")
    await approve(desk, cast.omar, told.escalation_id)
    after = await wait_for_decision(desk, cast.ada, told.escalation_id)
    for answer in (
        told.as_json(),
        after.as_json(),
        (await agent_case(desk, cast.ada, told.escalation_id)).document,
    ):
        assert link not in str(answer)
        assert secret not in str(answer)
        assert cast.ada_key not in str(answer)


async def test_a_key_is_one_agents_and_a_new_one_ends_the_old(desk: Desk, cast: Cast) -> None:
    assert await agent_by_key(desk, cast.ada_key) == cast.ada
    new = await rotate_agent_key(desk, "Ada")
    assert (await agent_by_key(desk, new)).id == cast.ada.id
    for wrong in (cast.ada_key, "", "sgn_", new[:-1], new + "x", new.lower(), "\ud800"):
        with pytest.raises(Forbidden):
            await agent_by_key(desk, wrong)
