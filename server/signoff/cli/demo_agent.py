"""The demo's agent: a support agent that wants to refund more than it may, and asks.

It is an ordinary MCP client over streamable HTTP with a key of its own. Its script stands in for a model; every
call it makes is real. Nothing here can decide anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from signoff.cli.story import Story

ORDER = "A-1042"
WAIT_S = 20  # seconds one get_decision sleeps; the agent asks again for as long as the case is open

ACTION: dict[str, Any] = {
    "tool": "issue_refund",
    "arguments": {"order": ORDER, "amount": "1240.00", "currency": "EUR", "reason": "charged twice"},
    "summary": "Refund the second charge for order A-1042 to Mira Lindqvist",
}

BUNDLE: dict[str, Any] = {
    "messages": [
        {
            "role": "user",
            "content": "You charged me twice for order A-1042! I need 1,240 euros back.",
        },
        {"role": "assistant", "content": "I am sorry, Mira. Let me look at the payments of that order."},
    ],
    "reasoning": [
        {
            "kind": "thought",
            "text": "The customer says that order A-1042 was charged twice. I look at its payments.",
        },
        {"kind": "tool_call", "tool": "list_payments", "arguments": {"order": ORDER}},
        {
            "kind": "tool_result",
            "tool": "list_payments",
            "result": [
                {"id": "pay_1", "amount": "1240.00", "currency": "EUR", "at": "2026-11-20T09:14:03Z"},
                {"id": "pay_2", "amount": "1240.00", "currency": "EUR", "at": "2026-11-20T09:14:41Z"},
            ],
            "ms": 84,
        },
        {
            "kind": "thought",
            "text": "Two equal charges, 38 seconds apart: most likely a double click at the checkout.",
        },
    ],
    "state": {"ticket": "T-5531", "orders_of_customer": 7, "refunds_last_year": 0},
    "subject": {"id": "cus_88", "name": "Mira Lindqvist", "tier": "gold", "region": "SE"},
    "confidence": 0.82,
    "confidence_source": "self_report",
    "alternatives": [
        {"tool": "open_ticket", "arguments": {"team": "payments"}, "why_not": "She waits in the chat now."}
    ],
    "risk": {"reversible": False, "blast_radius": "one customer, EUR 1,240.00"},
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How the story went for the agent."""

    status: str
    """Of the case; the policy's verdict where that asks nobody."""
    ran: bool


async def play_agent(url: str, key: str, story: Story) -> Ending:
    """Play the agent from its first thought to its report.

    Args:
        url: Of MCP over HTTP.
        key: The agent's bearer key.
    """
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60.0)
    async with http, Client(streamable_http_client(url, http_client=http)) as client:
        story.say(
            "agent",
            f"Connected over MCP {client.protocol_version} with a key that can ask, and decide nothing.",
        )
        message = BUNDLE["messages"][0]["content"]
        story.say("agent", f"{BUNDLE['subject']['name']} writes: “{message}”")
        story.say(
            "agent", "list_payments: two charges of EUR 1,240.00 within a minute. I want to refund one."
        )
        checked = await _call(client, "check_triggers", {"action": ACTION, "bundle": BUNDLE})
        _tell_verdict(story, checked)
        if checked["verdict"] != "escalate":
            return Ending(checked["verdict"], ran=False)

        story.chapter("A person is asked")
        asked = {"action": ACTION, "bundle": BUNDLE, "idempotency_key": f"refund-{ORDER}-{key[-8:]}"}
        case = await _call(client, "request_approval", asked)
        again = await _call(client, "request_approval", asked)
        if again["escalation_id"] != case["escalation_id"]:
            raise RuntimeError("a repeated request opened a second case")
        story.say(
            "agent",
            "request_approval, with my reasoning, the conversation and the exact action. Sent twice, as after a"
            " lost reply: it is the same case, and nobody is alerted twice.",
        )
        story.say(
            "signoff", f"Case {case['escalation_id']} waits in '{case['queue']}', urgency {case['urgency']}."
        )
        decided = await _decision(client, case["escalation_id"], story)
        return await _obey(client, decided, story)


async def _decision(client: Client, escalation_id: str, story: Story) -> dict[str, Any]:
    story.say("agent", "get_decision … I wait, call after call, for as long as it takes.")
    while True:
        case = await _call(client, "get_decision", {"escalation_id": escalation_id, "wait_s": WAIT_S})
        if case["status"] != "pending":
            return case


async def _obey(client: Client, case: dict[str, Any], story: Story) -> Ending:
    story.chapter("The agent obeys")
    who = ", ".join(person["name"] for person in case.get("decided_by", ()))
    note = f": “{case['note']}”" if case.get("note") else "."
    if case["status"] not in ("approved", "modified"):
        told = f"{who} said no{note}" if case["status"] == "rejected" else f"The case is {case['status']}."
        story.say(
            "agent",
            f"{told} I do not refund anything; I tell Mira that a colleague will call her.",
            good=False,
        )
        return Ending(case["status"], ran=False)
    story.say(
        "agent",
        f"{who} {case['status']} it{note} Assurance: {case['assurance']}. I hold a signed receipt.",
        good=True,
    )
    final = case["action"]
    if case["status"] == "modified":
        story.say(
            "agent", f"Other arguments than I proposed, so I run those: {json.dumps(final['arguments'])}"
        )
    await _try_another_order(client, case, story)
    claimed = await _call(client, "claim_approval", {"escalation_id": case["escalation_id"], "action": final})
    story.say("agent", "claim_approval: granted, for exactly this action, once.")
    refund = {"refund": "re_7f31", "arguments": claimed["action"]["arguments"]}
    story.say(
        "agent",
        f"issue_refund: {refund['refund']} over {final['arguments'].get('amount')} is on its way to Mira.",
    )
    await _call(
        client,
        "report_outcome",
        {
            "escalation_id": case["escalation_id"],
            "outcome": "succeeded",
            "result": {"refund": refund["refund"]},
        },
    )
    story.say("agent", "report_outcome: succeeded.", good=True)
    return Ending(case["status"], ran=True)


async def _try_another_order(client: Client, case: dict[str, Any], story: Story) -> None:
    """Show that an approval is for one action: a single changed character is refused."""
    other = {**case["action"], "arguments": {**case["action"]["arguments"], "order": ORDER + "3"}}
    asked = {"escalation_id": case["escalation_id"], "action": other}
    result = await client.call_tool("claim_approval", asked)
    if not result.is_error:
        raise RuntimeError("a changed action was let through")
    story.say("agent", f"claim_approval with order {ORDER}3, as a confused model might: refused, and logged.")


def _tell_verdict(story: Story, checked: dict[str, Any]) -> None:
    story.say("agent", "check_triggers, before I do anything.")
    for fired in checked["triggers"]:
        story.say("signoff", f"{checked['verdict']}: {fired['title']} ({fired['explanation']})", good=False)


async def _call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        text = " ".join(part.text for part in result.content if isinstance(part, TextContent))
        raise RuntimeError(f"{tool}: {text}")
    return dict(result.structured_content)
