"""A question to the agent while its case waits, and the agent's answer.

Asking changes nothing that a decision rests on, so that a colleague's page stays good: it is one of the moves of
`handling.py`. The answer is new material: it raises the case's version, and a page from before it decides nothing.
Neither holds the deadline up, and people may decide without waiting for the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from signoff.domain.canonical import canonical, check_value
from signoff.domain.case import Escalation
from signoff.domain.change import Change
from signoff.domain.errors import Conflict, InvalidRequest, LimitExceeded
from signoff.domain.escalation import already_decided, check_open
from signoff.domain.event import Actor, Draft
from signoff.domain.handling import check_may_handle
from signoff.domain.people import SignIn

MAX_QUESTION_CHARS = 2000
MAX_ANSWER_CHARS = 16_000
MAX_ADDITION_BYTES = 256 * 1024
"""What an answer may add to the bundle; the bundle itself may have 2 MB."""
MAX_QUESTIONS = 20
"""Of one case: each answer may bring 256 KB that every later look at the case shows."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a case, with its answer where there is one."""

    number: int
    """From 1, in the order of asking."""
    asked_by: str
    """The id of the person."""
    asked_at: datetime
    text: str | None
    """None once erased."""
    answered_at: datetime | None = None
    answer: str | None = None
    """The agent's words; None while there is none, and once erased."""
    additions: Mapping[str, Any] | None = None
    """What the agent added to its bundle with the answer, by the bundle's own names."""
    masked: tuple[str, ...] = ()
    """Where in answer and additions a secret was masked: `answer`, `additions.state.key` …"""


def checked_question(text: str) -> str:
    """Return a question after checking what needs no case.

    Raises:
        InvalidRequest: It is empty, or holds what no text may.
        LimitExceeded: Over 2,000 characters.
    """
    check_value(text, field="question")
    if not text.strip():
        raise InvalidRequest("write what the agent should tell you.", field="question")
    if len(text) > MAX_QUESTION_CHARS:
        raise LimitExceeded("question", f"{MAX_QUESTION_CHARS} characters", f"{len(text)} characters")
    return text.strip()


def check_answer_text(text: str, additions: Any) -> None:
    """Refuse an answer that is none or too long.

    Raises:
        InvalidRequest: It is empty, or holds what no text may.
        LimitExceeded: Over 16,000 characters, or 256 KB of additions.
    """
    check_value(text, field="answer")
    if not text.strip():
        raise InvalidRequest("say what the person asked for.", field="answer")
    if len(text) > MAX_ANSWER_CHARS:
        raise LimitExceeded("answer", f"{MAX_ANSWER_CHARS} characters", f"{len(text)} characters")
    size = len(canonical(additions))
    if size > MAX_ADDITION_BYTES:
        raise LimitExceeded("additions", f"{MAX_ADDITION_BYTES} bytes", f"{size} bytes")


def check_may_ask(case: Escalation, by: SignIn, *, owner: str | None, now: datetime) -> None:
    """Refuse a person who cannot ask the agent something now.

    Raises:
        AlreadyDecided: The case has ended.
        Forbidden: This person could not decide it.
        Conflict: A question is open already, or the case has had its twenty.
    """
    check_open(case, now)
    check_may_handle(case, by, owner=owner)
    if case.questioned_by is not None:
        raise Conflict("The agent has not answered the question before yet. One is open at a time.")
    if case.questions >= MAX_QUESTIONS:
        raise Conflict(f"The agent was asked {MAX_QUESTIONS} times. Decide with what you know, or reject.")


def question_asked(
    case: Escalation, question: bytes, *, by: SignIn, owner: str | None, now: datetime
) -> Change:
    """Put a question to the agent.

    Args:
        question: Canonical bytes of `{question}`; stored beside the log.
        owner: The person on whose behalf the agent runs.

    Raises:
        As `check_may_ask`.
    """
    check_may_ask(case, by, owner=owner, now=now)
    after = replace(
        case,
        handled=case.handled + 1,
        questions=case.questions + 1,
        questioned_by=by.person.id,
        questioned_at=now,
    )
    draft = Draft("escalation.asked", now, by.actor, {"number": after.questions}, case.id)
    return Change(after, draft, payloads={"question": question}, handles=True)


def question_answered(
    case: Escalation, answer: bytes, *, by: Actor, number: int | None, now: datetime
) -> Change:
    """Take the agent's answer; the case is a new version with it.

    Args:
        answer: Canonical bytes of `{answer, additions, masked}`; stored beside the log.
        number: Of the question that the agent answers, None for the one that is open.

    Raises:
        AlreadyDecided: The case has ended, and the agent may know it.
        Conflict: Nothing is asked, or another question; or the case cannot be answered now.
    """
    if case.released(now):
        raise already_decided(case)
    if not case.is_open:
        # A decision in its undo window is not the agent's to know.
        raise Conflict("This case cannot be answered now. Call get_decision to see how it goes on.")
    check_open(case, now)
    if case.questioned_by is None:
        raise Conflict("Nobody asks you anything in this case now. Call get_decision to see how it stands.")
    if number is not None and number != case.questions:
        raise Conflict(f"The question that is open is number {case.questions}. Read it, then answer it.")
    after = replace(case, version=case.version + 1, questioned_by=None, questioned_at=None)
    draft = Draft("escalation.answered", now, by, {"number": case.questions}, case.id)
    return Change(after, draft, payloads={"answer": answer})
