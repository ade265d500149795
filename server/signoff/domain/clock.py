"""Time: one injected clock, and the one text form of an instant.

Instants are UTC. Text is fixed-width with microseconds (`2026-11-23T20:31:05.123456Z`), so that text order is
time order in both databases.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_DURATION = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Clock(Protocol):
    """Tells the time; tests pass one that they turn by hand."""

    def now(self) -> datetime:
        """Return this instant in UTC."""
        ...


class SystemClock:
    """The machine's clock, except that it never goes back.

    Set back by hand or by NTP, it goes on from where it was at its own pace until the machine's time is later
    again: a decision that an agent was told must not become one that can be taken back.
    """

    def __init__(self) -> None:
        self._at_ns = 0
        self._ticks_ns = 0

    def now(self) -> datetime:
        """Return this instant in UTC."""
        ticks_ns = time.monotonic_ns()
        self._at_ns = max(time.time_ns(), self._at_ns + ticks_ns - self._ticks_ns)
        self._ticks_ns = ticks_ns
        return _EPOCH + timedelta(microseconds=self._at_ns // 1000)


def to_text(at: datetime) -> str:
    """Return an instant as 27 characters, `2026-11-23T20:31:05.123456Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote.

    Raises:
        ValueError: Any other form.
    """
    if _INSTANT.fullmatch(text) is None:
        raise ValueError("write an instant as in 2026-11-23T20:31:05.123456Z")
    return datetime.fromisoformat(
        text
    )  # ten times as fast as `strptime`; alone it would read other forms too


def parse_duration(text: str) -> timedelta:
    """Read `45s`, `30m`, `24h` or `7d`.

    Raises:
        ValueError: Any other form, or zero.
    """
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError("write a duration as a whole number and s, m, h or d, such as 30m")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def read_duration(given: object, *, longest: timedelta) -> timedelta:
    """Return a duration from a file: text as `parse_duration` reads it, or one that was read before.

    Raises:
        ValueError: No such text, or longer than `longest`.
    """
    if isinstance(given, timedelta):
        return given
    if not isinstance(given, str):
        raise ValueError("write a duration as a whole number and s, m, h or d, such as 30m")  # noqa: TRY004
    made = parse_duration(given)
    if made > longest:
        raise ValueError(f"longer than {longest.days} days")
    return made
