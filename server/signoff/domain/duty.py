"""Who is on duty: working hours, rotations, overrides, hand-overs and absences, as values and questions to them.

A person without working hours is always on duty. A rotation gives the duty to one person after the other, week by
week; whoever has the turn is on duty at any hour that the rotation is served, whatever their own working hours are.
Nobody is a plain answer: the next tier is alerted then.

Nothing here reads a clock; every question names its instant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from signoff.domain.hours import ALWAYS, Hours
from signoff.domain.people import Person

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DAY.pattern + r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?")
WEEK = timedelta(days=7)
LOOK_AHEAD = 2 * WEEK


@dataclass(frozen=True, slots=True)
class Turn:
    """One week of one person in a rotation."""

    person_id: str
    starts_at: datetime
    ends_at: datetime
    """The hand-over to the next person; the turn ends just before."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """People who take the duty in turn, each for a week."""

    name: str
    people: tuple[str, ...]
    """Person ids in the order of their turns; nobody twice."""
    first_on: date
    """The day of a hand-over to the first of them; hand-overs are on this day of every week."""
    at: time
    """When the hand-over is, on the clocks of the zone."""
    zone: str
    hours: Hours = ALWAYS
    """When the rotation is served at all; outside nobody of it is on duty."""

    def turn(self, at: datetime) -> Turn:
        """Return whose turn it is at an instant; before the first day, the turns go on backwards."""
        week = self._week(at)
        person = self.people[week % len(self.people)]
        return Turn(person, self._hand_over(week), self._hand_over(week + 1))

    def last_hand_over(self, at: datetime) -> date:
        """Return the day of the hand-over with which the turn at an instant began."""
        return self.first_on + WEEK * self._week(at)

    def _week(self, at: datetime) -> int:
        week = (at.astimezone(ZoneInfo(self.zone)).date() - self.first_on).days // 7
        # A zone may have skipped the day of a hand-over, or had its hour twice, so the weeks around are asked too.
        return max(one for one in (week - 1, week, week + 1) if self._hand_over(one) <= at)

    def _hand_over(self, week: int) -> datetime:
        """Return the instant of a hand-over.

        As RFC 5545 §3.3.5 has it: a time that comes twice is the first of the two, and one that the clocks skip is
        counted with the offset before the gap (02:30 is 03:30 on the new clocks).
        """
        wall = datetime.combine(self.first_on + WEEK * week, self.at, ZoneInfo(self.zone))
        return wall.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Override:
    """For a while, one person stands in for another, or for whoever has the turn."""

    id: str
    instead_of: str | None
    """None for whoever has the turn in the rotation."""
    person_id: str
    starts_at: datetime
    ends_at: datetime
    made_at: datetime
    rotation: str | None = None
    """In this rotation only; None wherever the other would be on duty."""

    def covers(self, at: datetime) -> bool:
        """Say whether it holds at an instant."""
        return self.starts_at <= at < self.ends_at


@dataclass(frozen=True, slots=True)
class Absence:
    """A while in which a person cannot be reached at all, whoever's turn it is."""

    id: str
    person_id: str
    starts_at: datetime
    ends_at: datetime

    def covers(self, at: datetime) -> bool:
        """Say whether it holds at an instant."""
        return self.starts_at <= at < self.ends_at


@dataclass(frozen=True, slots=True)
class Roster:
    """Everything that says who is on duty."""

    people: Mapping[str, Person]
    """By id; disabled people are among them, and never on duty."""
    rotations: Mapping[str, Rotation] = field(default_factory=dict)
    """By name."""
    overrides: tuple[Override, ...] = ()
    absences: tuple[Absence, ...] = ()

    def is_there(self, person_id: str, at: datetime) -> bool:
        """Say whether somebody can be reached at all: not disabled, not absent."""
        person = self.people.get(person_id)
        if person is None or person.disabled_at is not None:
            return False
        return not any(one.person_id == person_id and one.covers(at) for one in self.absences)

    def for_person(self, person_id: str, at: datetime) -> str | None:
        """Return who is on duty where this person is meant: they, their stand-in, or nobody."""
        person = self.people.get(person_id)
        if person is None or person.disabled_at is not None or not person.hours.hold(at):
            return None
        return self._there(self.stand_in(person_id, at), at)

    def for_rotation(self, name: str, at: datetime) -> str | None:
        """Return who of a rotation is on duty, None for nobody and for a rotation that does not exist."""
        rotation = self.rotations.get(name)
        if rotation is None or not rotation.hours.hold(at):
            return None
        return self._there(self.stand_in(rotation.turn(at).person_id, at, rotation=name), at)

    def on_duty(self, person_id: str, at: datetime) -> bool:
        """Say whether a person is on duty: in their own working hours, by a turn, or for somebody else."""
        asked = (self.for_person(one, at) for one in self.people)
        turns = (self.for_rotation(name, at) for name in self.rotations)
        return person_id in asked or person_id in turns

    def stand_in(self, person_id: str, at: datetime, *, rotation: str | None = None) -> str:
        """Return who stands in for somebody at an instant: the person themselves where nobody does.

        Stand-ins may have handed over in their turn. Of two overrides for the same person the later one holds. Two
        people who stand in for each other have swapped.
        """
        holding = [one for one in self.overrides if one.rotation in (None, rotation) and one.covers(at)]
        person, seen = person_id, {person_id}
        meant: tuple[str | None, ...] = (person_id, None)
        while True:
            held = (one for one in holding if one.instead_of in meant)
            override = max(held, key=lambda one: (one.made_at, one.id), default=None)
            if override is None or override.person_id in seen:
                return person
            person = override.person_id
            meant = (person,)
            seen.add(person)

    def person_until(self, person_id: str, at: datetime) -> datetime | None:
        """Return when another answer than now's holds for a person, None if not within the next two weeks."""
        return self._changes(lambda then: self.for_person(person_id, then), self.people[person_id].hours, at)

    def rotation_until(self, name: str, at: datetime) -> datetime | None:
        """Return when another answer than now's holds for a rotation, None if not within the next two weeks."""
        rotation = self.rotations[name]
        return self._changes(lambda then: self.for_rotation(name, then), rotation.hours, at, rotation)

    def vacancies(self, name: str, since: datetime, until: datetime) -> list[Turn]:
        """Return when a rotation is served and nobody is on duty, with whose turn it is."""
        found: list[Turn] = []
        rotation = self.rotations[name]
        edges = [since, *self._edges(rotation.hours, since, until, rotation), until]
        for starts_at, ends_at in pairwise(edges):
            if not rotation.hours.hold(starts_at) or self.for_rotation(name, starts_at) is not None:
                continue
            person = rotation.turn(starts_at).person_id
            if found and (found[-1].ends_at, found[-1].person_id) == (starts_at, person):
                starts_at = found.pop().starts_at
            found.append(Turn(person, starts_at, ends_at))
        return found

    def _changes(
        self,
        ask: Callable[[datetime], str | None],
        hours: Hours,
        at: datetime,
        rotation: Rotation | None = None,
    ) -> datetime | None:
        now = ask(at)
        edges = self._edges(hours, at, at + LOOK_AHEAD, rotation)
        return next((edge for edge in edges if ask(edge) != now), None)

    def _edges(
        self, hours: Hours, since: datetime, until: datetime, rotation: Rotation | None = None
    ) -> list[datetime]:
        """Return every instant between two at which an answer may change, in order."""
        edges = set(hours.edges(since, until))
        spans: tuple[Override | Absence, ...] = (*self.overrides, *self.absences)
        edges |= {edge for one in spans for edge in (one.starts_at, one.ends_at)}
        if rotation is not None:
            at = since
            while (at := rotation.turn(at).ends_at) < until:
                edges.add(at)
        return sorted(edge for edge in edges if since < edge < until)

    def _there(self, person_id: str, at: datetime) -> str | None:
        return person_id if self.is_there(person_id, at) else None


def chosen(person: Person, urgency: str) -> tuple[str, ...]:
    """Return where a person's alerts of an urgency go, each address once, in their order.

    All of their addresses where they prefer nothing; and also where no address bears a preferred label any more, for
    an alert that goes nowhere helps nobody.
    """
    labels = person.preferences.get(urgency, ())
    preferred = [one.url for one in person.addresses if one.label in labels]
    return tuple(dict.fromkeys(preferred or [one.url for one in person.addresses]))


def read_instant(text: str, zone: str, *, ends: bool = False) -> datetime:
    """Return the instant that a text means on the clocks of a zone.

    `2026-12-24T18:00` is a time there, `2026-12-24T17:00Z` or `…+01:00` one anywhere. A day alone is its beginning.

    Args:
        ends: A day alone is meant to its end, so the beginning of the next.

    Raises:
        ValueError: It is none of these.
    """
    try:
        if _DAY.fullmatch(text) is not None:
            made = datetime.combine(date.fromisoformat(text) + timedelta(days=ends), time())
        else:
            made = datetime.fromisoformat(text if _TIME.fullmatch(text) is not None else "")
        return (made if made.tzinfo is not None else made.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"'{text[:40]}' is no time: write 2026-12-24, 2026-12-24T18:00 or 2026-12-24T17:00Z"
        ) from None


def in_order(people: Iterable[str], first: str) -> tuple[str, ...]:
    """Return people in the same circle, beginning with one of them."""
    circle = tuple(people)
    at = circle.index(first)
    return circle[at:] + circle[:at]
