"""Time as text, and a clock that never goes back."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.promises import promise

from signoff.domain.clock import SystemClock, from_text, parse_duration, to_text

DAY_ONE = datetime(1970, 1, 1, tzinfo=UTC)
SPANS = st.timedeltas(timedelta(0), timedelta(days=1_000_000))


@given(SPANS, SPANS)
def test_the_order_of_texts_is_the_order_of_times(since: timedelta, later: timedelta) -> None:
    first, second = DAY_ONE + since, DAY_ONE + since + later
    assert from_text(to_text(first)) == first
    assert len(to_text(first)) == 27
    assert (to_text(first) < to_text(second)) == (first < second)


@promise("time-goes-forward")
def test_the_systems_clock_goes_on_when_the_machines_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, ticks = [10**18], [5 * 10**9]
    monkeypatch.setattr(time, "time_ns", lambda: wall[0])
    monkeypatch.setattr(time, "monotonic_ns", lambda: ticks[0])
    clock = SystemClock()
    first = clock.now()
    assert first == datetime.fromtimestamp(10**9, UTC)
    wall[0] -= 3600 * 10**9
    ticks[0] += 2 * 10**9
    assert clock.now() - first == timedelta(seconds=2)
    wall[0] += 7200 * 10**9
    ticks[0] += 10**9
    assert clock.now() - first == timedelta(seconds=3600)


@pytest.mark.parametrize(
    "text", ["", "0s", "5", "m", "-5m", "1.5h", "5 m", "5M", "5m5s", "1w", "99999999999d"]
)
def test_a_duration_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="30m"):
        parse_duration(text)
