"""How the demo is told: short lines, who speaks, and when."""

from __future__ import annotations

import io
import re
import shutil
import time

import anyio
import click

_COLOURS = {"signoff": "cyan", "agent": "blue", "person": "magenta"}
_LINK = re.compile(r"https?://\S+/d/\S+#\S+")
MAX_WIDTH = 110  # longer lines are hard to read


class Story:
    """Prints what happens, line by line; colours only where a terminal reads it."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._width = min(shutil.get_terminal_size(fallback=(100, 24)).columns, MAX_WIDTH)

    def title(self, text: str) -> None:
        """Print a headline."""
        click.echo(click.style(text, bold=True))

    def chapter(self, text: str) -> None:
        """Print the name of a new part of the story."""
        click.echo("\n" + click.style(text, bold=True))

    def say(self, who: str, text: str, *, good: bool | None = None) -> None:
        """Print what somebody does; the time is seconds since the story began.

        Args:
            good: True or False colours the line as an outcome.
        """
        at = click.style(f"{time.monotonic() - self._began:6.1f} s", dim=True)
        colour = {True: "green", False: "yellow", None: None}[good]
        speaker = click.style(f"{who:<9}", fg=_COLOURS.get(who))
        for number, line in enumerate(_wrapped(text, self._width - 20)):
            head = f"{at}  {speaker}" if number == 0 else " " * 19
            click.echo(f"{head}{click.style(line, fg=colour) if colour else line}")

    def plain(self, text: str) -> None:
        """Print a line as it is."""
        click.echo(text)


class StoryTerminal(io.StringIO):
    """The terminal that alerts are printed on; it hands on the magic link that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.link: str | None = None
        self.has_link = anyio.Event()

    def write(self, text: str) -> int:
        """Print text; an alert arrives in one piece."""
        click.echo(text, nl=False)
        found = _LINK.search(text)
        if found is not None:
            self.link = found[0]
            self.has_link.set()
        return len(text)


def _wrapped(text: str, width: int) -> list[str]:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]
