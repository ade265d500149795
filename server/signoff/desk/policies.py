"""Keep every version of the policy that ever gave a verdict."""

from __future__ import annotations

import orjson

from signoff.domain.event import SYSTEM, Draft
from signoff.store.unit import Unit
from signoff.triggers.load import LoadedPolicy


async def note_policy(unit: Unit, policy: LoadedPolicy) -> None:
    """Keep a policy's text, with an event each time another one comes into force; also one that was before."""
    newest = await unit.newest_policy_event()
    before = None if newest is None else orjson.loads(newest)["data"]["policy_digest"]
    if before == policy.digest:
        return
    await unit.add_policy_version(policy.digest, policy.text)
    data = {"policy_digest": policy.digest, "before": before, "triggers": len(policy.policy.triggers)}
    await unit.record(Draft("policy.loaded", unit.now, SYSTEM, data))
