"""What is counted about cases and people: for statistics, and for nothing that decides."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from signoff.domain.canary import Canary
from signoff.domain.case import Status
from signoff.domain.clock import from_text, to_text
from signoff.domain.decision import Choice
from signoff.domain.escalation import Escalation
from signoff.domain.people import Agent
from signoff.store import rows


class Ended(NamedTuple):
    """How many cases with these triggers stand how."""

    queue: str
    triggers: tuple[str, ...]
    status: Status
    by_people: bool
    """Whether people decided; False while they wait, where they ended by themselves, and where the policy decided."""
    cases: int


class Took(NamedTuple):
    """How many cases of a queue, or with these triggers, people decided so many seconds after their opening."""

    queue: str | None
    """None where it counts by triggers."""
    triggers: tuple[str, ...]
    seconds: int
    cases: int


class Moment(NamedTuple):
    """How many cases were opened, or decided, in a quarter of an hour."""

    at: datetime
    """Its beginning."""
    decided: bool
    cases: int


class Answered(NamedTuple):
    """One decision of one person, as statistics count it."""

    person_id: str
    choice: Choice
    decided_at: datetime
    looked_at: datetime | None
    """When this person first looked at the case; None where they decided it without opening it."""


class Search(NamedTuple):
    """What is searched among cases that have ended; an empty text asks for nothing."""

    since: datetime
    until: datetime
    """Exclusive."""
    status: str = ""
    queue: str = ""
    person_id: str = ""
    """Of one of those who decided."""
    trigger: str = ""
    text: str = ""
    """A case's id, or a part of its tool or summary; case does not matter in ASCII."""
    after: tuple[datetime, str] | None = None
    """When the last case of the page before ended, and its id."""


class Insight:
    """Reads for statistics, through the connection of a reader."""

    def __init__(self, connection: Any, queries: Any) -> None:
        self._connection = connection
        self._q = queries

    async def cases_since(
        self, since: datetime, queues: Iterable[str] | None = None
    ) -> list[Ended | Took | Moment]:
        """Return what the cases opened since an instant add up to; canaries are left out.

        Args:
            queues: Of these only; None for all.
        """
        found = await self._connection.execute_fetchall(
            self._q.counted_cases.sql,
            {"since": to_text(since), "queues": None if queues is None else rows.to_json(sorted(queues))},
        )
        return [_counted(*row) for row in found]

    async def fast_approvals(self, since: datetime, trigger: str, within_s: float) -> int:
        """Return how many approvals of cases that one trigger alone stopped came so soon after the first look."""
        row = await self._q.fast_approvals(
            self._connection, since=to_text(since), triggers=rows.to_json([trigger]), within_s=within_s
        )
        return int(row["n"])

    async def answers_since(self, since: datetime) -> list[Answered]:
        """Return what people decided since an instant and did not take back, in order."""
        found = self._q.answers_since(self._connection, since=to_text(since))
        return [
            Answered(
                one["person_id"],
                one["choice"],
                from_text(one["decided_at"]),
                rows.optional_time(one["looked_at"]),
            )
            async for one in found
        ]

    async def canary(self, escalation_id: str) -> Canary | None:
        """Return the canary behind a case; None for any other case."""
        row = await self._q.canary(self._connection, escalation_id=escalation_id)
        return None if row is None else _canary(row)

    async def stand_in(self, agent_id: str) -> Agent | None:
        """Return the agent that asks for canaries under the name of another."""
        row = await self._q.stand_in(self._connection, stands_for=agent_id)
        return None if row is None else rows.agent(row)

    async def canaries_since(self, since: datetime) -> list[Canary]:
        """Return the canaries made since an instant, newest first."""
        found = self._q.canaries_since(self._connection, since=to_text(since))
        return [_canary(one) async for one in found]

    async def decisions(self, wanted: Search, most: int) -> list[Escalation]:
        """Return cases that have ended, newest first."""
        at, case_id = wanted.after or (wanted.until, "")
        found = self._q.found_decisions(
            self._connection,
            status=wanted.status,
            queue=wanted.queue,
            person=wanted.person_id and rows.to_json(wanted.person_id),
            trigger=wanted.trigger and rows.to_json(wanted.trigger),
            text=wanted.text,
            since=to_text(wanted.since),
            until=to_text(wanted.until),
            before_at=to_text(at),
            before_id=case_id,
            most=most,
        )
        return [rows.case(row) async for row in found]

    async def verifications(self, most: int) -> list[bytes]:
        """Return the events of the last verifications on a page, newest first."""
        return [bytes(row["body"]) async for row in self._q.verifications(self._connection, most=most)]


class CanaryMoves(Insight):
    """What a unit of work writes about canaries."""

    async def add_stand_in(self, agent: Agent) -> None:
        """Add an agent that asks for canaries under the name of another; it has no key."""
        await self._q.add_stand_in(
            self._connection,
            id=agent.id,
            # No agent that somebody names can have this name: it begins with a space.
            name=f" canaries of {agent.stands_for}",
            owner=agent.owner,
            created_at=to_text(agent.created_at),
            stands_for=agent.stands_for,
            shown_name=agent.name,
        )

    async def add_canary(
        self, escalation_id: str, *, made_by: str, made_at: datetime, drill: str | None
    ) -> None:
        """Keep that a case is a canary."""
        await self._q.add_canary(
            self._connection,
            escalation_id=escalation_id,
            made_by=made_by,
            made_at=to_text(made_at),
            drill=drill,
        )

    async def answer_canary(self, escalation_id: str, *, by: str, at: datetime, choice: Choice) -> None:
        """Keep what somebody made of a canary."""
        await self._q.answer_canary(
            self._connection,
            escalation_id=escalation_id,
            answered_by=by,
            answered_at=to_text(at),
            choice=choice,
        )


def _counted(
    kind: str, queue: str, triggers: str, status: Status, value: Any, count: int
) -> Ended | Took | Moment:
    if kind == "ended":
        return Ended(queue, tuple(orjson.loads(triggers)), status, bool(value), count)
    if kind in ("by queue", "by triggers"):
        by_queue = kind == "by queue"
        return Took(queue if by_queue else None, tuple(orjson.loads(triggers)), value, count)
    hour, _, minute = value.rpartition(":")
    return Moment(from_text(f"{hour}:{int(minute):02}:00.000000Z"), kind == "decided", count)


def _canary(row: rows.Row) -> Canary:
    return Canary(
        escalation_id=row["escalation_id"],
        made_by=row["made_by"],
        made_at=from_text(row["made_at"]),
        drill=row["drill"],
        queue=row["queue"],
        tool=row["tool"],
        summary=row["summary"],
        status=row["status"],
        answered_by=row["answered_by"],
        answered_at=rows.optional_time(row["answered_at"]),
        choice=row["choice"],
    )
