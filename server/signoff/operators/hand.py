"""Who has a case in hand: the forms of the case page that say so, each a POST that ends on the case again."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk import handle
from signoff.desk.look import CaseView, look
from signoff.domain.errors import AlreadyDecided, Conflict, Forbidden, InvalidRequest
from signoff.operators.case_page import page_of
from signoff.operators.forms import fields_of
from signoff.operators.problems import problem_of
from signoff.operators.sign_in import Door, who


async def acknowledge(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/acknowledge."""
    sign_in = await who(door, request)
    return await _done(door, request, handle.acknowledge(door.desk, sign_in, _case_of(request)))


async def hand_over(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/hand-over; `to` is a person's id."""
    sign_in = await who(door, request)
    to = (await fields_of(request)).get("to", "")
    return await _done(door, request, handle.hand_over(door.desk, sign_in, _case_of(request), to=to))


async def reassign(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/reassign; `to` is a person's id, or `queue` a queue."""
    sign_in = await who(door, request)
    given = await fields_of(request)
    escalation_id = _case_of(request)
    if "queue" in given:
        move = handle.move_to_queue(door.desk, sign_in, escalation_id, queue=given["queue"])
    else:
        move = handle.reassign(door.desk, sign_in, escalation_id, to=given.get("to", ""))
    return await _done(door, request, move)


async def override(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/override."""
    sign_in = await who(door, request)
    return await _done(door, request, handle.override(door.desk, sign_in, _case_of(request)))


async def pause_agent(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/pause-agent."""
    sign_in = await who(door, request)
    return await _done(door, request, handle.pause_agent_of(door.desk, sign_in, _case_of(request)))


def _case_of(request: Request) -> str:
    escalation_id: str = request.path_params["escalation_id"]
    return escalation_id


async def _done(door: Door, request: Request, move: Awaitable[CaseView]) -> Response:
    """Do it, then show the case by GET; what was refused is said on the case page."""
    escalation_id = _case_of(request)
    try:
        await move
    except (AlreadyDecided, Conflict, Forbidden, InvalidRequest) as error:
        sign_in = await who(door, request)
        view = await look(door.desk, sign_in, escalation_id)
        return await page_of(
            door, sign_in, view, sent={}, problem=problem_of(error), problem_title="Nothing was changed"
        )
    return RedirectResponse(f"/cases/{escalation_id}", status_code=303)
