"""Changing who is on duty: working hours, preferences, absences, hand-overs, rotations and their holidays.

Every change is an event with ids and counts. When somebody is away, and why, is not in the log, which keeps for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.desk.people import person_named
from signoff.domain.clock import to_text
from signoff.domain.duty import Absence, Override, Roster, Rotation, Turn, in_order
from signoff.domain.errors import Conflict, InvalidRequest, NotFound
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.hours import DAYS, MAX_HOLIDAYS, MAX_HOURS_CHARS, Hours, check_zone, read_hours
from signoff.domain.near import sentence
from signoff.domain.people import Person
from signoff.domain.policy import check_id
from signoff.domain.verdict import URGENCIES, Urgency
from signoff.store.reader import Reader
from signoff.store.unit import Unit

MOST_IN_TURN = 100
LONGEST = timedelta(days=366)  # who is away for longer is disabled, or taken out of the rotation


@dataclass(frozen=True, slots=True)
class Vacancy:
    """A time for which a rotation has nobody."""

    rotation: str
    turn: Turn


async def set_hours(desk: Desk, name: str, text: str, *, zone: str | None = None) -> Person:
    """Say when a person works; an empty text is always. Their holidays stay.

    Args:
        zone: The one before where it is None.

    Raises:
        NotFound: Nobody has that name.
        InvalidRequest: No such hours, or no such zone.
    """
    person = await person_named(desk, name)
    if zone is not None or text:
        _checked(Hours(text, zone or "UTC"))
    return await _change_hours(
        desk, person, lambda held: replace(held, text=text, zone=held.zone if zone is None else zone)
    )


async def _change_hours(desk: Desk, person: Person, change: Callable[[Hours], Hours]) -> Person:
    async def move(unit: Unit) -> Person:
        held = await unit.person(person.id) or person
        hours = change(held.hours)
        await unit.set_hours(person.id, hours)
        spans = len(read_hours(hours.text)) if hours.text else 0
        data = {"person": person.id, "spans": spans, "holidays": len(hours.holidays)}
        await unit.record(Draft("person.hours_changed", unit.now, SYSTEM, data))
        return replace(held, hours=hours)

    return await desk.store.write(move)


async def set_holidays(desk: Desk, name: str, days: Iterable[date]) -> Hours:
    """Replace a person's holidays: days on which their working hours do not begin.

    Raises:
        NotFound: Nobody has that name.
        InvalidRequest: Too many.
    """
    person = await person_named(desk, name)
    made = _holidays(days)
    return (await _change_hours(desk, person, lambda held: replace(held, holidays=made))).hours


async def set_rotation_holidays(desk: Desk, name: str, days: Iterable[date]) -> Hours:
    """Replace the holidays of a rotation: days on which it is not served.

    Raises:
        NotFound: There is no such rotation.
        InvalidRequest: Too many.
    """
    made = _holidays(days)

    async def move(unit: Unit) -> Hours:
        held = await _rotation(unit, name)
        after = replace(held, hours=replace(held.hours, holidays=made))
        await unit.set_rotation(after)
        await unit.record(Draft("duty.rotation_changed", unit.now, SYSTEM, _facts(after)))
        return after.hours

    return await desk.store.write(move)


def _holidays(days: Iterable[date]) -> frozenset[date]:
    made = frozenset(days)
    if len(made) > MAX_HOLIDAYS:
        raise InvalidRequest(f"at most {MAX_HOLIDAYS} days.", field="holidays")
    return made


async def prefer(desk: Desk, name: str, urgency: Urgency, labels: Iterable[str]) -> Person:
    """Send a person's alerts of one urgency to the addresses with these labels; to all of them for no labels.

    Raises:
        NotFound: Nobody has that name.
        InvalidRequest: No such urgency, or no address of theirs has such a label.
    """
    if urgency not in URGENCIES:
        raise InvalidRequest(f"must be among {', '.join(URGENCIES)}.", field="urgency")
    person = await person_named(desk, name)
    wanted = tuple(dict.fromkeys(labels))

    async def move(unit: Unit) -> Person:
        held = await unit.person(person.id) or person
        known = dict.fromkeys(one.label for one in held.addresses)
        for label in wanted:
            if label not in known:
                there_are = ", ".join(known) or "none yet"
                raise InvalidRequest(
                    f"{name} has no address called '{label[:20]}'. There are: {there_are}.", field="label"
                )
        preferences = {one: chosen for one, chosen in held.preferences.items() if one != urgency}
        if wanted:
            preferences[urgency] = wanted
        await unit.set_preferences(person.id, preferences)
        data = {"person": person.id, "urgencies": sorted(preferences)}
        await unit.record(Draft("person.preferences_changed", unit.now, SYSTEM, data))
        return replace(held, preferences=preferences)

    return await desk.store.write(move)


async def add_absence(
    desk: Desk, name: str, *, ends_at: datetime, starts_at: datetime | None = None
) -> tuple[Absence, list[Vacancy]]:
    """Note that somebody cannot be reached, and return it with the turns that nobody has then.

    Raises:
        NotFound: Nobody has that name.
        InvalidRequest: It ends before it begins or before now, or lasts over a year.
    """
    person = await person_named(desk, name)

    async def move(unit: Unit) -> tuple[Absence, list[Vacancy]]:
        starts = starts_at or unit.now
        _check_span(starts, ends_at, unit.now)
        absence = Absence(unit.new_id("abs"), person.id, starts, ends_at)
        await unit.add_absence(absence)
        data = {"person": person.id, "absence": absence.id}
        await unit.record(Draft("person.absence_added", unit.now, SYSTEM, data))
        roster = await unit.roster(unit.now)
        return absence, vacancies(roster, max(starts, unit.now), ends_at, person.id)

    return await desk.store.write(move)


async def end_absence(desk: Desk, absence_id: str) -> Absence:
    """Let somebody be reached again from now on.

    Raises:
        NotFound: There is no such absence, or it has ended.
    """

    async def move(unit: Unit) -> Absence:
        held = {one.id: one for one in (await unit.roster(unit.now)).absences}.get(absence_id)
        if held is None or not await unit.end_absence(absence_id):
            raise NotFound(f"There is no absence {absence_id} now or later. See `signoff duty show`.")
        data = {"person": held.person_id, "absence": held.id}
        await unit.record(Draft("person.absence_ended", unit.now, SYSTEM, data))
        return held

    return await desk.store.write(move)


async def hand_over(
    desk: Desk, name: str, *, to: str, ends_at: datetime, starts_at: datetime | None = None
) -> Override:
    """Let one person stand in for another wherever the other would be on duty.

    Raises:
        NotFound: Nobody has that name.
        InvalidRequest: Both are the same, or the span is none.
        Conflict: The stand-in decides no cases.
    """
    away, there = await person_named(desk, name), await _stand_in(desk, to)
    if away.id == there.id:
        raise InvalidRequest(f"{name} cannot stand in for {name}.", field="to")
    return await _add_override(desk, there, away.id, starts_at, ends_at, rotation=None)


async def add_override(
    desk: Desk,
    rotation: str,
    *,
    to: str,
    ends_at: datetime,
    starts_at: datetime | None = None,
    instead_of: str | None = None,
) -> Override:
    """Let somebody have the duty of a rotation for a while, instead of whoever has the turn or of one person.

    Raises:
        NotFound: Nobody has that name, or there is no such rotation.
        InvalidRequest: Both are the same, or the span is none.
        Conflict: The stand-in decides no cases.
    """
    away = None if instead_of is None else (await person_named(desk, instead_of)).id
    there = await _stand_in(desk, to)
    if away == there.id:
        raise InvalidRequest(f"{to} cannot stand in for {to}.", field="instead_of")
    return await _add_override(desk, there, away, starts_at, ends_at, rotation=rotation)


async def _stand_in(desk: Desk, name: str) -> Person:
    person = await person_named(desk, name)
    if person.disabled_at is not None or not person.roles & {"operator", "supervisor"}:
        raise Conflict(f"{name} decides no cases, so cannot stand in for somebody.")
    return person


async def _add_override(
    desk: Desk,
    there: Person,
    instead_of: str | None,
    starts_at: datetime | None,
    ends_at: datetime,
    *,
    rotation: str | None,
) -> Override:
    async def move(unit: Unit) -> Override:
        starts = starts_at or unit.now
        _check_span(starts, ends_at, unit.now)
        if rotation is not None:
            await _rotation(unit, rotation)
        made = Override(unit.new_id("ovr"), instead_of, there.id, starts, ends_at, unit.now, rotation)
        await unit.add_override(made)
        data = {
            "override": made.id,
            "rotation": rotation,
            "instead_of": instead_of,
            "person": there.id,
            "starts_at": to_text(starts),
            "ends_at": to_text(ends_at),
        }
        await unit.record(Draft("duty.override_added", unit.now, SYSTEM, data))
        return made

    return await desk.store.write(move)


async def end_override(desk: Desk, override_id: str) -> Override:
    """Give the duty back, from now on.

    Raises:
        NotFound: There is no such override, or it has ended.
    """

    async def move(unit: Unit) -> Override:
        held = {one.id: one for one in (await unit.roster(unit.now)).overrides}.get(override_id)
        if held is None or not await unit.end_override(override_id):
            raise NotFound(f"There is no override {override_id} now or later. See `signoff duty show`.")
        data = {"override": held.id, "instead_of": held.instead_of, "person": held.person_id}
        await unit.record(Draft("duty.override_ended", unit.now, SYSTEM, data))
        return held

    return await desk.store.write(move)


@dataclass(frozen=True, slots=True)
class HandOvers:
    """When the turns of a rotation begin, and when it is served."""

    day: int
    """Of the week; Monday is 0."""
    at: time
    zone: str
    hours: str = ""
    """Always, where it is empty."""


async def add_rotation(
    desk: Desk, name: str, people: Iterable[str], when: HandOvers, *, starts_on: date | None = None
) -> Rotation:
    """Add a rotation; the first of the people has the turn now.

    Args:
        people: Names, in the order of their turns.
        starts_on: A day of a hand-over to the first of the people, instead of now.

    Raises:
        NotFound: Nobody has one of the names.
        Conflict: There is one of that name.
        InvalidRequest: No such name, zone, hours or day; somebody twice; nobody; too many.
    """
    try:
        check_id(name)
    except ValueError as error:
        raise InvalidRequest(f"{error}.", field="rotation") from None
    if starts_on is not None and starts_on.weekday() != when.day:
        raise InvalidRequest(f"{starts_on} is no {DAYS[when.day]}, the day of the hand-over.", field="starts")
    ids = await _in_turn(desk, people)
    hours = _checked(Hours(when.hours, when.zone))

    async def move(unit: Unit) -> Rotation:
        if name in await unit.rotations():
            raise Conflict(f"There is already a rotation called {name}. Change it instead.")
        made = Rotation(name, ids, starts_on or _next(when.day, unit.now), when.at, when.zone, hours)
        if starts_on is None:
            made = replace(made, first_on=made.last_hand_over(unit.now))
        await unit.set_rotation(made)
        await unit.record(Draft("duty.rotation_added", unit.now, SYSTEM, _facts(made)))
        return made

    return await desk.store.write(move)


async def change_rotation(
    desk: Desk, name: str, *, people: Iterable[str] | None = None, when: HandOvers | None = None
) -> Rotation:
    """Change who takes turns in a rotation, or when; what is not named stays, and so do its holidays.

    Whoever has the turn keeps it until the next hand-over if they are still in the rotation; the first of the people
    has it otherwise.

    Raises:
        NotFound: There is no such rotation, or nobody has one of the names.
        InvalidRequest: No such zone or hours; somebody twice; nobody; too many.
    """
    ids = None if people is None else await _in_turn(desk, people)
    if when is not None:
        _checked(Hours(when.hours, when.zone))

    async def move(unit: Unit) -> Rotation:
        held = await _rotation(unit, name)
        has_turn, circle = held.turn(unit.now).person_id, ids or held.people
        made = replace(held, people=in_order(circle, has_turn) if has_turn in circle else circle)
        if when is not None:
            hours = replace(held.hours, text=when.hours, zone=when.zone)
            made = replace(made, first_on=_next(when.day, unit.now), at=when.at, zone=when.zone, hours=hours)
        made = replace(made, first_on=made.last_hand_over(unit.now))
        await unit.set_rotation(made)
        await unit.record(Draft("duty.rotation_changed", unit.now, SYSTEM, _facts(made)))
        return made

    return await desk.store.write(move)


def _next(day: int, now: datetime) -> date:
    return now.date() + timedelta(days=(day - now.weekday()) % 7)


async def _in_turn(desk: Desk, names: Iterable[str]) -> tuple[str, ...]:
    people = [await person_named(desk, one) for one in names]
    ids = tuple(one.id for one in people)
    if not 0 < len(ids) <= MOST_IN_TURN or len(set(ids)) < len(ids):
        raise InvalidRequest(f"name 1 to {MOST_IN_TURN} people, each once.", field="people")
    for one in people:
        if one.disabled_at is not None or not one.roles & {"operator", "supervisor"}:
            raise Conflict(f"{one.name} decides no cases, so cannot take turns.")
    return ids


async def rotation_named(desk: Desk, name: str) -> Rotation:
    """Return a rotation by name.

    Raises:
        NotFound: There is none.
    """
    async with desk.store.reading() as reader:
        return await _rotation(reader, name)


async def list_rotations(desk: Desk) -> tuple[Roster, datetime]:
    """Return everything that says who is on duty from now on, and now."""
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        return await reader.roster(now), now


async def remove_rotation(desk: Desk, name: str) -> None:
    """Let nobody be on duty by a rotation any more; a policy that names it alerts the next tier at once.

    Raises:
        NotFound: There is none.
    """

    async def move(unit: Unit) -> None:
        await _rotation(unit, name)
        await unit.remove_rotation(name)
        await unit.record(Draft("duty.rotation_removed", unit.now, SYSTEM, {"rotation": name}))

    await desk.store.write(move)


def vacancies(roster: Roster, since: datetime, until: datetime, person_id: str) -> list[Vacancy]:
    """Return the turns of a person that nobody has between two instants."""
    return [
        Vacancy(name, turn)
        for name in roster.rotations
        for turn in roster.vacancies(name, since, until)
        if turn.person_id == person_id
    ]


def _checked(hours: Hours) -> Hours:
    try:
        check_zone(hours.zone)
    except ValueError as error:
        raise InvalidRequest(sentence(str(error)), field="zone") from None
    if len(hours.text) > MAX_HOURS_CHARS:
        raise InvalidRequest(f"at most {MAX_HOURS_CHARS} characters.", field="hours")
    try:
        if hours.text:
            read_hours(hours.text)
    except ValueError as error:
        raise InvalidRequest(f"{error}.", field="hours") from None
    return hours


def _check_span(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    if ends_at <= starts_at or ends_at <= now:
        raise InvalidRequest("must lie after the beginning, and after now.", field="until")
    if ends_at - starts_at > LONGEST:
        raise InvalidRequest(f"at most {LONGEST.days} days after the beginning.", field="until")


def _facts(rotation: Rotation) -> dict[str, object]:
    return {
        "rotation": rotation.name,
        "people": list(rotation.people),
        "first_on": rotation.first_on.isoformat(),
        "at": rotation.at.isoformat("minutes"),
        "zone": rotation.zone,
        "spans": len(read_hours(rotation.hours.text)) if rotation.hours.text else 0,
        "holidays": len(rotation.hours.holidays),
    }


async def _rotation(reader: Reader, name: str) -> Rotation:
    rotations = await reader.rotations()
    if name not in rotations:
        raise NotFound(
            f"There is no rotation called {name[:100]}. There are: {', '.join(rotations) or 'none yet'}."
        )
    return rotations[name]
