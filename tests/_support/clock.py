"""A clock that a test turns by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class HandClock:
    """Stands still until advanced."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 20, 31, 5, 123456, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
