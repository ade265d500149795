"""Deciding several cases that are alike: listed together, looked at a second time, decided each by itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests._support.cases import verified
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import SignedIn, Visitor, ask, text_of
from tests.promises import promise

from signoff.desk import decide as deciding
from signoff.desk import together
from signoff.desk.canaries import Drawn, make_canaries
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.look import look
from signoff.desk.people import add_person
from signoff.desk.together import Chosen, decide_together
from signoff.domain.action import Action, action_digest
from signoff.domain.bundle import Material
from signoff.domain.decision import Answer
from signoff.domain.errors import Forbidden, InvalidRequest, NotFound
from signoff.domain.people import SignIn

POLICY = """\
version: 1
queues:
  payments: {tiers: [{alert: [role:operator]}]}
triggers:
  - {id: mail, title: Mail leaves the company, tools: [mail], then: escalate}
  - {id: urgent, tools: [urgent], then: escalate, urgency: high}
  - {id: many, tools: [many], then: escalate, require: {approvals: 2}}
  - {id: signed, tools: [signed], then: escalate, require: {assurance: passkey}}
  - {id: reasoned, tools: [reasoned], then: escalate, require: {reason: true}}
  - {id: apart, tools: [apart], then: escalate, require: {separation: true}}
  - {id: above, tools: [above], then: escalate, require: {role: supervisor}}
  - {id: wire, tools: [wire], then: escalate, queue: payments}
"""


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def settings() -> DeskSettings:
    return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=10)


async def mails(desk: Desk, cast: Cast, *to: str, tool: str = "mail", **more: Any) -> list[str]:
    return [
        await ask(desk, cast.ada, {"tool": tool, "arguments": {"to": one, "text": "Hello"}}, **more)
        for one in to
    ]


def chosen(page: str) -> list[str]:
    """Return what the second look would send, of each case."""
    form = page.partition('action="/together/decide"')[2]
    return re.findall(r'name="case" value="([^"]+)"', form)


async def look_twice(browser: Visitor, cases: list[str]) -> str:
    response = await browser.post("/together", data={"case": cases})
    assert response.status_code == 200, text_of(response.text)
    return response.text


async def statuses(desk: Desk, cast: Cast, cases: list[str]) -> list[str]:
    return [(await look(desk, cast.sofia, one)).case.status for one in cases]


async def test_alike_cases_are_one_line_and_are_decided_after_a_second_look(
    desk: Desk, cast: Cast, signed_in: SignedIn, clock: HandClock
) -> None:
    cases = await mails(desk, cast, "dana@example.com", "dana@example.com", "omid@example.com")
    omar = await signed_in("Omar")
    inbox = (await omar.get("/")).text
    assert "3 requests that are alike" in text_of(inbox)
    (alike,) = re.findall(r'href="/alike/(\w+)"', inbox)
    assert alike in cases

    listing = text_of((await omar.get(f"/alike/{cases[0]}")).text)
    assert "The very same action as 1 other here" in listing
    page = await look_twice(omar, cases)
    assert "They differ in to" in text_of(page)
    for words in ("dana@", "omid@", "example.com", "The same in all 3", "Hello"):
        assert words in text_of(page)
    assert await statuses(desk, cast, cases) == ["pending"] * 3

    done = await omar.post(
        "/together/decide", data={"case": chosen(page), "choice": "approve", "note": "all fine"}
    )

    assert "You approved 3" in text_of(done.text)
    assert await statuses(desk, cast, cases) == ["approved"] * 3
    for case in cases:
        view = await look(desk, cast.sofia, case)
        (decision,) = view.decisions
        assert (decision.person_name, decision.note, decision.receipt is not None) == (
            "Omar",
            "all fine",
            True,
        )
        looks = [one["data"].get("together") for one in view.events if one["type"] == "bundle.viewed"]
        assert 3 in looks
    assert (await verified(desk)).problems == ()


async def test_all_of_them_can_be_taken_back_at_once(
    desk: Desk, cast: Cast, signed_in: SignedIn, clock: HandClock
) -> None:
    cases = await mails(desk, cast, "a", "b")
    omar = await signed_in("Omar")
    page = await look_twice(omar, cases)
    done = await omar.post(
        "/together/decide", data={"case": chosen(page), "choice": "reject", "note": "not today"}
    )
    assert await statuses(desk, cast, cases) == ["rejected"] * 2
    assert "Undo all 2" in text_of(done.text)

    back = await omar.post("/together/undo", data={"case": cases})

    assert "2 taken back" in text_of(back.text)
    assert await statuses(desk, cast, cases) == ["pending"] * 2
    page = await look_twice(omar, cases)
    await omar.post("/together/decide", data={"case": chosen(page), "choice": "approve"})
    clock.advance(11)
    late = await omar.post("/together/undo", data={"case": cases})
    assert "2 were not taken back" in text_of(late.text)
    assert await statuses(desk, cast, cases) == ["approved"] * 2


async def test_what_changed_or_ended_meanwhile_is_left_out_and_said(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    cases = await mails(desk, cast, "a", "b", "c", "d")
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    page = await look_twice(omar, cases)
    await sofia.decide(cases[0], choice="reject", note="no")
    await sofia.post(f"/cases/{cases[1]}/override")

    done = text_of(
        (await omar.post("/together/decide", data={"case": chosen(page), "choice": "approve"})).text
    )

    assert "You approved 2" in done
    assert "2 were not decided" in done
    assert "Sofia" in done
    assert await statuses(desk, cast, cases) == ["rejected", "pending", "approved", "approved"]


@promise("one-decision")
async def test_two_people_who_decide_the_same_cases_at_once_share_them(
    desk: Desk, cast: Cast, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = await mails(desk, cast, *[f"{number}@example.com" for number in range(12)])
    browsers = {"Omar": await signed_in("Omar"), "Sofia": await signed_in("Sofia")}
    pages = {name: await look_twice(browser, cases) for name, browser in browsers.items()}
    together_now, arrived = anyio.Event(), 0
    decide = deciding.decide

    async def held(*given: Any, **more: Any) -> Any:
        nonlocal arrived
        arrived += 1
        if arrived == 2 * len(cases):
            together_now.set()
        await together_now.wait()
        return await decide(*given, **more)

    monkeypatch.setattr(together, "decide", held)
    told: dict[str, str] = {}

    async def press(name: str, choice: str) -> None:
        fields = {"case": chosen(pages[name]), "choice": choice, "note": "together"}
        told[name] = text_of((await browsers[name].post("/together/decide", data=fields)).text)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(press, "Omar", "approve")
            tasks.start_soon(press, "Sofia", "reject")

    won = {name: int(re.search(r"You \w+ (\d+)", text)[1]) for name, text in told.items()}  # type: ignore[index]
    lost = {
        name: int((re.search(r"(\d+) w\w+ not decided", text) or [0, 0])[1]) for name, text in told.items()
    }
    assert won["Omar"] + won["Sofia"] == len(cases)
    assert {name: won[name] + lost[name] for name in won} == {"Omar": len(cases), "Sofia": len(cases)}
    ended = await statuses(desk, cast, cases)
    assert (ended.count("approved"), ended.count("rejected")) == (won["Omar"], won["Sofia"])
    for case in cases:
        assert len((await look(desk, cast.sofia, case)).decisions) == 1


@pytest.mark.parametrize("marked", [0, 1])
async def test_whoever_marked_fewer_than_two_is_told_beside_the_list(
    desk: Desk, cast: Cast, signed_in: SignedIn, marked: int
) -> None:
    cases = await mails(desk, cast, "a", "b")
    omar = await signed_in("Omar")

    response = await omar.post("/together", data={"shown": cases[0], "case": cases[:marked]})

    assert response.status_code == 422
    assert "Choose two cases or more" in text_of(response.text)
    assert response.text.count('type="checkbox" name="case"') == 2


@promise("only-that-human")
@pytest.mark.parametrize("tool", ["urgent", "many", "signed", "reasoned"])
async def test_cases_that_need_a_mind_each_are_never_decided_together(
    desk: Desk, cast: Cast, signed_in: SignedIn, tool: str
) -> None:
    cases = await mails(desk, cast, "a", "b", tool=tool)
    omar = await signed_in("Omar")

    listing = (await omar.get(f"/alike/{cases[0]}")).text
    assert 'type="checkbox"' not in listing
    assert "one by one" in listing or "by itself" in listing
    assert (await omar.post("/together", data={"case": cases})).status_code == 403
    given = []
    for case in cases:
        view = await look(desk, cast.omar, case)
        given.append(Chosen(case, view.case.version, view.view_digest))
    sent = [f"{one.escalation_id} {one.version} {one.view_digest}" for one in given]
    forced = await omar.post("/together/decide", data={"case": sent, "choice": "approve", "note": "x"})
    assert forced.status_code == 403
    with pytest.raises(Forbidden):
        await decide_together(desk, cast.omar, given, Answer("approve", note="x"))
    assert await statuses(desk, cast, cases) == ["pending"] * 2


async def test_a_case_that_the_agent_raised_to_high_urgency_is_left_to_itself(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    cases = await mails(desk, cast, "a", "b", urgency="critical")
    omar = await signed_in("Omar")

    assert (await omar.post("/together", data={"case": cases})).status_code == 403


async def test_a_case_that_asks_for_an_answer_or_is_too_long_is_left_out(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    cases = await mails(desk, cast, "a", "b")
    cases += await mails(desk, cast, "c", response_schema={"type": "object"})
    cases += await mails(desk, cast, "d" * 9000)
    omar = await signed_in("Omar")

    page = await look_twice(omar, cases)

    assert "2 left out" in text_of(page)
    assert "It asks for an answer of its own" in text_of(page)
    assert "too long" in text_of(page)
    assert len(chosen(page)) == 2


@pytest.mark.parametrize("which", ["other tool", "other agent", "one", "none", "twice", "too many"])
async def test_what_is_not_several_alike_is_refused(
    desk: Desk, cast: Cast, signed_in: SignedIn, which: str
) -> None:
    cases = await mails(desk, cast, "a", "b")
    sent = {
        "other tool": [cases[0], (await mails(desk, cast, "a", tool="apart"))[0]],
        "other agent": [
            cases[0],
            await ask(desk, cast.bea, {"tool": "mail", "arguments": {"to": "a", "text": "Hello"}}),
        ],
        "one": cases[:1],
        "none": [],
        "twice": [cases[0], cases[0], cases[1]],
        "too many": [f"esc_{number:026}" for number in range(51)],
    }[which]
    omar = await signed_in("Omar")

    assert (await omar.post("/together", data={"case": sent})).status_code == 422


@promise("only-that-human")
async def test_nobody_decides_together_what_they_may_not_decide_alone(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    olga_person = await add_person(desk, "Olga", roles=["operator"], queues=["other"])
    wires = await mails(desk, cast, "a", "b", tool="wire")
    owned = await mails(desk, cast, "a", "b", tool="apart")  # Omar's own agent asks
    above = await mails(desk, cast, "a", "b", tool="above")
    omar, olga, amir = await signed_in("Omar"), await signed_in("Olga"), await signed_in("Amir")

    assert (await olga.post("/together", data={"case": wires})).status_code == 404
    for browser, cases, why in (
        (omar, owned, "on your behalf"),
        (omar, above, "supervisor"),
        (amir, wires, "Only operators and supervisors"),
    ):
        page = await look_twice(browser, cases)
        assert why in text_of(page)
        assert chosen(page) == []
    for who, cases in ((cast.omar, owned), (cast.omar, above), (cast.amir, wires)):
        given = []
        for case in cases:
            view = await look(desk, who, case)
            given.append(Chosen(case, view.case.version, view.view_digest))
        results = await decide_together(desk, who, given, Answer("approve"))
        assert [one.case for one in results] == [None, None]
    assert await statuses(desk, cast, [*wires, *owned, *above]) == ["pending"] * 6
    foreign = [Chosen(one, 1, "") for one in wires]
    with pytest.raises(NotFound):
        await decide_together(desk, SignIn(olga_person, "session"), foreign, Answer("approve"))


async def test_a_rejection_without_a_note_is_asked_for_one_and_keeps_what_was_chosen(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    cases = await mails(desk, cast, "a", "b")
    omar = await signed_in("Omar")
    page = await look_twice(omar, cases)

    again = await omar.post("/together/decide", data={"case": chosen(page), "choice": "reject", "note": " "})

    assert again.status_code == 422
    assert "Say why" in text_of(again.text)
    assert sorted(one.split(" ")[0] for one in chosen(again.text)) == sorted(cases)
    assert await statuses(desk, cast, cases) == ["pending"] * 2


@pytest.mark.parametrize(
    "answer",
    [Answer("modify", arguments={"to": "x"}), Answer("approve", response={"a": 1}), Answer("veto")],  # type: ignore[arg-type]
)
async def test_several_cases_cannot_be_changed_together(desk: Desk, cast: Cast, answer: Answer) -> None:
    cases = await mails(desk, cast, "a", "b")
    given = []
    for case in cases:
        view = await look(desk, cast.omar, case)
        given.append(Chosen(case, view.case.version, view.view_digest))

    with pytest.raises(InvalidRequest):
        await decide_together(desk, cast.omar, given, answer)
    assert await statuses(desk, cast, cases) == ["pending"] * 2


async def test_a_form_that_lost_its_versions_decides_nothing(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    cases = await mails(desk, cast, "a", "b")
    omar = await signed_in("Omar")
    for sent in (cases, [f"{one} x y" for one in cases], [f"{one} 1 sha256:0" for one in cases]):
        response = await omar.post("/together/decide", data={"case": sent, "choice": "approve"})
        assert response.status_code in (200, 422)
    for choice in ("", "modify", "veto"):
        sent = [f"{one} 1 sha256:0" for one in cases]
        assert (await omar.post("/together/decide", data={"case": sent, "choice": choice})).status_code == 422
    assert await statuses(desk, cast, cases) == ["pending"] * 2


async def test_a_canary_among_them_is_told_and_approved_by_nobody(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    cases = await mails(desk, cast, "a", "b")
    drawn = Drawn(Action(tool="mail", arguments={"to": "c", "text": "Hello"}), Material())
    (canary,) = await make_canaries(desk, [drawn], agent="Ada", by=cast.sofia)
    omar = await signed_in("Omar")
    assert "3 requests that are alike" in text_of((await omar.get("/")).text)
    page = await look_twice(omar, [*cases, canary])
    assert "canary" not in page.lower()

    done = text_of(
        (await omar.post("/together/decide", data={"case": chosen(page), "choice": "approve"})).text
    )

    assert "You approved 2" in done
    assert "1 of them was a canary" in done
    assert "missed" in done
    assert (await look(desk, cast.sofia, canary)).case.final_digest is None


async def test_values_that_only_python_calls_equal_are_not_the_same_in_all(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    cases = [
        await ask(
            desk, cast.ada, {"tool": "mail", "arguments": {"dry_run": one, "deep": {"n": [two]}, "to": 1}}
        )
        for one, two in ((True, 0), (1, False))
    ]

    page = text_of(await look_twice(await signed_in("Omar"), cases))

    assert "They differ in deep , dry_run" in page


PINS = POLICY.replace("triggers:", "masks: [{path: action.arguments.pin, hide_from: [operator]}]\ntriggers:")


async def test_an_operator_cannot_tell_a_hidden_argument_from_the_digest_of_the_action(
    desk: Desk, cast: Cast, signed_in: SignedIn, policy_path: Path, clock: HandClock
) -> None:
    """Of a short value there are few: whoever has the digest of all arguments but one tries them all."""
    await anyio.Path(policy_path).write_text(PINS, encoding="utf-8")
    clock.advance(5)
    cases = [
        await ask(desk, cast.ada, {"tool": "mail", "arguments": {"to": "dana", "pin": pin}})
        for pin in ("0420", "0420", "0421")
    ]
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")

    async def pages(browser: Visitor) -> str:
        paths = [f"/cases/{cases[0]}{part}" for part in ("", "/parts/action", "/parts/events")]
        return "".join(
            [(await browser.get(path)).text for path in [*paths, f"/alike/{cases[0]}"]]
            + [await look_twice(browser, cases)]
        )

    hidden, whole = await pages(omar), await pages(sofia)
    digests = [action_digest("mail", {"to": "dana", "pin": pin}, server=None) for pin in ("0420", "0421")]

    assert not [one for one in digests if one[:19] in hidden]
    assert [one for one in digests if one[:19] in whole] == digests
    assert "very same action" not in hidden
    assert "An action of its own" not in hidden
    assert "The very same action as 1 other here" in text_of(whole)
    assert "All 3 look the same to you" in text_of(hidden)
    assert "Some of their arguments are hidden from you" in text_of(hidden)
    assert "The same in all" not in hidden
    assert "They differ in pin" in text_of(whole)


async def test_an_operator_gets_no_receipt_that_names_an_action_of_which_some_is_hidden(
    desk: Desk, cast: Cast, signed_in: SignedIn, policy_path: Path, clock: HandClock
) -> None:
    await anyio.Path(policy_path).write_text(PINS, encoding="utf-8")
    clock.advance(5)
    case = await ask(desk, cast.ada, {"tool": "mail", "arguments": {"to": "dana", "pin": "0420"}})
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    await omar.decide(case, choice="approve")
    clock.advance(60)

    assert 'id="receipt"' in (await sofia.get(f"/cases/{case}")).text
    assert 'id="receipt"' not in (await omar.get(f"/cases/{case}")).text
