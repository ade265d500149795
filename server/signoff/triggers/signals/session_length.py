"""How long the agent's way to this action already is: a measure of how involved a matter has become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind
from signoff.triggers.signals.signal import Signal


def objects(facts: Facts, field: str) -> list[Mapping[str, Any]] | None:
    """Return a list of the bundle's, None where it was not sent.

    Raises:
        TypeError: It is no list of objects.
    """
    given = facts.bundle.get(field)
    if given is None:
        return None
    if not isinstance(given, (list, tuple)) or not all(isinstance(one, Mapping) for one in given):
        raise TypeError(f"{field} is not a list of objects")
    return list(given)


def calls_in_steps(steps: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the tool calls among the steps of the reasoning."""
    return (step for step in steps if step.get("kind") == "tool_call")


def calls_in_messages(messages: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the tool calls in the turns of the conversation."""
    for message in messages:
        yield from message.get("tool_calls") or ()


class SessionLength(Signal):
    """`{session_length: steps}`: how many `steps`, `messages`, `tool_calls` or different `tools` the bundle shows.

    `steps` counts `bundle.reasoning`, `messages` counts `bundle.messages`. The other two look at both and take the larger
    number, since the same call often stands in both. Without anything to count in, there is no value.
    """

    session_length: Literal["steps", "tool_calls", "messages", "tools"]

    gives: ClassVar[Kind] = "number"

    def value(self, facts: Facts, name: str) -> int | None:
        """Return the number, None where the agent sent nothing to count in."""
        steps, messages = objects(facts, "reasoning"), objects(facts, "messages")
        if self.session_length == "steps":
            return None if steps is None else len(steps)
        if self.session_length == "messages":
            return None if messages is None else len(messages)
        if steps is None and messages is None:
            return None
        calls = (list(calls_in_steps(steps or [])), list(calls_in_messages(messages or [])))
        if self.session_length == "tool_calls":
            return max(map(len, calls))
        return max(len({str(call.get("tool")) for call in one}) for one in calls)
