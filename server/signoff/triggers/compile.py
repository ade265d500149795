"""A policy's triggers, compiled and indexed by tool."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from signoff.domain.policy import Trigger
from signoff.triggers.expression import Expression
from signoff.triggers.fields import Path

MAX_PLANS = 1024
"""Tools whose plan is kept; agents choose tool names, so the memory for them is bounded."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One trigger with its compiled condition."""

    trigger: Trigger
    condition: Expression | None
    """None: it fires whenever its tools match."""
    explain: tuple[str | Expression, ...]
    """The template: text and expressions in turn; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an evaluation for one tool does: these rules, in the policy's order, over these fields."""

    rules: tuple[Rule, ...]
    reads: tuple[tuple[str, Path], ...]
    """Variable and path of each value that a condition reads."""
    asks: tuple[tuple[str, Path], ...]
    signals: tuple[str, ...]
    """Names of the signals that a condition or an explanation reads."""


@dataclass(frozen=True, slots=True)
class Glob:
    """A tool pattern, in which `*` stands for any run of characters and nothing else is special.

    Matched piece by piece from the left: a regular expression of many stars takes exponential time on a
    tool name that an agent makes for it.
    """

    pieces: tuple[str, ...]

    def matches(self, tool: str) -> bool:
        """Say whether a whole tool name fits."""
        if len(self.pieces) == 1:
            return tool == self.pieces[0]
        first, *middle, last = self.pieces
        if not (tool.startswith(first) and tool.endswith(last) and len(tool) >= len(first) + len(last)):
            return False
        at, end = len(first), len(tool) - len(last)
        for piece in middle:
            found = tool.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True


@lru_cache(maxsize=1024)
def matcher(pattern: str) -> Glob:
    """Return what a tool pattern matches; one without `*` is a whole name."""
    return Glob(tuple(pattern.split("*")))


@dataclass(frozen=True, slots=True)
class Index:
    """Which rules apply to which tool; numbers are places in `rules`."""

    rules: tuple[Rule, ...]
    values: dict[Path, str]
    """The variable of each path that some expression reads."""
    presences: dict[Path, str]
    everywhere: tuple[int, ...]
    exact: dict[str, tuple[int, ...]]
    globs: tuple[tuple[Glob, int], ...]
    _plans: dict[str, Plan] = field(default_factory=dict, repr=False, compare=False)
    _shared: dict[tuple[int, ...], Plan] = field(default_factory=dict, repr=False, compare=False)
    """Plans by their rules: a thousand tool names that match the same rules share one plan."""

    def plan(self, tool: str) -> Plan:
        """Return the plan for a tool, made at its first use."""
        known = self._plans.get(tool)
        if known is not None:
            return known
        numbers = {*self.everywhere, *self.exact.get(tool, ())}
        numbers.update(number for glob, number in self.globs if glob.matches(tool))
        ordered = tuple(sorted(numbers))
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
            self._shared.clear()
        made = self._shared.get(ordered)
        if made is None:
            made = self._shared[ordered] = self._made(ordered)
        self._plans[tool] = made
        return made

    def _made(self, numbers: tuple[int, ...]) -> Plan:
        rules = tuple(self.rules[number] for number in numbers)
        conditions = [rule.condition for rule in rules if rule.condition is not None]
        reads = dict.fromkeys(path for condition in conditions for path in condition.reads)
        asks = dict.fromkeys(path for condition in conditions for path in condition.asks)
        shown = [part for rule in rules for part in rule.explain if isinstance(part, Expression)]
        named = (path for one in (*conditions, *shown) for path in (*one.reads, *one.asks))
        return Plan(
            rules,
            tuple((self.values[path], path) for path in reads),
            tuple((self.presences[path], path) for path in asks),
            tuple(dict.fromkeys(path[1] for path in named if path[0] == "signals")),
        )


def index_rules(rules: tuple[Rule, ...], *, values: dict[Path, str], presences: dict[Path, str]) -> Index:
    """Return the index of some rules, in the policy's order."""
    everywhere: list[int] = []
    exact: dict[str, list[int]] = {}
    globs: list[tuple[Glob, int]] = []
    for number, rule in enumerate(rules):
        if rule.trigger.tools is None:
            everywhere.append(number)
            continue
        for pattern in rule.trigger.tools:
            if "*" in pattern:
                globs.append((matcher(pattern), number))
            else:
                exact.setdefault(pattern, []).append(number)
    return Index(
        rules,
        values,
        presences,
        tuple(everywhere),
        {tool: tuple(numbers) for tool, numbers in exact.items()},
        tuple(globs),
    )
