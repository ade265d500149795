"""The values that made a trigger fire, small enough to be stored, shown and sent with every verdict.

A short value is kept as it is; of a long text the beginning is, and of a long list or object its size. Secrets are
masked before anything is cut, so that no part of one is left.
"""

from __future__ import annotations

import json
import re
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
BUDGET_CHARS = 8 * 1024
"""Characters that one verdict looks through for secrets, which takes up to 1.6 µs each (measured 2026-11-25); beyond
them values are shown by their size."""
_READ_CHARS = 512
"""Of a text; any secret that begins in the first `MAX_CHARS` is known by so much of it, but for a long JWT."""
_MAX_MEMBERS = 40
_CUT_JWT = re.compile(r"\beyJ[A-Za-z0-9_.-]*")


class Values:
    """The values of one evaluation; each is prepared once, however many triggers read it."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        """Take the values by variable, those of `has()` among them."""
        self._known = known
        self._brief: dict[str, Any] = {}
        self._left = BUDGET_CHARS

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
                    self._brief[name] = self._made(self._known[name])
                made[path_text(path)] = self._brief[name]
                read.add(canonical_path(path))
        for path in condition.asks:
            is_here = self._known.get(asks[path])
            if is_here is not None and canonical_path(path) not in read and len(made) < MAX_VALUES:
                made[f"has({path_text(path)})"] = is_here
        return made

    def _made(self, value: Any) -> Any:
        cost = _cost(value)
        self._left -= cost
        return brief(value) if self._left >= 0 else sized(value)


def brief(value: Any) -> Any:
    """Return a value as plain JSON of at most about `MAX_CHARS` characters, with secrets masked."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime):
        return to_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        masked, _ = mask_secrets(value)
        return masked if isinstance(masked, str) or abs(masked) <= MAX_INT else str(masked)
    if not isinstance(value, (Mapping, list, tuple)):
        return _text(str(value))
    if _is_small(value):
        masked, _ = mask_secrets(dict(value) if isinstance(value, Mapping) else list(value))
        if _length(masked) <= MAX_CHARS:
            return masked
    return sized(value)


def sized(value: Any) -> Any:
    """Return what is said of a value that is not shown: its size, or itself where it has none."""
    if isinstance(value, str):
        return f"[{len(value)} characters]"
    if not isinstance(value, (Mapping, list, tuple)):
        return brief(value)
    one, many = ("field", "fields") if isinstance(value, Mapping) else ("item", "items")
    return f"[{len(value)} {one if len(value) == 1 else many}]"


def _text(text: str) -> str:
    masked = str(mask_secrets(text[:_READ_CHARS])[0])
    if len(masked) <= MAX_CHARS and len(text) <= _READ_CHARS:
        return masked
    if len(text) > _READ_CHARS:
        masked = _CUT_JWT.sub("[masked: jwt]", masked)
    return f"{masked[:MAX_CHARS]}… [cut, {len(text)} characters in all]"


def _cost(value: Any) -> int:
    """Return how many characters are looked through for secrets."""
    if isinstance(value, str):
        return min(len(value), _READ_CHARS)
    return 2 * MAX_CHARS if isinstance(value, (Mapping, list, tuple)) else 0


def _length(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str))


def _is_small(value: Any) -> bool:
    """Say whether a list or object may fit, once secrets are masked; looks at no more of it than that takes."""
    waiting, seen = [value], 0
    while waiting:
        one = waiting.pop()
        seen += 1
        if isinstance(one, str) and len(one) > MAX_CHARS:
            return False
        if isinstance(one, (int, float)) and not abs(one) <= MAX_INT:
            return False
        if isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            waiting.extend(one)
        if seen + len(waiting) > _MAX_MEMBERS:
            return False
    return _length(value) <= 2 * MAX_CHARS
