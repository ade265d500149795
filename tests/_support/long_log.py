"""Logs that are long at once: rows as the store writes them, put beside it. Their events say nothing."""

from __future__ import annotations

from pathlib import Path

from tests._support.cases import second_hand

from signoff.audit import merkle


def entry(seq: int) -> bytes:
    return b'{"event":%d}' % seq


def lengthen(database: Path, size: int) -> None:
    """Append events until there are `size` of them."""
    with second_hand(database) as db:
        start, edge = db.execute("SELECT size, edge FROM audit_head").fetchone()
        parts: merkle.Edge = tuple(edge[at : at + 32] for at in range(0, len(edge), 32)) if start else ()
        events, nodes = [], []
        for seq in range(start, size):
            leaf = merkle.leaf_hash(entry(seq))
            parts, made = merkle.append(seq, parts, leaf=leaf)
            events.append((seq, "t", "2026-11-23T20:31:05.123456Z", leaf, entry(seq)))
            nodes += made[1:]
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO audit_event (seq, type, at, leaf, body) VALUES (?, ?, ?, ?, ?)", events)
        db.executemany("INSERT INTO audit_node (level, idx, hash) VALUES (?, ?, ?)", nodes)
        last = merkle.leaf_hash(entry(size - 1))
        db.execute("UPDATE audit_head SET size = ?, prev = ?, edge = ?", (size, last, b"".join(parts)))
        db.execute("COMMIT")
