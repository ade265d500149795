"""This instant, for those who read, and what is settled by it: nothing comes back that is over."""

from __future__ import annotations

from datetime import datetime

from signoff.desk.desk import Desk
from signoff.domain.clock import from_text
from signoff.domain.escalation import Escalation
from signoff.store.reader import Reader
from signoff.store.unit import Unit


async def moment(desk: Desk, reader: Reader) -> datetime:
    """Return this instant, never before the last event; `Unit.now` is the same for those who write."""
    now, head = desk.clock.now(), await reader.head()
    return max(now, from_text(head.at)) if head.at else now


async def settled(desk: Desk, case: Escalation) -> Escalation:
    """Return a case whose decision was released, as it stands when no undo can be on its way any more.

    An undo that began within its window may reach the disk after the window. Whoever only reads could tell the
    agent meanwhile, so this waits in line with those who write; an undo behind it comes too late.

    Raises:
        StoreUnavailable: The answer is unknown.
    """
    # Nobody decided, or a claim has stood in line since.
    if not case.decided_by or case.claimed_at is not None:
        return case

    async def read(unit: Unit) -> Escalation | None:
        return await unit.case(case.id)

    return await desk.store.write(read) or case
