"""The two ends of a stdio server, without a thread hop where none is needed.

The SDK's own take three hops a message, which is more than all that signoff does for a check.
"""

from __future__ import annotations

import asyncio
import io
import os
import select
import stat
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager, suppress

import anyio
import anyio.to_thread

from signoff.agents.strict_json import read_pieces

READ_AHEAD = 8
"""Pieces that are read before they are wanted."""


async def pieces_of_stdin() -> AsyncGenerator[bytes]:
    """Yield what comes in on stdin, as `read_pieces` cuts it; read in a thread that nothing waits for.

    A read cannot be interrupted. In a thread that is joined it would keep the process from ending until the
    client says one more word.
    """
    # A buffer of its own: the interpreter closes sys.stdin's while this thread may still hold its lock.
    source = io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
    loop = asyncio.get_running_loop()
    given, pieces = anyio.create_memory_object_stream[bytes | None](READ_AHEAD + 1)
    room = threading.Semaphore(READ_AHEAD)

    def put(piece: bytes | None) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # nobody reads any more
            given.send_nowait(piece)

    def give(piece: bytes) -> None:
        room.acquire()
        loop.call_soon_threadsafe(put, piece)  # a call that came back would cost a second hop

    def read() -> None:
        with suppress(RuntimeError):  # the loop is gone
            try:
                with suppress(OSError):
                    read_pieces(source, give)
            finally:
                loop.call_soon_threadsafe(put, None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    with given, pieces:
        async for piece in pieces:
            if piece is None:
                return
            room.release()
            yield piece


class Stdout:
    """The wire to the client: what the SDK writes a message a call to."""

    def __init__(self, number: int) -> None:
        self._number = number
        mode = os.fstat(number).st_mode
        self._tells = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        self._poll = select.poll()
        self._poll.register(number, select.POLLOUT)

    async def write(self, text: str) -> None:
        """Write a text, all of it."""
        data = text.encode()
        # A pipe or socket that says so takes this much without keeping anybody waiting.
        if (
            self._tells
            and len(data) <= select.PIPE_BUF
            and self._poll.poll(0) == [(self._number, select.POLLOUT)]
        ):
            self._write(data)
        else:
            await anyio.to_thread.run_sync(self._write, data)

    async def flush(self) -> None:
        """Do nothing: what was written is out."""

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._number, left) :]


@contextmanager
def claimed_stdout() -> Generator[Stdout]:
    """Lend the wire to the client; meanwhile whatever else this process prints goes to stderr."""
    sys.stdout.flush()
    # Left open: a thread may still write to it when this ends, and another file must not get its number.
    wire = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        yield Stdout(wire)
    finally:
        sys.stdout.flush()
        os.dup2(wire, sys.stdout.fileno())
