"""What the pages look like: pictures to be looked at, and what a machine can say about them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page
from tests.browser.conftest import REFUND, REFUND_MATERIAL, REFUND_RESPONSE, Site, Visit, ask
from tests.conftest import Cast

from signoff.desk.decide import decide
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.sign_in import issue_sign_in_link
from signoff.domain.decision import Answer

pytestmark = pytest.mark.browser

SIZES = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1280, "height": 800}}


async def enter(site: Site, page: Page, name: str) -> None:
    await page.goto(await issue_sign_in_link(site.desk, name))
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url(site.url + "/")


async def overflows(page: Page) -> bool:
    """Say whether the page can be scrolled sideways."""
    return bool(await page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
async def test_inbox_and_case_page_fit_the_screen(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path, size: str, scheme: str
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL, response_schema=REFUND_RESPONSE)
    mail = {
        "tool": "send_mail",
        "arguments": {"to": "press@example.com"},
        "summary": "Answer the press inquiry",
    }
    await ask(desk, cast.ada, mail)
    sql = {
        "tool": "run_sql",
        "server": "warehouse",
        "arguments": {"query": "DELETE FROM carts WHERE age > 90"},
    }
    await ask(desk, cast.bea, sql)
    async with visit() as site:
        page = await site.page(viewport=SIZES[size], color_scheme=scheme)
        await enter(site, page, "Omar")
        assert not await overflows(page)
        await page.screenshot(path=screenshots / f"inbox-{size}-{scheme}.png")
        await page.goto(f"{site.url}/cases/{case}")
        assert not await overflows(page)
        await page.screenshot(path=screenshots / f"case-{size}-{scheme}.png")
        await page.screenshot(path=screenshots / f"case-{size}-{scheme}-whole.png", full_page=True)


async def test_every_state_of_a_case_fits_a_phone(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL, response_schema=REFUND_RESPONSE)
    async with visit() as site:
        page = await site.page(viewport=SIZES["phone"], color_scheme="light")
        await page.goto(await issue_sign_in_link(desk, "Omar"))
        await page.screenshot(path=screenshots / "link.png")
        await page.get_by_role("button", name="Continue").click()
        await page.wait_for_url(site.url + "/")
        await page.goto(f"{site.url}/d/lnk_0#spent")
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("button", name="Send me a fresh link").wait_for()
        assert not await overflows(page)
        await page.screenshot(path=screenshots / "link-dead.png")

        await page.goto(f"{site.url}/cases/{case}")
        await page.get_by_role("link", name="Modify").click()
        await page.locator("#modify-form [name=a0]").fill("620")
        await page.locator("#live-diff li").wait_for()
        assert not await overflows(page)
        await page.screenshot(path=screenshots / "case-modify.png")
        await page.locator("#live-diff").scroll_into_view_if_needed()
        await page.screenshot(path=screenshots / "case-modify-diff.png")
        await page.locator("#modify-form [name=r_1]").select_option("our billing")
        await page.locator("#modify-form").get_by_role("button", name="Preview changes").last.click()
        await page.get_by_role("heading", name="Approve with these changes?").wait_for()
        assert not await overflows(page)
        await page.screenshot(path=screenshots / "preview.png")
        await page.get_by_role("button", name="Approve with these changes").click()
        await page.get_by_role("button", name="Undo").wait_for()
        assert not await overflows(page)
        await page.screenshot(path=screenshots / "case-undo.png", full_page=True)


SQL = {
    "tool": "run_sql",
    "server": "warehouse",
    "summary": "Remove old carts",
    "arguments": {
        "query": "DELETE FROM carts\nWHERE updated < '2026-01-01'\n  AND owner = 'p\u0430ypal\u202e'",
        "dry_run": False,
        "token": "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24s" * 20,
    },
}


def spoil(policy: Path) -> None:
    """Save a policy with a slip of the pen in it."""
    policy.write_text("version: 1\ntrigers: []\n", encoding="utf-8")


async def test_warnings_and_ended_cases_fit_the_screen(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path, policy_path: Path
) -> None:
    case = await ask(desk, cast.bea, SQL)
    done = await ask(desk, cast.ada, {"tool": "send_mail", "arguments": {"to": "a@example.com"}})
    view = await look(desk, cast.sofia, done)
    answer = Answer("reject", note="Ask legal first")
    await decide(desk, cast.sofia, done, answer, version=1, view_digest=view.view_digest)
    view = await look(desk, cast.sofia, case)
    answer = Answer("approve", note="Carts of last year only")
    await decide(desk, cast.sofia, case, answer, version=1, view_digest=view.view_digest)
    spoil(policy_path)
    async with visit() as site:
        for size, viewport in SIZES.items():
            page = await site.page(viewport=viewport)
            await enter(site, page, "Omar")
            assert not await overflows(page)
            await page.screenshot(path=screenshots / f"inbox-warnings-{size}.png", full_page=True)
            await page.goto(f"{site.url}/cases/{case}")
            assert not await overflows(page)
            await page.screenshot(path=screenshots / f"case-sql-{size}.png", full_page=True)
            await page.goto(f"{site.url}/cases/{done}")
            assert not await overflows(page)
            await page.screenshot(path=screenshots / f"case-rejected-{size}.png", full_page=True)
