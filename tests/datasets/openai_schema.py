"""OpenAI's documented format of a row for supervised fine-tuning with tools."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

# Written after OpenAI's published OpenAPI document: ChatCompletionRequestSystemMessage, …UserMessage, …ToolMessage,
# FineTuneChatCompletionRequestAssistantMessage, ChatCompletionMessageToolCall, ChatCompletionTool, FunctionObject.
# Stricter in one way: a key that is documented nowhere is refused.
TEXT: dict[str, Any] = {"type": "string"}
TOOL_CALL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "properties": {"name": TEXT, "arguments": TEXT},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        },
    },
    "required": ["id", "type", "function"],
    "additionalProperties": False,
}


def _message(role: str, required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"role": {"const": role}, **properties},
        "required": ["role", *required],
        "additionalProperties": False,
    }


OPENAI_ROW = {
    "type": "object",
    "properties": {
        "messages": {
            "type": "array",
            "minItems": 2,
            "items": {
                "oneOf": [
                    _message("system", ["content"], content=TEXT, name=TEXT),
                    _message("user", ["content"], content=TEXT, name=TEXT),
                    _message("tool", ["content", "tool_call_id"], content=TEXT, tool_call_id=TEXT),
                    {
                        **_message(
                            "assistant",
                            [],
                            content=TEXT,
                            name=TEXT,
                            weight={"enum": [0, 1]},
                            tool_calls={"type": "array", "minItems": 1, "items": TOOL_CALL},
                        ),
                        "anyOf": [{"required": ["content"]}, {"required": ["tool_calls"]}],
                    },
                ]
            },
        },
        "tools": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"const": "function"},
                    "function": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
                            "parameters": {"$ref": "https://json-schema.org/draft/2020-12/schema"},
                            "description": TEXT,
                            "strict": {"type": ["boolean", "null"]},
                        },
                        "required": ["name"],
                        "additionalProperties": False,
                    },
                },
                "required": ["type", "function"],
                "additionalProperties": False,
            },
        },
        "parallel_tool_calls": {"type": "boolean"},
    },
    "required": ["messages"],
    "additionalProperties": False,
}


def check_openai(row: dict[str, Any]) -> None:
    """Check a row against the documented schema, and what OpenAI checks beyond it."""
    Draft202012Validator(OPENAI_ROW).validate(row)
    assert row["messages"][-1]["role"] == "assistant"
    waiting: set[str] = set()
    for message in row["messages"]:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            continue
        assert not waiting
        waiting = {call["id"] for call in message.get("tool_calls", [])}
        for call in message.get("tool_calls", []):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
