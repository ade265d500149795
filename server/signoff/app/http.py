"""Pages and MCP on one port."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from signoff.agents.mcp_http import McpApp, mcp_asgi
from signoff.alerts.channels import Channels
from signoff.app.alerting import alerting
from signoff.app.hosts import CannotHost
from signoff.config import MCP_PATH, Config
from signoff.desk.desk import Desk
from signoff.operators.streams import Streams
from signoff.operators.web import build_pages

GRACE_S = 5  # with what follows it, under the ten seconds after which container runtimes kill


@dataclass(frozen=True, slots=True)
class Doors:
    """Pages and MCP as one ASGI application; `/mcp` and nothing else leads to the agents' door."""

    pages: ASGIApp
    mcp: McpApp
    streams: Streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        app: ASGIApp = self.mcp if scope.get("path") in (MCP_PATH, MCP_PATH + "/") else self.pages
        await app(scope, receive, send)


def build_doors(desk: Desk, config: Config, channels: Channels) -> Doors:
    """Return the application that answers every request."""
    mcp = mcp_asgi(desk, allowed_hosts=config.hosts, allowed_origins=config.origins)
    streams = Streams()
    pages = build_pages(desk, alerting(desk, channels), streams=streams)
    return Doors(pages=pages, mcp=mcp, streams=streams)


def bind(config: Config) -> socket.socket:
    """Return a listening socket on the configured address.

    Raises:
        CannotHost: The port is taken, or the address is not this machine's.
    """
    host, port = config.settings.host, config.settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotHost(f"{host} is no address to listen on: {error.strerror}.") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise CannotHost(
            f"Port {port} on {host} cannot be used: {(error.strerror or '').lower()}."
            f" Choose another with --port, or `port` in {config.home.config_file}."
        ) from None
    return listening


class Server(uvicorn.Server):
    """Uvicorn without its signal handlers: `signoff mcp` has its own, and so has `signoff serve`."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the process's signals alone."""
        yield


async def serve_http(
    doors: Doors,
    config: Config,
    *,
    listening: socket.socket,
    answering: Callable[[], object],
    ready: anyio.Event,
    stop: anyio.Event,
) -> None:
    """Answer HTTP until `stop`, then let go of every connection within a few seconds."""
    server = Server(
        uvicorn.Config(
            doors,
            log_config=None,
            access_log=False,  # paths name cases
            lifespan="off",
            ws="none",
            server_header=False,
            # Only who runs a TLS proxy in front may say where a request came from.
            proxy_headers=config.base_url.startswith("https:"),
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    mcp_runs, mcp_ends = anyio.Event(), anyio.Event()

    async def run_mcp() -> None:
        async with doors.mcp.running():
            mcp_runs.set()
            await mcp_ends.wait()

    async def end() -> None:
        await stop.wait()
        server.should_exit = True
        # Uvicorn would wait for their streams.
        doors.streams.end()
        mcp_ends.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_mcp)
        tasks.start_soon(end)
        await mcp_runs.wait()
        answering()
        ready.set()
        await server.serve(sockets=[listening])
        stop.set()
