"""The tool's own JSON Schema, sent with a request: what people may change arguments to."""

from __future__ import annotations

import threading
from typing import Any

import anyio.lowlevel
import pytest
from tests._support.cases import WIRE, answer, ask, verified
from tests.conftest import Cast
from tests.promises import promise

from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.desk.schema_work import best_error
from signoff.domain.action import Action
from signoff.domain.decision import Answer
from signoff.domain.errors import Conflict, InvalidRequest, LimitExceeded

TOOL: dict[str, Any] = {
    "type": "object",
    "required": ["amount", "country"],
    "properties": {"amount": {"type": "integer", "maximum": 20_000}, "country": {"enum": ["DE", "FR"]}},
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"amount": 30_000, "country": "DE"}, "arguments.amount"),
        ({"amount": 1, "country": "XX"}, "arguments.country"),
        ({"amount": 1}, "arguments"),
        ({"amount": 1, "country": "DE", "more": 1}, "arguments"),
    ],
)
async def test_a_change_that_the_tool_would_not_take_is_refused_with_its_field(
    desk: Desk, cast: Cast, arguments: dict[str, Any], field: str
) -> None:
    case = (await ask(desk, cast.ada, tool_schema=TOOL)).escalation_id

    with pytest.raises(InvalidRequest) as refused:
        await answer(desk, cast.omar, case, Answer("modify", arguments=arguments))

    assert refused.value.field == field
    assert (await look(desk, cast.omar, case)).case.is_open


async def test_a_change_within_the_schema_is_taken(desk: Desk, cast: Cast) -> None:
    case = (await ask(desk, cast.ada, tool_schema=TOOL)).escalation_id

    after = await answer(desk, cast.omar, case, Answer("modify", arguments={"amount": 1, "country": "FR"}))

    assert after.case.status == "modified"
    assert after.document["tool_schema"] == TOOL
    assert (await verified(desk)).problems == ()


@promise("refused-whole")
@pytest.mark.parametrize(
    ("schema", "error", "field"),
    [
        ({"type": "object", "required": ["iban"]}, InvalidRequest, "action.arguments"),
        ({"properties": {"amount": {"type": "string"}}}, InvalidRequest, "action.arguments.amount"),
        ({"type": "thing"}, InvalidRequest, "tool_schema"),
        ({"$ref": "https://evil.example/schema"}, InvalidRequest, "tool_schema.$ref"),
        ({"properties": {f"p{n}": {"pattern": "a"} for n in range(21)}}, LimitExceeded, "tool_schema"),
    ],
)
async def test_a_schema_that_cannot_be_used_is_refused_before_anything_is_stored(
    desk: Desk, cast: Cast, schema: dict[str, Any], error: type[InvalidRequest], field: str
) -> None:
    async with desk.store.reading() as reader:
        before = await reader.head()

    with pytest.raises(error) as refused:
        await ask(desk, cast.ada, tool_schema=schema)

    assert refused.value.field == field
    async with desk.store.reading() as reader:
        assert await reader.head() == before


@promise("same-key-same-case")
async def test_the_same_key_with_another_schema_is_another_input(desk: Desk, cast: Cast) -> None:
    first = await ask(desk, cast.ada, WIRE, tool_schema=TOOL, idempotency_key="k")

    again = await ask(desk, cast.ada, WIRE, tool_schema=TOOL, idempotency_key="k")
    with pytest.raises(Conflict):
        await ask(desk, cast.ada, WIRE, idempotency_key="k")

    assert again.escalation_id == first.escalation_id


def _twice_each(count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a schema whose parts name the next one twice under a property called like a keyword, and its value."""
    defs: dict[str, Any] = {f"a{count}": {"type": "integer"}}
    value: Any = 1
    for n in range(count):
        following = {"$ref": f"#/$defs/a{n + 1}"}
        defs[f"a{n}"] = {"properties": {"default": {"allOf": [following, following]}}}
        value = {"default": value}
    return {"properties": {"default": {"$ref": "#/$defs/a0"}}, "$defs": defs}, {"default": value}


_MANY = {"a": [{"b": n} for n in range(10_000)]}
_BOMB, _BOMB_VALUE = _twice_each(30)


@pytest.mark.parametrize(
    ("schema", "arguments", "error", "field"),
    [
        (_BOMB, _BOMB_VALUE, LimitExceeded, "tool_schema"),
        ({"properties": {"enum": {"$ref": "#/$defs/enum"}}, "$defs": {"enum": {"$ref": "#/$defs/enum"}}}, {"enum": 1}, InvalidRequest, "tool_schema"),
        ({"properties": {"const": {"properties": {f"p{n}": {"pattern": "a"} for n in range(21)}}}}, {}, LimitExceeded, "tool_schema"),
        ({"$ref": "#/$defs/a0", "$defs": {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(900)} | {"a900": True}}, {}, InvalidRequest, "tool_schema"),
        ({"required": [{"b": n} for n in range(4_000)]}, {}, InvalidRequest, "tool_schema.required"),
        ({"dependentRequired": {"a": [{"b": n} for n in range(4_000)]}}, {}, InvalidRequest, "tool_schema.dependentRequired.a"),
        ({"properties": {"a": {"items": {"allOf": [{"type": "object"}] * 2_400}}}}, _MANY, LimitExceeded, "action.arguments"),
        ({"properties": {"a": {"items": {"anyOf": [{"type": "integer"}] * 2_400}}}}, _MANY, LimitExceeded, "action.arguments"),
        ({"properties": {"a": {"items": {"enum": [[n] for n in range(9_000)]}}}}, _MANY, LimitExceeded, "action.arguments"),
        ({"additionalProperties": {"pattern": r"\w{1,200}"}}, {f"p{n}": "abc" for n in range(2_000)}, LimitExceeded, "action.arguments"),
        ({"properties": {"a": {"pattern": "a(a|b){900}c"}}}, {"a": "ab" * 120_000}, LimitExceeded, "action.arguments"),
    ],
    ids=["references twice each", "in circles", "patterns below a name", "a long way", "required", "dependent", "allOf", "anyOf", "enum", "pattern", "long text"],
)  # fmt: skip
async def test_an_agent_whose_schema_would_take_minutes_to_check_is_refused_with_the_limit(
    desk: Desk, cast: Cast, schema: dict[str, Any], arguments: Any, error: type[InvalidRequest], field: str
) -> None:
    with pytest.raises(error) as refused:
        await ask(desk, cast.ada, Action(tool="pay", arguments=arguments), tool_schema=schema)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("values", "unique"),
    [
        ([{"b": n} for n in range(10_000)], True),
        ([{"b": n} for n in [*range(9_000), 5]], False),
        ([1, True, "1", None, 0, False, "", [], {}, [1], [True], {"a": 1}, {"a": True}], True),
        ([1, 1.0], False),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0}], False),
        ([["1 2"], ["1", "2"], ["1", " 2"]], True),
    ],
)
async def test_an_agent_learns_whether_all_members_differ_however_many_there_are(
    desk: Desk, cast: Cast, values: list[Any], unique: bool
) -> None:
    schema = {"properties": {"a": {"uniqueItems": True}}}

    if unique:
        assert (
            await ask(desk, cast.ada, Action(tool="pay", arguments={"a": values}), tool_schema=schema)
        ).escalation_id
    else:
        with pytest.raises(InvalidRequest, match="uniqueItems") as refused:
            await ask(desk, cast.ada, Action(tool="pay", arguments={"a": values}), tool_schema=schema)
        assert refused.value.field == "action.arguments.a"


@pytest.mark.parametrize(
    ("schema", "value", "taken"),
    [
        ({"enum": [1]}, 1.0, True),
        ({"enum": [1]}, True, False),
        ({"enum": [{"x": [0]}]}, {"x": [False]}, False),
        ({"const": {"x": 1, "y": 2}}, {"y": 2, "x": 1}, True),
        ({"const": None}, None, True),
        ({"const": False}, 0, False),
    ],
)
async def test_an_agent_s_fixed_values_are_compared_as_json_schema_compares_them(
    desk: Desk, cast: Cast, schema: dict[str, Any], value: Any, taken: bool
) -> None:
    asked = ask(
        desk, cast.ada, Action(tool="pay", arguments={"a": value}), tool_schema={"properties": {"a": schema}}
    )

    if taken:
        assert (await asked).escalation_id
    else:
        with pytest.raises(InvalidRequest):
            await asked


async def test_an_agent_may_send_a_large_schema_and_large_arguments(desk: Desk, cast: Cast) -> None:
    row = {"type": "object", "required": ["id", "sum"], "properties": {"id": {"type": "string", "pattern": "^[a-z]{1,9}$"}, "sum": {"type": "number", "minimum": 0}}}  # fmt: skip
    arguments = {"rows": [{"id": "abc", "sum": 12.5} for _ in range(5_000)]}

    asked = await ask(desk, cast.ada, Action(tool="pay", arguments=arguments), tool_schema={"properties": {"rows": {"items": row}}})  # fmt: skip

    assert asked.escalation_id


async def test_everybody_else_is_answered_while_an_agent_s_schema_is_checked(
    desk: Desk, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking, answered = threading.Event(), threading.Event()
    served: list[bool] = []

    def slow(schema: Any, value: Any, *, field: str) -> Any:
        checking.set()
        served.append(answered.wait(timeout=20))
        return best_error(schema, value, field=field)

    async def others() -> None:
        while not checking.is_set():
            await anyio.lowlevel.checkpoint()
        answered.set()

    monkeypatch.setattr("signoff.desk.responses.best_error", slow)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        await ask(desk, cast.ada, tool_schema=TOOL)

    assert served == [True]
