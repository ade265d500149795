"""Appending to the log: each event names the hash of the one before, and grows the tree by one leaf.

Pure: the caller keeps the head and stores what is appended, in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from signoff.audit import merkle
from signoff.domain.clock import from_text, to_text
from signoff.domain.event import NO_EVENT, Draft, event_bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends: all that an append needs to know of it."""

    size: int
    """Events so far, which is the number of the next one."""
    prev: bytes
    """The leaf hash of the last event; `NO_EVENT` before the first."""
    edge: merkle.Edge
    """The tree's right edge, largest subtree first."""
    at: str
    """The last event's time as text; empty before the first."""

    @property
    def root(self) -> bytes:
        """Return the tree hash, which a checkpoint of this size states."""
        return merkle.root(self.edge)


EMPTY = Head(0, NO_EVENT, (), "")
"""The head of a log without events."""


@dataclass(frozen=True, slots=True)
class Appended:
    """One event in its place, as the store keeps it."""

    seq: int
    raw: bytes
    """The canonical bytes; stored and exported as they are, never serialised again."""
    leaf_hash: bytes
    at: str
    """Its time, `2026-11-23T20:31:05.123456Z`."""
    nodes: list[merkle.Node]
    """The tree nodes that this event completes, the leaf first."""


def append(head: Head, draft: Draft, *, log: str) -> tuple[Head, Appended]:
    """Give a draft its place at the end of the log.

    Times never decrease: after a clock went back, an event gets the time of the one before. `log` is the
    checkpoint's origin line.

    Raises:
        LimitExceeded: The event is over 60 KiB.
    """
    at, text = draft.at, to_text(draft.at)
    if text < head.at:
        at, text = from_text(head.at), head.at
    raw = event_bytes(draft, log=log, seq=head.size, prev=head.prev, at=at)
    leaf = merkle.leaf_hash(raw)
    edge, nodes = merkle.append(head.size, head.edge, leaf=leaf)
    return Head(head.size + 1, leaf, edge, text), Appended(head.size, raw, leaf, text, nodes)
