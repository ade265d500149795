"""What the cases of a period say about the work: how long, how much, how it ended, and which triggers ask in vain.

Numbers about cases, never about persons (`attentiveness.py` has those), and without anything from a bundle. Canaries
are not counted: they are no work.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.domain.case import Status
from signoff.domain.people import Person, SignIn, check_full
from signoff.store.insight import Answered, Ended, Moment, Took

PERIODS = (1, 7, 30, 90, 365)
"""Days that can be looked at."""
FAST = timedelta(seconds=5)
"""An approval sooner than this after its person's first look at the case counts as unusually fast: reading the first
screen of a case aloud takes longer."""
ENOUGH_TO_RELAX = 20
"""Decisions that a trigger needs before it is named: with fewer, more than one case in seven might not be approved (95%)."""


@dataclass(slots=True)
class Group:
    """The cases of one queue, or of one trigger."""

    name: str
    ended: Counter[Status] = field(default_factory=Counter)
    """How many stand how; those that the policy decided alone are not among them."""
    seconds: Counter[int] = field(default_factory=Counter)
    """How many of them took so long from opening to decision."""

    @property
    def opened(self) -> int:
        """Return how many cases were put to people."""
        return self.ended.total()

    @property
    def decided(self) -> int:
        """Return how many cases people decided."""
        return self.seconds.total()

    def percentile(self, share: float) -> int | None:
        """Return how many seconds so many of the decisions took at most (nearest rank), None for no decisions."""
        left = math.ceil(share * self.decided)
        for seconds, count in sorted(self.seconds.items()):
            left -= count
            if left <= 0:
                return seconds
        return None


@dataclass(frozen=True, slots=True)
class AlwaysApproved:
    """A trigger whose cases people approved as they were, every one."""

    trigger: str
    decided: int
    """Cases for which this trigger alone fired, and that people decided."""
    at_most: float
    """The share that would not be approved as it is, at most, at 95% confidence (Clopper-Pearson for none seen)."""
    fast: int
    """Of the approvals, how many were unusually fast: they say little about the cases."""


@dataclass(frozen=True, slots=True)
class Stats:
    """The cases opened in a period."""

    days: int
    since: datetime
    now: datetime
    zone: str
    """Of the hours."""
    opened_at_hour: tuple[int, ...]
    """Cases by hour of the day, 24 entries."""
    decided_at_hour: tuple[int, ...]
    queues: tuple[Group, ...]
    """The one with most cases first; so are the triggers. A case counts for each trigger that fired."""
    triggers: tuple[Group, ...]
    always_approved: tuple[AlwaysApproved, ...]
    by_policy: int
    """Cases that the policy decided alone; they are counted nowhere else."""
    own_queues: bool
    """Whether these are the viewer's queues only."""


async def stats(desk: Desk, sign_in: SignIn | None, *, days: int) -> Stats:
    """Return what a person may know of the cases opened in the last days.

    Supervisors, auditors and admins see every queue, operators the queues that they work.

    Args:
        sign_in: Who looks; None for the command line, which sees every queue, in UTC.
        days: Among `PERIODS`; anything else counts as 30.

    Raises:
        Forbidden: A magic link opens its case only.
    """
    if sign_in is not None:
        check_full(sign_in)
    person = None if sign_in is None else sign_in.person
    zone = "UTC" if person is None else person.hours.zone
    days = days if days in PERIODS else 30
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        since = now - timedelta(days=days)
        tally = _Tally(zone)
        for one in await reader.insight.cases_since(since, _queues(person)):
            tally.add(one)
        always = [
            AlwaysApproved(
                name,
                count,
                none_seen(count),
                await reader.insight.fast_approvals(since, name, FAST.total_seconds()),
            )
            for name, count in tally.always_approved()
        ]
    return Stats(
        days=days,
        since=since,
        now=now,
        zone=zone,
        opened_at_hour=tuple(tally.opened_at),
        decided_at_hour=tuple(tally.decided_at),
        queues=_in_order(tally.queues.values()),
        triggers=_in_order(tally.triggers.values()),
        always_approved=tuple(always),
        by_policy=tally.by_policy,
        own_queues=_queues(person) is not None,
    )


def _queues(person: Person | None) -> frozenset[str] | None:
    """Return the queues whose cases are counted for a person, None for all of them."""
    if person is None or person.roles & {"supervisor", "auditor", "admin"} or not person.queues:
        return None
    return person.queues


class _Tally:
    """Adds up what was counted."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self.opened_at = [0] * 24
        self.decided_at = [0] * 24
        self.queues: dict[str, Group] = {}
        self.triggers: dict[str, Group] = {}
        self.alone: dict[str, Counter[Status]] = {}
        self.by_policy = 0

    def add(self, one: Ended | Took | Moment) -> None:
        if isinstance(one, Moment):
            hours = self.decided_at if one.decided else self.opened_at
            hours[one.at.astimezone(self._zone).hour] += one.cases
        elif isinstance(one, Took):
            groups = self._triggers(one.triggers) if one.queue is None else [self._queue(one.queue)]
            for group in groups:
                group.seconds[one.seconds] += one.cases
        elif one.status in ("approved", "rejected") and not one.by_people:
            self.by_policy += one.cases
        else:
            for group in (self._queue(one.queue), *self._triggers(one.triggers)):
                group.ended[one.status] += one.cases
            if len(one.triggers) == 1 and one.by_people:
                self.alone.setdefault(one.triggers[0], Counter())[one.status] += one.cases

    def _queue(self, name: str) -> Group:
        return self.queues.setdefault(name, Group(name))

    def _triggers(self, names: tuple[str, ...]) -> list[Group]:
        return [self.triggers.setdefault(name, Group(name)) for name in dict.fromkeys(names)]

    def always_approved(self) -> list[tuple[str, int]]:
        """Return the triggers whose cases were all approved as they were, and how many, most first."""
        found = [
            (name, ended["approved"])
            for name, ended in self.alone.items()
            if ended["approved"] == ended.total() >= ENOUGH_TO_RELAX
        ]
        return sorted(found, key=lambda one: (-one[1], one[0]))


def _in_order(groups: Iterable[Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups, key=lambda one: (-one.opened, one.name)))


def none_seen(tries: int) -> float:
    """Return how often something happens at most, at 95% confidence, that did not happen in so many tries."""
    return 1 - math.pow(0.05, 1 / tries)


def is_fast(one: Answered) -> bool:
    """Say whether a decision was taken unusually fast; one that was taken without opening the case is not timed."""
    return one.looked_at is not None and one.decided_at - one.looked_at < FAST
