"""Tool definitions as far as a bundle shows them: names, and the types of the arguments that were used.

An agent does not send its tools' definitions. These are enough for a row to be well formed; whoever trains puts
the real ones in their place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def definitions(calls: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Return one function definition per tool, in the order of first use.

    Args:
        calls: Tool and arguments of each call; arguments that are no object teach nothing.
    """
    seen: dict[str, list[dict[str, Any]]] = {}
    for tool, arguments in calls:
        seen.setdefault(tool, []).extend([arguments] if isinstance(arguments, dict) else [])
    return [
        {"type": "function", "function": {"name": tool, "parameters": _object(values)}}
        for tool, values in seen.items()
    ]


def _object(values: list[dict[str, Any]]) -> dict[str, Any]:
    keys = sorted({key for value in values for key in value})
    properties = {key: _schema([value[key] for value in values if key in value]) for key in keys}
    return {"type": "object", "properties": properties}


def _schema(values: list[Any]) -> dict[str, Any]:
    kinds = sorted({_kind(value) for value in values})
    if kinds == ["integer", "number"]:
        kinds = ["number"]
    if len(kinds) != 1:
        return {"type": kinds} if kinds and not {"array", "object"} & set(kinds) else {}
    if kinds == ["object"]:
        return _object(values)
    if kinds == ["array"]:
        # OpenAI refuses an array without `items`.
        return {"type": "array", "items": _schema([item for value in values for item in value])}
    return {"type": kinds[0]}


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case dict():
            return "object"
        case _:
            return "array"
