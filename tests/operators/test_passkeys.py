"""Passkeys through the pages, with an authenticator whose every flag can be bent: who gets in, and who does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from tests._support.authenticator import Authenticator, b64
from tests._support.clock import HandClock
from tests._support.passkeys import ORIGIN, POLICY, VAULT, device, enrolled, offered
from tests._support.passkeys import sign as sign_decision
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link, hidden_fields

from signoff.audit.passkey import sign_in_challenge
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.look import look
from signoff.desk.passkeys import passkeys_of, revoke_passkey
from signoff.desk.people import add_person, disable_person
from signoff.desk.sessions import sessions_of
from signoff.domain.decision import Answer
from signoff.domain.people import SignIn
from signoff.operators.guard import Site

OPEN_VAULT = {"tool": VAULT.tool, "arguments": dict(VAULT.arguments), "summary": VAULT.summary}


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(
        POLICY
        + "  - {id: ledger, title: Ledger, tools: [close_ledger], then: escalate, require: {assurance: session}}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def settings() -> DeskSettings:
    return DeskSettings(base_url=ORIGIN, undo_s=0)


@pytest.fixture
async def phone(desk: Desk, cast: Cast) -> Authenticator:
    """Omar's phone, which Sofia has confirmed."""
    authenticator = device()
    await enrolled(desk, cast.omar, authenticator, by=cast.sofia)
    return authenticator


async def asked(browser: Visitor, **fields: str) -> dict[str, Any]:
    response = await browser.post("/sign-in/passkey/challenge", data={"passkey": "", **fields})
    assert response.status_code == 200
    return dict(response.json())


def answer(
    asked: dict[str, Any], authenticator: Authenticator, *, handle: str | None = None
) -> dict[str, Any]:
    """Do what a browser does with a challenge."""
    got = authenticator.get(sign_in_challenge(asked["statement"]))
    return {
        "statement": asked["statement"],
        "seal": asked["seal"],
        "user_handle": None if handle is None else b64(handle.encode()),
        "assertion": {
            "credential_id": b64(got.credential_id),
            "authenticator_data": b64(got.authenticator_data),
            "client_data": b64(got.client_data),
            "signature": b64(got.signature),
        },
    }


async def send(browser: Visitor, passkey: Any, **fields: str) -> int:
    text = passkey if isinstance(passkey, str) else json.dumps(passkey)
    return (await browser.post("/sign-in/passkey", data={"passkey": text, **fields})).status_code


async def log(desk: Desk) -> list[dict[str, Any]]:
    """Return every event, in order."""
    async with desk.store.reading() as reader:
        return [orjson.loads(body) async for page in reader.events() for _, body in page]


async def test_a_passkey_signs_its_person_in_and_the_log_says_how(
    desk: Desk, cast: Cast, visitor: NewVisitor, phone: Authenticator
) -> None:
    browser = visitor()

    assert await send(browser, answer(await asked(browser), phone, handle=cast.omar.person.id)) == 303

    assert "Omar" in (await browser.get("/")).text
    [seat] = await sessions_of(desk, cast.omar)
    assert (seat.session.assurance, seat.session.way) == ("passkey", "passkey")


Bend = Callable[[dict[str, Any]], dict[str, Any]]
BENT: dict[str, Bend] = {
    "another statement": lambda a: {**a, "statement": {**a["statement"], "nonce": b64(bytes(32))}},
    "a later time": lambda a: {**a, "statement": {**a["statement"], "at": "2026-11-24T00:00:00.000000Z"}},
    "a purpose of its own": lambda a: {**a, "statement": {**a["statement"], "person": "per_0"}},
    "no seal": lambda a: {**a, "seal": ""},
    "a seal of somebody else": lambda a: {**a, "seal": b64(bytes(32))},
    "no signature": lambda a: {**a, "assertion": {**a["assertion"], "signature": b64(bytes(70))}},
    "an unknown passkey": lambda a: {**a, "assertion": {**a["assertion"], "credential_id": b64(bytes(32))}},
    "somebody else's name": lambda a: {**a, "user_handle": b64(b"per_0")},
    "more fields": lambda a: {**a, "extra": 1},
    "a list": lambda a: {**a, "statement": []},
    "nothing": lambda a: {},
}


@pytest.mark.parametrize("what", list(BENT))
async def test_a_bent_answer_lets_nobody_in_and_all_look_alike(
    desk: Desk, cast: Cast, visitor: NewVisitor, phone: Authenticator, what: str
) -> None:
    browser = visitor()
    bent = BENT[what](answer(await asked(browser), phone))

    response = await browser.post("/sign-in/passkey", data={"passkey": json.dumps(bent)})
    reference = await browser.post("/sign-in/passkey", data={"passkey": "no JSON"})

    assert (response.status_code, response.text) == (403, reference.text)
    assert "set-cookie" not in response.headers
    assert await sessions_of(desk, cast.omar) == []


async def test_an_authenticator_that_verified_nobody_or_was_used_elsewhere_is_refused(
    desk: Desk, cast: Cast, visitor: NewVisitor, phone: Authenticator
) -> None:
    browser = visitor()
    for bend in ({"verifies_user": False}, {"origin": "https://evil.example"}, {"rp_id": "evil.example"}):
        kept = {name: getattr(phone, name) for name in bend}
        for name, value in bend.items():
            setattr(phone, name, value)
        assert await send(browser, answer(await asked(browser), phone)) == 403, bend
        for name, value in kept.items():
            setattr(phone, name, value)

    refused = [one["data"]["why"] for one in await log(desk) if one["type"] == "person.passkey_refused"]
    assert refused == ["not_verified", "wrong_origin", "wrong_origin"]
    assert await send(browser, answer(await asked(browser), phone)) == 303


async def test_a_passkey_that_is_waiting_revoked_or_of_a_disabled_person_is_refused(
    desk: Desk, cast: Cast, visitor: NewVisitor, phone: Authenticator
) -> None:
    waiting = device()
    await offered(desk, cast.omar, waiting)
    assert await send(visitor(), answer(await asked(visitor()), waiting)) == 403
    of_lena = device()
    lena = SignIn(await add_person(desk, "Lena", roles=["operator"]), "session")
    await enrolled(desk, lena, of_lena, by=cast.sofia)
    await disable_person(desk, "Lena")
    assert await send(visitor(), answer(await asked(visitor()), of_lena)) == 403
    [one] = [one for one in await passkeys_of(desk, "Omar") if one.state == "in use"]
    await revoke_passkey(desk, one.credential, by=cast.omar)
    assert await send(visitor(), answer(await asked(visitor()), phone)) == 403


async def test_an_answer_counts_once_however_many_send_it_at_once(
    desk: Desk, cast: Cast, visitor: NewVisitor
) -> None:
    synced = device(counts=False)  # no counter that would give a replay away
    await enrolled(desk, cast.omar, synced, by=cast.sofia)
    given = answer(await asked(visitor()), synced)
    answers: list[int] = []

    async def once(browser: Visitor) -> None:
        answers.append(await send(browser, given))

    async with anyio.create_task_group() as tasks:
        for browser in [visitor() for _ in range(10)]:
            tasks.start_soon(once, browser)

    assert sorted(answers) == [303] + [403] * 9


async def test_an_answer_is_good_for_five_minutes_and_for_the_server_that_asked(
    desk: Desk, cast: Cast, visitor: NewVisitor, phone: Authenticator, clock: HandClock
) -> None:
    late = answer(await asked(visitor()), phone)
    clock.advance(301)
    assert await send(visitor(), late) == 403
    before = answer(await asked(visitor()), phone)
    object.__setattr__(desk, "sign_in_seal", bytes(32))  # as after a restart
    assert await send(visitor(), before) == 403


async def test_what_was_signed_for_a_decision_signs_nobody_in(
    desk: Desk, cast: Cast, visitor: NewVisitor, phone: Authenticator
) -> None:
    case = await ask(desk, cast.ada, OPEN_VAULT)
    _, proof = await sign_decision(desk, cast.omar, phone, case, Answer("approve"))
    given = answer(await asked(visitor()), phone)

    assert await send(visitor(), {**given, "assertion": proof.signed.assertion.as_json()}) == 403


async def test_stepping_up_rotates_the_session_and_takes_ones_own_passkey_only(
    desk: Desk, cast: Cast, visitor: NewVisitor, phone: Authenticator
) -> None:
    case = await ask(desk, cast.ada, {"tool": "close_ledger", "arguments": {}})
    of_sofia = device()
    await enrolled(desk, cast.sofia, of_sofia, by=replace(cast.omar, person=await admin(desk)))
    browser = visitor()
    await browser.open_link(await case_link(desk, "Omar"))
    before = browser.cookies["__Host-signoff"]
    assert "A surer sign-in is needed" in (await browser.get(f"/cases/{case}")).text

    foreign = answer(await asked(browser, step_up="1"), of_sofia)
    assert await send(browser, foreign, step_up="1") == 403
    for_signing_in = answer(await asked(visitor()), phone)
    assert await send(browser, for_signing_in, step_up="1") == 403  # asked for another purpose
    for_stepping_up = answer(await asked(browser, step_up="1"), phone)
    assert await send(visitor(), for_stepping_up) == 403
    assert await send(visitor(), for_stepping_up, step_up="1") == 401

    response = await browser.post(
        "/sign-in/passkey", data={"passkey": json.dumps(for_stepping_up), "step_up": "1", "back_to": case}
    )

    assert response.headers["location"] == f"/cases/{case}"
    assert browser.cookies["__Host-signoff"] != before
    old = visitor()
    old.cookies.set("__Host-signoff", before, domain="signoff.example")
    assert (await old.get(f"/cases/{case}")).status_code == 401
    assert (await browser.decide(case, choice="approve")).status_code == 303
    assert (await look(desk, cast.omar, case)).case.assurance == "session"  # nothing was signed over it


async def admin(desk: Desk) -> Any:
    return await add_person(desk, "Dana", roles=["admin"])


async def test_guessing_passkeys_from_one_source_comes_to_an_end(
    desk: Desk, cast: Cast, visitor: NewVisitor, phone: Authenticator
) -> None:
    statuses = [await send(visitor(), answer(await asked(visitor()), device())) for _ in range(31)]

    assert statuses == [403] * 30 + [429]


async def test_a_decision_is_signed_through_the_page_and_a_session_alone_is_not_enough(
    desk: Desk, cast: Cast, signed_in: SignedIn, phone: Authenticator
) -> None:
    case = await ask(desk, cast.ada, OPEN_VAULT)
    omar = await signed_in("Omar")
    assert await send(omar, answer(await asked(omar), phone)) == 303  # even signed in with the passkey
    page = (await omar.get(f"/cases/{case}")).text
    fields = {**hidden_fields(page), "choice": "approve"}
    assert f'data-sign="/cases/{case}/challenge"' in page
    assert (await omar.post(f"/cases/{case}/decide", data=fields)).status_code == 403

    given = (await omar.post(f"/cases/{case}/challenge", data=fields)).json()
    got = phone.get(_decision_challenge(given["statement"]))
    assertion = {
        "credential_id": b64(got.credential_id),
        "authenticator_data": b64(got.authenticator_data),
        "client_data": b64(got.client_data),
        "signature": b64(got.signature),
    }
    proof = {
        "passkey": json.dumps({"statement": given["statement"], "assertion": assertion}),
        "salt": given["salt"],
    }
    for bad in ({"passkey": "no JSON"}, {"salt": b64(bytes(32))}, {"choice": "reject", "note": "no"}):
        assert (await omar.post(f"/cases/{case}/decide", data={**fields, **proof, **bad})).status_code == 403
    assert (await omar.post(f"/cases/{case}/decide", data={**fields, **proof})).status_code == 303
    assert (await look(desk, cast.omar, case)).case.assurance == "passkey"
    assert (await omar.post(f"/cases/{case}/challenge", data=fields)).status_code == 409


def _decision_challenge(statement: dict[str, Any]) -> bytes:
    from signoff.audit.passkey import read_statement

    return read_statement(statement).challenge


async def test_a_new_passkey_waits_and_only_a_second_person_confirms_it_on_a_page(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    sofia, omar = await signed_in("Sofia"), await signed_in("Omar")
    for browser in (sofia, omar):
        assert (await add(browser, device())).headers["location"] == "/settings/sign-in?said=added"
    [his], [hers] = await passkeys_of(desk, "Omar"), await passkeys_of(desk, "Sofia")
    confirm, sure = "/people/passkeys/confirm", {"sure": "yes"}

    assert (await omar.post(confirm, data={"credential": his.credential, **sure})).status_code == 403
    assert (await sofia.post(confirm, data={"credential": hers.credential, **sure})).status_code == 403
    assert (await sofia.post(confirm, data={"credential": his.credential})).status_code == 422
    assert (await sofia.post(confirm, data={"credential": "AAAA", **sure})).status_code == 404
    assert [one.state for one in [*await passkeys_of(desk, "Omar"), *await passkeys_of(desk, "Sofia")]] == [
        "waiting"
    ] * 2
    shown = [re.findall(r'class="fingerprint">([^<]*)<', (await one.get(path)).text) for one, path in
             ((omar, "/settings/sign-in"), (sofia, "/people/sign-in"))]  # fmt: skip
    assert shown[0][0] in shown[1]
    assert (await sofia.post(confirm, data={"credential": his.credential, **sure})).status_code == 303
    [his] = await passkeys_of(desk, "Omar")
    assert (his.state, his.enrolled_by) == ("in use", cast.sofia.person.id)


async def add(browser: Visitor, authenticator: Authenticator, **fields: str) -> Any:
    """Add a passkey as the page does."""
    from signoff.audit.passkey import enrolment_challenge

    given = (await browser.post("/settings/passkeys/challenge")).json()
    made = authenticator.create(enrolment_challenge(given["statement"]))
    passkey = {
        "statement": given["statement"],
        "client_data": b64(made.client_data),
        "authenticator_data": b64(made.authenticator_data),
    }
    return await browser.post(
        "/settings/passkeys", data={"passkey": json.dumps(passkey), "label": "phone", **fields}
    )


async def test_a_passkey_made_for_somebody_else_or_without_verifying_is_not_kept(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")

    assert (await add(omar, replace(device(), verifies_user=False))).status_code == 403
    assert (await add(omar, replace(device(), origin="https://evil.example"))).status_code == 403
    assert (await add(omar, device(), label="")).status_code == 422
    assert (await add(omar, device(), label="a\u202eb")).status_code == 422
    for bad in ("", "[]", "{}", '{"statement": 1, "client_data": "", "authenticator_data": ""}'):
        assert (await omar.post("/settings/passkeys", data={"passkey": bad, "label": "x"})).status_code == 422
    once = device()
    assert (await add(omar, once)).status_code == 303
    assert (await add(sofia, once)).status_code == 409

    assert len(await passkeys_of(desk, "Omar")) == 1
    assert await passkeys_of(desk, "Sofia") == []


async def test_nobody_revokes_the_passkey_of_another_on_their_own_page(
    desk: Desk, cast: Cast, signed_in: SignedIn, phone: Authenticator
) -> None:
    sofia, omar = await signed_in("Sofia"), await signed_in("Omar")
    [his] = await passkeys_of(desk, "Omar")

    assert (
        await sofia.post("/settings/passkeys/revoke", data={"credential": his.credential})
    ).status_code == 404
    assert (
        await omar.post("/people/passkeys/revoke", data={"credential": his.credential})
    ).status_code == 303
    [his] = await passkeys_of(desk, "Omar")
    assert his.state == "revoked"


async def test_revoking_a_passkey_signs_out_whoever_came_in_with_it(
    desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn, phone: Authenticator
) -> None:
    thief, omar = visitor(), await signed_in("Omar")
    assert await send(thief, answer(await asked(thief), phone)) == 303
    [his] = await passkeys_of(desk, "Omar")

    await omar.post("/settings/passkeys/revoke", data={"credential": his.credential})

    assert (await thief.get("/")).status_code == 401
    assert (await omar.get("/")).status_code == 200


@pytest.mark.parametrize(
    ("base_url", "host", "said"),
    [
        ("http://127.0.0.1:8717", "127.0.0.1:8717", "address"),
        ("http://[::1]:8717", "[::1]:8717", "address"),
        ("https://192.0.2.7", "192.0.2.7", "address"),
        ("http://localhost:8717", "127.0.0.1:8717", "elsewhere"),
        ("http://localhost:8717", "localhost:8717", ""),
        ("https://signoff.example", "signoff.example", ""),
    ],
)
def test_pages_know_where_no_passkey_works(base_url: str, host: str, said: str) -> None:
    assert Site(base_url).passkeys(host) == said


class TestAtAnAddress:
    """Where people reach the pages by a number."""

    @pytest.fixture
    def settings(self) -> DeskSettings:
        return DeskSettings(base_url="http://127.0.0.1:8717", undo_s=0)

    async def test_the_pages_say_why_there_are_no_passkeys_and_what_to_do(
        self, desk: Desk, cast: Cast, visitor: NewVisitor, signed_in: SignedIn
    ) -> None:
        omar = await signed_in("Omar")

        for page in ((await omar.get("/settings/sign-in")).text, (await visitor().get("/sign-in")).text):
            assert "http://localhost:8717" in page
            assert "passkey_" not in page
