"""What an agent may read back over MCP: its own traces, cases and proofs, and the policy.

trace://{id}       the reasoning trace it sent, as text
escalation://{id}  its case as it stands, as JSON
audit://{id}       the case's audit events with inclusion proofs, as JSON
policy://current   the policy that counts now, as it was written

Every id that is not one of the agent's own answers like one that does not exist.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mcp.types import (
    Annotations,
    Completion,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from signoff.agents.answers import as_text, case_told
from signoff.desk.desk import Desk
from signoff.desk.look import agent_case, agent_cases
from signoff.desk.prove import prove
from signoff.domain.clock import to_text
from signoff.domain.errors import NotFound
from signoff.domain.people import Agent

POLICY_URI = "policy://current"
LISTED_CASES = 20  # three resources each; older ones are read by id
MAX_COMPLETIONS = 100  # MCP's own limit

Kind = Literal["trace", "escalation", "audit"]
_KINDS: dict[Kind, tuple[str, str, str]] = {
    "trace": (
        "Reasoning trace",
        "The steps and the conversation that were sent with a request.",
        "text/markdown",
    ),
    "escalation": ("Escalation", "A case as it stands: status, decision, what may run.", "application/json"),
    "audit": (
        "Audit events",
        "The events of a case with the proof of each that the signed log holds it (RFC 6962).",
        "application/json",
    ),
}


def case_uri(uri: str) -> tuple[Kind, str] | None:
    """Return the kind and the escalation id that a resource URI names, None for any other URI."""
    kind, separator, escalation_id = uri.partition("://")
    if kind not in _KINDS or not separator:
        return None
    return kind, escalation_id


async def listed(desk: Desk, agent: Agent) -> list[Resource]:
    """Return the policy and the agent's latest cases, newest first, three resources each."""
    made = [
        Resource(
            uri=POLICY_URI,
            name="policy",
            title="The policy in force",
            description="The rules that decide which actions need a person.",
            mime_type="application/yaml",
        )
    ]
    for case in (await agent_cases(desk, agent))[:LISTED_CASES]:
        for kind, (title, description, mime_type) in _KINDS.items():
            made.append(
                Resource(
                    uri=f"{kind}://{case.id}",
                    name=f"{kind} {case.id}",
                    title=f"{title}: {case.tool}, asked {to_text(case.opened_at)[:19]}Z",
                    description=description,
                    mime_type=mime_type,
                    annotations=Annotations(audience=["assistant"]),
                )
            )
    return made


def templates() -> list[ResourceTemplate]:
    """Return the three templates, each with `id` to complete."""
    return [
        ResourceTemplate(
            uri_template=f"{kind}://{{id}}",
            name=kind,
            title=title,
            description=description,
            mime_type=mime_type,
        )
        for kind, (title, description, mime_type) in _KINDS.items()
    ]


async def completed(desk: Desk, agent: Agent, template: str, start: str) -> Completion:
    """Return the ids of the agent's own latest cases that begin with some text; none for a foreign template."""
    if case_uri(template) is None:
        return Completion(values=[], total=0, has_more=False)
    ids = [case.id for case in await agent_cases(desk, agent) if case.id.startswith(start)]
    return Completion(values=ids[:MAX_COMPLETIONS], total=len(ids), has_more=len(ids) > MAX_COMPLETIONS)


async def read(desk: Desk, agent: Agent, uri: str) -> TextResourceContents:
    """Return what a resource says now.

    Raises:
        NotFound: No such resource, or another agent's: both answer alike.
        StoreUnavailable: It cannot be told now.
    """
    if uri == POLICY_URI:
        policy = desk.policy.current()
        # The digest is over the text below its own line.
        text = f"# policy_digest: {policy.digest}\n{policy.text}"
        return TextResourceContents(uri=uri, mime_type="application/yaml", text=text)
    named = case_uri(uri)
    if named is None:
        raise NotFound("There is no such resource. resources/templates/list names the kinds.")
    kind, escalation_id = named
    text = await _case_text(desk, agent, kind, escalation_id=escalation_id)
    return TextResourceContents(uri=uri, mime_type=_KINDS[kind][2], text=text)


async def _case_text(desk: Desk, agent: Agent, kind: Kind, *, escalation_id: str) -> str:
    if kind == "audit":
        return as_text(await prove(desk, agent, escalation_id))
    found = await agent_case(desk, agent, escalation_id)
    if kind == "trace":
        return trace_text(found.document)
    asked = {name: found.document[name] for name in ("action", "response_schema") if name in found.document}
    return as_text({**case_told(found.answer).as_json(), "asked": asked})


def trace_text(document: Mapping[str, Any]) -> str:
    """Return a stored request as text: the action, the steps in order, then the conversation.

    It is what the agent sent, secrets masked; nothing in it is an instruction.
    """
    action = document.get("action")
    if action is None:
        return "This request was erased.\n"
    bundle = document.get("bundle", {})
    lines = [f"# {_called(action)}", ""]
    if "summary" in action:
        lines += [action["summary"], ""]
    lines += ["## Arguments", "", *_indented(action.get("arguments", {})), ""]
    steps: Sequence[Mapping[str, Any]] = bundle.get("reasoning", ())
    lines += [f"## Reasoning ({len(steps)} steps)", ""]
    for number, step in enumerate(steps, 1):
        lines += [*_step(number, step), ""]
    messages: Sequence[Mapping[str, Any]] = bundle.get("messages", ())
    if messages:
        lines += [f"## Conversation ({len(messages)} messages)", ""]
    for message in messages:
        lines += [f"**{message['role']}**", "", *_indented(message.get("content", ""))]
        for call in message.get("tool_calls", ()):
            lines += ["", f"calls {call['tool']}", "", *_indented(call.get("arguments"))]
        lines += [""]
    return "\n".join(lines)


def _called(action: Mapping[str, Any]) -> str:
    return f"{action['tool']} on {action['server']}" if "server" in action else str(action["tool"])


def _step(number: int, step: Mapping[str, Any]) -> list[str]:
    words = [str(step["kind"]).replace("_", " ")]
    words += [str(step["tool"])] if "tool" in step else []
    words += ["failed"] if step.get("is_error") else []
    words += [f"at {step['at']}"] if "at" in step else []
    words += [f"took {step['ms']} ms"] if "ms" in step else []
    lines = [f"{number}. {', '.join(words)}"]
    for name in ("text", "arguments", "result"):
        if name in step:
            lines += ["", *_indented(step[name])]
    return lines


def _indented(value: Any) -> list[str]:
    """Return a value as indented lines: text as it is, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return ["    " + line for line in text.splitlines()] or ["    "]
