"""Decide several cases that are alike at once, after a second look at every one of them.

Never where each case needs a mind of its own: high urgency, several approvals, a passkey, a reason or an answer for
each. Each case is still decided by itself, with its own version, view and receipt, by the same `decide`: what changed
meanwhile, or was decided by somebody else, is left out and said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

import anyio

from signoff.desk.decide import decide, undo
from signoff.desk.desk import Desk
from signoff.desk.inbox import CaseLine, check_may_list
from signoff.desk.look import CaseView, view_of
from signoff.desk.moment import moment
from signoff.desk.rights import still
from signoff.domain.canonical import canonical
from signoff.domain.case import Escalation
from signoff.domain.clock import to_text
from signoff.domain.decision import Answer
from signoff.domain.errors import Forbidden, InvalidRequest, NotFound, SignoffError
from signoff.domain.event import Draft
from signoff.domain.people import SignIn, may_see_case
from signoff.store.unit import Unit

MOST_TOGETHER = 50
"""As many as can be looked at on one page."""
MOST_ACTION_BYTES = 8_000
"""Of an action's arguments: a longer one is not taken in beside others."""


@dataclass(frozen=True, slots=True)
class AlikeCases:
    """The cases behind one line of the inbox, a page of them."""

    first: Escalation
    agent_name: str
    waiting: int
    lines: tuple[CaseLine, ...]
    """Least time left first."""
    identical: dict[str, int]
    """How many of these lines ask for the very same action, by its digest; empty where a mask hides arguments."""
    why_not: str | None
    """Why they cannot be decided together; None where they can."""
    next_page: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Chosen:
    """A case as it was shown at the second look."""

    escalation_id: str
    version: int
    view_digest: str


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Several cases on one page, those with the very same action beside each other.

    Where arguments are hidden from the person, those that look the same.
    """

    kinds: tuple[tuple[CaseView, ...], ...]
    """One entry for each distinct action, the most frequent first."""
    left_out: tuple[tuple[str, str], ...]
    """Cases that cannot be among them, each with the reason."""
    now: datetime

    @property
    def partly_hidden(self) -> bool:
        """Say whether something of an action is hidden from the person, so that none is known to be the same."""
        return any(view.hides_action for view in self.cases)

    @property
    def cases(self) -> tuple[CaseView, ...]:
        """Return all of them."""
        return tuple(view for kind in self.kinds for view in kind)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one of them."""

    escalation_id: str
    case: Escalation | None
    """After the decision; None where it was not taken."""
    problem: str | None
    """Why it was not taken."""
    canary: Literal["", "caught", "missed", "unanswered"] = ""
    """What was made of it, where it was a canary: it ended, and nothing was approved."""


async def alike_cases(desk: Desk, sign_in: SignIn, escalation_id: str, *, after: str = "") -> AlikeCases:
    """Return the cases that wait and are alike to one.

    Args:
        after: `next_page` of the page before.

    Raises:
        NotFound: It is not this person's to see, or does not wait any more.
        Forbidden: A magic link shows its case only.
        InvalidRequest: `after` is not from such a page.
    """
    check_may_list(sign_in)
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        line = await reader.inbox.alike_of(escalation_id) if escalation_id.isascii() else None
        case = await reader.case(escalation_id)
        if line is None or case is None or not may_see_case(sign_in, case.id, case.queue):
            raise NotFound("There is no such case that waits, or it is not yours to see.")
        found = await reader.inbox.cases_alike(line[0], _after(after), MOST_TOGETHER + 1)
        seen = await reader.inbox.seen_among(sign_in.person.id, [one.id for one in found])
        agent = await reader.agent(case.agent_id)
    name = agent.name if agent else case.agent_id
    listed = found[:MOST_TOGETHER]
    masks = desk.policy.current().policy.masks_for(sign_in.person.roles)
    # Nothing of the arguments is read here: where a mask could hide some of them, equal digests would tell of it.
    hides = any(mask.parts[0] == "action" for mask in masks)
    digests = [] if hides else [one.action_digest for one in listed]
    return AlikeCases(
        first=case,
        agent_name=name,
        waiting=line[1],
        lines=tuple(CaseLine(one, name, (), None, None, unread=int(one.id not in seen)) for one in listed),
        identical={one: digests.count(one) for one in digests},
        why_not=why_not_together(case) or _not_theirs(sign_in),
        next_page="" if len(found) <= MOST_TOGETHER else f"{to_text(listed[-1].deadline_at)}~{listed[-1].id}",
        now=now,
    )


def why_not_together(case: Escalation) -> str | None:
    """Say why a case is decided by itself only, None where it may be decided with others."""
    if case.urgency in ("high", "critical"):
        return f"Cases of {case.urgency} urgency are decided one by one."
    if case.require.approvals > 1:
        return "They need several people's approvals, so each is decided by itself."
    if case.require.assurance == "passkey":
        return "Each of them is signed with a passkey, so each is decided by itself."
    if case.require.reason:
        return "The policy asks for a reason with each of them, so each is decided by itself."
    return None


async def second_look(desk: Desk, sign_in: SignIn, ids: Sequence[str]) -> SecondLook:
    """Return several cases as this person may see them, to be decided together; each look is an event.

    Raises:
        InvalidRequest: Fewer than two, too many, or cases that are not alike.
        NotFound: One of them is not this person's to see.
        Forbidden: Such cases are decided one by one.
    """
    check_may_list(sign_in)
    wanted = _checked(ids)
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        by = await still(reader, sign_in, now)
        views = [await view_of(desk, reader, by, one, now=now) for one in wanted]
    _check_alike(views)
    left_out = [(view.case.id, why) for view in views if (why := _why_left_out(view)) is not None]
    shown = [view for view in views if _why_left_out(view) is None]

    async def note(unit: Unit) -> None:
        for view in shown:
            data = {
                "view_digest": view.view_digest,
                "version": view.case.version,
                "together": len(shown),
            }
            await unit.record(Draft("bundle.viewed", unit.now, sign_in.actor, data, view.case.id))
            await unit.inbox.see(sign_in.person.id, view.case.id, view.case.version)

    if shown and desk.store.read_only is None:
        await desk.store.write(note)
    kinds: dict[bytes, list[CaseView]] = {}
    for view in shown:
        kind = canonical(view.proposed_arguments) if view.hides_action else view.case.action_digest.encode()
        kinds.setdefault(kind, []).append(view)
    by_size = sorted(kinds.values(), key=len, reverse=True)
    return SecondLook(tuple(tuple(kind) for kind in by_size), tuple(left_out), now)


async def decide_together(
    desk: Desk, sign_in: SignIn, chosen: Sequence[Chosen], answer: Answer
) -> tuple[Result, ...]:
    """Decide several cases alike, each by itself, and say of each what became of it.

    Raises:
        InvalidRequest: Fewer than two, too many, cases that are not alike, or an answer that is not for several.
        NotFound: One of them is not this person's to see.
        Forbidden: Such cases are decided one by one. Nothing was decided.
    """
    check_may_list(sign_in)
    if answer.choice == "modify" or answer.response is not None:
        raise InvalidRequest(
            "several cases can be approved or rejected; change them one by one.", field="choice"
        )
    answer.checked(reason_required=False)
    wanted = _checked([one.escalation_id for one in chosen])
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
        by = await still(reader, sign_in, now)
        views = [await view_of(desk, reader, by, one, now=now) for one in wanted]
    _check_alike(views)
    reasons = {view.case.id: _why_left_out(view) for view in views if view.case.is_open}

    async def one(given: Chosen) -> CaseView:
        why = reasons.get(given.escalation_id)
        if why is not None:
            raise Forbidden(why)
        return await decide(
            desk,
            sign_in,
            given.escalation_id,
            answer,
            version=given.version,
            view_digest=given.view_digest,
        )

    return await _each([(given.escalation_id, partial(one, given)) for given in chosen])


async def undo_together(desk: Desk, sign_in: SignIn, ids: Sequence[str]) -> tuple[Result, ...]:
    """Take one's own decisions back, each by itself, and say of each what became of it.

    Raises:
        InvalidRequest: Too many, or none.
        Forbidden: A magic link shows its case only.
    """
    check_may_list(sign_in)

    async def one(escalation_id: str) -> CaseView:
        return await undo(desk, sign_in, escalation_id)

    return await _each([(given, partial(one, given)) for given in _checked(ids, least=1)])


async def _each(moves: Sequence[tuple[str, Callable[[], Awaitable[CaseView]]]]) -> tuple[Result, ...]:
    """Make moves side by side, so that they share a write to the disk; what one is refused is said of that one."""
    made: dict[str, Result] = {}

    async def run(escalation_id: str, move: Callable[[], Awaitable[CaseView]]) -> None:
        try:
            view = await move()
            made[escalation_id] = Result(escalation_id, view.case, None, view.canary)
        except SignoffError as error:
            made[escalation_id] = Result(escalation_id, None, error.message)

    async with anyio.create_task_group() as tasks:
        for escalation_id, move in moves:
            tasks.start_soon(run, escalation_id, move)
    return tuple(made[escalation_id] for escalation_id, _ in moves)


def _checked(ids: Sequence[str], *, least: int = 2) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(ids))
    if len(wanted) < least:
        raise InvalidRequest("Choose two cases or more; one alone is decided on its own page.", field="case")
    if len(wanted) > MOST_TOGETHER or len(wanted) != len(ids):
        raise InvalidRequest(f"Choose at most {MOST_TOGETHER} cases, each once.", field="case")
    return wanted


def _kind(view: CaseView) -> tuple[Any, ...]:
    case = view.case
    return (view.agent_name, case.tool, case.server, case.triggers, case.queue, case.urgency, case.require)


def _check_alike(views: Sequence[CaseView]) -> None:
    if len({_kind(one) for one in views}) > 1:
        raise InvalidRequest(
            "these cases are not alike: not of one agent, tool and reason. Decide them one by one.",
            field="case",
        )
    why = why_not_together(views[0].case)
    if why is not None:
        raise Forbidden(why)


def _why_left_out(view: CaseView) -> str | None:
    """Say why one of several cannot be decided with them."""
    if view.why_not is not None:
        return view.why_not
    if "response_schema" in view.document and view.document["response_schema"] is not None:
        return "It asks for an answer of its own."
    if len(canonical(view.proposed_arguments)) > MOST_ACTION_BYTES:
        return "Its action is too long to be taken in beside others."
    return None


def _not_theirs(sign_in: SignIn) -> str | None:
    if not sign_in.person.roles & {"operator", "supervisor"}:
        return "Only operators and supervisors decide cases; you can read these."
    return None


def _after(text: str) -> tuple[str, str]:
    at, _, escalation_id = text.partition("~")
    if text and not (len(at) == len("2026-11-23T20:31:05.123456Z") and escalation_id.startswith("esc_")):
        raise InvalidRequest(
            "this is not where a page of this list ends. Begin at its first page.", field="after"
        )
    return at, escalation_id
