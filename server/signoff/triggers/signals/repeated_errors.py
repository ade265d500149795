"""How often the same error came back: the mark of an agent that is stuck."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import orjson

from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind
from signoff.triggers.signals.session_length import objects
from signoff.triggers.signals.signal import Signal

HEAD, TAIL = 80, 40
"""Characters of an error that are compared, from its beginning and its end; longer ones may count as the same."""
_MOVING = re.compile(r"[0-9a-f]{8}[0-9a-f-]{8,40}|0x[0-9a-f]+|\d+(?:[.:,-]\d+)*")
_ERROR = re.compile(
    r"""[\s\[{(<*"']{0,10}(?:[\w.]{0,40}?(?:error|exception|failure)\b|traceback|failed\b|fatal\b)""",
    re.IGNORECASE,
)


class RepeatedErrors(Signal):
    """`{repeated_errors: true}`: how often the error that came most often came.

    Errors are the steps marked `is_error`, and tool results in the conversation that begin like one (`Error: …`,
    `{"error": …}`, `Traceback …`). Numbers and ids in them do not make them different. The larger number of steps and
    conversation is taken.
    """

    repeated_errors: Literal[True]

    gives: ClassVar[Kind] = "number"

    def value(self, facts: Facts, name: str) -> int | None:
        """Return the number, None where the agent sent neither steps nor a conversation."""
        steps, messages = objects(facts, "reasoning"), objects(facts, "messages")
        if steps is None and messages is None:
            return None
        return max(_most(_in_steps(steps or [])), _most(_in_messages(messages or [])))


def _in_steps(steps: list[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        if step.get("is_error") is True:
            text = step.get("text")
            result = step.get("result")
            yield text or (result if isinstance(result, str) else orjson.dumps(result).decode())


def _in_messages(messages: list[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        text = message.get("content", "")
        if message.get("role") == "tool" and _ERROR.match(text[: HEAD + 20]):
            yield text


def _most(errors: Iterator[str]) -> int:
    return max(Counter(map(_shape, errors)).values(), default=0)


def _shape(text: str) -> str:
    """Return what makes an error the same as another."""
    short = text if len(text) <= HEAD + TAIL else text[:HEAD] + text[-TAIL:]
    return " ".join(_MOVING.sub("#", short.casefold()).split())
