"""The forms that are made from an action's arguments and from a response schema, and what they are read as."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.domain.errors import InvalidRequest
from signoff.operators.arguments_form import argument_fields, read_arguments
from signoff.operators.present import json_text
from signoff.operators.response_form import MAX_FIELDS, Sent, read_response, response_field

ARGUMENTS: dict[str, Any] = {
    "amount": 12000,
    "rate": 0.5,
    "to": "Dana",
    "text": "Dear Dana,\r\nhello\n",
    "urgent": True,
    "memo": None,
    "lines": [{"id": 1}, {"id": 2}],
}


def as_sent(arguments: dict[str, Any]) -> dict[str, str]:
    """Return the form as a browser sends it when nobody touched it: every line end is CR LF."""
    plain = {field.name: field.value for field in argument_fields(arguments, {})}
    plain["raw"] = json_text(arguments)
    return {
        name: value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
        for name, value in plain.items()
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_a_form_that_nobody_touched_changes_nothing(arguments: dict[str, Any]) -> None:
    assert json.dumps(read_arguments(arguments, as_sent(arguments))) == json.dumps(arguments)


@pytest.mark.parametrize(
    ("key", "typed", "read"),
    [
        ("amount", "99", 99),
        ("amount", " 99.5 ", 99.5),
        ("rate", "2", 2),
        ("to", "Omar", "Omar"),
        ("to", "", ""),
        ("to", "12", "12"),
        ("text", "one\r\ntwo", "one\ntwo"),
        ("urgent", "false", False),
        ("memo", '"now text"', "now text"),
        ("lines", "[]", []),
    ],
)
def test_a_field_is_read_as_the_type_it_had(key: str, typed: str, read: Any) -> None:
    name = next(field.name for field in argument_fields(ARGUMENTS, {}) if field.key == key)

    made = read_arguments(ARGUMENTS, {**as_sent(ARGUMENTS), name: typed})

    assert made == {**ARGUMENTS, key: read}


@pytest.mark.parametrize(
    ("key", "typed"),
    [("amount", "many"), ("amount", ""), ("amount", "true"), ("amount", "NaN"), ("amount", "9" * 20),
     ("amount", '"12"'), ("urgent", "maybe"), ("urgent", "1"), ("lines", "[1,"), ("lines", '{"a":1,"a":2}')],
)  # fmt: skip
def test_a_field_that_cannot_be_read_is_named(key: str, typed: str) -> None:
    name = next(field.name for field in argument_fields(ARGUMENTS, {}) if field.key == key)

    with pytest.raises(InvalidRequest) as refused:
        read_arguments(ARGUMENTS, {**as_sent(ARGUMENTS), name: typed})

    assert refused.value.field == f"arguments.{key}"


def test_raw_json_replaces_all_arguments() -> None:
    assert read_arguments(ARGUMENTS, {**as_sent(ARGUMENTS), "raw": '{"only": 1}'}) == {"only": 1}


def test_raw_json_and_fields_cannot_both_be_changed() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_arguments(ARGUMENTS, {**as_sent(ARGUMENTS), "raw": '{"only": 1}', "a0": "7"})
    assert refused.value.field == "arguments"


@pytest.mark.parametrize("raw", ["[1]", "null", "{", '{"a": NaN}', '{"a": 1, "a": 2}'])
def test_raw_json_that_is_no_object_is_refused(raw: str) -> None:
    with pytest.raises(InvalidRequest):
        read_arguments(ARGUMENTS, {**as_sent(ARGUMENTS), "raw": raw})


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["why", "count"],
    "properties": {
        "amount": {"type": "number"},
        "colour": {"enum": ["red", "green", 3, None]},
        "count": {"type": "integer"},
        "extra": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "numbers": {"type": "array", "items": {"type": "integer"}},
        "ok": {"type": "boolean"},
        "parts": {"type": "array", "items": {"enum": ["a", "b", "c"]}},
        "person": {
            "type": "object",
            "required": ["name"],
            "properties": {"age": {"type": "integer"}, "name": {"type": "string"}},
        },
        "tags": {"type": "array", "items": {"type": "string"}},
        "why": {"type": "string", "title": "Why?", "description": "In a sentence"},
    },
}


def named(schema: Any = SCHEMA) -> dict[str, str]:
    """Return field names by their path."""

    def walk(field: Any) -> list[tuple[str, str]]:
        inner = [pair for member in field.members for pair in walk(member)]
        return [(field.path.removeprefix("response."), field.name), *inner]

    return dict(walk(response_field(schema, {})))


def sent(**by_path: str | tuple[str, ...]) -> Sent:
    names = named()
    return {
        names[path.replace("__", ".")]: (value,) if isinstance(value, str) else value
        for path, value in by_path.items()
    }


def test_a_response_is_read_in_the_types_of_its_schema() -> None:
    form = sent(
        why="late\r\nreply",
        count="3",
        amount="2.5",
        colour="2",
        ok="false",
        numbers="1\r\n2\r\n",
        parts=("0", "2"),
        person__name="Dana",
        tags="x\r\n\r\ny",
        extra='{"free": true}',
    )

    assert read_response(response_field(SCHEMA, form)) == {
        "why": "late\nreply",
        "count": 3,
        "amount": 2.5,
        "colour": 3,
        "ok": False,
        "numbers": [1, 2],
        "parts": ["a", "c"],
        "person": {"name": "Dana"},
        "tags": ["x", "y"],
        "extra": {"free": True},
    }


def test_what_is_optional_and_left_empty_is_left_out() -> None:
    form = sent(why="because", count="0", amount="", colour="", person__name="", person__age="")

    assert read_response(response_field(SCHEMA, form)) == {"why": "because", "count": 0}


@pytest.mark.parametrize(
    ("path", "typed"),
    [("why", ""), ("count", "2.5"), ("count", "two"), ("amount", "1,5"), ("colour", "9"), ("colour", "-1"),
     ("ok", "maybe"), ("numbers", "1\n2.5"), ("parts", "7"), ("extra", "{")],
)  # fmt: skip
def test_a_response_field_that_cannot_be_read_is_named(path: str, typed: str) -> None:
    form = {**sent(why="x", count="1"), **sent(**{path: typed})}

    with pytest.raises(InvalidRequest) as refused:
        read_response(response_field(SCHEMA, form))

    assert refused.value.field == f"response.{path}"


def test_what_a_schema_requires_comes_first() -> None:
    made = response_field(SCHEMA, {})

    assert [member.key for member in made.members][:2] == ["why", "count"]


@pytest.mark.parametrize(
    ("schema", "typed", "read"),
    [
        ({"type": "string"}, "yes", "yes"),
        ({"type": "boolean"}, "true", True),
        ({"enum": ["a", "b"]}, "1", "b"),
        ({"const": "agreed"}, "0", "agreed"),
        ({"type": "array", "items": {"type": "object"}}, '[{"a": 1}]', [{"a": 1}]),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "integer"}}}, "4", 4),
        ({}, "null", None),
        ({"type": ["string", "null"]}, '"x"', "x"),
    ],
)
def test_a_schema_that_is_no_object_is_one_field(schema: Any, typed: str, read: Any) -> None:
    assert read_response(response_field(schema, {"r": (typed,)})) == read


def test_a_schema_too_large_for_fields_is_asked_for_as_json() -> None:
    huge = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(MAX_FIELDS)}}

    assert response_field(huge, {}).kind == "json"


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5)
    | st.sampled_from(["string", "object", "array", "integer", "number", "boolean"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "enum", "properties", "items", "required", "title", "const", "default", "anyOf"]),
        inner, max_size=5),
    max_leaves=12,
))  # fmt: skip
def test_no_schema_breaks_its_form(schema: Any) -> None:
    """Whatever passes as a JSON Schema makes a form."""
    from jsonschema import Draft202012Validator, SchemaError

    if not isinstance(schema, dict):
        return
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        return
    response_field(schema, {})


@pytest.mark.parametrize("default", ["x" * 81, "yes\nand more", "yes\u202eon", "p\u0430ypal", "edge\u200b"])
def test_a_default_that_a_field_cannot_show_whole_is_not_filled_in(default: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "default": default}}}

    (field,) = response_field(schema, {}).members
    assert field.value == ""

    schema["properties"]["a"]["default"] = "As usual"  # type: ignore[index]
    (field,) = response_field(schema, {}).members
    assert field.value == "As usual"
