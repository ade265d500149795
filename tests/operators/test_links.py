"""Magic links and sign-in: who gets in, and what is told to those who do not."""

from __future__ import annotations

import re

import anyio
import pytest
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link

from signoff.desk.deliver import lease
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.people import disable_person
from signoff.desk.sign_in import issue_sign_in_link
from signoff.desk.tries import Tries


async def everything(desk: Desk) -> tuple[int, bytes]:
    """Return size and root of the log: equal before and after means that nothing happened."""
    async with desk.store.reading() as reader:
        head = await reader.head()
    return head.size, head.root


def split(url: str) -> tuple[str, str]:
    path, _, secret = url.removeprefix("http://127.0.0.1:8717").partition("#")
    return path, secret


async def test_a_link_scanner_changes_nothing(desk: Desk, cast: Cast, visitor: NewVisitor) -> None:
    case = await ask(desk, cast.ada)
    url = await case_link(desk, "Omar")
    path, _ = split(url)
    before = await everything(desk)

    scanner = visitor()
    seen = [await scanner.get(path) for _ in range(5)] + [await scanner.head(path)]

    assert {response.status_code for response in seen} == {200}
    assert all("set-cookie" not in response.headers for response in seen)
    assert await everything(desk) == before
    opened = await visitor().open_link(url)
    assert (opened.status_code, opened.headers["location"]) == (303, f"/cases/{case}")


async def test_the_link_page_does_not_tell_whether_the_link_exists(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await ask(desk, cast.ada)
    path, _ = split(await case_link(desk, "Omar"))

    real, made_up = await visitor().get(path), await visitor().get("/d/lnk_0")

    assert real.text.replace(path, "/d/lnk_0") == made_up.text
    assert real.status_code == made_up.status_code


async def test_a_click_opens_one_case_and_nothing_else(desk: Desk, cast: Cast, visitor: NewVisitor) -> None:
    case = await ask(desk, cast.ada)
    other = await ask(desk, cast.bea)
    url = next(one for one in [await case_link(desk, "Omar")])
    omar = visitor()
    opened = await omar.open_link(url)
    mine = opened.headers["location"].removeprefix("/cases/")
    foreign = other if mine == case else case

    assert (await omar.get(f"/cases/{mine}")).status_code == 200
    assert (await omar.get(f"/cases/{foreign}")).status_code == 404
    assert (await omar.get("/")).headers["location"] == f"/cases/{mine}"
    cookie = opened.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


async def dead_links(desk: Desk, cast: Cast, visitor: NewVisitor, clock: HandClock) -> dict[str, str]:
    await ask(desk, cast.ada)
    used = await case_link(desk, "Omar")
    assert (await visitor().open_link(used)).status_code == 303
    made = {"used": used, "unknown": "http://127.0.0.1:8717/d/lnk_0#abc"}
    made["forged"] = (await issue_sign_in_link(desk, "Omar"))[:-3] + "xyz"
    made["disabled"] = await issue_sign_in_link(desk, "Amir")
    await disable_person(desk, "Amir")
    made["expired"] = await issue_sign_in_link(desk, "Omar")
    clock.advance(15 * 60)
    return made


async def test_every_dead_link_shows_one_and_the_same_page(
    desk: Desk, cast: Cast, visitor: NewVisitor, clock: HandClock
) -> None:
    links = await dead_links(desk, cast, visitor, clock)

    told = {}
    for why, url in links.items():
        response = await visitor().open_link(url)
        told[why] = (response.status_code, response.text.replace(split(url)[0], "/d/X"))
        assert "set-cookie" not in response.headers

    assert len(set(told.values())) == 1
    assert told["used"][0] == 403
    assert "Send me a fresh link" in told["used"][1]


async def test_a_fresh_link_is_promised_alike_and_sent_to_the_old_address(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await ask(desk, cast.ada)
    used = await case_link(desk, "Omar")
    await visitor().open_link(used)

    for_real = await visitor().post(split(used)[0] + "/fresh")
    made_up = await visitor().post("/d/lnk_0/fresh")

    assert (for_real.status_code, for_real.text) == (made_up.status_code, made_up.text)
    fresh = await case_link(desk, "Omar")
    assert (await visitor().open_link(fresh)).status_code == 303


async def test_a_link_without_its_secret_is_offered_again(visitor: NewVisitor) -> None:
    assert "Send me a fresh link" in (await visitor().get("/d/lnk_0")).text
    assert "<noscript>" in (await visitor().get("/d/lnk_0")).text


async def test_after_many_guesses_a_link_answers_like_one_that_does_not_exist(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await ask(desk, cast.ada)
    path, secret = split(await case_link(desk, "Omar"))

    answers = [await visitor().post(path, data={"secret": f"guess-{n}"}) for n in range(20)]
    with_the_secret = await visitor().post(path, data={"secret": secret})

    assert {answer.status_code for answer in answers} == {403}
    assert (with_the_secret.status_code, with_the_secret.text) == (403, answers[0].text)


async def test_a_source_that_guesses_on_is_told_to_wait_whatever_it_guesses(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await ask(desk, cast.ada)
    path, _ = split(await case_link(desk, "Omar"))
    unknown = "/d/lnk_00000000000000000000000000"

    known = [(await visitor().post(path, data={"secret": f"guess-{n}"})).status_code for n in range(31)]
    object.__setattr__(desk, "tries", Tries())
    foreign = [(await visitor().post(unknown, data={"secret": f"guess-{n}"})).status_code for n in range(31)]

    assert known == foreign
    assert known[-1] == 429


async def test_a_planted_session_is_never_taken_over(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
) -> None:
    mallory = visitor()
    mallory.cookies.set("signoff", "planted-by-mallory", domain="127.0.0.1")
    response = await mallory.open_link(await issue_sign_in_link(desk, "Omar"))
    token = re.match(r"signoff=([^;]+)", response.headers["set-cookie"])

    assert token is not None
    assert token[1] != "planted-by-mallory"
    stranger = visitor()
    stranger.cookies.set("signoff", "planted-by-mallory", domain="127.0.0.1")
    assert (await stranger.get("/")).status_code == 401


async def test_each_sign_in_ends_the_session_before_it(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
) -> None:
    omar: Visitor = await signed_in("Omar")
    before = omar.cookies["signoff"]

    await omar.open_link(await issue_sign_in_link(desk, "Omar"))

    assert omar.cookies["signoff"] != before
    old = visitor()
    old.cookies.set("signoff", before, domain="127.0.0.1")
    assert (await old.get("/")).status_code == 401


async def test_whoever_is_signed_in_stays_so_after_an_alerts_link(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")

    response = await omar.open_link(await case_link(desk, "Omar"))

    assert response.headers["location"] == f"/cases/{case}"
    assert (await omar.get("/")).status_code == 200


async def test_another_persons_link_replaces_whoever_was_signed_in(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    await ask(desk, cast.ada)
    browser: Visitor = await signed_in("Sofia")

    response = await browser.open_link(await case_link(desk, "Omar"))

    assert "Omar" in (await browser.get(response.headers["location"])).text
    assert (await browser.get("/")).status_code == 303


async def test_signing_out_ends_the_session_on_the_server(visitor: NewVisitor, signed_in: SignedIn) -> None:
    omar: Visitor = await signed_in("Omar")
    token = omar.cookies["signoff"]

    response = await omar.post("/sign-out")

    assert response.headers["location"] == "/sign-in?out=1"
    assert "signoff" not in omar.cookies
    thief = visitor()
    thief.cookies.set("signoff", token, domain="127.0.0.1")
    assert (await thief.get("/")).status_code == 401


@pytest.mark.parametrize("path", ["/", "/cases/{case}", "/cases/esc_0", "/cases/{case}/attachments/0"])
async def test_an_agents_key_opens_no_page(desk: Desk, cast: Cast, visitor: NewVisitor, path: str) -> None:
    case = await ask(desk, cast.ada)
    agent = visitor()
    agent.headers["Authorization"] = f"Bearer {cast.ada_key}"
    agent.cookies.set("signoff", cast.ada_key, domain="127.0.0.1")

    response = await agent.get(path.format(case=case))

    assert response.status_code == 401
    assert "wire_transfer" not in response.text
    assert response.text == (await visitor().get(path.format(case=case))).text
    unknown = "esc_" + "0" * 26
    assert response.text.replace(case, unknown) == (await visitor().get(path.format(case=unknown))).text


@pytest.mark.parametrize("verb", ["decide", "preview", "undo"])
async def test_an_agents_key_decides_nothing(desk: Desk, cast: Cast, visitor: NewVisitor, verb: str) -> None:
    case = await ask(desk, cast.ada)
    view = await look(desk, cast.omar, case)
    agent = visitor()
    agent.headers["Authorization"] = f"Bearer {cast.ada_key}"
    agent.cookies.set("signoff", cast.ada_key, domain="127.0.0.1")

    response = await agent.post(
        f"/cases/{case}/{verb}",
        data={"choice": "approve", "version": str(view.case.version), "view_digest": view.view_digest},
    )

    assert response.status_code == 401
    assert (await look(desk, cast.omar, case)).case.is_open


async def test_a_disabled_person_is_out_at_once(desk: Desk, cast: Cast, signed_in: SignedIn) -> None:
    omar: Visitor = await signed_in("Omar")

    await disable_person(desk, "Omar")

    assert (await omar.get("/")).status_code == 401


async def test_of_many_who_open_one_alerts_link_at_once_one_gets_in(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await ask(desk, cast.ada)
    url = await case_link(desk, "Omar")
    answers: list[tuple[int, bool]] = []

    async def open_it(browser: Visitor) -> None:
        response = await browser.open_link(url)
        answers.append((response.status_code, "set-cookie" in response.headers))

    async with anyio.create_task_group() as tasks:
        for browser in [visitor() for _ in range(20)]:
            tasks.start_soon(open_it, browser)

    assert sorted(answers) == [(303, True)] + [(403, False)] * 19


async def test_of_many_who_ask_for_a_fresh_link_at_once_one_link_comes_and_the_old_one_is_dead(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await ask(desk, cast.ada)
    old = await case_link(desk, "Omar")

    async with anyio.create_task_group() as tasks:
        for browser in [visitor() for _ in range(10)]:
            tasks.start_soon(browser.post, split(old)[0] + "/fresh")

    fresh = {one.link_url for one in await lease(desk, "test") if one.person.name == "Omar"}
    assert len(fresh) == 1
    assert (await visitor().open_link(old)).status_code == 403
    assert (await visitor().open_link(fresh.pop())).status_code == 303


async def test_a_link_is_dead_once_its_case_is_decided(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    url = await case_link(desk, "Omar")
    sofia: Visitor = await signed_in("Sofia")
    assert (await sofia.decide(case, choice="reject", note="No")).status_code == 303

    refused = await visitor().open_link(url)

    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers


async def test_a_decision_that_is_sent_again_by_the_same_or_another_session_is_not_taken(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    form = {**await omar.form(case), "choice": "approve"}
    assert (await omar.post(f"/cases/{case}/decide", data=form)).status_code == 303

    for browser in (omar, sofia):
        again = await browser.post(f"/cases/{case}/decide", data=form)
        assert again.status_code == 409

    assert (await look(desk, cast.omar, case)).case.status == "approved"
    decided = [
        one for one in (await look(desk, cast.amir, case)).events if one["type"] == "escalation.decided"
    ]
    assert len(decided) == 1


async def test_the_secret_of_one_link_opens_no_other(desk: Desk, cast: Cast, visitor: NewVisitor) -> None:
    await ask(desk, cast.ada)
    links = {one.person.name: one.link_url for one in await lease(desk, "test")}
    path, _ = split(links["Omar"])
    _, secret = split(await issue_sign_in_link(desk, "Sofia"))

    swapped = await visitor().post(path, data={"secret": secret})

    assert swapped.status_code == 403
    assert "set-cookie" not in swapped.headers
    assert (await visitor().open_link(links["Omar"])).status_code == 303


async def test_a_link_in_the_query_or_the_path_opens_nothing(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    await ask(desk, cast.ada)
    path, secret = split(await case_link(desk, "Omar"))

    for address in (f"{path}?secret={secret}", f"{path}?{secret}", f"{path}/{secret}"):
        response = await visitor().get(address)
        assert "set-cookie" not in response.headers
        assert secret not in response.text
    assert (await visitor().post(f"{path}?secret={secret}", data={"x": "y"})).status_code == 403
    assert (await visitor().open_link(f"http://127.0.0.1:8717{path}#{secret}")).status_code == 303
