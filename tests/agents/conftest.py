"""A real MCP client for each agent, in memory, and a person who decides."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp.client import Client
from mcp.server.lowlevel import Server
from mcp.types import CallToolResult, TextContent, TextResourceContents

from signoff.agents.mcp_door import Request
from signoff.agents.mcp_server import build_mcp_server
from signoff.desk.decide import decide
from signoff.desk.desk import Desk
from signoff.desk.look import look
from signoff.domain.decision import Answer
from signoff.domain.people import Agent, SignIn

WIRE: dict[str, Any] = {
    "tool": "wire_transfer",
    "arguments": {"amount": 12500, "country": "DE"},
    "summary": "Pay the invoice",
}

ServerFor = Callable[[Agent], Server[Any]]
Decide = Callable[..., Awaitable[None]]


@pytest.fixture
def server_for(desk: Desk) -> ServerFor:
    """Make the MCP server as one agent meets it."""

    def build(agent: Agent) -> Server[Any]:
        async def identify(_request: Request) -> Agent:
            known = await desk.store.agent(agent.id)
            assert known is not None
            return known

        return build_mcp_server(desk, identify)

    return build


@pytest.fixture
def decide_as(desk: Desk) -> Decide:
    """Decide a case as a person does who sees its page."""

    async def act(person: SignIn, escalation_id: str, answer: Answer) -> None:
        view = await look(desk, person, escalation_id)
        await decide(
            desk, person, escalation_id, answer, version=view.case.version, view_digest=view.view_digest
        )

    return act


def given(result: CallToolResult) -> dict[str, Any]:
    """Return a tool's structured content; the text beside it says the same."""
    assert not result.is_error, text_of(result)
    assert json.loads(text_of(result)) == result.structured_content
    made: dict[str, Any] = result.structured_content
    return made


def refused(result: CallToolResult) -> str:
    """Return what a tool error says."""
    assert result.is_error
    assert result.structured_content is None
    return text_of(result)


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def ask(client: Client, **more: Any) -> str:
    """Ask for approval of the wire and return the escalation id."""
    made = given(await client.call_tool("request_approval", {"action": WIRE, **more}))
    assert made["status"] == "pending"
    escalation_id: str = made["escalation_id"]
    return escalation_id


async def read(client: Client, uri: str) -> str:
    (contents,) = (await client.read_resource(uri)).contents
    assert isinstance(contents, TextResourceContents)
    return contents.text
