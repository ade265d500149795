"""The process that reads and hashes payloads ahead (`ahead.py`); it imports little, because every start waits for that."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from signoff.audit.payloads import PayloadRow, digest_payload
from signoff.store.connect import connect, driver

PAGE = 200


class Orders(NamedTuple):
    """What to read: the texts of two statements, and what the first must find for the second to count."""

    path: Path
    head_sql: str
    payloads_sql: str
    head: tuple[Any, ...]
    """Where the log ends for whoever verifies it."""
    first: int
    """The event from whose payloads on they are read."""


def send_payloads(orders: Orders, answers: Connection) -> None:
    """Send what counts of each payload, in pages, and an empty page at the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the one that started it
    connection = connect(driver(), orders.path, read_only=True)
    try:
        connection.row_factory = None
        connection.execute("BEGIN")
        if connection.execute(orders.head_sql).fetchone() != orders.head:
            return  # the log has grown meanwhile
        with suppress(BrokenPipeError):
            rows = connection.execute(orders.payloads_sql, {"seq": orders.first})
            while page := list(islice(_digests(rows), PAGE)):
                answers.send(page)
            answers.send([])
    finally:
        connection.close()


def _digests(rows: Iterator[Any]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(digest_payload(PayloadRow._make(row)))
