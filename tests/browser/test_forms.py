"""Deciding by form and by keyboard, and asking the agent, in a real browser: on a phone and a desk, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect
from tests.browser.conftest import REFUND, REFUND_MATERIAL, Site, Visit, ask
from tests.browser.test_looks import SIZES, enter, overflows
from tests.conftest import Cast

from signoff.desk.ask_agent import answer_question
from signoff.desk.desk import Desk
from signoff.desk.look import look

pytestmark = pytest.mark.browser

LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]
TOOL: dict[str, Any] = {
    "type": "object",
    "required": ["payment_id", "amount_eur"],
    "properties": {
        "payment_id": {"type": "string", "description": "The payment to refund"},
        "amount_eur": {"type": "number", "minimum": 0, "maximum": 5000, "unit": "EUR"},
        "reason": {"enum": ["duplicate", "fraudulent", "requested"]},
        "notify_customer": {"type": "boolean"},
        "booked_on": {"type": "string", "format": "date"},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["invoice"],
                "properties": {
                    "invoice": {"type": "string"},
                    "amount_eur": {"type": "number", "unit": "EUR"},
                },
            },
        },
        "message": {"type": "string"},
    },
}
ASKED: dict[str, Any] = {
    "type": "object",
    "required": ["how"],
    "properties": {
        "how": {
            "title": "How shall we say sorry?",
            "oneOf": [
                {"const": "voucher", "title": "A voucher"},
                {"const": "nothing", "title": "Not at all"},
            ],
        },
        "limit": {
            "title": "Limit from now on",
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "unit": "EUR",
        },
        "people": {
            "title": "Who else should hear of it",
            "type": "array",
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        },
    },
    "if": {"properties": {"how": {"const": "voucher"}}, "required": ["how"]},
    "then": {
        "properties": {"worth": {"title": "Worth", "type": "number", "unit": "EUR"}},
        "required": ["worth"],
    },
}


async def open_case(site: Site, case: str, **options: Any) -> Page:
    page = await site.page(**options)
    await enter(site, page, "Omar")
    await page.goto(f"{site.url}/cases/{case}")
    return page


async def is_open(desk: Desk, cast: Cast, case: str) -> bool:
    return (await look(desk, cast.omar, case)).case.is_open


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
async def test_arguments_are_changed_in_fields_of_the_tools_schema(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path, size: str, scheme: Any
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL, tool_schema=TOOL)
    async with visit() as site:
        page = await open_case(site, case, viewport=SIZES[size], color_scheme=scheme)
        await page.locator("#modify > summary").click()
        form = page.locator("#modify-form")
        await form.locator("[name=a0]").fill("9000")
        await expect(page.locator("#live-broken")).to_contain_text("must be at most 5000", ignore_case=True)
        await form.locator("[name=a1_i0_0]").focus()
        await expect(form.get_by_text("Must be at most 5000.", exact=True)).to_be_visible()
        await form.locator("[name=a0]").fill("620")
        await form.get_by_role("button", name="Remove lines 2").click()
        await form.get_by_role("button", name="Add one to lines").click()
        await form.locator("[name=a1_i100_1]").fill("2026-\u200b0313")
        await expect(page.locator("#live-diff li")).to_have_count(3)
        await expect(page.locator("#live-diff")).to_contain_text("⟦U+200B⟧")
        assert not await overflows(page)
        await page.screenshot(path=screenshots / f"modify-{size}-{scheme}.png", full_page=True)
        await form.locator("[name=a1_i100_1]").fill("2026-0313")
        await expect(page.locator("#live-diff")).not_to_contain_text("⟦U+200B⟧")
        await page.get_by_role("button", name="Approve with changes").click()
        await expect(page.get_by_role("heading", name="You approved this with changes.")).to_be_visible()
        await page.evaluate("scrollTo(0, document.body.scrollHeight)")
        await expect(page.get_by_role("button", name="Undo")).to_be_in_viewport()
        await page.screenshot(path=screenshots / f"undo-{size}-{scheme}.png")
    async with desk.store.reading() as reader:
        [decision] = await reader.decisions(case)
    assert decision.arguments == {
        **REFUND["arguments"],  # type: ignore[dict-item]
        "amount_eur": 620,
        "lines": [{"invoice": "2026-0311", "amount_eur": 620}, {"invoice": "2026-0313"}],
    }


async def test_without_javascript_items_are_added_and_removed_and_nothing_typed_is_lost(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        inside = await site.visitor()
        await enter(site, await inside.new_page(), "Omar")
        context = await site.visitor(viewport=SIZES["phone"], java_script_enabled=False)
        await context.add_cookies(await inside.cookies())  # type: ignore[arg-type]
        page = await context.new_page()
        await page.goto(f"{site.url}/cases/{case}")
        await page.locator("#modify > summary").click()
        await page.locator("#modify-form [name=a0]").fill("700")
        await page.locator("#modify-form [name=note]").fill("One line is wrong")
        await page.get_by_role("button", name="Remove lines 1").click()
        await page.get_by_role("button", name="Add one to lines").click()
        await page.locator("#modify-form [name=a1_i100_1]").fill("2026-0400")
        await page.locator("#modify-form .actions").get_by_role("button", name="Preview changes").click()
        await page.get_by_role("button", name="Approve with these changes").click()
        await expect(page.get_by_role("heading", name="You approved this with changes.")).to_be_visible()
    async with desk.store.reading() as reader:
        [decision] = await reader.decisions(case)
    assert decision.note == "One line is wrong"
    assert decision.arguments is not None
    assert decision.arguments["amount_eur"] == 700
    assert decision.arguments["lines"] == [
        {"invoice": "2026-0312", "amount_eur": 620},
        {"invoice": "2026-0400"},
    ]


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
async def test_a_typed_answer_asks_only_for_what_counts_and_says_what_is_wrong(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path, size: str, scheme: Any
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL, response_schema=ASKED)
    async with visit() as site:
        page = await open_case(site, case, viewport=SIZES[size], color_scheme=scheme)
        form = page.locator("#approve-form")
        how, worth, limit = (
            form.get_by_label("How shall"),
            form.get_by_label("Worth"),
            form.get_by_label("Limit"),
        )
        await expect(worth).to_be_hidden()
        await form.get_by_role("button", name="Approve").click()
        await expect(form.get_by_text("Is needed.")).to_have_count(1)
        await how.select_option(label="A voucher")
        await expect(worth).to_be_visible()
        await limit.fill("1000")
        await limit.press("Enter")
        await expect(form.get_by_text("Must be at most 100.")).to_be_visible()
        assert not await overflows(page)
        await page.screenshot(path=screenshots / f"answer-{size}-{scheme}.png", full_page=True)
        assert await is_open(desk, cast, case)
        await limit.fill("10")
        await worth.fill("25.5")
        await form.get_by_role("button", name="Add one to Who else").click()
        await form.get_by_label("name").fill("Dana")
        await form.get_by_label("name").press("Enter")
        assert await is_open(desk, cast, case)
        await form.locator(".actions").get_by_role("button", name="Approve").click()
        await expect(page.get_by_role("heading", name="You approved this.")).to_be_visible()
    async with desk.store.reading() as reader:
        [decision] = await reader.decisions(case)
    assert decision.response == {"how": "voucher", "worth": 25.5, "limit": 10, "people": [{"name": "Dana"}]}


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
async def test_a_person_asks_and_sees_the_answer_arrive(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path, size: str, scheme: Any
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        page = await open_case(site, case, viewport=SIZES[size], color_scheme=scheme)
        await page.locator("#ask textarea").fill("Was the first charge settled?")
        await page.get_by_role("button", name="Ask the agent").click()
        await expect(page.get_by_text("Waiting for the agent's answer")).to_be_visible()
        await page.screenshot(path=screenshots / f"asked-{size}-{scheme}.png", full_page=True)
        await page.locator("#reject > summary").click()
        await page.locator("#reject textarea").first.fill("Half a sentence")
        await answer_question(desk, cast.ada, case, "Yes.\u202e</p><button>Approve</button>")
        answer = page.locator("#questions .said .text")
        await expect(answer).to_have_text("Yes.⟦U+202E⟧</p><button>Approve</button>")
        assert await page.locator("#questions .said button").count() == 0
        await expect(page.locator("#reject textarea").first).to_have_value("Half a sentence")
        assert not await overflows(page)
        await page.locator("#questions").screenshot(path=screenshots / f"answered-{size}-{scheme}.png")
        await expect(
            page.get_by_text("The agent has answered, and the case has changed with it.")
        ).to_be_visible()
        await page.get_by_role(
            "link", name="Load it again"
        ).click()  # there is one, wherever the answer stands
        await expect(page.get_by_text("The agent has answered question 1")).to_be_visible()


@pytest.mark.parametrize("streams", [True, False], ids=["told by the stream", "asked every few seconds"])
async def test_a_page_asks_for_the_answer_only_when_there_is_something_to_ask_for(
    desk: Desk, cast: Cast, visit: Visit, streams: bool
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    asked: list[str] = []
    async with visit() as site:
        page = await open_case(site, case)
        await page.clock.install()
        if not streams:
            await page.route("**/live?*", lambda route: route.fulfill(status=429, body="no"))
        page.on("request", lambda one: asked.append(one.url) if one.url.endswith("/questions") else None)
        await page.locator("#ask textarea").fill("Was the first charge settled?")
        async with page.expect_response("**/live?*"):
            await page.get_by_role("button", name="Ask the agent").click()
        await expect(page.get_by_text("Waiting for the agent's answer")).to_be_visible()
        if streams:
            await page.clock.run_for(30_000)
            assert asked == []
        else:
            async with page.expect_request("**/questions"):
                await page.clock.run_for(30_000)
        await answer_question(desk, cast.ada, case, "Yes, in March.")
        if not streams:
            await page.clock.run_for(10_000)
        await expect(page.get_by_text("The agent has answered question 1")).to_be_visible()
    assert len(asked) == 1 or not streams


async def test_an_answer_shows_by_itself_where_nobody_is_writing(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL, response_schema=ASKED)
    async with visit() as site:
        page = await open_case(site, case)
        await page.locator("#ask textarea").fill("Was the first charge settled?")
        await page.get_by_role("button", name="Ask the agent").click()
        await expect(page.get_by_text("Waiting for the agent's answer")).to_be_visible()
        await answer_question(desk, cast.ada, case, "Yes, in March.")
        await expect(page.get_by_text("The agent has answered question 1")).to_be_visible()
        await expect(page.get_by_text("Yes, in March.")).to_be_visible()


async def test_no_single_key_decides_and_two_do(desk: Desk, cast: Cast, visit: Visit) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        page = await open_case(site, case)
        for key in "abcdefghjklmnopqrstuvwxyz?1 ":
            await page.goto(f"{site.url}/cases/{case}")
            await page.keyboard.press(key)
        for key in ("Enter", " ", "Escape"):
            await page.goto(f"{site.url}/cases/{case}")
            await page.keyboard.press(key)
        assert await is_open(desk, cast, case)

        await page.goto(f"{site.url}/cases/{case}")
        await page.keyboard.press("m")
        await expect(page.locator("#modify-form [name=a0]")).to_be_focused()
        await page.keyboard.type("a r ")  # letters that are typed are letters
        await expect(page.locator("#reject")).not_to_have_attribute("open", "")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await expect(page.locator("#modify")).not_to_have_attribute("open", "")
        await page.keyboard.press("r")
        await expect(page.locator("#reject textarea[name=note]")).to_be_focused()
        await page.keyboard.press("Escape")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="By keyboard")).to_be_visible()
        await page.keyboard.press("a")  # what lies under the help is not reached
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="By keyboard")).to_be_hidden()
        assert await is_open(desk, cast, case)
        await page.keyboard.press("a")
        await expect(page.locator("#approve-form .actions button")).to_be_focused()
        assert await is_open(desk, cast, case)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="You approved this.")).to_be_visible()
        await page.keyboard.press("u")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
    assert await is_open(desk, cast, case)
