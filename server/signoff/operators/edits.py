"""Changes to files: recognised among the arguments of a tool, and shown line by line as what goes and what comes.

Both texts are shown whole: a line that stays stands once, one that goes or comes stands by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from signoff.domain.characters import Piece, pieces

LineKind = Literal["same", "old", "new", "place"]

MAX_COMPARED = 300
"""Lines of each side that are compared with each other; beyond, one block goes and one comes. It takes their product."""
_PATHS = (
    "file_path",
    "path",
    "filename",
    "file",
    "target_file",
    "relative_path",
    "notebook_path",
    "filepath",
)
_PAIRS = (
    ("old_string", "new_string"), ("old_str", "new_str"), ("old_text", "new_text"), ("oldText", "newText"),
    ("oldString", "newString"), ("search", "replace"), ("old_content", "new_content"), ("old_source", "new_source"),
)  # fmt: skip
_CONTENTS = ("content", "contents", "file_text", "new_source", "file_content")
_PATCHES = ("patch", "diff", "input", "unified_diff")
_PATCH = re.compile(
    r"(?:^|\n)(?:diff --git |--- [^\n]{1,400}\n\+\+\+ |@@ -\d+(?:,\d+)? \+\d+|\*\*\* Begin Patch)"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a change."""

    kind: LineKind
    text: str
    """Without its line end."""
    unended: bool = False
    """The text ends here without a line end."""

    @property
    def shown(self) -> tuple[Piece, ...]:
        """Return the line, what cannot be seen in it marked; spaces and tabs at its end too."""
        bare = self.text.rstrip(" \t")
        rest = len(self.text) - len(bare)
        made = pieces(bare)
        return (*made, Piece(f"⟦space x {rest}⟧", "hidden")) if rest else made


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to one file."""

    how: Literal["replaces", "writes", "patch"]
    path: str
    """Empty where no path is sent beside the change."""
    lines: tuple[Line, ...]
    keys: tuple[str, ...]
    """The arguments that it shows."""
    size: int
    """Characters of the texts."""

    @property
    def comes(self) -> int:
        """Return how many lines come."""
        return sum(1 for line in self.lines if line.kind == "new")

    @property
    def goes(self) -> int:
        """Return how many lines go."""
        return sum(1 for line in self.lines if line.kind == "old")


def edit_of(arguments: Mapping[str, Any]) -> Edit | None:
    """Return the change to a file that some arguments are, None where they are none."""
    path_key = next((key for key in _PATHS if isinstance(arguments.get(key), str)), "")
    path = arguments[path_key] if path_key else ""
    own = (path_key,) if path_key else ()
    for old_key, new_key in _PAIRS:
        old, new = arguments.get(old_key), arguments.get(new_key)
        if isinstance(old, str) and isinstance(new, str):
            size = len(old) + len(new)
            return Edit("replaces", path, compared(old, new), (*own, old_key, new_key), size)
    for key in _PATCHES:
        text = arguments.get(key)
        if isinstance(text, str) and _PATCH.search(text[:20_000]):
            return Edit("patch", path, _of_patch(text), (*own, key), len(text))
    for key in _CONTENTS:
        text = arguments.get(key)
        if path and isinstance(text, str) and text:
            return Edit("writes", path, _lines("new", text), (*own, key), len(text))
    return None


def edits_of(arguments: Mapping[str, Any]) -> tuple[str, list[Edit]] | None:
    """Return the argument that lists several changes to a file, and those changes; None where there is none."""
    for key in ("edits", "changes", "replacements"):
        listed = arguments.get(key)
        if not isinstance(listed, Sequence) or isinstance(listed, str) or not 0 < len(listed) <= 50:
            continue
        made = [edit_of(one) if isinstance(one, Mapping) else None for one in listed]
        found = [one for one in made if one is not None and one.how == "replaces"]
        # All of each member must be shown by its change, or the reader would miss the rest.
        if len(found) == len(listed) and all(
            set(one) == set(edit.keys) for one, edit in zip(listed, found, strict=True)
        ):
            return key, found
    return None


def compared(old: str, new: str) -> tuple[Line, ...]:
    """Return two texts as one list of lines, with those that go and come."""
    before, after = _lines("old", old), _lines("new", new)
    start = 0
    while start < min(len(before), len(after)) and _equal(before[start], after[start]):
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and _equal(before[-1 - end], after[-1 - end]):
        end += 1
    middle_old, middle_new = before[start : len(before) - end], after[start : len(after) - end]
    made = [_same(line) for line in before[:start]]
    if len(middle_old) > MAX_COMPARED or len(middle_new) > MAX_COMPARED:
        made += [*middle_old, *middle_new]
    else:
        made += _matched(middle_old, middle_new)
    return (*made, *(_same(line) for line in before[len(before) - end :]))


def _matched(old: Sequence[Line], new: Sequence[Line]) -> list[Line]:
    matcher = SequenceMatcher(
        None,
        [(one.text, one.unended) for one in old],
        [(one.text, one.unended) for one in new],
        autojunk=False,
    )
    made: list[Line] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        made += [_same(line) for line in old[a:b]] if kind == "equal" else [*old[a:b], *new[c:d]]
    return made


def _equal(one: Line, other: Line) -> bool:
    return (one.text, one.unended) == (other.text, other.unended)


def _same(line: Line) -> Line:
    return Line("same", line.text, line.unended)


def _lines(kind: LineKind, text: str) -> tuple[Line, ...]:
    """Split at line feeds only: other line ends are characters that a reader must see."""
    if not text:
        return ()
    parts = text.split("\n")
    if parts[-1] == "":
        return tuple(Line(kind, part) for part in parts[:-1])
    return tuple(Line(kind, part, unended=at == len(parts) - 1) for at, part in enumerate(parts))


def _of_patch(text: str) -> tuple[Line, ...]:
    """Return a patch, each line as what its first sign makes of it; the sign stays part of the line."""
    made = []
    for line in text.split("\n"):
        head = line.startswith(("diff ", "--- ", "+++ ", "@@", "*** ", "index "))
        kind: LineKind = (
            "place" if head else "new" if line[:1] == "+" else "old" if line[:1] == "-" else "same"
        )
        made.append(Line(kind, line))
    return tuple(made)


def numbered(lines: Sequence[Line]) -> list[tuple[int | None, Line]]:
    """Return lines with their numbers in the text that comes, None for those that go."""
    made: list[tuple[int | None, Line]] = []
    at = 0
    for line in lines:
        at += line.kind != "old"
        made.append((None if line.kind in ("old", "place") else at, line))
    return made
