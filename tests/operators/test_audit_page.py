"""The auditors' pages: decisions are found, the log is verified before their eyes, evidence convinces a stranger."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests._support.cases import answer, approve, second_hand, verified
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link, text_of

from signoff.audit.evidence import EvidenceFile
from signoff.audit.evidence_check import check_evidence
from signoff.desk.auditing import Verifying
from signoff.desk.desk import Desk
from signoff.desk.people import add_person
from signoff.domain.decision import Answer
from signoff.domain.errors import Conflict

MAIL = {"tool": "send_mail", "arguments": {"to": "press"}, "summary": "Answer the press"}


@pytest.fixture
async def auditor(desk: Desk, cast: Cast, signed_in: SignedIn) -> Visitor:
    browser: Visitor = await signed_in("Amir")
    return browser


def found_in(page: str) -> list[str]:
    return re.findall(r'class="rows__name"><a href="/cases/(esc_\w+)"', page)


async def last_event(desk: Desk) -> dict[str, Any]:
    async with desk.store.reading() as reader:
        raw = await reader.event((await reader.head()).size - 1)
    assert raw is not None
    found: dict[str, Any] = orjson.loads(raw)
    return found


async def test_an_auditor_finds_decisions_by_each_condition(
    desk: Desk, cast: Cast, clock: HandClock, auditor: Visitor
) -> None:
    wire, mail, denied = (
        await ask(desk, cast.ada),
        await ask(desk, cast.bea, MAIL),
        await ask(desk, cast.ada, {"tool": "launch_missiles", "arguments": {}}),
    )
    waiting = await ask(desk, cast.ada, MAIL)
    clock.advance(60)
    await approve(desk, cast.omar, wire)
    clock.advance(60)
    await answer(desk, cast.sofia, mail, Answer("reject", note="no"))

    for conditions, expected in (
        ("", [mail, wire, denied]),
        ("status=approved", [wire]),
        ("status=rejected", [mail, denied]),
        (f"person={cast.omar.person.id}", [wire]),
        ("queue=payments", [wire]),
        ("trigger=large-wire", [wire]),
        ("trigger=large", []),
        ("text=MAIL", [mail]),
        ("text=press", [mail]),
        (f"text={denied}", [denied]),
        ("text=nothing+like+it", []),
        ("from=2026-11-24", []),
        ("to=2026-11-22&from=2026-11-01", []),
        (f"status=rejected&person={cast.sofia.person.id}", [mail]),
    ):
        page = await auditor.get(f"/audit?{conditions}")
        assert page.status_code == 200
        assert found_in(page.text) == expected, conditions
        assert waiting not in page.text
    everything = text_of((await auditor.get("/audit")).text)
    assert "Omar (session)" in everything
    assert "the policy alone" in everything


async def test_a_long_list_goes_on_page_by_page_without_a_gap_or_a_repeat(
    desk: Desk, cast: Cast, clock: HandClock, auditor: Visitor
) -> None:
    made = []
    for number in range(113):
        made.append(await ask(desk, cast.ada, {"tool": "launch_missiles", "arguments": {"number": number}}))
        if number % 3 == 0:
            clock.advance(1)  # many end at the same instant
    seen, url = [], "/audit?status=rejected"
    for _ in range(4):
        page = (await auditor.get(url)).text
        seen += found_in(page)
        more = re.search(r'class="button" href="(/audit\?[^"]+)"', page)
        if more is None:
            break
        url = more[1].replace("&amp;", "&")

    assert len(seen) == len(set(seen)) == 113
    assert set(seen) == set(made)


@pytest.mark.parametrize(
    "conditions",
    ["from=yesterday", "from=2026-11-23&to=2026-11-01", "status=happy", "after=x~y", "from=0001-01-01"],
)
async def test_a_condition_that_cannot_be_is_said(auditor: Visitor, conditions: str) -> None:
    page = await auditor.get(f"/audit?{conditions}")

    assert page.status_code == 422
    assert 'role="alert"' in page.text


async def test_an_auditor_verifies_the_log_and_that_becomes_an_event(
    desk: Desk, cast: Cast, auditor: Visitor
) -> None:
    await approve(desk, cast.omar, await ask(desk, cast.ada))
    events = (await verified(desk)).events

    page = await auditor.post("/audit/verify")

    said = text_of(page.text)
    assert page.status_code == 200
    assert f"{events} of {events} events verified (100%)" in said
    assert f"Everything holds {events} events, each in the chain and in the tree." in said
    assert page.text.count("<html") == page.text.count("</html>") == 1
    assert page.text.count("<div") == page.text.count("</div>")
    event = await last_event(desk)
    assert (event["type"], event["actor"]["id"]) == ("audit.verified", cast.amir.person.id)
    assert event["data"] == {"events": events, "holds": True, "problems": 0, "first_bad_event": None}
    assert "Amir" in (await auditor.get("/audit/verify")).text
    assert (await verified(desk)).ok


async def test_what_was_changed_behind_the_log_is_named(
    desk: Desk, cast: Cast, auditor: Visitor, tmp_path: Path
) -> None:
    case = await ask(desk, cast.ada)
    await approve(desk, cast.omar, case)
    with second_hand(tmp_path / "signoff.db") as connection:
        connection.execute("UPDATE escalation SET status = 'rejected' WHERE id = ?", (case,))

    said = text_of((await auditor.post("/audit/verify")).text)

    assert "The log does not hold" in said
    assert f"(case {case})" in said
    assert (await last_event(desk))["data"]["holds"] is False
    assert "Did not hold" in (await auditor.get("/audit/verify")).text


async def test_a_log_that_must_not_grow_is_verified_all_the_same(
    desk: Desk, cast: Cast, auditor: Visitor
) -> None:
    async with desk.store.reading() as reader:
        before = await reader.head()
    desk.store.read_only = "The log is behind a checkpoint that was signed."

    page = await auditor.post("/audit/verify")

    assert "Everything holds" in page.text
    async with desk.store.reading() as reader:
        assert await reader.head() == before


async def test_the_log_is_verified_once_at_a_time(desk: Desk, cast: Cast, auditor: Visitor) -> None:
    verifying = Verifying()
    said: list[Exception] = []

    def meanwhile(done: int, of: int) -> None:
        assert done <= of
        coroutine = verifying.verify(desk, cast.amir, on_progress=lambda done, of: None)
        try:
            coroutine.send(None)
        except Conflict as error:
            said.append(error)

    await ask(desk, cast.ada)
    assert (await verifying.verify(desk, cast.amir, on_progress=meanwhile)).ok
    assert [str(one) for one in said] == ["The log is being verified already. Wait until that is done."]
    assert (await verifying.verify(desk, cast.amir, on_progress=lambda done, of: None)).ok


def check(desk: Desk, data: bytes) -> Any:
    return check_evidence(EvidenceFile(io.BytesIO(data)), desk.keys.public(), [])


async def test_evidence_of_a_case_convinces_a_stranger(desk: Desk, cast: Cast, auditor: Visitor) -> None:
    case = await ask(desk, cast.ada)
    await approve(desk, cast.omar, case)
    before = set(Path(tempfile.gettempdir()).glob("signoff-evidence-*"))  # noqa: ASYNC240 - what lies about

    response = await auditor.post("/audit/evidence", data={"case": case, "payloads": "disclosed"})

    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"] == f'attachment; filename="evidence-{case}.zip"'
    assert check(desk, response.content).ok
    event = await last_event(desk)
    assert (event["type"], event["actor"]["id"], event["escalation"]) == (
        "export.made",
        cast.amir.person.id,
        case,
    )
    assert set(Path(tempfile.gettempdir()).glob("signoff-evidence-*")) == before  # noqa: ASYNC240


async def test_evidence_of_a_range_and_of_the_whole_log(desk: Desk, cast: Cast, auditor: Visitor) -> None:
    await ask(desk, cast.ada)

    part = await auditor.post("/audit/evidence", data={"what": "range", "first": "1", "last": "3"})
    whole = await auditor.post("/audit/evidence", data={"what": "all", "payloads": "withheld"})

    assert check(desk, part.content).ok
    assert check(desk, whole.content).ok


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"case": "esc_00000000000000000000000000"}, 404, "There is no such case"),
        ({"case": "../../etc/passwd"}, 422, "Write the case's id"),
        ({"what": "range", "first": "5", "last": ""}, 422, "Write the number of an event"),
        ({"what": "range", "first": "0", "last": "9999999"}, 404, "There are no such events"),
    ],
)
async def test_evidence_that_cannot_be_is_refused_by_field(
    desk: Desk, cast: Cast, auditor: Visitor, form: dict[str, str], status: int, said: str
) -> None:
    response = await auditor.post("/audit/evidence", data=form)

    assert response.status_code == status
    assert said in text_of(response.text)


async def test_an_auditor_hands_out_no_more_than_they_may_see(
    desk: Desk, cast: Cast, auditor: Visitor, policy_path: Path
) -> None:
    case = await ask(desk, cast.ada, {"tool": "send_mail", "arguments": {"iban": "DE02-hidden"}})
    masks = 'version: 1\nmasks:\n  - {path: "action.arguments.iban", hide_from: [auditor]}\n'
    policy_path.write_text(masks, encoding="utf-8")  # noqa: ASYNC240 - a file of the test
    assert desk.policy.current().policy.masks

    refused = await auditor.post("/audit/evidence", data={"case": case, "payloads": "disclosed"})
    masked = await auditor.post("/audit/evidence", data={"case": case, "payloads": "masked"})

    assert refused.status_code == 403
    assert "The policy hides something from you" in text_of(refused.text)
    assert masked.status_code == 200
    assert b"DE02-hidden" not in masked.content


@pytest.mark.parametrize(
    ("who", "search", "verify", "evidence"),
    [("Omar", 403, 403, 403), ("Sofia", 200, 403, 403), ("Anna", 303, 200, 403), ("Amir", 200, 200, 200)],
)
async def test_each_role_audits_what_is_its_own(
    desk: Desk, cast: Cast, signed_in: SignedIn, who: str, search: int, verify: int, evidence: int
) -> None:
    await add_person(desk, "Anna", roles=["admin"])
    case = await ask(desk, cast.ada)
    browser = await signed_in(who)

    assert (await browser.get("/audit")).status_code == search
    assert (await browser.get("/audit/verify")).status_code == verify
    assert (await browser.post("/audit/verify")).status_code == verify
    assert (await browser.get("/audit/evidence")).status_code == evidence
    assert (await browser.post("/audit/evidence", data={"case": case})).status_code == evidence


async def test_a_link_of_one_case_opens_no_page_of_an_auditor(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await ask(desk, cast.ada)
    omar = visitor()
    await omar.open_link(await case_link(desk, "Omar"))

    for method, path in (
        ("GET", "/audit"),
        ("GET", "/audit/verify"),
        ("POST", "/audit/verify"),
        ("POST", "/audit/evidence"),
    ):
        assert (await omar.request(method, path)).status_code == 401, path
