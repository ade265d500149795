"""How values are shown: as text, whole, with their kind and length, and with what is hidden in them made visible.

Nothing is rendered, neither markdown nor HTML nor links, and nothing is cut without saying how much.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from typing import Any, Literal
from unicodedata import bidirectional

from signoff.desk.masks import is_hidden
from signoff.domain.characters import Piece, count_marked, pieces
from signoff.operators.senses import NOTHING, Sense, sense_of, span

__all__ = ["MAX_HIGHLIGHTS", "MAX_ROWS", "Room", "Row", "Shown", "instant", "json_text", "kind_of", "machine_instant",
           "opaque", "rows", "shown", "span"]  # fmt: skip

FOLD_CHARS = 900
FOLD_LINES = 18
HEAD_LINES = 12
HEAD_CHARS = 240
TAIL_CHARS = 120
MAX_HIGHLIGHTS = 2000
"""Beyond these many marks a text shows them all, but not each as an element: 2 MB of them made a page of 60 MB."""
MAX_ROWS = 400
"""Beyond these many values a tree is shown as JSON text: a page of 50,000 rows helps nobody."""
APART_CHARS = 6000
"""Beyond these a text of a case stands on a page of its own, and the case shows its ends: pages stay below 1 MB."""
_MARK_COST = 60
"""Characters of page that a mark takes beside its text."""

Kind = Literal["text", "number", "yes_no", "nothing", "list", "fields"]
Opaque = Literal["", "base64", "shell", "sql"]


@dataclass(slots=True)
class Room:
    """How much of a page is left for what agents wrote; what no longer fits stands on a page of its own."""

    left: int
    """In characters of HTML."""
    each: int = APART_CHARS
    """The longest text that stands on the page whole."""

    def take(self, some: Iterable[Piece]) -> bool:
        """Take the room that some pieces need, if there is as much."""
        needed = sum(len(escape(piece.text)) + (_MARK_COST if piece.mark else 0) for piece in some)
        if needed > self.left:
            return False
        self.left -= needed
        return True


@dataclass(frozen=True, slots=True)
class Shown:
    """A text, ready to be shown."""

    whole: tuple[Piece, ...]
    """Empty where the text stands on a page of its own."""
    head: tuple[Piece, ...]
    """The beginning of a long text; empty where the whole is short enough to stand open."""
    tail: tuple[Piece, ...]
    chars: int
    lines: int
    marked: int
    """Characters that are shown as marks; of a text that stands apart, 1 where there are any."""
    opaque: Opaque
    """What the text looks like if it is something that reading does not tell the effect of."""
    apart: bool = False
    """Whether the text is too long for the page, and stands on one of its own."""
    at: str = ""
    """Where the value lies in the case, as a JSON pointer (RFC 6901); empty where no page shows it alone."""
    found: tuple[Piece, ...] = ()
    """What made `opaque` of it, with a little around it, where that is neither in the head nor in the tail."""
    found_at: int = 0

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
    sense: Sense = NOTHING
    """What the value means to a reader, where its name says so."""
    at: str = ""
    """Where the value lies in the case, as a JSON pointer."""


def shown(text: str, *, edges: bool = False, at: str = "", room: Room | None = None) -> Shown:
    """Prepare a text.

    Args:
        edges: Mark spaces at the beginning and the end too, which matter in an argument and not in prose.
        at: Where a page shows it alone.
        room: What is left of the page; without it the text stands on the page however long it is.
    """
    lines = text.count("\n") + 1
    long = len(text) > FOLD_CHARS or lines > FOLD_LINES
    what, where = looks_like(text)
    head, tail = (_first(text), text[-TAIL_CHARS:]) if long else ("", "")
    hidden = long and what and not (where < len(head) - 20 or where > len(text) - TAIL_CHARS)
    found = _joined(pieces(text[max(0, where - 40) : where + 160])) if hidden else ()
    ends = _joined(pieces(head)), _joined(pieces(tail))
    if room is not None and len(text) > room.each:
        return _apart(text, ends, found, room, lines=lines, at=at, what=what, where=where)
    whole = _with_edges(text) if edges else pieces(text)
    marked = count_marked(whole)
    if marked > MAX_HIGHLIGHTS:
        whole = (Piece("".join(piece.text for piece in whole)),)
    whole = _joined(whole)
    if room is not None and not room.take((*whole, *ends[0], *ends[1], *found)):
        return _apart(text, ends, found, room, lines=lines, at=at, what=what, where=where)
    return Shown(whole, *ends, len(text), lines, marked, what, at=at, found=found, found_at=where)


def _apart(
    text: str,
    ends: tuple[tuple[Piece, ...], tuple[Piece, ...]],
    found: tuple[Piece, ...],
    room: Room,
    *,
    lines: int,
    at: str,
    what: Opaque,
    where: int,
) -> Shown:
    """Show the ends of a text, or on a page that is full already nothing but its length and what is wrong with it."""
    if not room.take((*ends[0], *ends[1], *found)):
        ends, found = ((), ()), ()
    # isprintable() knows the categories that are never seen and takes no time; the rest is marked where it is shown.
    marked = 0 if text.replace("\n", "").replace("\t", "").isprintable() else 1
    return Shown((), *ends, len(text), lines, marked, what, apart=True, at=at, found=found, found_at=where)


def _joined(some: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Draw neighbouring marks of a kind as one: 6,000 hidden characters in a row are one element."""
    if len(some) < 3:
        return some
    made = []
    for mark, group in groupby(some, key=lambda piece: piece.mark):
        made.append(Piece("".join(piece.text for piece in group), mark))
    return tuple(made)


def _first(text: str) -> str:
    return "\n".join(text[:HEAD_CHARS].split("\n")[:HEAD_LINES])


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


def rows(
    value: Any,
    *,
    masked: frozenset[str] = frozenset(),
    prefix: str = "",
    at: str = "",
    room: Room | None = None,
) -> list[Row] | None:
    """Return every value of a JSON object in its order, members after their containers.

    Args:
        masked: Dotted paths under `prefix` where a secret was masked.
        prefix: What those paths start with, such as `action.arguments`.
        at: Where the object lies in the case, as a JSON pointer.
        room: What is left of the page.

    Returns:
        None where there are more than `MAX_ROWS`; `json_text` shows those.
    """
    made: list[Row] = []
    for node in walk(value, at=at):
        if len(made) == MAX_ROWS:
            return None
        made.append(row_of(node, is_masked=f"{prefix}.{node.path}" in masked, room=room))
    return made


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a tree, as it is walked."""

    path: str
    name: str
    depth: int
    value: Any
    at: str
    """As a JSON pointer."""
    beside: Mapping[str, Any]
    """The object that it is a member of; empty for members of lists."""


def walk(value: Any, *, at: str = "") -> Iterator[Node]:
    """Walk a tree without recursion, for bundles nest 64 deep; members follow their container."""
    waiting = [Node("", "", -1, value, at, {})]
    while waiting:
        node = waiting.pop()
        if node.depth >= 0:
            yield node
        waiting.extend(reversed(members(node)))


def members(node: Node) -> list[Node]:
    """Return the values right inside a value, in their order."""
    if isinstance(node.value, Mapping):
        return [
            Node(
                f"{node.path}.{key}" if node.path else key,
                key,
                node.depth + 1,
                member,
                f"{node.at}/{pointed(key)}",
                node.value,
            )
            for key, member in node.value.items()
        ]
    if isinstance(node.value, (list, tuple)):
        return [
            Node(f"{node.path}[{at}]", str(at + 1), node.depth + 1, member, f"{node.at}/{at}", {})
            for at, member in enumerate(node.value)
        ]
    return []


def pointed(key: str) -> str:
    """Return a key as a step of a JSON pointer (RFC 6901 §3)."""
    return key.replace("~", "~0").replace("/", "~1")


def row_of(node: Node, *, is_masked: bool, room: Room | None) -> Row:
    """Return one value of a tree, ready to be shown."""
    kind = kind_of(node.value)
    size = len(node.value) if kind in ("list", "fields") else 0
    content = (
        None
        if size or kind in ("list", "fields")
        else shown(_text(node.value), edges=True, at=node.at, room=room)
    )
    state: Literal["", "hidden", "masked"] = "masked" if is_masked else ""
    if is_hidden(node.value):
        state = "hidden"
    sense = NOTHING if state else sense_of(node.name, node.value, node.beside)
    return Row(node.path, pieces(node.name), node.depth, kind, content, size, state, sense, node.at)


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
# Looked for anywhere in up to 256 KB that an agent chose: every run is bounded, so that no text takes long.
_SHELL = re.compile(
    r"\A#!|\$\([^\n]|`[^`\n]{1,300}`"
    r"|(?:\A|[\n;&|])[ \t]{0,40}(?:sudo|rm|curl|wget|chmod|chown|bash|sh|dd|kubectl|docker|git|python3?|ssh|scp|eval)[ \t]+[^\s=]"
    r"|\|[ \t]{0,9}(?:ba|z)?sh\b|&&",
)
_SQL = re.compile(
    r"(?:\A\s{0,40}|[\n;][ \t\r]{0,40})(?:select\b.{1,300}?\bfrom\b|insert\s{1,9}into\b|update\b.{1,200}?\bset\b|delete\s{1,9}from\b"
    r"|drop\s{1,9}(?:table|database|schema|view|index|user|role|column|function|trigger)\b"
    r"|alter\s{1,9}(?:table|database|schema|user|role|view|system)\b|truncate\s{1,9}(?:table\s{1,9})?\w+\s{0,9}(?:;|\Z)"
    r"|create\s{1,9}(?:or\s{1,9}replace\s{1,9})?(?:table|database|schema|view|index|user|role|function|trigger|extension)\b"
    r"|grant\b.{1,200}?\bto\b|with\b.{1,200}?\bas\s{0,9}\()",
    re.IGNORECASE | re.DOTALL,
)


def opaque(text: str) -> Opaque:
    """Say whether a text looks like code or a blob whose effect its reader cannot see."""
    return looks_like(text)[0]


def looks_like(text: str) -> tuple[Opaque, int]:
    """Return what code or blob a text looks like, and where that begins, in characters."""
    if len(text) < 4:
        return "", 0
    looks: tuple[tuple[Opaque, re.Pattern[str]], ...] = (("sql", _SQL), ("shell", _SHELL))
    for what, pattern in looks:
        found = pattern.search(text)
        if found is not None:
            return what, found.start()
    return ("base64" if _is_base64(text.strip()) else ""), 0


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
