"""How attentively people decide, told so that it is fair to them.

Each person sees their own numbers, supervisors everybody's, nobody else any. Nothing here slows anybody, decides
anything, or puts people in an order; a share is told only once there is enough to tell it from chance, and then with
how far off it may be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.desk.stats import FAST, PERIODS, is_fast
from signoff.domain.canary import Canary
from signoff.domain.decision import Choice
from signoff.domain.people import Person, SignIn, check_full
from signoff.store.insight import Answered

ENOUGH_CANARIES = 8
"""Answered canaries before a catch rate is told: with fewer, one slip moves it by more than an eighth."""
ENOUGH_APPROVALS = 20
"""Approvals before a share of fast ones is told."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share with how far off it may be (Wilson score interval, 95%)."""

    part: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Return it as a number from 0 to 1."""
        return self.part / self.of


@dataclass(frozen=True, slots=True)
class Attention:
    """One person's decisions in a period."""

    person: Person
    choices: Counter[Choice]
    timed: int
    """Decisions on cases that the person opened first; those taken from a list are not timed."""
    median_s: float | None
    """From the first look to the decision; None where nothing was timed."""
    fast: int
    """Approvals within five seconds of the first look."""
    timed_approvals: int
    fast_share: Share | None
    """None: too few to say."""
    caught: int
    missed: int
    catch_rate: Share | None
    """None: too few to say."""

    @property
    def decided(self) -> int:
        """Return how many decisions there are."""
        return self.choices.total()


@dataclass(frozen=True, slots=True)
class AttentionView:
    """What a person may see of it."""

    days: int
    since: datetime
    now: datetime
    fast: timedelta
    people: tuple[Attention, ...]
    """By name; only the viewer where they are no supervisor."""
    everybody: bool


async def attentiveness(desk: Desk, sign_in: SignIn, *, days: int) -> AttentionView:
    """Return how people decided in the last days: one's own numbers, and for supervisors everybody's.

    Args:
        days: Among `PERIODS`; anything else counts as 30.

    Raises:
        Forbidden: A magic link opens its case only.
    """
    check_full(sign_in)
    everybody = "supervisor" in sign_in.person.roles
    days = days if days in PERIODS else 30
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        since = now - timedelta(days=days)
        answers = await reader.insight.answers_since(since)
        canaries = await reader.insight.canaries_since(since)
        people = await reader.people() if everybody else [sign_in.person]
    made = [
        _attention(
            person,
            [one for one in answers if one.person_id == person.id],
            [one for one in canaries if one.answered_by == person.id],
        )
        for person in people
        if person.roles & {"operator", "supervisor"}
    ]
    shown = tuple(one for one in made if one.decided or one.caught or one.missed or not everybody)
    return AttentionView(days, since, now, FAST, shown, everybody)


def _attention(person: Person, answers: Sequence[Answered], canaries: Sequence[Canary]) -> Attention:
    timed = [one for one in answers if one.looked_at is not None]
    spans = [(one.decided_at - one.looked_at).total_seconds() for one in timed if one.looked_at is not None]
    approvals = [one for one in timed if one.choice == "approve"]
    fast = sum(is_fast(one) for one in approvals)
    caught = sum(one.caught for one in canaries)
    missed = len(canaries) - caught
    return Attention(
        person=person,
        choices=Counter(one.choice for one in answers),
        timed=len(timed),
        median_s=median(spans) if spans else None,
        fast=fast,
        timed_approvals=len(approvals),
        fast_share=share_of(fast, len(approvals), enough=ENOUGH_APPROVALS),
        caught=caught,
        missed=missed,
        catch_rate=share_of(caught, len(canaries), enough=ENOUGH_CANARIES),
    )


def share_of(part: int, of: int, *, enough: int) -> Share | None:
    """Return a share with its 95% interval (Wilson 1927), None where there is too little to tell one."""
    if of < enough:
        return None
    z = 1.959964
    middle = (part + z * z / 2) / (of + z * z)
    half = z / (of + z * z) * math.sqrt(part * (of - part) / of + z * z / 4)
    return Share(part, of, max(0.0, middle - half), min(1.0, middle + half))
