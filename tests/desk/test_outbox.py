"""The outbox as people meet it: floods, follow-ups, dead letters, and one hanging address among others."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from tests._support.cases import WIRE, approve, ask, verified
from tests._support.clock import HandClock
from tests.conftest import POLICY, Cast
from tests.promises import promise

from signoff.alerts.messages import alert_message
from signoff.desk.alerts import AlertLine, list_alerts
from signoff.desk.close import cancel, expire_due
from signoff.desk.dead_letters import retry_alert
from signoff.desk.decide import undo
from signoff.desk.deliver import PER_ADDRESS, Errand, Notice, lease, lease_notices, record
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.handle import acknowledge
from signoff.desk.people import add_person, disable_person, set_addresses, set_follow_up
from signoff.domain.action import Action
from signoff.domain.alert import AlertDraft, DeadLetter, Digest, Failed, Sent
from signoff.domain.clock import from_text
from signoff.domain.errors import Conflict, NotFound

TIDY = Action(tool="tidy_up")
"""Of normal urgency; a wire is of high urgency."""


async def round_of(desk: Desk, *, most: int = 48, failing: str = "") -> list[Errand | Notice]:
    """Do what a worker does once: take what is due, send it, record that; one address may fail."""
    taken: list[Errand | Notice] = [
        *await lease(desk, "worker", most=most),
        *await lease_notices(desk, "worker", most=most),
    ]
    for one in taken:
        broken = failing and one.alert.address == failing
        await record(desk, "worker", one, Failed("no route", permanent=True) if broken else Sent())
    return taken


async def lines(desk: Desk) -> list[AlertLine]:
    return await list_alerts(desk, most=1000)


async def kinds(desk: Desk) -> Counter[tuple[str, str]]:
    return Counter((one.alert.kind, one.state) for one in await lines(desk))


# Floods


@promise("no-alert-forgotten")
async def test_500_requests_in_a_minute_become_a_digest_and_an_urgent_case_of_another_agent_goes_by_them(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    told: list[Errand | Notice] = []
    urgent_at, urgent_id, urgent_told_at = None, "", None
    for second in range(60):
        for _ in range(500 // 60 + (second < 500 % 60)):
            await ask(desk, cast.ada, TIDY)
        if second == 30:
            urgent_at, urgent_id = clock.now(), (await ask(desk, cast.bea, WIRE)).escalation_id
        clock.advance(1)
        for one in await round_of(desk):
            told.append(one)
            if isinstance(one, Errand) and one.case.id == urgent_id:
                urgent_told_at = clock.now()
    clock.advance(61)
    told += await round_of(desk)
    told += await round_of(desk)

    assert urgent_at is not None
    assert urgent_told_at is not None
    assert urgent_told_at - urgent_at <= timedelta(seconds=5)
    digests = [one.about for one in told if isinstance(one, Notice)]
    assert len(told) <= 5 + 1 + 3
    assert sum(one.waiting for one in digests if isinstance(one, Digest)) == 500 - 5
    for digest in digests:
        assert isinstance(digest, Digest)
        assert digest.agents == (("Ada", digest.waiting),)
        assert {(case.tool, case.urgency) for case in digest.cases} == {("tidy_up", "normal")}
        assert len(digest.cases) == min(digest.waiting, 10)
    assert await kinds(desk) == {("opened", "sent"): 501, ("digest", "sent"): len(digests)}
    async with desk.store.reading() as reader:
        events = [event async for page in reader.events() for _, event in page]
    assert sum(b'"type":"alert.sent"' in one for one in events) == 501 + len(digests)
    assert (await verified(desk)).problems == ()


async def test_a_few_alerts_go_one_by_one(desk: Desk, cast: Cast) -> None:
    for _ in range(5):
        await ask(desk, cast.ada, TIDY)
    assert [one.alert.kind for one in await round_of(desk)] == ["opened"] * 5


async def test_what_is_urgent_is_never_part_of_a_digest(desk: Desk, cast: Cast, clock: HandClock) -> None:
    for _ in range(30):
        await ask(desk, cast.ada, WIRE)
    assert len(await round_of(desk)) == 30
    clock.advance(120)
    assert await round_of(desk) == []


async def test_those_beyond_a_few_go_one_by_one_where_no_more_come(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    for _ in range(8):
        await ask(desk, cast.ada, TIDY)
    assert len(await round_of(desk)) == 5
    clock.advance(59)
    assert await round_of(desk) == []
    clock.advance(2)
    assert [one.alert.kind for one in await round_of(desk)] == ["opened"] * 3


async def test_a_case_that_ends_soon_is_not_held_for_long(
    desk: Desk, cast: Cast, clock: HandClock, policy_path: Path
) -> None:
    within = "version: 1\ndefaults: {approve_within: 1m}\n"
    policy_path.write_text(POLICY.replace("version: 1\n", within), encoding="utf-8")  # noqa: ASYNC240
    for _ in range(20):
        await ask(desk, cast.ada, TIDY)
    assert len(await round_of(desk)) == 5
    clock.advance(10)
    (digest,) = await round_of(desk)
    assert isinstance(digest, Notice)
    assert isinstance(digest.about, Digest)
    assert (digest.about.waiting, digest.about.soonest_s) == (15, 50)


async def test_a_digest_speaks_of_what_still_waits_and_of_what_ended(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    asked = [(await ask(desk, cast.ada, TIDY)).escalation_id for _ in range(20)]
    sent = {one.case.id for one in await round_of(desk) if isinstance(one, Errand)}
    left = next(one for one in asked if one not in sent)
    for one in asked:
        if one != left:
            await cancel(desk, cast.ada, one, reason="not needed")
    clock.advance(61)

    (digest,) = await round_of(desk)

    assert isinstance(digest, Notice)
    assert isinstance(digest.about, Digest)
    assert (digest.about.waiting, digest.about.ended, digest.about.agents) == (1, 5, (("Ada", 1),))


async def test_a_digest_that_is_given_up_gives_up_every_alert_in_it_and_asks_others(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await set_addresses(desk, "Omar", ("ntfy://omar",))
    asked = []
    for _ in range(20):
        asked.append(await ask(desk, cast.ada, TIDY))
        clock.advance(0.001)  # ids of one millisecond have no order
    for _ in range(3):  # three at a time to an address that may hang
        for one in await lease(desk, "worker"):
            await record(desk, "worker", one, Sent())
    clock.advance(61)
    assert await lease(desk, "worker") == []
    (digest,) = await lease_notices(desk, "worker")
    await record(desk, "worker", digest, Failed("no route", permanent=True))

    assert await kinds(desk) == {
        ("opened", "sent"): 5,
        ("opened", "failed"): 15,
        ("digest", "failed"): 1,
        ("escalated", "waiting"): 15,
    }
    async with desk.store.reading() as reader:
        assert await reader.count_failed_alerts() == 15
        types = [t for _, t, _ in await reader.typed_events_of_case(asked[-1].escalation_id)]
    assert "alert.failed" in types


# One address among others


async def test_an_address_that_hangs_holds_up_no_other(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", ("ntfy://hangs",))
    await add_person(desk, "Olga", roles=["operator"], addresses=("ntfy://works",))
    for _ in range(40):
        await ask(desk, cast.ada, WIRE)

    first = await lease(desk, "worker", most=48)
    for one in first:
        if one.person.name == "Olga":
            await record(desk, "worker", one, Sent())
    then = await lease(desk, "another", most=48)

    assert Counter(one.person.name for one in first) == {"Omar": PER_ADDRESS, "Olga": PER_ADDRESS}
    assert Counter(one.person.name for one in then) == {"Olga": PER_ADDRESS}


async def test_the_same_alert_is_never_queued_twice(desk: Desk, cast: Cast, clock: HandClock) -> None:
    asked = await ask(desk, cast.ada)
    async with desk.store.reading() as reader:
        ((alert, _),) = await reader.alerts_of_case(asked.escalation_id)
    draft = AlertDraft("opened", alert.person_id, alert.address, "high", clock.now())
    assert not await desk.store.write(lambda unit: unit.add_alert(asked.escalation_id, draft))
    await round_of(desk)
    assert await desk.store.write(lambda unit: unit.add_alert(asked.escalation_id, draft))
    assert await kinds(desk) == {("opened", "sent"): 1, ("opened", "waiting"): 1}


# How a case ended


@pytest.fixture
async def team(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", ("ntfy://omar",))
    await add_person(desk, "Olga", roles=["operator"], addresses=("ntfy://olga", "mailto://olga.example"))


async def ended(desk: Desk) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return sorted(
        (one.person.name, one.alert.address, one.alert.kind, one.by)
        for one in await round_of(desk)
        if isinstance(one, Errand)
    )


async def test_those_who_were_alerted_hear_who_decided_by_the_same_channels(
    desk: Desk, cast: Cast, team: None
) -> None:
    asked = await ask(desk, cast.ada)
    await round_of(desk)
    await approve(desk, cast.omar, asked.escalation_id)

    taken = await round_of(desk)

    told = sorted((one.person.name, one.alert.address, one.by) for one in taken if isinstance(one, Errand))
    assert told == [("Olga", "mailto://olga.example", ("Omar",)), ("Olga", "ntfy://olga", ("Omar",))]
    assert {one.link_url for one in taken} == {f"http://127.0.0.1:8717/cases/{asked.escalation_id}"}
    # They wait behind whatever asks for an answer, and say all the same how urgent the case was.
    assert {one.alert.urgency for one in taken} == {"low"}
    assert all("Urgency: high" in alert_message(one).body for one in taken if isinstance(one, Errand))


async def test_who_was_not_alerted_yet_hears_nothing(desk: Desk, cast: Cast, team: None) -> None:
    asked = await ask(desk, cast.ada)
    await approve(desk, cast.omar, asked.escalation_id)
    assert await ended(desk) == []


async def test_who_was_just_being_alerted_hears_how_it_ended(desk: Desk, cast: Cast, team: None) -> None:
    asked = await ask(desk, cast.ada)
    taken = await lease(desk, "worker")
    await approve(desk, cast.omar, asked.escalation_id)
    for one in taken:
        await record(desk, "worker", one, Sent() if "ntfy" in one.alert.address else Failed("no route"))
    assert await ended(desk) == [("Olga", "ntfy://olga", "decided", ("Omar",))]


async def test_who_does_not_want_to_hear_who_decided_does_not(desk: Desk, cast: Cast, team: None) -> None:
    await set_follow_up(desk, "Olga", on=False)
    asked = await ask(desk, cast.ada)
    await round_of(desk)
    await approve(desk, cast.omar, asked.escalation_id)
    assert await ended(desk) == []


async def test_everybody_who_was_alerted_hears_that_a_case_expired(
    desk: Desk, cast: Cast, team: None, clock: HandClock
) -> None:
    await set_follow_up(desk, "Olga", on=False)
    await ask(desk, cast.ada)
    await round_of(desk)
    clock.advance(1801)
    await expire_due(desk)
    assert {(name, kind) for name, _, kind, _ in await ended(desk)} == {
        ("Olga", "expired"),
        ("Omar", "expired"),
    }


async def test_those_who_were_alerted_hear_that_the_agent_cancelled(
    desk: Desk, cast: Cast, team: None
) -> None:
    asked = await ask(desk, cast.ada)
    await round_of(desk)
    await cancel(desk, cast.ada, asked.escalation_id, reason="not needed")
    assert {(name, kind) for name, _, kind, _ in await ended(desk)} == {
        ("Olga", "decided"),
        ("Omar", "decided"),
    }


UNDO = pytest.mark.parametrize("settings", [DeskSettings(base_url="http://127.0.0.1:8717", undo_s=10)])


@UNDO
async def test_a_decision_is_told_once_it_stands(
    desk: Desk, cast: Cast, team: None, clock: HandClock
) -> None:
    asked = await ask(desk, cast.ada)
    await round_of(desk)
    await approve(desk, cast.omar, asked.escalation_id)
    clock.advance(9)
    assert await ended(desk) == []
    clock.advance(1)
    assert len(await ended(desk)) == 2


@UNDO
async def test_a_decision_that_was_taken_back_is_not_told(
    desk: Desk, cast: Cast, team: None, clock: HandClock
) -> None:
    asked = await ask(desk, cast.ada)
    await round_of(desk)
    await approve(desk, cast.omar, asked.escalation_id)
    await undo(desk, cast.omar, asked.escalation_id)
    clock.advance(11)
    assert {kind for _, _, kind, _ in await ended(desk)} == {"opened"}


# Dead letters


async def test_a_dead_letter_is_told_to_administrators_elsewhere_and_once(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", ("ntfy://omar",))
    await add_person(desk, "Root", roles=["admin"], addresses=("ntfy://root", "ntfy://omar"))
    gone = await add_person(desk, "Gone", roles=["admin"], addresses=("ntfy://gone",))
    await disable_person(desk, gone.name)
    for _ in range(4):
        await ask(desk, cast.ada)
    for _ in range(4):
        for one in await lease(desk, "worker"):
            if one.person.name == "Omar":
                await record(desk, "worker", one, Failed("the topic is gone", permanent=True))

    notices = await lease_notices(desk, "worker")

    assert [(one.person.name, one.alert.address) for one in notices] == [("Root", "ntfy://root")]
    (about,) = [one.about for one in notices]
    assert isinstance(about, DeadLetter)
    assert (about.person_name, about.channel, about.why, about.more) == (
        "Omar",
        "ntfy",
        "the topic is gone",
        3,
    )


async def test_what_tells_of_a_dead_letter_makes_none_itself(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await set_addresses(desk, "Omar", ("ntfy://broken",))
    await add_person(desk, "Root", roles=["admin"], addresses=("ntfy://root",))
    await ask(desk, cast.ada)
    await round_of(desk, failing="ntfy://broken")
    for _ in range(5):
        await round_of(desk, failing="ntfy://root")
        clock.advance(3600)
    assert (await kinds(desk))["dead_letter", "failed"] == 1
    assert sum(n for (kind, _), n in (await kinds(desk)).items() if kind == "dead_letter") == 1


@promise("no-alert-forgotten")
async def test_an_address_that_fails_for_an_hour_ends_as_a_dead_letter_and_reaches_the_next_tier(
    desk: Desk, cast: Cast, clock: HandClock, policy_path: Path
) -> None:
    await set_addresses(desk, "Omar", ("ntfy://omar",))
    await set_addresses(desk, "Sofia", ("ntfy://sofia",))
    await add_person(desk, "Root", roles=["admin"], addresses=("ntfy://root",))
    later = "      - {after: 3h, alert: [role:supervisor]}\ntriggers:\n"
    text = POLICY.replace("version: 1\n", "version: 1\ndefaults: {approve_within: 8h}\n")
    policy_path.write_text(text.replace("triggers:\n", later), encoding="utf-8")  # noqa: ASYNC240
    asked = await ask(desk, cast.ada)
    told: list[tuple[str, float]] = []
    began = clock.now()
    for _ in range(100):
        taken: list[Errand | Notice] = [*await lease(desk, "worker"), *await lease_notices(desk, "worker")]
        for one in taken:
            broken = one.alert.address == "ntfy://omar"
            await record(desk, "worker", one, Failed("no route") if broken else Sent())
            if not broken:
                told.append((one.person.name, (clock.now() - began).total_seconds()))
        async with desk.store.reading() as reader:
            due = await reader.next_alert_due()
            failed = await reader.count_failed_alerts()
        if failed and len(told) == 2:
            break
        assert due is not None
        clock.at = max(from_text(due), clock.now() + timedelta(seconds=1))
    assert dict(told).keys() == {"Sofia", "Root"}
    assert all(3600 <= at <= 3602 for _, at in told)
    async with desk.store.reading() as reader:
        assert await reader.count_failed_alerts() == 1
        types = [t for _, t, _ in await reader.typed_events_of_case(asked.escalation_id)]
    assert types.count("alert.failed") == 1


async def test_a_person_with_two_broken_addresses_moves_a_case_by_one_tier(
    desk: Desk, cast: Cast, clock: HandClock, policy_path: Path
) -> None:
    await set_addresses(desk, "Omar", ("ntfy://omar", "mailto://omar.example"))
    await add_person(desk, "Nina", roles=["supervisor"], addresses=("ntfy://nina",))
    later = (
        "      - {after: 10m, alert: [person:Sofia]}\n      - {after: 20m, alert: [person:Nina]}\ntriggers:\n"
    )
    policy_path.write_text(POLICY.replace("triggers:\n", later), encoding="utf-8")  # noqa: ASYNC240
    asked = await ask(desk, cast.ada)
    taken = await lease(desk, "worker")
    clock.advance(1)
    for one in taken:
        await record(desk, "worker", one, Failed("gone", permanent=True))

    assert [one.person.name for one in taken] == ["Omar", "Omar"]
    assert [one.person.name for one in await lease(desk, "worker")] == ["Sofia"]
    async with desk.store.reading() as reader:
        case = await reader.case(asked.escalation_id)
        types = [t for _, t, _ in await reader.typed_events_of_case(asked.escalation_id)]
    assert case is not None
    assert (case.tier, types.count("escalation.escalated")) == (1, 1)
    assert (await verified(desk)).problems == ()


async def test_nobody_else_is_asked_while_somebody_looks_at_the_case(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", ("ntfy://omar",))
    await add_person(desk, "Olga", roles=["operator"], addresses=("ntfy://olga",))
    asked = await ask(desk, cast.ada)
    taken = await lease(desk, "worker")
    await acknowledge(desk, cast.omar, asked.escalation_id)
    for one in taken:
        broken = one.alert.address == "ntfy://olga"
        await record(desk, "worker", one, Failed("gone", permanent=True) if broken else Sent())

    assert await lease(desk, "worker") == []


async def test_a_person_who_was_reached_elsewhere_is_not_gone_round(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", ("ntfy://omar", "terminal:"))
    await ask(desk, cast.ada)
    taken = await lease(desk, "worker")
    for one in sorted(taken, key=lambda one: one.alert.address, reverse=True):
        broken = one.alert.address != "terminal:"
        await record(desk, "worker", one, Failed("gone", permanent=True) if broken else Sent())
    assert await kinds(desk) == {("opened", "sent"): 1, ("opened", "failed"): 1}


async def test_an_alert_that_was_given_up_is_sent_again_when_asked_for(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    asked = await ask(desk, cast.ada)
    (errand,) = await lease(desk, "worker")
    with pytest.raises(Conflict):
        await retry_alert(desk, errand.alert.id)
    await record(desk, "worker", errand, Failed("gone", permanent=True))
    clock.advance(600)

    await retry_alert(desk, errand.alert.id)
    again = [one for one in await lease(desk, "worker") if one.alert.id == errand.alert.id]
    await record(desk, "worker", again[0], Failed("still gone"))
    (line,) = [one for one in await lines(desk) if one.alert.id == errand.alert.id]

    assert line.state == "waiting"  # tried anew for as long as a new one
    assert [one.error for one in line.attempts] == ["gone", "still gone"]
    with pytest.raises(NotFound):
        await retry_alert(desk, "alr_none")
    await approve(desk, cast.sofia, asked.escalation_id)
    with pytest.raises(Conflict):
        await retry_alert(desk, errand.alert.id)


async def test_a_try_that_was_cut_off_is_told_as_unknown(desk: Desk, cast: Cast, clock: HandClock) -> None:
    asked = await ask(desk, cast.ada)
    await lease(desk, "dies")
    clock.advance(61)
    await round_of(desk)
    (line,) = await list_alerts(desk, escalation_id=asked.escalation_id)
    assert [one.result for one in line.attempts] == ["unknown", "sent"]
    with pytest.raises(NotFound):
        await list_alerts(desk, escalation_id="esc_none")
