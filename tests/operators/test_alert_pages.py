"""Alert health for admins, and each person's own alerts: without a script, and for nobody else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.types import ASGIApp
from tests._support.browser_keys import Browser
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link, text_of

from signoff.alerts.channels import Channels
from signoff.alerts.messages import Message
from signoff.alerts.vapid import open_vapid
from signoff.alerts.webpush import PushSender
from signoff.alerts.wording import Wording
from signoff.app.alerting import alerting
from signoff.desk.addresses import health_of_addresses
from signoff.desk.desk import Desk
from signoff.desk.people import add_person, change_person, set_addresses
from signoff.domain.alert import Failed, Sent
from signoff.operators.web import build_pages

MAIL = "mailto://user:hunter2@127.0.0.1?to=omar@example.com"
ENDPOINT = "https://push.example.com/send/abc"


class Answering(Channels):
    """Answers as a test says."""

    answer: Sent | Failed = Sent()
    sent: list[tuple[str, Message]]

    async def send(self, address: str, message: Message) -> Sent | Failed:
        self.sent.append((address, message))
        return self.answer


@pytest.fixture
def channels(tmp_path: Path, clock: HandClock) -> Answering:
    import io

    vapid = open_vapid(tmp_path / "keys", contact="mailto:admin@example.com")
    made = Answering(io.StringIO(), push=PushSender(vapid, clock), wording=Wording(tmp_path / "templates"))
    made.sent = []
    return made


@pytest.fixture
def pages(desk: Desk, channels: Answering) -> ASGIApp:
    return build_pages(desk, alerting(desk, channels))


@pytest.fixture
async def admin(desk: Desk, cast: Cast, signed_in: SignedIn) -> Visitor:
    await add_person(desk, "Nadia", roles=["admin"], addresses=())
    await set_addresses(desk, "Omar", (MAIL,))
    visitor: Visitor = await signed_in("Nadia")
    return visitor


async def id_of(desk: Desk, name: str) -> str:
    return next(one.id for one in await health_of_addresses(desk) if one.person.name == name)


async def test_an_admin_sees_every_address_masked_with_its_health(admin: Visitor) -> None:
    page = await admin.get("/admin/alerts")

    assert page.status_code == 200
    said = text_of(page.text)
    assert "Omar mailto://… omar@example.com (" in said
    assert "Nothing sent yet" in said
    for secret in ("hunter2", "user:", "127.0.0.1?"):
        assert secret not in page.text


async def test_a_test_is_sent_by_post_and_the_page_says_how_it_went(
    admin: Visitor, desk: Desk, channels: Answering
) -> None:
    response = await admin.post("/admin/alerts/test", data={"address": await id_of(desk, "Omar")})

    assert response.status_code == 303
    ((address, message),) = channels.sent
    assert address == MAIL
    assert message.subject == "signoff: a test, nothing to decide"
    said = text_of((await admin.get(response.headers["location"])).text)
    assert "The channel took the test for Omar" in said
    assert "Sent" in said


async def test_a_test_that_failed_says_why(admin: Visitor, desk: Desk, channels: Answering) -> None:
    channels.answer = Failed("no answer within 30 s")

    response = await admin.post("/admin/alerts/test", data={"address": await id_of(desk, "Omar")})

    said = text_of((await admin.get(response.headers["location"])).text)
    assert "The test did not get through Omar, mailto://… omar@example.com" in said
    assert "no answer within 30 s" in said
    assert "1 failed in a row" in said
    assert "1 address did not take the last alert" in said


async def test_no_test_is_sent_that_cannot_be_recorded(
    admin: Visitor, desk: Desk, channels: Answering
) -> None:
    await set_addresses(desk, "Nadia", (MAIL.replace("omar@", "nadia@"),))
    desk.store.read_only = "The log is not the one that was signed."

    for page, name in (("/admin/alerts/test", "Omar"), ("/settings/test", "Nadia")):
        response = await admin.post(page, data={"address": await id_of(desk, name)})
        assert response.status_code == 503
        assert "No test was sent, because it could not be recorded." in text_of(response.text)
    assert channels.sent == []


async def test_a_get_sends_no_test(admin: Visitor, channels: Answering) -> None:
    assert (await admin.get("/admin/alerts/test")).status_code == 405
    assert channels.sent == []


async def test_a_foreign_page_sends_no_test(admin: Visitor, desk: Desk, channels: Answering) -> None:
    response = await admin.post(
        "/admin/alerts/test",
        data={"address": await id_of(desk, "Omar")},
        headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    )

    assert response.status_code == 403
    assert channels.sent == []


@pytest.mark.parametrize("name", ["Omar", "Sofia", "Amir"])
async def test_nobody_but_an_admin_sees_or_tests_the_addresses_of_others(
    name: str, admin: Visitor, desk: Desk, signed_in: SignedIn, channels: Answering
) -> None:
    browser = await signed_in(name)

    assert (await browser.get("/admin/alerts")).status_code == 403
    tested = await browser.post("/admin/alerts/test", data={"address": await id_of(desk, "Omar")})
    assert tested.status_code == 403
    assert channels.sent == []
    other = await browser.post("/settings/test", data={"address": await id_of(desk, "Amir")})
    assert other.status_code == (303 if name == "Amir" else 404)


async def test_an_admin_with_a_magic_link_sees_its_case_only(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await change_person(desk, "Omar", roles=["operator", "admin"])
    await ask(desk, cast.ada)
    browser = visitor()
    await browser.open_link(await case_link(desk, "Omar"))

    for path in ("/admin/alerts", "/settings"):
        assert (await browser.get(path)).status_code == 401


async def test_a_stranger_sees_neither_page(visitor: NewVisitor, cast: Cast) -> None:
    for path in ("/admin/alerts", "/settings"):
        assert (await visitor().get(path)).status_code == 401


async def test_a_template_that_is_not_used_is_said_on_the_admins_page(admin: Visitor, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    with (tmp_path / "templates" / "sms.txt").open("w") as file:
        file.write("{{ nothing }}")

    said = text_of((await admin.get("/admin/alerts")).text)

    assert "Template sms.txt is not used" in said
    assert "'nothing' is undefined" in said


async def test_a_person_sees_and_tests_their_own_addresses_only(
    admin: Visitor, desk: Desk, signed_in: SignedIn, channels: Answering
) -> None:
    omar = await signed_in("Omar")
    page = await omar.get("/settings")

    assert "omar@example.com" in page.text
    assert "Sofia" not in page.text
    response = await omar.post("/settings/test", data={"address": await id_of(desk, "Omar")})
    assert response.status_code == 303
    assert [address for address, _ in channels.sent] == [MAIL]


async def test_a_browser_is_added_by_its_form_and_taken_off_again(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    omar, browser = await signed_in("Omar"), Browser(ENDPOINT)
    form = {"endpoint": browser.endpoint, "p256dh": browser.p256dh, "auth": browser.auth}

    assert (await omar.post("/settings/browsers", data=form)).status_code == 303

    page = (await omar.get("/settings")).text
    assert "webpush:… a browser" in page
    assert "push.example.com" not in page
    found: list[str] = re.findall(r'action="/settings/browsers/remove"><input[^>]*value="(\w+)"', page)
    assert (await omar.post("/settings/browsers/remove", data={"address": found[0]})).status_code == 303
    assert "webpush:" not in (await omar.get("/settings")).text


@pytest.mark.parametrize(
    "endpoint", ["http://push.example.com/x", "https://127.0.0.1/x", "https://localhost/x"]
)
async def test_a_browser_whose_endpoint_leads_elsewhere_is_refused(
    desk: Desk, cast: Cast, signed_in: SignedIn, endpoint: str
) -> None:
    omar, browser = await signed_in("Omar"), Browser(endpoint)
    form = {"endpoint": endpoint, "p256dh": browser.p256dh, "auth": browser.auth}

    assert (await omar.post("/settings/browsers", data=form)).status_code == 422
    assert "webpush:" not in (await omar.get("/settings")).text


async def test_only_the_settings_page_may_make_the_url_of_a_worker(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    omar = await signed_in("Omar")

    settings = (await omar.get("/settings")).headers["content-security-policy"]
    inbox = (await omar.get("/")).headers["content-security-policy"]

    assert "trusted-types signoff-worker" in settings
    assert "worker-src 'self'" in settings
    assert "require-trusted-types-for 'script'" in settings
    assert "default-src 'none'; script-src 'self';" in settings
    assert "trusted-types 'none'" in inbox


async def test_the_worker_is_a_script_under_a_path_that_stays(visitor: NewVisitor) -> None:
    response = await visitor().get("/push-worker.js")

    assert response.headers["content-type"].startswith("text/javascript")
    assert "showNotification" in response.text
