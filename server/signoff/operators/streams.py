"""The streams that pages follow (`live.py`): how many each session has, and how all of them end."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

MOST_STREAMS = 12
"""Of one session; a browser keeps one for each tab that can be seen."""


@dataclass
class Streams:
    """The streams of this process: how many each session has, and whether the server is about to stop."""

    ending: anyio.Event = field(default_factory=anyio.Event)
    by_session: dict[str, int] = field(default_factory=dict)

    def end(self) -> None:
        """Let go of every stream, so that the server can stop."""
        self.ending.set()

    def take(self, session: str) -> bool:
        """Begin one more of a session; False where it has as many as it may."""
        held = self.by_session.get(session, 0)
        if held >= MOST_STREAMS:
            return False
        self.by_session[session] = held + 1
        return True

    def give_back(self, session: str) -> None:
        """End one of a session."""
        self.by_session[session] -= 1
        if not self.by_session[session]:
            del self.by_session[session]
