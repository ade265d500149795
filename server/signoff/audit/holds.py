"""Whether what was erased was free to go: the log itself says which cases were under legal hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HOLD_KINDS = frozenset({"hold.placed", "hold.lifted", "bundle.erased"})
"""The only events that `Holds.follow` need be given."""


class Holds:
    """The holds on single cases that stand at a point of the log; those on subjects name nobody in their events."""

    def __init__(self) -> None:
        self._by_case: dict[str, set[str]] = {}

    def follow(self, kind: str, data: Mapping[str, Any], case_id: Any) -> str | None:
        """Take the next event; return what is wrong with an erasure, None if nothing."""
        if not isinstance(case_id, str):
            return None
        hold = str(data.get("hold"))
        if kind == "hold.placed":
            self._by_case.setdefault(case_id, set()).add(hold)
        elif kind == "hold.lifted" and case_id in self._by_case:
            self._by_case[case_id].discard(hold)
            if not self._by_case[case_id]:
                del self._by_case[case_id]
        elif kind == "bundle.erased" and case_id in self._by_case and data.get("cause") != "restored":
            return f"erases what is under legal hold {min(self._by_case[case_id])}"
        return None
