"""What stands before every page: headers, hosts, origins, sizes, errors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import anyio
import httpx
import pytest
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, ask

from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.look import look
from signoff.desk.rotate import revoke_key, rotate_key
from signoff.domain.errors import InvalidRequest
from signoff.operators.guard import Guard, Site
from signoff.operators.web import build_pages
from signoff.store.unit import Unit

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
CSP_OF_SETTINGS = CSP.replace("trusted-types 'none'", "worker-src 'self'; trusted-types signoff-worker")
ROUTES = [
    ("GET", "/"),
    ("GET", "/cases/esc_0"),
    ("GET", "/cases/esc_0/attachments/0"),
    ("POST", "/cases/esc_0/preview"),
    ("POST", "/cases/esc_0/decide"),
    ("POST", "/cases/esc_0/undo"),
    ("GET", "/d/lnk_0"),
    ("POST", "/d/lnk_0"),
    ("POST", "/d/lnk_0/fresh"),
    ("GET", "/sign-in"),
    ("POST", "/sign-out"),
    ("GET", "/static/0/page.js"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/audit/checkpoint"),
    ("GET", "/no/such/page"),
    ("DELETE", "/"),
]
POSTS = [path for method, path in ROUTES if method == "POST"]


def check_headers(response: httpx.Response) -> None:
    headers = response.headers
    assert headers["content-security-policy"] == (
        CSP_OF_SETTINGS if response.url.path == "/settings" else CSP
    )
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    public = response.status_code == 200 and response.url.path == "/.well-known/jwks.json"
    assert headers["cache-control"] == ("public, max-age=300" if public else "no-store")
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_answer_carries_the_security_headers(visitor: NewVisitor, method: str, path: str) -> None:
    check_headers(await visitor().request(method, path))
    check_headers(await visitor().request(method, path, headers={"Host": "evil.example"}))
    check_headers(await visitor().request(method, path, headers={"Origin": "https://evil.example"}))


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": ""},
        {"Origin": "null", "Sec-Fetch-Site": ""},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:9999"},
    ],
)
async def test_a_post_from_elsewhere_is_refused(
    visitor: NewVisitor, path: str, headers: dict[str, str]
) -> None:
    browser = visitor()
    for name, value in headers.items():
        if value:
            browser.headers[name] = value
        else:
            del browser.headers[name]

    response = await browser.post(path, data={"secret": "x"})

    assert response.status_code == 403
    assert "This did not come from our page" in response.text


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": ""}, {"Origin": "null"}])
async def test_a_post_from_our_own_page_is_taken(visitor: NewVisitor, headers: dict[str, str]) -> None:
    browser = visitor()
    for name, value in headers.items():
        if value:
            browser.headers[name] = value
        else:
            del browser.headers[name]

    assert (await browser.post("/d/lnk_0", data={"secret": "x"})).status_code == 403
    assert "This link opens nothing" in (await browser.post("/d/lnk_0", data={"secret": "x"})).text


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8717", "127.0.0.1", "127.0.0.1:80", "evil.example/healthz?", "x/readyz#"],
)
async def test_a_name_that_is_not_ours_is_not_answered(visitor: NewVisitor, host: str) -> None:
    response = await visitor().get("/sign-in", headers={"Host": host})

    assert response.status_code == 421


async def test_a_health_check_may_come_by_any_name(visitor: NewVisitor) -> None:
    assert (await visitor().get("/healthz", headers={"Host": "10.0.0.7"})).text == "ok\n"
    assert (await visitor().get("/readyz", headers={"Host": "10.0.0.7"})).text == "ready\n"


async def test_localhost_by_its_other_names_is_ours_too(visitor: NewVisitor) -> None:
    for name in ("localhost:8717", "[::1]:8717"):
        headers = {"Host": name, "Origin": f"http://{name}"}
        assert (await visitor().get("/sign-in", headers=headers)).status_code == 200
        assert (await visitor().post("/d/lnk_0/fresh", headers=headers)).status_code == 200


@pytest.mark.parametrize("url", ["http://signoff.example", "http://192.168.1.5:8717", "ftp://localhost", ""])
def test_pages_are_not_served_in_the_clear(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Site(url)
    assert refused.value.field == "base_url"


async def test_behind_tls_cookies_and_transport_are_tied_to_it(desk: Desk, cast: Cast) -> None:
    from signoff.desk.sign_in import issue_sign_in_link

    secure = replace(desk, settings=DeskSettings(base_url="https://signoff.example"))
    url = await issue_sign_in_link(secure, "Omar")
    path, _, secret = url.removeprefix("https://signoff.example").partition("#")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(build_pages(secure)), base_url="https://signoff.example"
    ) as browser:
        response = await browser.post(
            path, data={"secret": secret}, headers={"Origin": "https://signoff.example"}
        )
        inbox = await browser.get("/")

    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-signoff=")
    assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert response.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert inbox.status_code == 200


async def test_a_body_over_the_limit_is_refused_unread(visitor: NewVisitor) -> None:
    response = await visitor().post("/d/lnk_0", data={"secret": "x" * 20_000})

    assert response.status_code == 413
    assert "too large" in response.text


async def test_a_body_that_does_not_tell_its_size_is_cut_off_at_the_limit(visitor: NewVisitor) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    response = await visitor().post(
        "/d/lnk_0",
        content=endless(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert response.status_code == 413


async def test_a_form_that_does_not_arrive_in_time_is_given_up_and_decides_nothing(
    desk: Desk, cast: Cast, signed_in: SignedIn, pages: Guard
) -> None:
    case = await ask(desk, cast.ada)
    omar = await signed_in("Omar")
    form = await omar.form(case)
    pages.form_within_s = 0.05

    async def halted() -> AsyncGenerator[bytes]:
        yield urlencode({"choice": "approve", **form}).encode()
        await anyio.sleep_forever()

    with anyio.fail_after(20):
        response = await omar.post(
            f"/cases/{case}/decide",
            content=halted(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

    assert response.status_code == 408
    assert "too long to arrive" in response.text
    assert response.headers["connection"] == "close"
    check_headers(response)
    assert (await look(desk, cast.sofia, case)).case.status == "pending"


async def test_a_whole_form_is_not_held_to_the_time_that_its_answer_takes(
    desk: Desk, cast: Cast, signed_in: SignedIn, pages: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await ask(desk, cast.ada)
    omar = await signed_in("Omar")
    form = await omar.form(case)
    pages.form_within_s = 0.05
    write = desk.store.write

    async def slow(move: Callable[[Unit], Awaitable[Any]]) -> Any:
        await anyio.sleep(0.1)  # longer than a form may take to arrive
        return await write(move)

    monkeypatch.setattr(desk.store, "write", slow)

    response = await omar.post(f"/cases/{case}/decide", data={"choice": "approve", **form})

    assert response.status_code == 303


async def test_only_forms_are_taken(signed_in: SignedIn, desk: Desk, cast: Cast) -> None:
    case = await ask(desk, cast.ada)
    omar = await signed_in("Omar")

    response = await omar.post(f"/cases/{case}/decide", json={"choice": "approve"})

    assert response.status_code == 422


async def test_a_failure_tells_nothing_and_is_logged(
    desk: Desk, cast: Cast, visitor: NewVisitor, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def broken() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(desk.store, "reading", broken)

    browser = visitor()
    browser.cookies.set("signoff", "x", domain="127.0.0.1")
    response = await browser.get("/cases/%0aX%1b[31m")

    assert response.status_code == 500
    assert "\x1b" not in caplog.text
    assert "\nX" not in caplog.text
    assert "Something went wrong" in response.text
    assert "secret detail" not in response.text
    assert "secret detail" in caplog.text
    check_headers(response)


async def test_a_store_that_cannot_be_written_makes_the_server_unready(
    desk: Desk, visitor: NewVisitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signoff.domain.errors import StoreUnavailable

    async def full(work: object) -> None:
        raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr(desk.store, "write", full)

    response = await visitor().get("/readyz")

    assert (response.status_code, response.text) == (503, "not ready: store_unavailable\n")
    assert (await visitor().get("/healthz")).status_code == 200
    assert (await visitor().post("/d/lnk_0", data={"secret": "x"})).status_code == 503


async def test_static_files_may_be_kept_for_ever_under_their_digest(visitor: NewVisitor) -> None:
    import re

    browser = visitor()
    addresses = re.findall(r'(?:href|src)="(/static/[^"]*)"', (await browser.get("/sign-in")).text)

    assert len(addresses) >= 4
    for address in addresses:
        response = await browser.get(address)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        assert response.headers["content-security-policy"] == CSP
    assert (await browser.get("/static/0000/page.js")).status_code == 404


async def test_the_receipt_keys_and_the_checkpoint_are_public(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    from signoff.desk.checkpoints import publish_checkpoint

    browser = visitor()
    assert (await browser.get("/audit/checkpoint")).status_code == 404
    signed = await publish_checkpoint(desk)

    note = (await browser.get("/audit/checkpoint")).text
    keys = (await browser.get("/.well-known/jwks.json")).json()

    assert note == signed
    assert keys == desk.keys.jwks()
    (desk.keys.directory / "receipt.pub").write_text("no key", encoding="utf-8")
    assert (await browser.get("/.well-known/jwks.json")).json() == keys  # and no path of this machine
    assert all("d" not in key for key in keys["keys"])


async def test_pages_of_a_clock_that_moves_are_signed_out_in_time(
    signed_in: SignedIn, clock: HandClock
) -> None:
    omar = await signed_in("Omar")
    assert (await omar.get("/")).status_code == 200

    clock.advance(12 * 3600)

    assert (await omar.get("/")).status_code == 401


async def test_the_key_set_keeps_older_keys_and_drops_revoked_ones(visitor: NewVisitor, desk: Desk) -> None:
    async def kids() -> list[str]:
        held = (await visitor().get("/.well-known/jwks.json")).json()
        return [key["kid"] for key in held["keys"]]

    (old,) = await kids()
    await rotate_key(desk, "receipt")
    first, new = await kids()
    assert first == old
    await revoke_key(desk, old)
    assert await kids() == [new]
