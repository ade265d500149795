"""History signals over a stream of asks, in memory: what the store's series would have held at each of them.

Only for replays. An ask is entered with the verdict that the replayed policy gives it, so sums over what may run are
those that this policy would have seen. What people made of a case is known only where they were asked then.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact
from typing import Any

from signoff.domain.asked import Standing, standing_after, stands
from signoff.domain.verdict import Outcome
from signoff.triggers.facts import Facts
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.signals.history import (
    Definition,
    HistorySignal,
    Rate,
    Unusable,
    exact,
    mark_of,
    plain,
)

_EXACT = Context(prec=200, traps=[Inexact])  # as the store adds: 61 digits before the point and 60 behind it
_SWEEP_EVERY = 5000
"""Asks after which windows that nobody reads any more are emptied."""
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(slots=True, eq=False)
class _Entry:
    at: datetime
    value: Decimal
    mark: bytes | None
    counts: bool = True


@dataclass(slots=True)
class _Series:
    """What one series holds within one window."""

    entries: deque[_Entry] = field(default_factory=deque)
    total: Decimal = Decimal(0)
    n: int = 0
    marks: Counter[bytes] = field(default_factory=Counter)

    def add(self, entry: _Entry) -> None:
        self.entries.append(entry)
        self._count(entry, 1)

    def take_out(self, entry: _Entry) -> None:
        """Let an entry count no more; where it has left the window already, nothing changes."""
        if entry.counts:
            self._count(entry, -1)
            entry.counts = False

    def forget(self, after: datetime) -> None:
        """Drop what is not later than an instant."""
        while self.entries and self.entries[0].at <= after:
            self.take_out(self.entries.popleft())

    def _count(self, entry: _Entry, by: int) -> None:
        self.total = _EXACT.add(self.total, entry.value * by)
        self.n += by
        if entry.mark is not None:
            self.marks[entry.mark] += by
            if not self.marks[entry.mark]:
                del self.marks[entry.mark]


@dataclass(slots=True)
class _Signal:
    """One declared signal with its series."""

    signal: HistorySignal
    definition: Definition
    series: dict[bytes, _Series] = field(default_factory=dict)
    used: dict[bytes, datetime] = field(default_factory=dict)
    """When a tool was last used, by series."""

    def sweep(self, now: datetime) -> None:
        """Empty what lies before the window."""
        after = now - self.signal.over
        for key, one in list(self.series.items()):
            one.forget(after)
            if not one.entries:
                del self.series[key]
        self.used = {key: at for key, at in self.used.items() if at > after}


@dataclass(slots=True, order=True)
class _Later:
    """Something that becomes known after an ask: what people decided, how the action ended."""

    at: datetime
    number: int
    standing: Standing = field(compare=False)
    outcome: str | None = field(compare=False)
    entered: list[tuple[_Signal, bytes, _Entry]] = field(compare=False)
    """The places of the ask that may count no longer, or only now."""


class MemoryWindows:
    """The history signals of one policy over the asks that were entered."""

    def __init__(self, policy: LoadedPolicy) -> None:
        """Begin with nothing asked."""
        self._policy = policy
        self._signals = {
            name: _Signal(signal, policy.history[name])
            for name, signal in policy.signals.items()
            if isinstance(signal, HistorySignal)
        }
        self._later: list[_Later] = []
        self._numbers = itertools.count()
        self._asked = 0
        self._now = _LONG_AGO

    @property
    def longest(self) -> timedelta:
        """Return how far back the signals look."""
        return max((one.signal.over for one in self._signals.values()), default=timedelta(0))

    def values(self, facts: Facts, action_digest: str) -> dict[str, Any]:
        """Return the history signals that the rules for an action read, as they would be if it ran."""
        self._advance(facts.now)
        made: dict[str, Any] = {}
        for name in self._policy.index.plan(facts.action["tool"]).signals:
            known = self._signals.get(name)
            if known is None:
                continue
            value: Any
            try:
                value = self._window(known, facts, action_digest)
            except Unusable as why:
                value = why
            if value is not None:
                made[name] = value
        return made

    def enter(
        self,
        facts: Facts,
        action_digest: str,
        verdict: Outcome,
        *,
        ended: Standing | None = None,
        ended_at: datetime | None = None,
        failed_at: datetime | None = None,
    ) -> None:
        """Count an ask.

        Args:
            verdict: What the policy says of it.
            ended: What people made of it, if they were asked; counts only where this policy asks them too.
            ended_at: When.
            failed_at: When the action was reported as failed.
        """
        self._advance(facts.now)
        standing = standing_after(verdict)
        places: list[tuple[_Signal, bytes, _Entry]] = []
        for known in self._signals.values():
            for key, entry in self._places(known, facts, action_digest):
                places.append((known, key, entry))
                if stands(known.definition.counting, standing, None):
                    self._put(known, key, entry, at=self._now)
        if verdict == "escalate" and ended is not None and ended_at is not None:
            standing = ended
            self._expect(ended_at, standing, None, places)
        if failed_at is not None and standing in ("allowed", "approved"):
            self._expect(failed_at, standing, "failed", places)
        self._asked += 1
        if self._asked % _SWEEP_EVERY == 0:
            for known in self._signals.values():
                known.sweep(self._now)

    def _expect(
        self,
        at: datetime,
        standing: Standing,
        outcome: str | None,
        places: list[tuple[_Signal, bytes, _Entry]],
    ) -> None:
        if places:
            heapq.heappush(self._later, _Later(at, next(self._numbers), standing, outcome, places))

    def _advance(self, now: datetime) -> None:
        """Let happen what became known before now; a clock that goes back is read as standing still."""
        while (
            self._later and self._later[0].at < now
        ):  # at the same instant the ask came first, as a limit sees it
            later = heapq.heappop(self._later)
            self._now = max(self._now, later.at)
            self._happen(later)
        self._now = max(self._now, now)

    def _happen(self, later: _Later) -> None:
        for known, key, entry in later.entered:
            counting = known.definition.counting
            outcome: Any = later.outcome
            counts = stands(counting, later.standing, outcome)
            if counting in ("denials", "failures"):
                if counts:
                    self._put(known, key, _Entry(later.at, entry.value, entry.mark), at=later.at)
            elif counting == "used":
                if counts:
                    self._put(known, key, entry, at=entry.at)
            elif not counts and key in known.series:
                known.series[key].take_out(entry)

    def _put(self, known: _Signal, key: bytes, entry: _Entry, *, at: datetime) -> None:
        if known.definition.family == "used":
            known.used[key] = max(at, known.used.get(key, at))
            return
        entry.at = at
        known.series.setdefault(key, _Series()).add(entry)

    def _places(self, known: _Signal, facts: Facts, action_digest: str) -> Iterator[tuple[bytes, _Entry]]:
        definition = known.definition
        if not definition.counts_tool(facts.action["tool"]):
            return
        try:
            series = definition.series(facts, action_digest)
            value = definition.measured(facts)
            if series is None or (definition.path is not None and value is None):
                return
            if definition.family == "sum":
                yield series, _Entry(self._now, exact(value), None)
            else:
                mark = mark_of(value) if definition.family == "distinct" else None
                yield series, _Entry(self._now, Decimal(0), mark)
        except Unusable:
            return

    def _window(self, known: _Signal, facts: Facts, action_digest: str) -> Any:
        signal, definition = known.signal, known.definition
        key = definition.series(facts, action_digest)
        if key is None:
            return None
        own = definition.counts_tool(facts.action["tool"])
        after = self._now - signal.over
        measured = definition.measured(facts) if own else None
        if own and definition.path is not None and measured is None:
            return None
        if definition.family == "used":
            return known.used.get(key, _LONG_AGO) <= after if own else None
        series = known.series.get(key) or _Series()
        series.forget(after)
        match definition.family:
            case "sum":
                return plain(_EXACT.add(series.total, exact(measured) if own else Decimal(0)))
            case "distinct":
                return len(series.marks) + (own and mark_of(measured) not in series.marks)
            case "count":
                asks = series.n + own
                return asks / signal.units if isinstance(signal, Rate) else asks
            case _:
                return series.n
