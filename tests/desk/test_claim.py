"""An approval is used: once, for exactly its action, in time, by its agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from tests._support.cases import WIRE, answer, approve, ask, second_hand, verified
from tests._support.clock import HandClock
from tests._support.processes import players
from tests.conftest import Cast
from tests.promises import promise

from signoff.desk.claim import claim, report_outcome
from signoff.desk.desk import Desk
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.decision import Answer
from signoff.domain.errors import ClaimRefused, Conflict, InvalidRequest, LimitExceeded
from signoff.domain.people import Agent


@pytest.fixture
async def approved(desk: Desk, cast: Cast) -> str:
    """The id of a wire of Ada's that Omar approved."""
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    return told.escalation_id


async def refusals(desk: Desk, escalation_id: str) -> int:
    async with desk.store.reading() as reader:
        events = await reader.typed_events_of_case(escalation_id)
    return [kind for _, kind, _ in events].count("escalation.claim_refused")


@promise("approved-is-what-runs")
@pytest.mark.parametrize(
    "other",
    [
        WIRE.model_copy(update={"arguments": {"amount": 12501, "country": "DE"}}),
        WIRE.model_copy(update={"arguments": {"amount": 12500, "country": "De"}}),
        WIRE.model_copy(update={"arguments": {"amount": 12500, "country": "DE "}}),
        WIRE.model_copy(update={"arguments": {"amount": 12500, "country": "D\u0415"}}),
        WIRE.model_copy(update={"arguments": {"amount": "12500", "country": "DE"}}),
        WIRE.model_copy(update={"arguments": {"amount": 12500.5, "country": "DE"}}),
        WIRE.model_copy(update={"arguments": {"amount": 12500, "country": "DE", "to": None}}),
        WIRE.model_copy(update={"arguments": {"amount": 12500}}),
        WIRE.model_copy(update={"arguments": {}}),
        WIRE.model_copy(update={"tool": "wire_transfer2"}),
        WIRE.model_copy(update={"server": "bank"}),
    ],
)
async def test_another_action_is_refused_and_the_refusal_is_logged(
    desk: Desk, ada: Agent, approved: str, other: Action
) -> None:
    with pytest.raises(ClaimRefused) as refused:
        await claim(desk, ada, approved, other)
    assert (refused.value.code, refused.value.reason) == ("conflict", "digest_mismatch")
    assert await refusals(desk, approved) == 1
    assert (await wait_for_decision(desk, ada, approved, action=other)).proceed is False
    assert (await wait_for_decision(desk, ada, approved, action=WIRE)).proceed is True
    assert (await claim(desk, ada, approved, WIRE)).claimed_at is not None
    assert (await verified(desk)).problems == ()


async def test_the_summary_and_the_writing_of_a_number_are_not_the_action(
    desk: Desk, ada: Agent, approved: str
) -> None:
    same = Action(tool="wire_transfer", arguments={"country": "DE", "amount": 12500.0}, summary="other words")
    assert (await claim(desk, ada, approved, same)).claimed_at is not None


@promise("claimed-once")
async def test_of_eight_processes_exactly_one_claims(
    desk: Desk, ada: Agent, approved: str, tmp_path: Path
) -> None:
    with anyio.fail_after(40):
        async with players(8, tmp_path, "claim", approved) as all_of_them:
            for one in all_of_them:
                await one.go()
            said = [await one.hear() for one in all_of_them]
    assert sorted(said) == ["already_claimed"] * 7 + ["claimed"]
    assert await refusals(desk, approved) == 7
    assert (await verified(desk)).problems == ()


@promise("claimed-once")
async def test_a_second_claim_is_refused_unless_it_repeats_the_first(
    desk: Desk, ada: Agent, approved: str
) -> None:
    first = await claim(desk, ada, approved, WIRE, idempotency_key="k")
    again = await claim(desk, ada, approved, WIRE, idempotency_key="k")
    assert first.claimed_at == again.claimed_at is not None
    for key in ("other", None):
        with pytest.raises(ClaimRefused) as refused:
            await claim(desk, ada, approved, WIRE, idempotency_key=key)
        assert refused.value.reason == "already_claimed"
    with pytest.raises(Conflict):
        await claim(desk, ada, approved, WIRE.model_copy(update={"tool": "t"}), idempotency_key="k")


async def test_a_refused_claim_does_not_use_up_its_key(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    with pytest.raises(ClaimRefused):
        await claim(desk, cast.ada, told.escalation_id, WIRE, idempotency_key="k")
    await approve(desk, cast.omar, told.escalation_id)
    assert (await claim(desk, cast.ada, told.escalation_id, WIRE, idempotency_key="k")).claimed_at is not None


@promise("claimed-once", "time-goes-forward")
async def test_an_approval_runs_out_and_stays_so_though_the_clock_goes_back(
    desk: Desk, ada: Agent, approved: str, clock: HandClock
) -> None:
    clock.advance(600)
    assert (await wait_for_decision(desk, ada, approved, action=WIRE)).proceed is False
    with pytest.raises(ClaimRefused) as refused:
        await claim(desk, ada, approved, WIRE)
    assert refused.value.reason == "approval_expired"
    clock.advance(-500)
    with pytest.raises(ClaimRefused) as refused:
        await claim(desk, ada, approved, WIRE)
    assert refused.value.reason == "approval_expired"


async def test_the_last_moment_of_an_approval_counts(
    desk: Desk, ada: Agent, approved: str, clock: HandClock
) -> None:
    clock.advance(599.999999)
    assert (await claim(desk, ada, approved, WIRE)).claimed_at is not None


@promise("fail-closed")
@pytest.mark.parametrize("given", [None, Answer("reject", note="no")])
async def test_nothing_is_claimed_that_nobody_approved(desk: Desk, cast: Cast, given: Answer | None) -> None:
    told = await ask(desk, cast.ada)
    if given is not None:
        await answer(desk, cast.omar, told.escalation_id, given)
    with pytest.raises(ClaimRefused) as refused:
        await claim(desk, cast.ada, told.escalation_id, WIRE)
    assert refused.value.reason == "not_approved"


async def test_an_outcome_needs_a_claim_and_unknown_can_be_settled_once(
    desk: Desk, ada: Agent, approved: str
) -> None:
    with pytest.raises(Conflict, match="claim"):
        await report_outcome(desk, ada, approved, "succeeded")
    await claim(desk, ada, approved, WIRE)
    assert (await report_outcome(desk, ada, approved, "unknown", note="timeout")).outcome == "unknown"
    assert (await report_outcome(desk, ada, approved, "failed", note="bounced")).outcome == "failed"
    assert (await report_outcome(desk, ada, approved, "failed")).outcome == "failed"
    for outcome in ("succeeded", "unknown"):
        with pytest.raises(Conflict):
            await report_outcome(desk, ada, approved, outcome)
    assert (await verified(desk)).problems == ()


async def test_an_outcome_that_does_not_exist_is_refused(desk: Desk, ada: Agent, approved: str) -> None:
    await claim(desk, ada, approved, WIRE)
    with pytest.raises(InvalidRequest) as refused:
        await report_outcome(desk, ada, approved, "exploded")  # type: ignore[arg-type]
    assert refused.value.field == "outcome"


@promise("refused-whole")
@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"result": float("nan")}, "result"),
        ({"result": {"a": "\x00"}}, "result.a"),
        ({"note": "\ud800"}, "note"),
    ],
)
async def test_a_report_that_has_no_one_form_is_refused(
    desk: Desk, ada: Agent, approved: str, more: dict[str, Any], field: str
) -> None:
    await claim(desk, ada, approved, WIRE)
    with pytest.raises(InvalidRequest) as refused:
        await report_outcome(desk, ada, approved, "succeeded", **more)
    assert refused.value.field == field
    with pytest.raises(LimitExceeded):
        await report_outcome(desk, ada, approved, "succeeded", result="x" * 70_000)
    assert (await wait_for_decision(desk, ada, approved)).outcome is None


@promise("approved-is-what-runs")
async def test_a_tool_that_is_changed_in_the_database_is_not_claimed(
    desk: Desk, ada: Agent, approved: str, tmp_path: Path
) -> None:
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("UPDATE escalation SET tool = 'drop_tables'")
    with pytest.raises(ClaimRefused):
        await claim(desk, ada, approved, replace_tool(WIRE, "drop_tables"))


def replace_tool(action: Action, tool: str) -> Action:
    return action.model_copy(update={"tool": tool})
