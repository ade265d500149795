"""Every page there is, on a phone and on a desk, in light and in dark: axe-core finds nothing serious, nothing is cut off,
and the keyboard alone is enough. A new page that is not in the table below fails here.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, ViewportSize, expect
from tests._support.axe import barriers
from tests._support.clock import HandClock
from tests.browser.conftest import REFUND, REFUND_MATERIAL, REFUND_RESPONSE, Site, Visit, ask
from tests.conftest import Cast
from tests.operators.test_routes import routes

from signoff.alerts.channels import Channels
from signoff.alerts.vapid import open_vapid
from signoff.alerts.webpush import PushSender
from signoff.app.alerting import alerting
from signoff.desk.decide import decide
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.people import add_person, set_addresses
from signoff.desk.sign_in import issue_sign_in_link, open_link
from signoff.domain.decision import Answer
from signoff.operators.alerting import Alerting
from signoff.operators.web import build_pages

pytestmark = pytest.mark.browser

SIZES = {"phone": ViewportSize(width=390, height=844), "desk": ViewportSize(width=1280, height=800)}
ZOOMED = {"200%": ViewportSize(width=640, height=400), "400%": ViewportSize(width=320, height=256)}
"""A desk of 1280 pixels, zoomed: WCAG 2.2, 1.4.4 and 1.4.10."""
SQL = {
    "tool": "run_sql",
    "server": "warehouse",
    "summary": "Remove old carts",
    "arguments": {"query": "DELETE FROM carts\nWHERE owner = 'p\u0430ypal\u202e'", "dry_run": False},
}
NO_PAGES = {
    "GET /.well-known/jwks.json",
    "GET /audit/checkpoint",
    "GET /audit/consistency",
    "GET /audit/tile/{path:path}",
    "GET /cases/{escalation_id}/attachments/{number}",
    "GET /cases/{escalation_id}/questions",
    "GET /healthz",
    "GET /live",
    "GET /push-worker.js",
    "GET /readyz",
    "GET /static/{digest}/{name}",
    "GET /stats/people.csv",
    "GET /stats/{chart}.csv",
}


@dataclass
class World:
    """A site with something on every page, and whoever looks at it."""

    site: Site
    pending: str
    ended: str
    alike: str
    agent: str
    policy: str

    async def page_of(self, name: str | None, **options: Any) -> Page:
        """Return a page of a browser in which a person is signed in; of a stranger, for None."""
        context = await self.site.visitor(**options)
        if name is not None:
            link, _, secret = (
                (await issue_sign_in_link(self.site.desk, name)).rpartition("/")[2].partition("#")
            )
            opened = await open_link(self.site.desk, link, secret, source="test")
            await context.add_cookies([{"name": "signoff", "value": opened.token, "url": self.site.url}])
        return await context.new_page()


Then = Callable[[Page], Awaitable[Any]]


@dataclass(frozen=True)
class Visited:
    """How one comes to see a page: the route, who goes there, where, and what they do there."""

    route: str
    who: str | None
    path: Callable[[World], str]
    then: Then | None = None


def at(path: str) -> Callable[[World], str]:
    return lambda world: path


def case(world: World) -> str:
    return f"/cases/{world.pending}"


def ended(world: World) -> str:
    return f"/cases/{world.ended}"


def part(name: str) -> Callable[[World], str]:
    return lambda world: f"{case(world)}/parts/{name}"


def _first(name: str) -> Then:
    async def follow(page: Page) -> None:
        await page.get_by_role("main").get_by_role("link", name=name).first.click()
        await page.get_by_role("heading", level=1, name=name).wait_for()

    return follow


async def _modify(page: Page) -> None:
    await (
        page.get_by_role("link", name="Modify")
        .or_(page.locator("#modify > summary"))
        .locator("visible=true")
        .first.click()
    )
    await page.locator("#modify[open]").wait_for()


async def _menu(page: Page) -> None:
    await page.locator(".me").first.click()
    await page.locator("#me").wait_for(state="visible")


async def _ask_for_link(page: Page) -> None:
    await page.get_by_label("Your name").fill("Omar")
    await page.get_by_role("button", name="Send me a sign-in link").click()
    await page.get_by_role("heading", name="Look at your messages").wait_for()


async def _open_dead_link(page: Page) -> None:
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_role("heading", name="This link opens nothing").wait_for()


async def _fresh_link(page: Page) -> None:
    await _open_dead_link(page)
    await page.get_by_role("button", name="Send me a fresh link").click()
    await page.get_by_role("heading", name="This link opens nothing").wait_for(state="detached")


PAGES = {
    "inbox": Visited("GET /", "Omar", at("/")),
    "inbox-admin": Visited("GET /", "Dana", at("/"), _menu),
    "case": Visited("GET /cases/{escalation_id}", "Omar", case),
    "case-modify": Visited("GET /cases/{escalation_id}", "Omar", case, _modify),
    "case-supervisor": Visited("GET /cases/{escalation_id}", "Sofia", case),
    "case-auditor": Visited("GET /cases/{escalation_id}", "Amir", case),
    "case-ended": Visited("GET /cases/{escalation_id}", "Omar", ended),
    "case-stranger": Visited("GET /cases/{escalation_id}", None, case),
    "case-unknown": Visited("GET /cases/{escalation_id}", "Omar", at("/cases/esc_0")),
    "link": Visited("GET /d/{link_id}", None, at("/d/lnk_0#secret")),
    "link-incomplete": Visited("GET /d/{link_id}", None, at("/d/lnk_0")),
    "link-dead": Visited("GET /d/{link_id}", None, at("/d/lnk_0#secret"), _open_dead_link),
    "link-fresh": Visited("GET /d/{link_id}", None, at("/d/lnk_0#secret"), _fresh_link),
    "sign-in": Visited("GET /sign-in", None, at("/sign-in")),
    "sign-in-out": Visited("GET /sign-in", None, at("/sign-in?out=1")),
    "sign-in-sent": Visited("GET /sign-in", None, at("/sign-in"), _ask_for_link),
    "settings": Visited("GET /settings", "Omar", at("/settings")),
    "settings-sign-in": Visited("GET /settings/sign-in", "Omar", at("/settings/sign-in")),
    "people-sign-in": Visited("GET /people/sign-in", "Dana", at("/people/sign-in")),
    "set-up": Visited("GET /set-up", "Dana", at("/set-up")),
    "admin-alerts": Visited("GET /admin/alerts", "Dana", at("/admin/alerts")),
    "forbidden": Visited("GET /admin/alerts", "Omar", at("/admin/alerts")),
    "case-part-steps": Visited("GET /cases/{escalation_id}/parts/{part}", "Omar", part("steps")),
    "case-part-action": Visited("GET /cases/{escalation_id}/parts/{part}", "Omar", part("action")),
    "case-form": Visited("GET /cases/{escalation_id}/modify", "Omar", lambda world: f"{case(world)}/modify"),
    "alike": Visited("GET /alike/{escalation_id}", "Omar", lambda world: f"/alike/{world.alike}"),
    "audit": Visited("GET /audit", "Amir", at("/audit")),
    "audit-verify": Visited("GET /audit/verify", "Amir", at("/audit/verify")),
    "audit-evidence": Visited("GET /audit/evidence", "Amir", at("/audit/evidence")),
    "stats": Visited("GET /stats", "Sofia", at("/stats")),
    "stats-people": Visited("GET /stats/people", "Sofia", at("/stats/people")),
    "canaries": Visited("GET /canaries", "Sofia", at("/canaries")),
    "admin": Visited("GET /admin", "Dana", at("/admin")),
    "admin-people": Visited("GET /admin/people", "Dana", at("/admin/people")),
    "admin-person": Visited("GET /admin/people/{person_id}", "Dana", at("/admin/people"), _first("Omar")),
    "admin-agents": Visited("GET /admin/agents", "Dana", at("/admin/agents")),
    "admin-agent": Visited(
        "GET /admin/agents/{agent_id}", "Dana", lambda world: f"/admin/agents/{world.agent}"
    ),
    "admin-keys": Visited("GET /admin/keys", "Dana", at("/admin/keys")),
    "admin-policy": Visited("GET /admin/policy", "Dana", at("/admin/policy")),
    "admin-policy-version": Visited(
        "GET /admin/policy/{digest}", "Dana", lambda world: f"/admin/policy/{world.policy}"
    ),
    "style": Visited("GET /style", "Dana", at("/style")),
    "offline": Visited("GET /offline", None, at("/offline")),
    "nothing-there": Visited("GET /", "Omar", at("/no/such/page")),
}


@pytest.fixture
def page_alerting(desk: Desk, tmp_path: Path, clock: HandClock) -> Alerting:
    """The settings offer what they offer where alerts are sent."""
    vapid = open_vapid(tmp_path / "keys", contact="mailto:admin@example.com")
    return alerting(desk, Channels(io.StringIO(), push=PushSender(vapid, clock)))


World_ = Callable[[], Any]


@pytest.fixture
def world(desk: Desk, cast: Cast, visit: Visit) -> World_:
    @asynccontextmanager
    async def made() -> AsyncGenerator[World]:
        await add_person(desk, "Dana", roles=["admin"])
        await set_addresses(desk, "Omar", ("mailto://omar:secret@mail.example", "ntfys://ntfy.sh/omar"))
        pending = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL, response_schema=REFUND_RESPONSE)
        await ask(desk, cast.bea, SQL)
        done = await ask(desk, cast.ada, {"tool": "send_mail", "arguments": {"to": "דנה@example.com"}})
        view = await look(desk, cast.sofia, done)
        answer = Answer("reject", note="Ask legal first")
        await decide(desk, cast.sofia, done, answer, version=1, view_digest=view.view_digest)
        alike = [
            await ask(desk, cast.ada, {"tool": "send_mail", "arguments": {"to": f"{to}@example.com"}})
            for to in ("ann", "bob")
        ]
        async with visit() as site:
            policy = desk.policy.current().digest
            yield World(site, pending, done, alike[0], cast.ada.id, policy)

    return made


async def test_every_page_of_the_application_is_in_the_table(
    desk: Desk, cast: Cast, page_alerting: Alerting
) -> None:
    known = {one.route for one in PAGES.values()}
    there = {name for method, _, name in routes(desk) if method == "GET"}

    assert known | NO_PAGES == there
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(build_pages(desk, page_alerting)), base_url=desk.settings.base_url
    ) as browser:
        for method, path, name in routes(desk):
            if name in NO_PAGES - {"GET /cases/{escalation_id}/attachments/{number}"} and method == "GET":
                answer = await browser.get(path)
                is_error = answer.status_code >= 400
                assert is_error or not answer.headers["content-type"].startswith("text/html"), name


async def show(world: World, name: str, **options: Any) -> Page:
    """Go to a page of the table."""
    one = PAGES[name]
    page = await world.page_of(one.who, **options)
    await page.goto(world.site.url + one.path(world))
    if one.then is not None:
        await one.then(page)
    return page


async def picture(page: Page, path: Path) -> None:
    """Take a picture where somebody asked for pictures: of every page in every size that takes minutes."""
    if "SIGNOFF_SCREENSHOTS" in os.environ:
        await page.screenshot(path=path, full_page=True)


async def cut_off(page: Page) -> list[str]:
    """Say whether the page can be scrolled sideways."""
    wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return ["is wider than the screen"] if wide else []


PARTS = 4
"""Into how many tests the pages are dealt, so that several processes share them."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(PARTS))
async def test_every_page_can_be_used_by_everybody(world: World_, screenshots: Path, part: int) -> None:
    """Each page is opened twice, on a phone and on a desk; light and dark, and zoomed, it is the same page."""
    found: dict[str, list[str]] = {}
    async with world() as made:
        for name in list(PAGES)[part::PARTS]:
            for size, shape in SIZES.items():
                page = await show(made, name, viewport=shape, color_scheme="light", reduced_motion="reduce")
                for scheme in ("light", "dark"):
                    await page.emulate_media(color_scheme=scheme)
                    await picture(page, screenshots / f"{name}-{size}-{scheme}.png")
                    told = await barriers(page, of_colours=scheme == "dark")
                    found[f"{name}-{size}-{scheme}"] = await cut_off(page) + told
                if size == "desk":
                    await page.emulate_media(color_scheme="light")
                    for zoom, zoomed in ZOOMED.items():
                        await page.set_viewport_size(zoomed)
                        await picture(page, screenshots / f"{name}-{zoom[:-1]}.png")
                        found[f"{name}-{zoom}"] = await cut_off(page)
                    await has_a_heading_a_title_and_a_way_past_the_navigation(page, name)
                await page.context.close()

    assert {name: told for name, told in found.items() if told} == {}


async def has_a_heading_a_title_and_a_way_past_the_navigation(page: Page, name: str) -> None:
    assert await page.locator("h1").count() == 1, name
    assert re.fullmatch(r".+ · signoff", await page.title()), name
    if PAGES[name].then is None:
        await page.keyboard.press("Tab")
        skip = page.locator("body > .skip")
        await expect(skip, name).to_be_focused()
        await expect(skip, name).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main"), name).to_be_focused()
