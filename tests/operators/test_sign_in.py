"""Links that people ask for, sign-in sessions, and the first administrator."""

from __future__ import annotations

import io
import re

import anyio
import pytest
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link, text_of

from signoff.alerts.channels import Channels
from signoff.alerts.sign_in_links import deliver_link, take_due
from signoff.app.alerting import alerting
from signoff.desk.desk import Desk
from signoff.desk.people import add_person, disable_person, person_named, set_addresses
from signoff.desk.sessions import all_sessions, sessions_of
from signoff.desk.set_up import issue_set_up_link
from signoff.desk.sign_in import issue_sign_in_link
from signoff.desk.sign_in_requests import lease_sign_in_links, record_sign_in_link
from signoff.domain.alert import TERMINAL, Failed
from signoff.domain.errors import Forbidden
from signoff.operators.web import build_pages

LINK = re.compile(r"http://\S+/d/lnk_\S+#\S+")


async def sent(desk: Desk) -> list[str]:
    """Send what is due to the terminal, and return the links that stand there."""
    terminal = io.StringIO()
    channels = Channels(terminal)
    for errand in await take_due(desk, owner="test", most=10):
        await deliver_link(desk, channels, errand, owner="test")
    return LINK.findall(terminal.getvalue())


async def ask_for(browser: Visitor, name: str, **more: str) -> tuple[int, str]:
    response = await browser.post("/sign-in/link", data={"name": name, **more})
    return response.status_code, response.text


async def test_a_person_asks_for_a_link_and_signs_in_with_it(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    omar = visitor()
    assert (await ask_for(omar, " omar "))[0] == 200

    [link] = await sent(desk)
    response = await omar.open_link(link)

    assert response.headers["location"] == "/"
    assert "Omar" in (await omar.get("/")).text
    assert (await visitor().open_link(link)).status_code == 403


async def test_whoever_asks_learns_nothing_of_who_there_is(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await disable_person(desk, "Amir")
    names = [
        "Omar",
        "nobody",
        "Amir",
        "",
        "x" * 5000,
        "a\x00b",
        "Omar\u202e",
        "%s",
        "Omar",
        "'; DROP TABLE person",
    ]

    answers = {await ask_for(visitor(), name) for name in names}

    assert len(answers) == 1
    assert len(await sent(desk)) == 1


async def test_a_link_goes_to_each_address_and_the_first_that_opens_ends_the_others(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await set_addresses(desk, "Omar", (TERMINAL, "ntfys://ntfy.example.com/omar", TERMINAL))
    await ask_for(visitor(), "Omar")
    errands = await lease_sign_in_links(desk, "test")

    assert [one.address for one in errands] == [TERMINAL, "ntfys://ntfy.example.com/omar"]
    assert (await visitor().open_link(errands[1].url)).status_code == 303
    assert (await visitor().open_link(errands[0].url)).status_code == 403
    assert "#" not in repr(errands)
    assert "ntfy.example.com" not in repr(errands[1].request)


async def test_nobody_is_flooded_with_links_nor_locked_out_by_those_who_try(
    desk: Desk, cast: Cast, visitor: NewVisitor, clock: HandClock
) -> None:
    links: list[str] = []
    for _ in range(15):
        await ask_for(visitor(), "Omar")
        await ask_for(visitor(), "Omar")
        links += await sent(desk)
        clock.advance(60)

    assert len(links) == 4
    clock.advance(-30)
    assert (await visitor().open_link(links[-1])).status_code == 303


async def test_a_source_that_asks_on_and_on_is_told_to_wait_whatever_it_asks(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    answers = [await ask_for(visitor(), f"guess {n}" if n % 2 else "Omar") for n in range(31)]

    assert {status for status, _ in answers[:30]} == {200}
    assert answers[30][0] == 429
    assert len(await sent(desk)) == 1


async def test_a_link_that_could_not_be_sent_is_made_anew_and_given_up_in_the_end(
    desk: Desk, cast: Cast, visitor: NewVisitor, clock: HandClock
) -> None:
    await ask_for(visitor(), "Omar")
    urls = []
    for _ in range(6):
        for errand in await lease_sign_in_links(desk, "test"):
            urls.append(errand.url)
            await record_sign_in_link(desk, "test", errand, Failed("no answer"))
        clock.advance(60)

    assert len(set(urls)) == 4
    for url in urls:
        assert (await visitor().open_link(url)).status_code == 403


async def test_a_lease_that_ran_out_sends_another_link_and_kills_the_first(
    desk: Desk, cast: Cast, visitor: NewVisitor, clock: HandClock
) -> None:
    await ask_for(visitor(), "Omar")
    [first] = await lease_sign_in_links(desk, "one")
    assert await lease_sign_in_links(desk, "two") == []
    clock.advance(61)
    [second] = await lease_sign_in_links(desk, "two")

    assert (await visitor().open_link(first.url)).status_code == 403
    assert (await visitor().open_link(second.url)).status_code == 303


async def test_a_link_that_is_asked_for_on_a_case_leads_back_to_it_and_nowhere_else(
    desk: Desk, cast: Cast, visitor: NewVisitor, clock: HandClock
) -> None:
    case = await ask(desk, cast.ada)
    browser = visitor()
    await browser.open_link(await case_link(desk, "Omar"))
    # Whoever is here asks for themselves, whatever the form says.
    await ask_for(browser, "Sofia", back_to=case)
    [link] = await sent(desk)
    assert (await browser.open_link(link)).headers["location"] == f"/cases/{case}"
    assert "Omar" in (await browser.get("/")).text

    for place in ("https://evil.example", "//evil.example", "/settings", "../settings", f"{case}/undo"):
        clock.advance(16 * 60)
        await ask_for(visitor(), "Omar", back_to=place)
        [link] = await sent(desk)
        assert (await visitor().open_link(link)).headers["location"] == "/"


async def test_whoever_comes_to_a_case_as_a_stranger_is_led_back_to_it_by_every_way_in(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    case = await ask(desk, cast.ada)
    omar = visitor()

    asked = await omar.get(f"/cases/{case}")
    fields = re.findall(r'name="back_to" value="([^"]*)"', asked.text)
    await omar.post("/sign-in/link", data={"name": "Omar", "back_to": fields[0]})

    assert asked.status_code == 401
    assert set(fields) == {case}
    [link] = await sent(desk)
    opened = await omar.open_link(link)
    assert opened.headers["location"] == f"/cases/{case}"
    for elsewhere in ("/cases/esc_0", "/", "/settings"):
        assert "back_to" not in (await visitor().get(elsewhere)).text


async def test_of_many_who_open_one_sign_in_link_at_once_one_gets_in(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await ask_for(visitor(), "Omar")
    [link] = await sent(desk)
    answers: list[int] = []

    async def open_it(browser: Visitor) -> None:
        answers.append((await browser.open_link(link)).status_code)

    async with anyio.create_task_group() as tasks:
        for browser in [visitor() for _ in range(20)]:
            tasks.start_soon(open_it, browser)

    assert sorted(answers) == [303] + [403] * 19


@pytest.fixture
def settings_without_links(desk: Desk) -> Desk:
    from dataclasses import replace

    return replace(desk, settings=replace(desk.settings, sign_in_by_alert=False))


async def test_where_links_are_not_sent_the_page_offers_none_and_sends_none(
    settings_without_links: Desk, cast: Cast
) -> None:
    import httpx

    desk = settings_without_links
    url = desk.settings.base_url
    async with Visitor(
        transport=httpx.ASGITransport(build_pages(desk)), base_url=url, headers={"Origin": url}
    ) as browser:
        assert "Send me a sign-in link" not in (await browser.get("/sign-in")).text
        assert (await ask_for(browser, "Omar"))[0] == 200

    assert await sent(desk) == []


async def test_people_see_where_they_are_signed_in_and_end_it(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    phone = await signed_in("Omar")
    [on_phone] = [one.session.id for one in await sessions_of(desk, cast.omar)]
    laptop, sofia = await signed_in("Omar"), await signed_in("Sofia")
    hers = [one.session.id for one in await sessions_of(desk, cast.sofia)]
    page = (await laptop.get("/settings/sign-in")).text

    assert on_phone in page
    assert hers[0] not in page
    assert not re.search(r"[A-Za-z0-9_-]{43}", text_of(page))
    assert (await laptop.post("/settings/sessions/end", data={"session": hers[0]})).status_code == 404
    assert (await laptop.post("/settings/sessions/end", data={"session": "ses_0"})).status_code == 404
    assert (await sofia.get("/")).status_code == 200
    assert (await laptop.post("/settings/sessions/end", data={"session": on_phone})).status_code == 303
    assert (await phone.get("/")).status_code == 401
    assert (await laptop.get("/")).status_code == 200


async def test_a_person_signs_out_everywhere_else_at_once(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    others = [await signed_in("Omar") for _ in range(3)]
    here, sofia = await signed_in("Omar"), await signed_in("Sofia")

    assert (await here.post("/settings/sessions/end", data={"others": "1"})).status_code == 303

    assert [(await one.get("/")).status_code for one in [*others, here, sofia]] == [401, 401, 401, 200, 200]


async def test_only_an_admin_sees_and_ends_the_sessions_of_others(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    await add_person(desk, "Dana", roles=["admin"])
    omar, sofia, dana = await signed_in("Omar"), await signed_in("Sofia"), await signed_in("Dana")
    [his] = [one.session.id for one in await sessions_of(desk, cast.omar)]

    assert (await omar.get("/people/sign-in")).status_code == 403
    assert his not in (await sofia.get("/people/sign-in")).text
    assert (await sofia.post("/people/sessions/end", data={"session": his})).status_code == 404
    with pytest.raises(Forbidden):
        await all_sessions(desk, cast.sofia)
    assert his in (await dana.get("/people/sign-in")).text
    assert (await dana.post("/people/sessions/end", data={"session": his})).status_code == 303
    assert (await omar.get("/")).status_code == 401


async def test_the_id_of_a_session_is_no_cookie(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
) -> None:
    await signed_in("Omar")
    [his] = await sessions_of(desk, cast.omar)
    thief = visitor()
    thief.cookies.set("signoff", his.session.id, domain="127.0.0.1")

    assert (await thief.get("/")).status_code == 401


async def test_a_browser_is_listed_in_words_of_ours(desk: Desk, cast: Cast, visitor: NewVisitor) -> None:
    browser = visitor()
    browser.headers["User-Agent"] = "<script>alert(1)</script> Firefox/140.0 (Android 15)"
    await browser.open_link(await issue_sign_in_link(desk, "Omar"))

    [seat] = await sessions_of(desk, cast.omar)

    assert seat.session.browser == "Firefox on Android"


# The first administrator


@pytest.fixture
async def root(desk: Desk) -> None:
    await add_person(desk, "root", roles=["admin", "operator", "supervisor", "auditor"])


async def set_up(desk: Desk, visitor: NewVisitor) -> Visitor:
    url = await issue_set_up_link(desk)
    assert url is not None
    browser = visitor()
    assert (await browser.open_link(url)).headers["location"] == "/set-up"
    return browser


async def test_the_first_administrator_gets_in_once_and_says_who_they_are(
    desk: Desk, root: None, visitor: NewVisitor
) -> None:
    first = await issue_set_up_link(desk)
    second = await issue_set_up_link(desk)
    assert first is not None
    assert second is not None
    assert (await visitor().open_link(first)).status_code == 403  # a newer one replaced it
    dana = visitor()
    assert (await dana.open_link(second)).headers["location"] == "/set-up"
    assert "second person" in (await dana.get("/set-up")).text
    assert (await dana.post("/set-up/name", data={"name": " Dana "})).status_code == 303

    assert "From now on you are Dana" in text_of((await dana.get("/set-up?said=name")).text)
    assert (await person_named(desk, "Dana")).roles >= {"admin"}
    assert (await visitor().open_link(second)).status_code == 403


@pytest.mark.parametrize(("name", "status"), [("", 422), ("x" * 101, 422), ("a\u202eb", 422), ("Sam", 409)])
async def test_a_name_that_cannot_be_had_is_refused_at_its_field(
    desk: Desk, root: None, visitor: NewVisitor, name: str, status: int
) -> None:
    await add_person(desk, "Sam", roles=["operator"])
    browser = await set_up(desk, visitor)

    response = await browser.post("/set-up/name", data={"name": name})

    assert response.status_code == status
    assert 'class="field__problem"' in response.text
    assert (await person_named(desk, "root")).name == "root"


async def test_nobody_sets_a_home_up_in_which_somebody_has_signed_in(
    desk: Desk, root: None, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
) -> None:
    printed = await issue_set_up_link(desk)
    assert printed is not None
    omar = await signed_in("Omar")

    response = await visitor().open_link(printed)

    assert response.status_code == 403
    assert "set-cookie" not in response.headers
    assert await issue_set_up_link(desk) is None
    for path in ("/set-up/name", "/set-up/address"):
        assert (await omar.post(path, data={"name": "x", "address": TERMINAL})).status_code == 404
    assert (await omar.get("/set-up")).status_code == 404


async def test_of_two_set_up_links_used_at_once_one_gets_in(
    desk: Desk, root: None, visitor: NewVisitor
) -> None:
    link = await issue_set_up_link(desk)
    assert link is not None
    answers: list[int] = []

    async def open_it(browser: Visitor) -> None:
        answers.append((await browser.open_link(link)).status_code)

    async with anyio.create_task_group() as tasks:
        for browser in [visitor() for _ in range(10)]:
            tasks.start_soon(open_it, browser)

    assert sorted(answers) == [303] + [403] * 9


async def test_a_set_up_link_runs_out(desk: Desk, root: None, visitor: NewVisitor, clock: HandClock) -> None:
    link = await issue_set_up_link(desk)
    assert link is not None
    clock.advance(3600)

    assert (await visitor().open_link(link)).status_code == 403


async def test_an_address_is_checked_before_it_is_taken_and_never_shown_again(desk: Desk, root: None) -> None:
    import httpx

    pages, url = build_pages(desk, alerting(desk, Channels(io.StringIO()))), desk.settings.base_url
    link = await issue_set_up_link(desk)
    assert link is not None
    async with Visitor(
        transport=httpx.ASGITransport(pages), base_url=url, headers={"Origin": url}
    ) as browser:
        await browser.open_link(link)
        for bad in ("json://evil.example/x", "ntfys://a/b, ntfys://c/d", "", "dbus://"):
            response = await browser.post("/set-up/address", data={"address": bad})
            assert response.status_code == 422
        good = {"address": "ntfys://user:hush@ntfy.example.com/topic"}
        assert (await browser.post("/set-up/address", data=good)).status_code == 303
        page = (await browser.get("/set-up?said=address")).text

    assert [one.url for one in (await person_named(desk, "root")).addresses] == [TERMINAL, good["address"]]
    assert "the terminal that runs this server, and push." in page
    assert "hush" not in page


async def test_without_an_administrator_there_is_no_set_up(desk: Desk, cast: Cast) -> None:
    assert await issue_set_up_link(desk) is None
