"""Open a case: the agent asks, the policy says what must happen, people are alerted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from signoff.desk.answer import Answer, tell
from signoff.desk.ask import Ask, kept
from signoff.desk.check import check_not_paused
from signoff.desk.desk import Desk
from signoff.desk.escalate import first_alerts, take_up
from signoff.desk.history import windows
from signoff.desk.limits import check_open_cases, check_rate
from signoff.desk.policies import note_policy
from signoff.desk.receipts import with_receipt
from signoff.desk.record import record_request, take_up_check
from signoff.desk.responses import check_request_schemas
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.canonical import canonical, digest
from signoff.domain.errors import Conflict, InvalidRequest
from signoff.domain.escalation import Escalation, Request, opened
from signoff.domain.people import Agent
from signoff.domain.secrets import mask_secrets
from signoff.domain.verdict import URGENCIES, Fired, Urgency, Verdict
from signoff.store.reader import Reader
from signoff.store.unit import Unit
from signoff.triggers.evaluate import evaluate

MAX_KEY_CHARS = 200
ASKED = "agent-asked"
"""The id under which a case is opened that no trigger wanted: the agent asked for a person, so it gets one."""


async def request_approval(
    desk: Desk,
    agent: Agent,
    action: Action,
    material: Material,
    *,
    response_schema: dict[str, Any] | None = None,
    tool_schema: dict[str, Any] | None = None,
    urgency: Urgency | None = None,
    idempotency_key: str | None = None,
    session: str | None = None,
) -> Answer:
    """Open a case, and return once it is on disk with its alerts.

    A policy that denies rejects the case at once; one that explicitly allows the action approves it at once;
    otherwise people are asked, also where no trigger fired.

    Args:
        response_schema: JSON Schema (2020-12) that the person's response must satisfy.
        tool_schema: JSON Schema (2020-12) of the tool's arguments: people change them in a form made of it, and what
            they change must satisfy it.
        urgency: May raise what the policy says, never lower it.
        idempotency_key: The same key with the same input returns the same case.
        session: The agent session; None where the transport has none.

    Raises:
        InvalidRequest: Input without one canonical form, or a schema that cannot be used.
        LimitExceeded: Input over a limit; nothing was stored.
        Conflict: The key was used for something else.
        Forbidden: The agent is paused.
        RateLimited: The agent asks more than it may; nothing was stored.
        StoreUnavailable: Nothing was stored; or a case that the policy decided could not be signed for, and the same
            idempotency key finds it later.
    """
    check_not_paused(agent)
    asking = Ask.of(agent, action, material, session=session)
    await check_request_schemas(response_schema, tool_schema, action.arguments)
    check_key(idempotency_key)
    given = {"response_schema": response_schema, "tool_schema": tool_schema}
    schemas = {name: one for name, one in given.items() if one is not None}
    input_digest = digest(
        {
            "action": asking.action_json,
            "bundle": asking.bundle,
            "response_schema": None,
            "urgency": urgency,
            **schemas,
        }
    )
    policy = desk.policy.current()
    await desk.recorder.settle(asking)
    await desk.recorder.settle_before(policy)
    what = kept(asking.facts(desk.clock.now()), document=desk.settings.checks.keeps_documents)

    async def open_case(unit: Unit) -> Escalation:
        first = await first_case(unit, agent, idempotency_key, verb="request", input_digest=input_digest)
        if first is not None:
            return first
        await check_rate(unit, desk, agent)
        facts = asking.facts(await unit.history.now())
        joined = await take_up_check(unit, asking, facts)
        if policy.needs_history(action.tool):
            facts = replace(facts, history=await windows(unit, policy, facts, asking.digest))
        verdict = asked_for(evaluate(policy, facts))
        await note_policy(unit, policy)
        change = opened(
            request_of(asking, verdict, schemas),
            verdict,
            case_id=unit.new_id("esc"),
            agent=agent,
            now=unit.now,
            urgency=max(verdict.urgency, urgency or "low", key=URGENCIES.index),
        )
        if change.case.is_open:
            await check_open_cases(unit, desk, agent)
            tiers = policy.policy.queue_named(change.case.queue).tiers
            change = replace(change, alerts=await first_alerts(unit, change.case, tiers))
        change = with_receipt(
            desk, change, receipt_id=unit.new_id("dec"), seq=unit.next_seq, now=unit.now, by=None
        )
        case = await unit.apply(change)
        if case.is_open:
            case = await take_up(unit, case, policy, at_once=not change.alerts)
        await record_request(unit, asking, verdict, facts=facts, what=what, case=case, joined=joined)
        if idempotency_key is not None:
            await unit.keep_first_answer(
                agent.id, idempotency_key, verb="request", input_digest=input_digest, escalation_id=case.id
            )
        return case

    return await tell(desk, await desk.store.write(open_case))


def check_key(key: str | None) -> None:
    """Refuse an idempotency key that cannot be one.

    Raises:
        InvalidRequest: Empty, too long, or not printable.
    """
    if key is not None and not (0 < len(key) <= MAX_KEY_CHARS and key.isprintable()):
        raise InvalidRequest(f"must be 1 to {MAX_KEY_CHARS} printable characters.", field="idempotency_key")


async def first_case(
    reader: Reader, agent: Agent, key: str | None, *, verb: str, input_digest: str
) -> Escalation | None:
    """Return the case that a key was first used for, None for a new key.

    Raises:
        Conflict: The key was used with another input.
    """
    if key is None:
        return None
    first = await reader.first_answer(agent.id, key)
    if first is None:
        return None
    if first[:2] != (verb, input_digest):
        raise Conflict("This idempotency_key was used for another call. Use a new key for a new call.")
    return await reader.case(first[2])


def asked_for(verdict: Verdict) -> Verdict:
    """Send an agent that asked to a person, unless a trigger says in so many words that it need not ask."""
    if verdict.outcome != "allow" or verdict.explicitly_allowed:
        return verdict
    why = "No trigger of the policy fired; the agent itself asked for a person."
    asked = Fired(
        ASKED, "The agent asked for a person", "policy", "escalate", why, "matched", verdict.urgency
    )
    return replace(verdict, outcome="escalate", fired=(asked,))


def request_of(asking: Ask, verdict: Verdict, schemas: Mapping[str, Any]) -> Request:
    """Return the request with every secret masked; the digest is over what the agent sent."""
    action = asking.action
    shown: dict[str, Any] = {
        "action": {"arguments": action.arguments, "summary": action.summary or ""},
        "bundle": asking.bundle,
        "verdict": {"fired": [one.as_json() for one in verdict.fired]},
    }
    shown.update(schemas)
    masked, paths = mask_secrets(shown)
    proposed: dict[str, Any] = {"tool": action.tool, "arguments": masked["action"]["arguments"]}
    if action.server is not None:
        proposed["server"] = action.server
    if action.summary is not None:
        proposed["summary"] = masked["action"]["summary"]
    document: dict[str, Any] = {
        "action": proposed,
        "bundle": masked["bundle"],
        "verdict": {"outcome": verdict.outcome, "fired": masked["verdict"]["fired"]},
        "masked": list(paths),
    }
    document.update({name: masked[name] for name in schemas})
    return Request(
        tool=action.tool,
        server=action.server,
        summary=masked["action"]["summary"],
        action_digest=asking.digest,
        masked=paths,
        document=canonical(document),
    )
