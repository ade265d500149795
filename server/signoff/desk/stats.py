"""What the cases of a period say about the work: how long, how much, how it ended, and which triggers ask in vain.

Numbers about cases, never about persons (`attentiveness.py` has those), and without anything from a bundle. Canaries
are not counted: they are no work.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.domain.case import Status
from signoff.domain.people import SignIn, check_full, works_queue
from signoff.store.insight import Answered, Counted

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
    seconds: array[float] = field(default_factory=lambda: array("d"))
    """From opening to decision, one entry for each case that people decided; in order once they are counted."""

    @property
    def opened(self) -> int:
        """Return how many cases were put to people."""
        return self.ended.total()

    @property
    def decided(self) -> int:
        """Return how many cases people decided."""
        return len(self.seconds)

    def percentile(self, share: float) -> float | None:
        """Return how many seconds so many of the decisions took at most (nearest rank), None for no decisions."""
        return self.seconds[math.ceil(share * len(self.seconds)) - 1] if self.seconds else None


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
    all_queues = person is None or bool(person.roles & {"supervisor", "auditor", "admin"})
    days = days if days in PERIODS else 30
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        since = now - timedelta(days=days)
        tally = _Tally(zone)
        async with aclosing(reader.insight.cases_since(since)) as cases:
            async for one in cases:
                if all_queues or (person is not None and works_queue(person, one.queue)):
                    tally.add(one)
        answers = await reader.insight.answers_since(since)
    return Stats(
        days=days,
        since=since,
        now=now,
        zone=zone,
        opened_at_hour=tuple(tally.opened_at),
        decided_at_hour=tuple(tally.decided_at),
        queues=_in_order(tally.queues.values()),
        triggers=_in_order(tally.triggers.values()),
        always_approved=_always_approved(tally.alone, answers),
        by_policy=tally.by_policy,
        own_queues=not all_queues,
    )


class _Tally:
    """Counts cases one by one."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self.opened_at = [0] * 24
        self.decided_at = [0] * 24
        self.queues: dict[str, Group] = {}
        self.triggers: dict[str, Group] = {}
        self.alone: dict[str, Counter[Status]] = {}
        self.by_policy = 0

    def add(self, one: Counted) -> None:
        if one.status in ("approved", "rejected") and not one.by_people:
            self.by_policy += 1
            return
        self.opened_at[one.opened_at.astimezone(self._zone).hour] += 1
        seconds = None
        if one.by_people and one.decided_at is not None:
            self.decided_at[one.decided_at.astimezone(self._zone).hour] += 1
            seconds = (one.decided_at - one.opened_at).total_seconds()
        groups = [self.queues.setdefault(one.queue, Group(one.queue))]
        groups += [self.triggers.setdefault(name, Group(name)) for name in dict.fromkeys(one.triggers)]
        for group in groups:
            group.ended[one.status] += 1
            if seconds is not None:
                group.seconds.append(seconds)
        if len(one.triggers) == 1 and seconds is not None:
            self.alone.setdefault(one.triggers[0], Counter())[one.status] += 1


def _in_order(groups: Iterable[Group]) -> tuple[Group, ...]:
    made = sorted(groups, key=lambda one: (-one.opened, one.name))
    for one in made:
        one.seconds = array("d", sorted(one.seconds))
    return tuple(made)


def _always_approved(
    alone: dict[str, Counter[Status]], answers: Sequence[Answered]
) -> tuple[AlwaysApproved, ...]:
    fast = Counter(
        one.triggers[0]
        for one in answers
        if len(one.triggers) == 1 and one.choice == "approve" and is_fast(one)
    )
    found = [
        AlwaysApproved(name, ended["approved"], none_seen(ended["approved"]), fast[name])
        for name, ended in alone.items()
        if ended["approved"] == ended.total() >= ENOUGH_TO_RELAX
    ]
    return tuple(sorted(found, key=lambda one: (-one.decided, one.trigger)))


def none_seen(tries: int) -> float:
    """Return how often something happens at most, at 95% confidence, that did not happen in so many tries."""
    return 1 - math.pow(0.05, 1 / tries)


def is_fast(one: Answered) -> bool:
    """Say whether a decision was taken unusually fast; one that was taken without opening the case is not timed."""
    return one.looked_at is not None and one.decided_at - one.looked_at < FAST
