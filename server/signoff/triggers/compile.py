"""A policy's triggers, compiled and indexed by tool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any

from signoff.domain.policy import Trigger
from signoff.triggers.cost import CHAR_NS, VALUE_NS
from signoff.triggers.engine import Context, Program, compile_expression
from signoff.triggers.expression import Expression
from signoff.triggers.fields import Path

MAX_PLANS = 1024
"""Tools whose plan is kept; agents choose tool names, so the memory for them is bounded."""

MAX_TOGETHER = 48
MAX_TOGETHER_CHARS = 1500
"""Conditions, and characters of their texts, that make one program; compiling it takes about a millisecond."""

RULE_NS, PATH_NS, PART_NS = 7_500, 1_000, 2_000
"""What a rule, each path that it reads and each piece of its explanation cost when it fires, whatever is sent."""


MAX_TOGETHER = 48
MAX_TOGETHER_CHARS = 1500
"""Conditions, and their text, that are compiled into one program; that takes a millisecond at most."""

RULE_NS, PATH_NS, PART_NS = 7_500, 1_000, 2_000
"""What a rule that fires, a path that it reads and a piece of its explanation cost, whatever is sent."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One trigger with its compiled condition."""

    trigger: Trigger
    condition: Expression | None
    """None: it fires whenever its tools match."""
    explain: tuple[str | Expression, ...]
    """The template: text and expressions in turn; empty where there is none."""

    @property
    def shows(self) -> tuple[Path, ...]:
        """Return the paths whose values stand in what its template makes."""
        return tuple(path for part in self.explain if isinstance(part, Expression) for path in part.reads)

    @property
    def fixed_ns(self) -> int:
        """Return what the rule costs at most, beside what the sizes of what is sent add."""
        parts = [part for part in self.explain if isinstance(part, Expression)]
        used = parts if self.condition is None else [self.condition, *parts]
        ns = sum(one.cost.fixed_ns + PATH_NS * (len(one.reads) + len(one.asks)) for one in used)
        return RULE_NS + PART_NS * len(self.explain) + ns


@dataclass(slots=True)
class Together:
    """Some conditions of a plan that are evaluated as one program, which gives a list: in a third of the time.

    Where one of them fails, all of them are evaluated again one by one. So none of them walks a list or matches a
    pattern.
    """

    numbers: tuple[int, ...]
    """Places in the plan's rules."""
    text: str
    _program: Program | None = None

    @property
    def is_compiled(self) -> bool:
        """Say whether there is a program."""
        return self._program is not None

    def compile(self) -> None:
        """Make the program."""
        self._program = compile_expression(self.text)

    def results(self, context: Context) -> list[Any] | None:
        """Return one result per condition, None where any of them cannot be evaluated."""
        if self._program is None:
            return None
        try:
            made = self._program.execute(context)
        # A Rust panic derives from BaseException; one by one, the condition at fault is found.
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            return None
        return made if isinstance(made, list) and len(made) == len(self.numbers) else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an evaluation for one tool does: these rules, in the policy's order, over these fields."""

    rules: tuple[Rule, ...]
    reads: tuple[tuple[str, Path], ...]
    """Variable and path of each value that a condition reads."""
    asks: tuple[tuple[str, Path], ...]
    signals: tuple[str, ...]
    """Names of the signals that a condition or an explanation reads."""
    always: tuple[int, ...]
    """Places of the rules without a condition."""
    together: tuple[Together, ...]
    apart: tuple[int, ...]
    """Places of the rules whose conditions are evaluated one by one."""
    char_ns: int
    value_ns: int
    """What all the conditions in `together` cost for each character and value that is read, at most."""

    def warm(self) -> None:
        """Compile one program more: a tool name that nobody used before must not cost the time of all of them."""
        waiting = next((one for one in self.together if not one.is_compiled), None)
        if waiting is not None:
            waiting.compile()


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


def _together(rules: tuple[Rule, ...]) -> Iterator[Together]:
    """Group the conditions that can be evaluated together; one alone is no group."""
    numbers: list[int] = []
    texts: list[str] = []
    for number, rule in enumerate((*rules, None)):
        condition = rule.condition if rule is not None else None
        is_plain = condition is not None and not condition.cost.macros and not condition.cost.patterns
        flat = condition.flat if condition is not None and is_plain else ""
        full = len(numbers) == MAX_TOGETHER or sum(map(len, texts)) + len(flat) > MAX_TOGETHER_CHARS
        if numbers and (rule is None or (is_plain and full)):
            if len(numbers) > 1:
                # On lines of their own: a condition may end in a comment.
                yield Together(tuple(numbers), "[" + "\n,".join(texts) + "\n]")
            numbers, texts = [], []
        if is_plain:
            numbers.append(number)
            texts.append(flat)


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
        together = tuple(_together(rules))
        grouped = set(chain.from_iterable(one.numbers for one in together))
        costs = [condition.cost for number in grouped if (condition := rules[number].condition) is not None]
        uses = [(cost.joins + 1) * sum(cost.uses.values()) for cost in costs]
        return Plan(
            rules,
            tuple((self.values[path], path) for path in reads),
            tuple((self.presences[path], path) for path in asks),
            signals=tuple(dict.fromkeys(path[1] for path in named if path[0] == "signals")),
            always=tuple(number for number, rule in enumerate(rules) if rule.condition is None),
            together=together,
            apart=tuple(
                number
                for number, rule in enumerate(rules)
                if rule.condition is not None and number not in grouped
            ),
            char_ns=CHAR_NS * sum(uses),
            value_ns=VALUE_NS * sum(uses),
        )

    def dearer_than(self, limit_ns: int) -> tuple[int, tuple[Rule, ...]] | None:
        """Return rules for one tool that together may cost more than a limit whatever is sent, and what they cost.

        An upper bound: patterns count as fitting one name unless their beginnings or ends say otherwise.
        """
        costs = [rule.fixed_ns for rule in self.rules]
        everywhere = sum(costs[number] for number in self.everywhere)
        dearest, fitting = max(
            ((sum(costs[number] for number in numbers), numbers) for numbers in self._globs_sharing_a_name()),
            key=lambda found: found[0],
            default=(0, set[int]()),
        )
        if everywhere + dearest > limit_ns:
            return everywhere + dearest, self._in_order({*self.everywhere, *fitting})
        for tool, exact in self.exact.items():
            if everywhere + dearest + sum(costs[number] for number in exact) <= limit_ns:
                continue
            numbers = {
                *self.everywhere,
                *exact,
                *(number for glob, number in self.globs if glob.matches(tool)),
            }
            ns = sum(costs[number] for number in numbers)
            if ns > limit_ns:
                return ns, self._in_order(numbers)
        return None

    def _in_order(self, numbers: set[int]) -> tuple[Rule, ...]:
        return tuple(self.rules[number] for number in sorted(numbers))

    def _globs_sharing_a_name(self) -> Iterator[set[int]]:
        """Yield every largest set of rules whose patterns' beginnings, and ends, go on from one another."""
        by_start: dict[str, list[tuple[str, int]]] = {}
        for glob, number in self.globs:
            by_start.setdefault(glob.pieces[0], []).append((glob.pieces[-1], number))
        for start in by_start:
            by_end: dict[str, set[int]] = {}
            for length in range(len(start) + 1):
                for end, number in by_start.get(start[:length], ()):
                    by_end.setdefault(end, set()).add(number)
            for end in by_end:
                yield set().union(*(by_end.get(end[at:], set()) for at in range(len(end) + 1)))


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
