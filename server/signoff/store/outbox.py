"""The outbox beyond one alert: floods, digests, follow-ups, tries, and the workers that send.

Addresses are copied here from row to row as they lie there, and never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signoff.domain.alert import Alert, AlertKind
from signoff.domain.case import Escalation, Status
from signoff.domain.clock import from_text, to_text
from signoff.domain.verdict import Urgency
from signoff.store import rows


@dataclass(frozen=True, slots=True)
class Crowd:
    """Alerts of low or normal urgency that wait for one address, more than may go one by one."""

    person_id: str
    address: str
    """As it lies in the database."""
    waiting: int
    lately: int
    """Alerts that went there lately, or are on their way."""
    held_until: datetime | None
    """Until then they wait for one another; None: they do not yet."""
    deadline_at: datetime
    """The nearest of their cases."""


@dataclass(frozen=True, slots=True)
class Digested:
    """One alert in a digest, and where its case stands."""

    id: str
    escalation_id: str
    agent_id: str
    tool: str
    urgency: Urgency
    deadline_at: datetime
    status: Status


class OutboxView:
    """What can be read of the outbox as a whole."""

    def __init__(self, connection: Any, queries: Any) -> None:
        self._connection = connection
        self._q = queries

    async def last_beat(self) -> datetime | None:
        """Return when a worker was last seen sending, None for never."""
        return rows.optional_time((await self._q.last_beat(self._connection))["beat_at"])

    async def overdue(self, now: datetime) -> tuple[int, datetime | None]:
        """Return how many alerts are due that nobody is sending, and since when the first of them is."""
        row = await self._q.overdue(self._connection, now=to_text(now))
        return int(row["n"]), rows.optional_time(row["since"])

    async def in_digest(self, digest_id: str) -> list[Digested]:
        """Return the alerts that a digest still speaks for."""
        found = self._q.in_digest(self._connection, digest_id=digest_id)
        return [
            Digested(
                row["id"],
                row["escalation_id"],
                row["agent_id"],
                row["tool"],
                row["urgency"],
                from_text(row["deadline_at"]),
                row["status"],
            )
            async for row in found
        ]

    async def reached(self, escalation_id: str, person_id: str) -> bool:
        """Say whether a channel has taken some alert of a case to a person."""
        row = await self._q.reached(self._connection, escalation_id=escalation_id, person_id=person_id)
        return row is not None

    async def also_failed(self, alert_id: str, since: datetime) -> int:
        """Return how many other alerts to the same address were given up since an instant."""
        row = await self._q.also_failed(self._connection, alert_id=alert_id, since=to_text(since))
        return int(row["n"])


class Outbox(OutboxView):
    """Writes to the outbox within a unit of work."""

    def __init__(self, connection: Any, queries: Any, *, now: datetime, new_id: Callable[[str], str]) -> None:
        super().__init__(connection, queries)
        self._now = to_text(now)
        self._new_id = new_id

    async def beat(self, owner: str, *, forget_before: datetime) -> None:
        """Note that a worker is at work, and forget those not seen for long."""
        await self._q.beat(self._connection, owner=owner, beat_at=self._now)
        await self._q.forget_workers(self._connection, before=to_text(forget_before))

    # How sending went

    async def begin_attempts(self, owner: str, alerts: Iterable[Alert]) -> None:
        """Note that alerts are being sent now."""
        begun = [
            {"alert_id": one.id, "number": one.attempts, "owner": owner, "began_at": self._now}
            for one in alerts
        ]
        if begun:
            await self._q.begin_attempts(self._connection, begun)

    async def end_attempt(self, owner: str, alert: Alert, *, error: str | None) -> None:
        """Note how a try went."""
        await self._q.end_attempt(
            self._connection,
            alert_id=alert.id,
            number=alert.attempts,
            owner=owner,
            ended_at=self._now,
            error=error,
        )

    async def tries(self, alert_id: str) -> tuple[int, datetime | None]:
        """Return how often an alert was tried since it was put into the outbox, and when first."""
        row = await self._q.tries_of_alert(self._connection, alert_id=alert_id)
        return int(row["n"]), rows.optional_time(row["began_at"])

    async def retry(self, alert_id: str) -> bool:
        """Try an alert again that was given up; False if it was not."""
        row = await self._q.retry_alert(self._connection, id=alert_id, due_at=self._now)
        return row is not None

    # Those who were asked hear how it ended

    async def follow_up(self, case: Escalation) -> None:
        """Tell those who were alerted to a case how it ended, once the agent may know; not those who decided.

        Nobody missed an answer but where nobody gave one: that a case expired is told to all on whom it was tried, and
        where it was tried on nobody, to those it was meant for.
        """
        kind: AlertKind = "expired" if case.status == "expired" else "decided"
        found = self._q.told_of_case(self._connection, escalation_id=case.id, anybody=int(kind == "expired"))
        rows_found = [(row["person_id"], row["address"], row["tried"]) async for row in found]
        tried = [one for one in rows_found if one[2]]
        for person_id, address, _ in tried or rows_found:
            if person_id not in case.decided_by:
                await self._add(
                    kind,
                    person_id,
                    address,
                    # Whoever waits for an answer, of whatever urgency, comes first.
                    urgency="low",
                    escalation_id=case.id,
                    due_at=to_text(case.release_at) if case.release_at is not None else None,
                )

    # Floods

    async def crowded(self, *, since: datetime, most: int) -> list[Crowd]:
        """Return the addresses to which more than `most` alerts wait or went since an instant."""
        found = self._q.crowded(self._connection, now=self._now, since=to_text(since), most=most)
        return [
            Crowd(
                row["person_id"],
                row["address"],
                row["waiting"],
                row["lately"],
                rows.optional_time(row["held_until"]),
                from_text(row["deadline_at"]),
            )
            async for row in found
        ]

    async def hold(self, crowd: Crowd, *, until: datetime, free: int) -> None:
        """Let the alerts of a crowd wait for one another, but for as many as may go one by one."""
        await self._q.hold_alerts(
            self._connection,
            person_id=crowd.person_id,
            address=crowd.address,
            now=self._now,
            held_until=to_text(until),
            free=free,
        )

    async def release(self, crowd: Crowd) -> None:
        """Let the alerts of a crowd go one by one."""
        await self._q.release_alerts(self._connection, person_id=crowd.person_id, address=crowd.address)

    async def digest(self, crowd: Crowd, *, most: int) -> None:
        """Make the alerts of a crowd one message; nothing while the one before is on its way."""
        waiting = await self._q.digest_to(self._connection, person_id=crowd.person_id, address=crowd.address)
        if waiting is not None and waiting["leased_until"] is not None:
            return
        digest_id = (
            waiting["id"]
            if waiting is not None
            else await self._add("digest", crowd.person_id, crowd.address, urgency="normal")
        )
        await self._q.put_into_digest(
            self._connection,
            digest_id=digest_id,
            person_id=crowd.person_id,
            address=crowd.address,
            now=self._now,
            most=most,
        )

    async def finish_digested(self, digest_id: str, *, state: str, error: str | None) -> None:
        """Let what came of a digest have come of the alerts in it."""
        await self._q.finish_digested(
            self._connection, digest_id=digest_id, state=state, last_error=error, done_at=self._now
        )

    async def _add(
        self,
        kind: AlertKind,
        person_id: str,
        address: str,
        *,
        urgency: Urgency,
        escalation_id: str | None = None,
        due_at: str | None = None,
    ) -> str | None:
        row = await self._q.add_alert(
            self._connection,
            id=self._new_id("alr"),
            kind=kind,
            escalation_id=escalation_id,
            person_id=person_id,
            address=address,
            urgency=urgency,
            urgency_rank=rows.urgency_rank(urgency),
            due_at=due_at or self._now,
            about=None,
        )
        return None if row is None else str(row["id"])
