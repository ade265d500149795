"""Count tries per source, in this process: a brake on guessing and on floods, not a fact that decides anything."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta

from signoff.domain.errors import RateLimited

MOST_TRIES = 30
WINDOW = timedelta(minutes=10)
MOST_SOURCES = 10_000  # the oldest are forgotten first, so a flood of sources costs no memory


class Tries:
    """Tries by source over the last ten minutes."""

    def __init__(self, message: str = "Too many links from here did not open. Wait ten minutes.") -> None:
        self._message = message
        self._by_source: OrderedDict[str, deque[datetime]] = OrderedDict()

    def check(self, source: str, now: datetime) -> None:
        """Refuse a source that has tried too often.

        Raises:
            RateLimited: 30 tries within ten minutes.
        """
        tries = self._by_source.get(source)
        if tries is None:
            return
        while tries and tries[0] <= now - WINDOW:
            tries.popleft()
        if len(tries) >= MOST_TRIES:
            raise RateLimited(self._message, retry_after_s=int(WINDOW.total_seconds()))

    def count(self, source: str, now: datetime) -> None:
        """Remember one try."""
        self._by_source.setdefault(source, deque(maxlen=MOST_TRIES)).append(now)
        self._by_source.move_to_end(source)
        while len(self._by_source) > MOST_SOURCES:
            self._by_source.popitem(last=False)
