"""Who is on duty at an instant: hours, turns, stand-ins and absences, over both changes of the clocks in two zones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.domain.duty import Absence, Override, Roster, Rotation, Turn, chosen, in_order, read_instant
from signoff.domain.hours import ALWAYS, Hours
from signoff.domain.people import Address, Person

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
MADE = datetime(2026, 1, 1, tzinfo=UTC)


def person(name: str, hours: Hours = ALWAYS, **more: object) -> Person:
    made = Person(name, name, frozenset({"operator"}), frozenset(), (), MADE, hours=hours)
    return replace(made, **more)  # type: ignore[arg-type]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def override(
    away: str | None, there: str, *, since: str, until: str, rotation: str | None = None, made: int = 0
) -> Override:
    return Override(
        f"ovr_{away}{there}{made}",
        away,
        there,
        at(since),
        at(until),
        MADE + timedelta(seconds=made),
        rotation,
    )


def rotation(zone: str, at: time, first_on: date, *, people: str = "abc", hours: Hours = ALWAYS) -> Rotation:
    return Rotation("night", tuple(people), first_on, at, zone, hours)


def roster(*rotations: Rotation, people: str = "abcd", **more: object) -> Roster:
    return Roster(
        {one: person(one) for one in people},
        {one.name: one for one in rotations},
        **more,  # type: ignore[arg-type]
    )


# 2026: Berlin goes forward on 29 March at 01:00Z (02:00 to 03:00) and back on 25 October at 01:00Z (03:00 to 02:00);
# New York on 8 March at 07:00Z (02:00 to 03:00) and on 1 November at 06:00Z (02:00 to 01:00).
@pytest.mark.parametrize(
    ("zone", "hours", "instant", "inside"),
    [
        (BERLIN, "Sun 02:00-03:00", "2026-03-29T00:59:59Z", False),  # 01:59:59
        (BERLIN, "Sun 02:00-03:00", "2026-03-29T01:00:00Z", False),  # 03:00: the hour was skipped
        (BERLIN, "Sun 02:30-04:00", "2026-03-29T00:59:59Z", False),
        (BERLIN, "Sun 02:30-04:00", "2026-03-29T01:00:00Z", True),   # it begins with the first minute there is
        (BERLIN, "Sun 01:00-02:30", "2026-03-29T00:59:59Z", True),
        (BERLIN, "Sun 01:00-02:30", "2026-03-29T01:00:00Z", False),
        (BERLIN, "Sat 22:00-06:00", "2026-03-29T03:59:59Z", True),   # 05:59:59 summer time, an hour earlier than usual
        (BERLIN, "Sat 22:00-06:00", "2026-03-29T04:00:00Z", False),
        (BERLIN, "Sun 02:00-03:00", "2026-10-24T23:59:59Z", False),  # 01:59:59
        (BERLIN, "Sun 02:00-03:00", "2026-10-25T00:00:00Z", True),   # 02:00 for the first time
        (BERLIN, "Sun 02:00-03:00", "2026-10-25T01:59:59Z", True),   # 02:59:59 for the second
        (BERLIN, "Sun 02:00-03:00", "2026-10-25T02:00:00Z", False),
        (BERLIN, "Sun 02:30-05:00", "2026-10-25T00:30:00Z", True),
        (BERLIN, "Sun 02:30-05:00", "2026-10-25T01:15:00Z", False),  # 02:15 again: on the wall it has not begun
        (BERLIN, "Sun 02:30-05:00", "2026-10-25T01:30:00Z", True),
        (BERLIN, "Sat 22:00-06:00", "2026-10-25T04:59:59Z", True),
        (BERLIN, "Sat 22:00-06:00", "2026-10-25T05:00:00Z", False),
        (NEW_YORK, "Sun 02:00-03:00", "2026-03-08T06:59:59Z", False),
        (NEW_YORK, "Sun 02:00-03:00", "2026-03-08T07:00:00Z", False),
        (NEW_YORK, "Sun 02:30-04:00", "2026-03-08T07:00:00Z", True),
        (NEW_YORK, "Sat 22:00-06:00", "2026-03-08T09:59:59Z", True),
        (NEW_YORK, "Sat 22:00-06:00", "2026-03-08T10:00:00Z", False),
        (NEW_YORK, "Sun 01:00-02:00", "2026-11-01T05:00:00Z", True),
        (NEW_YORK, "Sun 01:00-02:00", "2026-11-01T06:59:59Z", True),  # 01:59:59 for the second time
        (NEW_YORK, "Sun 01:00-02:00", "2026-11-01T07:00:00Z", False),
        (NEW_YORK, "Mon-Fri 09:00-17:00", "2026-03-06T13:59:59Z", False),  # the Friday before
        (NEW_YORK, "Mon-Fri 09:00-17:00", "2026-03-06T14:00:00Z", True),
        (NEW_YORK, "Mon-Fri 09:00-17:00", "2026-03-09T12:59:59Z", False),  # the Monday after
        (NEW_YORK, "Mon-Fri 09:00-17:00", "2026-03-09T13:00:00Z", True),
        (NEW_YORK, "Mon-Fri 09:00-17:00", "2026-11-02T13:59:59Z", False),
        (NEW_YORK, "Mon-Fri 09:00-17:00", "2026-11-02T14:00:00Z", True),
    ],
)  # fmt: skip
def test_somebody_works_by_the_clock_on_the_wall(zone: str, hours: str, instant: str, inside: bool) -> None:
    held = roster(people="b")
    held = replace(held, people={**held.people, "a": person("a", Hours(hours, zone))})

    assert (held.for_person("a", at(instant)) == "a") is inside
    assert held.on_duty("a", at(instant)) is inside
    assert held.on_duty("b", at(instant))


@pytest.mark.parametrize(
    ("zone", "clock", "first_on", "instant", "has_turn"),
    [
        # An ordinary hand-over, on Mondays at 09:00: 08:00Z in winter, 07:00Z in summer.
        (BERLIN, "09:00", "2026-03-23", "2026-03-23T07:59:59Z", "c"),
        (BERLIN, "09:00", "2026-03-23", "2026-03-23T08:00:00Z", "a"),
        (BERLIN, "09:00", "2026-03-23", "2026-03-30T06:59:59Z", "a"),
        (BERLIN, "09:00", "2026-03-23", "2026-03-30T07:00:00Z", "b"),
        (BERLIN, "09:00", "2026-10-19", "2026-10-26T07:59:59Z", "a"),
        (BERLIN, "09:00", "2026-10-19", "2026-10-26T08:00:00Z", "b"),
        (NEW_YORK, "09:00", "2026-03-02", "2026-03-09T12:59:59Z", "a"),
        (NEW_YORK, "09:00", "2026-03-02", "2026-03-09T13:00:00Z", "b"),
        (NEW_YORK, "09:00", "2026-10-26", "2026-11-02T13:59:59Z", "a"),
        (NEW_YORK, "09:00", "2026-10-26", "2026-11-02T14:00:00Z", "b"),
        # On the Sunday itself at 02:30, which the clocks skip: 03:30 on the new ones.
        (BERLIN, "02:30", "2026-03-22", "2026-03-29T01:29:59Z", "a"),
        (BERLIN, "02:30", "2026-03-22", "2026-03-29T01:30:00Z", "b"),
        (NEW_YORK, "02:30", "2026-03-01", "2026-03-08T07:29:59Z", "a"),
        (NEW_YORK, "02:30", "2026-03-01", "2026-03-08T07:30:00Z", "b"),
        # On the Sunday on which it comes twice: the first time, and once only.
        (BERLIN, "02:30", "2026-10-18", "2026-10-25T00:29:59Z", "a"),
        (BERLIN, "02:30", "2026-10-18", "2026-10-25T00:30:00Z", "b"),
        (BERLIN, "02:30", "2026-10-18", "2026-10-25T01:15:00Z", "b"),
        (BERLIN, "02:30", "2026-10-18", "2026-10-25T01:30:00Z", "b"),
        (NEW_YORK, "01:30", "2026-10-25", "2026-11-01T05:29:59Z", "a"),
        (NEW_YORK, "01:30", "2026-10-25", "2026-11-01T05:30:00Z", "b"),
        (NEW_YORK, "01:30", "2026-10-25", "2026-11-01T06:15:00Z", "b"),
        # Long after and long before the first turn.
        (BERLIN, "09:00", "2026-03-23", "2027-03-23T12:00:00Z", "b"),
        (BERLIN, "09:00", "2026-03-23", "2025-03-18T12:00:00Z", "b"),
        # Samoa skipped the Friday of a hand-over, 30 December 2011, altogether.
        ("Pacific/Apia", "09:00", "2011-12-23", "2011-12-30T18:59:59Z", "a"),
        ("Pacific/Apia", "09:00", "2011-12-23", "2011-12-30T19:00:00Z", "b"),
    ],
)  # fmt: skip
def test_the_duty_is_handed_over_on_the_clocks_of_the_zone(
    zone: str, clock: str, first_on: str, instant: str, has_turn: str
) -> None:
    held = rotation(zone, time.fromisoformat(clock), date.fromisoformat(first_on))

    assert held.turn(at(instant)).person_id == has_turn
    assert roster(held).for_rotation("night", at(instant)) == has_turn


zones = st.sampled_from([BERLIN, NEW_YORK, "Pacific/Apia", "America/Havana", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])  # fmt: skip
times = st.times().map(lambda one: one.replace(second=0, microsecond=0))
rotations = st.builds(
    lambda zone, clock, first, people: rotation(zone, clock, first, people=people),
    zones,
    times,
    st.dates(date(2009, 1, 1), date(2030, 1, 1)),
    st.sampled_from(["a", "ab", "abc", "dcba"]),
)
instants = st.datetimes(datetime(2010, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- in UTC
MOMENT = timedelta(microseconds=1)


@given(rotations, instants)
def test_somebody_of_a_rotation_is_on_duty_at_every_instant(held: Rotation, now: datetime) -> None:
    turn = held.turn(now)

    assert turn.starts_at <= now < turn.ends_at
    assert roster(held).for_rotation("night", now) == turn.person_id
    assert roster(held).on_duty(turn.person_id, now)


@given(rotations, instants)
def test_a_hand_over_leaves_no_gap_and_no_overlap(held: Rotation, now: datetime) -> None:
    turn = held.turn(now)
    after = held.turn(turn.ends_at)

    assert after.starts_at == turn.ends_at
    assert held.turn(turn.ends_at - MOMENT) == turn
    assert held.people.index(after.person_id) == (held.people.index(turn.person_id) + 1) % len(held.people)
    assert timedelta(days=5) < turn.ends_at - turn.starts_at < timedelta(days=9)
    assert roster(held).vacancies("night", now, now + timedelta(days=21)) == []


@given(rotations, instants)
def test_a_rotation_reads_the_same_from_any_of_its_hand_overs(held: Rotation, now: datetime) -> None:
    turn = held.turn(now)
    moved = replace(held, first_on=held.last_hand_over(now), people=in_order(held.people, turn.person_id))

    assert moved.turn(now) == turn
    assert moved.turn(now + timedelta(days=40)) == held.turn(now + timedelta(days=40))


spans = st.sampled_from(
    ["", "Mon-Fri 09:00-17:00", "Sat-Sun 02:30-01:30", "Sun 00:00-24:00", "Sun 02:15-02:45"]
)


@given(zones, spans, instants, st.sets(st.dates(date(2010, 1, 1), date(2029, 1, 1)), max_size=3))
def test_hours_change_at_their_edges_and_nowhere_else(
    zone: str, text: str, now: datetime, holidays: set[date]
) -> None:
    local = now.astimezone(ZoneInfo(zone)).date()
    hours = Hours(text, zone, frozenset({*holidays, local + timedelta(days=1)}))
    until = now + timedelta(days=4)
    edges = sorted({now, *(edge for edge in hours.edges(now, until) if now < edge < until), until})

    for begins, ends in pairwise(edges):
        step = (ends - begins) / 7
        assert len({hours.hold(begins + step * part) for part in range(7)} | {hours.hold(ends - MOMENT)}) == 1


@pytest.mark.parametrize(
    ("overrides", "instant", "on_duty"),
    [
        ([], "2026-03-24T00:00Z", "a"),
        ([("a", "d", "night", 0)], "2026-03-24T00:00Z", "d"),
        ([("a", "d", None, 0)], "2026-03-24T00:00Z", "d"),               # wherever they would be on duty
        ([(None, "d", "night", 0)], "2026-03-24T00:00Z", "d"),           # whoever has the turn
        ([("a", "d", "day", 0)], "2026-03-24T00:00Z", "a"),              # in another rotation
        ([("b", "d", "night", 0)], "2026-03-24T00:00Z", "a"),            # for somebody who has no turn
        ([("a", "d", "night", 0)], "2026-03-23T23:59:59Z", "a"),         # before it begins
        ([("a", "d", "night", 0)], "2026-03-26T00:00Z", "a"),            # once it has ended
        ([("a", "d", "night", 0), ("a", "b", "night", 1)], "2026-03-24T00:00Z", "b"),  # the later one holds
        ([("a", "d", "night", 1), ("a", "b", None, 0)], "2026-03-24T00:00Z", "d"),
        ([("a", "b", None, 0), ("b", "d", None, 1)], "2026-03-24T00:00Z", "d"),        # handed on
        ([("a", "b", None, 0), ("b", "a", None, 1)], "2026-03-24T00:00Z", "b"),        # swapped
        ([(None, "b", "night", 0), ("b", "d", None, 1)], "2026-03-24T00:00Z", "d"),
        ([(None, "a", "night", 0)], "2026-03-24T00:00Z", "a"),
        ([(None, "d", "night", 0), (None, "b", "night", 1)], "2026-03-24T00:00Z", "b"),
    ],
)  # fmt: skip
def test_the_turn_goes_to_whoever_stands_in(
    overrides: list[tuple[str | None, str, str | None, int]], instant: str, on_duty: str
) -> None:
    made = tuple(
        override(
            away, there, since="2026-03-24T00:00Z", until="2026-03-26T00:00Z", rotation=name, made=number
        )
        for away, there, name, number in overrides
    )
    held = roster(rotation(BERLIN, time(9), date(2026, 3, 23)), overrides=made)

    assert held.for_rotation("night", at(instant)) == on_duty


def test_nobody_takes_the_turn_of_somebody_absent_by_themselves() -> None:
    held = rotation(BERLIN, time(9), date(2026, 3, 23))
    away = Absence("abs_1", "a", at("2026-03-25T12:00Z"), at("2026-03-31T12:00Z"))
    gone = roster(held, absences=(away,))

    assert gone.for_rotation("night", at("2026-03-25T11:59Z")) == "a"
    assert gone.for_rotation("night", at("2026-03-25T12:00Z")) is None
    assert gone.for_person("a", at("2026-03-25T12:00Z")) is None
    assert gone.for_rotation("night", at("2026-03-30T07:00Z")) == "b"
    assert gone.vacancies("night", at("2026-03-23T08:00Z"), at("2026-04-20T08:00Z")) == [
        Turn("a", at("2026-03-25T12:00Z"), at("2026-03-30T07:00Z"))
    ]
    assert gone.rotation_until("night", at("2026-03-25T13:00Z")) == at("2026-03-30T07:00Z")
    stands_in = override("a", "d", since="2026-03-25T12:00Z", until="2026-03-28T00:00Z")
    covered = replace(gone, overrides=(stands_in,))
    assert covered.for_rotation("night", at("2026-03-26T00:00Z")) == "d"
    assert covered.vacancies("night", at("2026-03-23T08:00Z"), at("2026-04-20T08:00Z")) == [
        Turn("a", at("2026-03-28T00:00Z"), at("2026-03-30T07:00Z"))
    ]


def test_a_stand_in_who_is_absent_or_disabled_leaves_nobody() -> None:
    held = rotation(BERLIN, time(9), date(2026, 3, 23))
    stands_in = override("a", "d", since="2026-03-24T00:00Z", until="2026-03-26T00:00Z")
    away = Absence("abs_1", "d", at("2026-03-24T00:00Z"), at("2026-03-25T00:00Z"))
    found = roster(held, overrides=(stands_in,), absences=(away,))

    assert found.for_rotation("night", at("2026-03-24T12:00Z")) is None
    assert found.for_person("a", at("2026-03-24T12:00Z")) is None
    assert found.for_person("a", at("2026-03-25T12:00Z")) == "d"
    disabled = replace(found, people={**found.people, "d": person("d", disabled_at=MADE)})
    assert disabled.for_rotation("night", at("2026-03-25T12:00Z")) is None
    nobody_else = replace(
        disabled, people={**disabled.people, "b": person("b", disabled_at=MADE)}, overrides=()
    )
    assert nobody_else.for_rotation("night", at("2026-03-31T12:00Z")) is None


def test_a_turn_and_a_hand_over_hold_outside_ones_own_working_hours() -> None:
    """Whoever took the duty is woken; only the hours of whom they stand in for say when that is."""
    office = Hours("Mon-Fri 09:00-17:00", BERLIN)
    people = {"a": person("a", office), "d": person("d", Hours("Sat-Sun 09:00-17:00", BERLIN))}
    stands_in = override("a", "d", since="2026-03-24T00:00Z", until="2026-03-26T00:00Z")
    held = Roster(people, {"night": rotation(BERLIN, time(9), date(2026, 3, 23), people="a")})

    assert held.for_person("a", at("2026-03-24T03:00Z")) is None
    assert held.for_rotation("night", at("2026-03-24T03:00Z")) == "a"
    assert held.on_duty("a", at("2026-03-24T03:00Z"))
    handed_over = replace(held, overrides=(stands_in,))
    assert handed_over.for_rotation("night", at("2026-03-24T03:00Z")) == "d"
    assert handed_over.for_person("a", at("2026-03-24T03:00Z")) is None
    assert handed_over.for_person("a", at("2026-03-24T12:00Z")) == "d"
    assert not handed_over.on_duty("a", at("2026-03-24T12:00Z"))
    assert handed_over.person_until("a", at("2026-03-24T12:00Z")) == at("2026-03-24T16:00Z")


def test_holidays_are_days_on_which_hours_do_not_begin() -> None:
    christmas = frozenset({date(2026, 12, 25)})
    free = person("a", Hours("", BERLIN, christmas))
    served = rotation(
        BERLIN, time(9), date(2026, 12, 21), people="a", hours=Hours("Mon-Fri 22:00-06:00", BERLIN, christmas)
    )
    held = Roster({"a": free}, {"night": served})

    assert held.for_person("a", at("2026-12-24T22:59:59Z")) == "a"
    assert held.for_person("a", at("2026-12-24T23:00:00Z")) is None
    assert held.for_person("a", at("2026-12-25T23:00:00Z")) == "a"
    assert held.for_rotation("night", at("2026-12-25T02:00:00Z")) == "a"  # it began on the day before
    assert held.for_rotation("night", at("2026-12-25T22:00:00Z")) is None
    assert held.for_rotation("night", at("2026-12-24T22:00:00Z")) == "a"
    assert held.for_rotation("no-such", at("2026-12-24T22:00:00Z")) is None
    assert held.rotation_until("night", at("2026-12-25T12:00:00Z")) == at("2026-12-28T21:00:00Z")
    assert held.vacancies("night", at("2026-12-25T12:00:00Z"), at("2026-12-28T21:00:00Z")) == []


def test_alerts_go_to_the_addresses_of_the_preferred_labels() -> None:
    push, mail, mail_too = Address("1", "push", "x"), Address("2", "mail", "y"), Address("3", "mail", "z")
    omar = person("a", addresses=(push, mail, mail_too), preferences={"low": ("mail",), "high": ("sms",)})

    assert chosen(omar, "low") == ("y", "z")
    assert chosen(omar, "critical") == ("x", "y", "z")
    assert chosen(omar, "high") == ("x", "y", "z")  # of a label that nothing bears any more
    assert chosen(replace(omar, addresses=(push, replace(mail, url="x"))), "critical") == ("x",)


@pytest.mark.parametrize(
    ("text", "ends", "read"),
    [
        ("2026-12-24", False, "2026-12-23T23:00:00Z"),
        ("2026-12-24", True, "2026-12-24T23:00:00Z"),
        ("2026-12-24T18:00", False, "2026-12-24T17:00:00Z"),
        ("2026-12-24 18:00:30", True, "2026-12-24T17:00:30Z"),
        ("2026-12-24T18:00Z", False, "2026-12-24T18:00:00Z"),
        ("2026-12-24T18:00-05:00", False, "2026-12-24T23:00:00Z"),
        ("2026-03-29T02:30", False, "2026-03-29T01:30:00Z"),
        ("2026-10-25T02:30", False, "2026-10-25T00:30:00Z"),
    ],
)
def test_a_time_is_read_on_the_clocks_of_the_zone(text: str, ends: bool, read: str) -> None:
    assert read_instant(text, BERLIN, ends=ends) == at(read)


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "2026-12-24T25:00", "20261224", "9999-12-31", "2026-W52-1"])  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time: write 2026-12-24"):
        read_instant(text, BERLIN, ends=True)
