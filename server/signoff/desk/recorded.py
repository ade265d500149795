"""What was asked before, as a policy can be tried on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import orjson

from signoff.desk.history import facts_of_asked
from signoff.desk.request import ASKED
from signoff.domain.asked import Asked
from signoff.domain.case import Escalation
from signoff.domain.people import Agent
from signoff.store.reader import Reader
from signoff.triggers.facts import Facts
from signoff.triggers.replay import Ended, Recorded, Said

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_ENDED = ("waiting", "approved", "rejected", "expired", "cancelled")


async def recorded(reader: Reader, *, since: datetime | None = None) -> AsyncGenerator[Recorded | None]:
    """Stream what agents asked, in the order of time; None for an ask whose content is kept no more.

    Checks and requests, each action once. Before the first ask that was recorded as such, the cases.
    """
    agents = {one.id: one for one in await reader.agents()}
    start = since or _BEGINNING
    async with aclosing(reader.asked_since(start)) as asks:
        first = await anext(asks, None)
        async with aclosing(reader.cases()) as cases:
            async for _, case in cases:
                if first is not None and case.opened_at >= first.at:
                    break
                asked_by = agents.get(case.agent_id)
                if case.opened_at >= start and (asked_by is None or asked_by.stands_for is None):
                    yield await _of_case(reader, case, agents.get(case.agent_id))
        if first is None:
            return
        yield await _of_ask(reader, first, agents)
        async for asked in asks:
            yield await _of_ask(reader, asked, agents)


async def count_recorded(reader: Reader) -> int:
    """Return about how many there are, for a progress bar."""
    return max(await reader.windows.count(), await reader.count_cases())


async def _of_ask(reader: Reader, asked: Asked, agents: Mapping[str, Agent]) -> Recorded | None:
    facts = facts_of_asked(asked)
    if facts is None and asked.escalation_id is not None:  # a case keeps what an ask no longer does
        case = await reader.case(asked.escalation_id)
        made = None if case is None else await _of_case(reader, case, agents.get(case.agent_id))
        facts = None if made is None else replace(made.facts, session={"id": asked.session})
    if facts is None:
        return None
    put_to_people = asked.escalation_id is not None and asked.verdict == "escalate"
    ended = asked.standing if put_to_people and asked.standing in _ENDED else None
    return Recorded(
        id=asked.escalation_id or f"ask {asked.seq}",
        facts=replace(facts, history={}),
        timed=True,
        said=Said(asked.verdict, frozenset(asked.fired) - {ASKED}),
        requested=asked.escalation_id is not None,
        action_digest=asked.action_digest,
        ended=cast("Ended | None", ended),
        ended_at=asked.moved_at if ended else None,
        failed_at=asked.moved_at if asked.outcome in ("failed", "unknown") else None,
    )


async def _of_case(reader: Reader, case: Escalation, agent: Agent | None) -> Recorded | None:
    body = await reader.document(case.id)
    if body is None:
        return None
    document = orjson.loads(body)
    verdict = document["verdict"]
    facts = Facts(
        action=document["action"],
        bundle=document["bundle"],
        agent={
            "id": case.agent_id,
            "name": agent.name if agent else case.agent_id,
            "owner": agent.owner if agent else None,
        },
        session={"id": case.agent_id},
        now=case.opened_at,
    )
    put_to_people = verdict["outcome"] == "escalate"
    return Recorded(
        id=case.id,
        facts=facts,
        timed=True,
        said=Said(verdict["outcome"], frozenset(one["trigger"] for one in verdict["fired"]) - {ASKED}),
        requested=True,
        action_digest=case.action_digest,
        ended=("waiting" if case.status == "pending" else case.status) if put_to_people else None,
        ended_at=case.decided_at if put_to_people else None,
        failed_at=(case.claimed_at or case.decided_at) if case.outcome in ("failed", "unknown") else None,
    )
