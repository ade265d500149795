"""The files of an export: written beside their names, put in place whole, the manifest last."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO

from signoff.datasets.manifest import FileFacts
from signoff.domain.errors import InvalidRequest, StoreUnavailable

PART = ".part"
FLUSH_BYTES = 1024 * 1024


class LinesFile:
    """A file of lines that has its name only once it is finished."""

    def __init__(self, path: Path) -> None:
        """Create the unfinished file, readable by its owner only: it may hold what customers said."""
        self._path = path
        self._part = path.with_name(path.name + PART)
        handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file: IO[bytes] = os.fdopen(handle, "wb", buffering=FLUSH_BYTES)
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0
        self._lines = 0

    def write(self, line: bytes) -> None:
        """Add a line; its end is added here."""
        whole = line + b"\n"
        self._sha256.update(whole)
        self._size_bytes += len(whole)
        self._lines += 1
        self._file.write(whole)

    def finish(self) -> FileFacts:
        """Bring everything to disk, still under the temporary name, and say what it is."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return FileFacts(self._sha256.hexdigest(), self._size_bytes, self._lines)

    def put_in_place(self) -> None:
        """Give the finished file its name."""
        self._part.replace(self._path)

    def discard(self) -> None:
        """Remove what is unfinished; nothing happens to a file that is in its place."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def prepare(out: Path) -> None:
    """Make the directory of an export, or check that it is empty.

    Raises:
        InvalidRequest: It holds something already, or is no directory.
        StoreUnavailable: It cannot be made or read.
    """
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        first = min((entry.name for entry in out.iterdir()), default=None)
    except (FileExistsError, NotADirectoryError):
        raise InvalidRequest(f"{out} is not a directory.", field="out") from None
    except OSError as error:
        raise unavailable(out, error) from None
    if first is not None:
        raise InvalidRequest(
            f"{out} is not empty, and an export never mixes with what is there. Name a new directory.",
            field="out",
        )


def unavailable(out: Path, error: OSError) -> StoreUnavailable:
    """Return our error for a failure of the file system."""
    return StoreUnavailable(
        f"The export cannot be written to {out}: {(error.strerror or 'unknown error').lower()}. Nothing was exported."
    )
