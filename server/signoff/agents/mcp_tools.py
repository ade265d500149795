"""The tools an agent finds over MCP: what each takes, what it promises, and what it tells the model.

Announcing them needs no desk, so this module imports none: a server that starts answers `tools/list` first.

Arguments are read strictly: a field that a tool does not know is an error, because a check that was misspelt
would otherwise be a check that silently did not happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from mcp.types import Tool as ToolDefinition
from mcp.types import ToolAnnotations
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from signoff.agents.answers import Case, Check, Claim, Ended
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.canonical import parse_json
from signoff.domain.escalation import Outcome
from signoff.domain.verdict import Urgency

MAX_WAIT_S = 45  # the desk's own limits, said here without importing the desk; a test compares them
MAX_KEY_CHARS = 200
MAX_NOTE_CHARS = 100_000
MAX_ANSWER_CHARS = 16_000
DEFAULT_WAIT_S = 25  # below the 30 s after which some clients give up on a call that shows no progress


def _unquoted(given: Any, info: ValidationInfo) -> Any:
    """Read an object that the client sent as JSON text, as Claude Desktop does; just as strictly."""
    if isinstance(given, str):
        return parse_json(given, field=info.field_name or "arguments")
    return given


Unquoted = BeforeValidator(_unquoted)


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


_EscalationId = Annotated[
    str, Field(max_length=100, description="From request_approval: `esc_` and 26 characters.")
]
_Key = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=MAX_KEY_CHARS,
        description="Any text of your choice, at most 200 characters, new for each new call. Send the same one when"
        " you repeat a call whose answer got lost: you get the first answer again and nothing happens twice.",
    ),
]
_ExactAction = Annotated[Action, Unquoted]
_SeenCheckpoint = Annotated[
    str | None,
    Field(
        max_length=MAX_NOTE_CHARS,
        description="The last `checkpoint` that you were given, word for word. It is compared with the log: you get"
        " the proof `consistency` that nothing was cut or rewritten since, or the error `fork_suspected`.",
    ),
]


class CheckTriggers(_Arguments):
    """Arguments of check_triggers."""

    action: _ExactAction
    bundle: Annotated[Material, Unquoted] = Field(
        default=Material(),
        description="What you know; the policy may ask for any of it (confidence, subject, messages …).",
    )


class RequestApproval(_Arguments):
    """Arguments of request_approval."""

    action: _ExactAction
    bundle: Annotated[Material, Unquoted] = Field(
        default=Material(),
        description="Everything the person needs to decide: your reasoning, the conversation, the state, who it is"
        " about, how sure you are. Sent once, never changed. At most 2 MB.",
    )
    response_schema: Annotated[dict[str, Any] | None, Unquoted] = Field(
        default=None,
        description="JSON Schema (2020-12) of an answer you want beside the decision; the person fills a form.",
    )
    tool_schema: Annotated[dict[str, Any] | None, Unquoted] = Field(
        default=None,
        description="The tool's own JSON Schema (2020-12) of its arguments, as you know the tool by: the person changes"
        " arguments in a form made of it, and can change them only to what it allows.",
    )
    urgency: Urgency | None = Field(default=None, description="Raises the policy's urgency; never lowers it.")
    idempotency_key: _Key = None
    wait_s: float = Field(
        default=0,
        ge=0,
        le=MAX_WAIT_S,
        description="Seconds to wait for the decision in this call, 0 to 45. 0 returns at once; use get_decision.",
    )


class GetDecision(_Arguments):
    """Arguments of get_decision."""

    escalation_id: _EscalationId
    wait_s: float = Field(
        default=DEFAULT_WAIT_S,
        ge=0,
        le=MAX_WAIT_S,
        description="Seconds to wait for the decision, 0 to 45. Call again to wait longer.",
    )
    action: Annotated[Action | None, Unquoted] = Field(
        default=None,
        description="The exact action you are about to run. Then `proceed` says whether exactly that may run now.",
    )
    seen_checkpoint: _SeenCheckpoint = None


class AnswerQuestion(_Arguments):
    """Arguments of answer_question."""

    escalation_id: _EscalationId
    answer: str = Field(
        min_length=1,
        max_length=MAX_ANSWER_CHARS,
        description="Your answer, in plain words: true, and no more certain than you are. The person reads it as yours.",
    )
    additions: Annotated[Material | None, Unquoted] = Field(
        default=None,
        description="What you learnt since you asked, in the form of a bundle: steps, messages, state. At most 256 KB, no"
        " attachments.",
    )
    question: int | None = Field(
        default=None, ge=1, description="`question.number`, so that you answer the question that you read."
    )
    idempotency_key: _Key = None


class ClaimApproval(_Arguments):
    """Arguments of claim_approval."""

    escalation_id: _EscalationId
    action: _ExactAction
    idempotency_key: _Key = None
    seen_checkpoint: _SeenCheckpoint = None


class ReportOutcome(_Arguments):
    """Arguments of report_outcome."""

    escalation_id: _EscalationId
    outcome: Outcome = Field(
        description="`succeeded`, `failed`, or `unknown` when you cannot tell (a reply got lost: it may have happened)."
        " `unknown` can be settled later by another report."
    )
    note: str | None = Field(default=None, description="What happened, for the people who decided.")
    result: Any = Field(
        default=None, description="What the tool returned, as JSON. At most 64 KB with the note."
    )
    idempotency_key: _Key = None


class CancelRequest(_Arguments):
    """Arguments of cancel_request."""

    escalation_id: _EscalationId
    reason: str = Field(min_length=1, description="Why no answer is needed any more; people read it.")
    idempotency_key: _Key = None


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool, as it is announced."""

    name: str
    title: str
    description: str
    takes: type[BaseModel]
    gives: type[BaseModel]
    annotations: ToolAnnotations

    def definition(self) -> ToolDefinition:
        """Return what `tools/list` says of it."""
        return ToolDefinition(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=_input_schema(self.takes),
            output_schema=self.gives.model_json_schema(mode="serialization"),
            annotations=self.annotations,
        )


def _input_schema(takes: type[BaseModel]) -> dict[str, Any]:
    schema = takes.model_json_schema()
    if "Message" in schema.get("$defs", {}):
        # Our own form of a turn is one of three that are taken; a client that validates must not refuse the others.
        schema["$defs"]["Message"] = {
            "type": "object",
            "description": "One turn: `role` and `content`, OpenAI- or Anthropic-shaped, tool calls included.",
            "properties": {"role": {"type": "string"}},
            "required": ["role"],
        }
    return schema


TOOLS: tuple[Tool, ...] = (
    Tool(
        name="check_triggers",
        title="Check an action against the policy",
        description=(
            "Ask whether an action needs a person's approval. Call it before every action that changes something"
            " outside this conversation (money, data, messages, bookings, permissions), with the exact tool and"
            " arguments you are about to use. The check is recorded, because policies count what was asked; nobody is"
            " disturbed.\n"
            "verdict `allow`: run it. `escalate`: do not run it; call request_approval with the same action."
            " `deny`: do not run it at all; tell the user or choose another way. A trigger whose reason is"
            " `missing <field>` fired because you did not send that field."
        ),
        takes=CheckTriggers,
        gives=Check,
        annotations=ToolAnnotations(
            read_only_hint=False, idempotent_hint=False, destructive_hint=False, open_world_hint=False
        ),
    ),
    Tool(
        name="request_approval",
        title="Ask a person to approve an action",
        description=(
            "Ask a person to decide on an action that must not run without them. Call it when check_triggers says"
            " `escalate`, or whenever you are not sure that you may go on. Send the exact action and everything you"
            " know: the person sees this and nothing else.\n"
            "Status `pending`: people have been alerted; keep escalation_id and call get_decision until it is"
            " decided. Do not run the action meanwhile, and do not ask again for the same thing. `approved` or"
            " `rejected` at once: the policy decided. With an idempotency_key a repeated call returns the same case"
            " and alerts nobody twice."
        ),
        takes=RequestApproval,
        gives=Case,
        # Not idempotent without a key; people outside this conversation are alerted.
        annotations=ToolAnnotations(
            read_only_hint=False, idempotent_hint=False, destructive_hint=False, open_world_hint=True
        ),
    ),
    Tool(
        name="get_decision",
        title="Wait for a person's decision",
        description=(
            "Get the decision on an escalation, waiting up to 45 seconds for it. Repeat as often as needed, for"
            " hours, also after a restart: waiting changes nothing.\n"
            "`pending`: call again, or tell the user that you are waiting. `approved`: call claim_approval with the"
            " action as proposed, then run it once. `modified`: run `action` as it stands in the answer, not your own"
            " proposal. `rejected`: do not run it; read `note`. `expired`, `cancelled`: do not run it. With `question`, a"
            " person waits for your answer: call answer_question, then this again.\n"
            "Send `action` to have it checked: run it only if `proceed` is true."
        ),
        takes=GetDecision,
        gives=Case,
        # A case whose deadline has passed is ended by whoever looks first, as the clock would have; nothing else.
        annotations=ToolAnnotations(
            read_only_hint=True, idempotent_hint=True, destructive_hint=False, open_world_hint=True
        ),
    ),
    Tool(
        name="answer_question",
        title="Answer a person's question",
        description=(
            "Answer what a person asks before they decide. Call it when get_decision brings `question`. Answer from what"
            " you know and say what you do not know; if you must look something up first, do so, but do not run the"
            " action. The person may decide without waiting for you.\n"
            "Afterwards call get_decision again. An error `conflict` means that nothing is asked any more, or something"
            " else: call get_decision. If the answer gets lost, repeat with the same idempotency_key."
        ),
        takes=AnswerQuestion,
        gives=Ended,
        annotations=ToolAnnotations(
            read_only_hint=False, idempotent_hint=False, destructive_hint=False, open_world_hint=True
        ),
    ),
    Tool(
        name="claim_approval",
        title="Use an approval, once",
        description=(
            "Use an approval just before you run the action. Send exactly the action you will run: for `approved`"
            " your own, for `modified` the `action` that get_decision returned.\n"
            "Granted: run it now, once, then call report_outcome. An error means that it must not run:"
            " digest_mismatch (not the approved action), approval_expired (ask again), already_claimed (it was used),"
            " not_approved. If the answer gets lost, repeat with the same idempotency_key."
        ),
        takes=ClaimApproval,
        gives=Claim,
        # It uses something up that cannot be used again.
        annotations=ToolAnnotations(
            read_only_hint=False, idempotent_hint=False, destructive_hint=True, open_world_hint=False
        ),
    ),
    Tool(
        name="report_outcome",
        title="Report what came of an action",
        description=(
            "Close the case after you ran a claimed action. Report `succeeded` or `failed`, with a note, or `unknown`"
            " if you cannot tell, for example because the reply got lost; people then settle it. Always report, also"
            " when the action failed. `succeeded` and `failed` are final; repeating the same report is harmless."
        ),
        takes=ReportOutcome,
        gives=Ended,
        annotations=ToolAnnotations(
            read_only_hint=False, idempotent_hint=True, destructive_hint=False, open_world_hint=False
        ),
    ),
    Tool(
        name="cancel_request",
        title="Withdraw a request",
        description=(
            "Withdraw a pending escalation that needs no answer any more, for example because the user changed their"
            " mind, so that no person spends time on it. The action must then not run. An error `already_decided`"
            " means that somebody decided first: call get_decision."
        ),
        takes=CancelRequest,
        gives=Ended,
        annotations=ToolAnnotations(
            read_only_hint=False, idempotent_hint=True, destructive_hint=True, open_world_hint=True
        ),
    ),
)
