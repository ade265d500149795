"""A real HTTP server that takes messages as ntfy does, and remembers the alert ids in them."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

ALERT = re.compile(rb"alr_[0-9A-Z]{26}")


class Sink:
    """What arrived, in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.taken: list[tuple[str, str]] = []
        """Topic and alert id of each message, when it arrived."""
        self.at: dict[str, float] = {}
        """When a message with an alert id first arrived, by the event loop's clock."""
        self.arrived = anyio.Event()
        self.before_answer: Callable[[str], Awaitable[None]] | None = None

    def address(self, topic: str) -> str:
        """Return the address of a topic here."""
        return f"ntfy://127.0.0.1:{self.port}/{topic}"

    def ids(self, topic: str | None = None) -> list[str]:
        """Return the alert ids that arrived, of one topic or of all."""
        return [alert for of, alert in self.taken if topic in (None, of)]

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until enough has arrived."""
        while not enough():
            self.arrived = anyio.Event()
            await self.arrived.wait()

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        """Answer one connection."""
        async with stream:
            try:
                received = BufferedByteReceiveStream(stream)
                head = await received.receive_until(b"\r\n\r\n", 100_000)
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                body = await received.receive_exactly(int(length[1])) if length else b""
                topic = re.search(rb'"topic": *"([^"]+)"', body)
                name = topic[1].decode() if topic else head.split(b" ")[1].decode().strip("/")
                found = ALERT.search(body)
                assert found is not None, body
                self.taken.append((name, found[0].decode()))
                self.at.setdefault(found[0].decode(), anyio.current_time())
                self.arrived.set()
                if self.before_answer is not None:
                    await self.before_answer(name)
                answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
                await stream.send(answer)
            except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
                pass  # its sender was killed


@asynccontextmanager
async def sink() -> AsyncGenerator[Sink]:
    """Run one on a free port."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    made = Sink(listener.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610 - not Django
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, made.serve)
        yield made
        tasks.cancel_scope.cancel()
