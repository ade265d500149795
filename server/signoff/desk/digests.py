"""Floods: many alerts to one address become one message, and what is urgent goes by them.

The first few within a window go one by one. Those beyond them wait for one another until the window has passed, and
then go as one digest, if they are still more than a few. Alerts of high and critical urgency, and links that a person
asked for, never wait.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from signoff.desk.desk import DeskSettings
from signoff.domain.alert import Digest, InBrief
from signoff.domain.verdict import URGENCIES
from signoff.store.outbox import Crowd
from signoff.store.unit import Unit

DIGESTED_AT_ONCE = 1000
"""Each gets its event when the digest is sent, in one transaction."""
IN_BRIEF = 10
"""Cases that a digest lists; it counts them all."""


async def gather(unit: Unit, settings: DeskSettings) -> None:
    """Let alerts to crowded addresses wait for one another, and make digests of those that have waited."""
    since = unit.now - settings.digest_within
    for crowd in await unit.outbox.crowded(since=since, most=settings.digest_above):
        if crowd.held_until is None or crowd.held_until > unit.now:
            await _hold(unit, settings, crowd)
        elif crowd.waiting > settings.digest_above:
            await unit.outbox.digest(crowd, most=DIGESTED_AT_ONCE)
        else:
            await unit.outbox.release(crowd)


async def _hold(unit: Unit, settings: DeskSettings, crowd: Crowd) -> None:
    until = unit.now + _patience(settings, crowd.deadline_at - unit.now)
    if crowd.held_until is not None:
        until = min(until, crowd.held_until)
    # The oldest are the free ones. Those of them that wait already go on waiting, so that no newer one overtakes them.
    free = max(settings.digest_above - crowd.lately, 0)
    await unit.outbox.hold(crowd, until=until, free=free)


def _patience(settings: DeskSettings, left: timedelta) -> timedelta:
    """Return how long alerts may wait for one another: less where a case ends soon."""
    window = settings.digest_within
    return window if left > 2 * window else window / 6


async def digest_of(unit: Unit, settings: DeskSettings, digest_id: str) -> Digest | None:
    """Return what a digest says, None once nothing in it matters any more."""
    held = await unit.outbox.in_digest(digest_id)
    if not held:
        return None
    waiting = {one.escalation_id: one for one in held if one.status == "pending"}
    names = {one.id: one.name for one in await unit.agents()}
    asking = Counter(names.get(one.agent_id, one.agent_id) for one in waiting.values())
    ended = {one.escalation_id for one in held} - set(waiting)
    first = sorted(waiting.values(), key=lambda one: (-URGENCIES.index(one.urgency), one.deadline_at))
    ends = [one.deadline_at for one in first]
    return Digest(
        waiting=len(waiting),
        ended=len(ended),
        agents=tuple(asking.most_common()),
        soonest_s=_left(min(ends), unit.now) if ends else None,
        cases=tuple(
            InBrief(
                tool=one.tool,
                agent_name=names.get(one.agent_id, one.agent_id),
                urgency=one.urgency,
                seconds_left=_left(one.deadline_at, unit.now),
                page_url=f"{settings.base_url}/cases/{one.escalation_id}",
            )
            for one in first[:IN_BRIEF]
        ),
    )


def _left(until: datetime, now: datetime) -> int:
    return max(int((until - now).total_seconds()), 0)
