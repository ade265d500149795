"""Patterns that others wrote, run by the CEL engine's regular expressions: linear time, RE2's syntax."""

from __future__ import annotations

import re

from signoff.triggers.engine import Context, compile_expression

MAX_PATTERN_CHARS = 500
_LEAST_COST = 10
_WIDE_COST, _DIGITS_COST = 100, 8
_CASELESS = 4
_ATOM = re.compile(
    r"(?P<open>\((?:\?[^):]{0,40}[:>])?)|(?P<close>\))|\{(?P<times>\d{1,9}(?:,\d{0,9})?)\}"
    r"|\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]?|.",
    re.DOTALL,
)
_WIDE = re.compile(r"\\[wWpP]")
_DIGITS = re.compile(r"\\[dD]|\[:")


def pattern_problem(pattern: str) -> str | None:
    """Return why a pattern cannot be used, None if it can."""
    if len(pattern) > MAX_PATTERN_CHARS:
        return f"a pattern has at most {MAX_PATTERN_CHARS} characters"
    try:
        _matches(pattern, "")
    except BaseException as error:
        # The engine reports some bad patterns as a Rust panic, which is no Exception.
        if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            raise
        return "not a valid pattern (RE2 syntax; look-around and back-references do not exist)"
    return None


def pattern_matches(pattern: str, text: str) -> bool:
    """Say whether a pattern that has no problem occurs in a text."""
    return _matches(pattern, text)


def pattern_cost(pattern: str) -> int:
    """Return an estimate of what the engine takes to build a pattern, which it does for every match: 1 is about 5 µs.

    A class of Unicode has hundreds of ranges, and a repetition is written out, also around another one.
    """
    costs: list[list[int]] = [[]]
    for found in _ATOM.finditer(pattern):
        here = costs[-1]
        if found["open"]:
            costs.append([])
        elif found["close"]:
            inner = sum(costs.pop()) if len(costs) > 1 else 0
            costs[-1].append(inner)
        elif found["times"] is None:
            here.append(_atom_cost(found[0]))
        elif here:
            here[-1] *= max(int(one or "1") for one in found["times"].split(","))
    cost = sum(map(sum, costs))
    return _LEAST_COST + (cost * _CASELESS if "(?" in pattern else cost)


def _atom_cost(atom: str) -> int:
    if atom[0] not in "\\[.":
        return 1
    return 2 + _WIDE_COST * len(_WIDE.findall(atom)) + _DIGITS_COST * len(_DIGITS.findall(atom))


def _matches(pattern: str, text: str) -> bool:
    context = Context(variables={"text": text, "pattern": pattern})
    return bool(compile_expression("text.matches(pattern)").execute(context))
