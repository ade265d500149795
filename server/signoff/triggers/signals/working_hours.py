"""Whether now is within working hours, on the clocks of a place."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from signoff.domain.hours import MAX_HOLIDAYS, MAX_HOURS_CHARS, Hours, check_zone, read_day, read_hours
from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind
from signoff.triggers.signals.signal import Signal


def _hours(text: str) -> str:
    read_hours(text)
    return text


def _day(given: Any) -> date:
    # YAML reads 2026-12-25 as text here, and quotes change nothing.
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    return read_day(given if isinstance(given, str) else "")


class WorkingHours(Signal):
    """`{working_hours: "Mon-Fri 09:00-17:00", zone: Europe/Berlin, holidays: [2026-12-25]}`: true inside them.

    Times are those of the clocks in the zone, summer time included; a span begins with its first minute and ends before
    its last. Several spans stand with commas between; one that ends before it begins runs past midnight and belongs to
    the day it begins on. On a holiday nothing begins.
    """

    working_hours: Annotated[
        str, Field(strict=True, min_length=1, max_length=MAX_HOURS_CHARS), AfterValidator(_hours)
    ]
    zone: Annotated[str, Field(strict=True, max_length=100), AfterValidator(check_zone)]
    holidays: tuple[Annotated[date, BeforeValidator(_day)], ...] = Field(default=(), max_length=MAX_HOLIDAYS)

    gives: ClassVar[Kind] = "true or false"

    def value(self, facts: Facts, name: str) -> bool:
        """Return whether it is working time now."""
        return Hours(self.working_hours, self.zone, frozenset(self.holidays)).hold(facts.now)
