"""The one form that an event's bytes may have: canonical JSON with the fields of an event, and no others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from signoff.domain.canonical import canonical, check_value
from signoff.domain.errors import InvalidRequest
from signoff.domain.event import MAX_EVENT_BYTES

_REQUIRED = frozenset({"v", "log", "seq", "prev", "at", "type", "actor", "data"})
_FIELDS = _REQUIRED | {"escalation"}


def parse_event(raw: bytes) -> dict[str, Any] | None:
    """Return an event's fields, None unless the bytes are canonical and the fields of the right kinds."""
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if type(record) is not dict or len(raw) > MAX_EVENT_BYTES:
        return None
    if record.keys() != _FIELDS and record.keys() != _REQUIRED:
        return None
    if not _is_canonical(record, raw):
        return None
    if type(record["type"]) is not str or type(record["at"]) is not str:
        return None
    return record if type(record["data"]) is dict and type(record["actor"]) is dict else None


def _is_canonical(record: dict[str, Any], raw: bytes) -> bool:
    # In ASCII without fractions and huge numbers, orjson's sorted output is the RFC 8785 form (`domain/canonical.py`).
    if raw.isascii() and _has_no_fractions(record.values()):
        try:
            return orjson.dumps(record, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER) == raw
        except orjson.JSONEncodeError:  # an integer beyond 2^53, or nesting that orjson gives up on
            return False
    try:
        check_value(record, field="event")
    except InvalidRequest:
        return False
    return canonical(record) == raw


def _has_no_fractions(values: Collection[Any]) -> bool:
    """Say whether there are no fractions, which orjson and RFC 8785 write in two ways."""
    kinds = {*map(type, values)}  # most objects hold nothing but text, and this asks for all of it at once
    if float in kinds:
        return False
    if dict in kinds or list in kinds:
        return all(
            _has_no_fractions(value.values() if isinstance(value, dict) else value)
            for value in values
            if isinstance(value, (dict, list))
        )
    return True
