"""Who hosts a home: one process at a time, decided by a lock on a file.

The host holds `serve.lock`. A `signoff serve` holds `serve.next` besides, from before it hosts until it ends, and
that is what asks a hosting `signoff mcp` to hand over.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from signoff.config import Home
from signoff.domain.errors import SignoffError

TAKEOVER_WITHIN_S = 15.0  # how long a `signoff serve` waits for a `signoff mcp` to hand over


class CannotHost(SignoffError):
    """This process cannot serve the pages: another one does, or something else holds the port."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class Host:
    """Who hosts a home, as the file beside the lock says it."""

    pid: int
    command: str
    base_url: str


class Lock:
    """A lock on a file; the system lets go of it when this process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def take(self, note: Host | None = None) -> bool:
        """Try to lock; False if somebody else holds it.

        Args:
            note: Written into the file, for others to read.
        """
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._handle = handle
        if note is not None:
            os.ftruncate(handle, 0)
            text = {"pid": note.pid, "command": note.command, "base_url": note.base_url}
            os.pwrite(handle, json.dumps(text).encode(), 0)
        return True

    def release(self) -> None:
        """Let go of it, if it is held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def is_held(path: Path) -> bool:
    """Say whether some process holds a lock; for a moment this looks like holding it."""
    if not path.exists():
        return False
    with Lock(path) as lock:
        return not lock.take()


def current_host(home: Home) -> Host | None:
    """Return who hosts a home now, None if nobody does."""
    if not is_held(home.serve_lock):
        return None
    try:
        text: dict[str, Any] = json.loads(home.serve_lock.read_text(encoding="utf-8"))
        return Host(int(text["pid"]), str(text["command"]), str(text["base_url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Host(0, "another process", "")


async def take_within(lock: Lock, note: Host | None, *, home: Home, within_s: float) -> None:
    """Take a lock within a time; others may look at it for a moment, or be about to let go.

    Raises:
        CannotHost: They do not.
    """
    until = anyio.current_time() + within_s
    while not lock.take(note):
        if anyio.current_time() >= until:
            other = current_host(home)
            who = f" by `{other.command}` (process {other.pid}) at {other.base_url}" if other else ""
            raise CannotHost(f"{home.path} is served already{who}. One server per home is enough.")
        await anyio.sleep(0.1)
