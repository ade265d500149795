"""The one form that an event's bytes may have: canonical JSON with the fields of an event, and no others."""

from __future__ import annotations

import re
from typing import Any

import orjson

from signoff.domain.canonical import canonical, check_value
from signoff.domain.errors import InvalidRequest
from signoff.domain.event import MAX_EVENT_BYTES

_REQUIRED = frozenset({"v", "log", "seq", "prev", "at", "type", "actor", "data"})
_FIELDS = _REQUIRED | {"escalation"}
_MEMBER_FRACTION = re.compile(rb'":-?[0-9]+[.eE]').search
_FIRST_NUMBER = re.compile(rb"\[-?[0-9]").search
_NEXT_NUMBER = re.compile(rb",-?[0-9]").search
"""Where a fraction or an exponent may stand in canonical JSON, which has no blanks: as a member, or in a list. Some texts
match too, which costs time and changes nothing. Each begins with a letter to look for; all in one take ten times as long."""
_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


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
    if (
        raw.isascii()
        and not _MEMBER_FRACTION(raw)
        and (b"[" not in raw or not (_FIRST_NUMBER(raw) or _NEXT_NUMBER(raw)))
    ):
        try:
            return orjson.dumps(record, option=_CANONICAL) == raw
        except orjson.JSONEncodeError:  # an integer beyond 2^53, or nesting that orjson gives up on
            return False
    try:
        check_value(record, field="event")
    except InvalidRequest:
        return False
    return canonical(record) == raw
