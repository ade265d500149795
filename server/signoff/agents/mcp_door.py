"""What the MCP server does once a desk is there: one handler a method of MCP.

Importing this module imports the desk and all below it, which the first answers of a server do not need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    ResourceTemplateReference,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from signoff.agents import mcp_resources
from signoff.agents.errors import tool_error
from signoff.agents.mcp_subscribers import Ready, Subscribers
from signoff.agents.mcp_tools import TOOLS
from signoff.agents.mcp_updates import Listening, watch_resource
from signoff.agents.mcp_verbs import call
from signoff.desk.desk import Desk
from signoff.domain.people import Agent

_TOOLS = {tool.name: tool for tool in TOOLS}
Request = ServerRequestContext[Subscribers, Any]
Identify = Callable[[Request], Awaitable[Agent]]
"""Says who sent a request, from its credential; asked for every request, so that a pause counts at once."""


@dataclass(frozen=True, slots=True)
class Door:
    """The handlers, one a method of MCP."""

    desk: Desk
    identify: Identify
    session: str | None = None
    """The agent session where the transport has one for the whole process, as stdio has."""
    listening: Listening = field(default_factory=Listening)

    async def call_tool(
        self, request: Request, params: CallToolRequestParams
    ) -> CallToolResult | dict[str, Any]:
        """Call a tool; what it refuses is a tool error that the model reads."""
        tool = _TOOLS.get(params.name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message="There is no such tool. tools/list names them.")

        async def tick(waited_s: float) -> None:
            await request.session.report_progress(
                waited_s, message=f"Waiting for a person, {waited_s:.0f} s so far."
            )

        try:
            agent = await self.identify(request)
            told = await call(
                self.desk,
                agent,
                tool,
                arguments=params.arguments or {},
                tick=tick,
                session=_agent_session(request) or self.session,
            )
        except Exception as error:  # noqa: BLE001 -- the door: what nobody foresaw is logged and told as such
            return tool_error(error, tool=tool.name)
        return told.result

    async def list_resources(
        self, request: Request, _params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        """List the agent's own latest cases, and the policy."""
        return ListResourcesResult(
            resources=await mcp_resources.listed(self.desk, await self.identify(request))
        )

    async def list_templates(
        self, _request: Request, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        """List the kinds of resources."""
        return ListResourceTemplatesResult(resource_templates=mcp_resources.templates())

    async def read_resource(self, request: Request, params: ReadResourceRequestParams) -> ReadResourceResult:
        """Read one resource."""
        contents = await mcp_resources.read(self.desk, await self.identify(request), str(params.uri))
        return ReadResourceResult(contents=[contents])

    async def subscribe(self, request: Request, params: SubscribeRequestParams) -> EmptyResult:
        """Notify of a resource's changes, in the revisions before 2026-07-28."""
        uri = str(params.uri)

        async def notify() -> None:
            await request.session.send_resource_updated(uri)

        agent = await self.identify(request)

        async def watching(ready: Ready) -> None:
            await watch_resource(self.desk, agent, uri, notify=notify, ready=ready)

        await request.lifespan_context.subscribe(_session(request), uri, watching=watching)
        return EmptyResult()

    async def unsubscribe(self, request: Request, params: UnsubscribeRequestParams) -> EmptyResult:
        """Notify no more."""
        request.lifespan_context.unsubscribe(_session(request), str(params.uri))
        return EmptyResult()

    async def listen(
        self, request: Request, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Notify of resources' changes for as long as the client keeps listening."""
        return await self.listening.listen(self.desk, await self.identify(request), request, params)

    async def complete(self, request: Request, params: CompleteRequestParams) -> CompleteResult:
        """Complete the id in a resource's URI."""
        if not isinstance(params.ref, ResourceTemplateReference) or params.argument.name != "id":
            return CompleteResult(completion=Completion(values=[], total=0, has_more=False))
        return CompleteResult(
            completion=await mcp_resources.completed(
                self.desk, await self.identify(request), params.ref.uri, params.argument.value
            )
        )


def _session(request: Request) -> str:
    """Return which MCP session a request belongs to; over stdio there is one, and it has no name."""
    headers = getattr(request.request, "headers", None) or {}
    return str(headers.get("mcp-session-id", ""))


def _agent_session(request: Request) -> str | None:
    """Return the agent session that an MCP session stands for; its own name opens it, so only a digest is kept."""
    name = _session(request)
    return f"ses_{hashlib.sha256(name.encode()).hexdigest()[:32]}" if name else None
