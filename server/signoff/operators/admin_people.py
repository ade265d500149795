"""For admins: who there is, what each may do, and where their alerts go."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk.desk import Desk
from signoff.desk.people import (
    ADMINS,
    add_person,
    change_person,
    disable_person,
    give_addresses,
    list_people,
)
from signoff.desk.queues import check_queues, queue_names
from signoff.domain.address import split_label
from signoff.domain.alert import TERMINAL
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound
from signoff.domain.people import ROLES, Person, Role, SignIn
from signoff.operators.forms import first_of, values_of
from signoff.operators.problems import Problem, problem_of
from signoff.operators.sign_in import Door, who_holds

SAID = frozenset({"added", "roles", "addresses", "disabled"})
Form = dict[str, tuple[str, ...]]


async def show(door: Door, request: Request) -> Response:
    """Answer GET /admin/people."""
    return await _list(door, await who_holds(door, request, ADMINS))


async def add(door: Door, request: Request) -> Response:
    """Answer POST /admin/people."""
    sign_in = await who_holds(door, request, ADMINS)
    form = await values_of(request)
    try:
        given = _new_addresses(door, form)
        check_queues(door.desk, _queues(form))
        person = await add_person(
            door.desk,
            first_of(form, "name").strip(),
            roles=_roles(form),
            queues=_queues(form),
            addresses=given or (TERMINAL,),
            by=sign_in,
        )
    except (Conflict, InvalidRequest) as error:
        return await _list(door, sign_in, problem=problem_of(error), given=form)
    return RedirectResponse(f"/admin/people/{person.id}?said=added", status_code=303)


async def show_one(door: Door, request: Request) -> Response:
    """Answer GET /admin/people/ID."""
    sign_in = await who_holds(door, request, ADMINS)
    return await _one(door, request, sign_in, await _person(door.desk, request))


async def change(door: Door, request: Request) -> Response:
    """Answer POST /admin/people/ID/roles."""
    sign_in = await who_holds(door, request, ADMINS)
    form, person = await values_of(request), await _person(door.desk, request)
    try:
        check_queues(door.desk, _queues(form), held=person.queues)
    except InvalidRequest as error:
        return await _one(door, request, sign_in, person, problem=problem_of(error))
    return await _done(
        door,
        request,
        sign_in,
        person,
        change_person(door.desk, person.name, roles=_roles(form), queues=_queues(form), by=sign_in),
        said="roles",
    )


async def readdress(door: Door, request: Request) -> Response:
    """Answer POST /admin/people/ID/addresses: `keep` are ids of addresses that stay, `addresses` new ones."""
    sign_in = await who_holds(door, request, ADMINS)
    form, person = await values_of(request), await _person(door.desk, request)
    try:
        new = _new_addresses(door, form)
    except InvalidRequest as error:
        return await _one(door, request, sign_in, person, problem=problem_of(error))
    return await _done(
        door,
        request,
        sign_in,
        person,
        give_addresses(door.desk, person.name, keep=form.get("keep", ()), new=new, by=sign_in),
        said="addresses",
    )


async def disable(door: Door, request: Request) -> Response:
    """Answer POST /admin/people/ID/disable."""
    sign_in = await who_holds(door, request, ADMINS)
    form, person = await values_of(request), await _person(door.desk, request)
    if first_of(form, "sure") != "yes":
        problem = problem_of(InvalidRequest("Tick the box: it cannot be taken back."))
        return await _one(door, request, sign_in, person, problem=problem)
    return await _done(
        door, request, sign_in, person, disable_person(door.desk, person.name, by=sign_in), said="disabled"
    )


async def _done(
    door: Door, request: Request, sign_in: SignIn, person: Person, verb: Awaitable[Person], *, said: str
) -> Response:
    try:
        await verb
    except (Conflict, InvalidRequest) as error:
        return await _one(door, request, sign_in, person, problem=problem_of(error))
    return RedirectResponse(f"/admin/people/{person.id}?said={said}", status_code=303)


async def _person(desk: Desk, request: Request) -> Person:
    for one in await list_people(desk):
        if one.id == request.path_params["person_id"]:
            return one
    raise NotFound("There is no such person.")


def _roles(form: Form) -> Sequence[Role]:
    return cast("Sequence[Role]", form.get("role", ()))  # the desk refuses what is none


def _queues(form: Form) -> list[str]:
    return [one.strip() for one in first_of(form, "queues").split(",") if one.strip()]


def _new_addresses(door: Door, form: Form) -> tuple[str, ...]:
    lines = [one.strip() for one in first_of(form, "addresses").splitlines() if one.strip()]
    if lines and door.alerting is None:
        raise Forbidden("Addresses are added with `signoff people address`.")
    made = []
    for label, url in map(split_label, lines):
        assert door.alerting is not None  # noqa: S101 - refused above
        made.append(f"{label}={door.alerting.check_address(url)}")
    return tuple(made)


async def _list(
    door: Door, sign_in: SignIn, *, problem: Problem | None = None, given: Form | None = None
) -> Response:
    people = await list_people(door.desk)
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "people": [one for one in people if one.disabled_at is None],
        "disabled": [one for one in people if one.disabled_at is not None],
        "roles": ROLES,
        "queues": queue_names(door.desk),
        "takes_address": door.alerting is not None,
        "problem": problem,
        "given": given or {},
        "at": "people",
    }
    return door.render.page("admin_people.html", values, status=200 if problem is None else problem.status)


async def _one(
    door: Door, request: Request, sign_in: SignIn, person: Person, *, problem: Problem | None = None
) -> Response:
    said = request.query_params.get("said", "")
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "them": person,
        "roles": ROLES,
        "queues": queue_names(door.desk),
        "takes_address": door.alerting is not None,
        "said": said if said in SAID else "",
        "problem": problem,
        "at": "people",
    }
    return door.render.page("admin_person.html", values, status=200 if problem is None else problem.status)
