"""What somebody may have meant who wrote a word that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def meant(name: str, known: Iterable[str]) -> str:
    """Return ` - did you mean 'x'?`, or nothing where no known name is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" - did you mean '{near[0]}'?" if near else ""


def sentence(text: str) -> str:
    """Return a message with its full stop; a question that it ends with keeps its own mark."""
    return text if text.endswith("?") else f"{text}."
