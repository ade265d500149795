"""Cases that are alike: a list of them, a second look at those that were chosen, and one decision for all of these.

Three pages, so that nobody decides many at the click that chose them; each works without script.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signoff.desk.look import CaseView
from signoff.desk.masks import holds_hidden
from signoff.desk.together import (
    MOST_TOGETHER,
    Chosen,
    Result,
    alike_cases,
    decide_together,
    second_look,
    undo_together,
)
from signoff.domain.decision import Answer, Choice
from signoff.domain.errors import InvalidRequest, LimitExceeded, NotFound
from signoff.domain.people import SignIn
from signoff.operators.diff import changes
from signoff.operators.forms import first_of, values_of
from signoff.operators.inbox import titles_of
from signoff.operators.present import rows
from signoff.operators.problems import Problem, problem_of
from signoff.operators.sign_in import Door, who_fully


def together_routes(door: Door) -> list[Route]:
    """Return the routes of deciding several cases at once."""
    return [
        Route("/alike/{escalation_id}", partial(show, door)),
        Route("/together", partial(look_again, door), methods=["POST"]),
        Route("/together/decide", partial(decide, door), methods=["POST"]),
        Route("/together/undo", partial(undo, door), methods=["POST"]),
    ]


async def show(door: Door, request: Request) -> Response:
    """Answer GET /alike/{id}: the cases that wait and are alike to one."""
    sign_in = await who_fully(door, request)
    after = request.query_params.get("after", "")
    return await _alike(door, sign_in, request.path_params["escalation_id"], after=after)


async def _alike(
    door: Door, sign_in: SignIn, escalation_id: str, *, after: str, problem: Problem | None = None
) -> Response:
    found = await alike_cases(door.desk, sign_in, escalation_id, after=after)
    values = {
        "alike": found,
        "after": after,
        "problem": problem,
        "most": MOST_TOGETHER,
        "now": found.now,
        "person": sign_in.person,
        "titles": titles_of(door),
    }
    return door.render.page("alike.html", values, status=200 if problem is None else problem.status)


async def look_again(door: Door, request: Request) -> Response:
    """Answer POST /together: show what was chosen once more, complete; nothing is decided."""
    sign_in = await who_fully(door, request)
    sent = await values_of(request)
    try:
        return await _second_look(door, sign_in, sent.get("case", ()))
    except InvalidRequest as error:
        shown, after = (first_of(sent, name) for name in ("shown", "after"))
        if not shown:
            raise
        try:
            return await _alike(door, sign_in, shown, after=after, problem=problem_of(error))
        except (NotFound, InvalidRequest):
            raise error from None


async def decide(door: Door, request: Request) -> Response:
    """Answer POST /together/decide: decide each of them, and say what became of each."""
    sign_in = await who_fully(door, request)
    sent = await values_of(request)
    given = [_chosen(one) for one in sent.get("case", ())]
    choice, note = (first_of(sent, name) for name in ("choice", "note"))
    if choice not in ("approve", "reject"):
        raise InvalidRequest("Choose approve or reject.")
    answer = Answer(cast(Choice, choice), note=note.replace("\r\n", "\n").strip())
    try:
        results = await decide_together(door.desk, sign_in, given, answer)
    except (InvalidRequest, LimitExceeded) as error:
        return await _second_look(
            door, sign_in, [one.escalation_id for one in given], note=answer.note, problem=problem_of(error)
        )
    return _done(door, sign_in, results, choice=choice)


async def undo(door: Door, request: Request) -> Response:
    """Answer POST /together/undo: take each of these decisions back."""
    sign_in = await who_fully(door, request)
    results = await undo_together(door.desk, sign_in, (await values_of(request)).get("case", ()))
    return _done(door, sign_in, results, choice="undo")


async def _second_look(
    door: Door,
    sign_in: SignIn,
    ids: Sequence[str],
    *,
    note: str = "",
    problem: Problem | None = None,
) -> Response:
    looked = await second_look(door.desk, sign_in, ids)
    first = looked.cases[0] if looked.cases else None
    differing = _differing([kind[0] for kind in looked.kinds])
    # What all have in common stands once, so that the eye falls on what differs; together both are the whole action.
    apart = {*differing, *_hidden([kind[0] for kind in looked.kinds])}
    common = [one for one in first.proposed_arguments if one not in apart] if first and differing else []
    common_rows = _rows(first, common) if first is not None and common else None
    shown = apart if common_rows is not None else None
    values = {
        "looked": looked,
        "first": first,
        "kinds": [(kind, _rows(kind[0], shown)) for kind in looked.kinds],
        "differing": differing,
        "common": common_rows,
        "note": note,
        "problem": problem,
        "now": looked.now,
        "person": sign_in.person,
        "titles": titles_of(door),
    }
    return door.render.page("together.html", values, status=200 if problem is None else problem.status)


def _done(door: Door, sign_in: SignIn, results: tuple[Result, ...], *, choice: str) -> Response:
    taken = [one for one in results if one.case is not None]
    cases = [one.case for one in taken if one.case is not None]
    release = min((one.release_at for one in cases if one.release_at is not None), default=None)
    now = door.desk.clock.now()
    values = {
        "choice": choice,
        "taken": taken,
        "not_taken": [one for one in results if one.case is None],
        "undo_until": release if release is not None and release > now else None,
        "now": now,
        "person": sign_in.person,
    }
    return door.render.page("together_done.html", values)


def _chosen(text: str) -> Chosen:
    """Read a case as the second look put it into its form: id, version and view."""
    escalation_id, _, rest = text.partition(" ")
    version, _, view_digest = rest.partition(" ")
    if not (version.isascii() and version.isdecimal() and len(version) < 10):
        raise InvalidRequest("This form is incomplete. Choose the cases again.")
    return Chosen(escalation_id, int(version), view_digest)


def _rows(view: CaseView, names: Collection[str] | None) -> Any:
    """Return the arguments of these names, line by line; None for all of them."""
    masked = frozenset(view.document.get("masked", ()))
    shown = {name: value for name, value in view.proposed_arguments.items() if names is None or name in names}
    return rows(shown, masked=masked, prefix="action.arguments")


def _differing(views: list[CaseView]) -> tuple[str, ...]:
    """Return the names of arguments in which the actions differ from one another."""
    if not views:
        return ()
    names = dict.fromkeys(name for view in views for name in view.proposed_arguments)
    missing = object()

    def differs(name: str) -> bool:
        first = views[0].proposed_arguments.get(name, missing)
        return any(changes(first, view.proposed_arguments.get(name, missing)) for view in views)

    return tuple(name for name in names if differs(name))


def _hidden(views: list[CaseView]) -> set[str]:
    """Return the names of arguments of which something is hidden, so that nobody can say they are the same."""
    return {name for view in views for name, value in view.proposed_arguments.items() if holds_hidden(value)}
