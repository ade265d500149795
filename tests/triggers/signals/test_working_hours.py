"""Working hours on the clocks of a place, summer time and holidays included."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from signoff.domain.errors import PolicyInvalid
from signoff.triggers.load import load_policy

OFFICE = '{working_hours: "Mon-Fri 09:00-17:00", zone: Europe/Berlin, holidays: [2026-12-25]}'
NIGHT = '{working_hours: "Fri 22:00-06:00", zone: Europe/Berlin, holidays: ["2026-12-25"]}'
SPLIT = (
    '{working_hours: "mon-thu 08:00-12:00, Mon-Thu 13:00-17:30, Sat-Sun 10:00-24:00", zone: America/New_York}'
)
OVER_WEEKEND = '{working_hours: "Sat-Mon 09:00-10:00", zone: UTC}'


@pytest.mark.parametrize(
    ("declared", "now", "inside"),
    [
        (OFFICE, "2026-11-24T08:00:00Z", True),     # Tuesday, 09:00 in Berlin
        (OFFICE, "2026-11-24T07:59:59Z", False),
        (OFFICE, "2026-11-24T15:59:59Z", True),
        (OFFICE, "2026-11-24T16:00:00Z", False),    # 17:00 is no longer inside
        (OFFICE, "2026-11-28T10:00:00Z", False),    # Saturday
        (OFFICE, "2026-12-25T10:00:00Z", False),    # a Friday, and a holiday
        (OFFICE, "2026-07-01T07:00:00Z", True),     # summer time: 09:00
        (OFFICE, "2026-07-01T15:00:00Z", False),
        (OFFICE, "2026-03-27T07:30:00Z", False),    # the Friday before the clocks go forward: 08:30
        (OFFICE, "2026-03-30T07:30:00Z", True),     # the Monday after: 09:30
        (NIGHT, "2026-11-27T21:00:00Z", True),      # Friday, 22:00
        (NIGHT, "2026-11-28T04:59:00Z", True),      # Saturday, 05:59
        (NIGHT, "2026-11-28T05:00:00Z", False),
        (NIGHT, "2026-11-27T04:00:00Z", False),     # Friday morning belongs to Thursday
        (NIGHT, "2026-12-25T22:00:00Z", False),     # nothing begins on a holiday
        (NIGHT, "2026-12-26T04:00:00Z", False),
        (SPLIT, "2026-11-24T14:00:00Z", True),      # Tuesday, 09:00 in New York
        (SPLIT, "2026-11-24T17:30:00Z", False),
        (SPLIT, "2026-11-24T18:00:00Z", True),
        (SPLIT, "2026-11-29T04:59:00Z", True),      # Saturday, 23:59
        (SPLIT, "2026-11-30T05:00:00Z", False),
        (OVER_WEEKEND, "2026-11-29T09:30:00Z", True),
        (OVER_WEEKEND, "2026-11-24T09:30:00Z", False),
    ],
)  # fmt: skip
def test_it_is_working_time_or_not(signal: Callable[..., Any], declared: str, now: str, inside: bool) -> None:
    assert signal(declared, now=datetime.fromisoformat(now)) is inside


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ('{working_hours: "Mon-Fri 9-17", zone: UTC}', "'Mon-Fri 9-17' is no span of hours"),
        ('{working_hours: "Mon-Fry 09:00-17:00", zone: UTC}', "'Fry' is no day - did you mean 'Fri'?"),
        ('{working_hours: "Mon 09:00-25:00", zone: UTC}', "no span of a day"),
        ('{working_hours: "Mon 09:00-09:00", zone: UTC}', "no span of a day"),
        ('{working_hours: "Mon 09:00-17:00", zone: Europe/Berln}', "no time zone: write one such as Europe/Berlin or UTC - did you mean 'Europe/Berlin'?"),
        ('{working_hours: "Mon 09:00-17:00", zone: ../etc/passwd}', "is no time zone"),
        ('{working_hours: "Mon 09:00-17:00"}', "'zone' is missing"),
        ('{working_hours: "Mon 09:00-17:00", zone: UTC, holidays: [2026-13-01]}', "day"),
        ('{working_hours: "Mon 09:00-17:00", zone: UTC, holidays: [tomorrow]}', "is no day: write one such as 2026-12-25"),
    ],
)  # fmt: skip
def test_hours_that_nobody_could_keep_are_named(declared: str, problem: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(f"version: 1\nsignals:\n  x: {declared}\ntriggers: []\n", source="p.yaml")

    assert any(problem in line for line in caught.value.problems), caught.value.problems
