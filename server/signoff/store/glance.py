"""A look at a row or two on the event loop itself, without a hop to a connection's thread and back.

The hop takes a hundred times as long as finding a row by its key (some 200 µs to 5 µs, measured 2026-11-25), and every
call of an agent has to find one. Nothing may wait here, so this is for a database in WAL mode, where nobody who writes
keeps readers waiting; and it gives up at once where it would have to wait all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Glance:
    """Finds one row by its key, and never suspends its caller.

    Args:
        connection: A DB-API connection that only reads and that nothing else uses.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        connection.execute("PRAGMA busy_timeout=0")

    def row(self, sql: str, parameters: Mapping[str, Any]) -> Any:
        """Return the first row, or None; all of them are read, so that no transaction stays open."""
        rows: list[Any] = self._connection.execute(sql, parameters).fetchall()
        return rows[0] if rows else None
