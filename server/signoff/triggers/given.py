"""A signal whose value is known: for table tests, and for what happened when the history was another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from signoff.triggers.facts import Facts
from signoff.triggers.fields import Kind, Path
from signoff.triggers.load import LoadedPolicy
from signoff.triggers.signals.signal import Signal


class Given(Signal):
    """A value instead of a computation; no policy can declare one."""

    given: Any

    gives: ClassVar[Kind] = "any"

    def paths(self) -> tuple[Path, ...]:
        """Return nothing: a value is no option."""
        return ()

    def value(self, facts: Facts, name: str) -> Any:
        """Return the value."""
        del facts, name
        return self.given


def with_values(policy: LoadedPolicy, values: Mapping[str, Any]) -> LoadedPolicy:
    """Return a policy in which some signals have these values, whatever the facts; None is missing."""
    return replace(
        policy, signals={**policy.signals, **{name: Given(given=one) for name, one in values.items()}}
    )
