"""What an agent is told of its case: `pending` until the decision is released, signed for and final."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import orjson

from signoff.desk.checkpoints import cover, prove_receipt
from signoff.desk.desk import Desk
from signoff.desk.masks import fired_for_model
from signoff.desk.moment import moment, settled
from signoff.domain.action import Action
from signoff.domain.clock import to_text
from signoff.domain.escalation import Escalation, Outcome, Status
from signoff.domain.people import Assurance
from signoff.domain.verdict import Urgency
from signoff.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Answer:
    """The state of a case as its agent may know it."""

    escalation_id: str
    status: Status
    verdict: str
    """`allow`, `escalate` or `deny`: what the policy said."""
    triggers: tuple[dict[str, Any], ...]
    """The triggers that fired, each with `trigger`, `title`, `category`, `explanation`, `reason`,
    `values`."""
    queue: str
    urgency: Urgency
    opened_at: datetime
    deadline_at: datetime
    next_step: str
    """What to do now, in plain words."""
    case_url: str
    """The page where a person decides; it asks who they are, so it gives no power."""
    question: dict[str, Any] | None = None
    """What a person asks the agent: `number`, `text`, `asked_at`; None where no question is open."""
    action: dict[str, Any] | None = None
    """What may run: `tool`, `arguments`, `server?`; None unless approved or modified."""
    arguments_masked: bool = False
    """True: a secret in `action.arguments` is masked here, so the agent's own original arguments are meant."""
    response: Any = None
    note: str | None = None
    decided_by: tuple[dict[str, Any], ...] = ()
    """`id`, `name` and `roles` of each person; empty where the policy decided."""
    assurance: Assurance | None = None
    receipt: str | None = None
    proof: str | None = None
    """That the event which decided is in the signed log (`audit/tlog_proof.py`); goes with the receipt."""
    valid_until: datetime | None = None
    proceed: bool | None = None
    """Only where the agent sent the action it is about to run: may exactly that run now?"""
    claimed_at: datetime | None = None
    outcome: Outcome | None = None
    checkpoint: str | None = None
    """The signed checkpoint that covers what is told here."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON form; times are text, and what is None is left out."""
        made: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value is None:
                continue
            made[one.name] = to_text(value) if isinstance(value, datetime) else value
        for name in ("triggers", "decided_by"):
            made[name] = list(made[name])
        return made


def case_url(desk: Desk, escalation_id: str) -> str:
    """Return the address of a case's page."""
    return f"{desk.settings.base_url}/cases/{escalation_id}"


async def tell(desk: Desk, case: Escalation, *, action: Action | None = None) -> Answer:
    """Return what the case's agent may know now.

    A decision is told only after its undo window, and under a signed checkpoint that covers it.

    Args:
        action: What the agent is about to run; `proceed` then says whether exactly that may.

    Raises:
        StoreUnavailable: No checkpoint could be signed, so the decision is not told.
    """
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        document = await _document(reader, case.id)
        last_seq = await reader.last_seq_of_case(case.id)
        question = await _open_question(reader, case, now)
    released = case.released(now)
    verdict = document.get("verdict", {})
    told = Answer(
        escalation_id=case.id,
        status=case.status if released else "pending",
        verdict=verdict.get("outcome", "escalate"),
        triggers=tuple(
            {
                name: fired[name]
                for name in ("trigger", "title", "category", "explanation", "reason", "values")
            }
            for fired in fired_for_model(verdict.get("fired", ()), desk.policy.current())
        ),
        queue=case.queue,
        urgency=case.urgency,
        opened_at=case.opened_at,
        deadline_at=case.deadline_at,
        next_step=_next_step(case, now) if question is None else ANSWER_FIRST,
        case_url=case_url(desk, case.id),
        question=question,
        proceed=False if action is not None else None,
    )
    if not released:
        return told
    note = await cover(desk, last_seq)
    still = await settled(desk, case)
    if still.version != case.version:
        return await tell(desk, still, action=action)  # taken back, or moved on, since it was read
    told = replace(told, checkpoint=note)
    return await _with_decision(desk, case, told, document=document, action=action, note=note)


ANSWER_FIRST = (
    "A person asks you something before they decide: read `question` and answer it with answer_question, truthfully and"
    " from what you know. Then call get_decision again. Do not run the action meanwhile."
)


async def _with_decision(
    desk: Desk,
    case: Escalation,
    told: Answer,
    *,
    document: dict[str, Any],
    action: Action | None,
    note: str,
) -> Answer:
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        decisions = await reader.decisions(case.id)
        deciders = [(one, await reader.person(one)) for one in case.decided_by]
        receipt = decisions[-1].receipt if decisions else await reader.receipt_of_opening(case.id)
        if case.status not in ("approved", "modified", "rejected"):
            receipt = None
        proof = None if receipt is None else await prove_receipt(reader, receipt, note)
    last = decisions[-1] if decisions and case.decided_by else None
    may_run = case.status in ("approved", "modified")
    final = None
    if may_run and "action" in document:
        proposed = document["action"]
        changed = [one.arguments for one in decisions if one.arguments is not None]
        arguments = (
            changed[-1] if case.final_digest != case.action_digest and changed else proposed["arguments"]
        )
        final = {"tool": case.tool, "arguments": arguments}
        if case.server is not None:
            final["server"] = case.server
    roles = {one.person_id: list(one.roles) for one in decisions}
    proceed = None
    if action is not None:
        valid = case.valid_until is not None and now < case.valid_until
        proceed = may_run and valid and case.claimed_at is None and action.digest == case.final_digest
    values = {one.name: getattr(told, one.name) for one in fields(told)}
    return Answer(
        **{
            **values,
            "action": final,
            "arguments_masked": may_run and any(path.startswith("action.arguments") for path in case.masked),
            "response": last.response if last else None,
            "note": (last.note or None) if last else None,
            "decided_by": tuple(
                {"id": one, "name": person.name if person else one, "roles": roles.get(one, [])}
                for one, person in deciders
            ),
            "assurance": case.assurance,
            "receipt": receipt,
            "proof": proof,
            "valid_until": case.valid_until,
            "proceed": proceed,
            "claimed_at": case.claimed_at,
            "outcome": case.outcome,
        }
    )


async def _open_question(reader: Reader, case: Escalation, now: datetime) -> dict[str, Any] | None:
    """Return the question that waits for the agent's answer.

    One that was open when somebody decided stays until the decision is released: the agent must not be able to read
    from its absence that there is one.
    """
    if case.questioned_by is None or case.released(now):
        return None
    asked = (await reader.questions(case.id))[-1]
    return {"number": asked.number, "text": asked.text or "", "asked_at": to_text(asked.asked_at)}


async def _document(reader: Reader, escalation_id: str) -> dict[str, Any]:
    raw = await reader.document(escalation_id)
    made: dict[str, Any] = {} if raw is None else orjson.loads(raw)
    return made


def _next_step(case: Escalation, now: datetime) -> str:
    if not case.released(now):
        return (
            "A person has been asked. Do not run the action. Call get_decision with this escalation_id; it waits"
            " up to 45 seconds a call, and you may call it as often as needed, also after a restart."
        )
    match case.status:
        case "approved" | "modified" if case.outcome is not None:
            return f"Finished: the outcome is recorded as {case.outcome}. Nothing is left to do."
        case "approved" | "modified" if case.claimed_at is not None:
            return "Claimed. Run exactly `action` once, then call report_outcome."
        case "approved" | "modified" if case.valid_until is not None and now >= case.valid_until:
            return "The approval has run out unused. Do not run the action; ask again with request_approval."
        case "approved":
            return "Approved as proposed. Call claim_approval with exactly this action, run it once, report_outcome."
        case "modified":
            return (
                "Approved with changes. Run exactly `action`, not your own proposal, and follow `note` and"
                " `response`: call claim_approval with it, run it once, report_outcome."
            )
        case "rejected":
            return "Rejected. Do not run the action. Read `note` and go on without it, or propose another action."
        case "expired":
            return "Nobody decided in time. Do not run the action. Tell the user, or ask again with request_approval."
        case _:
            return "Cancelled. Do not run the action."
