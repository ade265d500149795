"""One line of a file of recorded runs: what an agent was about to do, and what is known of how it went.

    {"action": {"tool": "refund", "arguments": {"amount": 900}}, "bundle": {"subject": {"id": "c1"}},
     "agent": "support-bot", "session": "s1", "at": "2026-11-24T09:30:00Z", "verdict": "allow", "triggers": []}

Only `action` is needed. The lines stand in the order of time, or signals over history would count the future.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, ValidationError

from signoff.domain.bundle import invalid_request
from signoff.domain.canonical import parse_json
from signoff.domain.errors import InvalidRequest
from signoff.domain.verdict import Outcome
from signoff.triggers.replay import Ended, Recorded, Said
from signoff.triggers.situations import Instant, Situation

UNTIMED = datetime(2000, 1, 1, tzinfo=UTC)
"""The time of a line that has none."""


class Run(Situation):
    """A line."""

    id: Annotated[str, Field(strict=True, min_length=1, max_length=200)] | None = None
    """What people call it; file and line where it is left out."""
    at: Instant | None = None
    verdict: Outcome | None = None
    """What the policy of the time said."""
    triggers: tuple[str, ...] = ()
    """The triggers that fired then."""
    requested: bool = False
    """Whether the agent asked for a person, which then is asked though no trigger fires."""
    people: Ended | None = None
    """What people made of it."""
    ended_at: Instant | None = None
    """When; the time of the line where it is left out."""
    failed: bool = False
    """Whether the action was run and failed."""


class RunInvalid(Exception):
    """A line that cannot be replayed; says what is wrong and never what stands there."""


def read_run(line: bytes, *, id: str) -> Recorded:
    """Read a line.

    Args:
        id: What people call it, unless it says so itself.

    Raises:
        RunInvalid: It is no such line.
    """
    try:
        run = Run.model_validate(parse_json(line, field="line"))
        at = run.at or run.now
        facts = run.facts(now=_utc(at) if at else UNTIMED)
    except ValidationError as error:
        raise RunInvalid(invalid_request(error, field="").message) from None
    except InvalidRequest as error:
        raise RunInvalid(error.message) from None
    return Recorded(
        id=run.id or id,
        facts=facts,
        timed=at is not None,
        said=None if run.verdict is None else Said(run.verdict, frozenset(run.triggers)),
        requested=run.requested,
        ended=run.people,
        ended_at=_utc(run.ended_at) if run.ended_at else facts.now,
        failed_at=facts.now if run.failed else None,
        given=run.history,
    )


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
