"""YAML as a policy may use it: maps, lists and scalars with their positions, and no surprises.

Read from the parser's events, so nothing is built before it is checked and no depth of nesting recurses.
Refused, each with its position: anchors and aliases, tags, a second document, duplicate keys, and scalars that
YAML 1.1 and 1.2 read differently (`no`, `010`, `12:30:00`, `1e3`). Dates and everything else stay text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_NESTING = 32

Path = tuple[str | int, ...]

_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,17}")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_BOOL_LIKE = frozenset({"yes", "no", "on", "off", "true", "false", "null"})
# What some YAML reader takes for a number and ours does not: octal, hex, sexagesimal, 1_000, 1e3, +1, .5, .inf
_NUMBER_LIKE = re.compile(
    r"[-+]?(?:0[xob][0-9a-f_]+|[0-9][0-9_]*(?::[0-9]{1,2}){1,3}(?:\.[0-9_]*)?"
    r"|[0-9][0-9_]*\.?[0-9_]*(?:e[-+]?[0-9]+)?|\.[0-9][0-9_]*(?:e[-+]?[0-9]+)?|\.inf|\.nan)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and how it was written."""

    line: int
    """From 1."""
    column: int
    """From 1, of the value's first character (an opening quote included)."""
    raw: str | None = None
    """The scalar's text before it became a number or word; None for maps and lists."""
    style: str | None = None
    """A quote, `|` or `>`; None where it is plain."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a policy; sorts by position."""

    line: int
    column: int
    message: str


@dataclass(slots=True)
class Document:
    """A YAML text that was read: its plain value, and where each part of it stands."""

    value: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    """Where the key of a member stands, by the member's path."""
    problems: list[Problem] = field(default_factory=list)

    def note(self, place: Place, message: str) -> None:
        """Add a problem at a place."""
        self.problems.append(Problem(place.line, place.column, message))


@dataclass(slots=True)
class _Open:
    """A map or list that is being read."""

    path: Path
    value: dict[str, Any] | list[Any]
    key: str | None = None
    key_place: Place | None = None
    repeated: bool = False


def read_document(text: str) -> Document:
    """Return a YAML text's value, places and problems; the value means something only without problems."""
    document = Document()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times faster where it is built
    stack: list[_Open] = []
    documents = 0
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    document.note(_place(event), "a second YAML document; a policy is one")
                    break
            elif isinstance(event, yaml.NodeEvent):
                if not _node(document, stack, event):
                    break
            elif isinstance(event, yaml.CollectionEndEvent):
                closed = stack.pop()
                _add(document, stack, closed.value, None, closed.path)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = error.problem or error.context or "cannot be read"
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        document.note(place, f"not YAML: {said}")
    except yaml.YAMLError as error:  # characters that YAML does not allow
        at = getattr(error, "position", 0)
        line = text.count("\n", 0, at) + 1
        document.note(
            Place(line, at - text.rfind("\n", 0, at)), "not YAML: a character that it does not allow"
        )
    return document


def _node(document: Document, stack: list[_Open], event: yaml.NodeEvent) -> bool:
    """Take one alias, scalar, or start of a collection; False where reading on makes no sense."""
    place = _place(event)
    if isinstance(event, yaml.AliasEvent):
        document.note(place, "an alias (*name); write the value out")
        return False
    if event.anchor is not None:
        document.note(place, f"an anchor (&{event.anchor[:40]}); write the value out where it is needed")
    tag = getattr(event, "tag", None)
    if tag is not None:
        document.note(place, f"a tag ({tag[:60]}); leave it out")
    if isinstance(event, yaml.ScalarEvent):
        _scalar(document, stack, event, place)
        return True
    if len(stack) >= MAX_NESTING:
        document.note(place, f"nested deeper than {MAX_NESTING} levels")
        return False
    if stack and isinstance(stack[-1].value, dict) and stack[-1].key is None:
        document.note(place, "a key must be plain text")
        return False
    path = _next_path(stack)
    document.places.setdefault(path, place)
    stack.append(_Open(path, {} if isinstance(event, yaml.MappingStartEvent) else []))
    return True


def _scalar(document: Document, stack: list[_Open], event: yaml.ScalarEvent, place: Place) -> None:
    style = event.style if event.style in ("'", '"', "|", ">") else None
    place = Place(place.line, place.column, event.value, style)
    top = stack[-1] if stack else None
    if top is not None and isinstance(top.value, dict) and top.key is None:
        # Keys are always text: the `on:` of other formats is a key called "on".
        top.key, top.key_place = event.value, place
        first = document.keys.get((*top.path, event.value))
        top.repeated = first is not None
        if first is not None:
            document.note(
                place, f"the key '{event.value[:60]}' appears twice; the first is on line {first.line}"
            )
        else:
            document.keys[(*top.path, event.value)] = place
        return
    value = event.value if style else _resolved(document, event.value, place)
    path = _next_path(stack)
    document.places.setdefault(path, place)
    _add(document, stack, value, place, path)


def _resolved(document: Document, raw: str, place: Place) -> Any:
    """Return what a plain scalar means: null, true, false, a decimal number, or its text."""
    if raw in _WORDS:
        return _WORDS[raw]
    if _INT.fullmatch(raw):
        return int(raw)
    if _FLOAT.fullmatch(raw):
        return float(raw)
    if raw.lower() in _BOOL_LIKE:
        document.note(place, f"'{raw}' means true or false to some readers: write true or false, or quote it")
    elif _NUMBER_LIKE.fullmatch(raw):
        document.note(
            place,
            f"'{raw[:40]}' is a different number to different readers: write it in plain decimals, or quote it",
        )
    return raw


def _add(document: Document, stack: list[_Open], value: Any, place: Place | None, path: Path) -> None:
    if not stack:
        document.value = value
        return
    top = stack[-1]
    if isinstance(top.value, list):
        top.value.append(value)
        return
    if top.key is not None and not top.repeated:
        top.value[top.key] = value
    top.key = None


def _next_path(stack: list[_Open]) -> Path:
    if not stack:
        return ()
    top = stack[-1]
    return (*top.path, len(top.value) if isinstance(top.value, list) else top.key or "")


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    if mark is None:  # the types allow it; both parsers always set it
        return Place(1, 1)
    return Place(mark.line + 1, mark.column + 1)
