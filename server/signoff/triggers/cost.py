"""What an expression can cost: estimated in nanoseconds from its text and the sizes of what it reads, before it runs.

The engine has no limit of its own: a pattern with counted repeats takes a microsecond a character, and `map` copies what
it has gathered for each further item. So every evaluation adds up what its conditions could cost, and one that would
be too dear fires as an error instead of running. The numbers are upper bounds, measured 2026-11-25 on two slow cores;
they decide the same way on every machine, which a clock would not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from signoff.triggers.fields import Path

CHAR_NS = 1
"""To copy a character, or to look at it once."""
VALUE_NS, COPY_NS = 40, 100
"""To compare a value of a list or object; to copy it."""
CONVERT_NS = 1_200
"""To hand a value of a list or object to the engine."""
TOKEN_NS = 40
"""To evaluate a word of an expression."""
FAST_CHAR_NS, SLOW_ATOM_NS = 10, 30
"""A pattern takes `FAST_CHAR_NS` for a character while its automaton is small, else `SLOW_ATOM_NS` times its parts."""
MAX_WIDE = 8
"""Places of a pattern that more than one character fits: the automaton may have two to this power of states."""


class Size(NamedTuple):
    """How large a value is."""

    chars: int
    """Bytes of UTF-8 in all its texts and keys."""
    values: int
    """Texts, numbers and the like count one, lists and objects two, and names of members one."""
    longest: int
    """Items of the longest list or object at or below it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What one use of a regular expression costs."""

    compile_ns: int
    """The engine compiles it at each use."""
    char_ns: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What of an expression's text decides how dear it is."""

    tokens: int
    uses: Mapping[Path, int]
    """How often each path is read."""
    body_uses: Mapping[Path, int]
    """The same inside comprehensions, where it is read for each item."""
    item_uses: int
    """How often comprehensions name their item."""
    joins: int
    """Additions, which may join texts or lists."""
    listed: int
    """At most so many items of lists that the expression writes out."""
    macros: int
    copying: int
    """How many of them are `map` or `filter`."""
    patterns: tuple[Pattern, ...] = ()
    body_patterns: tuple[Pattern, ...] = ()

    @property
    def fixed_ns(self) -> int:
        """Return what it costs whatever is sent."""
        ns = self.tokens * TOKEN_NS + sum(pattern.compile_ns for pattern in self.patterns)
        return ns + int(self._walk_ns(self.listed, {})) if self.macros else ns

    def sized_ns(self, sizes: Mapping[Path, Size]) -> int:
        """Return what it may cost beyond that, given the sizes of what it reads (absent: not sent)."""
        copies = self.joins + 1
        rates = sum(pattern.char_ns for pattern in self.patterns)
        items = self.listed
        ns = 0.0
        for path, uses in self.uses.items():
            size = sizes.get(path)
            if size is not None:
                ns += uses * (size.chars * (CHAR_NS * copies + rates) + size.values * VALUE_NS * copies)
                items += uses * size.longest
        return int(ns + self._walk_ns(items, sizes)) if self.macros else int(ns)

    def _walk_ns(self, items: int, sizes: Mapping[Path, Size]) -> float:
        copies = self.joins + 1
        grown = copies**self.macros
        chars = values = 0
        for path, uses in self.uses.items():
            size = sizes.get(path)
            if size is not None:
                again = self.body_uses.get(path, 0) * items + uses * self.item_uses * grown
                chars += size.chars * again
                values += size.values * again
        ns: float = items * self.macros * (self.tokens * TOKEN_NS * copies)
        ns += items * sum(pattern.compile_ns for pattern in self.body_patterns)
        ns += chars * (CHAR_NS * copies + sum(pattern.char_ns for pattern in self.body_patterns))
        ns += values * VALUE_NS * copies
        # Each further item of a `map` or `filter` copies all that was gathered before it.
        return ns + self.copying * items / 2 * (values + items * float(grown)) * COPY_NS


def measured(value: Any, *, most: int) -> tuple[Size, float]:
    """Return the size of a value and the number in it that lies farthest from 0; stops above `most` values."""
    if isinstance(value, str):
        return Size(_bytes(value), 1, 0), 0.0
    waiting, seen, chars, longest, farthest = [value], 0, 0, 0, 0.0
    while waiting:
        one = waiting.pop()
        seen += 1
        kind = type(one)
        if kind is str:
            chars += len(one) if one.isascii() else _bytes(one)
        elif kind is int or kind is bool or one is None:
            pass
        elif isinstance(one, str):
            chars += _bytes(one)
        elif isinstance(one, float):
            farthest = max(farthest, abs(one) if not math.isnan(one) else math.inf)
        elif kind is dict or isinstance(one, Mapping):
            longest = max(longest, len(one))
            seen += 1 + len(one)
            if seen <= most:
                chars += _bytes_of_keys(one)
                waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            longest = max(longest, len(one))
            seen += 1
            waiting.extend(one)
        if seen + len(waiting) > most:
            return Size(chars, seen + len(waiting), longest), farthest
    return Size(chars, seen, longest), farthest


def _bytes_of_keys(one: Mapping[Any, Any]) -> int:
    try:
        joined = "".join(one)
    except TypeError:  # a key that is no text
        return sum(map(_bytes, one))
    return _bytes(joined)


def _bytes(text: Any) -> int:
    if not isinstance(text, str) or text.isascii():
        return len(text) if isinstance(text, str) else 0
    return len(text.encode("utf-8", "replace"))


def affordable(wanted: list[int], budget: int) -> int:
    """Return the most that one of several may cost, so that all that cost no more fit the budget together.

    The cheap ones come first, and equals together: what can run does not depend on the order of a policy.
    """
    if sum(wanted) <= budget:
        return budget
    most, spent = 0, 0
    for cost in sorted(set(wanted)):
        spent += cost * wanted.count(cost)
        if spent > budget:
            break
        most = cost
    return most


_COUNT = re.compile(r"\{(\d+)(,?)(\d*)\}")
_BASE_NS = 40_000
_LITERAL_NS, _FOLDED_NS = 3_000, 6_000
_ESCAPE_NS = {"w": 450_000, "W": 450_000, "p": 450_000, "P": 450_000, "d": 40_000, "D": 70_000, "s": 10_000, "S": 20_000}  # fmt: skip
_CLASS_NS = 10_000


@dataclass(slots=True)
class _Part:
    """Some of a pattern, counted repeats written out."""

    atoms: int = 0
    wide: int = 0
    ns: int = 0

    def add(self, other: _Part) -> None:
        self.atoms += other.atoms
        self.wide += other.wide
        self.ns += other.ns


def pattern_cost(pattern: str) -> Pattern:
    """Return what a regular expression (RE2's syntax, one that compiles) costs at most."""
    literal_ns = _FOLDED_NS if re.search(r"\(\?[a-zA-Z]*i", pattern) else _LITERAL_NS
    groups, part, at = [_Part()], _Part(), 0
    while at < len(pattern):
        char = pattern[at]
        found = _COUNT.match(pattern, at) if char == "{" else None
        if found is not None:
            times = max(int(found[3] or found[1]) + (1 if found[2] and not found[3] else 0), 1)
            part.atoms, part.wide, part.ns = part.atoms * times, part.wide * times, part.ns * times
            at = found.end()
            continue
        if char in "*+":
            # What repeats without end stays where it is: `.*` is one state, `(a|b)*` too.
            part.wide = 0 if part.wide <= 1 else part.wide
            at += 1
            continue
        if char == "?":
            part.wide += 1
            at += 1
            continue
        groups[-1].add(part)
        part = _Part()
        if char == "(":
            groups.append(_Part())
            opened = re.compile(r"\((\?(P?<[^>]*>|[a-zA-Z-]*:?))?").match(pattern, at)
            at = opened.end() if opened else at + 1
        elif char == ")":
            part = groups.pop() if len(groups) > 1 else _Part()
            at += 1
        elif char == "|":
            part, at = _Part(1, 1, literal_ns), at + 1
        elif char == ".":
            part, at = _Part(1, 1, _CLASS_NS), at + 1
        elif char == "[":
            end = _class_end(pattern, at)
            part, at = _Part(1, 1, _CLASS_NS + _escapes_ns(pattern[at:end])), end
        elif char == "\\":
            ns = _ESCAPE_NS.get(pattern[at + 1 : at + 2])
            part = _Part(1, 0, literal_ns) if ns is None else _Part(1, 1, ns)
            at += 2
        else:
            part, at = _Part(1, 0, literal_ns), at + 1
    groups[-1].add(part)
    whole = _Part()
    for group in groups:
        whole.add(group)
    return Pattern(
        _BASE_NS + whole.ns, FAST_CHAR_NS if whole.wide <= MAX_WIDE else SLOW_ATOM_NS * whole.atoms
    )


def _escapes_ns(text: str) -> int:
    return sum(_ESCAPE_NS.get(found[1], 0) for found in re.finditer(r"\\(.)", text))


def _class_end(pattern: str, start: int) -> int:
    """Return where a class in brackets ends; brackets nest in it."""
    depth, at = 0, start
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif char == "[":
            depth += 1
        elif char == "]" and at > start + (2 if pattern[start + 1 : start + 2] == "^" else 1):
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return len(pattern)
