"""What a policy is evaluated over, as people write it down: in table tests, for `explain`, and in recorded runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from signoff.domain.bundle import read_action, read_material
from signoff.triggers.document import Path
from signoff.triggers.facts import Facts

_STEP = re.compile(r"[^.\[\]]+")


def _instant(text: str) -> str:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("write the offset too, such as 2026-01-05T12:00:00Z")
    return text


def _agent(given: Any) -> Any:
    return {"id": given, "name": given} if isinstance(given, str) else given


def _session(given: Any) -> Any:
    return {"id": given} if isinstance(given, str) else given


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Instant = Annotated[str, Field(strict=True), AfterValidator(_instant)]
"""RFC 3339 with an offset."""


class GivenAgent(_Part):
    """Who asks."""

    id: Annotated[str, Field(strict=True)] = "agt_test"
    name: Annotated[str, Field(strict=True)] = "test"
    owner: Annotated[str, Field(strict=True)] | None = None


class GivenSession(_Part):
    """The agent session."""

    id: Annotated[str, Field(strict=True)]


class Situation(_Part):
    """An action as an agent sends it, with who sends it and when."""

    action: dict[str, Any]
    """`tool`, `arguments`, and `server` and `summary` where wanted."""
    bundle: dict[str, Any] = Field(default_factory=dict)
    agent: Annotated[GivenAgent, BeforeValidator(_agent)] = GivenAgent()
    """`id`, `name`, `owner`; a text is id and name."""
    session: Annotated[GivenSession, BeforeValidator(_session)] | None = None
    """A text is its id; that of the agent where it is left out, as for agents that have no sessions."""
    now: Instant | None = None
    history: dict[str, Any] = Field(default_factory=dict)
    """The values of signals by name; null is missing. What is not named is computed, and history there is none."""

    def facts(self, *, now: datetime) -> Facts:
        """Return what a policy is evaluated over, after the checks that an agent's input passes.

        Args:
            now: The time of a situation that says none, UTC.

        Raises:
            InvalidRequest: No agent could have sent this; `field` says where.
        """
        action, material = read_action(self.action), read_material(self.bundle)
        return Facts(
            action=action.model_dump(mode="json", exclude_none=True),
            bundle=material.as_json(),
            agent=self.agent.model_dump(),
            session={"id": self.session.id if self.session else self.agent.id},
            now=datetime.fromisoformat(self.now).astimezone(UTC) if self.now else now,
            history=self.history,
        )


def path_of_field(field: str) -> Path:
    """Return an error's field, such as `bundle.messages[3].role`, as a path into a document."""
    return tuple(int(step) if step.isdigit() else step for step in _STEP.findall(field))
