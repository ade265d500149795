"""Statistics, audit and administration on a phone and on a desk, looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests._support.cases import answer
from tests._support.clock import HandClock
from tests.browser.conftest import REFUND, REFUND_MATERIAL, Visit, ask
from tests.browser.test_looks import SIZES, enter, overflows
from tests.conftest import Cast

from signoff.desk.desk import Desk
from signoff.domain.decision import Answer

pytestmark = pytest.mark.browser

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
                {**REFUND["arguments"], "amount_eur": 620} if number % 3 == 0 else {"to": "x"},
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
