"""Passkeys in a real browser: Chromium's own authenticator makes and signs; what it did not sign decides nothing."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from playwright.async_api import BrowserContext, CDPSession, Page, Route, expect
from tests.browser.conftest import Site, Visit, ask
from tests.conftest import Cast

from signoff.desk.deliver import lease
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.look import look
from signoff.desk.passkeys import confirm_passkey, passkeys_of
from signoff.desk.people import add_person
from signoff.desk.sessions import signed_in
from signoff.desk.set_up import issue_set_up_link
from signoff.desk.sign_in import issue_sign_in_link, open_link
from signoff.domain.people import SignIn

pytestmark = pytest.mark.browser

POLICY = """\
version: 1
triggers:
  - id: vault
    title: Opening the vault
    tools: [open_vault]
    then: escalate
    require: {assurance: passkey}
  - id: ledger
    title: Closing the ledger
    tools: [close_ledger]
    then: escalate
    require: {assurance: session}
"""
VAULT = {"tool": "open_vault", "arguments": {"door": 7, "reason": "audit"}, "summary": "Get the ring"}
LEDGER = {"tool": "close_ledger", "arguments": {"year": 2026}}
SIZES = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1280, "height": 800}}


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def settings(listening: socket.socket) -> DeskSettings:
    """A host name: browsers allow no passkey at an address."""
    return DeskSettings(base_url=f"http://localhost:{listening.getsockname()[1]}", undo_s=10)


class Device:
    """A phone or a key: Chromium's virtual authenticator (the CDP's WebAuthn domain), one per page."""

    def __init__(self, session: CDPSession, authenticator: str) -> None:
        self._session = session
        self._id = authenticator

    async def verifies(self, yes: bool) -> None:
        """Let the person be recognised from now on, or not."""
        parameters = {"authenticatorId": self._id, "isUserVerified": yes}
        await self._session.send("WebAuthn.setUserVerified", parameters)

    async def credentials(self) -> list[dict[str, Any]]:
        made = await self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        return list(made["credentials"])

    async def hold(self, credential: dict[str, Any]) -> None:
        """Take a passkey from another device, private key and all."""
        await self._session.send(
            "WebAuthn.addCredential", {"authenticatorId": self._id, "credential": credential}
        )


async def device_of(page: Page) -> Device:
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return Device(session, made["authenticatorId"])


async def enter(site: Site, name: str, **options: Any) -> Page:
    """Sign a person in by a link, in a browser of their own."""
    context: BrowserContext = await site.visitor(**options)
    link, _, secret = (await issue_sign_in_link(site.desk, name)).rpartition("/")[2].partition("#")
    opened = await open_link(site.desk, link, secret, source="test")
    await context.add_cookies([{"name": "signoff", "value": opened.token, "url": site.url}])
    return await context.new_page()


async def enrolled(site: Site, name: str, by: SignIn, **options: Any) -> tuple[Page, Device]:
    """Have a person add a passkey on their page, and a second person confirm it."""
    page = await enter(site, name, **options)
    device = await device_of(page)
    await page.goto(f"{site.url}/settings/sign-in")
    await page.get_by_label("Name of the new one").fill(f"{name}'s phone")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("status")).to_contain_text("Your passkey was added")
    [passkey] = await passkeys_of(site.desk, name)
    await confirm_passkey(site.desk, by, passkey.credential)
    return page, device


async def cookie_of(page: Page) -> str:
    return next(one["value"] for one in await page.context.cookies() if one["name"] == "signoff")


async def test_a_passkey_is_added_confirmed_by_a_second_person_and_signs_in(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    async with visit() as site:
        omar = await enter(site, "Omar")
        device = await device_of(omar)
        await omar.goto(f"{site.url}/settings/sign-in")
        await omar.get_by_label("Name of the new one").fill("phone")
        await omar.get_by_role("button", name="Add a passkey").click()
        await expect(omar.get_by_text("Waits for a second person")).to_be_visible()
        shown = await omar.locator(".fingerprint").inner_text()
        await omar.get_by_role("button", name="Omar", exact=True).click()
        await omar.get_by_role("button", name="Sign out", exact=True).click()
        await omar.get_by_role("button", name="Sign in with a passkey").click()
        await expect(omar.get_by_role("alert").first).to_contain_text("did not sign you in")

        sofia = await enter(site, "Sofia")
        await sofia.goto(site.url)
        await sofia.get_by_role("link", name="1 passkey waits for you to confirm").click()
        await expect(sofia.locator(".fingerprint")).to_have_text(shown)
        await sofia.get_by_role("checkbox").check()
        await sofia.get_by_role("button", name="Confirm phone of Omar").click()
        await expect(sofia.get_by_role("status")).to_contain_text("signs from now on")

        await omar.get_by_role("button", name="Sign in with a passkey").click()
        await omar.wait_for_url(f"{site.url}/")
        here = await signed_in(desk, await cookie_of(omar))
        assert (here.person.name, here.assurance, here.way) == ("Omar", "passkey", "passkey")
        assert [one["userHandle"] for one in await device.credentials()] != [""]


async def test_a_person_signs_a_decision_and_a_change_with_their_passkey(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    first, second, third = [
        await ask(desk, cast.ada, {**VAULT, "arguments": {"door": n, "reason": "audit"}}) for n in range(3)
    ]
    async with visit() as site:
        page, device = await enrolled(site, "Omar", cast.sofia)
        await page.goto(f"{site.url}/cases/{first}")
        await device.verifies(False)
        await page.locator("#approve-form").get_by_role("button", name="Approve").click()
        await expect(page.locator("#approve-form").get_by_role("alert")).to_contain_text("Nothing was signed")
        assert (await look(desk, cast.omar, first)).case.is_open
        await device.verifies(True)
        await page.locator("#approve-form").get_by_role("button", name="Approve").click()
        await expect(page.get_by_role("heading", name="You approved this.")).to_be_visible()

        await page.goto(f"{site.url}/cases/{second}")
        await page.locator("#modify > summary").click()
        await page.locator("#modify-form [name=a0]").fill("9")
        await page.locator("#modify-form .actions").get_by_role("button", name="Preview changes").click()
        await page.get_by_role("button", name="Approve with these changes").click()
        await expect(page.get_by_role("heading", name="You approved this with changes.")).to_be_visible()

        await page.goto(f"{site.url}/cases/{third}")
        await page.locator("#reject > summary").click()
        await page.locator("#reject textarea").fill("Not today")
        await page.locator("#reject").get_by_role("button", name="Reject").click()
        await expect(page.get_by_role("heading", name="You rejected this.")).to_be_visible()
    for case in (first, second, third):
        assert (await look(desk, cast.omar, case)).case.assurance == "passkey"


async def test_whoever_came_by_an_alert_steps_up_in_place_and_decides(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    case = await ask(desk, cast.ada, LEDGER)
    async with visit() as site:
        page, _ = await enrolled(site, "Omar", cast.sofia)
        url = next(one.link_url for one in await lease(desk, "test") if one.person.name == "Omar")
        await page.context.clear_cookies()
        await page.goto(url)
        await page.get_by_role("button", name="Continue").click()
        await page.wait_for_url(f"{site.url}/cases/{case}")
        before = await cookie_of(page)
        await page.get_by_role("button", name="Sign in with your passkey").click()
        await expect(page.locator("#approve-form")).to_be_visible()
        assert page.url == f"{site.url}/cases/{case}"
        assert await cookie_of(page) != before
        await page.locator("#approve-form").get_by_role("button", name="Approve").click()
        await expect(page.get_by_role("heading", name="You approved this.")).to_be_visible()


async def bent(page: Page, pattern: str, bend: Any) -> list[dict[str, Any]]:
    """Let somebody between page and server change the passkey's answer; returns what was sent, as it comes."""
    sent: list[dict[str, Any]] = []

    async def handle(route: Route) -> None:
        fields = {name: values[0] for name, values in parse_qs(route.request.post_data or "").items()}
        answer = json.loads(fields["passkey"])
        sent.append({**fields, "passkey": answer})
        bent_fields = {**fields, "passkey": json.dumps(bend(answer))}
        await route.continue_(post_data=urlencode(bent_fields))

    await page.route(pattern, handle)
    return sent


async def test_a_signature_of_another_decision_case_or_person_decides_nothing(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    lena = SignIn(await add_person(desk, "Lena", roles=["operator"]), "session")
    first, second = await ask(desk, cast.ada, VAULT), await ask(desk, cast.bea, VAULT)
    async with visit() as site:
        omar, _ = await enrolled(site, "Omar", cast.sofia)
        other, _ = await enrolled(site, "Lena", cast.sofia)
        kept = await bent(omar, "**/decide", lambda answer: answer)
        await omar.goto(f"{site.url}/cases/{first}")
        await omar.locator("#approve-form").get_by_role("button", name="Approve").click()
        await expect(omar.get_by_role("button", name="Undo")).to_be_visible()
        await omar.get_by_role("button", name="Undo").click()
        await expect(omar.get_by_role("heading", name="Your decision")).to_be_visible()
        await omar.unroute("**/decide")

        # Replayed on the case that was opened again, and carried over to another case and another person.
        replayed = kept[0]["passkey"]
        for page, case, who in ((omar, first, cast.omar), (omar, second, cast.omar), (other, second, lena)):
            await bent(page, "**/decide", lambda answer: replayed)
            await page.goto(f"{site.url}/cases/{case}")
            await page.locator("#approve-form").get_by_role("button", name="Approve").click()
            await expect(page.locator("#problem")).to_contain_text("Decide again")
            await page.unroute("**/decide")
            assert (await look(desk, who, case)).case.is_open

        # A rejection whose signature is put under an approval.
        await omar.goto(f"{site.url}/cases/{second}")
        await omar.locator("#reject > summary").click()
        await omar.locator("#reject textarea").fill("No")

        async def swap(route: Route) -> None:
            fields = {name: values[0] for name, values in parse_qs(route.request.post_data or "").items()}
            await route.continue_(post_data=urlencode({**fields, "choice": "approve"}))

        await omar.route("**/decide", swap)
        await omar.locator("#reject").get_by_role("button", name="Reject").click()
        await expect(omar.locator("#problem")).to_contain_text("What was signed is not this decision")
        assert (await look(desk, cast.omar, second)).case.is_open


async def test_a_passkey_of_another_person_steps_nobody_up(desk: Desk, cast: Cast, visit: Visit) -> None:
    case = await ask(desk, cast.ada, LEDGER)
    await add_person(desk, "Lena", roles=["operator"])
    async with visit() as site:
        _, of_lena = await enrolled(site, "Lena", cast.sofia)
        await enrolled(site, "Omar", cast.sofia)
        url = next(one.link_url for one in await lease(desk, "test") if one.person.name == "Omar")
        context = await site.visitor()
        page = await context.new_page()
        device = await device_of(page)
        await page.goto(url)
        await page.get_by_role("button", name="Continue").click()
        await page.wait_for_url(f"{site.url}/cases/{case}")
        [stolen] = await of_lena.credentials()
        await device.hold(stolen)
        # The browser offers Omar's passkeys only; somebody in between asks for any.
        await page.route("**/sign-in/passkey/challenge", lambda route: offer_any(route))
        await page.get_by_role("button", name="Sign in with your passkey").click()
        await expect(page.get_by_role("alert").first).to_contain_text("did not sign you in")
        await page.goto(f"{site.url}/cases/{case}")
        await expect(page.locator("#approve-form")).to_have_count(0)


async def offer_any(route: Route) -> None:
    response = await route.fetch()
    await route.fulfill(response=response, json={**await response.json(), "credentials": []})


async def test_a_sign_in_that_is_replayed_or_unverified_lets_nobody_in(
    desk: Desk, cast: Cast, visit: Visit
) -> None:
    async with visit() as site:
        page, device = await enrolled(site, "Omar", cast.sofia)
        await page.context.clear_cookies()
        kept = await bent(page, "**/sign-in/passkey", lambda answer: answer)
        await page.goto(f"{site.url}/sign-in")
        await page.get_by_role("button", name="Sign in with a passkey").click()
        await page.wait_for_url(f"{site.url}/")
        await page.unroute("**/sign-in/passkey")

        mallory = await site.page()
        await mallory.goto(f"{site.url}/sign-in")
        answer = await mallory.evaluate(
            """async (passkey) => (await fetch("/sign-in/passkey",
                { method: "POST", body: new URLSearchParams({ passkey: JSON.stringify(passkey) }) })).status""",
            kept[0]["passkey"],
        )
        assert answer == 403
        assert await mallory.context.cookies() == []

        await page.context.clear_cookies()
        await device.verifies(False)
        await page.goto(f"{site.url}/sign-in")
        await page.get_by_role("button", name="Sign in with a passkey").click()
        await expect(page.get_by_role("alert")).to_contain_text("Nothing was signed")
        # A page that does not ask for it: the server does.
        await page.goto(f"{site.url}/sign-in")
        status = await page.evaluate(SIGN_UNVERIFIED)
        assert status == 403


SIGN_UNVERIFIED = """async () => {
  const post = (url, fields) => fetch(url, { method: "POST", body: new URLSearchParams(fields) });
  const asked = await (await post("/sign-in/passkey/challenge", {})).json();
  const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const encode = (raw) => btoa(String.fromCharCode(...new Uint8Array(raw)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const made = await navigator.credentials.get({ publicKey: {
    challenge: decode(asked.challenge), rpId: asked.rp_id, userVerification: "discouraged" } });
  const said = made.response;
  const passkey = { statement: asked.statement, seal: asked.seal, user_handle: encode(said.userHandle), assertion: {
    credential_id: encode(made.rawId), authenticator_data: encode(said.authenticatorData),
    client_data: encode(said.clientDataJSON), signature: encode(said.signature) } };
  return (await post("/sign-in/passkey", { passkey: JSON.stringify(passkey) })).status;
}"""


async def test_the_first_administrator_sets_the_home_up_in_a_browser(desk: Desk, visit: Visit) -> None:
    await add_person(desk, "root", roles=["admin", "supervisor", "operator"])
    url = await issue_set_up_link(desk)
    assert url is not None
    async with visit() as site:
        page = await site.page()
        await device_of(page)
        await page.goto(url)
        await page.get_by_role("button", name="Continue").click()
        await page.wait_for_url(f"{site.url}/set-up")
        await page.get_by_label("Name stands beside").fill("Dana")
        await page.get_by_role("button", name="Save the name").click()
        await expect(page.get_by_role("status")).to_contain_text("Dana")
        await page.get_by_label("Name of the passkey").fill("laptop")
        await page.get_by_role("button", name="Add a passkey").click()
        await expect(page.get_by_role("status")).to_contain_text("waits for a second person")
        await page.get_by_role("link", name="Go to the inbox").click()
        await expect(page.get_by_role("heading", name="Waiting for a decision")).to_be_visible()
    assert await issue_set_up_link(desk) is None


async def fits(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
async def test_the_pages_of_signing_in_fit_the_screen(
    desk: Desk, cast: Cast, visit: Visit, screenshots: Path, size: str, scheme: str
) -> None:
    await add_person(desk, "Dana", roles=["admin", "supervisor"])
    set_up = await issue_set_up_link(desk)
    assert set_up is not None
    case, ledger = await ask(desk, cast.ada, VAULT), await ask(desk, cast.ada, LEDGER)
    options = {"viewport": SIZES[size], "color_scheme": scheme}

    async with visit() as site:

        async def shoot(page: Page, name: str) -> None:
            assert await fits(page), name
            await page.screenshot(path=screenshots / f"{name}-{size}-{scheme}.png", full_page=True)

        dana = await site.page(**options)
        await device_of(dana)
        await dana.goto(set_up)
        await shoot(dana, "set-up-link")
        await dana.get_by_role("button", name="Continue").click()
        await dana.wait_for_url(f"{site.url}/set-up")
        await dana.get_by_label("Name of the passkey").fill("laptop")
        await dana.get_by_role("button", name="Add a passkey").click()
        await dana.get_by_role("status").wait_for()
        await shoot(dana, "set-up")

        omar, device = await enrolled(site, "Omar", cast.sofia, **options)
        lena = await enter(site, "Omar", **options)
        await device_of(lena)
        await lena.goto(f"{site.url}/settings/sign-in")
        await lena.get_by_label("Name of the new one").fill("Security key in the safe")
        await lena.get_by_role("button", name="Add a passkey").click()
        await lena.get_by_role("status").wait_for()
        await shoot(lena, "settings-sign-in")
        await dana.goto(f"{site.url}/people/sign-in")
        await shoot(dana, "people-sign-in")
        await dana.goto(site.url)
        await shoot(dana, "inbox-passkeys")
        await omar.goto(f"{site.url}/cases/{case}")
        await shoot(omar, "case-signs")
        await device.verifies(False)
        await omar.locator("#approve-form").get_by_role("button", name="Approve").click()
        await omar.locator("#approve-form [data-passkey-problem]:not([hidden])").wait_for()
        await omar.screenshot(path=screenshots / f"case-signs-refused-{size}-{scheme}.png")

        links = {one.case.id: one.link_url for one in await lease(desk, "test") if one.person.name == "Omar"}
        stranger = await site.page(**options)
        await stranger.goto(f"{site.url}/sign-in")
        await shoot(stranger, "sign-in")
        await stranger.get_by_label("Your name").fill("Omar")
        await stranger.get_by_role("button", name="Send me a sign-in link").click()
        await shoot(stranger, "sign-in-sent")
        await stranger.goto(links[ledger])
        await stranger.get_by_role("button", name="Continue").click()
        await stranger.locator("#step-up").wait_for()
        await shoot(stranger, "case-step-up")
