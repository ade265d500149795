"""A recorded conversation in the order that trainers insist on: every tool call with its result right after it.

Roles are taken over as they were recorded and never raised: only what was a system or developer message stays
one. What agents record is often not quite regular, so ids that are missing are filled in, and the call that is
being decided, if the agent recorded it already, is taken off the end. What cannot be repaired is a doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from signoff.datasets.quarantine import Doubt


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of an earlier turn."""

    id: str
    tool: str
    arguments: Any
    """A JSON object; the text itself where the model wrote something that is not JSON."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message."""

    role: str
    content: str
    calls: tuple[Call, ...] = ()
    answers: Call | None = None
    """For a tool's message: the call that it is the result of."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said before the action that was decided."""

    turns: tuple[Turn, ...]
    last_words: str
    """What the agent said in the same breath as the call that was decided, if it recorded that."""
    doubts: tuple[Doubt, ...]


def conversation(messages: Sequence[Mapping[str, Any]]) -> Conversation:
    """Return a conversation up to the call that was decided."""
    turns: list[Turn] = []
    doubts: list[Doubt] = []
    unanswered: dict[str, Call] = {}
    caller = -1
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        role, content = message["role"], message.get("content", "")
        if role == "tool":
            asked = message.get("tool_call_id") or next(iter(unanswered), "")
            call = unanswered.pop(asked, None)
            if call is None:
                doubts.append(Doubt("tool_result_without_call", where))
            turns.append(Turn(role, content, answers=call))
            continue
        if unanswered:
            doubts.append(Doubt("tool_call_without_result", f"messages[{caller}]"))
            unanswered = {}
        calls = tuple(
            Call(one.get("id") or f"call_{index}_{number}", one["tool"], one.get("arguments", {}))
            for number, one in enumerate(message.get("tool_calls", ()))
        )
        if calls:
            unanswered, caller = {one.id: one for one in calls}, index
        turns.append(Turn(role, content, calls))
    last_words = ""
    if unanswered:
        answered = tuple(one for one in turns[caller].calls if one.id not in unanswered)
        if answered:
            turns[caller] = replace(turns[caller], calls=answered)
        else:
            last_words = turns.pop(caller).content
    return Conversation(tuple(turns), last_words, tuple(doubts))
