"""Keep every version of the policy that ever gave a verdict."""

from __future__ import annotations

from signoff.domain.event import SYSTEM, Draft
from signoff.store.unit import Unit
from signoff.triggers.load import LoadedPolicy


async def note_policy(unit: Unit, policy: LoadedPolicy) -> None:
    """Keep a policy's text, with an event, the first time it is met."""
    if await unit.add_policy_version(policy.digest, policy.text):
        data = {"policy_digest": policy.digest, "triggers": len(policy.policy.triggers)}
        await unit.record(Draft("policy.loaded", unit.now, SYSTEM, data))
