"""`signoff witness` as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from signoff.audit.cosignature import WitnessKey, parse_witness_key

ROOT = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "server"),
        "PYTHONWARNINGS": "error",
        "PYTHONUNBUFFERED": "1",
    }


def keygen(directory: Path, name: str = "witness.example/w1") -> WitnessKey:
    """Make a witness with its own command, and return its public key."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "signoff", "witness", "keygen", "--name", name, "--home", str(directory)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        check=True,
    )
    return parse_witness_key(done.stdout.strip())


@dataclass
class RunningWitness:
    """A witness that answers."""

    process: anyio.abc.Process
    url: str
    """Without a slash at the end."""
    out: BufferedByteReceiveStream

    async def read_until(self, wanted: str) -> str:
        """Return the first line that holds a text."""
        while True:
            line = (await self.out.receive_until(b"\n", 100_000)).decode()
            if wanted in line:
                return line

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def witnessing(directory: Path, *log_keys: str, port: int = 0) -> AsyncGenerator[RunningWitness]:
    """Run a witness on a free port, or on the one that it had before; kill it at the end if it still runs."""
    arguments = [part for key in log_keys for part in ("--log-key", key)]
    command = [sys.executable, "-m", "signoff", "witness", *arguments, "--listen", f"127.0.0.1:{port}"]
    process = await anyio.open_process(
        [*command, "--home", str(directory)], stderr=subprocess.STDOUT, env=environment()
    )
    assert process.stdout is not None
    made = RunningWitness(process, "", BufferedByteReceiveStream(process.stdout))
    try:
        found = re.search(r"http://\S+:\d+", await made.read_until("listens on"))
        assert found is not None
        made.url = found[0]
        yield made
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()
