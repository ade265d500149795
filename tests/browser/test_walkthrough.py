"""The walk-through of docs/operators.md, walked: each picture there is taken here, of pages as they are.

`make screenshots` puts the pictures into docs/operators/. A new area adds a walk of its own, and its section to the page;
tests/docs/test_operators.py holds that pictures, page and walks name the same.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page
from tests.browser.conftest import REFUND, REFUND_MATERIAL, REFUND_RESPONSE, Site, Visit, ask
from tests.browser.test_every_page import page_alerting as page_alerting
from tests.browser.test_passkeys import device_of
from tests.browser.test_shell import working
from tests.conftest import Cast

from signoff.alerts.messages import alert_message
from signoff.desk.decide import decide
from signoff.desk.deliver import lease
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.look import look
from signoff.desk.people import add_person, set_addresses
from signoff.desk.sign_in import issue_sign_in_link, open_link
from signoff.domain.decision import Answer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
MAIL = {"tool": "send_mail", "arguments": {"to": "press@example.com"}, "summary": "Answer the press inquiry"}
SQL = {
    "tool": "run_sql",
    "server": "warehouse",
    "arguments": {"query": "DELETE FROM carts WHERE age > 90"},
    "summary": "Remove old carts",
}


@pytest.fixture
def settings(listening: socket.socket) -> DeskSettings:
    """A host name: passkeys are offered at no address."""
    return DeskSettings(base_url=f"http://localhost:{listening.getsockname()[1]}", undo_s=10)


class Walk:
    """Somebody with a browser and a camera."""

    def __init__(self, site: Site, pictures: Path) -> None:
        self.site = site
        self._pictures = pictures

    async def shoot(self, page: Page, name: str) -> None:
        """Take a picture of what is on the screen."""
        await page.evaluate("document.fonts.ready")
        await page.screenshot(path=self._pictures / f"{name}.png", animations="disabled", caret="hide")

    async def enter(self, name: str, **options: Any) -> Page:
        """Sign somebody in."""
        context = await self.site.visitor(
            **{"viewport": PHONE, "timezone_id": "Europe/Berlin", "locale": "en-GB", **options}
        )
        link, _, secret = (await issue_sign_in_link(self.site.desk, name)).rpartition("/")[2].partition("#")
        opened = await open_link(self.site.desk, link, secret, source="test")
        await context.add_cookies([{"name": "signoff", "value": opened.token, "url": self.site.url}])
        page = await context.new_page()
        await page.goto(self.site.url + "/")
        return page


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where the pictures go: beside the page only if asked for."""
    folder = Path(os.environ.get("SIGNOFF_WALK", tmp_path / "walk"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def to_top(page: Page, what: str) -> None:
    """Bring a part of the page under the upper edge of the screen."""
    await page.locator(what).first.evaluate(
        "(one) => scrollTo(0, one.getBoundingClientRect().top + scrollY - 12)"
    )


async def test_walk_from_an_alert_to_a_decision(desk: Desk, cast: Cast, visit: Visit, pictures: Path) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL, response_schema=REFUND_RESPONSE)
    [errand] = [one for one in await lease(desk, "test") if one.person.name == "Omar"]
    async with visit() as site:
        walk = Walk(site, pictures)
        page = await site.page(viewport=PHONE, timezone_id="Europe/Berlin", locale="en-GB")
        mail = alert_message(errand).html.replace(site.url, "https://signoff.example.com")
        await page.set_content(re.sub(r"lnk_\w+#[\w-]+", "lnk_01M8…#vqBV…", mail))
        await walk.shoot(page, "alert")

        await page.goto(errand.link_url)
        await walk.shoot(page, "link")
        await page.get_by_role("button", name="Continue").click()
        await page.wait_for_url(f"{site.url}/cases/{case}")
        await walk.shoot(page, "case")
        await to_top(page, "#action")
        await walk.shoot(page, "action")
        await to_top(page, ".material:not(.said)")
        await walk.shoot(page, "material")

        await page.evaluate("scrollTo(0, 0)")
        await page.get_by_role("link", name="Modify").click()
        form = page.locator("#modify-form")
        await form.get_by_label(re.compile("amount_eur")).first.fill("620")
        await page.locator("#live-diff li").first.wait_for()
        await to_top(page, "#modify")
        await walk.shoot(page, "modify")
        await form.get_by_label(re.compile("What went wrong")).select_option("our billing")
        await form.get_by_label(re.compile("Note to the agent")).fill("The invoice of 3 March was right.")
        await form.get_by_role("button", name="Preview changes").last.click()
        await page.get_by_role("heading", name="Approve with these changes?").wait_for()
        await walk.shoot(page, "preview")
        await page.get_by_role("button", name="Approve with these changes").click()
        await page.get_by_role("button", name="Undo").wait_for()
        await walk.shoot(page, "decided")

        desktop = await walk.enter("Sofia", viewport=DESK, color_scheme="dark")
        await ask(desk, cast.bea, SQL)
        await desktop.goto(site.url + "/")
        await desktop.get_by_role("link", name=re.compile("run_sql")).first.click()
        await desktop.get_by_role("heading", level=1, name=re.compile("run_sql")).wait_for()
        await walk.shoot(desktop, "case-desk")


async def test_walk_through_the_inbox(desk: Desk, cast: Cast, visit: Visit, pictures: Path) -> None:
    done = await ask(desk, cast.ada, {**MAIL, "summary": "Tell the bank about the new account"})
    view = await look(desk, cast.sofia, done)
    rejection = Answer("reject", note="Ask legal first")
    await decide(desk, cast.sofia, done, rejection, version=1, view_digest=view.view_digest)
    for agent, action, material in (
        (cast.ada, REFUND, REFUND_MATERIAL),
        (cast.bea, SQL, None),
        (cast.ada, MAIL, None),
    ):
        await ask(desk, agent, action, material)
    async with visit() as site:
        walk = Walk(site, pictures)
        await walk.shoot(await walk.enter("Omar"), "inbox")
        await walk.shoot(await walk.enter("Omar", viewport=DESK), "inbox-desk")


async def test_walk_through_ones_settings(desk: Desk, cast: Cast, visit: Visit, pictures: Path) -> None:
    await set_addresses(desk, "Omar", ("mailto://omar:secret@mail.example", "ntfys://ntfy.sh/omar"))
    await add_person(desk, "Dana", roles=["admin"])
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        walk = Walk(site, pictures)
        stranger = await site.page(viewport=PHONE)
        await device_of(stranger)
        await stranger.goto(f"{site.url}/sign-in")
        await walk.shoot(stranger, "sign-in")

        page = await walk.enter("Omar")
        await device_of(page)
        await page.locator(".me").click()
        await walk.shoot(page, "menu")
        await page.get_by_role("link", name="Passkeys and sign").first.click()
        await page.get_by_label("Name of the new one").fill("Phone of Omar")
        await page.get_by_role("button", name="Add a passkey").click()
        await page.get_by_role("status").wait_for()
        await walk.shoot(page, "passkeys")
        await working(page, site)
        await page.goto(f"{site.url}/settings")
        await walk.shoot(page, "settings")
        await page.context.set_offline(True)
        await page.goto(f"{site.url}/cases/{case}")
        await page.get_by_role("heading", name="No connection").wait_for()
        await walk.shoot(page, "offline")


async def test_walk_through_what_stands_around_the_cases(
    desk: Desk, cast: Cast, visit: Visit, pictures: Path
) -> None:
    await add_person(desk, "Dana", roles=["admin"])
    for at, choice in enumerate(("approve", "reject", "approve", "approve")):
        done = await ask(desk, cast.ada, {**MAIL, "arguments": {"to": f"press-{at}@example.com"}})
        view = await look(desk, cast.sofia, done)
        answer = Answer("approve" if choice == "approve" else "reject", note="Ask legal first")
        await decide(desk, cast.sofia, done, answer, version=1, view_digest=view.view_digest)
    await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        walk = Walk(site, pictures)
        sofia, amir, dana = [await walk.enter(name, viewport=DESK) for name in ("Sofia", "Amir", "Dana")]
        await sofia.get_by_role("link", name="Stats").click()
        await walk.shoot(sofia, "stats")
        await amir.get_by_role("link", name="Audit").click()
        await walk.shoot(amir, "audit")
        await dana.get_by_role("link", name="Admin").click()
        await walk.shoot(dana, "admin")
