"""What an agent wants to do, and the digest that an approval is bound to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from signoff.domain.canonical import canonical, check_value, digest, size_over
from signoff.domain.characters import is_ambiguous
from signoff.domain.errors import InvalidRequest, LimitExceeded

MAX_ARGUMENTS_BYTES = 256 * 1024
MAX_SUMMARY_CHARS = 500


def _one_reading(name: str) -> str:
    # A policy's `tools` match letter for letter: `wire_transfer ` would pass by the rule for `wire_transfer`.
    if is_ambiguous(name):
        raise ValueError(
            "holds invisible or look-alike characters, or spaces that do not show; send the name in plain letters"
        )
    return name


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_reading)]


class Action(BaseModel):
    """One call of one tool, as the agent is about to make it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tool: Name = Field(description="Name of the tool to be run, exactly as it will be called.")
    arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="The complete arguments, exactly as they will be sent. JSON object, at most 256 KB.",
    )
    server: Name | None = Field(
        default=None, description="Name of the MCP server the tool belongs to, if any."
    )
    summary: str | None = Field(
        default=None,
        max_length=MAX_SUMMARY_CHARS,
        description="One line in plain words: what running this does. Shown to the person as your claim.",
    )

    def as_json(self) -> dict[str, Any]:
        """Return the JSON form that is stored and shown; what was not sent is left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def as_sent(self) -> dict[str, Any]:
        """Return what `as_json` does where `is_clean(…, tuples=False)` says that the arguments are plain JSON."""
        made: dict[str, Any] = {"tool": self.tool, "arguments": self.arguments}
        if self.server is not None:
            made["server"] = self.server
        if self.summary is not None:
            made["summary"] = self.summary
        return made

    @property
    def digest(self) -> str:
        """Return the action digest: SHA-256 over the RFC 8785 form of `{arguments, server?, tool}`."""
        return action_digest(self.tool, self.arguments, server=self.server)

    def checked(self) -> Action:
        """Return this action after checking what the types cannot say.

        Raises:
            InvalidRequest: A value without one canonical form.
            LimitExceeded: Arguments over 256 KB in canonical form.
        """
        check_value(self.summary, field="action.summary")
        check_value(self.tool, field="action.tool")
        check_value(self.server, field="action.server")
        check_value(self.arguments, field="action.arguments")
        too_large = size_over(self.arguments, MAX_ARGUMENTS_BYTES)
        if too_large is not None:
            raise LimitExceeded("action.arguments", f"{MAX_ARGUMENTS_BYTES} bytes", f"{too_large} bytes")
        return self


def action_digest(tool: str, arguments: Mapping[str, Any], *, server: str | None) -> str:
    """Return `sha256:` and 64 hex digits for an action; the summary is a claim and not part of it."""
    value: dict[str, Any] = {"arguments": dict(arguments), "tool": tool}
    if server is not None:
        value["server"] = server
    return digest(value)


def checked_arguments(changed: Any) -> dict[str, Any]:
    """Return arguments that a person wrote after checking that they are arguments at all.

    Raises:
        InvalidRequest: Not an object, or a value without one canonical form.
        LimitExceeded: Over 256 KB in canonical form.
    """
    if not isinstance(changed, dict):
        raise InvalidRequest("must be a JSON object.", field="arguments")
    check_value(changed, field="arguments")
    size = len(canonical(changed))
    if size > MAX_ARGUMENTS_BYTES:
        raise LimitExceeded("arguments", f"{MAX_ARGUMENTS_BYTES} bytes", f"{size} bytes")
    return changed


def modified_arguments(proposed: Mapping[str, Any], changed: Any) -> dict[str, Any]:
    """Return modified arguments after checking that they are arguments at all.

    Raises:
        InvalidRequest: Not an object, the same as proposed, or a value without one canonical form.
    """
    made = checked_arguments(changed)
    if canonical(made) == canonical(dict(proposed)):
        raise InvalidRequest("nothing was changed; approve the action, or change a value.", field="arguments")
    return made
