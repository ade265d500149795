"""For supervisors and admins: make canaries and drills, and see what became of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from signoff.desk.attentiveness import ENOUGH_CANARIES
from signoff.desk.canaries import MAKERS, MOST_AT_ONCE, Drawn, canaries, make_canaries
from signoff.desk.people import list_agents
from signoff.desk.stats import PERIODS
from signoff.domain.bundle import read_action, read_material
from signoff.domain.canonical import parse_json
from signoff.domain.errors import InvalidRequest, LimitExceeded, NotFound
from signoff.domain.people import SignIn
from signoff.operators.forms import fields_of
from signoff.operators.problems import Problem, problem_of
from signoff.operators.sign_in import Door, who_fully, who_holds


def canary_routes(door: Door) -> list[Route]:
    """Return the routes of canaries."""
    return [
        Route("/canaries", partial(show, door)),
        Route("/canaries", partial(make, door), methods=["POST"]),
    ]


async def show(door: Door, request: Request) -> Response:
    """Answer GET /canaries?days=30."""
    sign_in = await who_fully(door, request)
    given = request.query_params.get("days", "")
    made = request.query_params.get("made", "")
    return await _page(
        door,
        sign_in,
        days=int(given) if given in map(str, PERIODS) else 30,
        made=int(made) if made in map(str, range(1, MOST_AT_ONCE + 1)) else 0,
    )


async def make(door: Door, request: Request) -> Response:
    """Answer POST /canaries: one by tool and arguments, or several as JSON."""
    sign_in = await who_holds(door, request, MAKERS)
    form = await fields_of(request)
    try:
        made = await make_canaries(
            door.desk,
            _drawn(form),
            agent=form.get("agent", ""),
            drill=form.get("drill", "").strip() or None,
            by=sign_in,
        )
    except (InvalidRequest, LimitExceeded, NotFound) as error:
        return await _page(door, sign_in, problem=problem_of(error), given=form)
    return RedirectResponse(f"/canaries?made={len(made)}", status_code=303)


def _drawn(form: dict[str, str]) -> list[Drawn]:
    text = form.get("canaries", "").strip()
    if text:
        return read_canaries(parse_json(text, field="canaries"))
    action = {
        "tool": form.get("tool", "").strip(),
        "summary": form.get("summary", "").strip() or None,
        "arguments": parse_json(form.get("arguments", "").strip() or "{}", field="arguments"),
    }
    return [Drawn(read_action(action), read_material(None))]


def read_canaries(value: Any) -> list[Drawn]:
    """Read canaries as an agent would have sent them: `{"action": …, "bundle": …}`, or a list of such.

    Raises:
        InvalidRequest: Names the field at fault.
        LimitExceeded: Over a limit.
    """
    given = value if isinstance(value, list) else [value]
    made = []
    for one in given:
        if not isinstance(one, dict) or "action" not in one or set(one) - {"action", "bundle"}:
            raise InvalidRequest(
                'each is {"action": …, "bundle": …}, the bundle if you like.', field="canaries"
            )
        made.append(Drawn(read_action(one["action"]), read_material(one.get("bundle"))))
    return made


async def _page(
    door: Door,
    sign_in: SignIn,
    *,
    days: int = 30,
    made: int = 0,
    problem: Problem | None = None,
    given: dict[str, str] | None = None,
) -> Response:
    found = await canaries(door.desk, sign_in, days=days)
    values = {
        "person": sign_in.person,
        "now": found.now,
        "found": found,
        "periods": PERIODS,
        "agents": await list_agents(door.desk),
        "enough": ENOUGH_CANARIES,
        "most": MOST_AT_ONCE,
        "made": made,
        "problem": problem,
        "given": given or {},
        "at": "canaries",
    }
    return door.render.page("canaries.html", values, status=200 if problem is None else problem.status)
