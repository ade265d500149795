"""A person's question and the agent's answer, through a real MCP client."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from mcp.client import Client
from tests.agents.conftest import WIRE, Decide, ServerFor, ask, given, read, refused
from tests.conftest import Cast
from tests.promises import promise

from signoff.agents.mcp_tools import MAX_ANSWER_CHARS
from signoff.desk.ask_agent import ask_agent
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.domain import question
from signoff.domain.decision import Answer

WHY = "Which invoice is this?"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_waiting_agent_is_asked_answers_and_gets_its_decision(
    server_for: ServerFor, desk: Desk, cast: Cast, decide_as: Decide, mode: str
) -> None:
    async with Client(server_for(cast.ada), mode=mode) as client:
        case = await ask(client)
        waited: list[dict[str, Any]] = []

        async def wait() -> None:
            waited.append(
                given(await client.call_tool("get_decision", {"escalation_id": case, "wait_s": 45}))
            )

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                await ask_agent(desk, cast.omar, case, WHY)
        (asked,) = waited
        assert (asked["status"], asked["question"]["text"]) == ("pending", WHY)
        assert "answer_question" in asked["next_step"]
        assert "proceed" not in asked

        # As Claude Desktop does: an object as JSON text.
        additions = json.dumps({"messages": [{"role": "user", "content": "Pay invoice 77."}]})
        answered = given(
            await client.call_tool(
                "answer_question",
                {
                    "escalation_id": case,
                    "answer": "Invoice 77 of the joinery.",
                    "additions": additions,
                    "question": asked["question"]["number"],
                    "idempotency_key": "answer-1",
                },
            )
        )
        assert answered["status"] == "pending"
        (shown,) = (await look(desk, cast.omar, case)).questions
        assert shown.answer == "Invoice 77 of the joinery."
        assert shown.additions["messages"][0]["content"] == "Pay invoice 77."

        await decide_as(cast.omar, case, Answer("approve"))
        told = given(await client.call_tool("get_decision", {"escalation_id": case, "action": WIRE}))
        assert (told["status"], told["proceed"]) == ("approved", True)
        assert "question" not in told


async def test_the_resource_of_a_case_holds_the_open_question(
    server_for: ServerFor, desk: Desk, cast: Cast
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        await ask_agent(desk, cast.omar, case, WHY)
        shown = json.loads(await read(client, f"escalation://{case}"))
    assert shown["question"]["text"] == WHY


@promise("only-that-human")
async def test_a_foreign_agent_can_neither_read_nor_answer_a_question(
    server_for: ServerFor, desk: Desk, cast: Cast
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
    await ask_agent(desk, cast.omar, case, WHY)
    async with Client(server_for(cast.bea)) as client:
        foreign = await client.call_tool("answer_question", {"escalation_id": case, "answer": "Yes."})
        absent = await client.call_tool("answer_question", {"escalation_id": "esc_0", "answer": "Yes."})
    assert refused(foreign) == refused(absent)
    assert WHY not in refused(foreign)
    assert (await look(desk, cast.omar, case)).questions[0].answer is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"answer": ""},
        {"answer": "Yes.", "additional": {}},
        {"answer": "Yes.", "additions": {"unknown": 1}},
        {"answer": "Yes.", "question": 0},
        {"answer": "Yes.", "question": 2},
        {"answer": "x" * (MAX_ANSWER_CHARS + 1)},
    ],
    ids=["empty", "misspelt", "unknown", "no number", "another", "too long"],
)
async def test_an_answer_that_is_not_understood_is_refused_and_the_question_stays(
    server_for: ServerFor, desk: Desk, cast: Cast, arguments: dict[str, Any]
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        await ask_agent(desk, cast.omar, case, WHY)
        assert refused(await client.call_tool("answer_question", {"escalation_id": case, **arguments}))
        told = given(await client.call_tool("get_decision", {"escalation_id": case, "wait_s": 0}))
    assert told["question"]["text"] == WHY


async def test_an_agent_that_nobody_asked_is_told_so(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        said = refused(await client.call_tool("answer_question", {"escalation_id": case, "answer": "Yes."}))
    assert said.startswith("conflict: ")
    assert "get_decision" in said


def test_the_tool_says_the_desks_own_limit() -> None:
    assert MAX_ANSWER_CHARS == question.MAX_ANSWER_CHARS
