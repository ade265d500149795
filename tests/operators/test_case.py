"""Deciding a case on its page, without JavaScript."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests._support.clock import HandClock
from tests.conftest import POLICY, Cast
from tests.operators.conftest import SignedIn, Visitor, ask, case_link, hidden_fields, text_of

from signoff.desk.claim import claim, report_outcome
from signoff.desk.close import cancel
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.sign_in import issue_case_link
from signoff.desk.wait import wait_for_decision
from signoff.domain.bundle import read_action
from signoff.store.unit import Unit

SCHEMA = {
    "type": "object",
    "required": ["cause"],
    "properties": {"cause": {"enum": ["us", "them"]}, "days": {"type": "integer", "minimum": 1}},
}


async def test_the_first_screen_says_what_why_and_how_long(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")

    said = text_of((await omar.get(f"/cases/{case}")).text)

    assert "Let Ada run wire_transfer ?" in said
    assert "Ada may run wire_transfer once , within 10 min, with exactly the arguments below" in said
    assert "arguments below. amount 12,000 country FR Why it was stopped" in said
    assert "Why it was stopped Wire above 10,000 12000 to “FR” action.arguments.amount 12000" in said
    assert "30 min until 23 Nov 2026, 21:01:05 UTC ; then it expires and nothing runs" in said
    assert "What it says this does (its claim, not checked) Pay the invoice" in said
    assert said.index("Time left") < said.index("The action") < said.index("What the agent wrote")


async def test_an_approval_reaches_the_agent(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")

    response = await omar.decide(case, choice="approve")

    assert (response.status_code, response.headers["location"]) == (303, f"/cases/{case}")
    answer = await wait_for_decision(desk, cast.ada, case)
    assert (answer.status, answer.decided_by[0]["name"], answer.assurance) == ("approved", "Omar", "session")
    said = text_of((await omar.get(f"/cases/{case}")).text)
    assert "Omar (operator) approved" in said
    assert answer.receipt is not None
    assert answer.receipt in said


async def test_a_magic_link_is_enough_to_approve(desk: Desk, cast: Cast, visitor: Any) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = visitor()
    await omar.open_link(await case_link(desk, "Omar"))

    await omar.decide(case, choice="approve")

    assert (await wait_for_decision(desk, cast.ada, case)).assurance == "link"


async def test_a_rejection_needs_a_note_and_keeps_what_was_written(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")

    refused = await omar.decide(case, choice="reject", note="  ")

    assert refused.status_code == 422
    assert "Say why; the agent reads it and goes on from there." in text_of(refused.text)
    assert (await look(desk, cast.omar, case)).case.is_open
    assert (await omar.decide(case, choice="reject", note="Not\r\nagain")).status_code == 303
    answer = await wait_for_decision(desk, cast.ada, case)
    assert (answer.status, answer.note) == ("rejected", "Not\nagain")


async def test_changed_arguments_are_previewed_and_then_approved(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    form = {**await omar.form(case), "a0": "11000", "a1": "FR", "note": "Only this much"}

    preview = await omar.post(f"/cases/{case}/preview", data=form)

    assert preview.status_code == 200
    said = text_of(preview.text)
    assert "amount was 12000 now 11000" in said
    assert "country was" not in said
    assert "Your note to the agent Only this much" in said
    assert (await look(desk, cast.omar, case)).case.is_open
    confirmed = await omar.post(f"/cases/{case}/decide", data=all_hidden(preview.text))
    assert confirmed.status_code == 303
    answer = await wait_for_decision(desk, cast.ada, case)
    assert answer.status == "modified"
    assert answer.action == {"tool": "wire_transfer", "arguments": {"amount": 11000, "country": "FR"}}
    assert answer.note == "Only this much"


def all_hidden(page: str) -> dict[str, str]:
    """Return every hidden field of a page, as its form would send them."""
    import re
    from html import unescape

    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


async def test_arguments_are_changed_as_json_too(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")

    raw = '{"amount": 10500, "country": "FR", "memo": "ünïcode"}'
    assert (await omar.decide(case, choice="modify", raw=raw)).status_code == 303

    answer = await wait_for_decision(desk, cast.ada, case)
    assert answer.action is not None
    assert answer.action["arguments"] == {"amount": 10500, "country": "FR", "memo": "ünïcode"}


MODES: dict[str, Any] = {
    "properties": {
        "how": {
            "type": "object",
            "properties": {"mode": {"enum": ["safe", "full"]}, "amount": {"type": "number"}},
            "if": {"properties": {"mode": {"const": "full"}}, "required": ["mode"]},
            "then": {"properties": {"limit": {"type": "integer"}}},
        }
    }
}


@pytest.mark.parametrize(
    ("before", "changes", "approved"),
    [
        ("safe", {"a0_0": "6"}, {"mode": "safe", "amount": 6, "limit": 10}),
        ("safe", {"a0_0": "6", "a0_1": "10"}, {"mode": "safe", "amount": 6, "limit": 10}),
        ("full", {"a0_2": "0", "a0_1": "10"}, {"mode": "safe", "amount": 5}),
    ],
    ids=["not sent", "sent as it was", "chosen otherwise"],
)
async def test_an_argument_goes_only_where_an_operators_own_choice_ends_it(
    desk: Desk,
    cast: Cast,
    signed_in: SignedIn,
    before: str,
    changes: dict[str, str],
    approved: dict[str, Any],
) -> None:
    action = {"tool": "wire_transfer", "arguments": {"how": {"mode": before, "amount": 5, "limit": 10}}}
    case = await ask(desk, cast.ada, action, tool_schema=MODES)
    omar = await signed_in("Omar")

    preview = await omar.post(f"/cases/{case}/preview", data={**await omar.form(case), **changes})
    await omar.post(f"/cases/{case}/decide", data=all_hidden(preview.text))

    view = await look(desk, cast.omar, case)
    assert view.decisions[0].arguments == {"how": approved}
    assert ("how.limit" in text_of(preview.text)) is ("limit" not in approved)


async def test_an_operator_who_writes_into_a_part_that_does_not_count_is_told_where(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    action = {"tool": "wire_transfer", "arguments": {"how": {"mode": "safe", "amount": 5, "limit": 10}}}
    case = await ask(desk, cast.ada, action, tool_schema=MODES)
    omar = await signed_in("Omar")

    preview = await omar.post(f"/cases/{case}/preview", data={**await omar.form(case), "a0_1": "99"})

    assert preview.status_code == 422
    assert "arguments.how.limit" in text_of(preview.text)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"a0": "lots"}, "arguments.amount"),
        ({"raw": "{"}, "not JSON"),
        ({"raw": "[]"}, "must be a JSON object"),
        ({}, "nothing was changed"),
    ],
)
@pytest.mark.parametrize("verb", ["preview", "decide"])
async def test_a_modification_that_cannot_be_read_is_explained_and_kept(
    desk: Desk, cast: Cast, signed_in: SignedIn, verb: str, fields: dict[str, str], told: str
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    form = {**await omar.form(case), "choice": "modify", "note": "my note", **fields}

    response = await omar.post(f"/cases/{case}/{verb}", data=form)

    assert response.status_code == 422
    said = text_of(response.text)
    assert told.lower() in said.lower()
    assert "my note" in said
    for value in fields.values():
        assert value in response.text
    assert (await look(desk, cast.omar, case)).case.is_open


async def test_the_response_form_is_made_from_the_schema_and_read_back(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada, response_schema=SCHEMA)
    omar: Visitor = await signed_in("Omar")

    empty = await omar.decide(case, choice="approve")
    wrong = await omar.decide(case, choice="approve", r_0="0", r_1="0")
    right = await omar.decide(case, choice="approve", r_0="1", r_1="14")

    assert (empty.status_code, wrong.status_code, right.status_code) == (422, 422, 303)
    assert "response.cause" in text_of(empty.text)
    assert "must be at least 1" in text_of(wrong.text).lower()
    assert 'value="0"' in wrong.text
    assert (await wait_for_decision(desk, cast.ada, case)).response == {"cause": "them", "days": 14}


async def test_a_preview_carries_the_response_along(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada, response_schema=SCHEMA)
    omar: Visitor = await signed_in("Omar")

    preview = await omar.post(
        f"/cases/{case}/preview", data={**await omar.form(case), "a0": "11000", "r_0": "0"}
    )
    await omar.post(f"/cases/{case}/decide", data=all_hidden(preview.text))

    answer = await wait_for_decision(desk, cast.ada, case)
    assert (answer.status, answer.response) == ("modified", {"cause": "us"})


async def test_a_rejection_may_leave_the_response_empty(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada, response_schema=SCHEMA)
    omar: Visitor = await signed_in("Omar")

    assert (await omar.decide(case, choice="reject", note="No", r_0="", r_1="")).status_code == 303


async def test_the_second_operator_is_told_who_decided_what(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    mine, theirs = await omar.form(case), await sofia.form(case)
    answers: dict[str, Any] = {}

    async def send(name: str, browser: Visitor, form: dict[str, str]) -> None:
        answers[name] = await browser.post(f"/cases/{case}/decide", data=form)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, "Omar", omar, {**mine, "choice": "approve"})
            tasks.start_soon(send, "Sofia", sofia, {**theirs, "choice": "reject", "note": "Too much"})

    assert sorted(one.status_code for one in answers.values()) == [303, 409]
    winner = next(name for name, one in answers.items() if one.status_code == 303)
    lost = next(one for one in answers.values() if one.status_code == 409)
    status = {"Omar": "approved", "Sofia": "rejected"}[winner]
    said = text_of(lost.text)
    assert f"This case is already {status} by {winner}." in said
    assert (await wait_for_decision(desk, cast.ada, case)).status == status
    if winner == "Omar":
        assert "Your note was: “Too much”" in said


async def test_a_page_that_is_out_of_date_decides_nothing(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    action = {"tool": "sell_company", "arguments": {"price": 5}}
    case = await ask(desk, cast.bea, action)
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    from signoff.desk.people import add_person

    await add_person(desk, "Sven", roles=["supervisor"])
    sven = await signed_in("Sven")
    old = await sven.form(case)
    assert (await sofia.decide(case, choice="modify", a0="6", note="A little more")).status_code == 303

    stale = await sven.post(f"/cases/{case}/decide", data={**old, "choice": "approve", "note": "Fine by me"})

    assert stale.status_code == 409
    said = text_of(stale.text)
    assert "changed after this page was shown" in said
    assert "Your note was: “Fine by me”" in said
    assert "Approved so far by Sofia" in said
    assert "A colleague changed price was 5 now 6" in said
    assert hidden_fields(stale.text)["version"] != old["version"]
    assert (await omar.get(f"/cases/{case}")).status_code == 200
    assert (await sven.decide(case, choice="approve", note="Fine")).status_code == 303
    answer = await wait_for_decision(desk, cast.bea, case)
    assert (answer.status, [one["name"] for one in answer.decided_by]) == ("modified", ["Sofia", "Sven"])


async def test_a_forged_view_digest_decides_nothing(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")

    response = await omar.decide(case, choice="approve", view_digest="sha256:" + "0" * 64)

    assert response.status_code == 409
    assert (await look(desk, cast.omar, case)).case.is_open


@pytest.mark.parametrize(
    "fields",
    [
        {"choice": "allow"},
        {"choice": ""},
        {"choice": "approve", "version": ""},
        {"choice": "approve", "version": "1e3"},
        {"choice": "approve", "version": "٣"},
        {"choice": "approve", "note": "x" * 5000},
        {"choice": "approve", "note": "nul\x00"},
    ],
)
async def test_a_form_that_no_page_of_ours_makes_decides_nothing(
    desk: Desk, cast: Cast, signed_in: SignedIn, fields: dict[str, str]
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")

    response = await omar.decide(case, **fields)

    assert response.status_code == 422
    assert (await look(desk, cast.omar, case)).case.is_open


async def test_those_who_may_not_decide_are_told_why_and_shown_no_buttons(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    amir: Visitor = await signed_in("Amir")

    page = (await amir.get(f"/cases/{case}")).text

    assert "Only operators and supervisors decide cases" in text_of(page)
    assert "/decide" not in page
    view = await look(desk, cast.amir, case)
    form = {"version": str(view.case.version), "view_digest": view.view_digest, "choice": "approve"}
    assert (await amir.post(f"/cases/{case}/decide", data=form)).status_code == 403


async def test_a_case_that_needs_a_surer_sign_in_says_how_to_get_it(
    desk: Desk, cast: Cast, visitor: Any
) -> None:
    case = await ask(desk, cast.bea, {"tool": "sell_company", "arguments": {"price": 5}})
    sofia: Visitor = visitor()
    opened = (await look(desk, cast.sofia, case)).case

    async def issue(unit: Unit) -> str:
        return await issue_case_link(unit, desk, opened, cast.sofia.person, "terminal:")

    await sofia.open_link(await desk.store.write(issue))

    said = text_of((await sofia.get(f"/cases/{case}")).text)

    assert "A surer sign-in is needed" in said
    assert "signoff people link Sofia" in said


async def test_an_ended_case_says_how_it_ended(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada)
    await cancel(desk, cast.ada, case, reason="no longer needed")
    omar: Visitor = await signed_in("Omar")

    said = text_of((await omar.get(f"/cases/{case}")).text)

    assert "Cancelled by the agent" in said
    assert "Nothing runs." in said


async def test_a_case_past_its_deadline_cannot_be_decided(
    desk: Desk, cast: Cast, signed_in: SignedIn, clock: HandClock
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    form = await omar.form(case)
    clock.advance(31 * 60)

    response = await omar.post(f"/cases/{case}/decide", data={**form, "choice": "approve"})

    assert response.status_code == 409
    assert "already expired" in text_of(response.text)


async def test_a_claim_and_its_outcome_are_seen(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    await omar.decide(case, choice="approve")
    action = read_action({"tool": "wire_transfer", "arguments": {"amount": 12000, "country": "FR"}})
    await claim(desk, cast.ada, case, action)
    await report_outcome(desk, cast.ada, case, "failed", note="Bank said no", result={"code": 7})

    said = text_of((await omar.get(f"/cases/{case}")).text)

    assert "reports that it failed" in said
    assert "What the agent reports Bank said no" in said
    assert "code 7" in said
    assert "Approval used" in said


async def test_what_is_masked_cannot_be_modified(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    action = {
        "tool": "wire_transfer",
        "arguments": {"amount": 12000, "country": "FR", "key": "AKIAIOSFODNN7EXAMPLE"},
    }
    case = await ask(desk, cast.ada, action)
    omar: Visitor = await signed_in("Omar")

    page = (await omar.get(f"/cases/{case}")).text

    assert "AKIAIOSFODNN7EXAMPLE" not in page
    assert "holds a secret that signoff does not keep" in text_of(page)
    assert "modify-form" not in page


def hide(policy_path: Path, *paths: str) -> None:
    """Hide places from operators from now on."""
    masks = "".join(f'  - {{path: "{path}", hide_from: [operator]}}\n' for path in paths)
    # An explanation may not show what a mask hides.
    policy = POLICY.replace(
        '    explain: "{{action.arguments.amount}} to {{action.arguments.country}}"\n', ""
    )
    policy_path.write_text(f"{policy}masks:\n{masks}", encoding="utf-8")


async def test_what_the_policy_hides_is_said_to_be_hidden(
    desk: Desk, cast: Cast, signed_in: SignedIn, policy_path: Path
) -> None:
    hide(policy_path, "action.arguments.country", "bundle.state.pin")
    case = await ask(desk, cast.ada, material={"state": {"pin": "4711-secret"}})
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")

    page = (await omar.get(f"/cases/{case}")).text

    assert desk.policy.problem is None
    assert page.count("Hidden from you by the policy") == 2
    assert "4711-secret" not in page
    assert "Some arguments are hidden from you" in text_of(page)
    assert "4711-secret" in (await sofia.get(f"/cases/{case}")).text
    assert (await omar.decide(case, choice="modify", a0="5")).status_code == 403


async def test_an_agent_cannot_say_in_the_policys_name_that_a_value_is_hidden(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    arguments = {"amount": 12000, "country": "[hidden by policy]", "to": ["[hidden by policy]"]}
    case = await ask(desk, cast.ada, {"tool": "wire_transfer", "arguments": arguments})
    omar = await signed_in("Omar")

    page = (await omar.get(f"/cases/{case}")).text

    assert "Hidden from you" not in page
    assert "[hidden by policy]" in text_of(page)
    assert (await omar.decide(case, choice="modify", a1="FR")).status_code == 303


FULL: dict[str, Any] = {
    "subject": {"id": "c1", "name": "4711-secret"},
    "confidence": 0.4711,
    "confidence_source": "other",
    "wants_human": "4711-secret",
    "session_id": "4711-secret",
    "risk": {"reversible": False, "blast_radius": "4711-secret"},
    "alternatives": [{"tool": "t", "arguments": {"a": "4711-secret"}, "why_not": "4711-secret"}],
    "reasoning": [
        {"kind": "thought", "text": "4711-secret"},
        {"kind": "tool_call", "tool": "t", "arguments": {"a": "4711-secret"}, "at": "2026-11-23T20:00:00Z"},
        {"kind": "tool_result", "tool": "t", "result": ["4711-secret"], "is_error": True, "ms": 12.5},
    ],
    "messages": [
        {"role": "user", "content": "4711-secret", "name": "Dana"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"tool": "t", "arguments": {"a": "4711-secret"}}],
        },
        {"role": "tool", "content": "4711-secret", "tool_call_id": "1"},
    ],
    "state": {"deep": [{"pin": "4711-secret"}]},
    "attachments": [{"name": "a.txt", "media_type": "text/plain", "data": "4711-secret"}],
}


async def test_why_the_agent_wants_a_person_stands_on_the_page_as_the_agents_words(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    wanted = {"wants_human": "<b>The customer</b> threatens to sue.", "session_id": "chat-7"}
    case = await ask(desk, cast.ada, material=wanted)
    omar = await signed_in("Omar")

    page = await omar.get(f"/cases/{case}")

    material = page.text.partition('id="material"')[2].partition("</section>\n")[0]
    assert "Why it wants a person, in its words" in material
    assert "&lt;b&gt;The customer&lt;/b&gt; threatens to sue." in page.text
    assert "chat-7" in text_of(page.text)


@pytest.mark.parametrize(
    "path",
    ["subject", "subject.name", "confidence", "confidence_source", "wants_human", "session_id", "risk", "risk.blast_radius", "alternatives",
     "alternatives[*]", "alternatives[*].arguments", "reasoning", "reasoning[*]", "reasoning[*].text",
     "reasoning[*].arguments", "reasoning[*].result", "reasoning[*].ms", "reasoning[*].at", "reasoning[*].tool",
     "reasoning[*].kind", "messages", "messages[*]", "messages[*].role", "messages[*].content",
     "messages[*].tool_calls", "messages[*].tool_calls[*]", "messages[*].tool_calls[*].arguments", "state",
     "state.deep", "attachments", "attachments[*]", "attachments[*].data", "attachments[*].media_type"],
)  # fmt: skip
async def test_whatever_part_is_hidden_the_page_stands(
    desk: Desk, cast: Cast, signed_in: SignedIn, policy_path: Path, path: str
) -> None:
    case = await ask(desk, cast.ada, material=FULL)
    omar: Visitor = await signed_in("Omar")
    open_page = await omar.get(f"/cases/{case}")

    hide(policy_path, f"bundle.{path}")
    masked_page = await omar.get(f"/cases/{case}")

    assert (open_page.status_code, masked_page.status_code) == (200, 200)
    assert desk.policy.problem is None
    before, after = (one.text.count("4711-secret") for one in (open_page, masked_page))
    assert after < before or path.rpartition(".")[2] in (
        "confidence", "confidence_source", "ms", "at", "tool", "kind", "role", "media_type"
    )  # fmt: skip


@pytest.mark.parametrize("path", ["action.arguments", "action.arguments.*", "action.arguments.country"])
async def test_whatever_part_of_the_action_is_hidden_the_page_stands(
    desk: Desk, cast: Cast, signed_in: SignedIn, policy_path: Path, path: str
) -> None:
    hide(policy_path, path)
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")

    page = await omar.get(f"/cases/{case}")

    assert page.status_code == 200
    assert desk.policy.problem is None
    assert "Hidden from you by the policy" in page.text
    assert "FR" not in text_of(page.text).replace(case, "")
    assert (await omar.decide(case, choice="approve")).status_code == 303
    assert (await omar.get(f"/cases/{case}")).status_code == 200


HOSTILE = '</textarea></pre></details><script>alert(1)</script><img src=x onerror=alert(2)>" onfocus="alert(3)\' {{7*7}}'


def hostile(value: Any) -> Any:
    """Return a value with every text in it replaced by an attack."""
    if isinstance(value, dict):
        return {key: hostile(member) for key, member in value.items()}
    if isinstance(value, list):
        return [hostile(member) for member in value]
    return HOSTILE if isinstance(value, str) and "4711" in value else value


async def test_nothing_that_an_agent_writes_becomes_markup(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    action = {
        "tool": "wire_transfer",
        "server": "<b>srv</b>",
        "summary": HOSTILE,
        "arguments": {
            "amount": 12000,
            "country": HOSTILE,
            HOSTILE: {HOSTILE: [HOSTILE]},
            "long": HOSTILE * 20,
        },
    }
    schema = {
        "type": "object",
        "properties": {
            HOSTILE: {"type": "string", "title": HOSTILE, "description": HOSTILE, "default": HOSTILE},
            "choice": {"enum": [HOSTILE, 2]},
            "many": {"type": "array", "items": {"enum": [HOSTILE]}},
            "free": {"anyOf": [{"const": HOSTILE}]},
        },
    }
    case = await ask(desk, cast.ada, action, hostile(FULL), response_schema=schema)
    omar: Visitor = await signed_in("Omar")
    preview = {**await omar.form(case), "a0": "11000", "note": HOSTILE}

    pages = [
        await omar.get(f"/cases/{case}"),
        await omar.get("/"),
        await omar.post(f"/cases/{case}/preview", data=preview),
        await omar.decide(case, choice="modify", raw=HOSTILE, note=HOSTILE),
        await omar.decide(case, choice="reject", note=HOSTILE),
        await omar.get(f"/cases/{case}"),
        await omar.get(f"/d/{HOSTILE.replace('/', '')}"),
    ]

    assert [page.status_code for page in pages] == [200, 200, 200, 422, 303, 200, 200]
    for page in pages:
        body = page.text
        for attack in ("<script>alert", "<img src=x", "<b>srv", '" onfocus="', "</textarea></pre>"):
            assert attack not in body


async def test_an_image_is_served_as_that_image_and_to_those_who_see_the_case(
    desk: Desk, cast: Cast, signed_in: SignedIn, visitor: Any
) -> None:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n<script>alert(1)</script>").decode()
    blobs = [
        {"name": "shot.png", "media_type": "image/png", "data": png},
        {"name": "log.txt", "media_type": "text/plain", "data": "<b>text</b>"},
        {"name": "broken.png", "media_type": "image/png", "data": "%%%"},
    ]
    case = await ask(desk, cast.ada, material={"attachments": blobs})
    omar: Visitor = await signed_in("Omar")

    page = (await omar.get(f"/cases/{case}")).text
    image = await omar.get(f"/cases/{case}/attachments/0")

    assert "&lt;b&gt;text&lt;/b&gt;" in page
    assert (image.status_code, image.headers["content-type"]) == (200, "image/png")
    assert image.headers["x-content-type-options"] == "nosniff"
    assert [
        (await omar.get(f"/cases/{case}/attachments/{n}")).status_code for n in (1, 2, 3, "x", "9" * 5000)
    ] == [404] * 5
    assert (await visitor().get(f"/cases/{case}/attachments/0")).status_code == 401


@pytest.mark.parametrize("word", ["absent", "foreign"])
async def test_an_absent_and_a_foreign_case_answer_alike(
    desk: Desk, cast: Cast, signed_in: SignedIn, word: str
) -> None:
    from signoff.desk.people import add_person

    case = await ask(desk, cast.ada)
    await add_person(desk, "Otto", roles=["operator"], queues=["returns"])
    otto: Visitor = await signed_in("Otto")
    name = case if word == "foreign" else "esc_" + "0" * 26

    answers = [await otto.get(f"/cases/{name}"), await otto.post(f"/cases/{name}/undo"),
               await otto.post(f"/cases/{name}/decide", data={"choice": "approve"})]  # fmt: skip

    assert {one.status_code for one in answers} == {404}
    assert len({one.text for one in answers}) == 1
    assert "wire" not in answers[0].text


async def test_an_explanation_goes_with_the_value_that_a_later_mask_hides(
    desk: Desk, cast: Cast, signed_in: SignedIn, policy_path: Path, clock: HandClock
) -> None:
    case = await ask(
        desk, cast.ada, {"tool": "wire_transfer", "arguments": {"amount": 12345, "country": "FR"}}
    )
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    before = text_of((await omar.get(f"/cases/{case}")).text)

    await anyio.to_thread.run_sync(hide, policy_path, "action.arguments.country")
    clock.advance(5)
    hidden, whole = [text_of((await one.get(f"/cases/{case}")).text) for one in (omar, sofia)]

    assert "12345 to “FR”" in before
    assert "12345 to “FR”" in whole
    assert "12345 to “FR”" not in hidden
    assert "Wire above 10,000" in hidden
    told = await wait_for_decision(desk, cast.ada, case, wait_s=0)
    assert told.triggers[0]["explanation"] == "Wire above 10,000"
