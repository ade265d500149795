"""Which trigger asked for what: the parts of a combined requirement, each with those that made it so strict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from signoff.domain.policy import Defaults, Trigger
from signoff.domain.verdict import Requirement, Urgency


@dataclass(frozen=True, slots=True)
class Demand:
    """One part of what an approval needs."""

    what: str
    value: str
    """In words."""
    asked_by: tuple[str, ...]
    """The triggers that ask for just that; empty where nobody asked for more than the least."""


def demands(
    asking: Iterable[Trigger],
    *,
    require: Requirement,
    queue: str,
    urgency: Urgency,
    approve_within: timedelta,
    approval_valid_for: timedelta,
    defaults: Defaults,
) -> list[Demand]:
    """Return the parts of what an approval needs, each with the triggers that it comes from.

    Args:
        asking: The triggers that fired, count, and escalate.
        require: What they add up to, as are the others.
        defaults: Of the same policy.
    """
    asking = tuple(asking)
    given = {one.id: one.require.as_requirement() for one in asking}
    least = Requirement()

    def of(name: str, value: Any, words: str, what: str) -> Demand:
        names = [one for one, asked in given.items() if getattr(asked, name) == value]
        return Demand(what, words, tuple(names) if value != getattr(least, name) else ())

    made = [
        of(
            "role",
            require.role,
            f"a {require.role}" if require.role != "operator" else "an operator",
            "who decides",
        ),
        of("approvals", require.approvals, str(require.approvals), "approvals"),
        of("assurance", require.assurance, require.assurance, "assurance"),
    ]
    if require.separation:
        made.append(of("separation", True, "nobody on whose behalf the agent runs", "separation"))
    if require.reason:
        made.append(of("reason", True, "whoever decides says why", "reason"))
    made.append(Demand("queue", queue, tuple(one.id for one in asking if one.queue == queue)))
    made.append(Demand("urgency", urgency, tuple(one.id for one in asking if one.urgency == urgency)))
    within = [one.id for one in asking if one.approve_within == approve_within != defaults.approve_within]
    made.append(Demand("to decide", duration(approve_within), tuple(within)))
    valid = [
        one.id
        for one in asking
        if one.approval_valid_for == approval_valid_for != defaults.approval_valid_for
    ]
    made.append(Demand("to use it", f"{duration(approval_valid_for)}, once", tuple(valid)))
    return made


def duration(time: timedelta) -> str:
    """Return a duration as a policy writes it: `30m`."""
    seconds = int(time.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
