"""The inbox in a real browser: what it looks like, by keyboard, kept true while it is open, and without script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
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
