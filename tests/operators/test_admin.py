"""Administration through its pages: people, agents, keys, the policy; and who may do none of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests._support.cases import approve
from tests._support.clock import HandClock
from tests.conftest import POLICY, Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link, text_of

from signoff.desk.desk import Desk
from signoff.desk.people import add_person, agent_by_key, agent_named, person_named
from signoff.domain.errors import Forbidden, InvalidRequest
from signoff.domain.people import Agent
from signoff.operators.alerting import Alerting
from signoff.operators.web import build_pages


@pytest.fixture
def pages(desk: Desk) -> Any:
    def check(address: str) -> str:
        if not address.startswith("ntfys://"):
            raise InvalidRequest("such addresses are not taken.", field="address")
        return address

    async def unused(*_: object) -> Any:
        raise NotImplementedError

    return build_pages(desk, Alerting(unused, check, "", lambda *_: "", list))


@pytest.fixture
async def anna(desk: Desk, cast: Cast, signed_in: SignedIn) -> Visitor:
    """An admin before a browser."""
    await add_person(desk, "Anna", roles=["admin"])
    browser: Visitor = await signed_in("Anna")
    return browser


async def last_event(desk: Desk) -> dict[str, Any]:
    async with desk.store.reading() as reader:
        raw = await reader.event((await reader.head()).size - 1)
    assert raw is not None
    found: dict[str, Any] = orjson.loads(raw)
    return found


async def test_an_admin_adds_somebody_who_can_then_sign_in_and_decide(
    desk: Desk, anna: Visitor, signed_in: SignedIn, ada: Agent
) -> None:
    form = {
        "name": "Olga",
        "role": "operator",
        "queues": "payments, default",
        "addresses": "ntfys://ntfy.sh/olga",
    }
    response = await anna.post("/admin/people", data=form)

    assert response.status_code == 303
    event = await last_event(desk)
    person = await person_named(desk, "Olga")
    assert event["type"] == "person.added"
    assert event["actor"]["id"] == (await person_named(desk, "Anna")).id
    assert person.queues == {"payments", "default"}
    assert [one.url for one in person.addresses] == ["ntfys://ntfy.sh/olga"]
    page = await anna.get(response.headers["location"])
    assert "They can sign in from now on." in text_of(page.text)
    assert "ntfy.sh/olga" not in page.text
    case = await ask(desk, ada)
    olga = await signed_in("Olga")
    assert (await olga.decide(case, choice="approve")).status_code == 303


async def test_what_is_wrong_with_a_new_person_is_said_and_what_was_written_stays(
    desk: Desk, anna: Visitor
) -> None:
    for form, said in (
        ({"name": "", "role": "operator"}, "Name: Must be 1 to 100"),
        ({"name": "Omar", "role": "operator"}, "There is already a person called Omar."),
        ({"name": "Olga"}, "Roles: Must be among"),
        ({"name": "Olga", "role": "emperor"}, "Roles: Must be among"),
        (
            {"name": "Olga", "role": "operator", "queues": "payment"},
            "Queues: The policy has no queue called 'payment' - did you mean 'payments'? There are: default, payments.",
        ),
        (
            {"name": "Olga", "role": "operator", "addresses": "file:///etc/passwd"},
            "such addresses are not taken",
        ),
    ):
        response = await anna.post("/admin/people", data=form)
        assert response.status_code in (409, 422), form
        assert said.lower() in text_of(response.text).lower(), form
        assert f'value="{form["name"]}"' in response.text


async def test_other_roles_and_queues_count_from_the_next_click_on(
    desk: Desk, anna: Visitor, signed_in: SignedIn, ada: Agent
) -> None:
    case = await ask(desk, ada)
    omar = await signed_in("Omar")
    assert (await omar.get(f"/cases/{case}")).status_code == 200

    page = f"/admin/people/{(await person_named(desk, 'Omar')).id}"
    assert "There are: default, payments" in text_of((await anna.get(page)).text)
    refused = await anna.post(f"{page}/roles", data={"role": "operator", "queues": "refunds"})
    assert refused.status_code == 422
    assert "no queue called 'refunds'. There are: default, payments." in text_of(refused.text)
    assert (
        await anna.post(f"{page}/roles", data={"role": "operator", "queues": "default"})
    ).status_code == 303

    assert (await omar.get(f"/cases/{case}")).status_code == 404
    assert (await last_event(desk))["data"]["queues"] == ["default"]


async def test_a_disabled_person_is_out_at_once_and_it_takes_a_tick(
    desk: Desk, anna: Visitor, signed_in: SignedIn
) -> None:
    omar = await signed_in("Omar")
    page = f"/admin/people/{(await person_named(desk, 'Omar')).id}"

    assert (await anna.post(f"{page}/disable", data={})).status_code == 422
    assert (await omar.get("/")).status_code == 200
    assert (await anna.post(f"{page}/disable", data={"sure": "yes"})).status_code == 303

    assert (await omar.get("/")).status_code == 401
    assert "Disabled since" in text_of((await anna.get(page)).text)


async def test_the_last_admin_cannot_take_themselves_away(desk: Desk, anna: Visitor) -> None:
    page = f"/admin/people/{(await person_named(desk, 'Anna')).id}"

    for verb, form in (("disable", {"sure": "yes"}), ("roles", {"role": "auditor"})):
        response = await anna.post(f"{page}/{verb}", data=form)
        assert response.status_code == 409
        assert "No admin would be left" in response.text
    await add_person(desk, "Bert", roles=["admin"])

    assert (await anna.post(f"{page}/roles", data={"role": "auditor"})).status_code == 303
    assert (await anna.get("/admin")).status_code == 403


async def test_addresses_that_stay_need_not_be_known_and_are_not_shown(desk: Desk, anna: Visitor) -> None:
    given = "push=ntfys://ntfy.sh/a-secret-topic"
    omar = await person_named(desk, "Omar")
    page = f"/admin/people/{omar.id}"
    await anna.post(f"{page}/addresses", data={"addresses": given})
    shown = (await anna.get(page)).text
    (kept,) = re.findall(r'name="keep" value="([^"]+)"', shown)
    assert "a-secret-topic" not in shown

    await anna.post(f"{page}/addresses", data={"keep": kept, "addresses": "ntfys://ntfy.sh/second"})

    held = (await person_named(desk, "Omar")).addresses
    assert [(one.label, one.url) for one in held] == [
        ("push", "ntfys://ntfy.sh/a-secret-topic"),
        ("push", "ntfys://ntfy.sh/second"),
    ]
    assert held[0].id == kept
    await anna.post(f"{page}/addresses", data={"addresses": ""})
    assert (await person_named(desk, "Omar")).addresses == ()


@pytest.mark.parametrize(
    "kept",
    [
        "json://169.254.169.254/x",
        "file:///etc/passwd",
        "ntfys://ntfy.sh/unchecked",
        "adr_STALE",
        "",
        "terminal:",
    ],
)
async def test_only_an_address_that_the_person_has_can_be_kept(desk: Desk, anna: Visitor, kept: str) -> None:
    omar = await person_named(desk, "Omar")
    page = f"/admin/people/{omar.id}"

    response = await anna.post(
        f"{page}/addresses", data={"keep": [omar.addresses[0].id, kept], "addresses": "ntfys://ntfy.sh/new"}
    )

    assert response.status_code == 409
    assert "load the page again" in text_of(response.text)
    assert (await person_named(desk, "Omar")).addresses == omar.addresses


async def test_nobody_keeps_an_address_of_somebody_else(desk: Desk, anna: Visitor) -> None:
    omar, sofia = await person_named(desk, "Omar"), await person_named(desk, "Sofia")

    response = await anna.post(
        f"/admin/people/{omar.id}/addresses", data={"keep": sofia.addresses[0].id, "addresses": ""}
    )

    assert response.status_code == 409
    assert (await person_named(desk, "Omar")).addresses == omar.addresses


async def test_an_agents_key_is_shown_once_and_opens_the_agents_door(desk: Desk, anna: Visitor) -> None:
    response = await anna.post("/admin/agents", data={"name": "Cleo", "owner": "Omar"})

    (key,) = re.findall(r'id="key">(sgn_[^<]+)<', response.text)
    cleo = await agent_by_key(desk, key)
    assert (cleo.name, cleo.owner) == ("Cleo", (await person_named(desk, "Omar")).id)
    assert response.headers["cache-control"] == "no-store"
    page = f"/admin/agents/{cleo.id}"
    assert key not in (await anna.get(page)).text

    assert (await anna.post(f"{page}/key", data={})).status_code == 422
    rotated = await anna.post(f"{page}/key", data={"sure": "yes"})
    (fresh,) = re.findall(r'id="key">(sgn_[^<]+)<', rotated.text)
    with pytest.raises(Forbidden):
        await agent_by_key(desk, key)
    assert (await agent_by_key(desk, fresh)).id == cleo.id
    assert (await last_event(desk))["type"] == "agent.key_rotated"


async def test_a_paused_agent_asks_for_nothing_until_it_is_resumed(
    desk: Desk, anna: Visitor, ada: Agent
) -> None:
    page = f"/admin/agents/{ada.id}"

    assert (await anna.post(f"{page}/pause")).status_code == 303
    with pytest.raises(Forbidden):
        await ask(desk, await agent_named(desk, "Ada"))
    assert (await anna.post(f"{page}/pause")).status_code == 409
    assert "1 agent is paused" in text_of((await anna.get("/admin")).text)
    assert (await anna.post(f"{page}/resume")).status_code == 303

    assert await ask(desk, await agent_named(desk, "Ada"))
    assert (await last_event(desk))["type"] != "agent.paused"


async def test_limits_of_an_agent_are_set_and_taken_back(desk: Desk, anna: Visitor, ada: Agent) -> None:
    page = f"/admin/agents/{ada.id}"

    await anna.post(f"{page}/limits", data={"max_open": "3", "requests_per_minute": ""})
    assert ((await agent_named(desk, "Ada")).max_open, (await last_event(desk))["type"]) == (
        3,
        "agent.limited",
    )
    wrong = await anna.post(f"{page}/limits", data={"max_open": "-1"})
    assert wrong.status_code == 422
    assert "write a number" in text_of(wrong.text).lower()
    await anna.post(f"{page}/limits", data={"max_open": "", "requests_per_minute": ""})
    assert (await agent_named(desk, "Ada")).max_open is None


async def test_a_supervisor_may_pause_an_agent_and_nothing_else_of_it(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    sofia = await signed_in("Sofia")
    page = f"/admin/agents/{cast.ada.id}"

    shown = (await sofia.get(page)).text
    assert "New key" not in shown
    assert (await sofia.post(f"{page}/pause")).status_code == 303
    assert (await last_event(desk))["actor"]["id"] == cast.sofia.person.id
    for path, form in (
        (f"{page}/key", {"sure": "yes"}),
        (f"{page}/limits", {"max_open": "1"}),
        ("/admin/agents", {"name": "Cleo"}),
    ):
        assert (await sofia.post(path, data=form)).status_code == 403, path
    assert (await agent_by_key(desk, cast.ada_key)).id == cast.ada.id


PATHS = (
    ("GET", "/admin"), ("GET", "/admin/people"), ("POST", "/admin/people"), ("GET", "/admin/people/{omar}"),
    ("POST", "/admin/people/{omar}/roles"), ("POST", "/admin/people/{omar}/addresses"),
    ("POST", "/admin/people/{omar}/disable"), ("GET", "/admin/agents"), ("POST", "/admin/agents"),
    ("GET", "/admin/agents/{ada}"), ("POST", "/admin/agents/{ada}/key"), ("POST", "/admin/agents/{ada}/pause"),
    ("POST", "/admin/agents/{ada}/resume"), ("POST", "/admin/agents/{ada}/limits"), ("GET", "/admin/keys"),
    ("GET", "/admin/policy"), ("POST", "/admin/policy/try"), ("GET", "/admin/policy/sha256:0"),
)  # fmt: skip


@pytest.mark.parametrize("who", ["Omar", "Amir", "a link of one case"])
async def test_administration_is_for_admins_and_changes_nothing_for_others(
    desk: Desk, cast: Cast, signed_in: SignedIn, visitor: NewVisitor, who: str
) -> None:
    await ask(desk, cast.ada)
    if who == "a link of one case":
        browser = visitor()
        await browser.open_link(await case_link(desk, "Omar"))
    else:
        browser = await signed_in(who)
    async with desk.store.reading() as reader:
        before = await reader.head()
    form = {"name": "Eve", "role": "admin", "sure": "yes", "policy": POLICY, "max_open": "0"}
    for method, path in PATHS:
        filled = path.format(omar=cast.omar.person.id, ada=cast.ada.id)
        response = await browser.request(method, filled, data=form if method == "POST" else None)
        if who == "Amir" and "/policy" in path:
            assert response.status_code in (200, 404), path
        else:
            assert response.status_code == (403 if who != "a link of one case" else 401), path
    async with desk.store.reading() as reader:
        assert await reader.head() == before


async def test_keys_are_shown_by_their_public_halves_only(desk: Desk, anna: Visitor) -> None:
    page = (await anna.get("/admin/keys")).text

    assert desk.keys.log.verifier.text in page.replace("&#43;", "+")
    assert desk.keys.receipt.kid in page
    for file in desk.keys.directory.glob("*.key"):
        assert file.read_text().strip().splitlines()[-1] not in page
    assert "PRIVATE" not in page


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


STRICTER = POLICY.replace("amount > 10000", "amount > 13000")


async def test_versions_of_the_policy_are_listed_with_what_changed(
    desk: Desk, cast: Cast, anna: Visitor, policy_path: Path, clock: HandClock
) -> None:
    await ask(desk, cast.ada)
    first = desk.policy.current().digest
    clock.advance(60)
    write(policy_path, STRICTER)
    await ask(desk, cast.ada)
    second = desk.policy.current().digest

    listed = (await anna.get("/admin/policy")).text
    shown = text_of((await anna.get(f"/admin/policy/{second}")).text)

    assert listed.index(second) < listed.index(first)
    assert "- when: action.arguments.amount > 10000" in shown
    assert "+ when: action.arguments.amount > 13000" in shown
    assert "It is the first." in (await anna.get(f"/admin/policy/{first}")).text
    assert (await anna.get(f"/admin/policy/{first[:20]}")).status_code == 404


async def test_a_policy_is_tried_on_what_was_asked_and_nothing_changes(
    desk: Desk, cast: Cast, anna: Visitor
) -> None:
    case = await ask(desk, cast.ada)  # 12,000
    await approve(desk, cast.omar, case)
    async with desk.store.reading() as reader:
        before = await reader.head()

    given = STRICTER.replace("\n", "\r\n").replace("then: deny", "then: escalate")
    page = await anna.post("/admin/policy/try", data={"policy": given, "days": "7"})

    said = text_of(page.text)
    assert (
        "Nothing would have been answered differently" in said
    )  # the agent asked for a person, and gets one
    assert "large-wire 1 0" in said
    assert "+ when: action.arguments.amount > 13000" in said
    denying = POLICY.replace("then: escalate\n    queue: payments", "then: deny\n    queue: payments")
    said = text_of((await anna.post("/admin/policy/try", data={"policy": denying})).text)
    assert "1 of 1 would have been answered differently" in said
    assert "Put to people → Denied people then: 1 approved" in said
    async with desk.store.reading() as reader:
        assert await reader.head() == before
    assert desk.policy.current().text == POLICY


async def test_what_is_no_policy_is_said_by_line(desk: Desk, anna: Visitor) -> None:
    response = await anna.post("/admin/policy/try", data={"policy": "version: 1\ntriggers: nonsense\n"})

    assert response.status_code == 422
    assert "policy:2:" in text_of(response.text)
    assert (await anna.post("/admin/policy/try", data={"policy": "  "})).status_code == 422
    assert (await anna.post("/admin/policy/try", data={"policy": "x" * 300_000})).status_code == 422
