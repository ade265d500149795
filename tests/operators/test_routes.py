"""Every route there is, walked: headers, cookies, who gets in, and what no foreign page can make a browser do.

The table of routes is read from the application. A new route that is in none of the lists below fails here.
"""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.routing import Route
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, ask, case_link
from tests.operators.test_guard import check_headers

from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.operators.guard import PROBES
from signoff.operators.web import build_pages

FOR_EVERYBODY = {
    "GET /d/{link_id}", "POST /d/{link_id}", "POST /d/{link_id}/fresh", "GET /sign-in", "POST /sign-in/link",
    "POST /sign-in/passkey/challenge", "POST /sign-in/passkey", "POST /sign-out", "GET /static/{digest}/{name}",
    "GET /healthz", "GET /readyz", "GET /.well-known/jwks.json", "GET /audit/checkpoint",
    "GET /audit/consistency", "GET /audit/tile/{path:path}",
}  # fmt: skip
OPENED_BY_A_CASE_LINK = {
    "GET /", "GET /cases/{escalation_id}", "GET /cases/{escalation_id}/attachments/{number}",
    "POST /cases/{escalation_id}/preview", "POST /cases/{escalation_id}/decide",
    "POST /cases/{escalation_id}/challenge", "POST /cases/{escalation_id}/undo",
    "GET /cases/{escalation_id}/parts/{part}", "GET /cases/{escalation_id}/modify",
}  # fmt: skip
FOR_PEOPLE_WHO_SIGNED_IN_FULLY = {
    "GET /set-up", "POST /set-up/name", "POST /set-up/address", "GET /settings/sign-in",
    "POST /settings/passkeys", "POST /settings/passkeys/challenge", "POST /settings/passkeys/revoke",
    "POST /settings/sessions/end", "GET /people/sign-in", "POST /people/passkeys/confirm",
    "POST /people/passkeys/revoke", "POST /people/sessions/end",
}  # fmt: skip
LEADS_ON = {"GET /settings"}
NAMES = {
    "escalation_id": "esc_0",
    "number": "0",
    "part": "action",
    "link_id": "lnk_0",
    "digest": "0",
    "name": "page.js",
    "path": "8/0",
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
    lists = [FOR_EVERYBODY, OPENED_BY_A_CASE_LINK, FOR_PEOPLE_WHO_SIGNED_IN_FULLY, LEADS_ON]

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
            elif name not in LEADS_ON:
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
            assert response.status_code == 401, name


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
