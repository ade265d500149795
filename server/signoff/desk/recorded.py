"""What was asked before, as a policy can be tried on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import orjson

from signoff.desk.request import ASKED
from signoff.domain.case import Escalation
from signoff.domain.people import Agent
from signoff.store.reader import Reader
from signoff.triggers.facts import Facts
from signoff.triggers.replay import Recorded, Said


async def recorded_cases(reader: Reader, *, since: datetime | None = None) -> AsyncGenerator[Recorded | None]:
    """Stream the cases of a database in the order of their opening; None for one whose content was erased.

    What the policy allowed without a case is not among them.

    Args:
        since: Cases opened before are left out.
    """
    agents = {one.id: one for one in await reader.agents()}
    async for _, case in reader.cases():
        if since is not None and case.opened_at < since:
            continue
        body = await reader.document(case.id)
        yield None if body is None else _recorded(case, orjson.loads(body), agents.get(case.agent_id))


def _recorded(case: Escalation, document: dict[str, Any], agent: Agent | None) -> Recorded:
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
    fired = frozenset(one["trigger"] for one in verdict["fired"]) - {ASKED}
    asked_people = verdict["outcome"] == "escalate"
    return Recorded(
        id=case.id,
        facts=facts,
        timed=True,
        said=Said(verdict["outcome"], fired),
        requested=True,
        ended=case.status if asked_people else None,
        ended_at=case.decided_at if asked_people else None,
        failed_at=(case.claimed_at or case.decided_at) if case.outcome in ("failed", "unknown") else None,
    )
