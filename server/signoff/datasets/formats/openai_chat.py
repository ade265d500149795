r"""`openai-chat`: supervised fine-tuning with tools, the conversation so far and the call that was allowed.

    {"messages": [{"role": "user", "content": "…"},
                  {"role": "assistant", "content": "…", "weight": 0},
                  {"role": "assistant", "weight": 1, "tool_calls": [{"id": "esc_…-17", "type": "function",
                      "function": {"name": "refund", "arguments": "{\"cents\":500}"}}]}],
     "tools": [{"type": "function", "function": {"name": "refund", "parameters": {…}}}]}

OpenAI's OpenAPI document, `ChatCompletionRequest…Message`, `FineTuneChatCompletionRequestAssistantMessage` and
`ChatCompletionTool`. It documents no key for provenance, so the id of the allowed call carries it: escalation id,
`-`, number of the event that decided.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from signoff.datasets.conversation import Call, Turn, conversation
from signoff.datasets.decided import DecidedCase, Excluded
from signoff.datasets.formats.row import Row
from signoff.datasets.quarantine import Doubt
from signoff.datasets.tools import definitions

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what OpenAI takes as the name of a function


def row(decided: DecidedCase) -> Row:
    """Return the row of an approved or modified case.

    Only the last call is trained on (`weight`): the turns before it were approved by nobody.

    Raises:
        Excluded: It was rejected, or there is no conversation.
    """
    if decided.arguments is None:
        raise Excluded("rejected")
    said = conversation(decided.messages)
    if not said.turns:
        raise Excluded("no_conversation")
    tool = decided.case.tool
    allowed = Call(f"{decided.case.id}-{decided.audit_seq}", tool, decided.arguments)
    answer: dict[str, Any] = {"role": "assistant"}
    if said.last_words and not decided.arguments_changed:  # they may announce what was changed
        answer["content"] = said.last_words
    answer |= {"tool_calls": [_call(allowed)], "weight": 1}
    calls = [(one.tool, one.arguments) for turn in said.turns for one in turn.calls]
    tools = definitions([*calls, (tool, decided.arguments)])
    return Row(
        values={"messages": [*map(_message, said.turns), answer], "tools": tools},
        material={"messages": decided.messages, "arguments": decided.arguments, "tool": tool},
        doubts=(*said.doubts, *_unnamable(tools)),
    )


def _message(turn: Turn) -> dict[str, Any]:
    if turn.role == "tool":
        call_id = turn.answers.id if turn.answers else ""
        return {"role": "tool", "tool_call_id": call_id, "content": turn.content}
    if turn.role == "assistant":
        made: dict[str, Any] = {"role": "assistant", "weight": 0}
        if turn.content or not turn.calls:
            made["content"] = turn.content
        if turn.calls:
            made["tool_calls"] = [_call(one) for one in turn.calls]
        return made
    # `developer` is the newer name of `system`, and the only one of the two that fine-tuning does not document.
    return {"role": "system" if turn.role == "developer" else turn.role, "content": turn.content}


def _call(call: Call) -> dict[str, Any]:
    arguments = call.arguments if isinstance(call.arguments, str) else orjson.dumps(call.arguments).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": arguments}}


def _unnamable(tools: list[dict[str, Any]]) -> list[Doubt]:
    return [
        Doubt("tool_name_not_taken", f"tools[{index}]")
        for index, one in enumerate(tools)
        if not _NAME.fullmatch(one["function"]["name"])
    ]
