"""A place that checkpoints are put to over HTTP, as a process's own small server: PUT keeps, GET returns."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route


@dataclass
class HttpPlace:
    """What was asked of it, and what it has."""

    url: str
    held: bytes | None = None
    status: int = 201
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and Host header of each request."""

    async def keep(self, request: Request) -> Response:
        self.asked.append((request.method, request.headers["host"]))
        if request.method == "GET":
            return Response(self.held, 200 if self.held is not None else 404)
        if self.status < 300:
            self.held = await request.body()
        return Response(b"x" * 1_000_000, self.status)

    async def leave(self, request: Request) -> Response:
        self.asked.append((request.method, request.headers["host"]))
        return RedirectResponse("/checkpoint")


@asynccontextmanager
async def http_place() -> AsyncGenerator[HttpPlace]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        place = HttpPlace(f"http://127.0.0.1:{listening.getsockname()[1]}/checkpoint")
        routes = [
            Route("/checkpoint", place.keep, methods=["GET", "PUT", "POST"]),
            Route("/moved", place.leave, methods=["GET", "PUT"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server._serve, [listening])
            yield place
            server.should_exit = True
