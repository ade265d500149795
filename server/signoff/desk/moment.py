"""This instant, for those who read: a clock that went back brings nothing back that is over."""

from __future__ import annotations

from datetime import datetime

from signoff.desk.desk import Desk
from signoff.domain.clock import from_text
from signoff.store.reader import Reader


async def moment(desk: Desk, reader: Reader) -> datetime:
    """Return this instant, never before the last event; `Unit.now` is the same for those who write."""
    now, head = desk.clock.now(), await reader.head()
    return max(now, from_text(head.at)) if head.at else now
