"""What a format makes of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from signoff.datasets.quarantine import Doubt


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a dataset."""

    values: dict[str, Any]
    material: Mapping[str, Any]
    """What `values` is made of, before any of it is written as text inside text; it is searched for doubts."""
    doubts: tuple[Doubt, ...] = ()
    """What only this format finds fault with."""
