"""How often the agent has already made the very call it asks about: the mark of a loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind
from signoff.triggers.signals.session_length import calls_in_messages, calls_in_steps, objects
from signoff.triggers.signals.signal import Signal


class RepeatedCalls(Signal):
    """`{repeated_calls: true}`: how often this action, the same tool with equal arguments, stands in the bundle.

    The steps and the conversation are looked at, and the larger number is taken. A tool counts under the name that a
    client gives it as well (`mcp__shop__refund` for `refund`). Only what the agent shows is counted; `{count: true, of:
    same_action}` counts what signoff itself has seen.
    """

    repeated_calls: Literal[True]

    gives: ClassVar[Kind] = "number"

    def value(self, facts: Facts, name: str) -> int | None:
        """Return the number, None where the agent sent neither steps nor a conversation."""
        steps, messages = objects(facts, "reasoning"), objects(facts, "messages")
        if steps is None and messages is None:
            return None
        return max(
            _count(facts.action, calls_in_steps(steps or [])),
            _count(facts.action, calls_in_messages(messages or [])),
        )


def _count(action: Mapping[str, Any], calls: Iterable[Mapping[str, Any]]) -> int:
    tool, arguments = str(action.get("tool")), action.get("arguments") or {}
    count = 0
    for call in calls:
        called = str(call.get("tool"))
        same = called == tool or called.endswith((f"__{tool}", f".{tool}"))
        count += same and (call.get("arguments") or {}) == arguments
    return count
