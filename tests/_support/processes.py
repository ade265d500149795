"""Other processes on the same database, started, told to go, and killed by a test."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

ROOT = Path(__file__).parents[2]


class Player:
    """One running `tests._support.player`."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdout is not None
        self.process = process
        self._said = BufferedByteReceiveStream(process.stdout)

    async def hear(self) -> Any:
        """Return the next thing it says."""
        return json.loads(await self._said.receive_until(b"\n", 100_000))

    async def hear_all(self) -> list[Any]:
        """Return everything it still says, whole lines only, until it ends."""
        heard = []
        try:
            while True:
                heard.append(await self.hear())
        except (anyio.IncompleteRead, anyio.EndOfStream, anyio.ClosedResourceError):
            return heard

    async def go(self) -> None:
        """Let it play."""
        assert self.process.stdin is not None
        await self.process.stdin.send(b"go\n")

    async def kill(self) -> None:
        """Kill it with signal 9 and wait until it is gone."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def player(home: Path, part: str, argument: str = "") -> AsyncGenerator[Player]:
    """Run a part in a process of its own, up to where it says that it is ready."""
    command = [sys.executable, "-m", "tests._support.player", str(home), part, argument]
    paths = os.pathsep.join((str(ROOT / "server"), str(ROOT)))
    process = await anyio.open_process(command, stderr=None, env={**os.environ, "PYTHONPATH": paths})
    made = Player(process)
    try:
        assert await made.hear() == "ready"
        yield made
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()


@asynccontextmanager
async def players(count: int, home: Path, part: str, argument: str = "") -> AsyncGenerator[list[Player]]:
    """Run several at once; each is ready and waits for its `go`."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(player(home, part, argument)) for _ in range(count)]
