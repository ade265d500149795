"""Every route there is, walked: headers, cookies, who gets in, and what no foreign page can make a browser do.

The table of routes is read from the application. A new route that is in none of the lists below fails here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.routing import Route
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link
from tests.operators.test_guard import check_headers

from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.look import look
from signoff.desk.people import disable_person
from signoff.desk.sign_in import issue_sign_in_link, open_link
from signoff.operators.guard import PROBES
from signoff.operators.web import build_pages

FOR_EVERYBODY = {
    "GET /.well-known/jwks.json",
    "GET /audit/checkpoint",
    "GET /audit/consistency",
    "GET /audit/tile/{path:path}",
    "GET /d/{link_id}",
    "GET /healthz",
    "GET /offline",
    "GET /push-worker.js",
    "GET /readyz",
    "GET /sign-in",
    "GET /static/{digest}/{name}",
    "POST /d/{link_id}",
    "POST /d/{link_id}/fresh",
    "POST /sign-in/link",
    "POST /sign-in/passkey",
    "POST /sign-in/passkey/challenge",
    "POST /sign-out",
}
OPENED_BY_A_CASE_LINK = {
    "GET /",
    "GET /cases/{escalation_id}",
    "GET /cases/{escalation_id}/attachments/{number}",
    "GET /cases/{escalation_id}/modify",
    "GET /cases/{escalation_id}/parts/{part}",
    "GET /cases/{escalation_id}/questions",
    "GET /live",
    "POST /cases/{escalation_id}/acknowledge",
    "POST /cases/{escalation_id}/ask",
    "POST /cases/{escalation_id}/challenge",
    "POST /cases/{escalation_id}/changes",
    "POST /cases/{escalation_id}/decide",
    "POST /cases/{escalation_id}/form",
    "POST /cases/{escalation_id}/hand-over",
    "POST /cases/{escalation_id}/override",
    "POST /cases/{escalation_id}/pause-agent",
    "POST /cases/{escalation_id}/preview",
    "POST /cases/{escalation_id}/reassign",
    "POST /cases/{escalation_id}/undo",
}
FOR_PEOPLE_WHO_SIGNED_IN_FULLY = {
    "GET /admin",
    "GET /admin/agents",
    "GET /admin/agents/{agent_id}",
    "GET /admin/alerts",
    "GET /admin/keys",
    "GET /admin/people",
    "GET /admin/people/{person_id}",
    "GET /admin/policy",
    "GET /admin/policy/{digest}",
    "GET /alike/{escalation_id}",
    "GET /audit",
    "GET /audit/evidence",
    "GET /audit/verify",
    "GET /canaries",
    "GET /people/sign-in",
    "GET /set-up",
    "GET /settings",
    "GET /settings/sign-in",
    "GET /stats",
    "GET /stats/people",
    "GET /stats/people.csv",
    "GET /stats/{chart}.csv",
    "GET /style",
    "POST /admin/agents",
    "POST /admin/agents/{agent_id}/key",
    "POST /admin/agents/{agent_id}/limits",
    "POST /admin/agents/{agent_id}/pause",
    "POST /admin/agents/{agent_id}/resume",
    "POST /admin/alerts/test",
    "POST /admin/people",
    "POST /admin/people/{person_id}/addresses",
    "POST /admin/people/{person_id}/disable",
    "POST /admin/people/{person_id}/roles",
    "POST /admin/policy/try",
    "POST /audit/evidence",
    "POST /audit/verify",
    "POST /canaries",
    "POST /people/passkeys/confirm",
    "POST /people/passkeys/revoke",
    "POST /people/sessions/end",
    "POST /set-up/address",
    "POST /set-up/name",
    "POST /settings/browsers",
    "POST /settings/browsers/remove",
    "POST /settings/passkeys",
    "POST /settings/passkeys/challenge",
    "POST /settings/passkeys/revoke",
    "POST /settings/sessions/end",
    "POST /settings/test",
    "POST /together",
    "POST /together/decide",
    "POST /together/undo",
    "POST /views",
    "POST /views/remove",
}
"""To whoever came by the link of one case they answer as to a stranger, or that it is not theirs."""
NAMES = {
    "part": "steps",
    "escalation_id": "esc_0",
    "number": "0",
    "link_id": "lnk_0",
    "digest": "0",
    "name": "page.js",
    "path": "8/0",
    "chart": "time-by-queue",
    "person_id": "per_0",
    "agent_id": "agt_0",
}


def routes(desk: Desk) -> list[tuple[str, str, str]]:
    """Return method, path with names filled in, and the route as it stands in the lists above."""
    made = []
    for route in build_pages(desk).app.routes:  # type: ignore[attr-defined]
        assert isinstance(route, Route)
        for method in sorted(route.methods or ()):
            if method != "HEAD":
                path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: NAMES[found[1]], route.path)
                made.append((method, path, f"{method} {route.path}"))
    return made


async def test_every_route_is_in_exactly_one_list(desk: Desk) -> None:
    there = [name for _, _, name in routes(desk)]
    lists = [FOR_EVERYBODY, OPENED_BY_A_CASE_LINK, FOR_PEOPLE_WHO_SIGNED_IN_FULLY]

    assert sorted(there) == sorted(name for one in lists for name in one)


async def test_every_route_answers_everybody_with_the_headers_and_no_cookie(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
) -> None:
    omar = await signed_in("Omar")
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for method, path, name in routes(desk):
        if name == "POST /sign-out":
            continue
        for browser, headers in (
            (visitor(), {}),
            (omar, {}),
            (omar, foreign),
            (visitor(), {"Host": "evil.example"}),
        ):
            response = await browser.request(
                method, path, headers=headers, data=None if method == "GET" else {}
            )
            check_headers(response)
            assert "set-cookie" not in response.headers, name


async def test_every_post_from_elsewhere_is_refused_before_anything_is_read(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    omar = await signed_in("Omar")
    async with desk.store.reading() as reader:
        before = await reader.head()
    for method, path, name in routes(desk):
        if method != "POST":
            continue
        for headers in (
            {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
            {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "http://127.0.0.1:9999", "Sec-Fetch-Site": "same-site"},
        ):
            assert (await omar.post(path, headers=headers, data={"x": "y"})).status_code == 403, name
    async with desk.store.reading() as reader:
        assert await reader.head() == before
    assert (await omar.get("/")).status_code == 200


async def test_no_route_but_the_public_ones_opens_to_a_stranger_or_an_agent(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    agent = visitor()
    agent.headers["Authorization"] = f"Bearer {cast.ada_key}"
    agent.cookies.set("signoff", cast.ada_key, domain="127.0.0.1")
    for browser in (visitor(), agent):
        for method, path, name in routes(desk):
            response = await browser.request(method, path, data=None if method == "GET" else {})
            if name in FOR_EVERYBODY:
                assert response.status_code != 401, name
            else:
                assert response.status_code == 401, name


async def test_a_link_of_one_case_opens_no_page_of_a_person(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await ask(desk, cast.ada)
    omar = visitor()
    await omar.open_link(await case_link(desk, "Omar"))
    for method, path, name in routes(desk):
        if name in FOR_PEOPLE_WHO_SIGNED_IN_FULLY:
            response = await omar.request(method, path, data=None if method == "GET" else {})
            assert response.status_code in (401, 403), name
            assert cast.omar.person.id not in response.text


async def test_no_page_is_shown_in_a_frame_or_runs_anything_of_its_own(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    sofia = await signed_in("Sofia")
    pages = ["/", f"/cases/{case}", "/settings/sign-in", "/people/sign-in", "/sign-in", "/d/lnk_0", "/set-up"]
    for path in pages:
        response: httpx.Response = await sofia.get(path)
        policy = response.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        for tag in re.findall(r"<(?:script|style|link|img|form)\b[^>]*>", response.text):
            assert not re.search(r"""(?:src|href|action)=["']?(?:https?:|//|javascript:|data:)""", tag), tag
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", response.text), path


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_no_other_method_does_anything(
    desk: Desk, cast: Cast, signed_in: SignedIn, method: str
) -> None:
    case = await ask(desk, cast.ada)
    omar = await signed_in("Omar")
    for _, path, _ in routes(desk):
        assert (await omar.request(method, path)).status_code in (404, 405)
    assert (await look(desk, cast.omar, case)).case.is_open


async def test_probes_are_routes_and_nothing_else_is_answered_by_any_name(
    desk: Desk, visitor: NewVisitor
) -> None:
    paths = {path for _, path, _ in routes(desk)}
    assert paths >= PROBES
    for path in paths - PROBES:
        assert (await visitor().get(path, headers={"Host": "10.0.0.7"})).status_code == 421


async def _signed_out(desk: Desk, browser: Visitor) -> None:
    await browser.post("/sign-out")


async def _disabled(desk: Desk, browser: Visitor) -> None:
    await disable_person(desk, "Omar")


async def _expired(desk: Desk, browser: Visitor) -> None:
    assert isinstance(desk.clock, HandClock)
    desk.clock.advance(12 * 3600)


async def _ended_elsewhere(desk: Desk, browser: Visitor) -> None:
    other = await issue_sign_in_link(desk, "Omar")
    here = {"signoff": browser.cookies["signoff"]}
    await browser.open_link(other)
    await browser.post("/settings/sessions/end", data={"others": "1"})
    assert browser.cookies["signoff"] != here["signoff"]


@pytest.mark.parametrize("end", [_signed_out, _disabled, _expired, _ended_elsewhere])
async def test_a_cookie_whose_session_is_over_opens_no_route_and_changes_nothing(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn, end: Callable[[Desk, Visitor], Any]
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    cookie, form = omar.cookies["signoff"], await omar.form(case)
    await end(desk, omar)
    thief = visitor()
    async with desk.store.reading() as reader:
        before = await reader.head()
    for method, path, name in routes(desk):
        if name in FOR_EVERYBODY:
            continue
        thief.cookies.set("signoff", cookie, domain="127.0.0.1")
        sent = None if method == "GET" else {**form, "choice": "approve"}
        response = await thief.request(method, path.replace("esc_0", case), data=sent)
        assert response.status_code == 401, name
        assert "set-cookie" not in response.headers, name
    async with desk.store.reading() as reader:
        assert await reader.head() == before
    assert (await look(desk, cast.sofia, case)).case.is_open


async def test_reading_every_page_decides_nothing(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    """What a prefetching browser or a scanner with somebody's session does: GET and HEAD, with all that a form would say."""
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    said = {
        **await omar.form(case),
        "choice": "approve",
        "note": "x",
        "to": cast.sofia.person.id,
        "secret": "x",
    }
    before = await look(desk, cast.sofia, case)
    for _, path, name in routes(desk):
        for method in ("GET", "HEAD"):
            response = await omar.request(method, path.replace("esc_0", case), params=said)
            assert "set-cookie" not in response.headers, name

    assert (await look(desk, cast.sofia, case)).case == before.case
    assert (await omar.get("/")).status_code == 200, "still signed in"


async def test_behind_tls_every_route_has_the_headers_and_no_other_cookie_signs_in(
    desk: Desk, cast: Cast
) -> None:
    secure = replace(desk, settings=DeskSettings(base_url="https://signoff.example"))
    link, _, secret = (await issue_sign_in_link(secure, "Omar")).rpartition("/")[2].partition("#")
    token = (await open_link(secure, link, secret, source="test")).token
    headers = {"Origin": "https://signoff.example", "Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(build_pages(secure)),
        base_url="https://signoff.example",
        headers=headers,
    ) as browser:
        for method, path, name in routes(desk):
            # A page of a neighbouring host can plant a plain name, and none that begins with __Host-.
            response = await browser.request(method, path, headers={"Cookie": f"signoff={token}"})
            assert response.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
            assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
            if name not in FOR_EVERYBODY:
                assert response.status_code == 401, name
        ours = await browser.get("/", headers={"Cookie": f"signoff=planted; __Host-signoff={token}"})
        assert (ours.status_code, "Omar" in ours.text) == (200, True)


async def test_a_cookie_that_is_guessed_is_a_strangers(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
) -> None:
    omar: Visitor = await signed_in("Omar")
    real = omar.cookies["signoff"]
    stranger = (await visitor().get("/")).text
    guesses = ["", "x", real[:-1], real + "x", real.swapcase(), real[::-1], "ses_0", "%00", "x" * 4000]
    for guess in guesses:
        browser = visitor()
        response = await browser.get("/", headers={"Cookie": f"signoff={guess}"})
        assert (response.status_code, response.text) == (401, stranger), guess
    assert (await omar.get("/")).status_code == 200
