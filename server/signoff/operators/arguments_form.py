"""The form that modifies arguments: fields made from the tool's JSON Schema where the agent sent it; or raw JSON.

Without a schema the values' own types make the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signoff.domain.canonical import parse_json
from signoff.domain.errors import InvalidRequest
from signoff.operators.diff import changes
from signoff.operators.form_fields import MAX_FIELDS, MAX_WEIGHT, NOTHING, Builder, Field, Sent, count, weight
from signoff.operators.form_reading import read, same_text
from signoff.operators.present import json_text

PREFIX = "a"
RAW = "raw"
"""Name of the field that holds all arguments as JSON."""
FINAL = "final"
"""Name of the field in which the preview carries the arguments that were shown in it."""


def argument_fields(
    arguments: Mapping[str, Any], sent: Sent, schema: Mapping[str, Any] | None = None
) -> list[Field]:
    """Return one field per argument, in order, then those that the schema knows and the action does not have.

    An argument whose own fields would be too many is one field of JSON. A schema of too many words is not used.

    Args:
        sent: What the person sent; shown again instead of the value.
        schema: The tool's own, of its arguments.
    """
    if schema is not None and sum(map(weight, _fields(arguments, {}, schema))) > MAX_WEIGHT:
        schema = None
    return _fields(arguments, sent, schema)


def _fields(arguments: Mapping[str, Any], sent: Sent, schema: Mapping[str, Any] | None) -> list[Field]:
    root = schema if schema is not None and isinstance(schema.get("properties"), Mapping) else {}
    properties = root.get("properties", {})
    needed = root.get("required", [])
    builder = Builder(root, sent, titles=False)
    plain = Builder({}, sent, titles=False)
    made: list[Field] = []
    total = 0
    for index, key in enumerate(dict.fromkeys([*arguments, *properties])):
        name, path, value = f"{PREFIX}{index}", f"arguments.{key}", arguments.get(key, NOTHING)
        field = builder.field(
            properties.get(key, {}), name, path, key, required=key in needed, value=value, depth=1
        )
        if total + count(field) > MAX_FIELDS:
            field = plain.as_json({}, name, path, key, required=key in needed, value=value)
        total += count(field)
        made.append(field)
    return made


def read_arguments(
    proposed: Mapping[str, Any], sent: Sent, schema: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the arguments that a submitted form stands for.

    Raises:
        InvalidRequest: A field holds no value of its type, or fields and JSON were both changed.
    """
    if FINAL in sent:
        return _object(sent[FINAL][0])
    made = {field.key: read(field) for field in argument_fields(proposed, sent, schema)}
    fields = {key: value for key, value in made.items() if value is not NOTHING}
    raw = sent.get(RAW, (None,))[0]
    if raw is None or same_text(raw, json_text(dict(proposed))):
        return {**proposed, **fields}
    if changes(dict(proposed), fields):
        raise InvalidRequest("you changed both the fields and the JSON; undo one of them.", field="arguments")
    return _object(raw)


def _object(text: str) -> dict[str, Any]:
    value = parse_json(text, field="arguments")
    if not isinstance(value, dict):
        raise InvalidRequest("must be a JSON object, in { and }.", field="arguments")
    return value
