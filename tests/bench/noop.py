"""Servers that do nothing: one tool that returns a constant, over stdio or HTTP."""

import json
import socket
import sys
from functools import partial
from typing import Any

import anyio
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)
from starlette.types import ASGIApp

from signoff.agents.answers import Check
from signoff.agents.mcp_tools import TOOLS
from signoff.domain.action import Action
from signoff.domain.bundle import Material

CONSTANT: dict[str, Any] = {
    "verdict": "allow",
    "triggers": [],
    "urgency": "normal",
    "queue": "default",
    "policy_digest": "sha256:" + "0" * 64,
    "next_step": "No approval is needed. Run the action.",
}
"""What `check_triggers` answers where nothing fires."""


def low_level() -> Server[Any]:
    """Return a server whose one tool is announced as `check_triggers` is, and returns the constant."""
    tool = TOOLS[0].definition()
    text = json.dumps(CONSTANT)

    async def list_tools(
        _ctx: ServerRequestContext[Any, Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=[tool])

    async def call_tool(
        _ctx: ServerRequestContext[Any, Any], _params: CallToolRequestParams
    ) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=CONSTANT)

    return Server("noop", on_list_tools=list_tools, on_call_tool=call_tool)


def high_level() -> MCPServer[Any]:
    """Return the same as people write tools on the SDK: it reads the arguments into models, and does nothing."""
    server = MCPServer("noop")

    @server.tool()
    def check_triggers(action: Action, bundle: Material) -> dict[str, Any]:
        return CONSTANT

    return server


def high_level_async() -> MCPServer[Any]:
    """Return the same with a coroutine, which the SDK runs without a thread, and a typed answer, which clients check."""
    server = MCPServer("noop")
    answer = Check.model_validate(CONSTANT)

    @server.tool()
    async def check_triggers(action: Action, bundle: Material) -> Check:
        return answer

    return server


MADE = {"tool": high_level, "async": high_level_async}


async def bare_over_stdio() -> None:
    """Serve the low-level server over stdio."""
    server = low_level()
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def over_http(app: ASGIApp, port: int) -> None:
    """Serve an application as `signoff serve` is served."""
    # Named TCP, as there: asyncio turns Nagle's algorithm off only for such a socket.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", port))
    listening.listen()
    config = uvicorn.Config(app, log_level="warning")
    anyio.run(partial(uvicorn.Server(config).serve, [listening]))


if __name__ == "__main__":
    kind, transport, *rest = sys.argv[1:]
    if transport == "http":
        made = low_level().streamable_http_app() if kind == "bare" else MADE[kind]().streamable_http_app()
        over_http(made, int(rest[0]))
    elif kind == "bare":
        anyio.run(bare_over_stdio)
    else:
        MADE[kind]().run("stdio")
