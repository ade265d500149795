"""The tools, through a real MCP client."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.server._otel import OpenTelemetryMiddleware
from mcp.shared.exceptions import MCPError
from opentelemetry import trace
from tests._support.clock import HandClock
from tests.agents.conftest import WIRE, Decide, ServerFor, ask, given, refused, text_of
from tests.conftest import Cast

from signoff.agents.mcp_door import Request
from signoff.agents.mcp_server import build_mcp_server
from signoff.desk.desk import Desk
from signoff.desk.limits import limit_agent
from signoff.domain.decision import Answer
from signoff.domain.errors import StoreUnavailable
from signoff.domain.people import Agent

READ_ONLY = {"get_decision"}
USES_UP = {"claim_approval", "cancel_request"}


async def test_an_agent_finds_seven_tools_that_say_what_they_do(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == READ_ONLY | USES_UP | {
        "answer_question",
        "check_triggers",
        "request_approval",
        "report_outcome",
    }
    for name, tool in tools.items():
        assert tool.description
        assert tool.title
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None
        assert "next_step" in tool.output_schema["properties"]
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint == (name in READ_ONLY)
        assert tool.annotations.destructive_hint == (name in USES_UP)
    assert tools["get_decision"].input_schema["properties"]["wait_s"]["default"] == 25
    assert tools["request_approval"].input_schema["properties"]["wait_s"]["default"] == 0


async def test_a_call_is_traced_where_somebody_collects_traces(
    server_for: ServerFor, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced: list[str] = []
    original = OpenTelemetryMiddleware.__call__

    async def noted(self: OpenTelemetryMiddleware, ctx: Any, call_next: Any) -> Any:
        traced.append(ctx.method)
        return await original(self, ctx, call_next)

    monkeypatch.setattr(OpenTelemetryMiddleware, "__call__", noted)
    async with Client(server_for(cast.ada)) as client:
        given(await client.call_tool("check_triggers", {"action": WIRE}))
        assert traced == []
        monkeypatch.setattr(
            trace, "get_tracer_provider", trace.NoOpTracerProvider
        )  # stands for one that was set
        given(await client.call_tool("check_triggers", {"action": WIRE}))
    assert "tools/call" in traced


async def test_schemas_admit_the_conversations_that_the_tools_take(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    message = tools["request_approval"].input_schema["$defs"]["Message"]
    assert "additionalProperties" not in message
    assert "content" not in message["properties"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_learns_what_the_policy_says(server_for: ServerFor, cast: Cast, mode: str) -> None:
    async with Client(server_for(cast.ada), mode=mode) as client:
        wire = given(await client.call_tool("check_triggers", {"action": WIRE}))
        deny = given(await client.call_tool("check_triggers", {"action": {"tool": "launch_missiles"}}))
        allow = given(await client.call_tool("check_triggers", {"action": {"tool": "read_file"}}))
        board = given(await client.call_tool("check_triggers", {"action": {"tool": "sell_company"}}))
    assert wire["verdict"] == "escalate"
    assert [fired["trigger"] for fired in wire["triggers"]] == ["large-wire"]
    assert wire["triggers"][0]["explanation"] == "12500 to “DE”"
    assert wire["triggers"][0]["values"] == {"action.arguments.amount": 12500}
    assert wire["queue"] == "payments"
    assert wire["urgency"] == "high"
    assert (deny["verdict"], allow["verdict"]) == ("deny", "allow")
    assert "required" not in allow
    assert board["required"] == {
        "role": "supervisor",
        "approvals": 2,
        "assurance": "session",
        "reason": True,
    }


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_approved_action_is_claimed_once_and_reported(
    server_for: ServerFor, cast: Cast, decide_as: Decide, mode: str
) -> None:
    async with Client(server_for(cast.ada), mode=mode) as client:
        case = await ask(client)
        await decide_as(cast.omar, case, Answer("approve", note="fine"))
        told = given(await client.call_tool("get_decision", {"escalation_id": case, "action": WIRE}))
        assert told["status"] == "approved"
        assert told["proceed"] is True
        assert told["note"] == "fine"
        assert told["decided_by"][0]["name"] == "Omar"
        assert told["receipt"].count(".") == 2
        claimed = given(await client.call_tool("claim_approval", {"escalation_id": case, "action": WIRE}))
        assert claimed["granted"] is True
        assert claimed["action"] == {"tool": "wire_transfer", "arguments": WIRE["arguments"]}
        again = await client.call_tool("claim_approval", {"escalation_id": case, "action": WIRE})
        assert refused(again).startswith("conflict: already_claimed: ")
        ended = given(
            await client.call_tool(
                "report_outcome", {"escalation_id": case, "outcome": "succeeded", "result": {"id": 7}}
            )
        )
        assert ended["outcome"] == "succeeded"


async def test_a_modified_action_runs_only_as_the_person_changed_it(
    server_for: ServerFor, cast: Cast, decide_as: Decide
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        await decide_as(cast.omar, case, Answer("modify", arguments={"amount": 9000, "country": "DE"}))
        told = given(await client.call_tool("get_decision", {"escalation_id": case, "action": WIRE}))
        assert told["status"] == "modified"
        assert told["proceed"] is False
        own = await client.call_tool("claim_approval", {"escalation_id": case, "action": WIRE})
        assert refused(own).startswith("conflict: digest_mismatch: ")
        changed = await client.call_tool("claim_approval", {"escalation_id": case, "action": told["action"]})
        assert given(changed)["granted"] is True


async def test_a_rejected_action_comes_with_the_persons_note(
    server_for: ServerFor, cast: Cast, decide_as: Decide
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        await decide_as(cast.omar, case, Answer("reject", note="wrong account"))
        told = given(await client.call_tool("get_decision", {"escalation_id": case}))
        assert (told["status"], told["note"]) == ("rejected", "wrong account")
        assert "action" not in told
        claim = await client.call_tool("claim_approval", {"escalation_id": case, "action": WIRE})
        assert refused(claim).startswith("conflict: not_approved: ")


async def test_a_typed_response_reaches_the_agent(
    server_for: ServerFor, cast: Cast, decide_as: Decide
) -> None:
    schema = {
        "type": "object",
        "properties": {"cost_centre": {"type": "string"}},
        "required": ["cost_centre"],
    }
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client, response_schema=schema)
        await decide_as(cast.omar, case, Answer("approve", response={"cost_centre": "K7"}))
        told = given(await client.call_tool("get_decision", {"escalation_id": case}))
    assert told["response"] == {"cost_centre": "K7"}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_waiting_agent_is_woken_by_the_decision_and_sees_progress(
    server_for: ServerFor, cast: Cast, decide_as: Decide, mode: str
) -> None:
    shown: list[str] = []
    asked = anyio.Event()
    told: dict[str, Any] = {}

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        shown.append(message or "")

    async with Client(server_for(cast.ada), mode=mode) as client:
        case = await ask(client)

        async def wait() -> None:
            asked.set()
            result = await client.call_tool(
                "get_decision", {"escalation_id": case, "wait_s": 45}, progress_callback=on_progress
            )
            told.update(given(result))

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await asked.wait()
                await decide_as(cast.omar, case, Answer("approve"))
    assert told["status"] == "approved"
    assert all(message.startswith("Waiting for a person") for message in shown)


async def test_asking_can_wait_for_the_answer(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        with anyio.fail_after(5):
            result = await client.call_tool("request_approval", {"action": WIRE, "wait_s": 0.05})
        assert given(result)["status"] == "pending"
        denied = await client.call_tool(
            "request_approval", {"action": {"tool": "launch_missiles"}, "wait_s": 45}
        )
        assert given(denied)["status"] == "rejected"


async def test_a_case_stays_known_when_waiting_for_it_fails(
    server_for: ServerFor, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise StoreUnavailable("The store cannot be read.")

    monkeypatch.setattr("signoff.agents.mcp_verbs.wait_for_decision", broken)
    async with Client(server_for(cast.ada)) as client:
        assert await ask(client, wait_s=1)


async def test_a_decision_that_can_be_taken_back_is_not_told(
    server_for: ServerFor, cast: Cast, decide_as: Decide, clock: HandClock, desk: Desk
) -> None:
    object.__setattr__(desk.settings, "undo_s", 10)
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        await decide_as(cast.omar, case, Answer("approve", note="a secret for ten seconds"))
        early = await client.call_tool("get_decision", {"escalation_id": case, "wait_s": 0, "action": WIRE})
        assert given(early)["status"] == "pending"
        assert given(early)["proceed"] is False
        for kind in ("escalation", "audit", "trace"):
            (contents,) = (await client.read_resource(f"{kind}://{case}")).contents
            assert "escalation.decided" not in contents.model_dump_json()
            assert "ten seconds" not in contents.model_dump_json()
        listing = (await client.list_resources()).model_dump_json()
        assert "approved" not in listing
        clock.advance(10)
        late = await client.call_tool("get_decision", {"escalation_id": case, "action": WIRE})
        assert given(late)["proceed"] is True


async def test_the_same_key_returns_the_same_case(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        first = await ask(client, idempotency_key="invoice-77")
        assert await ask(client, idempotency_key="invoice-77") == first
        other = await client.call_tool(
            "request_approval", {"action": {"tool": "other"}, "idempotency_key": "invoice-77"}
        )
        assert refused(other).startswith("conflict: ")


async def test_a_withdrawn_request_is_decided_by_nobody(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        ended = given(
            await client.call_tool("cancel_request", {"escalation_id": case, "reason": "user left"})
        )
        assert ended["status"] == "cancelled"
        told = given(await client.call_tool("get_decision", {"escalation_id": case}))
        assert told["status"] == "cancelled"


async def test_foreign_and_absent_ids_answer_alike(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
    async with Client(server_for(cast.bea)) as client:
        for tool, more in (
            ("get_decision", {}),
            ("claim_approval", {"action": WIRE}),
            ("report_outcome", {"outcome": "succeeded"}),
            ("cancel_request", {"reason": "mine now"}),
        ):
            foreign = await client.call_tool(tool, {"escalation_id": case, **more})
            absent = await client.call_tool(tool, {"escalation_id": "esc_" + "0" * 26, **more})
            assert refused(foreign) == refused(absent)
            assert refused(foreign).startswith("not_found: ")


async def test_a_paused_agent_is_refused_from_its_next_call_on(
    cast: Cast, desk: Desk, clock: HandClock
) -> None:
    known = cast.ada

    async def identify(_request: Request) -> Agent:
        return known

    async with Client(build_mcp_server(desk, identify)) as client:
        given(await client.call_tool("check_triggers", {"action": WIRE}))
        known = replace(cast.ada, paused_at=clock.now())
        for tool in ("check_triggers", "request_approval"):
            assert refused(await client.call_tool(tool, {"action": WIRE})).startswith("forbidden: ")


async def test_an_agent_that_asks_too_much_is_told_to_wait_and_for_how_long(
    server_for: ServerFor, cast: Cast, desk: Desk
) -> None:
    await limit_agent(desk, "Ada", max_open=1, requests_per_minute=None)
    async with Client(server_for(cast.ada)) as client:
        await ask(client)
        told = refused(await client.call_tool("request_approval", {"action": WIRE}))
    assert told.startswith("rate_limited: ")
    assert "do not run the action" in told
    assert told.endswith("Try again in 60 seconds.")


async def test_objects_sent_as_json_text_are_read_just_as_strictly(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        told = await client.call_tool(
            "check_triggers",
            {"action": '{"tool": "wire_transfer", "arguments": {"amount": 20000, "country": "IR"}}'},
        )
        assert given(told)["triggers"][0]["explanation"] == "20000 to “IR”"
        twice = await client.call_tool(
            "check_triggers",
            {"action": '{"tool": "wire_transfer", "arguments": {"amount": 1, "amount": 99999}}'},
        )
        assert refused(twice) == "invalid_request: action: the key amount appears twice in one object."


CONFIDENTIAL = "the customer has been ill for years"

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a tool's name of 201 characters": (
        {"action": {"tool": "x" * 201}},
        "limit_exceeded: action.tool: over the limit: 201 characters, at most 200 characters.",
    ),
    "a summary of 501 characters": (
        {"action": {"tool": "x", "summary": CONFIDENTIAL.ljust(501, "s")}},
        "limit_exceeded: action.summary: over the limit: 501 characters, at most 500 characters.",
    ),
    "arguments over 256 KB": (
        {"action": {"tool": "x", "arguments": {"text": "x" * 262_144}}},
        "limit_exceeded: action.arguments: over the limit: 262155 bytes, at most 262144 bytes.",
    ),
    "a bundle over 2 MB": (
        {"action": {"tool": "x"}, "bundle": {"state": ["x" * 60_000] * 40}},
        "limit_exceeded: bundle: over the limit: ",
    ),
    "2,001 steps": (
        {"action": {"tool": "x"}, "bundle": {"reasoning": [{"kind": "note"}] * 2001}},
        "limit_exceeded: bundle.reasoning: over the limit: 2001 steps, at most 2000 steps.",
    ),
    "a step over 64 KB": (
        {"action": {"tool": "x"}, "bundle": {"reasoning": [{"kind": "note", "text": "x" * 65_537}]}},
        "limit_exceeded: bundle.reasoning[0].text: over the limit: 65537 bytes, at most 65536 bytes.",
    ),
    "an integer beyond 2^53": (
        {"action": {"tool": "x", "arguments": {"n": 2**53 + 1}}},
        "limit_exceeded: action.arguments.n: over the limit: an integer of 16 digits",
    ),
    "half a surrogate pair": (
        {"action": {"tool": "x", "arguments": {"n": "\ud800"}}},
        "invalid_request: action.arguments.n: holds half a surrogate pair",
    ),
    "NUL": (
        {"action": {"tool": "x", "arguments": {"n": "a\0b"}}},
        "invalid_request: action.arguments.n: holds a NUL character",
    ),
    "nesting of 65 levels": (
        {"action": {"tool": "x", "arguments": {"n": json.loads("[" * 64 + "]" * 64)}}},
        "limit_exceeded: action.arguments",
    ),
    "no action": ({}, "invalid_request: action: is missing."),
    "a misspelt argument": (
        {"action": {"tool": "x"}, "wait": 3, "b" * 90: CONFIDENTIAL},
        f"invalid_request: wait: is not a field here. (Also wrong: {'b' * 37}....)",
    ),
    "an unknown kind of step": (
        {"action": {"tool": "x"}, "bundle": {"reasoning": [{"kind": CONFIDENTIAL}]}},
        "invalid_request: bundle.reasoning[0].kind: must be 'thought'",
    ),
    "a wrong type": (
        {"action": {"tool": "x", "arguments": [CONFIDENTIAL]}},
        "invalid_request: action.arguments: must be an object.",
    ),
    "a confidence of 2": (
        {"action": {"tool": "x"}, "bundle": {"confidence": 2}},
        "invalid_request: bundle.confidence: Input should be less than or equal to 1.",
    ),
    "a schema that is none": (
        {"action": {"tool": "x"}, "response_schema": {"type": "nonsense"}},
        "invalid_request: response_schema",
    ),
    "a key of 201 characters": (
        {"action": {"tool": "x"}, "idempotency_key": "k" * 201},
        "limit_exceeded: idempotency_key: over the limit: 201 characters, at most 200 characters.",
    ),
    "a wait of 46 seconds": (
        {"action": {"tool": "x"}, "wait_s": 46},
        "invalid_request: wait_s: Input should be less than or equal to 45.",
    ),
    "an urgency that is none": (
        {"action": {"tool": "x"}, "urgency": "now"},
        "invalid_request: urgency: must be 'low', 'normal', 'high' or 'critical'.",
    ),
}


@pytest.mark.parametrize("case", list(BAD))
async def test_bad_input_is_refused_whole_and_by_name(
    server_for: ServerFor, cast: Cast, desk: Desk, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, expected = BAD[case]
    async with Client(server_for(cast.ada)) as client:
        said = refused(await client.call_tool("request_approval", arguments))
    assert said.startswith(expected)
    assert CONFIDENTIAL not in said
    assert len(said) < 400
    async with desk.store.reading() as reader:
        assert await reader.cases_of_agent(cast.ada.id, 10) == []
    assert CONFIDENTIAL not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("report_outcome", {"outcome": "maybe"}, "invalid_request: outcome: must be 'succeeded'"),
        ("report_outcome", {"outcome": "failed", "result": "x" * 65_536}, "limit_exceeded: result: "),
        ("cancel_request", {"reason": ""}, "invalid_request: reason: "),
        ("cancel_request", {"reason": "x" * 100_000}, "limit_exceeded: reason: "),
        (
            "get_decision",
            {"wait_s": -1},
            "invalid_request: wait_s: Input should be greater than or equal to 0.",
        ),
        (
            "get_decision",
            {"actoin": {"tool": "x"}},
            "invalid_request: actoin: is not a field here.",
        ),
        ("claim_approval", {}, "invalid_request: action: is missing."),
        ("report_outcome", {"outcome": "succeeded"}, "conflict: Nothing was claimed"),
    ],
)
async def test_each_tool_names_the_argument_at_fault(
    server_for: ServerFor, cast: Cast, tool: str, arguments: dict[str, Any], expected: str
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        said = refused(await client.call_tool(tool, {"escalation_id": case, **arguments}))
    assert said.startswith(expected)


async def test_an_unknown_tool_is_an_error_of_the_protocol(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("approve", {})
    assert raised.value.error.code == -32602


def _raising(error: Exception) -> Callable[..., Any]:
    async def verb(*_: object, **__: object) -> None:
        raise error

    return verb


async def test_an_agent_that_cannot_be_answered_is_told_to_stop(
    server_for: ServerFor, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = _raising(StoreUnavailable("The disk is full."))
    monkeypatch.setattr("signoff.agents.mcp_verbs.wait_for_decision", broken)
    async with Client(server_for(cast.ada)) as client:
        said = refused(await client.call_tool("get_decision", {"escalation_id": "esc_1"}))
    assert said.startswith("store_unavailable: The disk is full. Stop here and do not run the action.")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_what_nobody_foresaw_stays_inside(
    server_for: ServerFor,
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: str,
) -> None:
    async with Client(server_for(cast.ada), mode=mode) as client:
        case = await ask(client)
        broken = _raising(RuntimeError("the inner path /home/x"))
        monkeypatch.setattr("signoff.agents.mcp_verbs.wait_for_decision", broken)
        monkeypatch.setattr("signoff.agents.mcp_resources.agent_case", broken)
        result = await client.call_tool("get_decision", {"escalation_id": case})
        with pytest.raises(MCPError) as raised:
            await client.read_resource(f"trace://{case}")
    assert refused(result) == "Internal error. Stop here and do not run the action."
    assert raised.value.error.message == "Internal error."
    assert caplog.text.count("the inner path /home/x") == 2


async def test_a_lost_answer_to_a_claim_can_be_asked_for_again(
    server_for: ServerFor, cast: Cast, decide_as: Decide
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        await decide_as(cast.omar, case, Answer("approve"))
        claim = {"escalation_id": case, "action": WIRE, "idempotency_key": "run-1"}
        first = given(await client.call_tool("claim_approval", claim))
        assert given(await client.call_tool("claim_approval", claim)) == first
        other = await client.call_tool("claim_approval", {**claim, "idempotency_key": "run-2"})
        assert "already_claimed" in text_of(other)
