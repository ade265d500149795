"""How others sign in: passkeys that wait for a second person, those in use, and for admins who is signed in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk.passkeys import all_passkeys, confirm_passkey, fingerprint, revoke_passkey
from signoff.desk.sessions import all_sessions, end_session
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest
from signoff.domain.people import SignIn
from signoff.operators.forms import fields_of
from signoff.operators.problems import Problem, problem_of
from signoff.operators.sign_in import Door, who_fully

PAGE = "/people/sign-in"
SAID = frozenset({"confirmed", "revoked", "ended"})
"""What the page confirms after a redirect."""


async def show(door: Door, request: Request) -> Response:
    """Answer GET /people/sign-in, for admins and supervisors."""
    return await _page(door, request, await who_fully(door, request))


async def confirm(door: Door, request: Request) -> Response:
    """Answer POST /people/passkeys/confirm: say that a passkey is its person's."""
    sign_in = await who_fully(door, request)
    form = await fields_of(request)
    try:
        _check_asked(form)
        await confirm_passkey(door.desk, sign_in, form.get("credential", ""))
    except (Conflict, Forbidden, InvalidRequest) as error:
        return await _page(door, request, sign_in, problem=problem_of(error))
    return RedirectResponse(f"{PAGE}?said=confirmed", status_code=303)


def _check_asked(form: dict[str, str]) -> None:
    if form.get("sure") != "yes":
        raise InvalidRequest("Ask the person first, compare the fingerprint, and tick the box.")


async def revoke(door: Door, request: Request) -> Response:
    """Answer POST /people/passkeys/revoke: somebody's passkey signs nothing from now on."""
    sign_in = await who_fully(door, request)
    form = await fields_of(request)
    try:
        await revoke_passkey(door.desk, form.get("credential", ""), by=sign_in)
    except Conflict as error:
        return await _page(door, request, sign_in, problem=problem_of(error))
    return RedirectResponse(f"{PAGE}?said=revoked", status_code=303)


async def end(door: Door, request: Request) -> Response:
    """Answer POST /people/sessions/end: an admin ends anybody's sign-in session."""
    sign_in = await who_fully(door, request)
    form = await fields_of(request)
    await end_session(door.desk, sign_in, form.get("session", ""))
    return RedirectResponse(f"{PAGE}?said=ended", status_code=303)


async def _page(door: Door, request: Request, sign_in: SignIn, *, problem: Problem | None = None) -> Response:
    lines = await all_passkeys(door.desk, sign_in)
    is_admin = "admin" in sign_in.person.roles
    said = request.query_params.get("said", "")
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "waiting": [(one, fingerprint(one.passkey)) for one in lines if one.passkey.state == "waiting"],
        "in_use": [(one, fingerprint(one.passkey)) for one in lines if one.passkey.state == "in use"],
        "seats": await all_sessions(door.desk, sign_in) if is_admin else None,
        "said": said if said in SAID else "",
        "problem": problem,
    }
    return door.render.page("their_sign_in.html", values, status=200 if problem is None else problem.status)
