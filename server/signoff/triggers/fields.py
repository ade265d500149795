"""The names that expressions may use, with what is known of their types.

`subject`, `confidence` and `confidence_source` are short for the fields of that name under `bundle`. What stands under `signals` is
declared by each policy, so the functions here take the kinds of its signals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from signoff.domain.near import meant

Kind = Literal["text", "number", "time", "object", "list", "true or false", "any"]
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
        "wants_human": "text",
        "session_id": "text",
    },
    "agent": {"id": "text", "name": "text", "owner": "text"},
    "session": {"id": "text"},
}
"""Roots with a fixed set of fields."""

ROOTS: dict[str, Kind] = {
    **dict.fromkeys((*FIELDS, "signals"), "object"),
    "confidence": "number",
    "confidence_source": "text",
    "subject": "object",
    "now": "time",
}
ALIASES: dict[str, Path] = {name: ("bundle", name) for name in ("subject", "confidence", "confidence_source")}

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


@lru_cache(
    maxsize=4096
)  # asked at every evaluation for every path that is read; paths are a policy's, no agent's
def canonical_path(path: Path) -> Path:
    """Return a path under its own root: `subject.id` is `bundle.subject.id`."""
    alias = ALIASES.get(path[0])
    return path if alias is None else (*alias, *path[1:])


def kind_of(path: Path, signals: Mapping[str, Kind]) -> Kind:
    """Return what is known of the value at a path that `wrong_path` accepts."""
    path = canonical_path(path)
    if len(path) == 1:
        return ROOTS[path[0]]
    if len(path) > 2:
        return "any"
    return signals.get(path[1], "any") if path[0] == "signals" else FIELDS[path[0]].get(path[1], "any")


def is_free_json(path: Path) -> bool:
    """Say whether a path lies in JSON that the agent shapes, where null is a value like any other.

    Everywhere else null is an optional field that was not sent.
    """
    return len(path) > 2 and path[:2] in (("action", "arguments"), ("bundle", "state"))


def wrong_path(path: Path, signals: Mapping[str, Kind]) -> str | None:
    """Return what is wrong with a path whose root is known, or None."""
    root, rest = path[0], path[1:]
    if root == "signals":
        if not signals:
            return "no signals are declared under signals:"
        if not rest:
            return f"name one of the signals: {', '.join(f'signals.{name}' for name in signals)}"
        if rest[0] not in signals:
            return f"no signal '{rest[0]}' is declared under signals:{meant(rest[0], signals)}"
    if not rest:
        return None
    if root in FIELDS and rest[0] not in FIELDS[root]:
        if root == "bundle" and rest[0] == "action":
            return "the action is not under bundle: write action.…"
        known = ", ".join(FIELDS[root])
        return f"{root} has no field '{rest[0]}'{meant(rest[0], FIELDS[root])}; it has {known}"
    for depth in range(1, len(path)):
        kind = kind_of(path[:depth], signals)
        if kind in ("text", "number", "time", "list", "true or false"):
            return f"{'.'.join(path[:depth])} is {_article(kind)}{kind} and has no field '{path[depth]}'"
    return None


def read_path(text: str) -> Path:
    """Return the path that a text such as `bundle.subject.id` names.

    Raises:
        ValueError: It names nothing that an action has; says what is near.
    """
    path = tuple(text.split("."))
    if path[0] not in ROOTS or path[0] == "signals" or "" in path:
        known = [root for root in ROOTS if root != "signals"]
        raise ValueError(
            f"'{text[:60]}' is no path: write one such as action.arguments.amount or bundle.subject.id{meant(path[0], known)}"
        )
    wrong = wrong_path(path, {})
    if wrong:
        raise ValueError(wrong)
    return path


_PLAIN_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP = re.compile(r'\.?([A-Za-z_][A-Za-z0-9_-]*)|\["([^"]*)"\]')


def path_text(path: Path) -> str:
    """Return a path as a condition writes it: `action.arguments.amount`, `action.arguments["a b"]`."""
    made = path[0]
    for step in path[1:]:
        made += f".{step}" if _PLAIN_STEP.fullmatch(step) else f'["{step}"]'
    return made


def path_of(text: str) -> Path:
    """Read what `path_text` wrote; a condition's steps hold no quotes, so there is one reading."""
    return tuple(found[1] if found[1] is not None else found[2] for found in _STEP.finditer(text))


def _article(kind: Kind) -> str:
    return "" if kind == "true or false" else "a "
