"""The MCP server: one for both transports, told by the transport who is asking.

Built on the SDK's low-level server, because arguments must be read as strictly as they are hashed, resources
differ from agent to agent, and no error may quote what an agent sent.

What a client asks first (`initialize`, `tools/list`) needs no desk. So nothing here imports the desk: over stdio,
where every start of an agent waits for these answers, it is opened behind them.
"""

from __future__ import annotations

import importlib
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import X_MCP_HEADER_KEY
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    GetPromptResult,
    JSONRPCError,
    ListPromptsResult,
    ListToolsResult,
    PaginatedRequestParams,
    Prompt,
    PromptMessage,
    TextContent,
)
from mcp.types import Tool as ToolDefinition
from opentelemetry import trace
from pydantic import ValidationError

from signoff import __version__
from signoff.agents.errors import protocol_error, tool_error
from signoff.agents.guide import GUIDE, INSTRUCTIONS
from signoff.agents.mcp_subscribers import Subscribers, subscribers
from signoff.agents.mcp_tools import TOOLS
from signoff.agents.stdio import claimed_stdout, pieces_of_stdin
from signoff.agents.strict_json import strict_lines
from signoff.domain.errors import Forbidden, PolicyInvalid, SignoffError, StoreUnavailable

if TYPE_CHECKING:
    from signoff.agents.mcp_door import Door, Identify
    from signoff.desk.desk import Desk
    from signoff.domain.people import Agent

P = TypeVar("P")
R = TypeVar("R")
Request = ServerRequestContext[Subscribers, Any]
Handler = Callable[[Request, P], Awaitable[R]]

logger = logging.getLogger(__name__)

OPEN_WITHIN_S = 0.5  # by then the first answers are out; whoever needs the desk before opens it at once

PROMPT = Prompt(
    name="escalation_guide",
    title="How to ask people for decisions",
    description="How an agent checks, asks, waits, obeys, runs and reports. Read it once before you act.",
)


def build_mcp_server(desk: Desk, identify: Identify) -> Server[Subscribers]:
    """Return the MCP server over a desk; the transport decides who is asking."""
    from signoff.agents.mcp_door import Door

    made = Door(desk, identify)

    async def door() -> Door:
        return made

    return _server(door)


async def serve_stdio(opening: Callable[[], AbstractAsyncContextManager[tuple[Desk, Agent]]]) -> None:
    """Serve one agent over stdin and stdout until stdin ends.

    stdout belongs to the protocol meanwhile: whatever else this process prints goes to stderr.

    Args:
        opening: Opens the desk and says which agent asks. Entered once, at the latest half a second after the
            start, and left before this returns. If it raises, every call is refused with that error, so that the
            agent is told to stop, and the error is raised here when stdin ends.
    """
    house = _House(opening)
    server = _server(house.door)
    refusals, refused = anyio.create_memory_object_stream[JSONRPCError](8)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(refusals)
        await stack.enter_async_context(refused)
        pieces = await stack.enter_async_context(aclosing(pieces_of_stdin()))
        wire = stack.enter_context(claimed_stdout())
        lines = strict_lines(pieces, refusals.send)
        incoming, outgoing = await stack.enter_async_context(stdio_server(stdin=lines, stdout=wire))  # type: ignore[arg-type]

        async def answer_refused() -> None:
            async for error in refused:
                await outgoing.send(SessionMessage(error))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(house.open)
            async with anyio.create_task_group() as answering:
                answering.start_soon(answer_refused)
                await server.run(incoming, outgoing, server.create_initialization_options())
                answering.cancel_scope.cancel()
            house.close()
    if house.failure is not None:
        raise house.failure


class _House:
    """The desk behind a stdio server: opened when it is needed, or soon."""

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[tuple[Desk, Agent]]]) -> None:
        self._opening = opening
        self._wanted, self._opened, self._closed = anyio.Event(), anyio.Event(), anyio.Event()
        self._door: Door | None = None
        self.failure: Exception | None = None
        """Why there is no desk."""

    async def door(self) -> Door:
        """Return the door, waiting for it to open.

        Raises:
            StoreUnavailable: It cannot be opened.
            PolicyInvalid: There is no policy to decide by.
            Exception: What else opening it raised.
        """
        self._wanted.set()
        await self._opened.wait()
        if isinstance(self.failure, SignoffError) and not isinstance(self.failure, PolicyInvalid):
            # Why it cannot is for whoever runs this, and in the log: it names keys and what to do about them.
            raise StoreUnavailable("signoff cannot be opened here; its log says why.")
        if self.failure is not None:
            raise self.failure
        assert self._door is not None  # noqa: S101 -- set before the event
        return self._door

    async def open(self) -> None:
        """Open the desk, hold it open until `close`, and close it in order."""
        with anyio.move_on_after(OPEN_WITHIN_S):
            await self._wanted.wait()
        try:
            await self._hold_open()
        except Exception as error:  # noqa: BLE001 -- a server that vanished would tell its agent nothing
            self.failure = error
            why = error.message if isinstance(error, SignoffError) else repr(error)
            logger.error("Every call is refused: %s", why)  # noqa: TRY400 -- raised again when stdin ends
            self._opened.set()

    async def _hold_open(self) -> None:
        # In a thread, so that messages are answered meanwhile.
        module = await anyio.to_thread.run_sync(importlib.import_module, "signoff.agents.mcp_door")
        async with self._opening() as (desk, agent):

            async def identify(_request: Request) -> Agent:
                known = await desk.store.agent(agent.id)
                if known is None:
                    raise Forbidden("This agent is no longer known here. Stop, and tell the user.")
                return known

            # One process serves one agent over one pipe: that is its session.
            self._door = module.Door(desk, identify, session=f"ses_{secrets.token_hex(16)}")
            self._opened.set()
            await self._closed.wait()

    def close(self) -> None:
        """Let `open` end."""
        self._closed.set()
        self._wanted.set()


def _server(door: Callable[[], Awaitable[Door]]) -> Server[Subscribers]:
    def behind(handler: Callable[[Door], Handler[P, R]]) -> Handler[P, R]:
        async def handle(request: Request, params: P) -> R:
            return await handler(await door())(request, params)

        return handle

    async def call_tool(request: Request, params: CallToolRequestParams) -> CallToolResult | dict[str, Any]:
        try:
            opened = await door()
        except Exception as error:  # noqa: BLE001 -- the model must read that it has to stop
            return tool_error(error, tool=params.name)
        return await opened.call_tool(request, params)

    server = Server(
        "signoff",
        version=__version__,
        title="signoff",
        instructions=INSTRUCTIONS,
        lifespan=subscribers,
        on_list_tools=_list_tools,
        on_list_prompts=_list_prompts,
        on_get_prompt=_get_prompt,
        on_list_resources=behind(lambda it: it.list_resources),
        on_list_resource_templates=behind(lambda it: it.list_templates),
        on_read_resource=behind(lambda it: it.read_resource),
        on_subscribe_resource=behind(lambda it: it.subscribe),
        on_unsubscribe_resource=behind(lambda it: it.unsubscribe),
        on_subscriptions_listen=behind(lambda it: it.listen),
        on_completion=behind(lambda it: it.complete),
    )
    # Not as `on_call_tool`, which wants models of the SDK's; a result may as well be what is sent.
    server.add_request_handler("tools/call", CallToolRequestParams, call_tool)
    server.get_tool_input_schema = _input_schema
    server.middleware[:] = [*map(_where_traced, server.middleware), _translate_errors]
    return server


async def _list_tools(_request: Request, _params: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(tools=_definitions())


@cache
def _definitions() -> list[ToolDefinition]:
    """Return what every client is told; making it takes 30 ms."""
    return [tool.definition() for tool in TOOLS]


@cache
def _input_schema(name: str) -> dict[str, Any] | None:
    """Return a tool's schema where it names arguments that must stand in HTTP headers too; none of ours does.

    The SDK asks for it at each call over HTTP and walks all of it, which takes half as long as a check. Without this
    function it would list all tools besides.
    """
    schema = next((tool.input_schema for tool in _definitions() if tool.name == name), None)
    return schema if X_MCP_HEADER_KEY in json.dumps(schema) else None


async def _list_prompts(_request: Request, _params: PaginatedRequestParams | None) -> ListPromptsResult:
    return ListPromptsResult(prompts=[PROMPT])


async def _get_prompt(_request: Request, params: GetPromptRequestParams) -> GetPromptResult:
    if params.name != PROMPT.name:
        raise MCPError(code=INVALID_PARAMS, message="There is no such prompt. prompts/list names it.")
    message = PromptMessage(role="user", content=TextContent(type="text", text=GUIDE))
    return GetPromptResult(description=PROMPT.description, messages=[message])


def _where_traced(middleware: ServerMiddleware[Any]) -> ServerMiddleware[Any]:
    """Return the SDK's own middleware, which makes a span of every message, for where somebody collects them.

    Elsewhere a span that nobody sees takes a tenth of what the SDK needs for a call.
    """

    async def trace_it(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):  # none was set
            return await call_next(ctx)
        return await middleware(ctx, call_next)

    return trace_it


async def _translate_errors(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Let nothing but our own words and the SDK's leave: the SDK would send the text of any other exception."""
    try:
        return await call_next(ctx)
    except (MCPError, ValidationError):
        raise  # the SDK answers the latter with "Invalid request parameters" and no values
    except Exception as error:  # noqa: BLE001 -- the door, see above
        raise protocol_error(error, method=ctx.method) from None
