"""A changed policy over what was asked before: what it would have said, and how that differs.

Pure, one action at a time: memory does not grow with the history, only with the windows of its history signals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from signoff.domain.action import action_digest
from signoff.domain.verdict import Outcome
from signoff.triggers.evaluate import evaluate
from signoff.triggers.facts import Facts
from signoff.triggers.given import with_values
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.windows import MemoryWindows

Ended = Literal["waiting", "approved", "modified", "rejected", "expired", "cancelled"]
VERDICTS: tuple[Outcome, ...] = ("allow", "escalate", "deny")


@dataclass(frozen=True, slots=True)
class Said:
    """What a policy said of one action."""

    outcome: Outcome
    fired: frozenset[str]
    """Ids of the enforced triggers that fired."""
    deciding: frozenset[str] = frozenset()
    """Those of them that alone would have given this verdict; empty where nobody recorded it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One action that was asked about."""

    id: str
    """Names it for people: a case's id, or where it stands in a file."""
    facts: Facts
    """As far as they were kept: secrets are masked in them."""
    timed: bool
    """Whether anybody knows when it was."""
    said: Said | None
    """What the policy of the time said; None where that was not recorded."""
    requested: bool
    """Whether the agent asked for a person, and not only what the policy says."""
    action_digest: str | None = None
    """Of the action as it was asked about, where that is known: in `facts` secrets are masked."""
    ended: Ended | None = None
    """What people made of it; None where nobody was asked."""
    ended_at: datetime | None = None
    failed_at: datetime | None = None
    """When the action was reported as failed, or as ended unknown."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Values of signals that are known already, by name."""


class Judge:
    """One policy, asked about actions in the order in which they happened."""

    def __init__(self, policy: LoadedPolicy) -> None:
        """Begin with an empty history."""
        self.policy = policy
        self._windows = MemoryWindows(policy)

    @property
    def looks_back(self) -> timedelta:
        """Return how much of what was asked before counts for an action."""
        return self._windows.longest

    def say(self, one: Recorded) -> Said:
        """Return what the policy says of an action, after those it was asked about before."""
        facts, digest = one.facts, ""
        if self.policy.history:
            digest = one.action_digest or _digest(facts)
            facts = replace(facts, history=self._windows.values(facts, digest))
        given = {name: value for name, value in one.given.items() if name in self.policy.signals}
        verdict = evaluate(with_values(self.policy, given) if given else self.policy, facts)
        outcome = verdict.outcome
        # An agent that asks for a person gets one, unless a trigger allows the action in so many words.
        if one.requested and outcome == "allow" and not verdict.explicitly_allowed:
            outcome = "escalate"
        if self.policy.history:
            ended = "approved" if one.ended == "modified" else one.ended
            self._windows.enter(
                facts, digest, outcome, ended=ended, ended_at=one.ended_at, failed_at=one.failed_at
            )
        return Said(
            outcome,
            frozenset(fired.trigger for fired in verdict.fired),
            frozenset(fired.trigger for fired in verdict.fired if fired.then == outcome),
        )


def _digest(facts: Facts) -> str:
    action = facts.action
    return action_digest(action["tool"], action["arguments"], server=action.get("server"))


@dataclass(frozen=True, slots=True)
class Compared:
    """One action with what is said of it before and now."""

    one: Recorded
    before: Said
    now: Said

    @property
    def changed(self) -> bool:
        """Say whether the answer is another one."""
        return self.before.outcome != self.now.outcome

    @property
    def because(self) -> tuple[str, ...]:
        """Return the triggers that make the difference.

        `+new` fires now and did not, `-old` fired and does not; a bare id did before too and now decides otherwise.
        """
        if VERDICTS.index(self.now.outcome) > VERDICTS.index(self.before.outcome):
            found = [f"+{name}" if name not in self.before.fired else name for name in self.now.deciding]
        else:
            found = [f"-{name}" for name in self.before.fired - self.now.fired]
            found.extend(self.now.deciding & self.before.fired)
        return tuple(sorted(found))


@dataclass(slots=True)
class Tally:
    """Counts over everything that was compared."""

    pairs: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    """Actions by verdict before and now."""
    people: Counter[tuple[Outcome, Outcome, str]] = field(default_factory=Counter)
    """The same by what people made of it, where they were asked."""
    fired_before: Counter[str] = field(default_factory=Counter)
    fires_now: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    untimed: int = 0

    def add(self, compared: Compared) -> None:
        """Count one action."""
        pair = (compared.before.outcome, compared.now.outcome)
        self.pairs[pair] += 1
        if compared.one.ended is not None:
            self.people[(*pair, compared.one.ended)] += 1
        self.fired_before.update(compared.before.fired)
        self.fires_now.update(compared.now.fired)
        if not compared.one.timed:
            self.untimed += 1
            return
        at = compared.one.facts.now
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)

    @property
    def total(self) -> int:
        """Return how many actions were compared."""
        return self.pairs.total()

    def before(self, outcome: Outcome) -> int:
        """Return how many had a verdict before."""
        return sum(count for (old, _), count in self.pairs.items() if old == outcome)

    def now(self, outcome: Outcome) -> int:
        """Return how many have a verdict now."""
        return sum(count for (_, new), count in self.pairs.items() if new == outcome)

    @property
    def changed(self) -> int:
        """Return how many would be answered differently."""
        return sum(count for (old, new), count in self.pairs.items() if old != new)

    @property
    def days(self) -> int | None:
        """Return on how many days, first to last, the actions lie; None where their times are not all known."""
        if self.first is None or self.last is None or self.untimed:
            return None
        return (self.last.date() - self.first.date()).days + 1

    def triggers(self) -> list[tuple[str, int, int]]:
        """Return id, fired before, fires now of every trigger that fired, the greatest change first."""
        rows = [
            (name, self.fired_before[name], self.fires_now[name])
            for name in self.fired_before | self.fires_now
        ]
        return sorted(rows, key=lambda row: (-abs(row[2] - row[1]), row[0]))

    def changes(self) -> list[tuple[Outcome, Outcome, int, dict[str, int]]]:
        """Return verdict before, verdict now, how many, and what people made of those, the most frequent first."""
        rows = []
        for (old, new), count in self.pairs.items():
            if old != new:
                people = {how: n for (a, b, how), n in self.people.items() if (a, b) == (old, new)}
                rows.append((old, new, count, dict(sorted(people.items()))))
        return sorted(rows, key=lambda row: (-row[2], VERDICTS.index(row[0]), VERDICTS.index(row[1])))

    def as_json(self) -> dict[str, Any]:
        """Return every count."""
        days = self.days
        return {
            "actions": self.total,
            "first": None if self.first is None else self.first.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "before": {outcome: self.before(outcome) for outcome in VERDICTS},
            "now": {outcome: self.now(outcome) for outcome in VERDICTS},
            "changed": self.changed,
            "changes": [
                {"before": old, "now": new, "actions": count, "people": people}
                for old, new, count, people in self.changes()
            ],
            "cases_per_day": None
            if days is None
            else {"before": self.before("escalate") / days, "now": self.now("escalate") / days},
            "triggers": [
                {"trigger": name, "before": before, "now": now} for name, before, now in self.triggers()
            ],
        }


def compare(one: Recorded, now: Judge, before: Judge | None) -> Compared:
    """Ask the policies about one action.

    Args:
        before: The policy to compare with; None: what was recorded.

    Raises:
        ValueError: Nothing was recorded, and there is no policy to compare with.
    """
    said = one.said if before is None else before.say(one)
    if said is None:
        raise ValueError("no verdict was recorded")
    return Compared(one, said, now.say(one))


def untold(policy: LoadedPolicy, seen: Iterable[str]) -> list[str]:
    """Return the enforced triggers of a policy that are not among those seen, in its order."""
    known = set(seen)
    return [one.id for one in policy.policy.triggers if one.mode == "enforce" and one.id not in known]
