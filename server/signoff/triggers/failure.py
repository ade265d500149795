"""Say in our own words why the engine could not evaluate an expression."""

from __future__ import annotations

import re

from signoff.triggers.expression import Expression
from signoff.triggers.reading import Reading

_UNDEFINED = re.compile(r"'(__[vh]\d+)'")


def failure(error: BaseException, condition: Expression, reading: Reading) -> str:
    """Return a reason in our words; the engine's may hold what the agent sent."""
    if isinstance(error, KeyError):
        key = error.args[0] if error.args else ""
        name = str(key).strip("'\"")
        return f"missing {name}" if name in condition.members else "missing a key that the condition looks up"
    if isinstance(error, IndexError):
        return "missing an item that the condition looks up"
    undefined = _UNDEFINED.search(str(error)) if isinstance(error, RuntimeError) else None
    if undefined and undefined[1] in reading.missing:
        return f"missing {'.'.join(reading.missing[undefined[1]])}"
    if isinstance(error, TypeError):
        return "error: values of types that cannot be compared or combined"
    if isinstance(error, ZeroDivisionError):
        return "error: division by zero"
    if isinstance(error, OverflowError):
        return "error: a number out of range"
    if isinstance(error, (ValueError, RuntimeError)):
        return "error: a value that an operation or function does not take"
    return "error: the rule engine failed"
