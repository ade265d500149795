"""A problem in a file as compilers show it: what is wrong, the line, a caret under the place, and what to write.

    policy.yaml:29:47: triggers[1].when: unknown name 'confidnce'
       |
    29 |   - {id: unsure, when: confidnce < 0.6, then: escalate}
       |                        ^^^^^^^^^
       = did you mean 'confidence'?

What stands in the file is shown with its invisible characters marked; colours only where a terminal reads them.
"""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Sequence

import click

from signoff.domain.characters import one_line

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_SUGGESTION = re.compile(r" - (did you mean '[^']*'\?)")
_HINT = re.compile(r"(?:; |, )(write .*|CEL writes .*|the names are .*)$", re.DOTALL)
_KNOWN = re.compile(r" \(((?:known|kinds): .*)\)$", re.DOTALL)
_UNDERLINED = re.compile(r"[\w.]+|\"[^\"]*\"|'[^']*'|&&|\|\||[=!<>]=")
MIN_WIDTH = 40


def split_message(message: str) -> tuple[str, str | None]:
    """Return what is wrong, and what to do about it where the message says so: the nearest first."""
    helps: list[str] = []
    for pattern in (_SUGGESTION, _HINT, _KNOWN):
        found = pattern.search(message)
        if found is not None:
            helps.append(found[1])
            message = message[: found.start()] + message[found.end() :]
    return message, helps[0] if helps else None


def show_problem(
    source: str, lines: Sequence[str], *, line: int, column: int, message: str, level: str = "error"
) -> None:
    """Print one problem with the line it stands on.

    Args:
        lines: The file's lines.
        column: From 1, in characters.
    """
    what, suggestion = split_message(message)
    kind = "" if level == "error" else click.style(f"{level}: ", fg=COLOURS[level], bold=True)
    click.echo(f"{click.style(f'{source}:{line}:{column}:', bold=True)} {kind}{one_line(what)}")
    gutter = " " * len(str(line))
    if 0 < line <= len(lines):
        text, at, length = _window(lines[line - 1], column - 1, room=_width() - len(gutter) - 3)
        bar = click.style("|", fg="blue")
        caret = click.style("^" * length, fg=COLOURS[level], bold=True)
        click.echo(f"{gutter} {bar}")
        click.echo(f"{click.style(str(line), fg='blue')} {bar} {text}")
        click.echo(f"{gutter} {bar} {' ' * at}{caret}")
    if suggestion is not None:
        click.echo(f"{gutter} {click.style('=', fg='blue')} {one_line(suggestion)}")


def _width() -> int:
    return max(shutil.get_terminal_size(fallback=(120, 24)).columns, MIN_WIDTH)


def _window(line: str, at: int, *, room: int) -> tuple[str, int, int]:
    """Return the part of a line that fits, and where in it the marked place begins and how wide it is, in cells."""
    found = _UNDERLINED.match(line, at)
    end = found.end() if found else min(at + 1, len(line))
    start = 0
    if _cells(line) > room:
        start = max(0, min(at - room // 3, len(line) - room + 2))
    before, marked, after = (one_line(part) for part in (line[start:at], line[at:end], line[end:]))
    shown, length = before + marked, max(1, _cells(marked))
    if start:
        shown, before = f"…{shown}", f"…{before}"
    left = room - _cells(shown)
    if left < 0:
        shown = _first(shown, room - 1) + "…"
        length = max(1, min(length, room - _cells(before)))
    elif _cells(after) > left:
        shown += _first(after, left - 1) + "…"
    else:
        shown += after
    return shown, _cells(before), length


def _first(text: str, cells: int) -> str:
    made = ""
    for character in text:
        if _cells(made + character) > cells:
            break
        made += character
    return made


def _cells(text: str) -> int:
    """Return how many cells of a terminal a text takes; marks of combining take none."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )
