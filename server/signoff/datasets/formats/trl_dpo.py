"""`trl-dpo`: preferences, conversational with an explicit prompt; the person's arguments over the agent's.

    {"prompt": [{"role": "user", "content": "…"}],
     "chosen": [{"role": "assistant", "content": "", "tool_calls": [{"type": "function",
         "function": {"name": "refund", "arguments": {"cents": 500}}}]}],
     "rejected": [… the same with the agent's arguments …],
     "tools": "[…]", "escalation_id": "esc_…", "audit_seq": 17}

TRL's "Dataset formats and types". Arguments are objects there and results name their tool. `tools` is JSON text:
TRL's trainers read it in that form with every version of `datasets`.
"""

from __future__ import annotations

from typing import Any

import orjson

from signoff.datasets.conversation import Call, Turn, conversation
from signoff.datasets.decided import DecidedCase, Excluded
from signoff.datasets.formats.row import Row
from signoff.datasets.tools import definitions


def row(decided: DecidedCase) -> Row:
    """Return the row of a case whose arguments a person changed.

    Raises:
        Excluded: It was rejected or approved as it was, only answered, or there is no conversation.
    """
    if decided.arguments is None:
        raise Excluded("rejected")
    if not decided.arguments_changed:
        raise Excluded("arguments_unchanged")
    said = conversation(decided.messages)
    if not said.turns:
        raise Excluded("no_conversation")
    tool = decided.case.tool
    calls = [(one.tool, one.arguments) for turn in said.turns for one in turn.calls]
    tools = definitions([*calls, (tool, decided.proposed), (tool, decided.arguments)])
    return Row(
        values={
            "prompt": [_message(turn) for turn in said.turns],
            "chosen": [_answer(tool, decided.arguments)],
            "rejected": [_answer(tool, decided.proposed)],
            "tools": orjson.dumps(tools).decode(),
            "escalation_id": decided.case.id,
            "audit_seq": decided.audit_seq,
        },
        material={
            "messages": decided.messages,
            "chosen": decided.arguments,
            "rejected": decided.proposed,
            "tool": tool,
        },
        doubts=said.doubts,
    )


def _answer(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    # Without the agent's words around the call: both sides must differ in the arguments only.
    return {"role": "assistant", "content": "", "tool_calls": [_call(Call("", tool, arguments))]}


def _message(turn: Turn) -> dict[str, Any]:
    made: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.calls:
        made["tool_calls"] = [_call(one) for one in turn.calls]
    if turn.answers is not None:
        made["name"] = turn.answers.tool
    return made


def _call(call: Call) -> dict[str, Any]:
    return {"type": "function", "function": {"name": call.tool, "arguments": call.arguments}}
