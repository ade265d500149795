"""An action as its reader understands it: made from the arguments that are hashed, complete, in their own order.

What a tool of that shape does is recognised from names and types: a command, a query, a change to a file, money, a
date. Nothing is left out for it. What is too long or too much for the page is counted there, and one step away.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from signoff.desk.masks import is_hidden
from signoff.domain.canonical import canonical
from signoff.domain.characters import count_marked, pieces
from signoff.operators.commands import MAX_INKED, Inked, Language, Outstanding, inked, outstanding
from signoff.operators.edits import Edit, Line, edit_of, edits_of, numbered
from signoff.operators.present import (
    Node,
    Opaque,
    Room,
    Row,
    Shown,
    json_text,
    looks_like,
    members,
    opaque,
    pointed,
    row_of,
    shown,
    walk,
)
from signoff.operators.senses import sense_of, words_of

MAX_SHOWN = 150
"""Rows of the action on the case page; what is beyond them is counted."""
OPENS = 40
"""Values inside a list or an object up to which it stands open on the case page."""
MAX_LINES = 160
"""Lines of one change to a file on the case page."""
MAX_FLAGS = 6
MAX_PROSE = 120
"""Characters before the first sign of a command in a text that is drawn as one."""
GLANCE = 5
ODD = 2
"""What comes first on the first screen, however deep it lies: read by a rule, a command, something odd."""
GLANCE_CHARS = 44
GLANCE_COMMAND = 160
TABLE_COLUMNS = 4
TABLE_CHARS = 32
_COMMANDS = frozenset({"command", "cmd", "shell", "bash", "commands"})
_TARGETS = frozenset({
    "to", "cc", "bcc", "recipient", "recipients", "iban", "destination", "target", "email", "url", "host", "path",
    "database", "table", "environment", "env", "customer", "branch", "repo", "repository", "bucket", "channel",
})  # fmt: skip
"""Words in the names of what an action reaches."""
_ARGV = frozenset({"command", "cmd", "argv"})
_SHELL_TOOL = re.compile(r"(?:^|[_.-])(?:bash|shell|sh|terminal|zsh|powershell)(?:$|[_.-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Command:
    """A command or a query, drawn as one."""

    language: Language
    ink: tuple[Inked, ...]
    """Empty where it is too long to be coloured, or stands on a page of its own."""
    outstanding: tuple[Outstanding, ...]
    argv: bool = False
    """Sent as a list of words: written here as a shell would need it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A list of objects that all have the same few short fields."""

    columns: tuple[str, ...]
    lines: tuple[tuple[Row, ...], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One argument, or a value inside one."""

    row: Row
    command: Command | None = None
    table: Table | None = None
    closed: int = 0
    """Values inside that do not stand on the page."""
    read: bool = False
    """Whether a trigger that fired read it."""
    brief: str = ""
    """The value in a line for the first screen; what looks like code in a long text instead of its beginning."""
    inside: bool = False
    """Whether `brief` stands somewhere inside the value."""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A change to a file."""

    edit: Edit
    lines: tuple[tuple[int | None, Line], ...]
    more: int
    """Lines that do not stand on the page."""
    at: tuple[tuple[str, str], ...]
    """Names and pointers of the arguments whose texts are shown."""
    opaque: Opaque


@dataclass(frozen=True, slots=True)
class Flag:
    """Something in the arguments that a reader should see before anything else."""

    kind: str
    """`hidden`, what it looks like (shell, sql, base64), or what is odd about an address (a remark of `senses.py`)."""
    path: str
    at: str
    where: int
    """Where in a long text it begins, in characters; 0 where it begins with it."""
    chars: int
    entry: int | None = None
    """Which entry of the page shows it, from 1; None where only a page of its own does."""


@dataclass(frozen=True, slots=True)
class Glance:
    """One argument on the first screen, in a line or two."""

    entry: Entry
    text: Shown
    cut: bool
    inside: bool = False
    """The text does not begin where the value does: it is what deserves a look in it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An action, ready to be shown."""

    edits: tuple[FileEdit, ...]
    entries: tuple[Entry, ...]
    glance: tuple[Glance, ...]
    flags: tuple[Flag, ...]
    more_flags: int
    count: int
    """Arguments."""
    closed: int
    """Arguments that do not stand on the page."""
    size: int
    """Bytes of the arguments in canonical form."""


def read_action(
    tool: str,
    arguments: Mapping[str, Any],
    *,
    masked: frozenset[str],
    read: frozenset[str],
    room: Room,
    at: str = "/arguments",
) -> Reading:
    """Return an action as its reader understands it.

    Args:
        arguments: With this person's masks applied.
        masked: Dotted paths under `action.arguments` where a secret was masked.
        read: Dotted paths under `action.arguments` that triggers read.
        room: What is left of the page.
    """
    edits, rest = _edits(arguments, at, room)
    entries, closed = _entries(tool, arguments, rest, masked=masked, read=read, room=room, at=at)
    glance = _glance(entries)
    flags = _unseen(_flags(arguments, at), entries, edits, glance)
    return Reading(
        edits=edits,
        entries=entries,
        glance=glance,
        flags=flags[:MAX_FLAGS],
        more_flags=max(0, len(flags) - MAX_FLAGS),
        count=len(arguments),
        closed=closed,
        size=len(canonical(dict(arguments))),
    )


def _edits(arguments: Mapping[str, Any], at: str, room: Room) -> tuple[tuple[FileEdit, ...], list[str]]:
    """Return the changes to files, and the names of the arguments that they do not show."""
    seen = {key: value for key, value in arguments.items() if not is_hidden(value)}
    one = edit_of(seen)
    if one is not None:
        made = (_file_edit(one, one.keys, at, room),)
        return made, [key for key in arguments if key not in one.keys]
    several = edits_of(seen)
    if several is None or any(is_hidden(node.value) for node in walk(seen)):
        return (), list(arguments)
    key, found = several
    edits = tuple(
        _file_edit(edit, edit.keys, f"{at}/{pointed(key)}/{number}", room)
        for number, edit in enumerate(found)
    )
    return edits, [name for name in arguments if name != key]


def _file_edit(edit: Edit, keys: Sequence[str], at: str, room: Room) -> FileEdit:
    lines: list[tuple[int | None, Line]] = []
    for line in numbered(edit.lines):
        if len(lines) == MAX_LINES or len(line[1].text) > room.each or not room.take(line[1].shown):
            break
        room.left -= 120  # what surrounds a line
        lines.append(line)
    whole = "\n".join(line.text for line in edit.lines if line.kind == "new")
    return FileEdit(
        edit,
        tuple(lines),
        len(edit.lines) - len(lines),
        tuple((key, f"{at}/{pointed(key)}") for key in keys),
        opaque(whole),
    )


def _entries(
    tool: str,
    arguments: Mapping[str, Any],
    names: Sequence[str],
    *,
    masked: frozenset[str],
    read: frozenset[str],
    room: Room,
    at: str,
) -> tuple[tuple[Entry, ...], int]:
    made: list[Entry] = []
    wanted = set(names)
    top = [node for node in members(Node("", "", -1, arguments, at, {})) if node.name in wanted]
    waiting = list(reversed(top[:MAX_SHOWN]))
    while waiting:
        node = waiting.pop()
        path = f"action.arguments.{node.path}"
        row = row_of(node, is_masked=path in masked, room=room)
        is_read = path in read
        command = None if row.state else _command(tool, node, row, room)
        table = None if command else _table(node, masked=masked, room=room)
        brief, within = _brief(node.value, row, command)
        if command is not None or table is not None or row.value is not None:
            made.append(Entry(row, command, table, read=is_read, brief=brief, inside=within))
            continue
        inside = _count(node.value)
        if inside > OPENS or len(made) + len(waiting) + inside > MAX_SHOWN:
            made.append(Entry(row, closed=inside, read=is_read, brief=brief))
            continue
        made.append(Entry(row, read=is_read, brief=brief))
        waiting.extend(reversed(members(node)))
    room.left -= 250 * len(made)  # what surrounds a row
    return tuple(made), max(0, len(top) - MAX_SHOWN)


def _brief(value: Any, row: Row, command: Command | None) -> tuple[str, bool]:
    """Return a value in one line, and whether that is from inside it."""
    if row.state == "hidden":
        return "", False
    if isinstance(value, str):
        if row.value is not None and row.value.opaque and row.value.found_at > GLANCE_CHARS:
            return " ".join(value[row.value.found_at : row.value.found_at + 2 * GLANCE_COMMAND].split()), True
        return " ".join(value[: 4 * GLANCE_COMMAND].split()), False
    if command is not None:
        return "".join(one.text for one in command.ink), False
    if isinstance(value, list):
        short = [one for one in value[:8] if isinstance(one, (str, int, float)) and not is_hidden(one)]
        if short and len(short) == len(value[:8]):
            return ", ".join(" ".join(str(one)[:GLANCE_CHARS].split()) for one in short), False
        return "", False
    return ("" if isinstance(value, Mapping) else json_text(value)), False


def _count(value: Any) -> int:
    """Return how many values are inside one."""
    return sum(1 for _ in walk(value))


def _command(tool: str, node: Node, row: Row, room: Room) -> Command | None:
    words = set(words_of(node.name))
    if isinstance(node.value, str) and row.value is not None:
        named = bool(words & _COMMANDS) or ("code" in words and _SHELL_TOOL.search(tool) is not None)
        language: Language | None = (
            "sql" if row.value.opaque == "sql" else "shell" if named or row.value.opaque == "shell" else None
        )
        # Prose that quotes a command stays prose; its warning stands beside it all the same.
        if language is None or not (named or _is_code(node.value, row.value.found_at, language, words)):
            return None
        whole = row.value.whole if len(node.value) <= MAX_INKED else ()
        return Command(language, inked(whole, language), outstanding(node.value, language))
    if isinstance(node.value, list) and (words & _ARGV or (node.name == "args" and "command" in node.beside)):
        if not node.value or not all(isinstance(one, str) and not is_hidden(one) for one in node.value):
            return None
        line = shlex.join(node.value)
        text = shown(line, at=node.at, room=room)
        if text.apart:
            return None
        return Command("shell", inked(text.whole, "shell"), outstanding(line, "shell"), argv=True)
    return None


def _is_code(text: str, where: int, language: Language, words: set[str]) -> bool:
    if language == "sql":
        return bool(words & {"sql", "query", "statement"}) or where == 0
    # A text that comes to a command late, or begins like a sentence, is prose that holds one.
    return where < MAX_PROSE and not re.match(r"\s*[A-Z][a-z]+[ ,][a-z]", text)


def _table(node: Node, *, masked: frozenset[str], room: Room) -> Table | None:
    """Return a list of objects as a table, if it reads better as one: few columns, short values, nothing odd."""
    if not isinstance(node.value, list) or not 1 <= len(node.value) <= 30:
        return None
    first = node.value[0]
    if not isinstance(first, Mapping) or not 0 < len(first) <= TABLE_COLUMNS:
        return None
    columns = tuple(first)
    if any(not key.isascii() or len(key) > 24 for key in columns):
        return None
    lines = []
    for member in members(node):
        if not isinstance(member.value, Mapping) or tuple(member.value) != columns:
            return None
        cells = [
            row_of(one, is_masked=f"action.arguments.{one.path}" in masked, room=room)
            for one in members(member)
        ]
        if any(_is_odd(cell) for cell in cells):
            return None
        lines.append(tuple(cells))
    return Table(columns, tuple(lines))


def _is_odd(cell: Row) -> bool:
    value = cell.value
    return (
        value is None
        or value.chars > TABLE_CHARS
        or value.lines > 1
        or bool(value.marked or value.opaque or cell.sense.remarks or cell.state)
    )


_LOOKS = frozenset({"shell", "sql", "base64"})
_ODD_ADDRESS = frozenset({"user_in_url", "punycode", "bare_ip", "odd_scheme"})


def _flags(arguments: Mapping[str, Any], at: str) -> list[Flag]:
    """Return where hidden characters, commands and blobs are, wherever in the arguments they stand."""
    made: list[Flag] = []
    for node in walk(arguments, at=at):
        if not node.name.isascii() and count_marked(pieces(node.name)):
            made.append(Flag("hidden", node.path, node.at, 0, len(node.name)))
        text = node.value
        if not isinstance(text, str) or is_hidden(text) or len(text) < 2:
            continue
        plain = text.isascii() and text.replace("\n", "").replace("\t", "").isprintable()
        if not plain and count_marked(pieces(text)):
            made.append(Flag("hidden", node.path, node.at, 0, len(text)))
        if ":" in text[:30]:
            remarks = sense_of(node.name, text, {}).remarks
            made.extend(
                Flag(code, node.path, node.at, 0, len(text)) for code, _ in remarks if code in _ODD_ADDRESS
            )
        what, where = looks_like(text)
        if what:
            made.append(Flag(what, node.path, node.at, where, len(text)))
    return made


def _unseen(
    flags: Sequence[Flag], entries: Sequence[Entry], edits: Sequence[FileEdit], glance: Sequence[Glance]
) -> tuple[Flag, ...]:
    """Return the flags that the first screen does not show already, each with where its value stands."""
    places = {entry.row.at: number for number, entry in enumerate(entries, start=1)}
    seen = {one.entry.row.at for one in glance if not one.cut}
    seen |= {at for edit in edits if not edit.more for _, at in edit.at}
    return tuple(
        replace(flag, entry=places.get(flag.at))
        for flag in flags
        if flag.kind not in _LOOKS or flag.at not in seen
    )


def _glance(entries: Sequence[Entry]) -> tuple[Glance, ...]:
    """Return the arguments that say most: what a rule read, commands, money; then the others in their order."""
    leaves = [entry for entry in entries if entry.row.depth == 0 or _rank(entry) <= ODD]
    ranked = sorted(range(len(leaves)), key=lambda at: (_rank(leaves[at]), at))
    chosen = sorted(ranked[:GLANCE], key=lambda at: (_rank(leaves[at]), at))
    return tuple(_glanced(leaves[at]) for at in chosen)


def _rank(entry: Entry) -> int:
    row = entry.row
    if entry.read:
        return 0
    if entry.command is not None:
        return 1
    if row.sense.remarks or (row.value is not None and (row.value.opaque or _holds_hidden(row.value))):
        return ODD
    if row.sense.kind == "money" or not _TARGETS.isdisjoint(
        words_of("".join(piece.text for piece in row.name))
    ):
        return 3
    if row.value is not None and row.value.folded:
        return 6
    return 4 if row.value is not None or entry.brief else 5


def _holds_hidden(value: Shown) -> bool:
    """Say whether a text holds a marked character other than a space at its end, which prose often has."""
    return value.marked > 0 and (
        value.apart or any(one.mark and not one.text.startswith("⟦space x ") for one in value.whole)
    )


def _glanced(entry: Entry) -> Glance:
    most = GLANCE_COMMAND if entry.command is not None or entry.inside else GLANCE_CHARS
    cut = len(entry.brief) > most or (entry.row.value is not None and entry.row.value.folded)
    return Glance(entry, shown(entry.brief[:most]), cut, entry.inside)
