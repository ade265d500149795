"""Gather what expressions read: exactly those values, measured, as variables of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from signoff.triggers.cost import CONVERT_NS, Size, affordable, measured
from signoff.triggers.engine import Context
from signoff.triggers.facts import Facts
from signoff.triggers.fields import Path
from signoff.triggers.signals.signal import Signal

MAX_VALUES = 18_500
"""Values, counted as `Size` does, that the rules for one tool read together: a conversation of 2,000 turns has 18,000.
Handing them to the engine takes about 20 ms."""
MAX_NUMBER = (
    1e60  # far above any amount; products of five stay finite, so no NaN arises from what an agent sends
)


@dataclass(slots=True)
class Source:
    """Where values come from: the facts, and the signals, each computed once and only if a rule reads it."""

    signals: Mapping[str, Signal]
    facts: Facts
    _known: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def look_up(self, path: Path) -> tuple[str, Any]:
        """Return `("here", value)`, `("missing", None)`, or why there is a value that no rule can use."""
        if path[0] != "signals":
            looked = self.facts.look_up(path)
            if looked[0] in ("here", "missing"):
                return looked
            return f"error: {looked[0]} is not an object", None
        name = path[1]
        if name not in self._known:
            self._known[name] = self._signal(name)
        return self._known[name]

    def _signal(self, name: str) -> tuple[str, Any]:
        try:
            value = self.signals[name].value(self.facts, name)
        except Exception:  # noqa: BLE001 -- whatever a signal meets in what an agent sent, its rules fire
            return f"error: the signal {name} cannot be computed", None
        return ("missing", None) if value is None else ("here", value)


@dataclass(slots=True)
class Reading:
    """The values that some expressions read."""

    context: Context
    values: dict[str, Any] = field(default_factory=dict)
    """By variable; those of `has()` among them."""
    missing: dict[str, Path] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Variables whose value cannot be given to a rule, with why."""
    sizes: dict[Path, Size] = field(default_factory=dict)
    """Of texts, lists and objects."""
    chars: int = 0
    converted: int = 0
    """Values in lists and objects."""

    @property
    def convert_ns(self) -> int:
        """Return what handing the values to the engine costs."""
        return CONVERT_NS * self.converted


def read(source: Source, reads: Iterable[tuple[str, Path]], asks: Iterable[tuple[str, Path]]) -> Reading:
    """Gather exactly the values that some expressions need; a bundle of 2 MB costs what is read of it."""
    reading = Reading(Context())
    values = reading.values
    large: dict[str, Path] = {}
    for name, path in reads:
        found, value = source.look_up(path)
        if found == "missing":
            reading.missing[name] = path
        elif found != "here":
            reading.refused[name] = found
        elif isinstance(value, (bool, int)) or (type(value) is float and abs(value) <= MAX_NUMBER):
            values[name] = value
        elif type(value) is str and value.isascii():
            values[name] = value
            reading.sizes[path] = Size(len(value), 1, 0)
            reading.chars += len(value)
        else:
            _take(reading, name, path, value)
            if isinstance(value, (Mapping, list, tuple)):
                large[name] = path
    if reading.converted > MAX_VALUES:
        _leave_out(reading, large)
    for name, path in asks:
        found, _ = source.look_up(path)
        if found in ("here", "missing"):
            values[name] = found == "here"
        else:
            reading.refused[name] = found
    try:
        reading.context.update(values)
    except (ValueError, TypeError, OverflowError):
        _give_one_by_one(reading)
    return reading


def _take(reading: Reading, name: str, path: Path, value: Any) -> None:
    size, farthest = measured(value, most=MAX_VALUES)
    if not farthest <= MAX_NUMBER:
        reading.refused[name] = f"error: {'.'.join(path)} is a number too large for rules"
        return
    if size.values > MAX_VALUES:
        reading.refused[name] = (
            f"error: {'.'.join(path)} holds more than {MAX_VALUES} values, too many for rules"
        )
        return
    reading.values[name] = value
    reading.sizes[path] = size
    reading.chars += size.chars
    if not isinstance(value, str):
        reading.converted += size.values


def _leave_out(reading: Reading, large: Mapping[str, Path]) -> None:
    """Refuse the largest values until the others fit together."""
    here = {name: path for name, path in large.items() if name in reading.values}
    most = affordable([reading.sizes[path].values for path in here.values()], MAX_VALUES)
    for name, path in here.items():
        size = reading.sizes[path]
        if size.values > most:
            del reading.values[name], reading.sizes[path]
            reading.chars -= size.chars
            reading.converted -= size.values
            reading.refused[name] = (
                f"error: {'.'.join(path)} and what else rules read hold more than {MAX_VALUES} values, too many"
            )


def _give_one_by_one(reading: Reading) -> None:
    """Give the engine what it takes, and note the values it does not (none that the domain's checks let pass)."""
    reading.context = Context()
    for name, value in reading.values.items():
        try:
            reading.context.add_variable(name, value)
        except (ValueError, TypeError, OverflowError):
            reading.refused[name] = "error: a value that is not JSON"
