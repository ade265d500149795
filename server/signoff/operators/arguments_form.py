"""The form that modifies arguments: one field per argument, made from the values' own types, or raw JSON.

A value that the person did not touch is kept exactly as it was: browsers send other line ends than they got,
and a number may be written in several ways.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from signoff.desk.masks import is_hidden
from signoff.domain.canonical import parse_json
from signoff.domain.characters import Piece, pieces
from signoff.domain.errors import InvalidRequest
from signoff.operators.present import json_text, kind_of

RAW = "raw"
"""Name of the field that holds all arguments as JSON."""
FINAL = "final"
"""Name of the field in which the preview carries the arguments that were shown in it."""

_SHORT = 80


@dataclass(frozen=True, slots=True)
class ArgumentField:
    """One argument as a form field."""

    name: str
    """`a0`, `a1` …: an argument's own name is the agent's and never becomes part of the page's structure."""
    key: str
    label: tuple[Piece, ...]
    kind: Literal["line", "text", "number", "yes_no", "json", "kept"]
    """`kept`: the policy hides the value from this person, so it stays as it is."""
    value: str
    """What stands in the field."""
    original: str
    """What stood there at first."""


def argument_fields(arguments: Mapping[str, Any], given: Mapping[str, str]) -> list[ArgumentField]:
    """Return one field per argument, in order.

    Args:
        given: What the person sent, by field name; shown again instead of the original.
    """
    made = []
    for index, (key, value) in enumerate(arguments.items()):
        name, original = f"a{index}", _written(value)
        made.append(
            ArgumentField(name, key, pieces(key), _field_kind(value), given.get(name, original), original)
        )
    return made


def _field_kind(value: Any) -> Literal["line", "text", "number", "yes_no", "json", "kept"]:
    match kind_of(value):
        case "text":
            if is_hidden(value):
                return "kept"
            return "text" if len(value) > _SHORT or not value.isprintable() else "line"
        case "number":
            return "number"
        case "yes_no":
            return "yes_no"
        case _:
            return "kept" if _hides(value) else "json"


def _hides(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_hides, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_hides, value))
    return is_hidden(value)


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json_text(value) if isinstance(value, (dict, list)) else json.dumps(value)


def read_arguments(proposed: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments that a submitted form stands for.

    Raises:
        InvalidRequest: A field holds no value of its type, or fields and JSON were both changed.
    """
    if FINAL in form:
        return _object(form[FINAL])
    fields = _changed_fields(proposed, form)
    raw = form.get(RAW)
    if raw is None or _same_text(raw, json_text(dict(proposed))):
        return {**proposed, **fields}
    if fields:
        raise InvalidRequest("you changed both the fields and the JSON; undo one of them.", field="arguments")
    return _object(raw)


def _object(text: str) -> dict[str, Any]:
    value = parse_json(text, field="arguments")
    if not isinstance(value, dict):
        raise InvalidRequest("must be a JSON object, in { and }.", field="arguments")
    return value


def _changed_fields(proposed: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in argument_fields(proposed, {}):
        sent = form.get(field.name)
        if sent is None or field.kind == "kept" or _same_text(sent, field.original):
            continue
        made[field.key] = _read(field, sent)
    return made


def _read(field: ArgumentField, sent: str) -> Any:
    where = f"arguments.{field.key}"
    if field.kind in ("line", "text"):
        return sent.replace("\r\n", "\n")
    value = parse_json(sent.strip() or "null", field=where)
    if field.kind == "number" and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise InvalidRequest("must be a number, such as 120 or 99.5.", field=where)
    if field.kind == "yes_no" and not isinstance(value, bool):
        raise InvalidRequest("must be yes or no.", field=where)
    return value


def _same_text(one: str, other: str) -> bool:
    """Compare two texts as a form sends them: every line end is CR LF there, whatever it was before."""
    return _plain_lines(one) == _plain_lines(other)


def _plain_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
