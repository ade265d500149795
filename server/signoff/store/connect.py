"""Connections to the database file."""

from __future__ import annotations

import importlib
import os
import sqlite3
from pathlib import Path
from typing import Any

BUSY_MS = 10_000  # another process's batch takes milliseconds; ten seconds means something is wrong
READ_CACHE_KIB = (
    8 * 1024
)  # of each connection: a page of the inbox reads some hundred pages of a large file, again and again


def driver() -> Any:
    """Return the DB-API module with the newest SQLite: `pysqlite3` where it is installed."""
    try:
        return importlib.import_module("pysqlite3")
    except ImportError:
        return sqlite3


def connect(module: Any, path: Path, *, read_only: bool) -> Any:
    """Open a connection that any thread may use, in autocommit mode."""
    mode = "ro" if read_only else "rwc"
    if read_only and not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        # A copy on read-only media: SQLite wants to make files beside a WAL database unless told that nobody writes.
        mode = "ro&immutable=1"
    connection = module.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = module.Row
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA trusted_schema=OFF")
    if read_only:
        connection.execute("PRAGMA query_only=ON")
        connection.execute(f"PRAGMA cache_size=-{READ_CACHE_KIB}")
    return connection
