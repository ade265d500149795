"""What people and models read of the triggers that fired: explanations and values. Nothing here changes a verdict.

Looking for secrets is what costs here (a millisecond for 3,000 characters), so all explanations of a verdict share
one allowance of characters, and all values another.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from signoff.triggers.compile import Index, Rule
from signoff.triggers.cost import affordable, measured
from signoff.triggers.expression import Expression
from signoff.triggers.failure import failure
from signoff.triggers.fields import Path
from signoff.triggers.reading import Reading, Source, read
from signoff.triggers.values import MAX_READ_CHARS, Values, masked_beginning

MAX_EXPLANATION_CHARS = 500
MAX_MASKED_CHARS = 8_000
"""Characters in which the explanations, and the values, of one verdict are looked through for secrets."""
MAX_SHOWN_CHARS = 100_000
"""Characters of lists and objects that the explanations of one verdict write out, before they are cut."""
BUDGET_NS = 3_000_000
"""What the expressions in the explanations of one verdict may cost, as estimated; other than plain paths."""


def explanations(source: Source, index: Index, rules: Sequence[Rule]) -> list[str]:
    """Return one explanation per rule, empty where it has no template."""
    if not any(rule.explain for rule in rules):
        return [""] * len(rules)
    shown = _Shown(source, index, rules)
    # Many rules may have the same one; each text is read, cut and masked once.
    texts = {template: shown.text(template) for template in {rule.explain for rule in rules}}
    lengths = [min(len(text), MAX_READ_CHARS) for text, _ in (texts[rule.explain] for rule in rules) if text]
    room = _room(lengths, MAX_MASKED_CHARS)
    made = {template: _cut(text, room, length) if text else "" for template, (text, length) in texts.items()}
    return [made[rule.explain] for rule in rules]


def values_of(rules: Sequence[Rule], index: Index, reading: Reading) -> list[dict[str, Any]]:
    """Return for each rule what its condition read, by path."""
    read_here = {
        path for rule in rules if rule.condition is not None for path in rule.condition.reads
    } & reading.sizes.keys()
    room = _room([min(reading.sizes[path].chars, MAX_READ_CHARS) for path in read_here], MAX_MASKED_CHARS)
    known = Values(reading.values, room)
    return [
        {} if rule.condition is None else known.of(rule.condition, index.values, index.presences)
        for rule in rules
    ]


def _room(lengths: list[int], budget: int) -> int:
    """Return to how many characters each of some texts is cut, so that together they fit; short ones stay whole."""
    left, waiting = budget, len(lengths)
    for length in sorted(lengths):
        if length * waiting > left:
            return left // waiting
        left, waiting = left - length, waiting - 1
    return MAX_READ_CHARS


def _cut(text: str, room: int, length: int) -> str:
    masked = masked_beginning(text, room)
    if len(text) <= room:
        length += len(masked) - len(text)
        if len(masked) <= MAX_EXPLANATION_CHARS:
            return masked
    marker = f"… [cut, {length} characters in all]"
    return masked[: MAX_EXPLANATION_CHARS - len(marker)] + marker


class _Shown:
    """The values in the templates of some rules, each prepared once, however many rules show it."""

    def __init__(self, source: Source, index: Index, rules: Sequence[Rule]) -> None:
        used = dict.fromkeys(part for rule in rules for part in rule.explain if isinstance(part, Expression))
        paths = dict.fromkeys(one.path for one in used if one.path is not None)
        self._room = MAX_SHOWN_CHARS // max(len(paths), 1)
        self._source = source
        self._paths: dict[Path, str] = {}
        computed = [one for one in used if one.path is None]
        self._reading = read(
            source,
            [
                (index.values[path], path)
                for path in dict.fromkeys(path for one in computed for path in one.reads)
            ],
            [
                (index.presences[path], path)
                for path in dict.fromkeys(path for one in computed for path in one.asks)
            ],
        )
        costs = [one.cost.sized_ns(self._reading.sizes) for one in computed]
        most = affordable(costs, BUDGET_NS)
        self._too_dear = {one for one, ns in zip(computed, costs, strict=True) if ns > most}
        self._results: dict[Expression, str] = {}

    def text(self, template: tuple[str | Expression, ...]) -> tuple[str, int]:
        """Return as much of an explanation as is read of it, and how long all of it is."""
        parts = [self._part(part) for part in template]
        return "".join(part[: MAX_READ_CHARS + 1] for part in parts), sum(map(len, parts))

    def _part(self, part: str | Expression) -> str:
        """Return a piece of a template as text: a text that it shows in quotes, everything else as JSON."""
        if isinstance(part, str):
            return part
        if part.path is not None:
            if part.path not in self._paths:
                self._paths[part.path] = self._at(part.path)
            return self._paths[part.path]
        if part not in self._results:
            self._results[part] = self._computed(part)
        return self._results[part]

    def _at(self, path: Path) -> str:
        found, value = self._source.look_up(path)
        if found == "missing":
            return "(not given)"
        if found != "here":
            return "(cannot be shown)"
        if isinstance(value, str):
            return _quoted(value)
        size, _ = measured(value, most=self._room)
        return "(too large)" if size.chars + 4 * size.values > self._room else _json(value)

    def _computed(self, expression: Expression) -> str:
        cap = expression.list_cap
        sizes = [self._reading.sizes[path] for path in expression.reads if path in self._reading.sizes]
        if expression in self._too_dear or (cap is not None and any(size.longest > cap for size in sizes)):
            return "(too large)"
        try:
            value = expression.program.execute(self._reading.context)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            is_missing = failure(error, expression, self._reading).startswith("missing")
            return "(not given)" if is_missing else "(cannot be shown)"
        return _quoted(value) if isinstance(value, str) else _json(value)


def _quoted(text: str) -> str:
    """Return a text so that nobody takes it for the policy's own words; it cannot end its quotes itself."""
    within = text.replace("“", '"').replace("”", '"')
    return f"“{within}”"


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_time)
    except (TypeError, ValueError):
        return "(cannot be shown)"


def _time(value: Any) -> str:
    if isinstance(value, datetime):
        return str(value)
    raise TypeError(type(value).__name__)
