"""What alerts look like on a phone, and push messages in a real browser.

The push service of the browser's maker cannot be reached from here, so its answer to `subscribe` is played; everything else
is real: the page under its policy, the service worker, the encryption, the notification.
"""

from __future__ import annotations

import io
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Page, ViewportSize
from tests._support.browser_keys import Browser
from tests._support.clock import HandClock
from tests._support.endpoint import serving
from tests._support.tls import Authority
from tests.alerts.test_messages import BASE, told, worded
from tests.browser.conftest import everybody_leaves, served
from tests.conftest import Cast

from signoff.alerts.channels import Channels
from signoff.alerts.vapid import open_vapid
from signoff.alerts.webpush import PushSender, payload_of
from signoff.app.alerting import alerting
from signoff.desk.addresses import health_of_addresses, record_test
from signoff.desk.desk import Desk
from signoff.desk.people import add_person, set_addresses
from signoff.desk.sign_in import issue_sign_in_link
from signoff.domain.alert import Failed, Sent
from signoff.operators.web import build_pages

pytestmark = pytest.mark.browser

PHONE = ViewportSize(width=390, height=844)
SUBSCRIBED = """
PushManager.prototype.getSubscription = async () => null;
PushManager.prototype.subscribe = async function (options) {
  window.asked = { visible: options.userVisibleOnly, key: options.applicationServerKey.length };
  return { toJSON: () => (%s) };
};
"""


@asynccontextmanager
async def pages_of(
    desk: Desk, listening: socket.socket, channels: Channels, chromium: Chromium
) -> AsyncGenerator[BrowserContext]:
    """Run the pages with what sends alerts, and a browser that may notify."""
    async with served(build_pages(desk, alerting(desk, channels)), listening):
        try:
            context = await chromium.new_context(viewport=PHONE)
            context.set_default_timeout(8000)
            await context.grant_permissions(["notifications"], origin=desk.settings.base_url)
            yield context
        finally:
            await everybody_leaves(chromium)


async def enter(desk: Desk, page: Page, name: str) -> None:
    await page.goto(await issue_sign_in_link(desk, name))
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url(desk.settings.base_url + "/")


@pytest.mark.whole_chromium
async def test_a_browser_subscribes_on_the_settings_page_and_shows_what_is_pushed_to_it(
    desk: Desk,
    cast: Cast,
    listening: socket.socket,
    chromium: Chromium,
    tmp_path: Path,
    clock: HandClock,
    screenshots: Path,
) -> None:
    authority, browser = Authority(tmp_path / "tls"), Browser("https://push.example.com/send/abc")
    subscription = {
        "endpoint": browser.endpoint,
        "keys": {"p256dh": browser.p256dh, "auth": browser.auth},
    }
    with serving(authority.server("push.example.com")) as service:
        vapid = open_vapid(tmp_path / "keys", contact="mailto:admin@example.com")
        sender = PushSender(
            vapid, clock, resolve=lambda host: ("127.0.0.1", service.port), tls=authority.client()
        )
        channels = Channels(io.StringIO(), push=sender)
        async with pages_of(desk, listening, channels, chromium) as context:
            await context.add_init_script(SUBSCRIBED % json.dumps(subscription))
            page = await context.new_page()
            problems: list[str] = []
            page.on("console", lambda one: problems.append(one.text) if one.type == "error" else None)
            page.on("pageerror", lambda error: problems.append(str(error)))
            await enter(desk, page, "Omar")
            await page.get_by_role("button", name="Omar").click()
            await page.locator("#me").get_by_role("link", name="Your alerts").click()
            await page.get_by_role("button", name="Send alerts to this browser").click()
            await page.get_by_role("button", name="Take off webpush:").wait_for()
            await page.screenshot(path=screenshots / "settings.png", full_page=True)
            assert problems == []

            # The channel: encrypted for this browser, taken by the push service.
            (mine,) = [one for one in await health_of_addresses(desk) if one.address.startswith("webpush:")]
            assert mine.person.name == "Omar"
            message = worded(told("opened"))
            assert await channels.send(mine.address, message) == Sent()
            plain = browser.read(service.received[0].body)
            assert plain == payload_of(message)

            # The worker: the same bytes, handed over as the push service's connection would.
            own = plain.decode().replace(BASE, desk.settings.base_url)
            shown = await delivered(context, page, desk.settings.base_url, own, plain.decode())

    assert {one["title"] for one in shown} == {"signoff [high] wire_transfer waits for you, 30 min left"}
    assert shown[0]["body"].startswith("Ada asks for a decision.")
    # A page of another origin is not opened, whatever a message says.
    base = desk.settings.base_url
    assert {one["url"] for one in shown} == {f"{base}/cases/esc_1", f"{base}/"}


async def delivered(context: BrowserContext, page: Page, url: str, *messages: str) -> list[dict[str, Any]]:
    """Give messages to the page's worker, and return the notifications that it shows."""
    tools = await context.new_cdp_session(page)
    known: list[str] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: known.extend(one["registrationId"] for one in told["registrations"]),
    )
    await tools.send("ServiceWorker.enable")
    with anyio.fail_after(20):
        # A message to a worker that is still being installed is lost.
        await page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        while not known:  # noqa: ASYNC110 - playwright calls back in its own time
            await anyio.sleep(0.01)
        for data in messages:
            await tools.send(
                "ServiceWorker.deliverPushMessage", {"origin": url, "registrationId": known[0], "data": data}
            )
        while True:
            shown: list[dict[str, Any]] = await page.evaluate(
                """async () => (await (await navigator.serviceWorker.getRegistration("/")).getNotifications())
                .map((one) => ({ title: one.title, body: one.body, url: one.data.url }))"""
            )
            if len(shown) == len(messages):
                return shown
            await anyio.sleep(0.01)


async def test_a_browser_that_cannot_subscribe_says_what_to_do(
    desk: Desk, cast: Cast, listening: socket.socket, chromium: Chromium, tmp_path: Path, clock: HandClock
) -> None:
    vapid = open_vapid(tmp_path / "keys", contact="mailto:admin@example.com")
    channels = Channels(io.StringIO(), push=PushSender(vapid, clock))
    async with pages_of(desk, listening, channels, chromium) as context:
        await context.add_init_script(
            "PushManager.prototype.subscribe = async () => { throw new DOMException('no', 'AbortError'); };"
        )
        page = await context.new_page()
        await enter(desk, page, "Omar")
        await page.goto(desk.settings.base_url + "/settings")
        await page.get_by_role("button", name="Send alerts to this browser").click()

        await page.get_by_role("alert").get_by_text("could not subscribe").wait_for()


async def test_the_admins_page_fits_a_phone_and_a_desk_and_needs_no_script(
    desk: Desk,
    cast: Cast,
    listening: socket.socket,
    chromium: Chromium,
    tmp_path: Path,
    clock: HandClock,
    screenshots: Path,
) -> None:
    await add_person(desk, "Nadia", roles=["admin"], addresses=())
    await set_addresses(
        desk, "Sofia", ("mailtos://user:secret@example.com?to=sofia@example.com", "terminal:")
    )
    await set_addresses(desk, "Omar", (f"ntfys://push.example.com/{'x' * 40}",))
    (omars,) = [one for one in await health_of_addresses(desk) if one.person.name == "Omar"]
    await record_test(desk, cast.sofia.actor, omars, Failed("NotifyNtfy did not take it (failure)"))
    channels = Channels(io.StringIO())
    async with pages_of(desk, listening, channels, chromium) as context:
        page = await context.new_page()
        await enter(desk, page, "Nadia")
        cookies = await context.cookies()
        without = await context.browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[union-attr]
        await without.add_cookies(cookies)  # type: ignore[arg-type]
        page = await without.new_page()
        await page.goto(desk.settings.base_url + "/admin/alerts")
        await page.get_by_role("button", name="Send a test to Sofia, terminal:").click()
        await page.get_by_text("The channel took the test for Sofia").wait_for()
        for size in (PHONE, ViewportSize(width=1280, height=800)):
            await page.set_viewport_size(size)
            await page.screenshot(path=screenshots / f"admin-alerts-{size['width']}.png", full_page=True)
            sideways = await page.locator("html").evaluate("one => one.scrollWidth > one.clientWidth")
            assert not sideways


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_mail_fits_a_phone_and_can_be_read_in_both_schemes(
    chromium: Chromium, screenshots: Path, scheme: Any
) -> None:
    context = await chromium.new_context(
        viewport=PHONE, color_scheme=scheme, java_script_enabled=True, offline=True
    )
    for kind in ("opened", "decided", "digest"):
        page = await context.new_page()
        await page.set_content(worded(told(kind, tool="wire_transfer_" + "x" * 60)).html)
        assert not await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert await page.locator("table, img, script").count() == 0
        for contrast in await page.evaluate(CONTRASTS):
            assert contrast["ratio"] >= 4.5, contrast
        await page.screenshot(path=screenshots / f"mail-{kind}-{scheme}.png", full_page=True)


CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((one) => one / 255)
      .map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if ((channels(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.body.querySelectorAll("*")].filter((one) => one.textContent.trim()).map((one) => {
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
    return { ratio: (a + 0.05) / (b + 0.05), text: one.textContent.trim().slice(0, 40) };
  });
}"""
