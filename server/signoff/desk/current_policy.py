"""Take up the policy that counts now: keep its text, and begin to count what its history signals read."""

from __future__ import annotations

from signoff.desk.desk import Desk
from signoff.desk.history import declare
from signoff.desk.policies import note_policy
from signoff.store.unit import Unit
from signoff.triggers.load import LoadedPolicy


async def note_current_policy(desk: Desk) -> LoadedPolicy:
    """Keep the policy that counts now, count what its history signals read, and return it."""
    policy = desk.policy.current()

    async def note(unit: Unit) -> bool:
        await note_policy(unit, policy)
        states = await declare(unit, policy)
        return any(one.active and one.filling for one in states.values())

    if await desk.store.write(note):
        desk.recorder.wake()
    return policy
