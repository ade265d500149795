"""What an agent is told, with every field described: the structured outputs of the tools.

Each model lists what may leave the house. What the desk adds to its own answers stays inside until it is
listed here.
"""

from __future__ import annotations

import json
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from signoff.domain.escalation import Outcome, Status
from signoff.domain.people import Assurance, Role
from signoff.domain.verdict import Outcome as VerdictOutcome
from signoff.domain.verdict import Urgency

if TYPE_CHECKING:
    from signoff.desk.answer import Answer
    from signoff.desk.check import Checked
    from signoff.domain.verdict import Verdict

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
NextStep = Field(description="What to do now, in plain words. Follow it.")

Checkpoint = Field(
    default=None,
    description="A signed checkpoint of the audit log that covers this decision. Keep the latest one and send it with"
    " your next call as `seen_checkpoint`.",
)
Consistency = Field(
    default=None,
    description="Only where you sent `seen_checkpoint`: the proof that the log has only grown since then (RFC 6962"
    " consistency hashes and the newest checkpoint, as in C2SP tlog-witness).",
)


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def as_json(self) -> dict[str, Any]:
        """Return the structured content: what is unknown is left out."""
        return self.model_dump(mode="json", exclude_none=True)

    @cached_property
    def result(self) -> dict[str, Any]:
        """The result of `tools/call` as MCP 2026-07-28 writes it; nobody may change it, it may be sent again.

        Not the SDK's model: it would be made of the same parts, and then taken apart into them.
        """
        made = self.as_json()
        return {
            "content": [{"type": "text", "text": as_text(made)}],
            "structuredContent": made,
            "isError": False,
            "resultType": "complete",
        }


class FiredTrigger(_Told):
    """A rule of the policy that fired."""

    trigger: str = Field(description="The trigger's id.")
    title: str
    category: str
    explanation: str = Field(description="Why it fired, with the values that mattered.")
    reason: str = Field(description="`matched`, `missing <field>` (send that field), or `error: <what>`.")
    values: dict[str, Any] = Field(
        default_factory=dict,
        description="What the rule read, by path: `action.arguments.amount`, `signals.<name>` (computed by signoff),"
        " `has(<path>)`. Long texts are cut, secrets masked; `[hidden by policy]` stands for what a policy keeps from"
        " people. Not listed: what you did not send.",
    )


class Required(_Told):
    """What an approval would have to bring."""

    role: Role = Field(description="Who must decide.")
    approvals: int = Field(description="How many distinct people must approve.")
    assurance: Assurance = Field(description="How sure it must be who decided.")
    reason: bool = Field(description="True: the person must say why.")


class Check(_Told):
    """The policy's verdict on an action; nothing was stored and nobody was asked."""

    verdict: VerdictOutcome = Field(
        description="`allow`: run it. `escalate`: ask a person with request_approval first. `deny`: never run it."
    )
    triggers: tuple[FiredTrigger, ...] = Field(description="Every trigger that fired, in the policy's order.")
    urgency: Urgency
    queue: str = Field(description="Where the case would wait.")
    required: Required | None = Field(
        default=None, description="What an approval would need; only with verdict `escalate`."
    )
    approve_within_s: int | None = Field(
        default=None, description="How long people would have, in seconds; only with verdict `escalate`."
    )
    policy_digest: str = Field(description="The version of the policy that said so.")
    next_step: str = NextStep


class Runnable(_Told):
    """An action that may run, exactly as it stands here."""

    tool: str
    arguments: dict[str, Any]
    server: str | None = None


class Decider(_Told):
    """A person who decided."""

    id: str
    name: str
    roles: tuple[str, ...]


class Question(_Told):
    """What a person asks before they decide."""

    number: int = Field(
        description="Send it with your answer, so that it answers this question and no other."
    )
    text: str = Field(description="The person's words. Answer with answer_question.")
    asked_at: str = Field(description="UTC, RFC 3339.")


class Case(_Told):
    """One escalation as its agent may know it."""

    escalation_id: str = Field(description="Keep it: with it any call can go on later, also after a restart.")
    status: Status = Field(
        description="`pending`: nobody has decided, do not run the action. `approved`: the action may run as proposed."
        " `modified`: only `action` as it stands here may run. `rejected`, `expired`, `cancelled`: it must not run."
    )
    verdict: VerdictOutcome = Field(description="What the policy said when the case was opened.")
    triggers: tuple[FiredTrigger, ...] = Field(description="The triggers that fired.")
    urgency: Urgency
    queue: str
    opened_at: str = Field(description="UTC, RFC 3339.")
    deadline_at: str = Field(description="When an undecided case expires. UTC, RFC 3339.")
    case_url: str = Field(
        description="The page where a person decides. It gives no power to whoever has it: it asks who they are."
    )
    question: Question | None = Field(
        default=None, description="Only while a person waits for your answer: answer it with answer_question."
    )
    action: Runnable | None = Field(
        default=None, description="The action that may run; only when approved or modified. Run exactly this."
    )
    arguments_masked: bool = Field(
        default=False,
        description="True: a secret is masked in `action.arguments`; use your own original arguments, unchanged.",
    )
    response: Any = Field(
        default=None, description="The person's typed response, where you sent a response_schema."
    )
    note: str | None = Field(
        default=None, description="What the person wrote for you. Read it and follow it."
    )
    decided_by: tuple[Decider, ...] = Field(
        default=(), description="Who decided; empty while nobody has, and where the policy decided alone."
    )
    assurance: Assurance | None = Field(default=None, description="How sure it is who decided.")
    receipt: str | None = Field(
        default=None, description="Signed proof of the decision (a JWT); hand it to whoever asks for one."
    )
    proof: str | None = Field(
        default=None,
        description="Goes with the receipt: shows that the signed log holds the decision (a c2sp.org/tlog-proof).",
    )
    valid_until: str | None = Field(
        default=None, description="Claim the approval before this. UTC, RFC 3339."
    )
    proceed: bool | None = Field(
        default=None,
        description="Only where you sent `action`: true if exactly that action may run now. Anything else: do not run.",
    )
    claimed_at: str | None = Field(default=None, description="When the approval was used.")
    outcome: Outcome | None = Field(default=None, description="What came of the action, as reported.")
    checkpoint: str | None = Checkpoint
    consistency: str | None = Consistency
    next_step: str = NextStep


class Claim(_Told):
    """An approval that was used for exactly the action sent; a refusal is an error instead."""

    granted: Literal[True] = Field(default=True, description="Run the action now, exactly once.")
    escalation_id: str
    action: Runnable | None = Field(default=None, description="What may run: exactly this, once.")
    arguments_masked: bool = Field(
        default=False, description="True: use your own original arguments, a secret in them is masked here."
    )
    claimed_at: str | None = Field(default=None, description="UTC, RFC 3339.")
    receipt: str | None = Field(default=None, description="Signed proof of the decision (a JWT).")
    checkpoint: str | None = Checkpoint
    consistency: str | None = Consistency
    next_step: str = NextStep


class Ended(_Told):
    """How the case stands after an answer, a report or a cancellation."""

    escalation_id: str
    status: Status
    outcome: Outcome | None = Field(default=None, description="What came of the action, as recorded.")
    next_step: str = NextStep


def as_text(value: Any) -> str:
    """Return a result as compact JSON text, for readers that take no structured content."""
    return _COMPACT.encode(value)


def check_told(checked: Checked) -> Check:
    """Return what an agent is told of a check."""
    verdict = checked.verdict
    if not verdict.fired and not verdict.shadow:
        return _told_where_nothing_fires(verdict, checked.next_step)
    return _check_told(verdict, checked.fired, checked.next_step)


@lru_cache(maxsize=64)
def _told_where_nothing_fires(verdict: Verdict, next_step: str) -> Check:
    """Return what is told of most actions: it depends on the policy alone, of which few are in use at a time."""
    return _check_told(verdict, (), next_step)


def _check_told(verdict: Verdict, fired: tuple[dict[str, Any], ...], next_step: str) -> Check:
    asks = verdict.outcome == "escalate"
    return Check(
        verdict=verdict.outcome,
        triggers=tuple(FiredTrigger.model_validate(one) for one in fired),
        urgency=verdict.urgency,
        queue=verdict.queue,
        required=Required.model_validate(verdict.require.as_json()) if asks else None,
        approve_within_s=int(verdict.approve_within.total_seconds()) if asks else None,
        policy_digest=verdict.policy_digest,
        next_step=next_step,
    )


def case_told(answer: Answer, *, consistency: str | None = None) -> Case:
    """Return what an agent is told of its case."""
    return Case.model_validate({**answer.as_json(), "consistency": consistency})


def claim_told(answer: Answer, *, consistency: str | None = None) -> Claim:
    """Return what an agent is told of a claim that was granted."""
    return Claim.model_validate({**answer.as_json(), "consistency": consistency})


def ended_told(answer: Answer) -> Ended:
    """Return what an agent is told after an answer, a report or a cancellation."""
    return Ended.model_validate(answer.as_json())
