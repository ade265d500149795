"""Canaries: they look like any case, are never approved, and say who caught them; no agent ever knows of one."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from mcp import Client
from tests._support.cases import verified
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import SignedIn, Visitor, ask, text_of

from signoff.agents.mcp_server import build_mcp_server
from signoff.alerts.facts import facts_of
from signoff.alerts.wording import Wording
from signoff.desk.canaries import Drawn, make_canaries
from signoff.desk.close import cancel, expire_due
from signoff.desk.deliver import lease, record
from signoff.desk.desk import Desk
from signoff.desk.inbox import inbox
from signoff.desk.limits import limit_agent
from signoff.desk.look import agent_cases
from signoff.desk.people import add_person, agent_named, list_agents
from signoff.desk.together import alike_cases
from signoff.domain.action import Action
from signoff.domain.alert import Sent
from signoff.domain.bundle import Material
from signoff.domain.errors import NotFound
from signoff.domain.people import Agent, SignIn

FORM = {
    "agent": "Ada",
    "tool": "wire_transfer",
    "summary": "Pay the usual invoice",
    "arguments": '{"amount": 990000, "country": "KP"}',
}
WRONG = Action(tool="wire_transfer", arguments={"amount": 990000, "country": "KP"})


@pytest.fixture
async def sofia_there(desk: Desk, cast: Cast, signed_in: SignedIn) -> Visitor:
    browser: Visitor = await signed_in("Sofia")
    return browser


async def a_canary(desk: Desk, by: SignIn | None, *, drill: str | None = None) -> str:
    (case,) = await make_canaries(desk, [Drawn(WRONG, Material())], agent="Ada", drill=drill, by=by)
    return case


async def events(desk: Desk, type_: str) -> list[dict[str, Any]]:
    async with desk.store.reading() as reader:
        return [orjson.loads(raw) for _, raw in await reader.events_of_type(type_, after=-1)]


def without_ids(page: str) -> str:
    """Return a page as far as it does not differ from case to case by chance."""
    page = re.sub(r"(esc|per|agt|alr|lnk)_[0-9A-Z]{26}|sha256:[0-9a-f]{64}|no\. \d+", "ID", page)
    return re.sub(r'value="[^"]*"|/static/[0-9a-f]+/', "", page)


async def test_a_canary_cannot_be_told_from_a_case_of_the_agent(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    action = {"tool": "wire_transfer", "arguments": dict(WRONG.arguments)}
    real, canary = await ask(desk, cast.ada, action), await a_canary(desk, cast.sofia)
    omar = await signed_in("Omar")

    (line,) = (await inbox(desk, cast.omar)).pending
    assert (line.waiting, line.agent_name) == (2, "Ada")
    alike = await alike_cases(desk, cast.omar, canary)
    assert {one.case.id for one in alike.lines} == {real, canary}
    pages = [(await omar.get(f"/cases/{case}")).text for case in (real, canary)]

    assert without_ids(pages[0]) == without_ids(pages[1])
    assert "canary" not in pages[1].lower()


async def test_rejecting_a_canary_catches_it(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await a_canary(desk, cast.sofia)
    omar = await signed_in("Omar")

    assert (await omar.decide(case, choice="reject", note="To North Korea?")).status_code == 303

    page = (await omar.get(f"/cases/{case}")).text
    assert "This was a canary, and it was caught" in page
    assert "Canaries caught 1 of 1, too few to say" in text_of((await omar.get("/stats/people")).text)
    (event,) = await events(desk, "canary.answered")
    assert (event["actor"]["id"], event["data"]) == (
        cast.omar.person.id,
        {"choice": "reject", "caught": True},
    )


async def test_those_who_did_not_answer_are_told_that_it_is_over_and_not_that_an_agent_withdrew_it(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    waiting, real = await a_canary(desk, cast.sofia, drill="spring"), await ask(desk, cast.ada)
    told: dict[str, list[str]] = {waiting: [], real: []}

    async def sent() -> None:
        for errand in await lease(desk, "worker"):
            words = Wording().words(facts_of(errand))
            told[errand.case.id].append(f"{words.subject}\n{words.text}")
            await record(desk, "worker", errand, Sent())

    await sent()
    await (await signed_in("Omar")).decide(waiting, choice="reject", note="To North Korea?")
    await cancel(desk, cast.ada, real, reason="x")
    await sent()

    assert "ended, nothing runs" in told[waiting][-1]
    assert "withdrawn by the agent" in told[real][-1]
    assert not any(
        word in text.lower() for text in told[waiting] for word in ("canary", "drill", "withdrawn")
    )


@pytest.mark.parametrize("fields", [{"choice": "approve"}, {"choice": "modify", "a0": "11000", "a1": "FR"}])
async def test_approving_a_canary_approves_nothing(
    desk: Desk, cast: Cast, signed_in: SignedIn, fields: dict[str, str]
) -> None:
    case = await a_canary(desk, cast.sofia)
    omar = await signed_in("Omar")

    assert (await omar.decide(case, **fields)).status_code == 303

    async with desk.store.reading() as reader:
        found = await reader.case(case)
        assert found is not None
        assert (found.status, found.final_digest, found.valid_until, found.decided_by) == (
            "cancelled",
            None,
            None,
            (),
        )
        assert await reader.decisions(case) == []
    page = (await omar.get(f"/cases/{case}")).text
    assert "This was a canary, and it was missed" in page
    assert "receipt" not in page.lower().replace("verify-receipt", "")
    assert not await events(desk, "escalation.decided")
    assert (await omar.post(f"/cases/{case}/undo")).status_code in (403, 409)
    report = await verified(desk)
    assert report.ok, report.problems


async def test_an_agent_never_sees_a_canary_under_its_name(desk: Desk, cast: Cast) -> None:
    case = await a_canary(desk, cast.sofia)

    async def identify(_: object) -> Agent:
        return await agent_named(desk, "Ada")

    async with Client(build_mcp_server(desk, identify)) as client:
        for tool, arguments in (
            ("get_decision", {"escalation_id": case}),
            ("cancel_request", {"escalation_id": case, "reason": "x"}),
            (
                "claim_approval",
                {"escalation_id": case, "action": {"tool": WRONG.tool, "arguments": dict(WRONG.arguments)}},
            ),
        ):
            said = await client.call_tool(tool, arguments)
            other = await client.call_tool(tool, {**arguments, "escalation_id": "esc_" + "0" * 26})
            assert said.is_error, tool
            assert str(said.content).replace(case, "") == str(other.content).replace("esc_" + "0" * 26, ""), (
                tool
            )
    assert await agent_cases(desk, cast.ada) == []
    assert [one.name for one in await list_agents(desk)] == ["Ada", "Bea"]


async def test_canaries_use_up_nothing_of_an_agents_limits(desk: Desk, cast: Cast) -> None:
    await limit_agent(desk, "Ada", max_open=1, requests_per_minute=1)
    for _ in range(3):
        await a_canary(desk, cast.sofia)

    assert await ask(desk, await agent_named(desk, "Ada"))


async def test_statistics_know_of_no_canary(desk: Desk, cast: Cast, sofia_there: Visitor) -> None:
    await a_canary(desk, cast.sofia)
    await ask(desk, cast.ada)

    page = text_of((await sofia_there.get("/stats")).text)

    assert "Put to people 1" in page


async def test_a_supervisor_makes_canaries_on_a_page_and_learns_what_became_of_them(
    desk: Desk, cast: Cast, signed_in: SignedIn, sofia_there: Visitor, clock: HandClock
) -> None:
    made = await sofia_there.post("/canaries", data={**FORM, "drill": "spring"})
    assert made.headers["location"] == "/canaries?made=1"
    page = text_of((await sofia_there.get("/canaries?made=1")).text)
    assert "1 waits among the cases now" in page
    assert "Drill spring 0 caught, 0 missed, 1 waiting" in page
    (event,) = await events(desk, "canary.made")
    assert event["actor"]["id"] == cast.sofia.person.id
    assert event["data"]["drill"] == "spring"
    assert "escalation" not in event
    omar = await signed_in("Omar")
    clock.advance(90)
    await omar.decide(event["data"]["case"], choice="reject", note="no")

    page = text_of((await sofia_there.get("/canaries")).text)

    assert "Drill spring 1 caught, 0 missed · half answered within 1 min 30 s too few to say" in page


async def test_a_drill_of_enough_canaries_tells_its_catch_rate(
    desk: Desk, cast: Cast, signed_in: SignedIn, sofia_there: Visitor
) -> None:
    several = [
        {"action": {"tool": "wire_transfer", "arguments": {"amount": 900000 + n, "country": "KP"}}}
        for n in range(8)
    ]
    form = {"agent": "Ada", "drill": "big", "canaries": orjson.dumps(several).decode()}
    assert (await sofia_there.post("/canaries", data=form)).headers["location"] == "/canaries?made=8"
    omar = await signed_in("Omar")
    for number, event in enumerate(await events(desk, "canary.made")):
        fields = {"choice": "approve"} if number == 0 else {"choice": "reject", "note": "no"}
        await omar.decide(event["data"]["case"], **fields)

    assert "Drill big 7 caught, 1 missed" in text_of((await sofia_there.get("/canaries")).text)
    assert "88% caught (53% to 98%)" in text_of((await sofia_there.get("/canaries")).text)
    assert "7 of 8 (53% to 98%)" in text_of((await sofia_there.get("/stats/people")).text)


async def test_a_canary_that_nobody_answers_in_time_counts_against_nobody(
    desk: Desk, cast: Cast, signed_in: SignedIn, clock: HandClock
) -> None:
    case = await a_canary(desk, cast.sofia)
    clock.advance(7 * 86400)
    await expire_due(desk)
    sofia_there = await signed_in("Sofia")

    assert "1 that nobody answered" in text_of((await sofia_there.get("/canaries")).text)
    assert "nobody answered it" in (await sofia_there.get(f"/cases/{case}")).text
    assert (await verified(desk)).ok


async def test_whoever_made_a_canary_does_not_answer_it_and_others_are_not_told_which_it_is(
    desk: Desk, cast: Cast, signed_in: SignedIn, sofia_there: Visitor
) -> None:
    await add_person(desk, "Susan", roles=["supervisor"])
    case = await a_canary(desk, cast.sofia)

    own = await sofia_there.decide(case, choice="reject", note="no")
    others = await (await signed_in("Susan")).get("/canaries")

    assert own.status_code == 403
    assert "You made this canary" in own.text
    assert "1 of others waits" in text_of(others.text)
    assert "wire_transfer" not in others.text
    assert (await (await signed_in("Susan")).decide(case, choice="reject", note="no")).status_code == 303


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({**FORM, "agent": "Nobody"}, 404, "There is no agent called Nobody"),
        ({**FORM, "tool": "launch_missiles"}, 422, "the policy would answer this by itself"),
        ({**FORM, "tool": ""}, 422, "Action"),
        ({**FORM, "arguments": '{"a": 1, "a": 2}'}, 422, "Arguments"),
        ({**FORM, "drill": "two words"}, 422, "use letters, digits"),
        ({**FORM, "canaries": "[]"}, 422, "1 to 20 at once"),
        ({**FORM, "canaries": '[{"tool": "x"}]'}, 422, "each is"),
    ],
)
async def test_a_canary_that_cannot_be_is_refused_by_field_and_none_is_made(
    desk: Desk, cast: Cast, sofia_there: Visitor, form: dict[str, str], status: int, said: str
) -> None:
    response = await sofia_there.post("/canaries", data=form)

    assert response.status_code == status
    assert said.lower() in text_of(response.text).lower()
    assert (await inbox(desk, cast.omar)).pending == ()


@pytest.mark.parametrize(("who", "status"), [("Omar", 403), ("Amir", 403), ("Anna", 200), ("Sofia", 200)])
async def test_canaries_are_for_supervisors_and_admins(
    desk: Desk, cast: Cast, signed_in: SignedIn, who: str, status: int
) -> None:
    await add_person(desk, "Anna", roles=["admin"])
    browser = await signed_in(who)

    assert (await browser.get("/canaries")).status_code == status
    made = await browser.post("/canaries", data=FORM)
    assert made.status_code == (303 if status == 200 else 403)
    assert len((await inbox(desk, cast.omar)).pending) == (status == 200)


async def test_pausing_the_agent_from_a_canary_pauses_nobody(
    desk: Desk, cast: Cast, sofia_there: Visitor
) -> None:
    case = await a_canary(desk, None)

    response = await sofia_there.post(f"/cases/{case}/pause-agent")

    assert response.status_code == 409
    assert "This case is a canary" in text_of(response.text)
    assert (await agent_named(desk, "Ada")).paused_at is None


async def test_a_stand_in_is_no_agent_that_anybody_names(desk: Desk, cast: Cast) -> None:
    await a_canary(desk, cast.sofia)

    for name in (f" canaries of {cast.ada.id}", f"canaries of {cast.ada.id}"):
        with pytest.raises(NotFound):
            await agent_named(desk, name)
