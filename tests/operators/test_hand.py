"""Who has a case in hand, on its page, without JavaScript."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests._support.clock import HandClock
from tests.conftest import POLICY, Cast
from tests.operators.conftest import SignedIn, Visitor, ask, case_link, text_of

from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.escalate import escalate_due
from signoff.desk.look import look
from signoff.desk.people import add_person


@pytest.fixture(autouse=True)
def two_tiers(policy_path: Path) -> None:
    later = "      - {after: 10m, alert: [role:supervisor]}\n  fraud: {tiers: [{alert: [role:operator]}]}\ntriggers:\n"
    policy_path.write_text(POLICY.replace("triggers:\n", later), encoding="utf-8")


@pytest.fixture
def settings() -> DeskSettings:
    return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=10)


def buttons(page: str) -> dict[str, str]:
    """Return where each button of the page posts to, by what it says."""
    forms = re.findall(r'<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>', page, re.DOTALL)
    return {
        text_of(label): action
        for action, inside in forms
        for label in re.findall(r"<button[^>]*>(.*?)</button>", inside, re.DOTALL)
    }


async def test_an_operator_acknowledges_and_hands_over(
    desk: Desk, cast: Cast, clock: HandClock, signed_in: SignedIn
) -> None:
    olga = await add_person(desk, "Olga", roles=["operator"])
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    page = (await omar.get(f"/cases/{case}")).text
    assert "Nobody has said that they look at it" in text_of(page)
    assert "Tier 1 of 2 was alerted. The next is alerted in 10 min" in text_of(page)
    assert buttons(page).keys() >= {"Acknowledge", "Hand over"}
    assert not buttons(page).keys() & {"Reassign to this person", "Pause Ada", "Take it from the operators"}

    response = await omar.post(buttons(page)["Acknowledge"])
    assert (response.status_code, response.headers["location"]) == (303, f"/cases/{case}")
    page = (await omar.get(f"/cases/{case}")).text
    assert "You are looking at it since" in text_of(page)
    assert "Acknowledge" not in buttons(page)
    sofia: Visitor = await signed_in("Sofia")
    assert "Omar is looking at it since" in text_of((await sofia.get(f"/cases/{case}")).text)
    assert "Omar is looking" in text_of((await sofia.get("/")).text)
    assert "You are looking" in text_of((await omar.get("/")).text)

    assert (await omar.post(buttons(page)["Hand over"], data={"to": olga.id})).status_code == 303
    page = text_of((await omar.get(f"/cases/{case}")).text)
    assert "It was given to Olga , and nobody has said that they look at it" in page
    assert "Handed over to Olga" in page
    assert "For Olga" in text_of((await sofia.get("/")).text)


async def test_a_supervisor_reassigns_takes_over_and_pauses(
    desk: Desk, cast: Cast, clock: HandClock, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    clock.advance(600)
    await escalate_due(desk)
    sofia: Visitor = await signed_in("Sofia")
    assert "Tier 2" in text_of((await sofia.get("/")).text)
    page = (await sofia.get(f"/cases/{case}")).text
    assert "Tier 2 of 2 was alerted. There is no further one" in text_of(page)
    found = buttons(page)
    assert "Hand over" not in found

    for button, data in (
        ("Move to this queue", {"queue": "fraud"}),
        ("Reassign to this person", {"to": cast.omar.person.id}),
        ("Take it from the operators", {}),
        ("Pause Ada", {}),
    ):
        assert (await sofia.post(found[button], data=data)).status_code == 303, button
    view = await look(desk, cast.sofia, case)
    assert (view.case.queue, view.case.overridden_by) == ("fraud", cast.sofia.person.id)
    said = text_of((await sofia.get(f"/cases/{case}")).text)
    assert "Sofia took it over: only supervisors decide it" in said
    assert "Ada is paused" in said
    assert "Reassigned to the queue fraud" in said
    assert "Reassigned to Omar" in said
    omar: Visitor = await signed_in("Omar")
    page = (await omar.get(f"/cases/{case}")).text
    assert "This case needs a supervisor's decision" in text_of(page)
    assert "Acknowledge" not in buttons(page)


async def test_a_supervisor_overrides_a_decision_while_it_can_be_taken_back(
    desk: Desk, cast: Cast, clock: HandClock, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    await omar.decide(case, choice="approve")
    assert "Override this decision" not in (await omar.get(f"/cases/{case}")).text
    found = buttons((await sofia.get(f"/cases/{case}")).text)
    assert (await sofia.post(found["Override this decision"])).status_code == 303
    assert (await sofia.decide(case, choice="reject", note="Not this one.")).status_code == 303
    clock.advance(10)
    assert (await look(desk, cast.sofia, case)).case.status == "rejected"
    late = await sofia.post(f"/cases/{case}/override")
    assert late.status_code == 409
    assert "Nothing was changed" in text_of(late.text)
    assert "The agent has already been told" in text_of(late.text)


@pytest.mark.parametrize("form", ["acknowledge", "hand-over", "reassign", "override", "pause-agent"])
async def test_a_form_that_is_not_ones_own_to_send_changes_nothing(
    desk: Desk, cast: Cast, signed_in: SignedIn, visitor: Any, form: str
) -> None:
    case = await ask(desk, cast.ada)
    path, data = f"/cases/{case}/{form}", {"to": cast.sofia.person.id}
    amir: Visitor = await signed_in("Amir")
    refused = await amir.post(path, data=data)
    assert (refused.status_code, "Nothing was changed" in text_of(refused.text)) == (403, True)
    omar: Visitor = await signed_in("Omar")
    assert (await omar.post(path, data=data, headers={"Origin": "https://evil.example"})).status_code == 403
    assert (await omar.get(path)).status_code == 405
    assert (await visitor().post(path, data=data)).status_code == 401
    assert (await omar.post(f"/cases/esc_none/{form}", data=data)).status_code == 404
    assert (await look(desk, cast.omar, case)).case.handled == 0


async def test_a_magic_link_is_enough_to_acknowledge(desk: Desk, cast: Cast, visitor: Any) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = visitor()
    await omar.open_link(await case_link(desk, "Omar"))
    assert (await omar.post(f"/cases/{case}/acknowledge")).status_code == 303
    again = await omar.post(f"/cases/{case}/acknowledge")
    assert (again.status_code, "Nothing was changed" in text_of(again.text)) == (409, True)


async def test_nobody_to_hand_to_is_said_at_the_form(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    refused = await omar.post(f"/cases/{case}/hand-over", data={"to": "per_none"})
    assert refused.status_code == 422
    assert "Nothing was changed to : This is nobody who could decide the case" in text_of(refused.text)
