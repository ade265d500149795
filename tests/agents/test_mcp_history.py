"""Every history signal as an agent meets it: over MCP, in the verdict on its next action."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.client import Client
from tests.agents.conftest import ServerFor, given
from tests.conftest import Cast

from signoff.desk.desk import Desk

RULES = {
    "sum": ("{sum: action.arguments.amount, over: 1h, by: bundle.subject.id}", "signals.it > 25"),
    "count": ("{count: true, over: 1h, of: same_action, by: session}", "signals.it >= 3"),
    "rate": ("{rate: minute, over: 1h}", "signals.it >= 3.0 / 60.0"),
    "distinct": ("{distinct: action.arguments.n, over: 1h}", "signals.it >= 3"),
    "denials": ("{denials: true, over: 1h, of: forbidden}", "signals.it >= 1"),
    "new_tool": ("{new_tool: true, over: 1h}", "!signals.it"),
    "failures": ("{failures: true, over: 1h}", "signals.it >= 1"),
}


@pytest.fixture
def policy_path(tmp_path: Any, kind: str) -> Any:
    signal, when = RULES[kind]
    path = tmp_path / "policy.yaml"
    path.write_text(
        f"version: 1\nsignals:\n  it: {signal}\ntriggers:\n"
        f"  - {{id: it, tools: [pay], when: '{when}', then: escalate, explain: 'it is {{{{signals.it}}}}'}}\n"
        "  - {id: never, tools: [forbidden], then: deny}\n"
        "  - {id: fine, tools: [run], then: allow}\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(
    ("kind", "before", "verdicts", "shown"),
    [
        ("sum", [], ["allow", "allow", "escalate"], "it is 30"),
        ("count", [], ["allow", "allow", "escalate"], "it is 3"),
        ("rate", [], ["allow", "allow", "escalate"], "it is 0.05"),
        ("distinct", [], ["allow", "allow", "allow"], None),
        ("denials", ["forbidden"], ["escalate", "escalate", "escalate"], "it is 1"),
        ("new_tool", [], ["allow", "escalate", "escalate"], "it is false"),
    ],
)
async def test_an_agent_is_stopped_by_what_it_asked_before(
    server_for: ServerFor, cast: Cast, kind: str, before: list[str], verdicts: list[str], shown: str | None
) -> None:
    async with Client(server_for(cast.ada)) as client:
        for tool in before:
            await client.call_tool("check_triggers", {"action": {"tool": tool}})
        action = {"tool": "pay", "arguments": {"amount": 10, "n": 1}}
        sent = {"action": action, "bundle": {"subject": {"id": "c1"}}}
        made = [given(await client.call_tool("check_triggers", sent)) for _ in range(3)]
    assert [one["verdict"] for one in made] == verdicts
    if shown is not None:
        assert made[-1]["triggers"][0]["explanation"] == shown


@pytest.mark.parametrize("kind", ["failures"])
async def test_an_agent_whose_action_failed_is_stopped(server_for: ServerFor, cast: Cast, kind: str) -> None:
    run = {"tool": "run", "arguments": {}}
    async with Client(server_for(cast.ada)) as client:
        case = given(await client.call_tool("request_approval", {"action": run}))["escalation_id"]
        await client.call_tool("claim_approval", {"escalation_id": case, "action": run})
        check = {"action": {"tool": "pay", "arguments": {}}}
        assert given(await client.call_tool("check_triggers", check))["verdict"] == "allow"
        await client.call_tool("report_outcome", {"escalation_id": case, "outcome": "failed"})
        assert given(await client.call_tool("check_triggers", check))["verdict"] == "escalate"


@pytest.mark.parametrize("kind", ["count"])
async def test_an_ask_is_recorded_under_the_agents_own_session(
    server_for: ServerFor, cast: Cast, desk: Desk, kind: str
) -> None:
    async with Client(server_for(cast.ada)) as client:
        given(await client.call_tool("check_triggers", {"action": {"tool": "pay", "arguments": {}}}))
    async with desk.store.reading() as reader:
        (only,) = [one async for one in reader.asked_since(cast.ada.created_at)]
    assert (only.agent_id, only.session, only.tool) == (cast.ada.id, cast.ada.id, "pay")
