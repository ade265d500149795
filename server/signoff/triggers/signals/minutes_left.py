"""How long until a time that the agent sent: for deadlines that were promised to somebody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind, read_path
from signoff.triggers.signals.signal import PathText, Signal


class MinutesLeft(Signal):
    """`{minutes_left: bundle.state.sla_due_at}`: minutes until the time at a path, negative once it has passed.

    The time is RFC 3339 with an offset, as JSON carries times (`2026-11-24T17:00:00Z`); any other text is no time that
    two readers agree on, and an error.
    """

    minutes_left: PathText

    gives: ClassVar[Kind] = "number"

    def value(self, facts: Facts, name: str) -> float | None:
        """Return the minutes left, None where there is no time at the path."""
        found, given = facts.look_up(read_path(self.minutes_left))
        if found == "missing" or given is None:
            return None
        if isinstance(given, datetime):
            due = given
        elif isinstance(given, str) and found == "here":
            due = datetime.fromisoformat(given)
        else:
            raise ValueError("not a time")
        if due.tzinfo is None:
            raise ValueError("a time without an offset")
        return (due - facts.now) / timedelta(minutes=1)
