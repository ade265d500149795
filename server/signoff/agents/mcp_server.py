"""The MCP server: one for both transports, told by the transport who is asking.

Built on the SDK's low-level server, because arguments must be read as strictly as they are hashed, resources
differ from agent to agent, and no error may quote what an agent sent.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    JSONRPCError,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    Prompt,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    ResourceTemplateReference,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    TextContent,
    UnsubscribeRequestParams,
)
from pydantic import ValidationError

from signoff import __version__
from signoff.agents import mcp_resources
from signoff.agents.errors import protocol_error, tool_error
from signoff.agents.guide import GUIDE, INSTRUCTIONS
from signoff.agents.mcp_tools import TOOLS
from signoff.agents.mcp_updates import Listening, Subscribers, subscribers
from signoff.agents.strict_json import strict_lines
from signoff.desk.desk import Desk
from signoff.domain.errors import Forbidden
from signoff.domain.people import Agent

Request = ServerRequestContext[Subscribers, Any]
Identify = Callable[[Request], Awaitable[Agent]]
"""Says who sent a request, from its credential; asked for every request, so that a pause counts at once."""

PROMPT = Prompt(
    name="escalation_guide",
    title="How to ask people for decisions",
    description="How an agent checks, asks, waits, obeys, runs and reports. Read it once before you act.",
)

logger = logging.getLogger(__name__)


def build_mcp_server(desk: Desk, identify: Identify) -> Server[Subscribers]:
    """Return the MCP server over a desk; the transport decides who is asking."""
    door = _Door(desk, identify, Listening())
    server = Server(
        "signoff",
        version=__version__,
        title="signoff",
        instructions=INSTRUCTIONS,
        lifespan=subscribers,
        on_list_tools=door.list_tools,
        on_call_tool=door.call_tool,
        on_list_resources=door.list_resources,
        on_list_resource_templates=door.list_templates,
        on_read_resource=door.read_resource,
        on_subscribe_resource=door.subscribe,
        on_unsubscribe_resource=door.unsubscribe,
        on_subscriptions_listen=door.listen,
        on_list_prompts=door.list_prompts,
        on_get_prompt=door.get_prompt,
        on_completion=door.complete,
    )
    server.middleware.append(_translate_errors)
    return server


async def run_stdio(desk: Desk, agent: Agent) -> None:
    """Serve one agent over stdin and stdout until stdin ends.

    stdout belongs to the protocol: whatever else this process prints must go to stderr.
    """

    async def identify(_request: Request) -> Agent:
        async with desk.store.reading() as reader:
            known = await reader.agent(agent.id)
        if known is None:
            raise Forbidden("This agent is no longer known here. Stop, and tell the user.")
        return known

    server = build_mcp_server(desk, identify)
    refusals, refused = anyio.create_memory_object_stream[JSONRPCError](8)
    lines = strict_lines(sys.stdin.buffer, refusals.send)
    async with refusals, refused, stdio_server(stdin=lines) as (incoming, outgoing):  # type: ignore[arg-type]

        async def answer_refused() -> None:
            async for error in refused:
                await outgoing.send(SessionMessage(error))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer_refused)
            await server.run(incoming, outgoing, server.create_initialization_options())
            tasks.cancel_scope.cancel()


@dataclass(frozen=True, slots=True)
class _Door:
    """The handlers, one a method of MCP."""

    desk: Desk
    identify: Identify
    listening: Listening

    async def list_tools(self, _request: Request, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[tool.definition() for tool in TOOLS])

    async def call_tool(self, request: Request, params: CallToolRequestParams) -> CallToolResult:
        tool = next((one for one in TOOLS if one.name == params.name), None)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message="There is no such tool. tools/list names them.")

        async def tick(waited_s: float) -> None:
            await request.session.report_progress(
                waited_s, message=f"Waiting for a person, {waited_s:.0f} s so far."
            )

        try:
            agent = await self.identify(request)
            made = await tool.call(self.desk, agent, params.arguments or {}, tick=tick)
        except Exception as error:  # noqa: BLE001 -- the door: what nobody foresaw is logged and told as such
            return tool_error(error, tool=tool.name)
        return CallToolResult(
            content=[TextContent(type="text", text=mcp_resources.as_text(made))], structured_content=made
        )

    async def list_resources(
        self, request: Request, _params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        return ListResourcesResult(
            resources=await mcp_resources.listed(self.desk, await self.identify(request))
        )

    async def list_templates(
        self, _request: Request, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=mcp_resources.templates())

    async def read_resource(self, request: Request, params: ReadResourceRequestParams) -> ReadResourceResult:
        contents = await mcp_resources.read(self.desk, await self.identify(request), str(params.uri))
        return ReadResourceResult(contents=[contents])

    async def subscribe(self, request: Request, params: SubscribeRequestParams) -> EmptyResult:
        uri = str(params.uri)

        async def notify() -> None:
            await request.session.send_resource_updated(uri)

        agent = await self.identify(request)
        await request.lifespan_context.subscribe(self.desk, agent, _session(request), uri=uri, notify=notify)
        return EmptyResult()

    async def unsubscribe(self, request: Request, params: UnsubscribeRequestParams) -> EmptyResult:
        request.lifespan_context.unsubscribe(_session(request), str(params.uri))
        return EmptyResult()

    async def listen(
        self, request: Request, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        return await self.listening.listen(self.desk, await self.identify(request), request, params)

    async def list_prompts(
        self, _request: Request, _params: PaginatedRequestParams | None
    ) -> ListPromptsResult:
        return ListPromptsResult(prompts=[PROMPT])

    async def get_prompt(self, _request: Request, params: GetPromptRequestParams) -> GetPromptResult:
        if params.name != PROMPT.name:
            raise MCPError(code=INVALID_PARAMS, message="There is no such prompt. prompts/list names it.")
        message = PromptMessage(role="user", content=TextContent(type="text", text=GUIDE))
        return GetPromptResult(description=PROMPT.description, messages=[message])

    async def complete(self, request: Request, params: CompleteRequestParams) -> CompleteResult:
        if not isinstance(params.ref, ResourceTemplateReference) or params.argument.name != "id":
            return CompleteResult(completion=Completion(values=[], total=0, has_more=False))
        return CompleteResult(
            completion=await mcp_resources.completed(
                self.desk, await self.identify(request), params.ref.uri, params.argument.value
            )
        )


async def _translate_errors(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Let nothing but our own words and the SDK's leave: the SDK would send the text of any other exception."""
    try:
        return await call_next(ctx)
    except (MCPError, ValidationError):
        raise  # the SDK answers the latter with "Invalid request parameters" and no values
    except Exception as error:  # noqa: BLE001 -- the door, see above
        raise protocol_error(error, method=ctx.method) from None


def _session(request: Request) -> str:
    """Return which MCP session a request belongs to; over stdio there is one, and it has no name."""
    headers = getattr(request.request, "headers", None) or {}
    return str(headers.get("mcp-session-id", ""))
