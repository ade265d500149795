"""The tier clock: the right person hears of a case in time, once, whatever the clock, the hosts and the people do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from tests._support.cases import approve, ask, verified
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.promises import promise

from signoff.desk.close import cancel, expire_due
from signoff.desk.decide import decide, undo
from signoff.desk.deliver import lease, record
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.escalate import escalate_due
from signoff.desk.handle import acknowledge
from signoff.desk.look import look
from signoff.desk.people import add_person, disable_person
from signoff.desk.roster import set_hours
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.alert import Sent
from signoff.domain.case import Escalation
from signoff.domain.decision import Answer
from signoff.domain.errors import AlreadyDecided, Conflict, Forbidden, Stale

TIERS = """\
      - {alert: [role:operator]}
      - {after: 10m, alert: [role:supervisor]}
"""
NOBODY_NOW = "Mon-Fri 09:00-17:00"
"""Hours in Berlin in which no test begins: there it is half past nine in the evening."""


def write(path: Path, tiers: str = TIERS, **defaults: str) -> None:
    """Write a policy whose one queue has these tiers."""
    lines = ", ".join(f"{key}: {value}" for key, value in {"approve_within": "4h", **defaults}.items())
    path.write_text(
        f"version: 1\ndefaults: {{{lines}}}\nqueues:\n  payments:\n    tiers:\n{tiers}"
        "triggers:\n  - {id: wire, title: A wire, tools: [wire_transfer], then: escalate, queue: payments}\n"
        "  - {id: sale, title: A sale, tools: [sell_company], then: escalate, queue: payments,"
        " require: {approvals: 2}}\n",
        encoding="utf-8",
    )


@pytest.fixture(autouse=True)
def policy(policy_path: Path) -> Path:
    write(policy_path)
    return policy_path


async def told(desk: Desk) -> list[tuple[str, str]]:
    """Let the clock work and the outbox be sent; return what was sent: kind and to whom, by name."""
    await expire_due(desk)
    await escalate_due(desk)
    found = []
    while errands := await lease(desk, "worker"):
        for errand in errands:
            await record(desk, "worker", errand, Sent())
            found.append((errand.alert.kind, errand.person.name))
    return sorted(found)


async def case_of(desk: Desk, escalation_id: str) -> Escalation:
    async with desk.store.reading() as reader:
        case = await reader.case(escalation_id)
    assert case is not None
    return case


async def events(desk: Desk, escalation_id: str, kind: str) -> list[dict[str, Any]]:
    async with desk.store.reading() as reader:
        found = [orjson.loads(body) for _, body in await reader.events_of_case(escalation_id)]
    return [one["data"] for one in found if one["type"] == kind]


# Must be seen: the tier clock


@promise("no-alert-forgotten")
async def test_a_case_unanswered_for_ten_minutes_alerts_the_supervisor_once(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    asked = await ask(desk, cast.ada)
    assert await told(desk) == [("opened", "Omar")]
    clock.advance(599.9)
    assert await told(desk) == []
    clock.advance(0.1)
    assert await told(desk) == [("escalated", "Sofia")]
    for seconds in (0, 1, 600, 3600):
        clock.advance(seconds)
        assert await told(desk) == []
    assert await events(desk, asked.escalation_id, "escalation.escalated") == [
        {"tier": 1, "alerted": 1, "skipped": []}
    ]
    assert (await verified(desk)).problems == ()


async def test_a_case_acknowledged_at_minute_nine_alerts_nobody_for_the_tiers_time(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    asked = await ask(desk, cast.ada)
    await told(desk)
    clock.advance(9 * 60)
    view = await acknowledge(desk, cast.omar, asked.escalation_id)
    assert view.attention.next_tier_at == clock.now() + timedelta(minutes=10)
    clock.advance(10 * 60 - 0.1)
    assert await told(desk) == []
    clock.advance(0.1)
    assert await told(desk) == [("escalated", "Sofia")]
    assert (await case_of(desk, asked.escalation_id)).acknowledged_by is None
    assert (await verified(desk)).problems == ()


async def test_ack_for_says_how_long_an_acknowledgement_holds(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    write(
        policy,
        TIERS.replace("10m,", "10m, ack_for: 30m,") + "      - {after: 20m, alert: [person:Selma]}\n",
    )
    await add_person(desk, "Selma", roles=["supervisor"])
    asked = await ask(desk, cast.ada)
    await told(desk)
    clock.advance(9 * 60)
    await acknowledge(desk, cast.omar, asked.escalation_id)
    clock.advance(30 * 60 - 1)
    assert await told(desk) == []
    clock.advance(1)
    assert await told(desk) == [("escalated", "Selma"), ("escalated", "Sofia")]
    # The tiers keep their distance: the last comes ten minutes after the one before it.
    clock.advance(10 * 60 - 1)
    assert await told(desk) == []
    clock.advance(1)
    assert await told(desk) == [("escalated", "Selma")]


async def test_a_person_outside_working_hours_is_skipped(desk: Desk, cast: Cast, clock: HandClock) -> None:
    await add_person(desk, "Selma", roles=["supervisor"])
    await set_hours(desk, "Sofia", NOBODY_NOW, zone="Europe/Berlin")
    await ask(desk, cast.ada)
    await told(desk)
    clock.advance(600)
    assert await told(desk) == [("escalated", "Selma")]


async def test_where_nobody_is_on_duty_the_next_tier_is_alerted_at_once(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    write(policy, TIERS + "      - {after: 1h, alert: [person:Selma]}\n")
    await add_person(desk, "Selma", roles=["operator"], queues=["payments"])
    await set_hours(desk, "Sofia", NOBODY_NOW, zone="Europe/Berlin")
    asked = await ask(desk, cast.ada)
    assert await told(desk) == [("opened", "Omar"), ("opened", "Selma")]
    clock.advance(600)
    assert await told(desk) == [("escalated", "Selma")]
    assert await events(desk, asked.escalation_id, "escalation.escalated") == [
        {"tier": 2, "alerted": 1, "skipped": [1]}
    ]
    clock.advance(3600)
    assert await told(desk) == []


async def test_where_nobody_of_the_first_tier_is_on_duty_the_second_hears_of_the_opening(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await set_hours(desk, "Omar", NOBODY_NOW, zone="Europe/Berlin")
    await ask(desk, cast.ada)
    assert await told(desk) == [("escalated", "Sofia")]
    clock.advance(600)
    assert await told(desk) == []


@promise("no-alert-forgotten")
async def test_where_nobody_at_all_is_on_duty_everybody_who_may_decide_hears_of_the_opening(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    for name in ("Omar", "Sofia"):
        await set_hours(desk, name, NOBODY_NOW, zone="Europe/Berlin")
    await ask(desk, cast.ada)
    assert await told(desk) == [("opened", "Omar"), ("opened", "Sofia")]


@promise("no-alert-forgotten")
@pytest.mark.parametrize(
    ("zone", "nine_o_clock"),
    [
        ("Europe/Berlin", datetime(2027, 3, 26, 8, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2027, 3, 29, 7, tzinfo=UTC)),  # since the 28th it is summer there
        ("Europe/Berlin", datetime(2027, 10, 29, 7, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2027, 11, 1, 8, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 3, 12, 14, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 3, 15, 13, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 11, 5, 13, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 11, 8, 14, tzinfo=UTC)),
    ],
)
async def test_who_is_off_duty_when_a_tier_is_due_is_alerted_when_their_day_begins(
    desk: Desk, cast: Cast, clock: HandClock, zone: str, nine_o_clock: datetime
) -> None:
    """The clocks there decide, on both sides of a change of theirs."""
    await set_hours(desk, "Sofia", "Mon-Fri 09:00-17:00", zone=zone)
    clock.at = nine_o_clock - timedelta(minutes=30)
    await ask(desk, cast.ada)
    assert await told(desk) == [("opened", "Omar")]
    found = {}
    for minute in range(1, 40):
        clock.at = nine_o_clock + timedelta(minutes=minute - 30)
        if sent := await told(desk):
            found[minute] = sent
    assert found == {30: [("escalated", "Sofia")]}


@promise("no-alert-forgotten", "fail-closed")
async def test_at_the_end_of_the_chain_the_case_expires_and_those_alerted_hear_of_it(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await add_person(desk, "Olga", roles=["operator"], queues=["elsewhere"])
    asked = await ask(desk, cast.ada)
    await told(desk)
    clock.advance(600)
    await told(desk)
    clock.at = asked.deadline_at
    assert (await wait_for_decision(desk, cast.ada, asked.escalation_id)).status == "expired"
    (first, second) = await lease(desk, "worker")
    assert sorted((one.alert.kind, one.person.name) for one in (first, second)) == [
        ("expired", "Omar"),
        ("expired", "Sofia"),
    ]
    # Nothing can be decided any more, so no link is issued that would open the case.
    assert first.link_url == f"http://127.0.0.1:8717/cases/{asked.escalation_id}"
    assert len(await events(desk, asked.escalation_id, "link.issued")) == 2
    assert (await verified(desk)).problems == ()


@promise("no-alert-forgotten")
async def test_a_case_that_expired_unheard_is_told_to_those_who_were_meant_to_hear(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    asked = await ask(desk, cast.ada)
    clock.at = asked.deadline_at  # no worker ran meanwhile
    assert await told(desk) == [("expired", "Omar")]


async def test_on_deadline_next_tier_gives_the_next_tier_its_own_time(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    write(policy, TIERS.replace("10m", "1h"), approve_within="30m", on_deadline="next_tier")
    asked = await ask(desk, cast.ada)
    view = await look(desk, cast.omar, asked.escalation_id)
    await told(desk)
    clock.advance(30 * 60)
    with pytest.raises(Stale):
        await decide(
            desk, cast.omar, asked.escalation_id, Answer("approve"),
            version=view.case.version, view_digest=view.view_digest,
        )  # fmt: skip
    assert await told(desk) == [("escalated", "Sofia")]
    waiting = await wait_for_decision(desk, cast.ada, asked.escalation_id)
    assert (waiting.status, waiting.deadline_at) == ("pending", clock.now() + timedelta(minutes=30))
    clock.advance(30 * 60 - 1)
    assert await told(desk) == []
    clock.advance(1)
    assert await told(desk) == [("expired", "Omar"), ("expired", "Sofia")]
    assert (await verified(desk)).problems == ()


async def test_a_tier_that_came_at_the_deadline_is_reminded_like_any_other(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    later = TIERS.replace("10m", "1h").replace("supervisor]", "supervisor], repeat: 5m")
    write(policy, later, approve_within="30m", on_deadline="next_tier")
    await ask(desk, cast.ada)
    await told(desk)
    clock.advance(30 * 60)
    assert await told(desk) == [("escalated", "Sofia")]
    clock.advance(299)
    assert await told(desk) == []
    clock.advance(1)
    assert await told(desk) == [("repeated", "Sofia")]


async def test_on_deadline_next_tier_expires_where_no_later_tier_has_anybody(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    write(policy, TIERS.replace("10m", "5h"), on_deadline="next_tier")
    await set_hours(desk, "Sofia", NOBODY_NOW, zone="Europe/Berlin")
    asked = await ask(desk, cast.ada)
    await told(desk)
    clock.at = asked.deadline_at
    assert await told(desk) == [("expired", "Omar")]


# Repeats


async def test_a_tier_is_alerted_again_until_somebody_acknowledges(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    write(policy, TIERS.replace("operator]", "operator], repeat: 3m"))
    asked = await ask(desk, cast.ada)
    assert await told(desk) == [("opened", "Omar")]
    clock.advance(179)
    assert await told(desk) == []
    clock.advance(1)
    assert await told(desk) == [("repeated", "Omar")]
    assert await told(desk) == []
    clock.advance(180)
    assert await told(desk) == [("repeated", "Omar")]
    await acknowledge(desk, cast.omar, asked.escalation_id)
    clock.advance(599)
    assert await told(desk) == []
    clock.advance(1)
    assert await told(desk) == [("escalated", "Sofia")]
    clock.advance(3600)
    assert await told(desk) == []  # the second tier says nothing of repeating


# Clocks, hosts, and policies that change


@promise("time-goes-forward", "no-alert-forgotten")
async def test_a_clock_that_jumps_neither_repeats_nor_forgets(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    write(
        policy,
        TIERS.replace("supervisor]", "supervisor], repeat: 5m"),
        approve_within="30d",
    )
    await ask(desk, cast.ada)
    await told(desk)
    clock.advance(-86_400)
    assert await told(desk) == []
    clock.advance(86_400 + 3 * 86_400)
    assert await told(desk) == [("escalated", "Sofia")]  # and not once more for each five minutes since
    clock.advance(-3 * 86_400)
    assert await told(desk) == []
    clock.advance(3 * 86_400 + 300)
    assert await told(desk) == [("repeated", "Sofia")]
    clock.advance(2 * 86_400)
    assert await told(desk) == [("repeated", "Sofia")]


@promise("no-alert-forgotten")
async def test_a_host_that_was_down_over_two_tiers_alerts_each_once(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    write(policy, TIERS + "      - {after: 20m, alert: [person:Selma]}\n")
    await add_person(desk, "Selma", roles=["operator"], queues=["nowhere", "payments"])
    await ask(desk, cast.ada)
    await told(desk)
    clock.advance(3600)
    assert await told(desk) == [("escalated", "Selma"), ("escalated", "Sofia")]
    assert await told(desk) == []


async def test_hosts_that_look_at_once_alert_once(desk: Desk, cast: Cast, clock: HandClock) -> None:
    asked = await ask(desk, cast.ada)
    await told(desk)
    clock.advance(600)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(escalate_due, desk)
    assert len(await events(desk, asked.escalation_id, "escalation.escalated")) == 1
    assert await told(desk) == [("escalated", "Sofia")]


async def test_a_changed_policy_counts_for_cases_that_wait(
    desk: Desk, cast: Cast, clock: HandClock, policy: Path
) -> None:
    write(policy, "      - {alert: [role:operator]}\n")
    await ask(desk, cast.ada)
    assert await told(desk) == [("opened", "Omar")]
    clock.advance(1800)
    write(policy)
    assert await told(desk) == [("escalated", "Sofia")]
    write(policy, "      - {alert: [role:operator]}\n")
    clock.advance(1800)
    assert await told(desk) == []


async def test_who_left_meanwhile_is_alerted_no_more(desk: Desk, cast: Cast, clock: HandClock) -> None:
    await ask(desk, cast.ada)
    await disable_person(desk, "Omar")
    await disable_person(desk, "Sofia")
    await add_person(desk, "Selma", roles=["supervisor"])  # and who came is
    clock.advance(600)
    assert await told(desk) == [("escalated", "Selma")]


# Decisions and the clock


@promise("one-decision")
async def test_a_page_shown_before_the_next_tier_was_alerted_still_decides(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    asked = await ask(desk, cast.ada)
    view = await look(desk, cast.omar, asked.escalation_id)
    clock.advance(600)
    await told(desk)
    await acknowledge(desk, cast.sofia, asked.escalation_id)
    after = await decide(
        desk, cast.omar, asked.escalation_id, Answer("approve"),
        version=view.case.version, view_digest=view.view_digest,
    )  # fmt: skip
    assert after.case.status == "approved"
    assert (await verified(desk)).problems == ()


@promise("one-decision")
@pytest.mark.parametrize("first", ["clock", "person"])
@pytest.mark.parametrize("what", ["approve", "cancel"])
async def test_a_case_that_ends_as_its_tier_is_due_has_one_end_and_asks_nobody_after_it(
    desk: Desk, cast: Cast, clock: HandClock, what: str, first: str
) -> None:
    """Both stand in the writer's line together, in either order."""
    asked = await ask(desk, cast.ada)
    view = await look(desk, cast.omar, asked.escalation_id)
    await told(desk)
    clock.advance(600)

    async def end() -> None:
        if what == "cancel":
            await cancel(desk, cast.ada, asked.escalation_id, reason="never mind")
            return
        await decide(
            desk, cast.omar, asked.escalation_id, Answer("approve"),
            version=view.case.version, view_digest=view.view_digest,
        )  # fmt: skip

    async def tick() -> None:
        await escalate_due(desk)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for work in (tick, end) if first == "clock" else (end, tick):
                tasks.start_soon(work)
    assert not (await case_of(desk, asked.escalation_id)).is_open
    # Omar was asked, and hears that the agent withdrew it; of his own decision he hears nothing.
    assert await told(desk) == ([("decided", "Omar")] if what == "cancel" else [])
    ends = [
        len(await events(desk, asked.escalation_id, kind))
        for kind in ("escalation.decided", "escalation.cancelled", "escalation.expired")
    ]
    assert sum(ends) == 1
    assert len(await events(desk, asked.escalation_id, "escalation.escalated")) <= 1
    assert (await verified(desk)).problems == ()


async def test_a_decided_case_is_escalated_by_nothing(desk: Desk, cast: Cast, clock: HandClock) -> None:
    asked = await ask(desk, cast.ada)
    await told(desk)
    await approve(desk, cast.omar, asked.escalation_id)
    clock.advance(86_400)
    assert await told(desk) == []


async def test_a_case_taken_back_goes_on_where_its_tiers_were(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    slow = Desk(
        desk.store, desk.policy, desk.keys, desk.signer, clock, desk.new_id,
        DeskSettings(base_url=desk.settings.base_url, undo_s=10),
    )  # fmt: skip
    early, late = await ask(slow, cast.ada), await ask(slow, cast.ada)
    await told(slow)
    clock.advance(595)
    await approve(slow, cast.omar, early.escalation_id)
    await told(slow)
    clock.advance(9)
    assert await told(slow) == [("escalated", "Sofia")]  # of the other case
    await undo(slow, cast.omar, early.escalation_id)
    assert await told(slow) == [("escalated", "Sofia"), ("opened", "Omar")]
    await approve(slow, cast.omar, late.escalation_id)
    await undo(slow, cast.omar, late.escalation_id)
    # Both tiers had heard of it, and their links ended with the decision.
    assert await told(slow) == [("opened", "Omar"), ("opened", "Sofia")]
    assert (await verified(slow)).problems == ()


# Acknowledging


async def test_only_who_could_decide_acknowledges(desk: Desk, cast: Cast, clock: HandClock) -> None:
    asked = await ask(desk, cast.ada, Action(tool="sell_company"))
    with pytest.raises(Forbidden):
        await acknowledge(desk, cast.amir, asked.escalation_id)
    await acknowledge(desk, cast.omar, asked.escalation_id)
    with pytest.raises(Conflict):
        await acknowledge(desk, cast.omar, asked.escalation_id)
    await acknowledge(desk, cast.sofia, asked.escalation_id)  # she takes it from him
    await approve(desk, cast.omar, asked.escalation_id)
    with pytest.raises(Forbidden):  # his part is done; another must look
        await acknowledge(desk, cast.omar, asked.escalation_id)
    clock.at = asked.deadline_at
    with pytest.raises(AlreadyDecided):
        await acknowledge(desk, cast.sofia, asked.escalation_id)
