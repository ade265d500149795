"""One audit record, and who did it.

An event says that something happened and commits to what is stored beside the log; it carries no personal
data, only small facts, ids and digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from signoff.domain.canonical import canonical
from signoff.domain.clock import to_text
from signoff.domain.errors import LimitExceeded

VERSION = 1
MAX_EVENT_BYTES = 60 * 1024  # C2SP tlog-tiles entries carry a 16-bit length; 60 KiB leaves room
COMMITMENT_PREFIX = b"signoff/commit/v1\n"
NO_EVENT = hashlib.sha256(b"").digest()
"""`prev` of the first event: SHA-256 of nothing."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused an event: an agent, a person, the policy, or signoff itself."""

    kind: Literal["agent", "person", "policy", "system"]
    id: str
    assurance: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the form that stands in an event."""
        made = {"kind": self.kind, "id": self.id}
        if self.assurance is not None:
            made["assurance"] = self.assurance
        return made


SYSTEM = Actor("system", "signoff")


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has its place in the log.

    `data` holds JSON without floats; commitments in it come from `commitment`.
    """

    type: str
    at: datetime
    actor: Actor
    data: Mapping[str, Any]
    escalation_id: str | None = None


def event_bytes(draft: Draft, *, log: str, seq: int, prev: bytes, at: datetime) -> bytes:
    """Return the canonical bytes of an event, as they are hashed, stored and exported.

    Args:
        log: The checkpoint's origin line: which log this event belongs to.
        seq: Its number, from 0 without gaps (the RFC 6962 leaf index).
        prev: The RFC 6962 leaf hash of the event before it, 32 bytes; `NO_EVENT` for the first.
        at: Its time: the draft's, or the previous event's if a clock went back.

    Raises:
        LimitExceeded: Over 60 KiB.
    """
    record: dict[str, Any] = {
        "v": VERSION,
        "log": log,
        "seq": seq,
        "prev": "sha256:" + prev.hex(),
        "at": to_text(at),
        "type": draft.type,
        "actor": draft.actor.as_json(),
        "data": dict(draft.data),
    }
    if draft.escalation_id is not None:
        record["escalation"] = draft.escalation_id
    made = canonical(record)
    if len(made) > MAX_EVENT_BYTES:
        raise LimitExceeded("event", f"{MAX_EVENT_BYTES} bytes", f"{len(made)} bytes")
    return made


def commitment(salt: bytes, payload: bytes) -> str:
    """Return what an event says of a payload that is stored beside the log.

    Without the 32-byte salt the digest reveals nothing, so payload and salt can be erased together and the
    log still verifies.
    """
    made = hashlib.sha256(COMMITMENT_PREFIX + salt)
    made.update(payload)  # up to 2 MB, and not copied
    return "sha256:" + made.hexdigest()
