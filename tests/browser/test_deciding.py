"""People decide in real browsers; scanners, scripts and second browsers do not."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from playwright.async_api import BrowserContext, Page, expect
from tests.browser.conftest import REFUND, REFUND_MATERIAL, REFUND_RESPONSE, Site, Visit, ask
from tests.conftest import Cast

from signoff.desk.deliver import lease
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.sign_in import issue_sign_in_link, open_link
from signoff.desk.wait import wait_for_decision

pytestmark = pytest.mark.browser

MAIL = {"tool": "send_mail", "arguments": {"to": "press@example.com", "body": "Hello"}, "summary": "Answer"}


async def alert_link(desk: Desk, name: str) -> str:
    return next(one.link_url for one in await lease(desk, "test") if one.person.name == name)


async def log_size(desk: Desk) -> int:
    async with desk.store.reading() as reader:
        return (await reader.head()).size


async def enter(site: Site, name: str, **options: Any) -> Page:
    """Sign a person in, in a browser of their own, without a script."""
    context = await site.visitor(**options)
    await give_cookie(site, context, name)
    return await context.new_page()


async def give_cookie(site: Site, context: BrowserContext, name: str) -> None:
    path, _, secret = (await issue_sign_in_link(site.desk, name)).rpartition("/")[2].partition("#")
    opened = await open_link(site.desk, path, secret, source="test")
    await context.add_cookies([{"name": "signoff", "value": opened.token, "url": site.url}])


async def test_a_person_opens_the_link_approves_and_may_undo(desk: Desk, cast: Cast, visit: Visit) -> None:
    case = await ask(desk, cast.ada, MAIL)
    url = await alert_link(desk, "Omar")
    async with visit() as site:
        page = await site.page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
        await page.goto(url)
        await page.get_by_role("button", name="Open the case").click()
        await page.wait_for_url(f"{site.url}/cases/{case}")
        await page.locator("#approve-form").get_by_role("button", name="Approve").click()
        await expect(page.get_by_role("heading", name="You approved this.")).to_be_visible()
        assert (await look(desk, cast.omar, case)).case.status == "approved"
        await page.get_by_role("button", name="Undo").click()
        await expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
        assert refused == []

    assert (await look(desk, cast.omar, case)).case.is_open


async def test_a_browser_that_clicks_nothing_changes_nothing(desk: Desk, cast: Cast, visit: Visit) -> None:
    case = await ask(desk, cast.ada, MAIL)
    url = await alert_link(desk, "Omar")
    async with visit() as site:
        before = await log_size(desk)
        for _ in range(3):
            context = await site.visitor()
            scanner = await context.new_page()
            await scanner.goto(url)
            await scanner.wait_for_load_state("networkidle")
            await expect(scanner.get_by_role("button", name="Open the case")).to_be_visible()
            assert await context.cookies() == []
        assert await log_size(desk) == before

        page = await site.page()
        await page.goto(url)
        await page.get_by_role("button", name="Open the case").click()
        await page.wait_for_url(f"{site.url}/cases/{case}")


async def test_a_used_link_offers_a_fresh_one(desk: Desk, cast: Cast, visit: Visit) -> None:
    case = await ask(desk, cast.ada, MAIL)
    url = await alert_link(desk, "Omar")
    async with visit() as site:
        first, page = await site.page(), await site.page()
        for browser in (first, page):
            await browser.goto(url)
            await browser.get_by_role("button", name="Open the case").click()
        await first.wait_for_url(f"{site.url}/cases/{case}")
        await page.get_by_role("button", name="Send me a fresh link").click()
        await expect(page.get_by_role("heading", name="Look at your messages")).to_be_visible()
        page = await site.page()
        await page.goto(await alert_link(desk, "Omar"))
        await page.get_by_role("button", name="Open the case").click()
        await page.wait_for_url(f"{site.url}/cases/{case}")


async def test_of_two_browsers_one_wins_and_the_other_is_told(desk: Desk, cast: Cast, visit: Visit) -> None:
    case = await ask(desk, cast.ada, MAIL)
    async with visit() as site:
        omar, sofia = await enter(site, "Omar"), await enter(site, "Sofia")
        for page in (omar, sofia):
            await page.goto(f"{site.url}/cases/{case}")
        await sofia.locator("#reject > summary").click()
        await sofia.locator("#reject textarea").fill("Not to the press")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(omar.locator("#approve-form button").click)
            tasks.start_soon(sofia.locator("#reject button.button--reject").click)
        status = (await look(desk, cast.omar, case)).case.status
        loser, words = {
            "approved": (sofia, "This case is already approved by Omar."),
            "rejected": (omar, "This case is already rejected by Sofia."),
        }[status]
        await expect(loser.get_by_role("alert")).to_contain_text(words)


async def test_without_javascript_a_change_is_previewed_and_approved(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL, response_schema=REFUND_RESPONSE)
    async with visit() as site:
        page = await enter(site, "Omar", java_script_enabled=False, viewport={"width": 390, "height": 844})
        await page.goto(f"{site.url}/cases/{case}")
        await expect(page.locator("#modify-send")).to_be_hidden()
        await page.locator(".bar").get_by_role("link", name="Modify").click()
        await page.locator("#modify-form [name=a0]").fill("620")
        await page.locator("#modify-form [name=r_1]").select_option("our billing")
        await page.locator("#modify-form [name=note]").fill("One of the two\nis enough")
        await page.locator("#modify-form .actions").get_by_role("button", name="Preview changes").click()
        await expect(page.locator(".diff li")).to_have_count(1)
        await page.get_by_role("button", name="Approve with these changes").click()
        await expect(page.get_by_role("heading", name="You approved this with changes.")).to_be_visible()
    async with desk.store.reading() as reader:
        [decision] = await reader.decisions(case)
    assert decision.arguments == {**REFUND["arguments"], "amount_eur": 620}  # type: ignore[dict-item]
    assert (decision.note, decision.response) == ("One of the two\nis enough", {"root_cause": "our billing"})


async def test_enter_in_a_field_never_decides(desk: Desk, cast: Cast, visit: Visit) -> None:
    case = await ask(desk, cast.ada, MAIL)
    async with visit() as site:
        page = await enter(site, "Omar")
        await page.goto(f"{site.url}/cases/{case}")
        await page.locator("#modify > summary").click()
        await page.locator("#modify-form [name=a1]").fill("someone@example.com")
        await page.locator("#modify-form [name=a1]").press("Enter")
        await expect(page.get_by_role("heading", name="Approve with these changes?")).to_be_visible()

    assert (await look(desk, cast.omar, case)).case.is_open


async def test_a_change_is_shown_while_it_is_typed(desk: Desk, cast: Cast, visit: Visit) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        page = await enter(site, "Omar", viewport={"width": 390, "height": 844})
        await page.goto(f"{site.url}/cases/{case}")
        await expect(page.locator(".bar")).to_be_visible()
        await page.locator(".bar").get_by_role("link", name="Modify").click()
        await expect(page.locator(".bar")).to_be_hidden()
        await expect(page.locator("#approve-form")).to_be_hidden()
        await expect(page.locator("#live-none")).to_be_visible()
        await page.locator("[name=a0]").fill("6\u200b20")
        await expect(page.locator("#live-broken")).to_be_visible()
        await page.locator("[name=a0]").fill("620")
        await page.locator("[name=a4]").fill("pi_\u202efake")
        await expect(page.locator("#live-diff li")).to_have_count(2)
        await expect(page.locator("#live-diff")).to_contain_text("⟦U+202E⟧fake")
        await page.get_by_role("button", name="Approve with changes").click()
        await expect(page.get_by_role("heading", name="You approved this with changes.")).to_be_visible()


async def test_nothing_an_agent_writes_runs_or_looks_like_ours(desk: Desk, cast: Cast, visit: Visit) -> None:
    attack = (
        "</pre></textarea><script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
        '<form action="/x"><button>Approve</button></form><h1>Approved</h1>" autofocus onfocus="window.pwned=1'
    )
    action = {"tool": "send_mail", "summary": attack[:400], "arguments": {"to": attack, attack: [attack]}}
    material = {
        "reasoning": [
            {"kind": "thought", "text": attack},
            {"kind": "tool_result", "result": {attack: attack}},
        ],
        "messages": [{"role": "user", "content": attack}],
        "state": attack,
        "subject": {"name": attack, attack: attack},
    }
    schema = {"type": "object", "properties": {attack: {"title": attack, "enum": [attack]}}}
    case = await ask(desk, cast.ada, action, material, response_schema=schema)
    async with visit() as site:
        page = await enter(site, "Omar")
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        for address in (f"/cases/{case}", "/"):
            await page.goto(site.url + address)
            await page.wait_for_load_state("networkidle")
            assert await page.evaluate("window.pwned") is None
            assert await page.get_by_role("heading", level=1).count() == 1
            assert await page.locator("form[action='/x'], img[src=x], main script").count() == 0
        await page.goto(f"{site.url}/cases/{case}")
        # Every word of the agent that is not part of the action or of its own question stands in its frame.
        outside = await page.evaluate(
            """() => [...document.querySelectorAll("main *")]
                .filter((element) => [...element.childNodes].some(
                    (node) => node.nodeType === 3 && node.textContent.includes("<h1>Approved</h1>")))
                .filter((element) => !element.closest(".material, .values, .glance, .asked, #modify-form"))
                .map((element) => element.parentElement.outerHTML.slice(0, 300))"""
        )
        assert outside == []
        assert dialogs == []


async def test_a_long_value_is_unfolded_whole(desk: Desk, cast: Cast, visit: Visit) -> None:
    text = "begin " + "word " * 2000 + "end"
    case = await ask(desk, cast.ada, {"tool": "send_mail", "arguments": {"body": text}})
    async with visit() as site:
        page = await enter(site, "Omar", java_script_enabled=False)
        await page.goto(f"{site.url}/cases/{case}")
        await page.get_by_role("link", name="Show all 10,009 characters").click()
        await expect(page.locator("main")).to_contain_text(text)


async def test_every_control_can_be_reached_and_is_large_enough(desk: Desk, cast: Cast, visit: Visit) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL, response_schema=REFUND_RESPONSE)
    async with visit() as site:
        page = await enter(site, "Omar", viewport={"width": 390, "height": 844})
        for address in (f"/cases/{case}", "/", "/sign-in", "/d/lnk_0#x"):
            await page.goto(site.url + address)
            await page.evaluate("document.querySelectorAll('details').forEach((e) => (e.open = true))")
            small = await page.evaluate(
                """() => [...document.querySelectorAll("button, a, select, input:not([type=hidden]), textarea, summary")]
                    .filter((e) => e.checkVisibility() && !e.matches(".skip, .out-of-sight, p a, li p a"))
                    .map((e) => (e.matches("[type=checkbox], [type=radio]") ? e.closest("label") ?? e : e))
                    .filter((e) => e.getBoundingClientRect().height < 43.5)
                    .map((e) => e.outerHTML.slice(0, 80))"""
            )
            assert small == []
            unnamed = await page.evaluate(
                """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
                    .filter((e) => !e.labels.length).map((e) => e.outerHTML.slice(0, 80))"""
            )
            assert unnamed == []


async def test_the_agent_goes_on_after_the_click(desk: Desk, cast: Cast, visit: Visit, clock: Any) -> None:
    case = await ask(desk, cast.ada, MAIL)
    async with visit() as site:
        page = await enter(site, "Omar")
        await page.goto(f"{site.url}/cases/{case}")
        await page.locator("#approve-form button").click()
        await expect(page.get_by_role("button", name="Undo")).to_be_visible()
    clock.advance(10)

    answer = await wait_for_decision(desk, cast.ada, case)

    assert (answer.status, answer.decided_by[0]["name"]) == ("approved", "Omar")
