"""Shell commands and SQL: how they are shown, and what in them deserves a second look.

A list of what stands out is a help for eyes, never a judgement: what is not on it may be just as dangerous, and the
page says that nothing of it was inspected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, cast

from signoff.domain.characters import Mark, Piece

Language = Literal["shell", "sql"]
Ink = Literal["", "word", "text", "sign", "flag", "remark"]
Reason = Literal[
    "deletes", "as_root", "runs_fetched", "network", "overwrites", "rights", "disk", "forces", "decodes", "other_machine",
    "every_row", "drops", "grants", "alters", "several", "comment",
]  # fmt: skip

MAX_INKED = 4000
"""Characters up to which a command is coloured; each coloured word costs some forty bytes of page."""
MAX_OUTSTANDING = 6
_AROUND = 60


@dataclass(frozen=True, slots=True)
class Inked:
    """A stretch of a command and how it is drawn."""

    text: str
    ink: Ink = ""
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Outstanding:
    """Something in a command that deserves a second look."""

    reason: Reason
    text: str
    at: int
    """Where it begins, in characters."""


# Runs of white space and of anything else are bounded: agents choose the text, and each of these is searched for
# in up to 256 KB of it.
_SHELL_SIGNS: tuple[tuple[Reason, re.Pattern[str]], ...] = (
    ("deletes", re.compile(r"\brm[ \t]{1,9}-[a-zA-Z-]*[rRf][^\n;&|]{0,60}|\bshred\b|\bfind\b[^\n;|]{0,200}-delete\b|\bkubectl[ \t]{1,9}delete\b[^\n;&|]{0,60}|\bgit[ \t]{1,9}(?:clean|reset[ \t]{1,9}--hard)\b[^\n;&|]{0,40}")),
    ("as_root", re.compile(r"\b(?:sudo|doas|pkexec)\b|\bsu[ \t]{1,9}-")),
    ("runs_fetched", re.compile(r"\|[ \t]{0,9}(?:sudo[ \t]{1,9})?(?:ba|z|da|k)?sh\b|\|[ \t]{0,9}(?:python3?|perl|ruby|node)\b|\b(?:ba)?sh[ \t]{1,9}<\(|\beval\b")),
    ("network", re.compile(r"\b(?:curl|wget|nc|ncat|netcat|telnet)\b[^\n;&|]{0,100}|/dev/tcp/")),
    ("other_machine", re.compile(r"\b(?:ssh|scp|rsync|sftp)\b[^\n;&|]{0,60}")),
    ("overwrites", re.compile(r"(?<![>0-9&-])>(?![>&])[ \t]{0,9}[^\s;&|]{1,60}")),
    ("rights", re.compile(r"\bch(?:mod|own|attr)\b[^\n;&|]{0,60}|\bsetcap\b")),
    ("disk", re.compile(r"\bdd[ \t][^\n;&|]{0,80}\bof=|\bmkfs\b|\bfdisk\b|\bwipefs\b")),
    ("forces", re.compile(r"--force(?:-with-lease)?\b|--no-verify\b|--yes\b|--no-preserve-root\b")),
    ("decodes", re.compile(r"\bbase64[ \t]{1,9}(?:-d|-D|--decode)\b|\bxxd[ \t]{1,9}-r\b")),
)  # fmt: skip
_SQL_SIGNS: tuple[tuple[Reason, re.Pattern[str]], ...] = (
    ("drops", re.compile(r"\b(?:drop|truncate)\s{1,9}(?:table|database|schema|view|index|column)?[^\n;]{0,60}", re.IGNORECASE)),
    ("grants", re.compile(r"\b(?:grant|revoke)\b[^\n;]{0,80}", re.IGNORECASE)),
    ("alters", re.compile(r"\balter\s{1,9}\w[^\n;]{0,60}", re.IGNORECASE)),
    ("comment", re.compile(r"--[^\n]{0,60}|/\*.{0,60}", re.DOTALL)),
)  # fmt: skip
_SQL_COMMENT = re.compile(r"--[^\n]*|/\*")
_SHELL_INK = re.compile(
    r"""(?P<remark>(?:^|(?<=\s))\#[^\n]*)|(?P<text>"(?:[^"\\]|\\.)*"|'[^']*')|(?P<sign>&&|\|\||>>|[|;&<>()`]|\$\(|\$\{?\w+\}?)"""
    r"""|(?P<flag>(?<=\s)--?[A-Za-z][\w-]*)|(?P<word>(?:^|(?<=[\n;&|(])|(?<=[;&|(] ))[ \t]*[\w./-]+)""",
)
_SQL_INK = re.compile(
    r"""(?P<remark>--[^\n]*)|(?P<text>'(?:[^']|'')*')|(?P<sign>;)|(?P<word>\b(?:select|from|where|insert|into|values|update|set|delete|join|left|right|inner|outer|on|and|or|not|in|is|null|group|order|by|having|limit|offset|create|table|drop|alter|truncate|grant|revoke|to|with|as|union|all|distinct|returning|cascade|begin|commit|rollback|case|when|then|else|end|exists|between|like|index|view|database|schema)\b)""",
    re.IGNORECASE,
)


def inked(some: Iterable[Piece], language: Language) -> tuple[Inked, ...]:
    """Return a text with its words and signs told apart; nothing of it is lost, and marks stay marks."""
    made: list[Inked] = []
    for piece in some:
        if piece.mark:
            made.append(Inked(piece.text, mark=piece.mark))
        else:
            made.extend(_inked(piece.text, _SHELL_INK if language == "shell" else _SQL_INK))
    return tuple(made)


def _inked(text: str, pattern: re.Pattern[str]) -> Iterator[Inked]:
    end = 0
    for found in pattern.finditer(text):
        if found.start() > end:
            yield Inked(text[end : found.start()])
        yield Inked(found[0], cast(Ink, found.lastgroup or ""))  # the groups are named for the inks
        end = found.end()
    if end < len(text):
        yield Inked(text[end:])


def outstanding(text: str, language: Language) -> tuple[Outstanding, ...]:
    """Return what deserves a second look in a command, in its order, each kind once."""
    found = list(_signs(text, _SHELL_SIGNS)) if language == "shell" else list(_sql(text))
    return tuple(sorted(found, key=lambda one: one.at)[:MAX_OUTSTANDING])


def _signs(text: str, signs: Iterable[tuple[Reason, re.Pattern[str]]]) -> Iterator[Outstanding]:
    for reason, pattern in signs:
        found = pattern.search(text)
        if found is not None:
            yield Outstanding(reason, found[0][:_AROUND], found.start())


def _sql(text: str) -> Iterator[Outstanding]:
    yield from _signs(text, _SQL_SIGNS)
    # Comments hide what a statement begins with, and may hold the WHERE that it lacks.
    statements = _statements(_without_comments(text))
    for at, statement in statements:
        word = statement.split(None, 1)[0].lower()
        if word in ("delete", "update") and not re.search(r"\bwhere\b", statement, re.IGNORECASE):
            yield Outstanding("every_row", statement[:_AROUND], at)
            break
    if len(statements) > 1:
        yield Outstanding("several", f"{len(statements):,}", statements[1][0])


def _without_comments(text: str) -> str:
    """Return a query with spaces for its comments; one that nobody closes stays, as what it may hide is to be seen."""
    made: list[str] = []
    begin = at = 0
    closed = True
    while (found := _SQL_COMMENT.search(text, at)) is not None:
        at = found.end()
        if found[0] == "/*":
            # Looked for once: with thousands of them, each search to the end would be another pass over the text.
            close = text.find("*/", at) if closed else -1
            closed = close >= 0
            if not closed:
                continue
            at = close + 2
        made += [text[begin : found.start()], " " * (at - found.start())]
        begin = at
    return "".join([*made, text[begin:]])


def _statements(text: str) -> list[tuple[int, str]]:
    """Split at semicolons; one inside a quoted text splits, too, which only makes the reader look once more."""
    made, at = [], 0
    for part in text.split(";"):
        bare = part.strip()
        if bare:
            made.append((at + len(part) - len(part.lstrip()), bare))
        at += len(part) + 1
    return made
