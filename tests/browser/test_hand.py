"""Who has a case in hand, in a real browser, with JavaScript off: it fits a phone, and its buttons work."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.browser.conftest import POLICY, REFUND, REFUND_MATERIAL, Visit, ask
from tests.browser.test_looks import SIZES, enter, overflows
from tests.conftest import Cast

from signoff.desk.desk import Desk
from signoff.desk.handle import acknowledge
from signoff.desk.look import look
from signoff.desk.people import add_person

pytestmark = pytest.mark.browser


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    later = "      - {after: 10m, alert: [role:supervisor]}\n  fraud: {tiers: [{alert: [role:operator]}]}\ntriggers:\n"
    path.write_text(POLICY.replace("triggers:\n", later), encoding="utf-8")
    return path


@pytest.mark.parametrize("size", list(SIZES))
async def test_a_case_is_acknowledged_and_handed_over_without_javascript(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path, size: str
) -> None:
    olga = await add_person(desk, "Olga", roles=["operator"])
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        inside = await site.visitor(viewport=SIZES[size])
        page = await inside.new_page()
        await enter(site, page, "Omar")
        # The link's secret stands in the fragment, which only script reads; from here on the same person has none.
        context = await site.visitor(viewport=SIZES[size], java_script_enabled=False)
        await context.add_cookies(await inside.cookies())  # type: ignore[arg-type]
        page = await context.new_page()
        await page.goto(f"{site.url}/cases/{case}")
        await page.get_by_role("button", name="Acknowledge").click()
        await page.get_by_text("You are looking at it").wait_for()
        await page.get_by_text("Hand over to…").click()
        assert not await overflows(page)
        await page.screenshot(path=screenshots / f"hand-{size}.png", full_page=True)
        await page.get_by_label("To whom").select_option(label="Olga")
        await page.get_by_role("button", name="Hand over", exact=True).click()
        await page.get_by_text("It was given to Olga").wait_for()
        await page.goto(site.url)
        await page.get_by_text("For Olga").wait_for()
        assert not await overflows(page)
        await page.screenshot(path=screenshots / f"hand-inbox-{size}.png")
    assert (await look(desk, cast.omar, case)).case.assigned_to == olga.id


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
async def test_what_a_supervisor_may_do_fits_the_screen(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path, size: str, scheme: str
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    await acknowledge(desk, cast.omar, case)
    async with visit() as site:
        page = await site.page(viewport=SIZES[size], color_scheme=scheme)
        await enter(site, page, "Sofia")
        await page.screenshot(path=screenshots / f"supervisor-inbox-{size}-{scheme}.png")
        await page.goto(f"{site.url}/cases/{case}")
        for summary in ("Reassign", "Override", "Pause this agent"):
            await page.locator(".hand summary", has_text=summary).click()
        assert not await overflows(page)
        await page.screenshot(path=screenshots / f"supervisor-{size}-{scheme}.png", full_page=True)
