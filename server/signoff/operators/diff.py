"""What changes between two JSON values, one entry per place, in the order of the old value."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from signoff.operators.present import Shown, json_text, shown


@dataclass(frozen=True, slots=True)
class Changed:
    """One place where two values differ."""

    path: str
    """As in `flights[0].date` and `["a.b"]`; empty for the value itself."""
    kind: Literal["changed", "added", "removed"]
    old: Any = None
    new: Any = None

    def as_json(self) -> dict[str, Any]:
        """Return the change as the page's script shows it: texts as pieces, each with its mark."""
        made: dict[str, Any] = {"path": _pieces(shown(self.path))}
        if self.kind != "added":
            made["old"] = _pieces(self.old_shown)
        if self.kind != "removed":
            made["new"] = _pieces(self.new_shown)
        return made

    @property
    def old_shown(self) -> Shown:
        """Return the old value, ready to be shown."""
        return shown(_text(self.old), edges=True)

    @property
    def new_shown(self) -> Shown:
        """Return the new value, ready to be shown."""
        return shown(_text(self.new), edges=True)


def changes(old: Any, new: Any, path: str = "") -> list[Changed]:
    """Return where two JSON values differ; objects are compared by key, lists by position."""
    if isinstance(old, dict) and isinstance(new, dict):
        made: list[Changed] = []
        for key, value in old.items():
            at = _member(path, key)
            made += changes(value, new[key], at) if key in new else [Changed(at, "removed", old=value)]
        for key, value in new.items():
            if key not in old:
                made.append(Changed(_member(path, key), "added", new=value))
        return made
    if isinstance(old, list) and isinstance(new, list):
        made = []
        for index in range(max(len(old), len(new))):
            at = f"{path}[{index}]"
            if index >= len(new):
                made.append(Changed(at, "removed", old=old[index]))
            elif index >= len(old):
                made.append(Changed(at, "added", new=new[index]))
            else:
                made += changes(old[index], new[index], at)
        return made
    # True == 1 in Python; on the wire they are two values, and 1 and 1.0 are one.
    if old == new and isinstance(old, bool) == isinstance(new, bool):
        return []
    return [Changed(path, "changed", old=old, new=new)]


def _member(path: str, key: str) -> str:
    """Return the path of a member; a key that reads like a path of its own stands in quotes, as `a["b.c"]`."""
    if not key or any(letter in key for letter in '.[]" '):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def _pieces(text: Shown) -> list[list[str]]:
    """Return a text's pieces; of a long one its two ends, with the length between them."""
    if not text.folded:
        return [[one.text, one.mark] for one in text.whole]
    ends = [[[one.text, one.mark] for one in some] for some in (text.head, text.tail)]
    return [*ends[0], [f" ⋯ {text.chars:,} characters ⋯ ", "gap"], *ends[1]]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)
