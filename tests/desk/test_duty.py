"""Whom an alert reaches: who of a tier is on duty and may decide, at which addresses; and what changes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson
import pytest
from tests._support.cases import SALE, WIRE, approve, ask
from tests._support.clock import HandClock
from tests.conftest import Cast

from signoff.desk.desk import Desk
from signoff.desk.duty import duty, targets
from signoff.desk.people import add_person, disable_person, person_named, set_addresses
from signoff.desk.roster import (
    HandOvers,
    add_absence,
    add_override,
    add_rotation,
    change_rotation,
    end_absence,
    end_override,
    hand_over,
    list_rotations,
    prefer,
    remove_rotation,
    set_holidays,
    set_hours,
    set_rotation_holidays,
)
from signoff.domain.action import Action
from signoff.domain.errors import Conflict, InvalidRequest, NotFound
from signoff.domain.policy import Tier

MONDAY = HandOvers(0, time(9), "Europe/Berlin")
HOUR = timedelta(hours=1)


async def on_duty(
    desk: Desk, cast: Cast, *alert: str, action: Action = WIRE, at: datetime | None = None, **more: object
) -> list[str]:
    """Return who is alerted of a new case."""
    told = await ask(desk, cast.ada, action)
    async with desk.store.reading() as reader:
        case = await reader.case(told.escalation_id)
        assert case is not None
        found = await targets(reader, Tier(alert=alert), replace(case, **more), at or desk.clock.now())  # type: ignore[arg-type]
    return [person.name for person, _ in found]


async def test_a_tier_reaches_those_of_a_role_a_name_and_a_rotation_once_each(desk: Desk, cast: Cast) -> None:
    await add_person(desk, "Nina", roles=["operator"])
    await add_rotation(desk, "night", ["Nina", "Omar"], MONDAY)

    assert await on_duty(desk, cast, "role:operator") == ["Nina", "Omar"]
    assert await on_duty(desk, cast, "person:Sofia", "rotation:night", "role:operator") == [
        "Nina",
        "Omar",
        "Sofia",
    ]
    assert await on_duty(desk, cast, "rotation:night") == ["Nina"]
    assert await on_duty(desk, cast, "rotation:no-such", "person:Nobody") == []


async def test_somebody_who_may_not_decide_is_not_alerted(desk: Desk, cast: Cast) -> None:
    await add_person(desk, "Olga", roles=["operator"], queues=["refunds"])
    await add_person(desk, "Igor", roles=["operator", "supervisor"], addresses=())
    await add_person(desk, "Dora", roles=["operator"])
    await disable_person(desk, "Dora")

    assert await on_duty(desk, cast, "role:operator", "role:auditor", "role:admin", "person:Olga") == ["Omar"]
    # Two supervisors, and nobody on whose behalf the agent runs.
    assert await on_duty(desk, cast, "role:operator", "role:supervisor", action=SALE) == ["Sofia"]


async def test_an_owner_and_one_who_approved_are_not_asked_again(desk: Desk, cast: Cast) -> None:
    sofia = await add_person(desk, "Silke", roles=["supervisor"])
    told = await ask(desk, cast.ada, SALE)
    await approve(desk, cast.sofia, told.escalation_id, note="once")
    async with desk.store.reading() as reader:
        case = await reader.case(told.escalation_id)
        assert case is not None
        found = await targets(reader, Tier(alert=("role:supervisor",)), case, desk.clock.now())
        owned = replace(case, approvals=(), require=replace(case.require, role="operator"))
        asked = await targets(
            reader, Tier(alert=("role:operator", "role:supervisor")), owned, desk.clock.now()
        )

    assert [person for person, _ in found] == [sofia]
    assert [person.name for person, _ in asked] == ["Silke", "Sofia"]  # Omar owns the agent


async def test_somebody_outside_their_working_hours_is_skipped(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await set_hours(desk, "Omar", "Mon-Fri 09:00-17:00", zone="America/New_York")
    assert await on_duty(desk, cast, "role:operator") == ["Omar"]  # Monday, 15:31 there
    clock.advance(1.5 * 3600)
    assert await on_duty(desk, cast, "role:operator") == []
    await set_holidays(desk, "Omar", [date(2026, 11, 24)])
    assert await on_duty(desk, cast, "role:operator", at=datetime(2026, 11, 24, 15, tzinfo=UTC)) == []
    assert await on_duty(desk, cast, "role:operator", at=datetime(2026, 11, 25, 15, tzinfo=UTC)) == ["Omar"]
    assert (await set_hours(desk, "Omar", "")).hours.zone == "America/New_York"


async def test_alerts_go_where_the_preferences_for_their_urgency_say(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", ("terminal:", "push=ntfys://ntfy.example.com/omar"))
    await prefer(desk, "Omar", "high", ["push"])

    async def addresses(action: Action) -> list[str]:
        told = await ask(desk, cast.ada, action)
        async with desk.store.reading() as reader:
            return sorted(alert.address for alert, _ in await reader.alerts_of_case(told.escalation_id))

    assert await addresses(WIRE) == ["ntfys://ntfy.example.com/omar"]
    assert await addresses(Action(tool="tidy_up")) == ["ntfys://ntfy.example.com/omar", "terminal:"]
    await set_addresses(desk, "Omar", ("terminal:",))
    assert await addresses(WIRE) == ["terminal:"]
    with pytest.raises(InvalidRequest, match=r"Omar has no address called 'sms'\. There are: terminal"):
        await prefer(desk, "Omar", "high", ["sms"])
    assert (await prefer(desk, "Omar", "high", [])).preferences == {}


async def test_a_hand_over_holds_until_it_ends(desk: Desk, cast: Cast, clock: HandClock) -> None:
    await add_person(desk, "Nina", roles=["operator"])
    await add_rotation(desk, "night", ["Omar", "Nina"], MONDAY)
    made = await hand_over(desk, "Omar", to="Sofia", ends_at=clock.now() + 8 * HOUR)

    assert await on_duty(desk, cast, "rotation:night") == ["Sofia"]
    assert await on_duty(desk, cast, "role:operator") == ["Nina", "Sofia"]
    clock.advance(7 * 3600)
    await end_override(desk, made.id)
    assert await on_duty(desk, cast, "rotation:night") == ["Omar"]
    with pytest.raises(NotFound):
        await end_override(desk, made.id)


async def test_an_absence_says_which_turns_nobody_has(desk: Desk, cast: Cast, clock: HandClock) -> None:
    await add_person(desk, "Nina", roles=["operator"])
    await add_rotation(desk, "night", ["Omar", "Nina"], MONDAY)
    until = datetime(2026, 12, 8, tzinfo=UTC)

    absence, found = await add_absence(desk, "Omar", ends_at=until)

    assert [(one.rotation, one.turn.starts_at, one.turn.ends_at) for one in found] == [
        ("night", clock.now(), datetime(2026, 11, 30, 8, tzinfo=UTC)),
        ("night", datetime(2026, 12, 7, 8, tzinfo=UTC), until),
    ]
    assert await on_duty(desk, cast, "rotation:night", "person:Omar") == []
    await add_override(desk, "night", to="Nina", ends_at=until)
    assert await on_duty(desk, cast, "rotation:night", "person:Omar") == ["Nina"]
    await end_absence(desk, absence.id)
    assert await on_duty(desk, cast, "person:Omar") == ["Omar"]
    with pytest.raises(NotFound):
        await end_absence(desk, absence.id)


async def test_whoever_has_the_turn_keeps_it_when_the_rotation_changes(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    for name in ("Nina", "Ola"):
        await add_person(desk, name, roles=["operator"])
    await add_rotation(desk, "night", ["Omar", "Nina"], MONDAY)
    clock.advance(8 * 24 * 3600)
    assert await on_duty(desk, cast, "rotation:night") == ["Nina"]

    await change_rotation(desk, "night", people=["Omar", "Ola", "Nina"])
    assert await on_duty(desk, cast, "rotation:night") == ["Nina"]
    await change_rotation(desk, "night", when=HandOvers(4, time(18), "America/New_York"))
    assert await on_duty(desk, cast, "rotation:night") == ["Nina"]
    friday = datetime(2026, 12, 4, 23, tzinfo=UTC)
    assert await on_duty(desk, cast, "rotation:night", at=friday - HOUR) == ["Nina"]
    assert await on_duty(desk, cast, "rotation:night", at=friday) == ["Omar"]
    await change_rotation(desk, "night", people=["Ola", "Omar"])
    assert await on_duty(desk, cast, "rotation:night") == ["Ola"]  # Nina has left it
    await set_rotation_holidays(desk, "night", [date(2026, 12, 1)])
    assert await on_duty(desk, cast, "rotation:night") == []
    await change_rotation(desk, "night", people=["Ola"])
    assert await on_duty(desk, cast, "rotation:night") == []  # its holidays stay
    await remove_rotation(desk, "night")
    assert (await list_rotations(desk))[0].rotations == {}


async def test_a_first_turn_may_begin_on_a_day_to_come(desk: Desk, cast: Cast) -> None:
    await add_person(desk, "Nina", roles=["operator"])
    await add_rotation(desk, "night", ["Omar", "Nina"], MONDAY, starts_on=date(2026, 11, 30))

    assert await on_duty(desk, cast, "rotation:night") == ["Nina"]
    assert await on_duty(desk, cast, "rotation:night", at=datetime(2026, 11, 30, 8, tzinfo=UTC)) == ["Omar"]


async def test_what_nobody_could_keep_is_refused(desk: Desk, cast: Cast, clock: HandClock) -> None:
    soon, late = clock.now() + HOUR, clock.now() + timedelta(days=400)
    await add_rotation(desk, "night", ["Omar"], MONDAY)
    for refused in (
        add_rotation(desk, "a b", ["Omar"], MONDAY),
        add_rotation(desk, "day", [], MONDAY),
        add_rotation(desk, "day", ["Omar", "Omar"], MONDAY),
        add_rotation(desk, "day", ["Omar"], replace(MONDAY, zone="Europe/Berln")),
        add_rotation(desk, "day", ["Omar"], replace(MONDAY, hours="always")),
        add_rotation(desk, "day", ["Omar"], MONDAY, starts_on=date(2026, 12, 1)),
        change_rotation(desk, "night", when=replace(MONDAY, zone="Nowhere")),
        set_hours(desk, "Omar", "9-5"),
        set_hours(desk, "Omar", "Mon 09:00-10:00," * 100),
        set_hours(desk, "Omar", "", zone="Mars/Olympus"),
        set_holidays(desk, "Omar", [date(2026, 1, 1) + timedelta(days=day) for day in range(1001)]),
        hand_over(desk, "Omar", to="Omar", ends_at=soon),
        hand_over(desk, "Omar", to="Sofia", ends_at=clock.now()),
        hand_over(desk, "Omar", to="Sofia", ends_at=late),
        add_override(desk, "night", to="Omar", ends_at=soon, instead_of="Omar"),
        add_absence(desk, "Omar", ends_at=soon, starts_at=soon),
    ):
        with pytest.raises(InvalidRequest):
            await refused
    for absent in (
        set_hours(desk, "Nobody", ""),
        change_rotation(desk, "day", people=["Omar"]),
        remove_rotation(desk, "day"),
        set_rotation_holidays(desk, "day", []),
        add_override(desk, "day", to="Omar", ends_at=soon),
        duty(desk, queue="no-such"),
    ):
        with pytest.raises(NotFound):
            await absent
    for conflict in (
        add_rotation(desk, "night", ["Omar"], MONDAY),
        add_rotation(desk, "day", ["Amir"], MONDAY),
        hand_over(desk, "Omar", to="Amir", ends_at=soon),
    ):
        with pytest.raises(Conflict):
            await conflict


async def test_the_log_says_that_duty_changed_and_not_why_somebody_is_away(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    async with desk.store.reading() as reader:
        before = await reader.count()
    await set_addresses(desk, "Omar", ("push=ntfys://ntfy.example.com/omar-7fk2",))
    await set_hours(desk, "Omar", "Mon-Fri 09:00-17:00", zone="Europe/Berlin")
    await set_holidays(desk, "Omar", [date(2026, 12, 25)])
    await prefer(desk, "Omar", "high", ["push"])
    absence, _ = await add_absence(desk, "Omar", ends_at=datetime(2026, 12, 8, tzinfo=UTC))
    async with desk.store.reading() as reader:
        events = [orjson.loads(body) async for page in reader.events(before) for _, body in page]

    omar = cast.omar.person.id
    assert [(one["type"], one["data"]) for one in events] == [
        ("person.addresses_changed", {"person": omar, "count": 1, "channels": ["ntfys"]}),
        ("person.hours_changed", {"person": omar, "spans": 1, "holidays": 0}),
        ("person.hours_changed", {"person": omar, "spans": 1, "holidays": 1}),
        ("person.preferences_changed", {"person": omar, "urgencies": ["high"]}),
        ("person.absence_added", {"person": omar, "absence": absence.id}),
    ]


async def test_the_list_of_who_is_on_duty_says_who_why_and_until_when(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await add_person(desk, "Nina", roles=["operator"])
    await set_hours(desk, "Omar", "Mon-Fri 09:00-17:00", zone="Europe/Berlin")

    found = await duty(desk, queue="default")
    ((_, (tier,)),) = found.queues
    ((target, (nina, omar)),) = tier.targets

    assert (target, tier.after, tier.is_vacant) == ("role:operator", None, False)
    assert (nina.person, nina.until) == (await person_named(desk, "Nina"), None)
    assert (omar.person, omar.why) == (None, "outside working hours")
    assert omar.until == datetime(2026, 11, 24, 8, tzinfo=UTC)
    earlier = await duty(desk, at=datetime(2026, 11, 24, 8, 30, tzinfo=UTC), queue="payments")
    ((_, (then,)),) = earlier.queues
    assert then.targets[0][1][1].until == datetime(2026, 11, 24, 16, tzinfo=UTC)


async def test_the_list_of_who_is_on_duty_says_why_somebody_is_not(
    desk: Desk, cast: Cast, clock: HandClock, policy_path: Any
) -> None:
    policy_path.write_text(
        "version: 1\nqueues:\n  default:\n    tiers: [{alert: ['rotation:night', 'person:Omar', 'person:Sofia',"
        " 'person:Igor', 'person:Amir', 'person:Dora', 'person:Nobody', 'rotation:no-such', 'role:admin']}]\n",
        encoding="utf-8",
    )
    await add_person(desk, "Igor", roles=["operator"], addresses=())
    await add_person(desk, "Dora", roles=["operator"])
    await add_rotation(desk, "night", ["Omar", "Sofia"], replace(MONDAY, hours="Mon-Fri 09:00-22:00"))
    await disable_person(desk, "Dora")
    soon = clock.now() + HOUR
    await hand_over(desk, "Omar", to="Sofia", ends_at=soon)
    await add_absence(desk, "Sofia", ends_at=soon)

    async def whys() -> list[str]:
        ((_, (tier,)),) = (await duty(desk, queue="default")).queues
        assert tier.is_vacant
        return [one.why for _, (one,) in tier.targets]

    stand_in = "Sofia stands in, and is absent"
    others = [
        "absent", "Igor has no address", "Amir decides no cases", "disabled", "there is nobody of that name",
        "there is no rotation of that name", "nobody has that role here",
    ]  # fmt: skip
    assert await whys() == [stand_in, stand_in, *others]
    clock.advance(45 * 60)
    assert await whys() == ["not served at this hour", stand_in, *others]
