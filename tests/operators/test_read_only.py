"""A server whose log is not the one that was signed: every page says so, and nothing can be decided on it."""

from __future__ import annotations

from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, ask, text_of
from tests.promises import promise

from signoff.desk.desk import Desk

WHY = "A checkpoint of 5 events is known, and the database, with 4, does not contain it."


@promise("fail-closed")
async def test_whoever_is_signed_in_can_read_and_is_told_why_nothing_can_be_decided(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    case = await ask(desk, cast.ada)
    omar = await signed_in("Omar")
    form = await omar.form(case)
    desk.store.read_only = WHY

    for path in ("/", f"/cases/{case}", "/cases/esc_none", "/sign-in"):
        page = text_of((await omar.get(path)).text)
        assert "Read-only: nothing can be decided here now" in page, path
        assert WHY in page, path
    shown = (await omar.get(f"/cases/{case}")).text
    assert "wire_transfer" in shown
    assert 'name="choice" value="approve"' not in shown
    refused = await omar.post(f"/cases/{case}/decide", data={**form, "choice": "approve"})
    assert refused.status_code == 503
    assert WHY in text_of(refused.text)

    desk.store.read_only = None
    assert "Read-only" not in (await omar.get("/")).text
    assert (await omar.decide(case, choice="approve")).status_code == 303


@promise("fail-closed")
async def test_a_load_balancer_is_told_that_it_is_not_ready(desk: Desk, visitor: NewVisitor) -> None:
    someone = visitor()
    assert (await someone.get("/readyz")).status_code == 200
    desk.store.read_only = WHY

    answer = await someone.get("/readyz")

    assert (answer.status_code, answer.text) == (503, f"not ready: read_only: {WHY}\n")
    assert (await someone.get("/healthz")).status_code == 200
