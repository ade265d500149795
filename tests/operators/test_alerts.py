"""What people see of alerts on the pages: banners, and how each one went."""

from __future__ import annotations

import pytest
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, ask, text_of

from signoff.desk.deliver import lease, record
from signoff.desk.desk import Desk
from signoff.desk.heartbeat import beat
from signoff.desk.people import set_addresses
from signoff.domain.alert import Failed, Sent


async def test_the_inbox_and_readyz_say_that_nobody_sends_alerts(
    desk: Desk, cast: Cast, clock: HandClock, signed_in: SignedIn, visitor: NewVisitor
) -> None:
    omar = await signed_in("Omar")
    await ask(desk, cast.ada)
    assert (await visitor().get("/readyz")).status_code == 200
    clock.advance(60)

    page = text_of((await omar.get("/")).text)
    ready = await visitor().get("/readyz")

    assert "Alerts are not being sent 1 alert is due since" in page
    assert "was never seen" in page
    assert (ready.status_code, ready.text) == (503, "not ready: alerts are due and no worker sends them\n")
    await beat(desk, "worker")
    assert "Alerts are not being sent" not in (await omar.get("/")).text
    assert (await visitor().get("/readyz")).text == "ready\n"


async def test_a_dead_letter_is_a_banner_and_every_try_stands_on_the_case_page(
    desk: Desk, cast: Cast, clock: HandClock, signed_in: SignedIn
) -> None:
    await set_addresses(desk, "Omar", ("ntfy://secret-topic", "terminal:"))
    case = await ask(desk, cast.ada)
    for one in await lease(desk, "worker"):
        failed = one.alert.address != "terminal:"
        await record(desk, "worker", one, Failed("<b>no route</b>") if failed else Sent())
    clock.advance(10)
    (again,) = await lease(desk, "worker")
    await record(desk, "worker", again, Failed("gone", permanent=True))
    sofia = await signed_in("Sofia")

    page = (await sofia.get(f"/cases/{case}")).text

    assert "1 alert could not be delivered" in text_of((await sofia.get("/")).text)
    assert "Omar, ntfy: could not be sent" in text_of(page)
    assert "<b>no route</b>" not in page
    assert "&lt;b&gt;no route&lt;/b&gt;" in page
    assert "gone" in text_of(page)
    assert "Omar, terminal: sent" in text_of(page)
    assert "secret-topic" not in page


@pytest.mark.parametrize("kind", ["waiting", "dropped"])
async def test_what_was_not_sent_is_said_so(desk: Desk, cast: Cast, signed_in: SignedIn, kind: str) -> None:
    case = await ask(desk, cast.ada)
    sofia = await signed_in("Sofia")
    if kind == "dropped":
        await sofia.decide(case, choice="approve")
    said = {"waiting": "not sent yet", "dropped": "no longer needed"}[kind]
    assert f"Omar, terminal: {said}" in text_of((await sofia.get(f"/cases/{case}")).text)
