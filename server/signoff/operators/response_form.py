"""The form of a typed response, made from the request's JSON Schema; its labels are the agent's and shown as such.

Text, numbers, yes or no, choices, lists of simple values and nested objects become fields. Any other part of a
schema becomes one field for JSON, with that part of the schema beside it. Whether the whole satisfies the schema
is for the desk to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from signoff.domain.canonical import parse_json
from signoff.domain.characters import Piece, count_marked, pieces
from signoff.domain.errors import InvalidRequest
from signoff.operators.present import json_text

PREFIX = "r"
MAX_FIELDS = 60
MAX_DEFAULT_CHARS = 80
_MAX_DEPTH = 4

ItemKind = Literal["text", "number", "integer"]
FieldKind = Literal[
    "line", "text", "number", "integer", "yes_no", "choice", "choices", "list", "group", "json"
]

_ITEM_KINDS: Mapping[str, ItemKind] = {"string": "text", "number": "number", "integer": "integer"}

# A schema with one of these says more than a single field could show.
_COMBINED = frozenset({"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas"})


@dataclass(frozen=True, slots=True)
class ResponseField:
    """One part of a response as a form field."""

    name: str
    """`r`, `r_0`, `r_0_2` …: by position, never by the schema's own words."""
    path: str
    """As the desk names it in errors: `response.amount`."""
    label: tuple[Piece, ...]
    help: tuple[Piece, ...]
    kind: FieldKind
    required: bool
    key: str = ""
    options: tuple[Any, ...] = ()
    """The values of a choice; the form sends their positions."""
    option_labels: tuple[tuple[Piece, ...], ...] = ()
    item_kind: ItemKind = "text"
    members: tuple[ResponseField, ...] = ()
    schema_text: str = ""
    sent: tuple[str, ...] = ()
    """What the person sent last time, or the schema's default."""

    @property
    def value(self) -> str:
        """Return what stands in a field of one value."""
        return self.sent[0] if self.sent else ""


Sent = Mapping[str, tuple[str, ...]]


def response_field(schema: Mapping[str, Any], sent: Sent) -> ResponseField:
    """Return the form of a schema; one field for JSON where it would need more than `MAX_FIELDS`."""
    made = _field(schema, PREFIX, "response", "", required=True, depth=0, sent=sent)
    if _count(made) <= MAX_FIELDS:
        return made
    return _json_field(schema, PREFIX, "response", "", required=True, sent=sent)


def _count(field: ResponseField) -> int:
    return 1 + sum(map(_count, field.members))


def _field(
    schema: Any, name: str, path: str, key: str, *, required: bool, depth: int, sent: Sent
) -> ResponseField:
    if not isinstance(schema, Mapping) or _COMBINED & schema.keys():
        return _json_field(schema, name, path, key, required=required, sent=sent)
    label, help_ = _words(schema, key)
    values = sent.get(name, _default(schema))
    if "const" in schema or (isinstance(schema.get("enum"), list) and schema["enum"]):
        options = tuple([schema["const"]] if "const" in schema else schema["enum"])
        return ResponseField(
            name, path, label, help_, "choice", required, key,
            options=options, option_labels=tuple(map(_option, options)),
            sent=sent.get(name, _positions(schema, options)),
        )  # fmt: skip
    match schema.get("type"):
        case "string":
            kind: FieldKind = "text" if schema.get("maxLength", 200) > 200 else "line"
            return ResponseField(name, path, label, help_, kind, required, key, sent=values)
        case "number":
            return ResponseField(name, path, label, help_, "number", required, key, sent=values)
        case "integer":
            return ResponseField(name, path, label, help_, "integer", required, key, sent=values)
        case "boolean":
            return ResponseField(name, path, label, help_, "yes_no", required, key, sent=values)
        case "array":
            return _list_field(schema, name, path, key, required=required, sent=sent)
        case "object" if depth < _MAX_DEPTH and schema.get("properties"):
            # A stored schema has its keys in the order of the alphabet; `required` keeps the agent's own.
            order = {child: at for at, child in enumerate(schema.get("required", []))}
            properties = enumerate(schema["properties"].items())
            members = tuple(
                _field(
                    member, f"{name}_{at}", f"{path}.{child}", child,
                    required=child in order, depth=depth + 1, sent=sent,
                )
                for at, (child, member) in sorted(
                    properties, key=lambda one: order.get(one[1][0], len(order))
                )
            )  # fmt: skip
            return ResponseField(name, path, label, help_, "group", required, key, members=members)
        case _:
            return _json_field(schema, name, path, key, required=required, sent=sent)


def _list_field(
    schema: Mapping[str, Any], name: str, path: str, key: str, *, required: bool, sent: Sent
) -> ResponseField:
    items = schema.get("items")
    label, help_ = _words(schema, key)
    if isinstance(items, Mapping) and not _COMBINED & items.keys():
        options = items.get("enum")
        if isinstance(options, list) and options:
            return ResponseField(
                name, path, label, help_, "choices", required, key,
                options=tuple(options), option_labels=tuple(map(_option, options)), sent=sent.get(name, ()),
            )  # fmt: skip
        kind = _ITEM_KINDS.get(str(items.get("type")))
        if kind is not None:
            return ResponseField(
                name, path, label, help_, "list", required, key, item_kind=kind, sent=sent.get(name, ())
            )  # fmt: skip
    return _json_field(schema, name, path, key, required=required, sent=sent)


def _json_field(schema: Any, name: str, path: str, key: str, *, required: bool, sent: Sent) -> ResponseField:
    label, help_ = _words(schema if isinstance(schema, Mapping) else {}, key)
    return ResponseField(
        name, path, label, help_, "json", required, key, schema_text=json_text(schema), sent=sent.get(name, ())
    )  # fmt: skip


def _words(schema: Mapping[str, Any], key: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    title, description = schema.get("title"), schema.get("description")
    return (
        pieces(title if isinstance(title, str) and title else key),
        pieces(description) if isinstance(description, str) else (),
    )


def _option(value: Any) -> tuple[Piece, ...]:
    return pieces(value if isinstance(value, str) else json_text(value))


def _default(schema: Mapping[str, Any]) -> tuple[str, ...]:
    if "default" not in schema:
        return ()
    value = schema["default"]
    text = value if isinstance(value, str) else json_text(value)
    # The agent's words, which become the person's: only where a field shows all of them as they are.
    readable = len(text) <= MAX_DEFAULT_CHARS and text.isprintable() and not count_marked(pieces(text))
    return (text,) if readable else ()


def _positions(schema: Mapping[str, Any], options: tuple[Any, ...]) -> tuple[str, ...]:
    if "default" in schema and schema["default"] in options:
        return (str(options.index(schema["default"])),)
    return ()


class _Nothing:
    """Stands for a field that was left empty, which is not the same as null."""


_NOTHING = _Nothing()


def read_response(field: ResponseField) -> Any:
    """Return the response that a submitted form stands for; None where everything was left empty.

    Raises:
        InvalidRequest: Names the field that holds no value of its type, or is needed and empty.
    """
    value = _read(field)
    return None if value is _NOTHING else value


def was_filled(field: ResponseField) -> bool:
    """Say whether the person sent anything for a field or its members."""
    return any(map(was_filled, field.members)) or any(text.strip() for text in field.sent)


def _read(field: ResponseField) -> Any:
    if field.kind == "group":
        return _read_group(field)
    if field.kind == "choices":
        chosen = [_chosen(field, text) for text in field.sent]
        return chosen if chosen or field.required else _NOTHING
    text = field.value.replace("\r\n", "\n")
    if not text.strip():
        if field.required:
            raise InvalidRequest("is needed.", field=field.path)
        return _NOTHING
    match field.kind:
        case "choice":
            return _chosen(field, text)
        case "list":
            return [_simple(field, line) for line in text.split("\n") if line.strip()]
        case "json":
            return parse_json(text, field=field.path)
        case "yes_no":
            if text not in ("true", "false"):
                raise InvalidRequest("must be yes or no.", field=field.path)
            return text == "true"
        case "number" | "integer":
            return _number(text, field.path, whole=field.kind == "integer")
        case _:
            return text


def _read_group(field: ResponseField) -> Any:
    if not field.required and not was_filled(field):
        return _NOTHING
    made = {}
    for member in field.members:
        value = _read(member)
        if value is not _NOTHING:
            made[member.key] = value
    return made if made or field.required else _NOTHING


def _chosen(field: ResponseField, text: str) -> Any:
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) >= len(field.options):
        raise InvalidRequest("must be one of the values offered.", field=field.path)
    return field.options[int(text)]


def _simple(field: ResponseField, line: str) -> Any:
    if field.item_kind == "text":
        return line.strip()
    return _number(line, field.path, whole=field.item_kind == "integer")


def _number(text: str, path: str, *, whole: bool) -> int | float:
    wanted = r"-?[0-9]{1,16}" if whole else r"-?[0-9]{1,16}(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?"
    if not re.fullmatch(wanted, text.strip()):
        raise InvalidRequest(
            "must be a whole number, such as 3." if whole else "must be a number, such as 99.5.", field=path
        )
    value: int | float = parse_json(text.strip(), field=path)
    return value
