"""A case that people decided, as a dataset may hold it: masked, complete, and told apart from all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from signoff.desk.masks import HIDDEN, masked
from signoff.domain.action import action_digest
from signoff.domain.case import Escalation
from signoff.domain.clock import from_text
from signoff.domain.decision import Decision
from signoff.domain.policy import Mask
from signoff.domain.secrets import mask_secrets
from signoff.store.reader import Reader


class Excluded(Exception):
    """This case makes no row; `reason` is a stable word that the manifest counts under."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class DecidedCase:
    """A case with a person's decision that its agent has been told."""

    case: Escalation
    opened_seq: int
    document: dict[str, Any]
    """`action`, `bundle`, `verdict`, `masked`, `response_schema?`, with every mask of the policy applied."""
    decisions: tuple[Decision, ...]
    """Those that stand, in order; at least one."""
    arguments: dict[str, Any] | None
    """What was allowed to run in the end; None after a rejection."""
    digest_holds: bool
    """False: `arguments` are not those that the decision's event names."""
    considered_for: timedelta
    """From the moment a decider first saw the case to their decision; the shortest where several decided."""
    report: dict[str, Any] | None
    """`note` and `result` of the last outcome report."""

    @property
    def audit_seq(self) -> int:
        """Return the number of the event that decided the case."""
        return self.decisions[-1].seq

    @property
    def proposed(self) -> dict[str, Any]:
        """Return the arguments that the agent proposed."""
        made = self.document["action"]["arguments"]
        return made if isinstance(made, dict) else {}

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Return the conversation as it was recorded; nothing where the policy hides what holds it together."""
        made = self.document["bundle"].get("messages", [])
        return made if isinstance(made, list) and all(map(_is_whole, made)) else []

    @property
    def arguments_changed(self) -> bool:
        """Say whether something else was allowed to run than what the agent proposed."""
        return self.arguments is not None and self.case.final_digest != self.case.action_digest


async def read_decided(
    reader: Reader,
    case: Escalation,
    *,
    opened_seq: int,
    masks: Sequence[Mask],
    now: datetime,
    since: datetime | None,
) -> DecidedCase:
    """Return a case with its decision.

    Args:
        masks: All of the policy's. An export has no reader with a role, so what is hidden from anybody is
            hidden in it.
        since: Leaves out what was decided before.

    Raises:
        Excluded: Nobody decided it, the agent has not been told, it was decided earlier, or it is erased.
    """
    if case.status not in ("approved", "modified", "rejected"):
        raise Excluded("not_decided")
    if not case.decided_by:
        raise Excluded("decided_by_policy")  # a verdict is no label of a person's
    if not case.released(now):
        raise Excluded("not_released")
    if since is not None and case.decided_at is not None and case.decided_at < since:
        raise Excluded("decided_before_since")
    raw = await reader.document(case.id)
    decisions = await reader.decisions(case.id)
    if raw is None or not decisions:
        raise Excluded("erased")
    document = orjson.loads(raw)
    arguments = _final_arguments(case, document["action"]["arguments"], decisions)
    report = await reader.report(case.id)
    return DecidedCase(
        case=case,
        opened_seq=opened_seq,
        document=masked(document, masks)[0],
        decisions=tuple(_clean_decision(one, masks) for one in decisions),
        arguments=None if arguments is None else _clean(arguments, masks),
        digest_holds=_digest_holds(case, arguments),
        considered_for=await _considered_for(reader, case, decisions),
        report=None if report is None else orjson.loads(report),
    )


def _final_arguments(
    case: Escalation, proposed: dict[str, Any], decisions: list[Decision]
) -> dict[str, Any] | None:
    if case.status == "rejected":
        return None
    if case.final_digest == case.action_digest:
        return proposed
    changed = [one.arguments for one in decisions if one.arguments is not None]
    if not changed:
        raise Excluded("erased")  # the decision's content is gone, and with it what was allowed
    return changed[-1]


def _digest_holds(case: Escalation, arguments: dict[str, Any] | None) -> bool:
    if arguments is None or any(path.startswith("action.arguments") for path in case.masked):
        return True  # with a secret masked there is nothing to compare; such a row is set apart anyway
    return action_digest(case.tool, arguments, server=case.server) == case.final_digest


def _clean_decision(decision: Decision, masks: Sequence[Mask]) -> Decision:
    # What agents send is masked before it is stored; what a person types into a form is not.
    said = mask_secrets({"note": decision.note, "response": decision.response})[0]
    arguments = None if decision.arguments is None else _clean(decision.arguments, masks)
    return replace(decision, note=said["note"], response=said["response"], arguments=arguments)


def _clean(arguments: dict[str, Any], masks: Sequence[Mask]) -> dict[str, Any]:
    shown, _ = masked({"action": {"arguments": mask_secrets(arguments)[0]}}, masks)
    made = shown["action"]["arguments"]
    if not isinstance(made, dict):
        raise Excluded("hidden_by_policy")
    return made


def _is_whole(message: Any) -> bool:
    if not isinstance(message, dict) or message["role"] == HIDDEN:
        return False
    calls = message.get("tool_calls", [])
    return isinstance(calls, list) and all(isinstance(one, dict) and one["tool"] != HIDDEN for one in calls)


async def _considered_for(reader: Reader, case: Escalation, decisions: list[Decision]) -> timedelta:
    first_seen: dict[str, datetime] = {}
    for _, type_, body in await reader.typed_events_of_case(case.id):
        if type_ == "bundle.viewed":
            event = orjson.loads(body)
            first_seen.setdefault(event["actor"]["id"], from_text(event["at"]))
    return min(one.decided_at - first_seen.get(one.person_id, case.opened_at) for one in decisions)
