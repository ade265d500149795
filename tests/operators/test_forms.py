"""The forms that are made from an action's arguments and from a response schema, and what they are read as."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.domain.errors import InvalidRequest
from signoff.operators.arguments_form import argument_fields, read_arguments
from signoff.operators.form_edit import edited
from signoff.operators.form_fields import Field
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


def crlf(text: str) -> str:
    """Return a text as a browser sends it: every line end is CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def leaves(fields: Iterable[Field]) -> Iterator[Field]:
    for field in fields:
        yield field
        yield from leaves(field.members)


def form_of(fields: Iterable[Field]) -> dict[str, tuple[str, ...]]:
    """Return some fields as a browser sends them when nobody touched them."""
    made: dict[str, tuple[str, ...]] = {}
    for field in leaves(fields):
        if field.kind in ("rows", "choices"):
            made[f"{field.name}_items"] = ("", *(field.items if field.kind == "rows" else ()))
        if field.kind == "choices" and field.sent:
            made[field.name] = field.sent
        elif field.kind not in ("rows", "group", "kept", "fixed", "choices"):
            made[field.name] = (crlf(field.value),)
    return made


def as_sent(arguments: dict[str, Any], schema: Any = None) -> dict[str, tuple[str, ...]]:
    """Return the form as a browser sends it when nobody touched it."""
    return {**form_of(argument_fields(arguments, {}, schema)), "raw": (crlf(json_text(arguments)),)}


def names_of(arguments: dict[str, Any], schema: Any = None, given: Sent | None = None) -> dict[str, str]:
    """Return field names by their path below `arguments.`."""
    fields = leaves(argument_fields(arguments, given or {}, schema))
    return {field.path.removeprefix("arguments."): field.name for field in fields}


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
    ],
)
def test_a_field_is_read_as_the_type_it_had(key: str, typed: str, read: Any) -> None:
    name = next(field.name for field in argument_fields(ARGUMENTS, {}) if field.key == key)

    made = read_arguments(ARGUMENTS, {**as_sent(ARGUMENTS), name: (typed,)})

    assert made == {**ARGUMENTS, key: read}


@pytest.mark.parametrize(
    ("key", "typed"),
    [("amount", "many"), ("amount", ""), ("amount", "true"), ("amount", "NaN"), ("amount", "9" * 20),
     ("amount", '"12"'), ("urgent", "maybe"), ("urgent", "1"), ("memo", "[1,"), ("memo", '{"a":1,"a":2}')],
)  # fmt: skip
def test_a_field_that_cannot_be_read_is_named(key: str, typed: str) -> None:
    name = next(field.name for field in argument_fields(ARGUMENTS, {}) if field.key == key)

    with pytest.raises(InvalidRequest) as refused:
        read_arguments(ARGUMENTS, {**as_sent(ARGUMENTS), name: (typed,)})

    assert refused.value.field == f"arguments.{key}"


def test_raw_json_replaces_all_arguments() -> None:
    assert read_arguments(ARGUMENTS, {**as_sent(ARGUMENTS), "raw": ('{"only": 1}',)}) == {"only": 1}


def test_raw_json_and_fields_cannot_both_be_changed() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_arguments(ARGUMENTS, {**as_sent(ARGUMENTS), "raw": ('{"only": 1}',), "a0": ("7",)})
    assert refused.value.field == "arguments"


@pytest.mark.parametrize("raw", ["[1]", "null", "{", '{"a": NaN}', '{"a": 1, "a": 2}'])
def test_raw_json_that_is_no_object_is_refused(raw: str) -> None:
    with pytest.raises(InvalidRequest):
        read_arguments(ARGUMENTS, {**as_sent(ARGUMENTS), "raw": (raw,)})


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
        ({"type": ["string", "null"]}, "x", "x"),
        ({"type": ["string", "null"]}, "", None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "7", 7),
        ({"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}]}, "1", "b"),
        ({"type": "string", "format": "date"}, "2026-11-25", "2026-11-25"),
        ({"type": "string", "format": "date-time"}, "2026-11-25T14:30", "2026-11-25T14:30:00Z"),
        ({"allOf": [{"type": "string"}, {"minLength": 2}]}, "ab", "ab"),
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


# Lists, groups and what a schema adds to the arguments

INVOICE: dict[str, Any] = {
    "lines": [{"item": "A", "price": 10}, {"item": "B", "price": 20.5, "note": "late"}],
    "to": {"name": "Dana", "since": "2026-01-31"},
}


def test_a_value_deep_inside_is_changed_and_its_neighbours_stay() -> None:
    names = names_of(INVOICE)
    form = {**as_sent(INVOICE), names["lines[1].price"]: ("21",), names["to.name"]: ("Olga",)}

    made = read_arguments(INVOICE, form)

    assert made["lines"] == [{"item": "A", "price": 10}, {"item": "B", "price": 21, "note": "late"}]
    assert made["to"] == {"name": "Olga", "since": "2026-01-31"}


def test_an_item_is_added_and_another_removed_without_a_script() -> None:
    name = names_of(INVOICE)["lines"]
    form = edited({**as_sent(INVOICE), "edit": (f"add:{name}",)})
    form = edited({**form, "edit": (f"remove:{name}:0",)})
    names = names_of(INVOICE, given=form)
    assert [path for path in names if path.endswith(".item")] == ["lines[0].item", "lines[1].item"]
    form = {**form, names["lines[1].item"]: ("C",), names["lines[1].price"]: ("5",)}

    assert read_arguments(INVOICE, form)["lines"] == [
        {"item": "B", "price": 20.5, "note": "late"},
        {"item": "C", "price": 5},
    ]


def test_a_removed_item_does_not_come_back_with_the_next_that_is_added() -> None:
    name = names_of(INVOICE)["lines"]
    form: Sent = as_sent(INVOICE)
    for edit in ("remove:{}:1", "add:{}", "remove:{}:100", "add:{}"):
        form = edited({**form, "edit": (edit.format(name),)})

    assert read_arguments(INVOICE, form)["lines"][0] == {"item": "A", "price": 10}
    assert "B" not in json.dumps(read_arguments(INVOICE, form))


def test_every_item_can_be_removed() -> None:
    name = names_of(INVOICE)["lines"]
    form: Sent = as_sent(INVOICE)
    for number in (0, 1):
        form = edited({**form, "edit": (f"remove:{name}:{number}",)})

    assert read_arguments(INVOICE, form)["lines"] == []


@pytest.mark.parametrize(
    "edit", ["", "add:", "add:../x", "remove:a0", "remove:a0:x", "add:a0:1", "drop:a0", "add:" + "a" * 200]
)
def test_an_edit_that_no_button_of_ours_sends_changes_nothing(edit: str) -> None:
    form = {**as_sent(INVOICE), "edit": (edit,)}

    assert read_arguments(INVOICE, edited(form)) == INVOICE


TOOL: dict[str, Any] = {
    "type": "object",
    "required": ["amount"],
    "properties": {
        "amount": {"type": "number", "minimum": 0, "unit": "EUR"},
        "currency": {"enum": ["EUR", "USD"]},
        "on": {"type": "string", "format": "date"},
        "parts": {"type": "array", "items": {"enum": ["a", "b"]}},
        "reason": {"type": "string"},
    },
}
CALL: dict[str, Any] = {"amount": 5, "currency": "EUR", "on": "2026-11-25", "parts": ["a"]}


def test_the_tools_schema_makes_the_fields_and_offers_what_the_action_left_out() -> None:
    fields = {field.key: field for field in argument_fields(CALL, {}, TOOL)}

    assert {key: field.kind for key, field in fields.items()} == {
        "amount": "number", "currency": "choice", "on": "date", "parts": "choices", "reason": "line",
    }  # fmt: skip
    assert "".join(piece.text for piece in fields["amount"].unit) == "EUR"
    form = as_sent(CALL, TOOL)
    assert read_arguments(CALL, form, TOOL) == CALL
    changed = {**form, fields["currency"].name: ("1",), fields["reason"].name: ("double",)}
    changed.pop(fields["parts"].name)
    assert read_arguments(CALL, changed, TOOL) == {
        **CALL, "currency": "USD", "reason": "double", "parts": [],
    }  # fmt: skip


@given(st.dictionaries(st.sampled_from(["amount", "currency", "on", "parts", "reason", "else"]), json_values))
def test_a_value_that_does_not_fit_the_tools_schema_stays_as_it_is(arguments: dict[str, Any]) -> None:
    held = {"amount": 1, **arguments}
    assert json.dumps(read_arguments(held, as_sent(held, TOOL), TOOL)) == json.dumps(held)


# Parts that count only under a condition

REFUND: dict[str, Any] = {
    "type": "object",
    "required": ["how"],
    "properties": {
        "how": {"enum": ["card", "voucher"]},
        "code": {"type": "string"},
        "who": {"type": "string"},
        "mail": {"type": "string"},
    },
    "if": {"properties": {"how": {"const": "voucher"}}, "required": ["how"]},
    "then": {"properties": {"months": {"type": "integer"}}, "required": ["months", "code"]},
    "else": {"properties": {"last4": {"type": "string"}}, "required": ["last4"]},
    "dependentRequired": {"who": ["mail"]},
}


def response_names(schema: Any, given: Sent | None = None) -> dict[str, str]:
    fields = leaves([response_field(schema, given or {})])
    return {field.path.removeprefix("response."): field.name for field in fields}


def test_a_conditional_part_counts_where_its_condition_holds() -> None:
    names = response_names(REFUND)
    voucher: Sent = {names["how"]: ("1",), names["months"]: ("6",), names["code"]: ("X",)}
    card: Sent = {names["how"]: ("0",), names["last4"]: ("4242",), names["months"]: ("",)}

    assert read_response(response_field(REFUND, voucher)) == {"how": "voucher", "months": 6, "code": "X"}
    assert read_response(response_field(REFUND, card)) == {"how": "card", "last4": "4242"}


def test_a_conditional_part_that_is_missing_or_does_not_belong_is_named() -> None:
    names = response_names(REFUND)
    with pytest.raises(InvalidRequest) as missing:
        read_response(response_field(REFUND, {names["how"]: ("1",)}))
    with pytest.raises(InvalidRequest) as foreign:
        read_response(
            response_field(REFUND, {names["how"]: ("0",), names["last4"]: ("1",), names["months"]: ("6",)})
        )

    assert (missing.value.field, foreign.value.field) == ("response.months", "response.months")


def test_a_form_says_what_is_needed_when() -> None:
    fields = {field.path: field for field in leaves([response_field(REFUND, {})])}

    code, mail = fields["response.code"].needed_when, fields["response.mail"].needed_when
    assert code is not None
    assert mail is not None
    assert (code.name, code.values) == (fields["response.how"].name, ("1",))
    assert (mail.name, mail.values) == (fields["response.who"].name, ())


PAY: dict[str, Any] = {
    "oneOf": [
        {
            "title": "By card",
            "type": "object",
            "required": ["kind", "last4"],
            "properties": {"kind": {"const": "card"}, "last4": {"type": "string"}},
        },
        {
            "type": "object",
            "required": ["kind", "days"],
            "properties": {"kind": {"const": "invoice"}, "days": {"type": "integer"}},
        },
    ]
}


def test_one_of_several_shapes_is_chosen_and_only_its_fields_are_read() -> None:
    form = response_field(PAY, {})
    assert form.kind == "variant"
    assert ["".join(piece.text for piece in label) for label in form.option_labels] == ["By card", "invoice"]
    days = form.members[1].members[-1].name if form.members[1].members[-1].key == "days" else ""

    assert read_response(response_field(PAY, {"r": ("1",), days: ("30",)})) == {"kind": "invoice", "days": 30}
    with pytest.raises(InvalidRequest):
        read_response(response_field(PAY, {"r": ("1",)}))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "if": {"properties": {"a": {"pattern": "x"}}}, "then": {}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "not": {"required": ["a"]}},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"type": "array", "items": {"type": ["string", "integer"]}},
    ],
)  # fmt: skip
def test_what_fields_cannot_say_is_asked_for_as_json_with_the_schema_shown(schema: Any) -> None:
    form = response_field(schema, {})

    assert form.kind == "json"
    assert json.loads(form.schema_text) == schema
