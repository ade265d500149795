r"""The file of erasures: what was erased, known outside the database, so that a restored backup forgets it again.

One `bundle.erased` event a line, byte for byte as the log holds it: ids and commitments without their salts, no
words of anybody. The lines are written before the erasure is committed, so the file may name one that did not
happen; it happens at the next start then.

    {"actor":{…},"at":"…","data":{"cause":"request","kinds":[…],"parts":["sha256:…"]},"escalation":"esc_…",…}\n
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson

from signoff.audit.durable import sync_folder
from signoff.domain.errors import StoreUnavailable
from signoff.domain.event import MAX_EVENT_BYTES

ERASED = "bundle.erased"


class ErasureFile:
    """An append-only file; whoever appends holds the database's write lock, so that no two do at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def size(self) -> int:
        """Return its size in bytes, 0 where there is none.

        Raises:
            StoreUnavailable: It cannot be looked at.
        """
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._unusable(error.strerror or "unknown error") from None

    def read(self, *, log: str) -> list[dict[str, Any]]:
        """Return every event in the file.

        A line that was cut off by a crash was never acknowledged and is passed over.

        Raises:
            StoreUnavailable: It cannot be read, or a line is no erasure of this log.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error.strerror or "unknown error") from None
        events = [self._event(line, log) for line in data.split(b"\n") if line]
        return [event for event in events if event is not None]

    def append(self, event: bytes) -> int:
        """Bring one event to disk at the end of the file and return the file's size.

        Raises:
            StoreUnavailable: It cannot be written; nothing may be erased then.
        """
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(handle).st_size
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    os.write(handle, b"\n")  # after a line that a crash cut off
                os.write(handle, event + b"\n")
                os.fsync(handle)
                size = os.fstat(handle).st_size
            finally:
                os.close(handle)
            sync_folder(self.path.parent)
        except OSError as error:
            raise self._unusable(error.strerror or "unknown error") from None
        return size

    def _event(self, line: bytes, log: str) -> dict[str, Any] | None:
        try:
            event = orjson.loads(line) if len(line) <= MAX_EVENT_BYTES else None
        except ValueError:
            return None
        if (
            not isinstance(event, dict)
            or event.get("type") != ERASED
            or not isinstance(event.get("data"), dict)
            or not isinstance(event["data"].get("parts"), list)
            or not isinstance(event["data"].get("kinds"), list)
            or not isinstance(event["data"].get("asks", []), list)
        ):
            raise self._unusable("it holds a line that is no erasure")
        if event.get("log") != log:
            raise self._unusable(f"it names erasures of another log than {log}")
        return event

    def _unusable(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(f"The file of erasures, {self.path.name}, cannot be used: {why.lower()}.")
