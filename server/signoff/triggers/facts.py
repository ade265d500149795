"""What a policy is evaluated over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from signoff.triggers.fields import Path, canonical_path, is_free_json


@dataclass(frozen=True, slots=True)
class Facts:
    """Plain JSON values, and the one time of the unit of work."""

    action: Mapping[str, Any]
    """`tool`, `arguments`, and `server` and `summary` where sent."""
    bundle: Mapping[str, Any]
    """The bundle's fields without the action."""
    agent: Mapping[str, Any]
    """`id`, `name`, `owner`."""
    session: Mapping[str, Any]
    """The agent session: `id` where there is one."""
    now: datetime
    """UTC."""
    history: Mapping[str, Any] = field(default_factory=dict)
    """The values of the history signals that the rules for this tool read, by the signal's name. The desk reads them
    from the store; one that is not here is missing."""

    def look_up(self, path: Path) -> tuple[str, Any]:
        """Return `("here", value)`, `("missing", None)`, or the path of what should be an object and is not.

        Args:
            path: Under any root but `signals`.
        """
        full = canonical_path(path)
        value: Any = getattr(self, full[0])
        for depth, step in enumerate(full[1:], 1):
            if type(value) is dict and step in value:  # nearly always; the rest is for what is not there
                value = value[step]
                continue
            if value is None:
                return "missing", None
            if not isinstance(value, Mapping):
                return ".".join(full[:depth]), None
            if step not in value:
                return "missing", None
            value = value[step]
        if value is None and not is_free_json(full):
            return "missing", None
        if isinstance(value, (list, tuple)) and full == ("bundle", "messages"):
            # Stored bundles leave out what is empty; a turn without text has an empty text, it does not lack one.
            value = [
                {"content": "", "tool_calls": [], **one} if isinstance(one, Mapping) else one for one in value
            ]
        return "here", value
