"""Rights that end while a request is on its way: what counts is who somebody is when their form has arrived."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import anyio
import httpx
import pytest
from starlette.types import ASGIApp
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link

from signoff.alerts.messages import alert_message, notice_message
from signoff.desk.deliver import lease, lease_notices
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.people import add_person, change_person, disable_person, person_named, set_addresses
from signoff.desk.sessions import all_sessions, end_session
from signoff.desk.sign_in_requests import lease_sign_in_links
from signoff.domain.alert import TERMINAL
from signoff.domain.people import SignIn
from signoff.operators.alerting import Alerting
from signoff.operators.web import build_pages


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


@pytest.fixture
def pages(desk: Desk) -> ASGIApp:
    """Pages on which addresses can be given."""

    async def unused(*_: object) -> Any:
        raise NotImplementedError

    return build_pages(desk, Alerting(unused, lambda address: address, "", lambda *_: "", list))


async def page_of(desk: Desk, name: str) -> str:
    return f"/admin/people/{(await person_named(desk, name)).id}"


async def give(desk: Desk, admin: Visitor, name: str, new: str) -> None:
    """Give somebody one more address on their page."""
    keep = [one.id for one in (await person_named(desk, name)).addresses]
    response = await admin.post(
        f"{await page_of(desk, name)}/addresses", data={"keep": keep, "addresses": new}
    )
    assert response.status_code == 303


@pytest.fixture
async def anna(desk: Desk, cast: Cast, signed_in: SignedIn) -> Visitor:
    """An admin before a browser."""
    await add_person(desk, "Anna", roles=["admin"])
    browser: Visitor = await signed_in("Anna")
    return browser


MINE = "ntfys://ntfy.example.com/of-the-admin"
OWN = "ntfys://ntfy.example.com/omar"


async def links_to(desk: Desk, visitor: Visitor, name: str) -> list[str]:
    """Ask for a sign-in link in somebody's name and return where one goes."""
    await visitor.post("/sign-in/link", data={"name": name})
    return [one.address for one in await lease_sign_in_links(desk, "test")]


async def test_no_sign_in_link_goes_to_an_address_that_an_admin_has_just_given_somebody(
    desk: Desk, anna: Visitor, visitor: NewVisitor, clock: HandClock
) -> None:
    await give(desk, anna, "Omar", MINE)
    assert "takes no links until" in (await anna.get(await page_of(desk, "Omar"))).text

    assert await links_to(desk, visitor(), "Omar") == [TERMINAL]
    clock.advance(24 * 3600 - 61)
    assert MINE not in await links_to(desk, visitor(), "Omar")
    clock.advance(61)
    assert MINE in await links_to(desk, visitor(), "Omar")


async def test_an_address_that_an_admin_puts_in_place_of_another_gets_no_link_that_was_asked_for_before(
    desk: Desk, anna: Visitor, visitor: NewVisitor
) -> None:
    await set_addresses(desk, "Omar", (OWN,))
    await visitor().post("/sign-in/link", data={"name": "Omar"})

    await anna.post(f"{await page_of(desk, 'Omar')}/addresses", data={"addresses": MINE})

    assert await lease_sign_in_links(desk, "test") == []
    assert await links_to(desk, visitor(), "Omar") == []


async def test_an_address_under_another_label_does_not_take_links_sooner(
    desk: Desk, anna: Visitor, visitor: NewVisitor
) -> None:
    await give(desk, anna, "Omar", MINE)
    await give(desk, anna, "Omar", f"again={MINE}")

    assert await links_to(desk, visitor(), "Omar") == [TERMINAL]


async def test_an_alert_to_such_an_address_leads_to_the_case_and_opens_nothing(
    desk: Desk, cast: Cast, anna: Visitor, clock: HandClock
) -> None:
    await set_addresses(desk, "Omar", (OWN,))
    await give(desk, anna, "Omar", MINE)
    case = await ask(desk, cast.ada)

    sent = {one.alert.address: one for one in await lease(desk, "test") if one.person.name == "Omar"}

    assert "/d/lnk_" in sent[OWN].link_url
    assert sent[MINE].link_url == f"{desk.settings.base_url}/cases/{case}"
    assert "once you are signed in:" in alert_message(sent[MINE]).body
    assert "opens once" not in alert_message(sent[MINE]).body


async def test_addresses_that_a_person_was_added_with_or_gave_themselves_take_links(
    desk: Desk, anna: Visitor, visitor: NewVisitor
) -> None:
    form = {"name": "Olga", "role": "operator", "addresses": OWN}
    assert (await anna.post("/admin/people", data=form)).status_code == 303
    await give(desk, anna, "Anna", MINE)

    assert await links_to(desk, visitor(), "Olga") == [OWN]
    assert await links_to(desk, visitor(), "Anna") == [TERMINAL, MINE]


@pytest.mark.parametrize(
    ("roles", "queues"),
    [
        (["admin", "operator"], ""),
        (["admin", "supervisor"], ""),
        (["admin", "operator", "supervisor", "auditor"], "payments"),
    ],
)
async def test_an_admin_cannot_give_themselves_the_right_to_decide(
    desk: Desk, anna: Visitor, roles: list[str], queues: str
) -> None:
    page = await page_of(desk, "Anna")

    response = await anna.post(f"{page}/roles", data={"role": roles, "queues": queues})

    assert response.status_code == 403
    assert "Ask another admin" in response.text
    assert (await person_named(desk, "Anna")).roles == {"admin"}


async def test_another_admin_can_and_so_can_whoever_runs_the_server(
    desk: Desk, anna: Visitor, signed_in: SignedIn
) -> None:
    await add_person(desk, "Bert", roles=["admin"])
    bert: Visitor = await signed_in("Bert")

    await bert.post(f"{await page_of(desk, 'Anna')}/roles", data={"role": ["admin", "operator"]})
    assert (await person_named(desk, "Anna")).roles == {"admin", "operator"}
    await change_person(desk, "Bert", roles=["admin", "supervisor"])
    assert (await person_named(desk, "Bert")).roles == {"admin", "supervisor"}


@pytest.mark.parametrize(
    ("queues", "status"),
    [("refunds", 303), ("refunds, payments", 403), ("payments", 403), ("", 403)],
)
async def test_an_admin_who_operates_gives_themselves_no_further_queue(
    desk: Desk, cast: Cast, signed_in: SignedIn, queues: str, status: int
) -> None:
    await add_person(desk, "Anna", roles=["admin", "operator"], queues=["refunds"])
    anna: Visitor = await signed_in("Anna")

    response = await anna.post(
        f"{await page_of(desk, 'Anna')}/roles", data={"role": ["admin", "operator"], "queues": queues}
    )

    assert response.status_code == status
    assert (await person_named(desk, "Anna")).queues == {"refunds"}


async def test_other_roles_sign_a_person_out_everywhere_and_an_admin_stays_where_they_are(
    desk: Desk, cast: Cast, anna: Visitor, signed_in: SignedIn
) -> None:
    await add_person(desk, "Bert", roles=["admin"])
    omar, elsewhere = await signed_in("Omar"), await signed_in("Anna")

    await anna.post(f"{await page_of(desk, 'Omar')}/roles", data={"role": "operator", "queues": "refunds"})
    assert (await omar.get("/")).status_code == 200
    await anna.post(f"{await page_of(desk, 'Omar')}/roles", data={"role": "supervisor"})
    assert (await omar.get("/")).status_code == 401
    await anna.post(f"{await page_of(desk, 'Anna')}/roles", data={"role": ["admin", "auditor"]})

    assert (await anna.get("/admin")).status_code == 200
    assert (await elsewhere.get("/admin")).status_code == 401


async def told(desk: Desk) -> set[tuple[str, str, str]]:
    """Return who is told of changes, at which address, in which words."""
    notices = await lease_notices(desk, "test")
    assert {one.alert.kind for one in notices} <= {"rights_changed"}
    return {(one.person.name, one.alert.address, notice_message(one).subject) for one in notices}


@pytest.fixture
async def bert(desk: Desk) -> str:
    """Another admin, who has an address."""
    await add_person(desk, "Bert", roles=["admin"], addresses=("ntfys://ntfy.example.com/bert",))
    return "ntfys://ntfy.example.com/bert"


async def test_a_person_hears_at_their_old_addresses_that_an_admin_gave_them_others(
    desk: Desk, anna: Visitor, bert: str
) -> None:
    await set_addresses(desk, "Omar", (OWN, TERMINAL))

    await anna.post(f"{await page_of(desk, 'Omar')}/addresses", data={"addresses": MINE})

    mine = "signoff: Anna changed where your alerts go"
    assert await told(desk) == {
        ("Omar", OWN, mine),
        ("Omar", TERMINAL, mine),
        ("Bert", bert, "signoff: Anna changed where alerts of Omar go"),
    }


async def test_a_person_and_the_other_admins_hear_of_other_roles_and_queues(
    desk: Desk, anna: Visitor, bert: str
) -> None:
    page = await page_of(desk, "Omar")
    for form in ({"role": "supervisor"}, {"role": "supervisor", "queues": "payments"}):
        await anna.post(f"{page}/roles", data=form)

        assert await told(desk) == {
            ("Omar", TERMINAL, "signoff: Anna changed what you may do"),
            ("Bert", bert, "signoff: Anna changed what Omar may do"),
        }


async def test_the_other_admins_hear_of_a_new_person_and_of_what_an_admin_does_to_themselves(
    desk: Desk, anna: Visitor, bert: str
) -> None:
    await anna.post("/admin/people", data={"name": "Olga", "role": "operator", "addresses": MINE})
    assert await told(desk) == {("Bert", bert, "signoff: Anna added Olga to this server")}

    await give(desk, anna, "Anna", MINE)
    assert await told(desk) == {("Bert", bert, "signoff: Anna changed where alerts of Anna go")}


async def test_nobody_is_told_where_nothing_changed_or_the_terminal_did_it(
    desk: Desk, anna: Visitor, bert: str
) -> None:
    omar = await person_named(desk, "Omar")
    await anna.post(f"{await page_of(desk, 'Omar')}/addresses", data={"keep": omar.addresses[0].id})
    await anna.post(f"{await page_of(desk, 'Omar')}/roles", data={"role": "operator"})
    await change_person(desk, "Omar", roles=["supervisor"])
    await set_addresses(desk, "Omar", (OWN,))

    assert await told(desk) == set()
