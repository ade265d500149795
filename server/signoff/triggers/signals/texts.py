"""Walk the texts of a JSON value, as far as a signal may read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_VALUES = 10_000
"""Values below one path that a signal walks: 3 ms."""


class TooMuch(ValueError):
    """More than a signal reads; what was left out might have mattered, so its rules fire."""


def count_chars(value: Any, *, at_most: int) -> int:
    """Return how many characters the texts, names and numbers of a value hold.

    Raises:
        TooMuch: More than `at_most`, or too many values.
    """
    total = 0
    for name, one in named_texts(value):
        total += len(name) + len(one)
        if total > at_most:
            raise TooMuch(f"more than {at_most} characters")
    return total


def named_texts(value: Any) -> Iterator[tuple[str, str]]:
    """Yield every text and number below a value as text, with the name of the field that holds it, in order.

    Names of fields come as texts of their own, too. Items of a list carry the list's name.

    Raises:
        TooMuch: Too many values.
    """
    waiting: list[tuple[str, Any]] = [("", value)]
    seen = 0
    while waiting:
        name, one = waiting.pop()
        seen += 1
        if seen + len(waiting) > MAX_VALUES:
            raise TooMuch(f"more than {MAX_VALUES} values")
        if isinstance(one, str):
            yield name, one
        elif isinstance(one, Mapping):
            for key, member in one.items():
                yield "", str(key)
                waiting.append((str(key), member))
        elif isinstance(one, (list, tuple)):
            waiting.extend((name, item) for item in one)
        elif one is not None and not isinstance(one, bool):
            yield name, str(int(one)) if isinstance(one, float) and one == one // 1 else str(one)
