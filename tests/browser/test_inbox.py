"""The inbox in a real browser: what it looks like, by keyboard, kept true while it is open, and without script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect
from tests.browser.conftest import REFUND, REFUND_MATERIAL, Visit, ask
from tests.browser.test_looks import SIZES, enter, overflows
from tests.conftest import Cast

from signoff.desk.decide import decide
from signoff.desk.desk import Desk
from signoff.desk.handle import acknowledge
from signoff.desk.look import look
from signoff.desk.presence import come
from signoff.domain.decision import Answer
from signoff.operators import live

pytestmark = pytest.mark.browser

SQL = {
    "tool": "run_sql", "server": "warehouse", "arguments": {"query": "DELETE FROM carts WHERE age > 90"},
    "summary": "Remove carts that nobody wants",
}  # fmt: skip


def mail(to: str, subject: str = "Your order") -> dict[str, Any]:
    return {
        "tool": "send_mail",
        "arguments": {
            "to": to,
            "subject": subject,
            "body": "Dear customer,\n\nit is on its way.\n\nYour shop",
        },
        "summary": f"Tell {to.partition('@')[0]} that the order is on its way",
    }


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell pages at once what happens."""
    monkeypatch.setattr(live, "GATHER_S", 0.01)


async def stage(desk: Desk, cast: Cast) -> dict[str, str]:
    """Fill an inbox with a bit of everything."""
    made = {
        "refund": await ask(desk, cast.ada, REFUND, REFUND_MATERIAL),
        "sql": await ask(desk, cast.bea, SQL),
        "low": await ask(desk, cast.bea, {"tool": "tidy_up", "arguments": {}}, {"confidence": 0.2}),
    }
    for number in range(7):
        made[f"mail {number}"] = await ask(
            desk, cast.ada, mail("dana@example.com" if number < 5 else f"omid{number}@example.com")
        )
    done = await ask(desk, cast.bea, mail("press@example.com"))
    view = await look(desk, cast.sofia, done)
    answer = Answer("reject", note="Ask legal first")
    await decide(desk, cast.sofia, done, answer, version=1, view_digest=view.view_digest)
    await look(desk, cast.omar, made["low"])
    await acknowledge(desk, cast.sofia, made["low"])
    await come(desk, cast.sofia, made["refund"])
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
async def test_every_page_of_the_inbox_fits_the_screen(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path, size: str, scheme: str
) -> None:
    made = await stage(desk, cast)
    async with visit() as site:
        page = await site.page(viewport=SIZES[size], color_scheme=scheme)
        await enter(site, page, "Omar")

        async def shot(name: str) -> None:
            assert not await overflows(page), name
            await page.screenshot(path=screenshots / f"{name}-{size}-{scheme}.png", full_page=True)

        await shot("inbox-all")
        await page.goto(f"{site.url}/?queue=payments&unread=1")
        await page.get_by_text("Filter", exact=True).click()
        await shot("inbox-filters")
        await page.goto(f"{site.url}/?q=dana")
        await shot("inbox-search")
        await page.goto(f"{site.url}/?q=nothinglikethis")
        await shot("inbox-search-none")
        await page.goto(f"{site.url}/?show=mine")
        await shot("inbox-mine")
        await page.goto(f"{site.url}/alike/{made['mail 0']}")
        await page.get_by_label("All 7 on this page").check()
        await shot("alike")
        await page.get_by_role("button", name="Look at the chosen ones together").click()
        await page.get_by_role("heading", name="Decide all 7").wait_for()
        await shot("together")
        await page.get_by_role("button", name="Approve all 7").click()
        await page.get_by_role("heading", name="You approved 7").wait_for()
        await shot("together-done")
        await page.goto(f"{site.url}/cases/{made['refund']}")
        await page.get_by_text("Sofia has this open, too.").wait_for()
        await shot("case-presence")
        if size == "desk":
            await page.goto(site.url)
            await page.keyboard.press("?")
            await page.get_by_role("heading", name="Keyboard").wait_for()
            await shot("inbox-keys")


async def test_the_inbox_stays_true_while_it_is_open(
    desk: Desk, cast: Cast, visit: Visit, quick: None
) -> None:
    async with visit() as site:
        page = await site.page(viewport=SIZES["desk"])
        await enter(site, page, "Omar")
        await page.get_by_role("heading", name="Nothing is waiting for you").wait_for()

        case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)

        await page.locator(f"[data-case={case}]").wait_for()
        await expect(page.locator("#told")).to_have_text("1 more case waits.")
        await expect(page).to_have_title("(1) Inbox · signoff")
        await come(desk, cast.sofia, case)
        await page.get_by_text("Sofia has it open").wait_for()
        await acknowledge(desk, cast.sofia, case)
        await page.get_by_text("Sofia is looking").wait_for()
        view = await look(desk, cast.sofia, case)
        answer = Answer("reject", note="no")
        await decide(desk, cast.sofia, case, answer, version=1, view_digest=view.view_digest)
        await page.get_by_role("heading", name="Nothing is waiting for you").wait_for()


async def test_a_case_page_tells_who_comes_and_who_decided_and_keeps_what_is_being_written(
    desk: Desk, cast: Cast, visit: Visit, quick: None
) -> None:
    case = await ask(desk, cast.ada, mail("dana@example.com"))
    async with visit() as site:
        his, hers = [await site.page(viewport=SIZES["phone"]) for _ in range(2)]
        await enter(site, his, "Omar")
        await his.goto(f"{site.url}/cases/{case}")
        await his.locator("#reject summary").click()
        await his.locator("#reject textarea").fill("Half a reas")
        await enter(site, hers, "Sofia")
        await hers.goto(f"{site.url}/cases/{case}")
        await his.get_by_text("Sofia has this open, too.").wait_for()
        await hers.goto(site.url)
        await his.get_by_text("Sofia has this open, too.").wait_for(state="hidden")

        view = await look(desk, cast.sofia, case)
        answer = Answer("approve")
        await decide(desk, cast.sofia, case, answer, version=1, view_digest=view.view_digest)

        await his.get_by_text("Sofia decided this: approved.").wait_for()
        assert await his.locator("#reject textarea").input_value() == "Half a reas"


async def test_the_inbox_is_worked_by_keyboard(desk: Desk, cast: Cast, visit: Visit) -> None:
    made = await stage(desk, cast)
    async with visit() as site:
        page = await site.page(viewport=SIZES["desk"])
        await enter(site, page, "Omar")

        async def focused() -> str | None:
            found: str | None = await page.evaluate("document.activeElement.dataset.case ?? null")
            return found

        await page.keyboard.press("j")
        assert await focused() == made["sql"]
        await page.keyboard.press("j")
        assert await focused() == made["refund"]
        await page.keyboard.press("k")
        await page.keyboard.press("k")
        assert await focused() == made["sql"]
        await page.keyboard.press("j")
        await page.keyboard.press("r")
        await page.wait_for_url(f"{site.url}/cases/{made['refund']}#reject-start")
        await page.go_back()

        await page.keyboard.press("/")
        await page.keyboard.type("jk dana")
        assert await page.locator("#search").input_value() == "jk dana"
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/?q=jk+dana")

        await page.keyboard.press("?")
        await page.get_by_label("Use single keys on these pages").uncheck()
        await page.get_by_role("button", name="Close").click()
        await page.goto(site.url)
        await page.keyboard.press("j")
        assert await focused() is None


async def test_without_script_the_inbox_filters_finds_and_decides_together(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    made = await stage(desk, cast)
    async with visit() as site:
        scripted = await site.page()
        await enter(site, scripted, "Omar")
        visitor = await site.visitor(java_script_enabled=False, viewport=SIZES["phone"])
        (cookie,) = await scripted.context.cookies()
        await visitor.add_cookies([{"name": cookie["name"], "value": cookie["value"], "url": site.url}])
        page = await visitor.new_page()
        await page.goto(site.url)
        await page.get_by_text("Filter", exact=True).click()
        await page.get_by_label("Queue").select_option("payments")
        await page.get_by_role("button", name="Show").click()
        assert await page.locator("[data-case]").count() == 1
        await page.get_by_text("Filter", exact=True).click()
        await page.get_by_label("Keep these filters as").fill("Money")
        await page.get_by_role("button", name="Save view").click()
        await page.get_by_role("link", name="Money").wait_for()
        await page.goto(site.url)
        await page.get_by_label("Search cases").fill("omid5")
        await page.get_by_role("button", name="Search").click()
        assert await page.locator(f"[data-case={made['mail 5']}]").count() == 1
        await page.goto(f"{site.url}/alike/{made['mail 0']}")
        for box in await page.get_by_role("checkbox").all():
            await box.check()
        await page.get_by_role("button", name="Look at the chosen ones together").click()
        await page.get_by_label("Note").fill("Not today")
        await page.get_by_role("button", name="Reject all 7").click()
        await page.get_by_role("heading", name="You rejected 7").wait_for()
        await page.get_by_role("button", name="Undo all 7").click()
        await page.get_by_role("heading", name="7 taken back").wait_for()
