"""What is counted about cases and people: for statistics, and for nothing that decides."""

from __future__ import annotations

from collections.abc import AsyncGenerator
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

PAGE = 1000


class Counted(NamedTuple):
    """What statistics count of one case."""

    status: Status
    queue: str
    triggers: tuple[str, ...]
    opened_at: datetime
    decided_at: datetime | None
    by_people: bool
    """Whether people decided it; False while it waits, where it ended by itself, and where the policy decided."""


class Answered(NamedTuple):
    """One decision of one person, as statistics count it."""

    person_id: str
    choice: Choice
    decided_at: datetime
    queue: str
    triggers: tuple[str, ...]
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

    async def cases_since(self, since: datetime) -> AsyncGenerator[Counted]:
        """Stream the cases opened since an instant, in the order of opening; canaries are left out."""
        row = await self._q.opened_since(self._connection, since=to_text(since))
        if row is None:
            return
        start = row["opened_seq"]
        while True:
            found = self._q.counted_cases(self._connection, opened_seq=start, most=PAGE)
            page = [one async for one in found]
            for one in page:
                yield Counted(
                    one["status"],
                    one["queue"],
                    tuple(orjson.loads(one["triggers"])),
                    from_text(one["opened_at"]),
                    rows.optional_time(one["decided_at"]),
                    one["decided_by"] != "[]",
                )
            if len(page) < PAGE:
                return
            start = page[-1]["opened_seq"] + 1

    async def answers_since(self, since: datetime) -> list[Answered]:
        """Return what people decided since an instant and did not take back, in order."""
        found = self._q.answers_since(self._connection, since=to_text(since))
        return [
            Answered(
                one["person_id"],
                one["choice"],
                from_text(one["decided_at"]),
                one["queue"],
                tuple(orjson.loads(one["triggers"])),
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
