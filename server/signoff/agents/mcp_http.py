"""MCP over streamable HTTP: who asks is known from the bearer key and from nothing else.

A request passes, in this order: the key (401), the size and form of its JSON (413, 400), the allowed hosts and
origins and, for the older revisions, the MCP session, which only the agent that opened it can use (404).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import INTERNAL_ERROR, INVALID_REQUEST, ErrorData, JSONRPCError
from starlette.types import ASGIApp, Receive, Scope, Send

from signoff.agents.errors import told
from signoff.agents.mcp_door import Request
from signoff.agents.mcp_server import build_mcp_server
from signoff.agents.strict_json import MAX_MESSAGE_BYTES, StrictBody, send_error
from signoff.desk.desk import Desk
from signoff.desk.people import agent_by_key
from signoff.domain.errors import Forbidden, StoreUnavailable
from signoff.domain.people import Agent

MAX_SESSIONS = 2000  # of the older revisions; the newest one keeps nothing between requests
MAX_KEY_BYTES = 200
AGENT = "signoff.agent"
"""Where in an ASGI scope the agent stands that the key belongs to."""


class McpApp:
    """An ASGI app for one path, whatever that path is; `running` must be entered around its serving."""

    def __init__(self, desk: Desk, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager
        self._app = BearerKey(desk, StrictBody(manager.handle_request))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Return the life of the MCP sessions: enter it once, in the lifespan of the app that mounts this."""
        return self._manager.run()


def mcp_asgi(desk: Desk, *, allowed_hosts: Iterable[str], allowed_origins: Iterable[str]) -> McpApp:
    """Return the MCP door over HTTP.

    Args:
        allowed_hosts: Values of `Host` that are served, such as `127.0.0.1:8717`; `name:*` takes any port.
        allowed_origins: Values of `Origin` that are served; requests without one are no browser's and are.
    """
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=list(allowed_hosts),
        allowed_origins=list(allowed_origins),
    )
    manager = StreamableHTTPSessionManager(
        build_mcp_server(desk, _agent_of),
        security_settings=security,
        max_request_body_size=MAX_MESSAGE_BYTES,
        max_sessions=MAX_SESSIONS,
    )
    return McpApp(desk, manager)


class BearerKey:
    """ASGI middleware: lets only requests with an agent's key pass, and says whose it is."""

    def __init__(self, desk: Desk, app: ASGIApp) -> None:
        self._desk = desk
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        key = _key(scope)
        if key is None:
            await _refuse(send, "Send your agent key: `Authorization: Bearer sgn_…`.", challenge=b"Bearer")
            return
        try:
            agent = await agent_by_key(self._desk, key)
        except Forbidden:
            challenge = b'Bearer error="invalid_token"'
            await _refuse(
                send, "forbidden: This key is not valid. Ask whoever runs signoff.", challenge=challenge
            )
            return
        except StoreUnavailable as error:
            await send_error(send, 503, _rpc_error(INTERNAL_ERROR, told(error)))
            return
        # What the SDK compares to bind an MCP session to the agent that opened it. Without the key itself: nothing
        # behind this door needs it.
        user = AuthenticatedUser(AccessToken(token="", client_id=agent.id, scopes=[]))
        await self._app({**scope, AGENT: agent, "user": user}, receive, send)


async def _agent_of(request: Request) -> Agent:
    http: Any = request.request
    agent = http.scope[AGENT]
    assert isinstance(agent, Agent)  # noqa: S101 -- BearerKey let it pass
    return agent


def _key(scope: Scope) -> str | None:
    """Return the bearer key; None if there is none, or more than one."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return None
    kind, _, key = given[0].partition(b" ")
    key = key.strip()
    if kind.lower() != b"bearer" or not 0 < len(key) <= MAX_KEY_BYTES or not key.isascii():
        return None
    return str(key.decode())


async def _refuse(send: Send, message: str, *, challenge: bytes) -> None:
    error = _rpc_error(INVALID_REQUEST, message)
    await send_error(send, 401, error, headers=[(b"www-authenticate", challenge)])


def _rpc_error(code: int, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=code, message=message))
