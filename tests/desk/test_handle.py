"""Passing a case on, taking it over, and pausing its agent: who may, who hears of it, and what the log says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests._support.authenticator import Authenticator
from tests._support.cases import SALE, WIRE, answer, approve, ask, verified
from tests._support.clock import HandClock
from tests._support.passkeys import MERGER, ORIGIN, RP_ID, enrolled, sign, sign_and_decide
from tests._support.passkeys import POLICY as PASSKEYS
from tests.conftest import Cast
from tests.desk.test_tiers import NOBODY_NOW, TIERS, case_of, told, write
from tests.promises import promise

from signoff.audit.passkey import PasskeyInvalid
from signoff.desk.claim import claim
from signoff.desk.decide import decide, undo
from signoff.desk.deliver import lease
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.handle import acknowledge, hand_over, move_to_queue, override, pause_agent_of, reassign
from signoff.desk.inbox import inbox
from signoff.desk.look import look
from signoff.desk.people import add_person, disable_person, resume_agent
from signoff.desk.prove import prove
from signoff.desk.roster import set_hours
from signoff.desk.wait import wait_for_decision
from signoff.domain.decision import Answer
from signoff.domain.errors import (
    AlreadyDecided,
    ClaimRefused,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
)
from signoff.domain.people import Person, SignIn


@pytest.fixture(autouse=True)
def policy(policy_path: Path) -> Path:
    write(policy_path)
    text = policy_path.read_text(encoding="utf-8")
    fraud = "  fraud:\n    tiers:\n      - {alert: [role:operator]}\n      - {after: 5m, alert: [role:supervisor]}\n"
    policy_path.write_text(text.replace("triggers:\n", f"{fraud}triggers:\n", 1), encoding="utf-8")
    return policy_path


@pytest.fixture
async def olga(desk: Desk) -> Person:
    return await add_person(desk, "Olga", roles=["operator"], queues=["payments"])


@pytest.fixture
def slow(desk: Desk) -> Desk:
    """A desk where a decision can be taken back for ten seconds."""
    return replace(desk, settings=DeskSettings(base_url=desk.settings.base_url, undo_s=10))


# Handing over


async def test_who_is_handed_a_case_reads_by_whom(desk: Desk, cast: Cast, olga: Person) -> None:
    asked = await ask(desk, cast.ada)
    await told(desk)
    await hand_over(desk, cast.omar, asked.escalation_id, to=olga.id)
    (errand,) = await lease(desk, "worker")
    assert (errand.alert.kind, errand.by) == ("handed_over", ("Omar",))


async def test_who_is_handed_a_case_is_alerted_at_once_and_has_the_next_tiers_time(
    desk: Desk, cast: Cast, clock: HandClock, olga: Person
) -> None:
    asked = await ask(desk, cast.ada)
    await told(desk)
    clock.advance(9 * 60)
    view = await hand_over(desk, cast.omar, asked.escalation_id, to=olga.id)
    assert (view.case.assigned_to, view.names[olga.id]) == (olga.id, "Olga")
    assert await told(desk) == [("handed_over", "Olga")]
    clock.advance(10 * 60 - 1)
    assert await told(desk) == []
    clock.advance(1)
    assert await told(desk) == [("escalated", "Sofia")]
    assert (await case_of(desk, asked.escalation_id)).assigned_to is None
    assert (await verified(desk)).problems == ()


async def test_a_reminder_goes_to_whom_the_case_was_handed_to(
    desk: Desk, cast: Cast, clock: HandClock, olga: Person, policy: Path
) -> None:
    write(policy, TIERS.replace("operator]", "operator], repeat: 2m"))
    asked = await ask(desk, cast.ada)
    await told(desk)
    await hand_over(desk, cast.omar, asked.escalation_id, to=olga.id)
    await told(desk)
    clock.advance(120)
    assert await told(desk) == [("repeated", "Olga")]
    await disable_person(desk, "Olga")
    clock.advance(120)
    assert await told(desk) == [("repeated", "Omar")]  # the case is not left with nobody


async def test_a_case_is_handed_to_somebody_off_duty_if_one_says_so(
    desk: Desk, cast: Cast, olga: Person
) -> None:
    await set_hours(desk, "Olga", NOBODY_NOW, zone="Europe/Berlin")
    asked = await ask(desk, cast.ada)
    await told(desk)
    view = await look(desk, cast.omar, asked.escalation_id)
    assert [(one.name, one.on_duty) for one in view.attention.candidates] == [
        ("Sofia", True),
        ("Olga", False),
    ]
    await hand_over(desk, cast.omar, asked.escalation_id, to=olga.id)
    assert await told(desk) == [("handed_over", "Olga")]


async def test_a_case_is_handed_to_nobody_who_could_not_decide_it(
    desk: Desk, cast: Cast, olga: Person
) -> None:
    other = await add_person(desk, "Oskar", roles=["operator"], queues=["fraud"])
    gone = await add_person(desk, "Otto", roles=["operator"])
    await disable_person(desk, "Otto")
    asked = await ask(desk, cast.ada)
    for who in (other.id, gone.id, cast.amir.person.id, cast.omar.person.id, "per_none", "", "\ud800"):
        with pytest.raises(InvalidRequest) as refused:
            await hand_over(desk, cast.omar, asked.escalation_id, to=who)
        assert refused.value.field == "to"
    await hand_over(desk, cast.omar, asked.escalation_id, to=olga.id)
    with pytest.raises(Conflict):
        await hand_over(desk, cast.omar, asked.escalation_id, to=olga.id)


# Supervisors


async def test_a_supervisor_reassigns_to_a_person_or_takes_it_herself(
    desk: Desk, cast: Cast, olga: Person
) -> None:
    asked = await ask(desk, cast.ada)
    await told(desk)
    await reassign(desk, cast.sofia, asked.escalation_id, to=olga.id)
    assert await told(desk) == [("handed_over", "Olga")]
    view = await reassign(desk, cast.sofia, asked.escalation_id, to=cast.sofia.person.id)
    assert view.case.assigned_to == cast.sofia.person.id
    assert await told(desk) == []
    assert (await verified(desk)).problems == ()


async def test_a_case_moved_to_another_queue_begins_there_with_the_first_tier(
    desk: Desk, cast: Cast, clock: HandClock, olga: Person
) -> None:
    await add_person(desk, "Oskar", roles=["operator"], queues=["fraud"])
    asked = await ask(desk, cast.ada)
    await told(desk)
    clock.advance(600)
    await told(desk)
    view = await move_to_queue(desk, cast.sofia, asked.escalation_id, queue="fraud")
    assert (view.case.queue, view.case.tier) == ("fraud", 0)
    assert view.case.deadline_at == asked.deadline_at
    assert await told(desk) == [("opened", "Omar"), ("opened", "Oskar")]
    with pytest.raises(NotFound):  # Olga works the other queue
        await look(desk, SignIn(olga, "session"), asked.escalation_id)
    clock.advance(300)
    assert await told(desk) == [("escalated", "Sofia")]
    for queue in ("fraud", "nowhere", ""):
        with pytest.raises((Conflict, InvalidRequest)):
            await move_to_queue(desk, cast.sofia, asked.escalation_id, queue=queue)
    await move_to_queue(desk, cast.sofia, asked.escalation_id, queue="default")
    assert (await verified(desk)).problems == ()


async def test_an_alert_not_sent_before_a_case_changed_its_queue_is_not_sent_after(
    desk: Desk, cast: Cast, olga: Person
) -> None:
    asked = await ask(desk, cast.ada)
    await move_to_queue(desk, cast.sofia, asked.escalation_id, queue="fraud")
    assert await told(desk) == [("opened", "Omar")]


@promise("one-decision")
async def test_a_supervisor_overrides_a_decision_that_the_agent_has_not_been_told(
    slow: Desk, cast: Cast, clock: HandClock, olga: Person
) -> None:
    asked = await ask(slow, cast.ada)
    await approve(slow, cast.omar, asked.escalation_id)
    assert (await look(slow, cast.sofia, asked.escalation_id)).attention.may_override
    view = await override(slow, cast.sofia, asked.escalation_id)
    assert (view.case.status, view.case.acknowledged_by) == ("pending", cast.sofia.person.id)
    clock.advance(60)
    assert (await wait_for_decision(slow, cast.ada, asked.escalation_id)).status == "pending"
    for operator in (cast.omar, SignIn(olga, "session")):
        with pytest.raises(Forbidden):
            await approve(slow, operator, asked.escalation_id)
    await answer(slow, cast.sofia, asked.escalation_id, Answer("reject", note="no"))
    clock.advance(11)
    after = await wait_for_decision(slow, cast.ada, asked.escalation_id)
    assert (after.status, [one["name"] for one in after.decided_by]) == ("rejected", ["Sofia"])
    assert (await verified(slow)).problems == ()


async def test_what_the_agent_was_told_is_overridden_by_nobody(
    slow: Desk, cast: Cast, clock: HandClock
) -> None:
    asked = await ask(slow, cast.ada)
    await approve(slow, cast.omar, asked.escalation_id)
    clock.advance(10)
    with pytest.raises(Conflict):
        await override(slow, cast.sofia, asked.escalation_id)
    assert (await wait_for_decision(slow, cast.ada, asked.escalation_id)).status == "approved"


async def test_what_nobody_decided_is_not_overridden(desk: Desk, cast: Cast, clock: HandClock) -> None:
    asked = await ask(desk, cast.ada)
    clock.at = asked.deadline_at
    with pytest.raises(AlreadyDecided):
        await override(desk, cast.sofia, asked.escalation_id)
    await told(desk)
    with pytest.raises(AlreadyDecided) as refused:
        await override(desk, cast.sofia, asked.escalation_id)
    assert refused.value.status == "expired"


async def test_overriding_takes_the_operators_approvals_and_leaves_what_the_policy_asks(
    desk: Desk, cast: Cast, olga: Person
) -> None:
    selma = SignIn(await add_person(desk, "Selma", roles=["supervisor"]), "session")
    asked = await ask(desk, cast.ada, SALE)
    await approve(desk, cast.omar, asked.escalation_id)
    view = await override(desk, cast.sofia, asked.escalation_id)
    assert (view.case.approvals, view.decisions) == ((), ())
    with pytest.raises(Conflict):
        await override(desk, selma, asked.escalation_id)
    assert (await approve(desk, cast.sofia, asked.escalation_id)).case.status == "pending"
    assert (await approve(desk, selma, asked.escalation_id)).case.status == "approved"
    assert (await verified(desk)).problems == ()


@promise("one-decision")
async def test_an_undo_after_an_override_takes_nothing_back(slow: Desk, cast: Cast) -> None:
    asked = await ask(slow, cast.ada)
    await approve(slow, cast.omar, asked.escalation_id)
    await override(slow, cast.sofia, asked.escalation_id)
    with pytest.raises(Conflict):
        await undo(slow, cast.omar, asked.escalation_id)


@promise("claimed-once", "fail-closed")
async def test_an_overridden_approval_is_claimed_by_nobody(slow: Desk, cast: Cast, clock: HandClock) -> None:
    asked = await ask(slow, cast.ada)
    await approve(slow, cast.omar, asked.escalation_id)
    await override(slow, cast.sofia, asked.escalation_id)
    clock.advance(11)
    with pytest.raises(ClaimRefused):
        await claim(slow, cast.ada, asked.escalation_id, WIRE)


async def test_an_agent_is_shown_nothing_of_who_had_its_case_in_hand(
    slow: Desk, cast: Cast, clock: HandClock, olga: Person
) -> None:
    asked = await ask(slow, cast.ada)
    await acknowledge(slow, cast.omar, asked.escalation_id)
    await hand_over(slow, cast.omar, asked.escalation_id, to=olga.id)
    await approve(slow, cast.omar, asked.escalation_id)
    await override(slow, cast.sofia, asked.escalation_id)
    shown = orjson.dumps(await prove(slow, cast.ada, asked.escalation_id)).decode()
    assert olga.id not in shown
    assert "overridden" not in shown
    assert "decided" not in shown


async def test_a_supervisor_pauses_the_agent_of_a_case(desk: Desk, cast: Cast) -> None:
    asked = await ask(desk, cast.ada)
    view = await pause_agent_of(desk, cast.sofia, asked.escalation_id)
    assert view.attention.agent_paused
    assert view.case.is_open
    assert [one["actor"]["id"] for one in view.events if one["type"] == "agent.paused"] == [
        cast.sofia.person.id
    ]
    async with desk.store.reading() as reader:
        ada = await reader.agent_by_name("Ada")
    assert ada is not None
    with pytest.raises(Forbidden):
        await ask(desk, ada)
    with pytest.raises(Conflict):
        await pause_agent_of(desk, cast.sofia, asked.escalation_id)
    await resume_agent(desk, "Ada")
    with pytest.raises(Forbidden):  # a link opens its case, and an agent is more than that
        await pause_agent_of(
            desk, SignIn(cast.sofia.person, "link", asked.escalation_id), asked.escalation_id
        )


# Who may

Verb = Callable[[Desk, SignIn, str], Awaitable[Any]]
OLGA = "Olga"


async def _to_olga(desk: Desk, by: SignIn, case: str) -> Any:
    async with desk.store.reading() as reader:
        olga = await reader.person_by_name(OLGA)
    assert olga is not None
    return await hand_over(desk, by, case, to=olga.id)


async def _reassigned(desk: Desk, by: SignIn, case: str) -> Any:
    async with desk.store.reading() as reader:
        olga = await reader.person_by_name(OLGA)
    assert olga is not None
    return await reassign(desk, by, case, to=olga.id)


async def _moved(desk: Desk, by: SignIn, case: str) -> Any:
    return await move_to_queue(desk, by, case, queue="fraud")


VERBS: dict[str, tuple[Verb, set[str]]] = {
    "acknowledge": (acknowledge, {"operator", "supervisor"}),
    "hand over": (_to_olga, {"operator", "supervisor"}),
    "reassign": (_reassigned, {"supervisor"}),
    "move": (_moved, {"supervisor"}),
    "override": (override, {"supervisor"}),
    "pause": (pause_agent_of, {"supervisor"}),
}


@promise("only-that-human")
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("role", ["operator", "supervisor", "auditor", "admin"])
async def test_every_role_does_what_its_row_says_and_nothing_else(
    desk: Desk, cast: Cast, olga: Person, role: Any, verb: str
) -> None:
    somebody = SignIn(await add_person(desk, "Somebody", roles=[role]), "session")
    asked = await ask(desk, cast.ada)
    before = await case_of(desk, asked.escalation_id)
    work, roles = VERBS[verb]
    if role in roles:
        await work(desk, somebody, asked.escalation_id)
        return
    with pytest.raises(NotFound if role == "admin" else Forbidden):
        await work(desk, somebody, asked.escalation_id)
    assert await case_of(desk, asked.escalation_id) == before


@promise("only-that-human")
@pytest.mark.parametrize("verb", VERBS)
async def test_nobody_handles_a_case_of_another_queue_or_after_they_were_disabled(
    desk: Desk, cast: Cast, olga: Person, verb: str
) -> None:
    work = VERBS[verb][0]
    other = SignIn(await add_person(desk, "Oskar", roles=["operator"], queues=["fraud"]), "session")
    asked = await ask(desk, cast.ada)
    with pytest.raises(NotFound):
        await work(desk, other, asked.escalation_id)
    with pytest.raises(NotFound):
        await work(desk, cast.sofia, "esc_none")
    with pytest.raises(NotFound):
        await work(desk, SignIn(cast.sofia.person, "link", "esc_other"), asked.escalation_id)
    await disable_person(desk, "Sofia")
    with pytest.raises(Forbidden):
        await work(desk, cast.sofia, asked.escalation_id)
    assert (await case_of(desk, asked.escalation_id)).handled == 0


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - {"pause", "override"}))
async def test_who_comes_late_is_told_who_decided(desk: Desk, cast: Cast, olga: Person, verb: str) -> None:
    asked = await ask(desk, cast.ada)
    await approve(desk, cast.omar, asked.escalation_id)
    with pytest.raises(AlreadyDecided) as refused:
        await VERBS[verb][0](desk, cast.sofia, asked.escalation_id)
    assert refused.value.decided_by == "Omar"


# What is shown


async def test_the_inbox_says_the_tier_who_looks_and_whose_it_is(
    desk: Desk, cast: Cast, clock: HandClock, olga: Person
) -> None:
    first, second = await ask(desk, cast.ada), await ask(desk, cast.ada)
    clock.advance(600)
    await told(desk)
    await acknowledge(desk, cast.omar, first.escalation_id)
    await hand_over(desk, cast.omar, second.escalation_id, to=olga.id)
    lines = {line.case.id: line for line in (await inbox(desk, cast.omar)).pending}
    assert lines[first.escalation_id].acknowledged_by == "Omar"
    assert lines[second.escalation_id].assigned_to == "Olga"
    assert {line.case.tier for line in lines.values()} == {1}


async def test_a_person_is_offered_what_they_may_do(desk: Desk, cast: Cast, clock: HandClock) -> None:
    asked = await ask(desk, cast.ada)
    seen = {who: (await look(desk, who_is, asked.escalation_id)).attention
            for who, who_is in {"omar": cast.omar, "sofia": cast.sofia, "amir": cast.amir}.items()}  # fmt: skip
    assert (seen["omar"].may_acknowledge, seen["omar"].supervises, seen["omar"].may_pause) == (
        True,
        False,
        False,
    )
    assert [one.name for one in seen["omar"].candidates] == ["Sofia"]
    assert (seen["sofia"].may_acknowledge, seen["sofia"].may_override, seen["sofia"].may_pause) == (
        True,
        True,
        True,
    )
    assert [one.name for one in seen["sofia"].candidates] == ["Omar", "Sofia"]
    assert set(seen["sofia"].queues) == {"default", "fraud"}
    assert (seen["amir"].may_acknowledge, seen["amir"].candidates, seen["amir"].may_override) == (
        False,
        (),
        False,
    )
    assert seen["omar"].next_tier_at == clock.now() + timedelta(minutes=10)
    await approve(desk, cast.omar, asked.escalation_id)
    after = (await look(desk, cast.sofia, asked.escalation_id)).attention
    assert (after.may_acknowledge, after.may_override, after.candidates, after.next_tier_at) == (
        False,
        False,
        (),
        None,
    )


# Signatures


def ask_for_passkeys(policy: Path) -> None:
    policy.write_text(PASSKEYS, encoding="utf-8")


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> DeskSettings:
    passkeys = "passkey" in request.node.name
    return DeskSettings(base_url=ORIGIN if passkeys else "http://127.0.0.1:8717", undo_s=0)


@promise("approved-is-what-runs")
async def test_a_passkey_decision_signed_before_a_colleague_acknowledged_counts(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    ask_for_passkeys(policy)
    phone = Authenticator(rp_id=RP_ID, origin=ORIGIN)
    await enrolled(desk, cast.omar, phone, by=cast.sofia)
    asked = await ask(desk, cast.ada, MERGER)
    view, proof = await sign(desk, cast.omar, phone, asked.escalation_id, Answer("approve"))
    await acknowledge(desk, cast.sofia, asked.escalation_id)
    await decide(
        desk, cast.omar, asked.escalation_id, Answer("approve"),
        version=view.case.version, view_digest=view.view_digest, proof=proof,
    )  # fmt: skip
    assert (await verified(desk)).problems == ()


@promise("approved-is-what-runs")
async def test_a_passkey_signature_from_before_an_override_counts_for_nothing(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    ask_for_passkeys(policy)
    selma = SignIn(await add_person(desk, "Selma", roles=["supervisor"]), "session")
    first, second = (Authenticator(rp_id=RP_ID, origin=ORIGIN) for _ in range(2))
    await enrolled(desk, cast.sofia, first, by=selma)
    await enrolled(desk, selma, second, by=cast.sofia)
    asked = await ask(desk, cast.ada, MERGER)
    await sign_and_decide(desk, cast.sofia, first, asked.escalation_id, Answer("approve"))
    view, proof = await sign(desk, selma, second, asked.escalation_id, Answer("approve"))
    await override(desk, selma, asked.escalation_id)
    with pytest.raises((Conflict, PasskeyInvalid)):
        await decide(
            desk, selma, asked.escalation_id, Answer("approve"),
            version=view.case.version, view_digest=view.view_digest, proof=proof,
        )  # fmt: skip
    await sign_and_decide(desk, selma, second, asked.escalation_id, Answer("approve"))
    await sign_and_decide(desk, cast.sofia, first, asked.escalation_id, Answer("approve"))
    after = await wait_for_decision(desk, cast.ada, asked.escalation_id)
    assert (after.status, len(after.decided_by)) == ("approved", 2)
    assert (await verified(desk)).problems == ()
