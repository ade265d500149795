"""The summary of an evidence file, opened from a disk: it fits a phone and a desk, loads nothing, and prints whole."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Browser
from tests._support.cases import answer
from tests.browser.conftest import REFUND, REFUND_MATERIAL, ask
from tests.conftest import Cast

from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.evidence import Wanted, export_evidence
from signoff.domain.decision import Answer
from signoff.operators.evidence import evidence_page


@pytest.fixture
def settings() -> DeskSettings:
    """No server runs: the page is a file."""
    return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=0)


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_summary_fits_the_screen_and_loads_nothing(
    desk: Desk, cast: Cast, chromium: Browser, tmp_path: Path, screenshots: Path, width: int
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    await answer(desk, cast.omar, case, Answer("approve", note="Charged twice, \u202eno doubt"))
    out = tmp_path / "case.zip"
    await export_evidence(desk, Wanted(case=case), out=out, summary=evidence_page)
    with zipfile.ZipFile(out) as file:
        file.extract("index.html", tmp_path)
    asked: list[str] = []
    page = await chromium.new_page(viewport={"width": width, "height": 900})
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    await page.goto((tmp_path / "index.html").as_uri())
    await page.screenshot(path=screenshots / f"evidence-{width}.png", full_page=True)
    overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    heading = await page.locator("h1").inner_text()
    printed = await page.pdf()
    assert overflow <= 0
    assert heading == "Approved: refund_payment"
    assert asked == [(tmp_path / "index.html").as_uri()]
    assert len(printed) > 10_000
