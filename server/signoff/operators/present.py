"""How values are shown: as text, whole, with their kind and length, and with what is hidden in them made visible.

Nothing is rendered, neither markdown nor HTML nor links, and nothing is cut without saying how much.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from unicodedata import bidirectional

from signoff.desk.masks import is_hidden
from signoff.domain.characters import Piece, count_marked, pieces

FOLD_CHARS = 600
FOLD_LINES = 12
HEAD_CHARS = 240
TAIL_CHARS = 120
MAX_HIGHLIGHTS = 2000
"""Beyond these many marks a text shows them all, but not each as an element: 2 MB of them made a page of 60 MB."""
MAX_ROWS = 400
"""Beyond these many values a tree is shown as JSON text: a page of 50,000 rows helps nobody."""

Kind = Literal["text", "number", "yes_no", "nothing", "list", "fields"]
Opaque = Literal["", "base64", "shell", "sql"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A text, ready to be shown."""

    whole: tuple[Piece, ...]
    head: tuple[Piece, ...]
    """The beginning of a long text; empty where the whole is short enough to stand open."""
    tail: tuple[Piece, ...]
    chars: int
    lines: int
    marked: int
    """Characters that are shown as marks."""
    opaque: Opaque
    """What the text looks like if it is something that reading does not tell the effect of."""

    @property
    def folded(self) -> bool:
        """Say whether only beginning and end stand open."""
        return bool(self.head)


@dataclass(frozen=True, slots=True)
class Row:
    """One value of a tree, at its place."""

    path: str
    """As in `flights[0].date`."""
    name: tuple[Piece, ...]
    depth: int
    kind: Kind
    value: Shown | None
    """None for lists and objects, whose members follow."""
    size: int
    """Members of a list or object."""
    state: Literal["", "hidden", "masked"] = ""
    """Whether the value is kept from this person by the policy, or from everybody because it is a secret."""


def shown(text: str, *, edges: bool = False) -> Shown:
    """Prepare a text.

    Args:
        edges: Mark spaces at the beginning and the end too, which matter in an argument and not in prose.
    """
    whole = _with_edges(text) if edges else pieces(text)
    lines = text.count("\n") + 1
    long = len(text) > FOLD_CHARS or lines > FOLD_LINES
    marked = count_marked(whole)
    if marked > MAX_HIGHLIGHTS:
        whole = (Piece("".join(piece.text for piece in whole)),)
    return Shown(
        whole=whole,
        head=pieces(_first(text)) if long else (),
        tail=pieces(text[-TAIL_CHARS:]) if long else (),
        chars=len(text),
        lines=lines,
        marked=marked,
        opaque=opaque(text),
    )


def _first(text: str) -> str:
    return "\n".join(text[:HEAD_CHARS].split("\n")[:FOLD_LINES])


def _with_edges(text: str) -> tuple[Piece, ...]:
    inner = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    after = len(text) - len(inner) - before if inner else 0
    made = list(pieces(inner))
    if before:
        made.insert(0, Piece(f"⟦space x {before}⟧", "hidden"))
    if after:
        made.append(Piece(f"⟦space x {after}⟧", "hidden"))
    return tuple(made)


def from_right(text: str) -> bool:
    """Say whether a text holds letters or digits that are written from right to left (Unicode, UAX #9: R, AL, AN)."""
    return not text.isascii() and any(bidirectional(letter) in ("R", "AL", "AN") for letter in text)


def json_text(value: Any) -> str:
    """Return a value as indented JSON, its letters as they are."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def rows(value: Any, *, masked: frozenset[str] = frozenset(), prefix: str = "") -> list[Row] | None:
    """Return every value of a JSON object in its order, members after their containers.

    Args:
        masked: Dotted paths under `prefix` where a secret was masked.
        prefix: What those paths start with, such as `action.arguments`.

    Returns:
        None where there are more than `MAX_ROWS`; `json_text` shows those.
    """
    made: list[Row] = []
    for path, name, depth, member in _walk(value):
        if len(made) == MAX_ROWS:
            return None
        made.append(_row(path, name, depth, member, masked=f"{prefix}.{path}" in masked))
    return made


def _walk(value: Any) -> Iterator[tuple[str, str, int, Any]]:
    """Walk a tree without recursion, for bundles nest 64 deep."""
    waiting = [("", "", -1, value)]
    while waiting:
        path, name, depth, node = waiting.pop()
        if depth >= 0:
            yield path, name, depth, node
        if isinstance(node, Mapping):
            members = [
                (f"{path}.{key}" if path else key, key, depth + 1, member) for key, member in node.items()
            ]
        elif isinstance(node, (list, tuple)):
            members = [(f"{path}[{at}]", str(at + 1), depth + 1, member) for at, member in enumerate(node)]
        else:
            continue
        waiting.extend(reversed(members))


def _row(path: str, name: str, depth: int, value: Any, *, masked: bool) -> Row:
    kind = kind_of(value)
    size = len(value) if kind in ("list", "fields") else 0
    content = None if kind in ("list", "fields") else shown(_text(value), edges=True)
    state: Literal["", "hidden", "masked"] = "masked" if masked else ""
    if is_hidden(value):
        state = "hidden"
    return Row(path, pieces(name), depth, kind, content, size, state)


def kind_of(value: Any) -> Kind:
    """Name what sort of JSON value this is."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "yes_no"
    if value is None:
        return "nothing"
    if isinstance(value, (int, float)):
        return "number"
    return "fields" if isinstance(value, Mapping) else "list"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")
_SHELL = re.compile(
    r"^#!|\$\(|`[^`]+`|(?:^|[\n;&|])\s*(?:sudo|rm|curl|wget|chmod|chown|bash|sh|dd|kubectl|docker|git|python3?|ssh|scp|eval)\s+\S"
    r"|\|\s*(?:ba|z)?sh\b|&&",
)
_SQL = re.compile(
    r"^\s*(?:select\b.+\bfrom|insert\s+into|update\b.+\bset|delete\s+from|drop\s+\w+|alter\s+\w+|truncate\s+\w+"
    r"|create\s+\w+|grant\b.+\bto|with\b.+\bas\s*\()",
    re.IGNORECASE | re.DOTALL,
)


def opaque(text: str) -> Opaque:
    """Say whether a text looks like code or a blob whose effect its reader cannot see."""
    start = text[:4000]
    if _SQL.search(start):
        return "sql"
    if _SHELL.search(start):
        return "shell"
    return "base64" if _is_base64(text.strip()) else ""


def _is_base64(text: str) -> bool:
    compact = "".join(text.split())
    # A word of letters alone is a word; an encoded blob mixes cases and digits.
    if not _BASE64.fullmatch(compact) or not (
        any(map(str.isdigit, compact)) and any(map(str.isupper, compact))
    ):
        return False
    if re.fullmatch(r"[0-9A-Fa-f-]+", compact):
        return False
    try:
        base64.b64decode(
            compact.replace("-", "+").replace("_", "/") + "=" * (-len(compact) % 4), validate=True
        )
    except (binascii.Error, ValueError):
        return False
    return True


def instant(at: datetime) -> str:
    """Return an instant as people read it, `23 Nov 2026, 20:31:05 UTC`."""
    return at.astimezone(UTC).strftime("%-d %b %Y, %H:%M:%S UTC")


def machine_instant(at: datetime) -> str:
    """Return an instant for a `datetime` attribute."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(time: timedelta) -> str:
    """Return a length of time in its two largest units, `2 h 5 min`; `0 s` where it is over."""
    seconds = max(0, int(time.total_seconds()))
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts: list[str] = []
    for length, unit in units:
        if seconds >= length:
            parts.append(f"{seconds // length} {unit}")
            seconds %= length
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 s"
