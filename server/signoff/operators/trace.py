"""The agent's way to the action as a timeline: a call stands with its result, and each with the time it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from signoff.operators.present import json_text

FIRST_STEPS = 40
"""Steps on the case page: the last ones, which led to the action."""
STEPS_PAGE = 60
"""Steps on a page of earlier ones."""
FIRST_TURNS = 20
TURNS_PAGE = 60
_BRIEF = 70


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the timeline: a step, or a call with its result."""

    number: int
    """Of the step, from 1."""
    step: Any
    at: str
    """Where the step lies, as a JSON pointer."""
    result: Any = None
    """The step that holds the result of this call."""
    result_at: str = ""
    result_number: int = 0
    clock: str = ""
    """When, as a time of day in UTC; empty where the agent sent no time that can be read."""
    ms: float | None = None
    share: int = 0
    """How much of the longest time on this page it took, 0 to 100."""
    brief: str = ""
    """The arguments of a call in a few words; agent text."""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """Some steps of a trace."""

    entries: tuple[Entry, ...]
    first: int
    """Number of the first step here, from 1."""
    last: int
    total: int
    calls: int
    """Of the whole trace, as is all that follows."""
    errors: tuple[int, ...]
    """Numbers of steps that are errors."""
    ms: float


def timeline(steps: Sequence[Any], *, start: int, stop: int) -> Timeline:
    """Return a stretch of a trace.

    Args:
        steps: With masks applied: a step or any part of it may be a text instead.
        start: Index of the first step, from 0.
        stop: Index after the last one.
    """
    pairs = _pairs(steps, start, stop)
    results = set(pairs.values())
    entries = [
        _entry(steps, at, pairs.get(at)) for at in range(start, min(stop, len(steps))) if at not in results
    ]
    most = max((entry.ms for entry in entries if entry.ms is not None), default=0)
    timed = tuple(
        replace(entry, share=round(100 * entry.ms / most)) if entry.ms is not None and most > 0 else entry
        for entry in entries
    )
    known = [one for one in steps if isinstance(one, Mapping)]
    return Timeline(
        timed,
        start + 1,
        min(stop, len(steps)),
        len(steps),
        calls=sum(1 for one in known if one.get("kind") == "tool_call"),
        errors=tuple(
            at + 1 for at, one in enumerate(steps) if isinstance(one, Mapping) and one.get("is_error") is True
        ),
        ms=sum(one["ms"] for one in known if _is_number(one.get("ms"))),
    )


def _pairs(steps: Sequence[Any], start: int, stop: int) -> dict[int, int]:
    """Return the results of calls, by index: each the first free one of its tool in the same run of calls and results."""
    pairs: dict[int, int] = {}
    waiting: list[int] = []
    for at in range(start, min(stop, len(steps))):
        step = steps[at]
        kind = step.get("kind") if isinstance(step, Mapping) else None
        if kind == "tool_call":
            waiting.append(at)
        elif kind == "tool_result":
            tool = step.get("tool")
            call = next((one for one in waiting if tool is None or steps[one].get("tool") == tool), None)
            if call is not None:
                pairs[call] = at
                waiting.remove(call)
        else:
            waiting.clear()
    return pairs


def _entry(steps: Sequence[Any], at: int, result_at: int | None) -> Entry:
    step = steps[at]
    if not isinstance(step, Mapping):
        return Entry(at + 1, step, f"/bundle/reasoning/{at}")
    result = None if result_at is None else steps[result_at]
    both = [step] if result is None else [step, result]
    times = [one["ms"] for one in both if _is_number(one.get("ms"))]
    return Entry(
        at + 1,
        step,
        f"/bundle/reasoning/{at}",
        result,
        "" if result_at is None else f"/bundle/reasoning/{result_at}",
        0 if result_at is None else result_at + 1,
        clock=_clock(step.get("at")),
        ms=sum(times) if times else None,
        brief=_brief(step.get("arguments")),
        failed=any(one.get("is_error") is True for one in both),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _clock(at: Any) -> str:
    """Return the time of day in UTC."""
    if not isinstance(at, str):
        return ""
    try:
        when = datetime.fromisoformat(at.replace("z", "Z"))
        return f"{when.astimezone(UTC):%H:%M:%S}" if when.tzinfo is not None else ""
    except (ValueError, OverflowError):
        return ""


def _brief(arguments: Any) -> str:
    if not isinstance(arguments, Mapping) or not arguments:
        return ""
    words = []
    length = 0
    for name, value in arguments.items():
        text = value if isinstance(value, str) else json_text(value) if not _is_large(value) else "…"
        word = f"{name}: {' '.join(text[:_BRIEF].split())}"
        words.append(word)
        length += len(word)
        if length > _BRIEF:
            break
    made = ", ".join(words)
    return made if len(made) <= _BRIEF and len(words) == len(arguments) else made[:_BRIEF] + " …"


def _is_large(value: Any) -> bool:
    return isinstance(value, (Mapping, list)) and len(value) > 3


def duration(ms: float) -> str:
    """Return a duration as people read it: `412 ms`, `3.2 s`, `2 min 5 s`."""
    if ms < 1000:
        return f"{ms:,.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes:,} min {seconds} s" if seconds else f"{minutes:,} min"
