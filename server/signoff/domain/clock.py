"""Time: one injected clock, and the one text form of an instant.

Instants are UTC. Text is fixed-width with microseconds (`2026-11-23T20:31:05.123456Z`), so that text order is
time order in both databases.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_DURATION = re.compile(r"(\d{1,9})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Clock(Protocol):
    """Tells the time; tests pass one that they turn by hand."""

    def now(self) -> datetime:
        """Return this instant in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return this instant in UTC."""
        return datetime.fromtimestamp(time.time_ns() / 1e9, UTC)


def to_text(at: datetime) -> str:
    """Return an instant as 27 characters, `2026-11-23T20:31:05.123456Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote.

    Raises:
        ValueError: Any other form.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def parse_duration(text: str) -> timedelta:
    """Read `45s`, `30m`, `24h` or `7d`.

    Raises:
        ValueError: Any other form, or zero.
    """
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError("write a duration as a whole number and s, m, h or d, such as 30m")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
