"""Signals over what was asked before: sums, counts, rates, distinct values, failures, denials, tools newly used.

A signal names a *definition* (what is counted, of which tools, for whom) and a window over it. The definition has one
series for each customer, session or agent; the desk keeps the series in the store and reads the windows, because a
signal does no I/O. The window is no part of the definition: another `over` reads the same series.

Every kind counts the action that is being asked about too, as if it ran, except failures and denials, which nobody
knows yet, and new_tool, which asks about the time before.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache, partial
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool

from signoff.domain.asked import Counting
from signoff.domain.canonical import canonical, sha256
from signoff.domain.clock import read_duration
from signoff.domain.policy import Pattern
from signoff.triggers.compile import matcher
from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind, Path, canonical_path, read_path
from signoff.triggers.signals.signal import PathText, Signal

LONGEST = timedelta(days=90)
"""The longest window; what is older is counted no more, and forgotten."""
SAME_ACTION = "same_action"
WHO = ("session", "agent", "everyone")
_DECIMAL = re.compile(r"[0-9]{1,60}(?:\.[0-9]{1,60})?", re.ASCII)
_MOST, _LEAST = Decimal("1e60"), Decimal("1e-40")
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


class Unusable(Exception):
    """A value that a signal needs is there and is not what it must be; the rules that read the signal fire."""


def _is_true(given: bool) -> bool:
    if not given:
        raise ValueError("write true, or leave the signal out")
    return given


def _by(text: str) -> str:
    if text not in WHO:
        try:
            read_path(text)
        except ValueError as error:
            raise ValueError(f"{error}; or write {', '.join(WHO)}") from None
    return text


def _as_tuple(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


Over = Annotated[timedelta, BeforeValidator(partial(read_duration, longest=LONGEST))]
_Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=50)]
Of = Annotated[_Patterns, BeforeValidator(_as_tuple, json_schema_input_type=Pattern | _Patterns)]
By = Annotated[str, Field(strict=True, max_length=300), AfterValidator(_by)]
Yes = Annotated[StrictBool, Field(json_schema_extra={"const": True}), AfterValidator(_is_true)]


@dataclass(frozen=True, slots=True)
class Definition:
    """What is counted, whatever the window."""

    family: Literal["sum", "count", "distinct", "failures", "denials", "used"]
    path: str | None
    of: tuple[str, ...] | None
    """Tool patterns, in order; None: every tool."""
    same_action: bool
    """True: each action (tool and arguments) has a series of its own."""
    by: str
    counting: Counting

    @property
    def text(self) -> str:
        """Return the form that is stored, canonical JSON."""
        return _text_of(self)

    @property
    def digest(self) -> str:
        """Return what the definition is known by."""
        return _digest_of(self)

    def as_json(self) -> dict[str, Any]:
        """Return its parts as plain JSON."""
        return {
            "family": self.family,
            "path": self.path,
            "of": None if self.of is None else list(self.of),
            "same_action": self.same_action,
            "by": self.by,
            "counting": self.counting,
        }

    def counts_tool(self, tool: str) -> bool:
        """Say whether an action of a tool is counted."""
        return self.of is None or any(matcher(pattern).matches(tool) for pattern in self.of)

    def paths(self) -> tuple[Path, ...]:
        """Return the paths that it reads."""
        named = (self.path, None if self.by in WHO else self.by)
        return tuple(canonical_path(read_path(text)) for text in named if text is not None)

    def series(self, facts: Facts, action_digest: str) -> bytes | None:
        """Return the series that an action belongs to, None where the facts do not tell whose it is."""
        who = self._who(facts)
        if who is None:
            return None
        key: dict[str, Any] = {**self.as_json(), "who": who}
        if self.same_action:
            key["action"] = action_digest
        if self.family == "used":
            key["tool"] = facts.action["tool"]
        return hashlib.sha256(canonical(key)).digest()

    def _who(self, facts: Facts) -> Any:
        if self.by == "everyone":
            return "everyone"
        if self.by == "agent":
            return facts.agent["id"]
        if self.by == "session":
            # With the agent: the name of a session is a claim, and one agent must not write in another's series.
            return [facts.agent["id"], facts.session.get("id")]
        return self._value(facts, self.by)

    def measured(self, facts: Facts) -> Any:
        """Return the value at the path, None where there is none.

        Raises:
            Unusable: It lies in something that is no object.
        """
        return None if self.path is None else self._value(facts, self.path)

    def _value(self, facts: Facts, path: str) -> Any:
        found, value = facts.look_up(read_path(path))
        if found not in ("here", "missing"):
            raise Unusable(f"{found} is not an object")
        return value


@lru_cache(maxsize=1024)
def _text_of(definition: Definition) -> str:
    return canonical(definition.as_json()).decode()


@lru_cache(maxsize=1024)
def _digest_of(definition: Definition) -> str:
    return sha256(_text_of(definition).encode())


@lru_cache(maxsize=1024)
def definition_of(text: str) -> Definition:
    """Read what `Definition.text` wrote."""
    given = json.loads(text)
    of = given["of"]
    return Definition(**{**given, "of": None if of is None else tuple(of)})


def exact(value: Any) -> Decimal:
    """Return a number exactly as it was written.

    Raises:
        Unusable: No number from 0 to 10^60 with at most 60 decimals. A negative one would let an agent talk its own
            sum down.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Unusable("not a number")
    if isinstance(value, str):
        if _DECIMAL.fullmatch(value) is None:
            raise Unusable("a text that is no plain decimal number")
        return Decimal(value)
    made = Decimal(repr(value))
    if made != 0 and not _LEAST <= made <= _MOST:
        raise Unusable("a number below zero, too large or too small")
    return made


def mark_of(value: Any) -> bytes:
    """Return what a distinct value is known by."""
    return hashlib.sha256(canonical(value)).digest()


def plain(number: Decimal) -> int | float:
    """Return a sum as JSON has it: whole where it is, else the nearest double."""
    whole = int(number)
    return whole if whole == number and abs(whole) < 2**53 else float(number)


class HistorySignal(Signal):
    """A signal over recorded asks; the desk reads its value from the store."""

    over: Over
    """How far back, at most 90 days."""
    of: Of | None = None
    """Which tools: a pattern, several, or `same_action`."""
    by: By = "agent"
    """Whose: a path, or `session`, `agent`, `everyone`."""

    gives: ClassVar[Kind] = "number"
    family: ClassVar[Literal["sum", "count", "distinct", "failures", "denials", "used"]]

    @classmethod
    def kind(cls) -> str:
        """Return the name of the kind; pydantic puts the shared options before it."""
        return next(name for name in cls.model_fields if name not in HistorySignal.model_fields)

    @property
    def path(self) -> str | None:
        """Return the path of what is measured, None where asks are counted."""
        return None

    @property
    def counting(self) -> Counting:
        """Return which asks count: as the policy says where the kind leaves the choice, otherwise what it is about."""
        found: Counting = getattr(self, "counts", None) or cast(Counting, self.family)
        return found

    @property
    def definition(self) -> Definition:
        """Return what is counted."""
        patterns = None if self.of is None else tuple(sorted({one for one in self.of if one != SAME_ACTION}))
        by = self.by if self.by in WHO else ".".join(canonical_path(read_path(self.by)))
        path = None if self.path is None else ".".join(canonical_path(read_path(self.path)))
        same = self.of is not None and SAME_ACTION in self.of
        return Definition(self.family, path, patterns or None, same, by, self.counting)

    def value(self, facts: Facts, name: str) -> Any:
        """Return what the desk read, None where the history is not known."""
        given = facts.history.get(name)
        if isinstance(given, Unusable):
            raise given
        return given


class Sum(HistorySignal):
    """`{sum: action.arguments.amount, over: 24h, by: bundle.subject.id}`: the exact sum of numbers at a path."""

    sum: PathText
    counts: Literal["asked", "may_run"] = "may_run"

    family = "sum"

    @property
    def path(self) -> str:
        """Return the path of the numbers."""
        return self.sum


class Count(HistorySignal):
    """`{count: true, over: 10m, of: same_action, by: session}`: how many asks."""

    count: Yes
    counts: Literal["asked", "may_run"] = "asked"

    family = "count"


class Rate(HistorySignal):
    """`{rate: hour, over: 24h}`: asks per minute, hour or day, on average over the window."""

    rate: Literal["minute", "hour", "day"]
    counts: Literal["asked", "may_run"] = "asked"

    family = "count"

    @property
    def units(self) -> float:
        """Return how many units the window holds."""
        return self.over / _UNITS[self.rate]


class Distinct(HistorySignal):
    """`{distinct: bundle.subject.id, over: 1h}`: how many different values stood at a path."""

    distinct: PathText
    counts: Literal["asked", "may_run"] = "asked"

    family = "distinct"

    @property
    def path(self) -> str:
        """Return the path of the values."""
        return self.distinct


class Failures(HistorySignal):
    """`{failures: true, over: 1h}`: outcomes reported as failed or unknown, by the time of the report."""

    failures: Yes

    family = "failures"


class Denials(HistorySignal):
    """`{denials: true, over: 1h}`: asks that the policy denied or a person rejected, by the time of that."""

    denials: Yes

    family = "denials"


class NewTool(HistorySignal):
    """`{new_tool: true, over: 30d}`: whether this tool was not used within the window before.

    Used is what the policy allowed or a person approved: an ask that waits or was refused makes no tool familiar, or
    asking twice would be enough.
    """

    new_tool: Yes

    gives: ClassVar[Kind] = "true or false"
    family = "used"
