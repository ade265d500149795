"""Rights that end while a request is on its way: what counts is who somebody is when their form has arrived."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import anyio
import httpx
import pytest
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link

from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.people import add_person, change_person, disable_person, person_named
from signoff.desk.sessions import all_sessions, end_session
from signoff.domain.people import SignIn


class Slow:
    """A form of which the second half comes when the test says so."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.rest = anyio.Event()
        self.response: httpx.Response | None = None

    async def send(self, browser: Visitor, path: str, form: Mapping[str, str | list[str]]) -> None:
        body = urlencode(form, doseq=True).encode()

        async def halves() -> AsyncGenerator[bytes]:
            yield body[:5]
            # The server asks for more: it has read the cookie and waits for the rest.
            self.begun.set()
            await self.rest.wait()
            yield body[5:]

        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.response = await browser.post(path, content=halves(), headers=headers)

    @property
    def status(self) -> int:
        assert self.response is not None
        return self.response.status_code


@asynccontextmanager
async def on_its_way(
    browser: Visitor, path: str, form: Mapping[str, str | list[str]]
) -> AsyncGenerator[Slow]:
    """Send a form whose second half arrives after the body of this block."""
    slow = Slow()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(slow.send, browser, path, form)
            await slow.begun.wait()
            yield slow
            slow.rest.set()


Ending = Callable[[Desk, Visitor], Awaitable[object]]


async def admin(desk: Desk) -> SignIn:
    return SignIn(await add_person(desk, "Anna", roles=["admin"]), "session")


async def sign_out(desk: Desk, browser: Visitor) -> None:
    assert (await browser.post("/sign-out")).status_code == 303


async def end_by_admin(desk: Desk, browser: Visitor) -> None:
    anna = await admin(desk)
    [seat] = [one for one in await all_sessions(desk, anna) if one.person_name == "Omar"]
    await end_session(desk, anna, seat.session.id)


async def demote(desk: Desk, browser: Visitor) -> None:
    await change_person(desk, "Omar", roles=["auditor"], by=await admin(desk))


async def move_elsewhere(desk: Desk, browser: Visitor) -> None:
    await change_person(desk, "Omar", roles=["operator"], queues=["refunds"])


async def disable(desk: Desk, browser: Visitor) -> None:
    await disable_person(desk, "Omar")


ENDINGS = [sign_out, end_by_admin, demote, move_elsewhere, disable]


async def status_of(desk: Desk, cast: Cast, case: str) -> str:
    return (await look(desk, cast.sofia, case)).case.status


@pytest.mark.parametrize("ending", ENDINGS)
async def test_whoever_loses_the_right_while_their_decision_is_on_its_way_decides_nothing(
    desk: Desk, cast: Cast, signed_in: SignedIn, ending: Ending
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    form = {**await omar.form(case), "choice": "approve"}

    async with on_its_way(omar, f"/cases/{case}/decide", form) as slow:
        await ending(desk, omar)

    assert slow.status in (401, 403, 404)
    assert await status_of(desk, cast, case) == "pending"


async def test_whoever_comes_by_a_magic_link_and_signs_out_meanwhile_decides_nothing(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    case = await ask(desk, cast.ada)
    omar = visitor()
    await omar.open_link(await case_link(desk, "Omar"))
    form = {**await omar.form(case), "choice": "approve"}

    async with on_its_way(omar, f"/cases/{case}/decide", form) as slow:
        await sign_out(desk, omar)

    assert slow.status == 403
    assert await status_of(desk, cast, case) == "pending"


async def test_whoever_keeps_their_rights_decides_however_slowly_by_a_session_or_a_magic_link(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
) -> None:
    first = await ask(desk, cast.ada)
    omar = visitor()
    await omar.open_link(await case_link(desk, "Omar"))
    second = await ask(desk, cast.ada, idempotency_key="second")
    for browser, case in ((omar, first), (await signed_in("Omar"), second)):
        form = {**await browser.form(case), "choice": "approve"}
        async with on_its_way(browser, f"/cases/{case}/decide", form) as slow:
            pass

        assert slow.status == 303
        assert await status_of(desk, cast, case) == "approved"


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("verb", "form"),
    [
        ("ask", {"question": "Which invoice?"}),
        ("hand-over", {"to": "Olga"}),
    ],
)
async def test_whoever_loses_the_right_does_nothing_else_about_a_case_either(
    desk: Desk, cast: Cast, signed_in: SignedIn, ending: Ending, verb: str, form: dict[str, str]
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")
    olga = await add_person(desk, "Olga", roles=["operator"])
    sent = {**await omar.form(case), **form} | ({"to": olga.id} if "to" in form else {})

    async with on_its_way(omar, f"/cases/{case}/{verb}", sent) as slow:
        await ending(desk, omar)

    view = await look(desk, cast.sofia, case)
    assert slow.status in (401, 403, 404)
    assert view.questions == ()
    assert view.case.acknowledged_by is None


@pytest.mark.parametrize("ending", [sign_out, end_by_admin, move_elsewhere, disable])
async def test_whoever_loses_the_right_is_shown_nothing_of_the_case(
    desk: Desk, cast: Cast, signed_in: SignedIn, ending: Ending
) -> None:
    case = await ask(desk, cast.ada)
    omar: Visitor = await signed_in("Omar")

    async with on_its_way(omar, f"/cases/{case}/preview", dict(await omar.form(case))) as slow:
        await ending(desk, omar)

    assert slow.status in (401, 403, 404)
    assert slow.response is not None
    assert "12000" not in slow.response.text


@pytest.mark.parametrize("ending", ENDINGS)
async def test_whoever_loses_the_right_decides_none_of_several_cases(
    desk: Desk, cast: Cast, signed_in: SignedIn, ending: Ending
) -> None:
    action = {"tool": "sell_shares", "arguments": {"amount": 1}}
    cases = [await ask(desk, cast.ada, action, idempotency_key=key) for key in ("first", "second")]
    omar: Visitor = await signed_in("Omar")
    forms = [await omar.form(one) for one in cases]
    chosen = [
        f"{case} {form['version']} {form['view_digest']}" for case, form in zip(cases, forms, strict=True)
    ]
    sent: Mapping[str, str | list[str]] = {"case": chosen, "choice": "approve"}

    async with on_its_way(omar, "/together/decide", sent):
        await ending(desk, omar)

    assert [await status_of(desk, cast, one) for one in cases] == ["pending", "pending"]


async def test_an_admin_who_is_none_any_more_changes_nobody(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    await add_person(desk, "Anna", roles=["admin"])
    anna: Visitor = await signed_in("Anna")
    omar = await person_named(desk, "Omar")

    async with on_its_way(anna, f"/admin/people/{omar.id}/roles", {"role": "supervisor"}) as slow:
        await sign_out(desk, anna)

    assert slow.status == 403
    assert (await person_named(desk, "Omar")).roles == {"operator"}
