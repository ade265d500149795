"""The frame of the pages in a real browser: installed, offline, by keyboard, in every zone and direction, and from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from playwright.async_api import BrowserContext, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from tests.browser.conftest import REFUND, REFUND_MATERIAL, Site, Visit, ask
from tests.browser.test_alerts import delivered
from tests.conftest import Cast

from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.people import add_person
from signoff.desk.sign_in import issue_sign_in_link

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
SETTINGS = "/settings"


async def enter(site: Site, name: str, **options: Any) -> Page:
    page = await site.page(**{"viewport": PHONE, **options})
    await page.goto(await issue_sign_in_link(site.desk, name))
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url(site.url + "/")
    return page


async def working(page: Page, site: Site) -> None:
    """Have the worker started and in charge of the page."""
    await page.goto(site.url + SETTINGS)
    await page.evaluate(
        """async () => { await navigator.serviceWorker.ready;
        if (!navigator.serviceWorker.controller)
          await new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done)); }"""
    )


async def test_a_browser_can_install_the_pages_as_an_app(desk: Desk, cast: Cast, visit: Visit) -> None:
    async with visit() as site:
        page = await enter(site, "Omar")
        tools = await page.context.new_cdp_session(page)
        told = await tools.send("Page.getAppManifest")
        hindered = await tools.send("Page.getInstallabilityErrors")
        icons = json.loads(told["data"])["icons"]
        sizes = [
            await page.evaluate(
                """async (url) => { const image = new Image(); image.src = url; await image.decode();
                return `${image.naturalWidth}x${image.naturalHeight}`; }""",
                told["url"].rpartition("/")[0] + "/" + icon["src"],
            )
            for icon in icons
            if icon["type"] == "image/png"
        ]

    assert told["errors"] == []
    # A browser of a test keeps its profile in memory, and that alone stands in the way.
    assert {one["errorId"] for one in hindered["installabilityErrors"]} <= {"in-incognito"}
    assert sizes == [icon["sizes"] for icon in icons if icon["type"] == "image/png"]
    assert {"192x192", "512x512"} <= set(sizes)


async def test_without_a_connection_the_page_says_so_and_comes_back(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        page = await enter(site, "Omar")
        await working(page, site)
        await page.context.set_offline(True)

        await page.goto(f"{site.url}/cases/{case}")

        await page.get_by_role("heading", name="No connection").wait_for()
        assert "refund_payment" not in await page.content()
        assert (
            await page.evaluate("getComputedStyle(document.querySelector('.card')).borderTopWidth") == "1px"
        )
        await page.screenshot(path=screenshots / "offline-phone.png")
        await page.context.set_offline(False)
        await page.get_by_role("link", name="Try again").click()
        await page.get_by_role("heading", name="Let Ada run refund_payment?").wait_for()
        kept = await page.evaluate(
            """async () => { const found = []; for (const name of await caches.keys())
            for (const one of await (await caches.open(name)).keys()) found.push(new URL(one.url).pathname); return found; }"""
        )
    assert sorted(path.rpartition("/")[2] for path in kept) == ["offline", "page.css", "tokens.css"]


async def test_a_form_that_cannot_be_sent_stays_as_it_was_written(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        page = await enter(site, "Omar")
        await page.goto(f"{site.url}/cases/{case}")
        await page.get_by_role("link", name="Reject").click()
        note = page.locator("#reject textarea[name=note]")
        await note.fill("Ask finance first")
        await page.context.set_offline(True)
        await page.locator("#reject").get_by_role("button", name="Reject").click()

        await expect(page.get_by_role("alert")).to_contain_text("Not sent")
        assert await note.input_value() == "Ask finance first"
        assert (await look(desk, cast.omar, case)).case.is_open

        await page.context.set_offline(False)
        await expect(page.locator("#offline-note")).to_be_hidden()
        await page.locator("#reject").get_by_role("button", name="Reject").click()
        await page.get_by_role("button", name="Undo").wait_for()


TAP = """async () => {
  self.opened = []; self.focused = [];
  self.clients.openWindow = async (url) => { self.opened.push(url); };
  WindowClient.prototype.focus = async function () { self.focused.push(this.url); return this; };
  const [shown] = await self.registration.getNotifications();
  const waits = [];
  const tap = new NotificationEvent("notificationclick", { notification: shown });
  tap.waitUntil = (promise) => waits.push(promise);
  self.dispatchEvent(tap);
  await Promise.all(waits);
  return { opened: self.opened, focused: self.focused };
}"""


@pytest.mark.whole_chromium
async def test_a_tap_on_a_push_opens_its_case_also_for_whoever_must_sign_in_first(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    other = await ask(desk, cast.bea, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        page = await enter(site, "Omar")
        await page.context.grant_permissions(["notifications"], origin=site.url)
        await working(page, site)
        [worker] = page.context.service_workers
        message = json.dumps({"title": "refund_payment", "body": "…", "url": f"{site.url}/cases/{case}"})
        await delivered(page.context, page, site.url, message)

        assert await worker.evaluate(TAP) == {"opened": [f"{site.url}/cases/{case}"], "focused": []}
        # Where that case is open already, its window comes to the front.
        await page.goto(f"{site.url}/cases/{case}#decision")
        await (await page.context.new_page()).goto(f"{site.url}/cases/{other}")
        await delivered(page.context, page, site.url, message)
        tapped = await worker.evaluate(TAP)
        assert (tapped["opened"], len(tapped["focused"])) == ([], 1)
        assert tapped["focused"][0].startswith(f"{site.url}/cases/{case}")

        await page.context.clear_cookies()
        await page.goto(f"{site.url}/cases/{case}")
        await page.get_by_text("You will then see the case.").wait_for()


async def test_the_menu_is_reached_and_left_by_keyboard(desk: Desk, cast: Cast, visit: Visit) -> None:
    await add_person(desk, "Dana", roles=["admin"])
    async with visit() as site:
        page = await enter(site, "Dana")
        reached = []
        for _ in range(7):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.textContent.trim()"))
        assert reached[1:] == ["signoff", "Inbox", "Audit", "Stats", "Admin", "Dana"]

        await page.keyboard.press("Enter")
        await page.locator("#me").wait_for(state="visible")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Your alerts").first).to_be_focused()
        await page.keyboard.press("Escape")
        await page.locator("#me").wait_for(state="hidden")
        await expect(page.locator(".me")).to_be_focused()

        await page.keyboard.press("Enter")
        for _ in range(3):
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/sign-in?out=1")


async def test_without_javascript_the_navigation_and_the_menu_work(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    await add_person(desk, "Dana", roles=["admin"])
    async with visit() as site:
        scripted = await enter(site, "Dana")
        plain = await site.visitor(viewport=PHONE, java_script_enabled=False)
        await plain.add_cookies(await scripted.context.cookies())  # type: ignore[arg-type]
        page = await plain.new_page()
        await page.goto(site.url + "/")
        await page.get_by_role("link", name="Admin").click()
        await expect(page.get_by_role("link", name="Admin")).to_have_attribute(
            "aria-current", re.compile("page|true")
        )
        await page.locator(".me").click()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_text("You are signed out.").wait_for()


async def test_nothing_moves_for_whoever_wants_no_motion(desk: Desk, cast: Cast, visit: Visit) -> None:
    await add_person(desk, "Dana", roles=["admin"])
    moving = """() => [...document.querySelectorAll("*")].flatMap((one) => ["", "::before", "::after"].map((part) =>
      getComputedStyle(one, part)).filter((style) => !/^(0s(, )?)+$/.test(style.transitionDuration) || style.animationName !== "none"))
      .length"""
    async with visit() as site:
        page = await enter(site, "Dana", reduced_motion="no-preference")
        await page.goto(site.url + "/style")
        assert await page.evaluate(moving) > 0
        await page.emulate_media(reduced_motion="reduce")
        assert await page.evaluate(moving) == 0


@pytest.mark.parametrize(
    ("zone", "locale", "shows"),
    [
        ("Asia/Tokyo", "en-GB", "24 Nov 2026, 05:31:05"),
        ("America/Los_Angeles", "en-US", "Nov 23, 2026, 12:31:05"),
        ("Asia/Kolkata", "de-DE", "24.11.2026, 02:01:05"),
    ],
)
async def test_times_stand_in_the_readers_zone_and_keep_utc_for_who_asks(
    desk: Desk, cast: Cast, visit: Visit, zone: str, locale: str, shows: str
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    at = (await look(desk, cast.omar, case)).case.opened_at
    async with visit() as site:
        page = await enter(site, "Omar", timezone_id=zone, locale=locale)
        await page.goto(f"{site.url}/cases/{case}")
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        told = page.locator(f"time[datetime='{at:%Y-%m-%dT%H:%M:%SZ}']").first
        text = (await told.inner_text()).replace("\u202f", " ")
        title = await told.get_attribute("title")

    assert text.startswith(shows)
    assert title == f"{at:%-d %b %Y, %H:%M:%S} UTC"


async def test_words_from_right_to_left_move_nothing_beside_them(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path
) -> None:
    await add_person(desk, "דנה 12", roles=["operator"])
    material = {
        "subject": {"id": "c_1", "name": "دانا"},
        "messages": [{"role": "user", "content": "אני רוצה את הכסף."}],
    }
    action = {
        **REFUND,
        "tool": "refund_payment",
        "arguments": {"to": "דנה@example.com", "amount_eur": 1240},
        "summary": "החזר",
    }
    case = await ask(desk, cast.ada, action, material)
    async with visit() as site:
        page = await enter(site, "דנה 12")
        name = page.locator(".me__name")
        assert await name.evaluate("(one) => getComputedStyle(one).unicodeBidi") in ("isolate", "plaintext")
        await page.screenshot(path=screenshots / "rtl-inbox.png")
        await page.goto(f"{site.url}/cases/{case}")
        said = page.locator(".material .text", has_text="החזר").first
        box = await said.bounding_box()
        assert box is not None
        left = await said.evaluate(
            "(one) => { const range = document.createRange(); range.selectNodeContents(one); return range.getBoundingClientRect().left; }"
        )
        assert left > box["x"] + box["width"] / 2, "Hebrew begins on the right"
        begins = """(one, part) => { const texts = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
          while (texts.nextNode()) { const at = texts.currentNode.data.indexOf(part);
            if (at < 0) continue;
            const range = document.createRange();
            range.setStart(texts.currentNode, at); range.setEnd(texts.currentNode, at + part.length);
            return range.getBoundingClientRect().left; } }"""
        value = page.locator("#action .value__is", has_text="example.com").first
        assert await value.evaluate(begins, "דנה") < await value.evaluate(begins, "example.com")
        await page.screenshot(path=screenshots / "rtl-case.png", full_page=True)
        assert await page.evaluate("document.documentElement.dir") == "ltr"


@asynccontextmanager
async def foreign(body: str) -> AsyncGenerator[str]:
    """Run a site of Mallory's, on the same machine and another port: another origin, and to cookies the same site."""

    async def show(request: Request) -> Response:
        return HTMLResponse(body)

    config = uvicorn.Config(
        Starlette(routes=[Route("/", show)]), port=0, log_config=None, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        with anyio.fail_after(8):
            while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
                await anyio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.should_exit = True


async def _refusals(context: BrowserContext) -> list[int]:
    answers: list[int] = []
    context.on("response", lambda one: answers.append(one.status) if one.request.method == "POST" else None)
    return answers


@pytest.mark.parametrize("worker", [False, True])
async def test_a_page_from_elsewhere_sends_no_form_for_whoever_is_signed_in(
    desk: Desk, cast: Cast, visit: Visit, worker: bool
) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    view = await look(desk, cast.omar, case)
    fields = {"version": str(view.case.version), "view_digest": view.view_digest, "choice": "approve"}
    inputs = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in fields.items())
    async with visit() as site:
        page = await enter(site, "Omar")
        if worker:
            await working(page, site)
        form = (
            f'<form method="post" action="{site.url}/cases/{case}/decide">{inputs}<button>Win</button></form>'
        )
        fetching = f"""<script>fetch("{site.url}/cases/{case}/decide", {{method: "POST", credentials: "include", mode: "no-cors",
          headers: {{"Content-Type": "application/x-www-form-urlencoded"}}, body: new URLSearchParams({json.dumps(fields)})}})
          .finally(() => document.title = "tried")</script>"""
        async with foreign(form + fetching) as url:
            answers = await _refusals(page.context)
            await page.goto(url)
            await page.wait_for_function("document.title === 'tried'")
            await page.get_by_role("button", name="Win").click()
            await page.get_by_role("heading", name="This did not come from our page").wait_for()
    assert answers == [403, 403]
    assert (await look(desk, cast.omar, case)).case.is_open


async def test_no_page_is_shown_in_a_frame_of_another(desk: Desk, cast: Cast, visit: Visit) -> None:
    case = await ask(desk, cast.ada, REFUND, REFUND_MATERIAL)
    async with visit() as site:
        page = await enter(site, "Omar")
        paths = ["/", f"/cases/{case}", "/sign-in", "/settings", "/settings/sign-in", "/offline", "/d/lnk_0"]
        frames = "".join(f'<iframe src="{site.url}{path}"></iframe>' for path in paths)
        async with foreign(f"<h1>Mallory</h1>{frames}") as url:
            await page.goto(url, wait_until="load", timeout=30_000)
            inside = [frame for frame in page.frames if frame is not page.main_frame]
            seen = [await frame.locator(".card, .lines, .case").count() for frame in inside]
    assert len(seen) == len(paths)
    assert set(seen) == {0}
