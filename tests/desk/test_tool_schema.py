"""The tool's own JSON Schema, sent with a request: what people may change arguments to."""

from __future__ import annotations

from typing import Any

import pytest
from tests._support.cases import WIRE, answer, ask, verified
from tests.conftest import Cast
from tests.promises import promise

from signoff.desk.desk import Desk
from signoff.desk.look import look
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
