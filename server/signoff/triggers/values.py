"""The values that made a trigger fire, small enough to be stored, shown and sent with every verdict.

A short value is kept as it is; of a long text the beginning is, and of a long list or object its size. Secrets are
masked before anything is cut, so that no part of one is left.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from signoff.domain.canonical import MAX_INT
from signoff.domain.clock import to_text
from signoff.domain.secrets import mask_secrets
from signoff.triggers.expression import Expression
from signoff.triggers.fields import Path, canonical_path, path_text

MAX_VALUES = 12
"""Values that one trigger shows; a condition that reads more is explained by its first ones."""
MAX_EXPLAINED = 100
"""Triggers of one verdict whose values are kept: ten thousand that fire at once would make 20 MB."""
MAX_CHARS = 120
MAX_READ_CHARS = 16 * 1024
_MAX_MEMBERS = 40
_KNOWN_BY_CHARS = 300
_WORD = string.ascii_letters + string.digits + "._+/=-"


class Values:
    """The values of one evaluation; each is prepared once, however many triggers read it."""

    def __init__(self, known: Mapping[str, Any], room: int = MAX_READ_CHARS) -> None:
        """Take the values by variable, those of `has()` among them.

        Args:
            room: Characters of one value in which secrets are looked for; what is longer is cut before.
        """
        self._known = known
        self._room = room
        self._brief: dict[str, Any] = {}

    def of(
        self, condition: Expression, variables: Mapping[Path, str], asks: Mapping[Path, str]
    ) -> dict[str, Any]:
        """Return what a condition read, by path; what the agent did not send is left out, `has(path)` says so."""
        made: dict[str, Any] = {}
        read: set[Path] = set()
        for path in condition.reads:
            name = variables[path]
            if name in self._known and len(made) < MAX_VALUES:
                if name not in self._brief:
                    self._brief[name] = brief(self._known[name], self._room)
                made[path_text(path)] = self._brief[name]
                read.add(canonical_path(path))
        for path in condition.asks:
            is_here = self._known.get(asks[path])
            if is_here is not None and canonical_path(path) not in read and len(made) < MAX_VALUES:
                made[f"has({path_text(path)})"] = is_here
        return made


def masked_beginning(text: str, room: int) -> str:
    """Return at most `room` characters of a text with secrets masked, and no part of a secret that goes on after them."""
    if len(text) <= room:
        return str(mask_secrets(text)[0])
    # A word that the cut goes through may be the beginning of a token. Of a long one this much is enough to know it by,
    # but for a JWT, which has two dots somewhere; of a private key the first line is.
    beginning = text[:room]
    whole = beginning.rstrip(_WORD)
    if room - len(whole) < _KNOWN_BY_CHARS or "eyJ" in beginning[len(whole) :]:
        beginning = whole.rstrip(string.digits + " -")  # of a card number in groups
    return str(mask_secrets(beginning)[0])


def brief(value: Any, room: int = MAX_READ_CHARS) -> Any:
    """Return a value as plain JSON of at most about `MAX_CHARS` characters, with secrets masked."""
    if isinstance(value, str):
        return _text(value, room)
    if isinstance(value, datetime):
        return to_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        masked, _ = mask_secrets(value)
        return masked if isinstance(masked, str) or abs(masked) <= MAX_INT else str(masked)
    if not isinstance(value, (Mapping, list, tuple)):
        return _text(str(value), room)
    if _is_small(value, room):
        masked, _ = mask_secrets(dict(value) if isinstance(value, Mapping) else list(value))
        if len(json.dumps(masked, ensure_ascii=False, default=str)) <= MAX_CHARS:
            return masked
    size = len(value)
    one, many = ("field", "fields") if isinstance(value, Mapping) else ("item", "items")
    return f"[{size} {one if size == 1 else many}]"


def _text(text: str, room: int) -> str:
    masked = masked_beginning(text, room)
    if len(masked) <= MAX_CHARS and len(text) <= room:
        return masked
    return f"{masked[:MAX_CHARS]}… [cut, {len(text)} characters in all]"


def _is_small(value: Any, room: int) -> bool:
    """Say whether a list or object may fit; looks at no more of it than that takes."""
    waiting, seen = [value], 0
    while waiting:
        one = waiting.pop()
        seen += 1
        if isinstance(one, str):
            room -= len(one)
            if len(one) > MAX_CHARS:
                return False
        if isinstance(one, (int, float)) and not abs(one) <= MAX_INT:  # NaN is not within it either
            return False
        if isinstance(one, Mapping):
            room -= sum(len(str(key)) for key in one) if len(one) <= _MAX_MEMBERS else 0
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            waiting.extend(one)
        if room < 0 or seen + len(waiting) > _MAX_MEMBERS:
            return False
    return True
