"""Patterns that others wrote, run by the CEL engine's regular expressions: linear time, RE2's syntax."""

from __future__ import annotations

from signoff.triggers.engine import Context, compile_expression

MAX_PATTERN_CHARS = 500


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


def _matches(pattern: str, text: str) -> bool:
    context = Context(variables={"text": text, "pattern": pattern})
    return bool(compile_expression("text.matches(pattern)").execute(context))
