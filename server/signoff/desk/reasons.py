"""In which order the triggers of a case are named, where there is room for one."""

from __future__ import annotations

from collections.abc import Sequence

from signoff.desk.desk import Desk
from signoff.domain.people import ASSURANCES
from signoff.domain.verdict import URGENCIES


def strictest_first(desk: Desk, triggers: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of triggers that fired, the one first that asked for most: urgency, then what an approval needs.

    The policy that counts now says what each asks for. Those that it does not hold come last, with those that allow;
    what asks for the same stays in the policy's order.
    """
    known = {one.id: one for one in desk.policy.current().policy.triggers}

    def weight(name: str) -> tuple[int, ...]:
        trigger = known.get(name)
        if trigger is None or trigger.then == "allow":
            return (-1,)
        needs = trigger.require.as_requirement()
        return (
            URGENCIES.index(trigger.urgency),
            needs.role == "supervisor",
            needs.approvals,
            ASSURANCES.index(needs.assurance),
            needs.separation,
            needs.reason,
        )

    return tuple(sorted(triggers, key=weight, reverse=True))  # a stable sort, reversed too
