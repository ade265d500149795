"""Bring a database to this version's schema: numbered SQL files, each once, in order, in one transaction."""

from __future__ import annotations

import re
import sqlite3
from importlib.resources import files
from typing import Any

from signoff.domain.errors import StoreUnavailable

_NAME = re.compile(r"(\d{4})_[a-z_]+\.sql")


def migrations(database: str) -> list[tuple[int, str, str]]:
    """Return number, name and SQL of every migration for a database, in order."""
    made = []
    for entry in (files("signoff.store") / "sql" / database).iterdir():
        match = _NAME.fullmatch(entry.name)
        if match is not None:
            made.append((int(match[1]), entry.name, entry.read_text(encoding="utf-8")))
    return sorted(made)


def migrate_sqlite(connection: Any) -> None:
    """Apply what is missing; safe when several processes start at once.

    Args:
        connection: A DB-API connection in autocommit mode.

    Raises:
        StoreUnavailable: The database was made by a newer signoff.
    """
    known = migrations("sqlite")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT"
        )
        done = {row[0] for row in connection.execute("SELECT number FROM migration")}
        _check_not_newer(done, known[-1][0])
        for number, name, text in known:
            if number in done:
                continue
            for statement in _statements(text):
                connection.execute(statement)
            connection.execute("INSERT INTO migration (number, name) VALUES (?, ?)", (number, name))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check_not_newer(done: set[int], known: int) -> None:
    if done and max(done) > known:
        raise StoreUnavailable(
            f"The database has schema {max(done)} and this signoff knows {known}. Update signoff."
        )


def _statements(text: str) -> list[str]:
    """Split a script; a trigger's body holds semicolons, so SQLite itself says where a statement ends."""
    made, pending = [], ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending) and pending.strip():
            made.append(pending)
            pending = ""
    return made
