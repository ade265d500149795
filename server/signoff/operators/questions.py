"""Questions to the agent of a case: the form that asks, and what a page that waits for the answer reads."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from signoff.desk.ask_agent import ask_agent
from signoff.desk.look import QuestionView, look
from signoff.domain.characters import pieces
from signoff.domain.errors import AlreadyDecided, Conflict, Forbidden, InvalidRequest
from signoff.operators.case_page import page_of
from signoff.operators.forms import fields_of
from signoff.operators.problems import problem_of
from signoff.operators.sign_in import Door, who


def question_routes(door: Door) -> list[Route]:
    """Return the routes of questions to the agent."""
    return [
        Route("/cases/{escalation_id}/ask", partial(_ask, door), methods=["POST"]),
        Route("/cases/{escalation_id}/questions", partial(_questions, door)),
    ]


async def _ask(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/ask: put the question, then show the case by GET."""
    sign_in = await who(door, request)
    escalation_id = request.path_params["escalation_id"]
    given = await fields_of(request)
    question = given.get("question", "").replace("\r\n", "\n")
    try:
        await ask_agent(door.desk, sign_in, escalation_id, question)
    except (AlreadyDecided, Conflict, Forbidden, InvalidRequest) as error:
        view = await look(door.desk, sign_in, escalation_id)
        return await page_of(
            door,
            sign_in,
            view,
            sent={"question": (question,)},
            problem=problem_of(error),
            problem_title="The agent was not asked",
        )
    return RedirectResponse(f"/cases/{escalation_id}#questions", status_code=303)


async def _questions(door: Door, request: Request) -> Response:
    """Answer GET /cases/{id}/questions: how the newest question stands, for the page's script to show."""
    sign_in = await who(door, request)
    view = await look(door.desk, sign_in, request.path_params["escalation_id"])
    newest = view.questions[-1] if view.questions else None
    return JSONResponse(
        {
            "version": view.case.version,
            "is_open": view.case.is_open,
            "number": 0 if newest is None else newest.number,
            "answer": None if newest is None else _answer(newest),
        }
    )


def _answer(one: QuestionView) -> list[list[str]] | None:
    """Return the agent's words as pieces of text, each with the mark under which it is shown."""
    if one.answered_at is None:
        return None
    return [[piece.text, piece.mark] for piece in pieces(one.answer or "")]
