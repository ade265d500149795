"""Payloads as they are stored beside the log, and what verifying takes from each."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from signoff.audit.fold import shown
from signoff.domain.event import commitment


class PayloadRow(NamedTuple):
    """A payload as it is stored beside the log; an erased one has no row."""

    seq: int
    field: str
    salt: bytes
    data: bytes


class PayloadDigest(NamedTuple):
    """What counts of a payload once its bytes were read."""

    seq: int
    field: str
    made: str
    """The commitment that an event must hold."""
    words: dict[str, Any] | None
    """What a bundle says of the columns that repeat it; None for anything else."""


def digest_payload(row: PayloadRow) -> PayloadDigest:
    """Return what counts of a payload; for a long one that is most of the work of verifying it."""
    words = shown(_json(row.data)) if row.field == "bundle" else None
    return PayloadDigest(row.seq, row.field, commitment(row.salt, row.data), words)


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except ValueError:
        return None
