"""The inbox as people use it: filters, search, unread marks, saved views and pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link, text_of
from tests.promises import promise

from signoff.desk import inbox as inbox_module
from signoff.desk.close import cancel
from signoff.desk.current_policy import note_current_policy
from signoff.desk.deliver import lease, record
from signoff.desk.desk import Desk
from signoff.desk.erase import erase_case
from signoff.desk.handle import acknowledge, move_to_queue
from signoff.desk.people import add_person, set_addresses
from signoff.domain.alert import Failed, Sent
from signoff.domain.erasure import check_kinds
from signoff.operators.forms import MAX_SMALL_FORM_BYTES

POLICY = """\
version: 1
masks:
  - {path: action.arguments.iban, hide_from: [operator]}
  - {path: bundle.subject.name, hide_from: [operator, auditor]}
queues:
  payments: {tiers: [{alert: [role:operator]}]}
  refunds: {tiers: [{alert: [role:operator]}]}
triggers:
  - {id: wire, title: A wire, tools: [wire], then: escalate, queue: payments}
  - {id: refund, title: A refund, tools: [refund], then: escalate, queue: refunds, urgency: high}
  - {id: mail, title: A mail, tools: [mail], then: escalate}
"""
WIRE = {
    "tool": "wire",
    "server": "bank",
    "summary": "Pay the Müller invoice",
    "arguments": {
        "iban": "DE02120300000000202051",
        "amount": 1250,
        "to": {"city": "Köln", "tags": ["urgent-ish"]},
    },
}
DANA = {"subject": {"id": "cus_88213", "name": "Dana Whitfield", "region": "EU"}}


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


def listed(page: str) -> list[str]:
    """Return the cases that a page lists, in order."""
    return re.findall(r'data-case="(esc_\w+)"', page)


async def cases_at(browser: Visitor, path: str) -> list[str]:
    response = await browser.get(path)
    assert response.status_code == 200, text_of(response.text)
    return listed(response.text)


# Filters


async def test_an_operator_narrows_the_inbox_by_queue_urgency_and_agent(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    wire = await ask(desk, cast.ada, WIRE)
    refund = await ask(desk, cast.ada, {"tool": "refund", "arguments": {}})
    mail = await ask(desk, cast.bea, {"tool": "mail", "arguments": {}}, urgency="critical")
    omar = await signed_in("Omar")

    assert await cases_at(omar, "/") == [mail, refund, wire]
    assert await cases_at(omar, "/?queue=payments") == [wire]
    assert await cases_at(omar, "/?urgency=high") == [refund]
    assert await cases_at(omar, "/?agent=Bea") == [mail]
    assert await cases_at(omar, "/?agent=Ada&urgency=normal") == [wire]
    page = text_of((await omar.get("/?agent=Bea&queue=payments")).text)
    assert "Nothing waits under these filters" in page
    assert "Queue: payments" in page
    assert "Agent: Bea" in page


async def test_a_supervisor_with_queues_of_their_own_sees_these_and_all(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    await add_person(desk, "Sina", roles=["supervisor"], queues=["refunds"])
    wire = await ask(desk, cast.ada, WIRE)
    refund = await ask(desk, cast.ada, {"tool": "refund", "arguments": {}})
    sina = await signed_in("Sina")

    assert await cases_at(sina, "/?show=queues") == [refund]
    assert await cases_at(sina, "/") == [refund, wire]


@promise("only-that-human")
async def test_no_filter_shows_a_case_of_another_queue(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    await add_person(desk, "Olga", roles=["operator"], queues=["refunds"])
    wire = await ask(desk, cast.ada, WIRE, DANA)
    ended = await ask(desk, cast.ada, {**WIRE, "server": "other"})
    await cancel(desk, cast.ada, ended, reason="x")
    olga = await signed_in("Olga")

    for path in ("/", "/?queue=payments", "/?show=ended", "/?q=invoice", "/?q=invoice&queue=payments",
                 "/?show=mine", "/?show=queues", f"/?q={wire}"):  # fmt: skip
        page = (await olga.get(path)).text
        assert listed(page) == [], path
        assert "Nothing" in page
    assert "payments" not in (await olga.get("/")).text
    assert (await olga.get(f"/alike/{wire}")).status_code == 404


async def test_what_a_person_has_in_hand_stands_under_for_me(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    mine = await ask(desk, cast.ada, WIRE)
    await ask(desk, cast.ada, WIRE)
    await acknowledge(desk, cast.omar, mine)
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")

    assert await cases_at(omar, "/?show=mine") == [mine]
    assert await cases_at(sofia, "/?show=mine") == []
    assert "For me 1" in text_of((await omar.get("/")).text)


@pytest.mark.parametrize("after", ["x", "w~9~x~1", "e~1~2", "w~0~2026-11-23T20:31:05.000000Z~-1", "s~1"])
async def test_a_page_that_does_not_exist_is_refused_with_what_to_do(
    desk: Desk, cast: Cast, signed_in: SignedIn, after: str
) -> None:
    response = await (await signed_in("Omar")).get("/", params={"after": after})

    assert response.status_code == 422
    assert "Begin at its first page" in text_of(response.text)


@pytest.mark.parametrize("show", ["all", "ended", "found"])
async def test_page_after_page_lists_every_case_once(
    desk: Desk, cast: Cast, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch, clock: HandClock, show: str
) -> None:
    monkeypatch.setattr(inbox_module, "PAGE", 4)
    await add_person(desk, "Olga", roles=["operator"], queues=["refunds", "payments"])
    made = []
    for number in range(19):
        tool = ("wire", "refund")[number % 2]
        made.append(await ask(desk, cast.ada, {"tool": tool, "server": f"host {number}", "arguments": {}}))
        clock.advance(number % 3)
        if show == "ended":
            await cancel(desk, cast.ada, made[-1], reason="x")
    for name in ("Omar", "Olga"):
        browser = await signed_in(name)
        path: str | None = {"all": "/", "ended": "/?show=ended", "found": "/?q=host"}[show]
        found: list[str] = []
        while path:
            page = (await browser.get(path)).text
            cases = listed(page.partition("Recently ended")[0])
            assert len(cases) <= 4
            found += cases
            following = re.search(r'rel="next" href="([^"]+)"', page)
            path = following[1].replace("&amp;", "&") if following else None
        assert sorted(found) == sorted(made)


async def test_a_filter_that_finds_little_says_how_far_it_looked(
    desk: Desk, cast: Cast, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "PAGE", 2)
    monkeypatch.setattr(inbox_module, "AT_ONCE", 2)
    monkeypatch.setattr(inbox_module, "LOOK_THROUGH", 4)
    for number in range(9):
        await ask(desk, cast.ada, {"tool": "wire", "server": f"host {number}", "arguments": {}})
    late = await ask(desk, cast.bea, WIRE)
    omar = await signed_in("Omar")

    path, looks = "/?agent=Bea", 0
    while late not in listed(page := (await omar.get(path)).text):
        assert "Look through more" in page
        path = re.search(r'rel="next" href="([^"]+)"', page)[1].replace("&amp;", "&")  # type: ignore[index]
        looks += 1
    assert 1 <= looks <= 5


# Search


async def test_a_case_is_found_by_its_claim_arguments_subject_tool_and_id(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada, WIRE, DANA)
    await ask(desk, cast.ada, {"tool": "mail", "arguments": {"to": "someone"}})
    sofia = await signed_in("Sofia")

    for words in (
        "invoice", "INVOICE pay", "muller", "Müller", "de02120300000000202051", "DE0212", "1250", "koln",
        "urgent ish", "urgent-ish", "dana", "whitf", "cus_88213", "wire", "bank dana 1250", case,
    ):  # fmt: skip
        assert await cases_at(sofia, f"/?q={words}") == [case], words
    for words in ("nobody", "invoice nobody", "vi", "hitfield"):
        assert await cases_at(sofia, f"/?q={words}") == [], words


@promise("only-that-human")
async def test_what_a_mask_hides_from_somebody_is_not_found_by_them(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada, WIRE, DANA)
    omar, sofia, amir = await signed_in("Omar"), await signed_in("Sofia"), await signed_in("Amir")

    for words, finders in {
        "DE02120300000000202051": (sofia, amir),
        "dana": (sofia,),
        "dana 1250": (sofia,),
        "cus_88213": (sofia, amir, omar),
        "1250": (sofia, amir, omar),
    }.items():
        for browser in (sofia, amir, omar):
            assert (case in await cases_at(browser, f"/?q={words}")) is (browser in finders), words


@promise("only-that-human")
@pytest.mark.parametrize(
    "path",
    [
        "action.arguments", "action.arguments.*", "action.arguments.to", "action.arguments.to.city",
        "action.arguments.*.city", "action.arguments.to.*",
    ],
)  # fmt: skip
async def test_a_mask_of_today_hides_from_the_search_what_was_entered_yesterday(
    desk: Desk, cast: Cast, signed_in: SignedIn, policy_path: Path, path: str
) -> None:
    case = await ask(desk, cast.ada, WIRE, DANA)
    omar = await signed_in("Omar")
    assert await cases_at(omar, "/?q=köln") == [case]

    text = POLICY.replace("masks:\n", f"masks:\n  - {{path: '{path}', hide_from: [operator]}}\n")
    await anyio.Path(policy_path).write_text(text, encoding="utf-8")
    await note_current_policy(desk)

    assert await cases_at(omar, "/?q=köln") == []
    assert await cases_at(await signed_in("Sofia"), "/?q=köln") == [case]
    assert await cases_at(omar, "/?q=invoice") == [case]


async def test_the_strictest_of_several_reasons_is_named_first_in_the_inbox_and_in_alerts(
    desk: Desk, cast: Cast, signed_in: SignedIn, policy_path: Path
) -> None:
    needs = "require: {role: supervisor}"
    more = f"""\
  - {{id: alone, title: Sent alone, tools: [wire], then: escalate, urgency: critical}}
  - {{id: board, title: For the board, tools: [wire], then: escalate, urgency: critical, {needs}}}
"""
    await anyio.Path(policy_path).write_text(
        POLICY.replace("triggers:\n", "triggers:\n  - {id: any, title: Any call, then: escalate}\n") + more,
        encoding="utf-8",
    )
    await ask(desk, cast.ada, WIRE)

    errands = await lease(desk, "worker")
    inbox = text_of((await (await signed_in("Sofia")).get("/")).text)

    assert errands
    assert {one.why for one in errands} == {"For the board and 3 more"}
    assert "· For the board and 3 more" in inbox


@pytest.mark.parametrize(
    "words",
    ['"', "'", '"oo" OR "a0"', "a0* OR", "NEAR(a b)", "words:x", "^x", "*", "-", "( ", "\x00", "\ud83d", "{words}:x",
     "'; DROP TABLE case_words; --", "😀", "%", "oo OR wire"],
)  # fmt: skip
async def test_whatever_is_searched_for_is_words_and_no_query(
    desk: Desk, cast: Cast, signed_in: SignedIn, words: str
) -> None:
    await ask(desk, cast.ada, WIRE, DANA)
    omar = await signed_in("Omar")

    response = await omar.get("/", params={"q": words.encode("utf-8", "replace").decode()})

    assert response.status_code == 200
    assert listed(response.text.partition("Recently ended")[0]) in (
        [],
        *([] if words.strip() else [listed(response.text)]),
    )


async def test_a_case_is_found_in_the_queue_that_it_was_moved_to(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    await add_person(desk, "Olga", roles=["operator"], queues=["refunds"])
    await add_person(desk, "Otto", roles=["operator"], queues=["payments"])
    case = await ask(desk, cast.ada, WIRE)
    olga, otto = await signed_in("Olga"), await signed_in("Otto")
    assert (await cases_at(olga, "/?q=invoice"), await cases_at(otto, "/?q=invoice")) == ([], [case])

    await move_to_queue(desk, cast.sofia, case, queue="refunds")

    assert (await cases_at(olga, "/?q=invoice"), await cases_at(otto, "/?q=invoice")) == ([case], [])
    assert (await cases_at(olga, "/"), await cases_at(otto, "/")) == ([case], [])


@promise("erasable")
async def test_an_erased_case_is_found_by_no_word_and_no_word_is_left_in_any_file(
    desk: Desk, cast: Cast, signed_in: SignedIn, tmp_path: Path
) -> None:
    for number in range(30):
        await ask(desk, cast.ada, {"tool": "wire", "arguments": {"for": f"filler {number}"}})
    case = await ask(desk, cast.ada, {**WIRE, "summary": "Zzyzxmark"}, {"subject": {"name": "Quuxname"}})
    await cancel(desk, cast.ada, case, reason="x")
    sofia = await signed_in("Sofia")
    assert await cases_at(sofia, "/?q=zzyzxmark") == [case]

    def left() -> list[str]:
        words = (b"zzyzxmark", b"quuxname", b"202051")
        files = [one for one in tmp_path.rglob("*") if one.is_file()]
        return [
            f"{one.name}: {word!r}" for one in files for word in words if word in one.read_bytes().lower()
        ]

    assert left()
    await erase_case(desk, case, kinds=check_kinds([]), by=None)

    assert await cases_at(sofia, "/?q=zzyzxmark") == []
    assert await cases_at(sofia, "/?q=filler 7") != []
    assert left() == []


# Unread


async def test_a_case_is_unread_until_its_person_looks_and_again_once_it_changed(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada, WIRE)
    other = await ask(desk, cast.ada, {**WIRE, "server": "other"})
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    assert "2 unread" in text_of((await omar.get("/")).text)
    assert "(2) Inbox" in (await omar.get("/")).text

    await omar.get(f"/cases/{case}")

    assert "1 unread" in text_of((await omar.get("/")).text)
    assert await cases_at(omar, "/?unread=1") == [other]
    assert "2 unread" in text_of((await sofia.get("/")).text)

    await omar.get(f"/cases/{other}")
    assert "unread" not in text_of((await omar.get("/")).text).partition("Filter")[0]
    await sofia.post(f"/cases/{case}/override")

    assert await cases_at(omar, "/?unread=1") == [case]


async def test_what_ended_is_not_counted(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada, WIRE)
    sofia = await signed_in("Sofia")
    assert "All 1 1 unread" in text_of((await sofia.get("/")).text)

    await sofia.decide(case, choice="reject", note="no")

    assert "All 0" in text_of((await sofia.get("/")).text)
    assert case in await cases_at(sofia, "/?show=ended")


# Saved views


async def test_a_view_is_kept_opened_and_removed_by_its_person_only(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    await ask(desk, cast.ada, WIRE)
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")

    kept = await omar.post(
        "/views", data={"name": " Night  shift ", "queue": "payments", "urgency": "normal"}
    )

    assert (kept.status_code, kept.headers["location"]) == (303, "/?queue=payments&urgency=normal")
    page = (await omar.get("/")).text
    assert "Night shift" in page
    assert 'href="/?queue=payments&amp;urgency=normal"' in page
    assert "Night shift" not in (await sofia.get("/")).text
    (view,) = re.findall(r'value="(viw_\w+)"', page)

    assert (await sofia.post("/views/remove", data={"view": view})).status_code == 404
    assert "Night shift" in (await omar.get("/")).text
    assert (await omar.post("/views/remove", data={"view": view})).status_code == 303
    assert "Night shift" not in (await omar.get("/")).text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "", "queue": "payments"}, "1 to 40 letters"),
        ({"name": "x" * 41, "queue": "payments"}, "1 to 40 letters"),
        ({"name": "\u202eevil", "queue": "payments"}, "1 to 40 letters"),
        ({"name": "all of it"}, "Choose a filter first"),
        ({"name": "dana", "q": "dana"}, "What you search for is not kept"),
    ],
)
async def test_a_view_that_cannot_be_kept_is_refused_with_what_to_do(
    desk: Desk, cast: Cast, signed_in: SignedIn, fields: dict[str, str], told: str
) -> None:
    omar = await signed_in("Omar")
    response = await omar.post("/views", data=fields)

    assert response.status_code == 422
    assert told in text_of(response.text)
    assert "viw_" not in (await omar.get("/")).text


async def test_a_person_keeps_twenty_views_at_most(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    omar = await signed_in("Omar")
    for number in range(20):
        await omar.post("/views", data={"name": f"view {number}", "queue": "payments"})

    refused = await omar.post("/views", data={"name": "one more", "queue": "payments"})
    again = await omar.post("/views", data={"name": "view 3", "queue": "refunds"})

    assert refused.status_code == 422
    assert "20" in text_of(refused.text)
    assert again.status_code == 303
    assert len(set(re.findall(r'value="(viw_\w+)"', (await omar.get("/")).text))) == 20


# What everybody may rely on


async def test_a_link_of_one_case_opens_no_part_of_the_inbox(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    case = await ask(desk, cast.ada, WIRE)
    omar = visitor()
    await omar.open_link(await case_link(desk, "Omar"))

    for path in ("/?q=invoice", "/?show=ended"):
        assert (await omar.get(path)).headers["location"] == f"/cases/{case}"
    assert (await omar.get(f"/alike/{case}")).status_code == 401
    assert (await omar.post("/views", data={"name": "x", "queue": "y"})).status_code == 401


async def test_words_of_agents_and_filters_stand_on_the_page_as_text_only(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    evil = "<img src=x onerror=alert(1)>\u202e"
    await ask(desk, cast.ada, {"tool": "mail", "summary": evil, "arguments": {"a": evil}})
    await ask(desk, cast.ada, {"tool": "mail", "summary": evil, "arguments": {"a": evil}})
    omar = await signed_in("Omar")

    for path in ("/", "/?q=img", f"/?queue={evil}&agent={evil}&q={evil}"):
        page = (await omar.get(path)).text
        assert "<img" not in page
        assert "\u202e" not in page.replace('value="&lt;img src=x onerror=alert(1)&gt;\u202e"', "")


async def test_a_form_of_the_largest_second_look_may_be_sent(desk: Desk, cast: Cast) -> None:
    one: dict[str, Any] = {"case": f"esc_{'0' * 26}+{'9' * 6}+sha256%3A{'f' * 64}"}
    assert 50 * (len(f"case={one['case']}&")) + 4 < MAX_SMALL_FORM_BYTES


async def test_an_operator_of_one_queue_is_told_of_no_agents_and_alerts_of_others(
    desk: Desk, cast: Cast, signed_in: SignedIn, visitor: NewVisitor, clock: HandClock
) -> None:
    await add_person(desk, "Olga", roles=["operator"], queues=["refunds"])
    await set_addresses(desk, "Omar", ("ntfy://omar",))
    await ask(desk, cast.ada, {"tool": "refund", "arguments": {}})
    await ask(desk, cast.bea, WIRE)
    for one in await lease(desk, "worker"):
        if one.person.name == "Omar":
            failed = Failed("no route", permanent=True)
            await record(desk, "worker", one, failed if one.case.queue == "payments" else Sent())
    olga, sofia = await signed_in("Olga"), await signed_in("Sofia")

    mine, everything = (await olga.get("/")).text, (await sofia.get("/")).text

    assert re.findall(r'<option value="(Ada|Bea)"', mine) == ["Ada"]
    assert re.findall(r'<option value="(Ada|Bea)"', everything) == ["Ada", "Bea"]
    assert "could not be delivered" in everything
    assert "could not be delivered" not in mine
