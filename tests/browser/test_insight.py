"""Statistics, audit and administration on a phone and on a desk, looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests._support.cases import answer
from tests._support.clock import HandClock
from tests.browser.conftest import REFUND, REFUND_MATERIAL, Visit, ask
from tests.browser.test_looks import SIZES, enter, overflows
from tests.conftest import Cast

from signoff.desk.desk import Desk
from signoff.desk.people import add_person, agent_by_key
from signoff.domain.decision import Answer

pytestmark = pytest.mark.browser

REFUND_ARGUMENTS: dict[str, Any] = dict(REFUND)["arguments"]  # type: ignore[assignment]
MAIL = {"tool": "send_mail", "arguments": {"to": "press@example.com"}, "summary": "Answer the press inquiry"}


async def a_busy_week(desk: Desk, cast: Cast, clock: HandClock) -> None:
    """Cases over two days, most of them decided, in different ways and times."""
    for number in range(46):
        case = await ask(
            desk, cast.ada, REFUND if number % 3 == 0 else MAIL, REFUND_MATERIAL if number % 2 else None
        )
        clock.advance(7 + (number * 37) % 900)
        if number % 11 == 0:
            given = Answer("reject", note="Not like this")
        elif number % 7 == 0:
            given = Answer(
                "modify",
                {**REFUND_ARGUMENTS, "amount_eur": 620} if number % 3 == 0 else {"to": "x"},
                note="n",
            )
        else:
            given = Answer("approve")
        if number % 13:
            await answer(desk, cast.omar if number % 5 else cast.sofia, case, given)
        clock.advance(1800)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
async def test_statistics_fit_the_screen(
    desk: Desk, cast: Cast, clock: HandClock, visit: Visit, screenshots: Path, size: str, scheme: str
) -> None:
    await a_busy_week(desk, cast, clock)
    async with visit() as site:
        page = await site.page(viewport=SIZES[size], color_scheme=scheme)
        await enter(site, page, "Sofia")
        for name, path in (("stats", "/stats"), ("attention", "/stats/people")):
            await page.goto(site.url + path)
            assert not await overflows(page)
            await page.screenshot(path=screenshots / f"{name}-{size}-{scheme}.png", full_page=True)
        await page.goto(f"{site.url}/stats")
        await page.get_by_text("The numbers as a table").first.click()
        assert await page.get_by_role("cell", name="min").first.is_visible()
        assert not await overflows(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
async def test_administration_fits_the_screen(
    desk: Desk, cast: Cast, clock: HandClock, visit: Visit, screenshots: Path, size: str, scheme: str
) -> None:
    anna = await add_person(desk, "Anna", roles=["admin"])
    await ask(desk, cast.ada, REFUND)
    digest = desk.policy.current().digest
    async with visit() as site:
        page = await site.page(viewport=SIZES[size], color_scheme=scheme)
        await enter(site, page, "Anna")
        for name, path in (
            ("admin", "/admin"),
            ("people", "/admin/people"),
            ("person", f"/admin/people/{anna.id}"),
            ("agents", "/admin/agents"),
            ("agent", f"/admin/agents/{cast.ada.id}"),
            ("keys", "/admin/keys"),
            ("policy", "/admin/policy"),
            ("policy-version", f"/admin/policy/{digest}"),
        ):
            await page.goto(site.url + path)
            assert not await overflows(page), path
            await page.screenshot(path=screenshots / f"admin-{name}-{size}-{scheme}.png", full_page=True)


async def test_an_admin_adds_an_agent_and_tries_a_policy_by_clicking(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path
) -> None:
    await add_person(desk, "Anna", roles=["admin"])
    await ask(desk, cast.ada, REFUND)
    async with visit() as site:
        page = await site.page(viewport=SIZES["phone"], java_script_enabled=True)
        await enter(site, page, "Anna")
        await page.goto(f"{site.url}/admin/agents")
        await page.get_by_label("Name").fill("Cleo")
        await page.get_by_role("button", name="Add, and show its key").click()
        key = await page.locator("#key").inner_text()
        assert (await agent_by_key(desk, key)).name == "Cleo"
        await page.screenshot(path=screenshots / "admin-agent-key.png")
        await page.goto(f"{site.url}/admin/policy")
        field = page.get_by_label("Policy YAML")
        await field.fill((await field.input_value()).replace("then: escalate", "then: deny", 1))
        await page.get_by_role("button", name="Try it").click()
        await page.get_by_role("heading", name="1 of 1 would have been answered differently").wait_for()
        await page.screenshot(path=screenshots / "admin-policy-tried.png", full_page=True)


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("size", list(SIZES))
async def test_an_auditor_searches_verifies_and_downloads(
    desk: Desk, cast: Cast, clock: HandClock, visit: Visit, screenshots: Path, size: str, script: bool
) -> None:
    await a_busy_week(desk, cast, clock)
    async with visit() as site:
        context = await site.visitor(viewport=SIZES[size], color_scheme="light" if script else "dark")
        page = await context.new_page()
        await enter(site, page, "Amir")
        if not script:
            state = await context.storage_state()
            context = await site.visitor(
                viewport=SIZES[size], color_scheme="dark", java_script_enabled=False, storage_state=state
            )
            page = await context.new_page()
        await page.goto(f"{site.url}/audit")
        assert await page.locator(".rows li").count() > 30
        assert await page.locator("body").evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        await page.screenshot(path=screenshots / f"audit-{size}-{script}.png")
        await page.get_by_label("How it ended").select_option("rejected")
        await page.get_by_role("button", name="Search").click()
        await page.wait_for_url("**status=rejected**")
        await page.get_by_role("link", name="Evidence of").first.click()
        await page.screenshot(path=screenshots / f"evidence-form-{size}-{script}.png", full_page=True)
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download").click()
        assert (await download.value).suggested_filename.startswith("evidence-esc_")
        await page.get_by_role("link", name="Verify", exact=True).click()
        await page.get_by_role("button", name="Verify now").click()
        await page.get_by_role("heading", name="Everything holds").wait_for()
        assert not await page.locator(".running p").last.is_visible()
        await page.screenshot(path=screenshots / f"verify-{size}-{script}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
async def test_a_supervisor_makes_a_canary_and_an_operator_misses_it(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path, size: str, scheme: str
) -> None:
    async with visit() as site:
        page = await site.page(viewport=SIZES[size], color_scheme=scheme)
        await enter(site, page, "Sofia")
        await page.goto(f"{site.url}/canaries")
        await page.get_by_label("Tool", exact=True).fill("refund_payment")
        await page.get_by_label("What the agent would say").fill("Refund the deposit")
        await page.get_by_label("Arguments JSON").fill(
            '{"amount_eur": 99999, "to": "an account opened today"}'
        )
        await page.get_by_label("Drill names").fill("spring")
        await page.get_by_role("button", name="Put it among the cases").click()
        await page.get_by_text("1 waits among the cases now").wait_for()
        assert not await overflows(page)
        await page.screenshot(path=screenshots / f"canaries-{size}-{scheme}.png", full_page=True)

        omar = await site.page(viewport=SIZES[size], color_scheme=scheme)
        await enter(site, omar, "Omar")
        await omar.get_by_role("link", name="refund_payment").first.click()
        await omar.wait_for_url("**/cases/**")
        await omar.screenshot(path=screenshots / f"canary-waits-{size}-{scheme}.png")
        await omar.get_by_role("button", name="Approve").first.click()
        await omar.get_by_role("heading", name="This was a canary, and it was missed").wait_for()
        assert not await overflows(omar)
        await omar.screenshot(path=screenshots / f"canary-missed-{size}-{scheme}.png")


async def test_a_chart_prints_with_its_table_open_and_without_the_navigation(
    desk: Desk, cast: Cast, clock: HandClock, visit: Visit, screenshots: Path
) -> None:
    await a_busy_week(desk, cast, clock)
    async with visit() as site:
        page = await site.page(viewport=SIZES["desk"], color_scheme="dark")
        await enter(site, page, "Sofia")
        await page.goto(f"{site.url}/stats")
        await page.emulate_media(media="print", color_scheme="dark")
        assert not await page.get_by_role("navigation", name="Statistics").is_visible()
        assert await page.locator("#time-by-queue table").is_visible()
        background = await page.locator("#time-by-queue").evaluate(
            "one => getComputedStyle(one).backgroundColor"
        )
        assert background == "rgb(255, 255, 255)"
        await page.screenshot(path=screenshots / "stats-printed.png", full_page=True)
        await page.pdf(path=screenshots / "stats.pdf", format="A4", print_background=False)
