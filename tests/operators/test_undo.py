"""Taking a decision back before the agent is told."""

from __future__ import annotations

import pytest
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import SignedIn, Visitor, ask, text_of

from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.wait import wait_for_decision


@pytest.fixture
def settings() -> DeskSettings:
    """Ten seconds to take a decision back."""
    return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=10)


async def test_a_decision_is_taken_back_and_made_again(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    await omar.decide(case, choice="approve")

    said = text_of((await omar.get(f"/cases/{case}")).text)
    assert "You approved this. The agent is told in 10 s . Undo" in said
    assert (await wait_for_decision(desk, cast.ada, case)).status == "pending"
    taken_back = await omar.post(f"/cases/{case}/undo")

    assert (taken_back.status_code, taken_back.headers["location"]) == (303, f"/cases/{case}?back=1")
    said = text_of((await omar.get(taken_back.headers["location"])).text)
    assert "Taken back. The agent was told nothing" in said
    assert "Let Ada run wire_transfer ?" in said
    assert "Decision taken back · Omar" in said
    assert (await omar.decide(case, choice="reject", note="On second thought")).status_code == 303


async def test_a_decision_that_the_agent_was_told_stands(
    desk: Desk, cast: Cast, signed_in: SignedIn, clock: HandClock
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    await omar.decide(case, choice="approve")
    clock.advance(10)

    late = await omar.post(f"/cases/{case}/undo")

    assert late.status_code == 409
    assert "The agent has already been told; the decision stands." in text_of(late.text)
    assert (await wait_for_decision(desk, cast.ada, case)).status == "approved"


async def test_nobody_takes_back_what_another_decided(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    sofia: Visitor = await signed_in("Sofia")
    await omar.decide(case, choice="approve")

    page = await sofia.get(f"/cases/{case}")
    tried = await sofia.post(f"/cases/{case}/undo")

    assert f"/cases/{case}/undo" not in page.text
    assert tried.status_code == 403
