"""For admins: the agents that may ask, their keys and limits. Supervisors see them too, and may pause one."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk.desk import Desk
from signoff.desk.limits import limit_agent
from signoff.desk.people import (
    PAUSERS,
    add_agent,
    list_agents,
    list_people,
    pause_agent,
    resume_agent,
    rotate_agent_key,
)
from signoff.domain.errors import Conflict, InvalidRequest, NotFound
from signoff.domain.people import Agent, SignIn
from signoff.operators.forms import fields_of
from signoff.operators.problems import Problem, problem_of
from signoff.operators.sign_in import Door, who_holds

SAID = frozenset({"paused", "resumed", "limited"})


async def show(door: Door, request: Request) -> Response:
    """Answer GET /admin/agents."""
    return await _list(door, await who_holds(door, request, PAUSERS))


async def add(door: Door, request: Request) -> Response:
    """Answer POST /admin/agents, and show the key, this once."""
    sign_in = await who_holds(door, request, PAUSERS)
    form = await fields_of(request)
    try:
        agent, key = await add_agent(
            door.desk, form.get("name", "").strip(), owner=form.get("owner") or None, by=sign_in
        )
    except (Conflict, InvalidRequest, NotFound) as error:
        return await _list(door, sign_in, problem=problem_of(error), given=form)
    return await _one(door, request, sign_in, agent, key=key)


async def show_one(door: Door, request: Request) -> Response:
    """Answer GET /admin/agents/ID."""
    sign_in = await who_holds(door, request, PAUSERS)
    return await _one(door, request, sign_in, await _agent(door.desk, request))


async def rotate(door: Door, request: Request) -> Response:
    """Answer POST /admin/agents/ID/key, and show the new key, this once."""
    sign_in = await who_holds(door, request, PAUSERS)
    form, agent = await fields_of(request), await _agent(door.desk, request)
    if form.get("sure") != "yes":
        problem = problem_of(InvalidRequest("Tick the box: the key before opens nothing from then on."))
        return await _one(door, request, sign_in, agent, problem=problem)
    key = await rotate_agent_key(door.desk, agent.name, by=sign_in)
    return await _one(door, request, sign_in, agent, key=key)


async def pause(door: Door, request: Request) -> Response:
    """Answer POST /admin/agents/ID/pause."""
    sign_in, agent = await who_holds(door, request, PAUSERS), await _agent(door.desk, request)
    return await _done(
        door, request, sign_in, agent, pause_agent(door.desk, agent.name, by=sign_in), said="paused"
    )


async def resume(door: Door, request: Request) -> Response:
    """Answer POST /admin/agents/ID/resume."""
    sign_in, agent = await who_holds(door, request, PAUSERS), await _agent(door.desk, request)
    return await _done(
        door, request, sign_in, agent, resume_agent(door.desk, agent.name, by=sign_in), said="resumed"
    )


async def limit(door: Door, request: Request) -> Response:
    """Answer POST /admin/agents/ID/limits; an empty field is the limit of the settings."""
    sign_in = await who_holds(door, request, PAUSERS)
    form, agent = await fields_of(request), await _agent(door.desk, request)
    try:
        max_open, per_minute = _number(form, "max_open"), _number(form, "requests_per_minute")
    except InvalidRequest as error:
        return await _one(door, request, sign_in, agent, problem=problem_of(error))
    verb = limit_agent(door.desk, agent.name, max_open=max_open, requests_per_minute=per_minute, by=sign_in)
    return await _done(door, request, sign_in, agent, verb, said="limited")


def _number(form: dict[str, str], field: str) -> int | None:
    text = form.get(field, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 7):
        raise InvalidRequest(
            "write a number, 0 for any, or nothing for the limit of the settings.", field=field
        )
    return int(text)


async def _done(
    door: Door, request: Request, sign_in: SignIn, agent: Agent, verb: Awaitable[object], *, said: str
) -> Response:
    try:
        await verb
    except (Conflict, InvalidRequest) as error:
        return await _one(door, request, sign_in, await _agent(door.desk, request), problem=problem_of(error))
    return RedirectResponse(f"/admin/agents/{agent.id}?said={said}", status_code=303)


async def _agent(desk: Desk, request: Request) -> Agent:
    for one in await list_agents(desk):
        if one.id == request.path_params["agent_id"]:
            return one
    raise NotFound("There is no such agent.")


async def _owners(door: Door) -> dict[str, str]:
    return {one.id: one.name for one in await list_people(door.desk)}


async def _list(
    door: Door, sign_in: SignIn, *, problem: Problem | None = None, given: dict[str, str] | None = None
) -> Response:
    people = await list_people(door.desk)
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "agents": await list_agents(door.desk),
        "owners": {one.id: one.name for one in people},
        "people": [one for one in people if one.disabled_at is None],
        "is_admin": "admin" in sign_in.person.roles,
        "problem": problem,
        "given": given or {},
        "at": "agents",
    }
    return door.render.page("admin_agents.html", values, status=200 if problem is None else problem.status)


async def _one(
    door: Door,
    request: Request,
    sign_in: SignIn,
    agent: Agent,
    *,
    key: str | None = None,
    problem: Problem | None = None,
) -> Response:
    said = request.query_params.get("said", "")
    async with door.desk.store.reading() as reader:
        waiting, _ = await reader.open_of_agent(agent.id)
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "agent": agent,
        "owner": (await _owners(door)).get(agent.owner or ""),
        "waiting": waiting,
        "key": key,
        "limits": door.desk.settings.limits,
        "is_admin": "admin" in sign_in.person.roles,
        "said": said if said in SAID else "",
        "problem": problem,
        "base_url": door.desk.settings.base_url,
        "at": "agents",
    }
    return door.render.page("admin_agent.html", values, status=200 if problem is None else problem.status)
