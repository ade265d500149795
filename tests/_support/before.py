"""A database as it was before addresses were sealed: they lay open in three tables."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import orjson

from signoff.domain.event import NO_EVENT
from signoff.store.connect import driver
from signoff.store.migrate import _statements, migrations

SECRET = "hunter2-7fk2"  # noqa: S105 -- stands in every address, so that the files can be searched for it
AT = "2026-11-23T20:31:05.123456Z"


def address_of(number: int) -> str:
    """Return where person `number` is reached."""
    return f"mailtos://user{number}:{SECRET}@example.com?to=p{number}@example.com"


def make_old_database(path: Path, *, log: str, people: int, alerts: int) -> None:
    """Make a database of schema 5 with people, alerts and links."""
    connection: sqlite3.Connection = driver().connect(str(path), isolation_level=None)
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT")
    for number, name, text in migrations("sqlite"):
        if number < 6:
            for statement in _statements(text):
                connection.execute(statement)
            connection.execute("INSERT INTO migration VALUES (?, ?)", (number, name))
    connection.execute("INSERT INTO audit_head VALUES (1, ?, 0, ?, x'', '')", (log, NO_EVENT))
    connection.execute("BEGIN")
    for number in range(people):
        addresses = orjson.dumps(["terminal:", address_of(number)]).decode()
        connection.execute(
            "INSERT INTO person (id, name, roles, queues, addresses, created_at) VALUES (?, ?, ?, '[]', ?, ?)",
            (f"per_{number}", f"p{number}", '["operator"]', addresses, AT),
        )
    # The case of the alerts, which later migrations hold them to.
    connection.execute(
        "INSERT INTO escalation (id, agent_id, version, status, tool, summary, action_digest, masked, policy_digest,"
        " triggers, queue, urgency, urgency_rank, tier, require, opened_at, deadline_at, approval_valid_s, approvals,"
        " decided_by, opened_seq) VALUES ('esc_1', 'agt_1', 2, 'expired', 'wire', '', '', '[]', '', '[]', 'default',"
        " 'high', 2, 0, '{}', ?, ?, 600, '[]', '[]', 0)",
        (AT, AT),
    )
    for number in range(alerts):
        who = number % people
        connection.execute(
            "INSERT INTO alert (id, kind, escalation_id, person_id, address, urgency, urgency_rank, due_at, state,"
            " attempts) VALUES (?, 'opened', 'esc_1', ?, ?, 'high', 2, ?, 'sent', 1)",
            (f"alr_{number}", f"per_{who}", address_of(who), AT),
        )
        connection.execute(
            "INSERT INTO link (id, purpose, secret_hash, person_id, escalation_id, address, issued_at, expires_at)"
            " VALUES (?, 'case', x'00', ?, 'esc_1', ?, ?, ?)",
            (f"lnk_{number}", f"per_{who}", address_of(who), AT, AT),
        )
    connection.execute("COMMIT")
    connection.close()
