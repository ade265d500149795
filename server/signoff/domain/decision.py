"""A person's answer to a case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from signoff.domain.canonical import canonical, check_value
from signoff.domain.errors import InvalidRequest, LimitExceeded
from signoff.domain.people import Assurance, Role

Choice = Literal["approve", "modify", "reject"]
MAX_NOTE_CHARS = 4000
MAX_RESPONSE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person chose on a page, before it is checked against the case."""

    choice: Choice
    arguments: dict[str, Any] | None = None
    """The complete new arguments, for `modify` only; None there keeps the arguments and needs a response."""
    response: Any = None
    note: str = ""

    def checked(self, *, reason_required: bool) -> Answer:
        """Return this answer after checking what needs no case.

        Raises:
            InvalidRequest: Names the field at fault: the choice, note, response or arguments.
            LimitExceeded: A note or response over its limit.
        """
        if self.choice not in get_args(Choice):  # anything else would count as an approval
            raise InvalidRequest("must be approve, modify or reject.", field="choice")
        if len(self.note) > MAX_NOTE_CHARS:
            raise LimitExceeded("note", f"{MAX_NOTE_CHARS} characters", f"{len(self.note)} characters")
        check_value(self.note, field="note")
        check_value(self.response, field="response")
        size = len(canonical(self.response))
        if size > MAX_RESPONSE_BYTES:
            raise LimitExceeded("response", f"{MAX_RESPONSE_BYTES} bytes", f"{size} bytes")
        if self.choice == "reject" and not self.note.strip():
            raise InvalidRequest("say why; the agent reads it and goes on from there.", field="note")
        if reason_required and not self.note.strip():
            raise InvalidRequest("the policy asks for a reason with this decision.", field="note")
        if self.choice != "modify" and self.arguments is not None:
            raise InvalidRequest("only a modification changes arguments.", field="arguments")
        if self.choice == "modify" and self.arguments is None and self.response is None:
            raise InvalidRequest("a modification needs other arguments or a response.", field="arguments")
        return self


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer that was taken: one row, beside the event that commits to its content."""

    id: str
    escalation_id: str
    choice: Choice
    person_id: str
    roles: tuple[Role, ...]
    assurance: Assurance
    decided_at: datetime
    seq: int
    """The number of the event that records it."""
    arguments: dict[str, Any] | None
    response: Any
    note: str
    receipt: str | None
    """The signed receipt; None while more approvals are needed."""
    undone_at: datetime | None = None


def decision_payload(answer: Answer) -> bytes:
    """Return the canonical bytes that the decision's event commits to."""
    return canonical(
        {
            "arguments": answer.arguments,
            "choice": answer.choice,
            "note": answer.note,
            "response": answer.response,
        }
    )
