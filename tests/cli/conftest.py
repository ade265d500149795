"""Homes, and `signoff` as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.abc
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from signoff.config import Config, Home, load_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def config(home: Home) -> Config:
    """A home on a free port, where a decision is final at once."""
    config = load_config(home)
    home.config_file.write_text(f"port: {free_port()}\nundo_s: 0\n", encoding="utf-8")
    return load_config(config.home)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def environment(home: Home) -> dict[str, str]:
    """Return what a shell of the local user would give to `signoff`."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "server"),
        "SIGNOFF_HOME": str(home.path),
        "PYTHONWARNINGS": "error",
        "COLUMNS": "120",
        "USER": "omar",
        "LOGNAME": "omar",
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "signoff", *arguments]


@dataclass
class Running:
    """A process that prints lines."""

    process: anyio.abc.Process
    out: BufferedByteReceiveStream

    async def read_until(self, wanted: str) -> str:
        """Return what it prints up to and with the first line that holds a text."""
        read: list[str] = []
        while not read or wanted not in read[-1]:
            read.append((await self.out.receive_until(b"\n", 100_000)).decode())
        return "\n".join(read)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def end(self) -> int:
        """Ask it to end, as a container runtime does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@asynccontextmanager
async def running(home: Home, *arguments: str) -> AsyncGenerator[Running]:
    """Run `signoff` with stdout and stderr in one stream; kill it at the end if it still runs."""
    import subprocess

    process = await anyio.open_process(
        command(*arguments), stderr=subprocess.STDOUT, env={**environment(home), "PYTHONUNBUFFERED": "1"}
    )
    assert process.stdout is not None
    try:
        yield Running(process, BufferedByteReceiveStream(process.stdout))
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()


@asynccontextmanager
async def serving(home: Home) -> AsyncGenerator[Running]:
    """Run `signoff serve` and go on when it answers."""
    async with running(home, "serve") as server:
        await server.read_until("Ctrl-C ends it")
        yield server
