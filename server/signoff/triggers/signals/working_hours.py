"""Whether now is within working hours, on the clocks of a place."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field

from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind, meant
from signoff.triggers.signals.signal import Signal

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MAX_HOLIDAYS = 1000
_SPAN = re.compile(r"(\w{3})(?:-(\w{3}))? (\d\d):(\d\d)-(\d\d):(\d\d)")

Span = tuple[frozenset[int], int, int]
"""Days of the week (Monday is 0), and from and until as minutes of the day; until is smaller where it is past midnight."""


def read_hours(text: str) -> tuple[Span, ...]:
    """Return the spans of a text such as `Mon-Thu 09:00-17:00, Fri 09:00-15:00`.

    Raises:
        ValueError: Says what is wrong with it.
    """
    spans: list[Span] = []
    for part in text.split(","):
        found = _SPAN.fullmatch(part.strip())
        if found is None:
            raise ValueError(
                f"'{part.strip()[:60]}' is no span of hours: write days and times, such as Mon-Fri 09:00-17:00"
            )
        first, last = found[1].title(), (found[2] or found[1]).title()
        for day in (first, last):
            if day not in DAYS:
                raise ValueError(f"'{day}' is no day{meant(day, DAYS)} ({', '.join(DAYS)})")
        start, end = DAYS.index(first), DAYS.index(last)
        days = frozenset((start + step) % 7 for step in range((end - start) % 7 + 1))
        opens, closes = (int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6]))
        if int(found[4]) > 59 or int(found[6]) > 59 or opens >= 1440 or closes > 1440 or opens == closes:
            raise ValueError(f"'{part.strip()}' has times that are no span of a day (00:00 to 24:00)")
        spans.append((days, opens, closes))
    return tuple(spans)


def _hours(text: str) -> str:
    read_hours(text)
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"'{name[:60]}' is no time zone: write one such as Europe/Berlin or UTC{meant(name, available_timezones())}"
        ) from None
    return name


def _day(given: Any) -> date:
    # YAML reads 2026-12-25 as text here, and quotes change nothing.
    if isinstance(given, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", given):
        return date.fromisoformat(given)
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    raise ValueError("is no day: write one such as 2026-12-25")


class WorkingHours(Signal):
    """`{working_hours: "Mon-Fri 09:00-17:00", zone: Europe/Berlin, holidays: [2026-12-25]}`: true inside them.

    Times are those of the clocks in the zone, summer time included; a span begins with its first minute and ends before
    its last. Several spans stand with commas between; one that ends before it begins runs past midnight and belongs to
    the day it begins on. On a holiday nothing begins.
    """

    working_hours: Annotated[str, Field(strict=True, min_length=1, max_length=500), AfterValidator(_hours)]
    zone: Annotated[str, Field(strict=True, max_length=100), AfterValidator(_zone)]
    holidays: tuple[Annotated[date, BeforeValidator(_day)], ...] = Field(default=(), max_length=MAX_HOLIDAYS)

    gives: ClassVar[Kind] = "true or false"

    def value(self, facts: Facts, name: str) -> bool:
        """Return whether it is working time now."""
        local = facts.now.astimezone(ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        today, yesterday = local.date(), local.date() - timedelta(days=1)
        for days, opens, closes in read_hours(self.working_hours):
            night = closes < opens
            if self._works(today, days) and opens <= minute and (night or minute < closes):
                return True
            if night and self._works(yesterday, days) and minute < closes:
                return True
        return False

    def _works(self, day: date, days: frozenset[int]) -> bool:
        return day.weekday() in days and day not in self.holidays
