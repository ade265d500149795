"""The names that expressions may use, with what is known of their types.

`subject` and `confidence` are short for `bundle.subject` and `bundle.confidence`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

Kind = Literal["text", "number", "time", "object", "list", "any"]
Path = tuple[str, ...]

FIELDS: dict[str, dict[str, Kind]] = {
    "action": {"tool": "text", "arguments": "object", "server": "text", "summary": "text"},
    "bundle": {
        "reasoning": "list",
        "messages": "list",
        "state": "any",
        "subject": "object",
        "confidence": "number",
        "confidence_source": "text",
        "alternatives": "list",
        "risk": "object",
        "attachments": "list",
    },
    "agent": {"id": "text", "name": "text", "owner": "text"},
    "session": {"id": "text"},
    "signals": {},
}
"""Roots with a fixed set of fields."""

ROOTS: dict[str, Kind] = {
    **dict.fromkeys(FIELDS, "object"),
    "confidence": "number",
    "subject": "object",
    "now": "time",
}
ALIASES: dict[str, Path] = {"subject": ("bundle", "subject"), "confidence": ("bundle", "confidence")}

TYPES = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"})
"""CEL's names of types, for `type(x) == string`."""

FUNCTIONS = frozenset(
    {
        "size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string", "bytes",
        "timestamp", "duration", "type", "dyn", "getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth",
        "getDate", "getDayOfWeek", "getHours", "getMinutes", "getSeconds", "getMilliseconds",
    }
)  # fmt: skip
"""What the engine knows beside operators and macros."""

MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})


def kind_of(path: Path) -> Kind:
    """Return what is known of the value at a path that `check_path` accepts."""
    path = (*ALIASES.get(path[0], path[:1]), *path[1:])
    if len(path) == 1:
        return ROOTS[path[0]]
    return FIELDS[path[0]].get(path[1], "any") if len(path) == 2 else "any"


def is_free_json(path: Path) -> bool:
    """Say whether a path lies in JSON that the agent shapes, where null is a value like any other.

    Everywhere else null is an optional field that was not sent.
    """
    return len(path) > 2 and path[:2] in (("action", "arguments"), ("bundle", "state"))


def wrong_path(path: Path) -> str | None:
    """Return what is wrong with a path whose root is known, or None."""
    root, rest = path[0], path[1:]
    if root == "signals" and rest:
        return f"no signal '{rest[0]}' is declared under signals:"
    if not rest:
        return None
    if root in FIELDS and rest[0] not in FIELDS[root]:
        if root == "bundle" and rest[0] == "action":
            return "the action is not under bundle: write action.…"
        known = ", ".join(FIELDS[root])
        return f"{root} has no field '{rest[0]}'{meant(rest[0], FIELDS[root])}; it has {known}"
    for depth in range(1, len(path)):
        kind = kind_of(path[:depth])
        if kind in ("text", "number", "time", "list"):
            return f"{'.'.join(path[:depth])} is a {kind} and has no field '{path[depth]}'"
    return None


def meant(name: str, known: Iterable[str]) -> str:
    """Return ` - did you mean 'x'?`, or nothing where no known name is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" - did you mean '{near[0]}'?" if near else ""
