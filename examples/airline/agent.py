"""The agent's side: an MCP client that checks, asks, obeys, claims and reports. It holds nothing that decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airline.recording import Call
from mcp.client import Client
from mcp.types import TextContent


@dataclass(frozen=True)
class Asked:
    """A case as the agent knows it after asking."""

    escalation_id: str
    status: str
    verdict: str


class AirlineAgent:
    """Puts recorded calls to signoff, one after another."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask(self, call: Call) -> Asked:
        """Check an action, then ask for approval of it; asking again after a lost answer finds the same case."""
        given = {"action": action_of(call), "bundle": call.bundle}
        checked = await self._tool("check_triggers", given)
        key = f"{call.conversation}/{call.number}"
        asked = await self._tool("request_approval", {**given, "idempotency_key": key})
        again = await self._tool("request_approval", {**given, "idempotency_key": key})
        if checked["verdict"] != asked["verdict"] or again["escalation_id"] != asked["escalation_id"]:
            raise RuntimeError(f"{key}: checking and asking disagree")
        return Asked(asked["escalation_id"], asked["status"], asked["verdict"])

    async def finish(self, call: Call, asked: Asked) -> str:
        """Learn the decision; if it allows something, claim exactly that and report; return the status."""
        told = await self._tool(
            "get_decision", {"escalation_id": asked.escalation_id, "wait_s": 0, "action": action_of(call)}
        )
        status: str = told["status"]
        if told["proceed"] != (status == "approved"):
            raise RuntimeError(f"{asked.escalation_id}: {status}, yet proceed is {told['proceed']}")
        if status not in ("approved", "modified"):
            return status
        await self._tool("claim_approval", {"escalation_id": asked.escalation_id, "action": told["action"]})
        await self._tool("report_outcome", {"escalation_id": asked.escalation_id, **outcome_of(call, status)})
        return status

    async def _tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        result = await self._client.call_tool(name, arguments)
        if result.is_error:
            text = " ".join(one.text for one in result.content if isinstance(one, TextContent))
            raise RuntimeError(f"{name}: {text}")
        made: dict[str, Any] = result.structured_content
        return made


def action_of(call: Call) -> dict[str, Any]:
    return {
        "tool": call.tool,
        "arguments": call.arguments,
        "summary": f"{call.tool.replace('_', ' ')} for {call.user_id}",
    }


def outcome_of(call: Call, status: str) -> dict[str, Any]:
    """What the airline's system answered then; nothing is run again, and changed arguments never were."""
    if status == "modified":
        return {"outcome": "succeeded", "note": "A replay: taken as done, the recording has no answer to it."}
    failed = call.result.startswith("Error")
    return {
        "outcome": "failed" if failed else "succeeded",
        "note": "A replay of the recorded answer.",
        "result": call.result[:2000],
    }
