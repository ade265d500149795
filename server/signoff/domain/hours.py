"""Hours of the week on the clocks of a place: when somebody works, when a rotation is served.

    Mon-Thu 09:00-17:00, Fri 09:00-15:00      in Europe/Berlin

What counts is what the clocks on the wall there say, summer time included. In the night in which they go forward, the
hour that they skip is nobody's; in the night in which they go back, a span that holds the hour that comes twice holds
both of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from signoff.domain.near import meant

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MAX_HOLIDAYS = 1000
MAX_HOURS_CHARS = 500
_SPAN = re.compile(r"(\w{3})(?:-(\w{3}))? (\d\d):(\d\d)-(\d\d):(\d\d)")
_ONE_DAY = timedelta(days=1)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Span = tuple[frozenset[int], int, int]
"""Days of the week (Monday is 0), and from and until as minutes of the day; until is smaller where it is past midnight."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Spans of every week in a zone, without holidays.

    A span begins with its first minute and ends before its last. One that ends before it begins runs past midnight and
    belongs to the day it begins on. On a holiday nothing begins.
    """

    text: str = ""
    """As `read_hours` reads it; empty for every hour of every day."""
    zone: str = "UTC"
    holidays: frozenset[date] = field(default_factory=frozenset)

    def hold(self, at: datetime) -> bool:
        """Say whether an instant lies within."""
        local = at.astimezone(ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        today, yesterday = local.date(), local.date() - timedelta(days=1)
        if not self.text:
            return today not in self.holidays
        for days, opens, closes in read_hours(self.text):
            night = closes < opens
            if self._begins(today, days) and opens <= minute and (night or minute < closes):
                return True
            if night and self._begins(yesterday, days) and minute < closes:
                return True
        return False

    def edges(self, since: datetime, until: datetime) -> set[datetime]:
        """Return instants among which is every one between two at which these hours begin or end."""
        if not self.text and not self.holidays:
            return set()
        zone, walls = ZoneInfo(self.zone), {0}
        walls |= {
            minute
            for _, opens, closes in read_hours(self.text or "Mon-Sun 00:00-24:00")
            for minute in (opens, closes)
        }
        found: set[datetime] = set()
        day, last = since.astimezone(zone).date() - _ONE_DAY, until.astimezone(zone).date() + _ONE_DAY
        while day <= last:
            midnight = datetime.combine(day, time())
            for wall in (midnight + timedelta(minutes=minute) for minute in walls):
                found |= {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
            found |= _clock_change(midnight.replace(tzinfo=zone).astimezone(UTC), zone)
            day += _ONE_DAY
        return found

    def _begins(self, day: date, days: frozenset[int]) -> bool:
        return day.weekday() in days and day not in self.holidays


ALWAYS = Hours()


def _clock_change(begins: datetime, zone: ZoneInfo) -> set[datetime]:
    """Return the instant within a day at which a zone's clocks are put, if there is one."""
    before, after = begins, begins + timedelta(hours=26)  # the longest day, and one hour
    if before.astimezone(zone).utcoffset() == after.astimezone(zone).utcoffset():
        return set()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        same = middle.astimezone(zone).utcoffset() == before.astimezone(zone).utcoffset()
        before, after = (middle, after) if same else (before, middle)
    return {after}


@lru_cache(maxsize=1024)
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


def check_zone(name: str) -> str:
    """Return the name of a time zone.

    Raises:
        ValueError: There is none of that name.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"'{name[:60]}' is no time zone: write one such as Europe/Berlin or UTC{meant(name, available_timezones())}"
        ) from None
    return name


def read_day(text: str) -> date:
    """Return a day written as 2026-12-25.

    Raises:
        ValueError: It is none.
    """
    if _DAY.fullmatch(text) is None:
        raise ValueError("is no day: write one such as 2026-12-25")
    return date.fromisoformat(text)
