"""Everything a person needs to decide, sent once and never changed.

What is over a limit is refused whole: half a conversation is another conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from signoff.domain.action import MAX_ARGUMENTS_BYTES, Action
from signoff.domain.canonical import check_value, is_clean, is_surely_within, parse_json, short_key, size_over
from signoff.domain.errors import InvalidRequest, LimitExceeded

MAX_BUNDLE_BYTES = 2 * 1024 * 1024
MAX_STEP_TEXT_BYTES = 64 * 1024
MAX_STEPS = 2000
MAX_MESSAGES = 2000
MAX_ATTACHMENT_BYTES = 512 * 1024
_WRONG = {
    "missing": "is missing",
    "extra_forbidden": "is not a field here",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
}
ALSO_NAMED = 4
"""How many fields a refusal names beside the first one."""
_SMALL_BYTES = MAX_ARGUMENTS_BYTES // 8
"""Of orjson's text: what is not longer is within every limit in bytes (see `is_surely_within`)."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Step(_Part):
    """One step of the agent's way to this action."""

    kind: Literal["thought", "tool_call", "tool_result", "message", "note"]
    at: str | None = Field(default=None, max_length=40, description="When, RFC 3339.")
    text: str | None = Field(default=None, description="At most 64 KB.")
    tool: str | None = Field(default=None, max_length=200)
    arguments: dict[str, Any] | None = None
    result: Any = None
    is_error: bool | None = None
    ms: float | None = Field(default=None, ge=0, description="How long it took, in milliseconds.")


class ToolCall(_Part):
    """A tool call inside a conversation."""

    id: str | None = Field(default=None, max_length=200)
    tool: str = Field(max_length=200)
    arguments: Any = None
    """A JSON object; the text itself where the model wrote something that is not JSON."""


class Message(_Part):
    """One turn of the conversation, in one form whatever the agent's framework calls things."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str = ""
    name: str | None = Field(default=None, max_length=200)
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = Field(default=None, max_length=200)


class Subject(BaseModel):
    """Who the action is about; further fields are kept and can be masked by the policy."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    id: str | None = Field(default=None, max_length=200)
    name: str | None = Field(default=None, max_length=500)
    tier: str | None = Field(default=None, max_length=200)
    region: str | None = Field(default=None, max_length=200)
    language: str | None = Field(default=None, max_length=200)


class Alternative(_Part):
    """Another action the agent considered, and why it did not choose it."""

    tool: str = Field(max_length=200)
    arguments: dict[str, Any] = Field(default_factory=dict)
    why_not: str | None = None


class Risk(BaseModel):
    """What the agent knows of what can go wrong."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    reversible: bool | None = None
    blast_radius: str | None = Field(default=None, max_length=2000)


class Attachment(_Part):
    """A small text or image to look at."""

    name: str = Field(max_length=200)
    media_type: Literal["text/plain", "image/png", "image/jpeg", "image/webp"]
    data: str = Field(description="Text as it is, images in base64; at most 512 KB.")


def _normalised_messages(given: Any) -> Any:
    """Accept OpenAI-shaped and Anthropic-shaped conversations beside our own form."""
    if not isinstance(given, (list, tuple)):
        return given
    if all(map(_is_ours, given)):
        return given
    made: list[Any] = []
    for index, item in enumerate(given):
        made.extend(_normalised(item, index) if isinstance(item, Mapping) else [item])
    return made


def _is_ours(item: Any) -> bool:
    """Say whether a turn is nothing but a role and a text, as nearly all are; there is nothing to normalise."""
    return type(item) is dict and len(item) == 2 and "role" in item and type(item.get("content")) is str


def _normalised(item: Mapping[str, Any], index: int) -> list[dict[str, Any]]:
    role = item.get("role")
    own = {key: item[key] for key in ("name", "tool_call_id") if item.get(key) is not None}
    asked = item.get("tool_calls") or ()
    if not isinstance(asked, (list, tuple)):
        raise ValueError(f"message {index}: tool_calls must be a list")  # noqa: TRY004 -- pydantic reports ValueError
    calls = [_normalised_call(call) for call in asked]
    if item.get("function_call"):  # what OpenAI had before tool_calls
        calls.append(_normalised_call({"function": item["function_call"]}))
    known = {"role", "content", "name", "tool_call_id", "tool_calls", "refusal", "id", "type", "annotations"}
    known.add("function_call")
    unknown = sorted(str(key) for key in item if key not in known and item[key] is not None)
    if unknown:
        raise ValueError(f"message {index} has fields that are not taken: {', '.join(unknown)[:200]}")
    content = item.get("content")
    texts: list[str] = []
    results: list[dict[str, Any]] = []
    if isinstance(content, str):
        texts.append(content)
    elif isinstance(content, (list, tuple)):
        for part in content:
            kind = part.get("type") if isinstance(part, Mapping) else None
            if kind in ("text", "input_text", "output_text"):
                texts.append(str(part.get("text", "")))
            elif kind == "thinking":
                texts.append(str(part.get("thinking", "")))
            elif kind == "tool_use":
                calls.append(
                    {"id": part.get("id"), "tool": part.get("name", ""), "arguments": part.get("input", {})}
                )
            elif kind == "tool_result":
                results.append(_normalised_result(part))
            else:
                raise ValueError(
                    f"message {index} has a part of type {str(kind)[:40]!r}; send text here, images as attachments"
                )
    elif content is not None:
        raise ValueError(f"message {index}: content must be text or a list of parts")
    if item.get("refusal"):
        texts.append(str(item["refusal"]))
    turn = {"role": role, "content": "\n".join(texts), **own}
    if calls:
        turn["tool_calls"] = calls
    # An Anthropic user turn that only carries results is no turn of the user's.
    return results if results and not texts and not calls else [*results, turn]


def _normalised_result(part: Mapping[str, Any]) -> dict[str, Any]:
    content = part.get("content", "")
    if isinstance(content, list):
        content = "\n".join(map(_text_of_piece, content))
    return {"role": "tool", "content": str(content), "tool_call_id": part.get("tool_use_id")}


def _text_of_piece(piece: Any) -> str:
    if not isinstance(piece, Mapping):
        return str(piece)
    return str(piece.get("text", "")) if piece.get("type") == "text" else f"[{piece.get('type')} not kept]"


def _normalised_call(call: Any) -> Any:
    if not isinstance(call, Mapping):
        return call
    function = call.get("function")
    if not isinstance(function, Mapping):
        return dict(call)
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        # Where a model wrote broken JSON, or JSON with two readings, the text itself is what there is to see.
        with suppress(InvalidRequest):
            arguments = parse_json(arguments, field="arguments")
    return {"id": call.get("id"), "tool": function.get("name", ""), "arguments": arguments}


class Material(_Part):
    """What surrounds an action: a bundle without the action itself."""

    reasoning: tuple[Step, ...] = Field(
        default=(), description="Your steps so far, in order: thoughts, tool calls, results. At most 2,000."
    )
    messages: Annotated[tuple[Message, ...], BeforeValidator(_normalised_messages)] = Field(
        default=(), description="The conversation so far, OpenAI- or Anthropic-shaped messages are fine."
    )
    state: Any = Field(default=None, description="The workflow's state as JSON.")
    subject: Subject | None = Field(default=None, description="Who this is about.")
    confidence: float | None = Field(default=None, ge=0, le=1, description="How sure you are, 0 to 1.")
    confidence_source: Literal["logprob", "self_report", "ensemble", "other"] | None = Field(
        default=None,
        description="Where `confidence` comes from: token probabilities, your own estimate, several models, other.",
    )
    alternatives: tuple[Alternative, ...] = Field(default=(), description="Other actions you considered.")
    risk: Risk | None = Field(default=None, description="What you know of reversibility and blast radius.")
    attachments: tuple[Attachment, ...] = ()
    wants_human: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        description="Why you yourself want a person to look at this, in your words; leave out if you do not.",
    )
    session_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Your own name of this conversation or run, the same in every call; it groups, it proves nothing.",
    )

    def as_json(self) -> dict[str, Any]:
        """Return the JSON form that is stored and shown; fields that were not sent are left out."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)

    def checked(self) -> Material:
        """Return this material after checking every limit.

        Raises:
            InvalidRequest: A value without one canonical form.
            LimitExceeded: Names the field, the limit and the size.
        """
        self.checked_json()
        return self

    def checked_json(self) -> dict[str, Any]:
        """Return what `as_json` does, after checking every limit; for one that is in order, all is gone through once.

        Raises:
            InvalidRequest: A value without one canonical form.
            LimitExceeded: Names the field, the limit and the size.
        """
        self._check_sizes()
        plain = self.as_sent()
        if plain is not None and is_clean(plain, tuples=False) and is_surely_within(plain, MAX_BUNDLE_BYTES):
            return plain
        # Before `as_json`: pydantic writes NaN as null, and cannot write deep nesting or half surrogates at all.
        _check_members(self, "bundle")
        plain = self.as_json()
        too_large = size_over(plain, MAX_BUNDLE_BYTES)
        if too_large is not None:
            raise LimitExceeded("bundle", f"{MAX_BUNDLE_BYTES} bytes", f"{too_large} bytes")
        return plain

    def _check_sizes(self) -> None:
        if len(self.reasoning) > MAX_STEPS:
            raise LimitExceeded("bundle.reasoning", f"{MAX_STEPS} steps", f"{len(self.reasoning)} steps")
        if len(self.messages) > MAX_MESSAGES:
            raise LimitExceeded(
                "bundle.messages", f"{MAX_MESSAGES} messages", f"{len(self.messages)} messages"
            )
        for index, step in enumerate(self.reasoning):
            size = len((step.text or "").encode("utf-8", "replace"))
            if size > MAX_STEP_TEXT_BYTES:
                raise LimitExceeded(
                    f"bundle.reasoning[{index}].text", f"{MAX_STEP_TEXT_BYTES} bytes", f"{size} bytes"
                )
        for index, blob in enumerate(self.attachments):
            size = len(blob.data.encode("utf-8", "replace"))
            if size > MAX_ATTACHMENT_BYTES:
                raise LimitExceeded(
                    f"bundle.attachments[{index}].data", f"{MAX_ATTACHMENT_BYTES} bytes", f"{size} bytes"
                )

    def as_sent(self) -> dict[str, Any] | None:
        """Return what `as_json` does where `is_clean(…, tuples=False)` says that it is plain JSON.

        None where it cannot be made, or where it would leave out what must be looked at.
        """
        if _has_empty_extra(self.subject) or _has_empty_extra(self.risk):
            return None
        try:
            made = self.model_dump(exclude_none=True, exclude_defaults=True)
        except ValueError:  # nested too deeply
            return None
        # The model's own tuples are lists in JSON; those in what an agent sent are none that a JSON parser made.
        for name, member in made.items():
            if type(member) is tuple:
                made[name] = list(member)
        for message in made.get("messages", ()):
            if "tool_calls" in message:
                message["tool_calls"] = list(message["tool_calls"])
        return made


def _has_empty_extra(part: BaseModel | None) -> bool:
    extra = None if part is None else part.model_extra
    return extra is not None and None in extra.values()


def checked_json(action: Action, material: Material) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Return action and bundle as JSON after checking every limit, and how many bytes orjson makes of them.

    What is small and in order, as nearly all is, is gone through once.

    Raises:
        InvalidRequest: A value without one canonical form.
        LimitExceeded: Names the field, the limit and the size.
    """
    what, around = action.as_sent(), material.as_sent()
    few = len(material.reasoning) <= MAX_STEPS and len(material.messages) <= MAX_MESSAGES
    if few and around is not None and is_clean([what, around], depth=-1, tuples=False):
        size_bytes = len(orjson.dumps((what, around)))
        if size_bytes <= _SMALL_BYTES:
            return what, around, size_bytes
    checked = action.checked().as_json(), material.checked_json()
    return *checked, len(orjson.dumps(checked))


def _check_members(value: Any, field: str) -> None:
    """Check every value under a model as it was sent, before any conversion."""
    if isinstance(value, BaseModel):
        for name, member in (vars(value) | (value.model_extra or {})).items():
            check_value(name, field=f"{field} (a key)")
            _check_members(member, f"{field}.{short_key(name)}")
    elif isinstance(value, tuple):
        for index, member in enumerate(value):
            _check_members(member, f"{field}[{index}]")
    else:
        check_value(value, field=field)


class Bundle(Material):
    """An action with what surrounds it: the immutable context of an escalation."""

    action: Action


def read_material(given: Any) -> Material:
    """Build material from plain JSON.

    Raises:
        InvalidRequest: Names the first field at fault; the values themselves stay out of the message.
        LimitExceeded: Over a limit.
    """
    try:
        return Material.model_validate(given if given is not None else {}).checked()
    except ValidationError as error:
        raise invalid_request(error, field="bundle") from None


def read_action(given: Any) -> Action:
    """Build an action from plain JSON.

    Raises:
        InvalidRequest: Names the first field at fault.
        LimitExceeded: Over a limit.
    """
    try:
        return Action.model_validate(given).checked()
    except ValidationError as error:
        raise invalid_request(error, field="action") from None


def invalid_request(error: ValidationError, *, field: str) -> InvalidRequest:
    """Turn pydantic's complaint into ours: first the field, then what is wrong, no input values."""
    problems = error.errors(include_url=False, include_input=False)

    def path(location: tuple[int | str, ...]) -> str:
        # A key that the agent made up is part of the path; it may be of any length.
        parts = "".join(f"[{part}]" if isinstance(part, int) else f".{short_key(part)}" for part in location)
        return f"{field}{parts}" if field else parts.lstrip(".")

    first, *others = [path(problem["loc"]) for problem in problems]
    return InvalidRequest(f"{what_is_wrong(problems[0])}.{also_wrong(first, others)}", field=first)


def what_is_wrong(problem: Any) -> str:
    """Return pydantic's complaint about a field in words that follow the field's name; no input values."""
    if problem["type"] == "literal_error":
        return f"must be {problem['ctx']['expected']}"
    return _WRONG.get(problem["type"]) or str(problem["msg"])


def also_wrong(first: str, others: Sequence[str]) -> str:
    """Return the other fields at fault as words that follow a message about the first one, or nothing."""
    names = [name for name in dict.fromkeys(others) if name != first]
    if not names:
        return ""
    rest = f" and {len(names) - ALSO_NAMED} more" if len(names) > ALSO_NAMED else ""
    return f" (Also wrong: {', '.join(names[:ALSO_NAMED])}{rest}.)"
