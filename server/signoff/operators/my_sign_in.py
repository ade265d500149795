"""One's own passkeys and sign-in sessions: add, revoke, end."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from signoff.audit.passkey import base64url, enrolment_challenge, from_base64url
from signoff.desk.passkeys import enrolment, fingerprint, my_passkeys, offer_passkey, revoke_passkey
from signoff.desk.sessions import end_other_sessions, end_session, sessions_of
from signoff.desk.signing import pages_of
from signoff.domain.canonical import parse_json
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound
from signoff.domain.people import SignIn
from signoff.operators.forms import fields_of
from signoff.operators.passkey_doors import TIMEOUT_MS, user_handle_of
from signoff.operators.problems import Problem, problem_of
from signoff.operators.sign_in import Door, who_fully

PAGE = "/settings/sign-in"
SAID = {"added": "passkey", "revoked": "revoked", "ended": "ended"}
"""What the page confirms after a redirect."""


async def home(door: Door, request: Request) -> Response:
    """Answer GET /settings."""
    return RedirectResponse(PAGE, status_code=303)


async def show(door: Door, request: Request) -> Response:
    """Answer GET /settings/sign-in."""
    return await _page(door, request, await who_fully(door, request))


async def challenge(door: Door, request: Request) -> Response:
    """Answer POST /settings/passkeys/challenge: what a new passkey is made over (CredentialCreationOptions)."""
    sign_in = await who_fully(door, request)
    statement = await enrolment(door.desk, sign_in)
    held = await my_passkeys(door.desk, sign_in)
    _, rp_id = pages_of(door.desk)
    return JSONResponse(
        {
            "statement": statement,
            "challenge": base64url(enrolment_challenge(statement)),
            "rp_id": rp_id,
            "user_id": user_handle_of(sign_in),
            "user_name": sign_in.person.name,
            # Those that wait or are in use; a revoked one may be replaced on the same device.
            "exclude": [one.credential for one in held if one.state != "revoked"],
            "timeout_ms": TIMEOUT_MS,
        }
    )


async def add(door: Door, request: Request) -> Response:
    """Answer POST /settings/passkeys: keep a passkey that waits for a second person."""
    sign_in = await who_fully(door, request)
    form = await fields_of(request)
    back = "/set-up" if form.get("back_to") == "set-up" and sign_in.way == "set_up" else PAGE
    try:
        made = _made(form.get("passkey", ""))
        await offer_passkey(
            door.desk,
            sign_in,
            statement=made["statement"],
            client_data=from_base64url(made["client_data"]),
            authenticator_data=from_base64url(made["authenticator_data"]),
            label=form.get("label", "").strip(),
        )
    except (Conflict, Forbidden, InvalidRequest) as error:
        return await _page(door, request, sign_in, problem=problem_of(error))
    return RedirectResponse(f"{back}?said=added", status_code=303)


def _made(text: str) -> dict[str, Any]:
    """Read what a browser made.

    Raises:
        InvalidRequest: Something else.
    """
    value = parse_json(text, field="passkey")
    if not isinstance(value, dict) or value.keys() != {"statement", "client_data", "authenticator_data"}:
        raise InvalidRequest("cannot be read; load the page again.", field="passkey")
    if not isinstance(value["statement"], dict):
        raise InvalidRequest("cannot be read; load the page again.", field="passkey")
    return value


async def revoke(door: Door, request: Request) -> Response:
    """Answer POST /settings/passkeys/revoke: one's own passkey signs nothing from now on."""
    sign_in = await who_fully(door, request)
    form = await fields_of(request)
    mine = {one.credential for one in await my_passkeys(door.desk, sign_in)}
    try:
        if form.get("credential", "") not in mine:
            raise NotFound("There is no such passkey of yours.")
        await revoke_passkey(door.desk, form["credential"], by=sign_in)
    except Conflict as error:
        return await _page(door, request, sign_in, problem=problem_of(error))
    return RedirectResponse(f"{PAGE}?said=revoked", status_code=303)


async def end(door: Door, request: Request) -> Response:
    """Answer POST /settings/sessions/end: end one of one's own sign-in sessions, or all others."""
    sign_in = await who_fully(door, request)
    form = await fields_of(request)
    if "others" in form:
        await end_other_sessions(door.desk, sign_in)
        return RedirectResponse(f"{PAGE}?said=ended", status_code=303)
    session_id = form.get("session", "")
    if all(one.session.id != session_id for one in await sessions_of(door.desk, sign_in)):
        raise NotFound("There is no such session of yours, or it has ended.")
    await end_session(door.desk, sign_in, session_id)
    return RedirectResponse(f"{PAGE}?said=ended", status_code=303)


async def _page(door: Door, request: Request, sign_in: SignIn, *, problem: Problem | None = None) -> Response:
    held = await my_passkeys(door.desk, sign_in)
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "passkeys": door.site.passkeys(request.headers.get("host")),
        "host": request.headers.get("host", ""),
        "rp_id": pages_of(door.desk)[1],
        "held": [(one, fingerprint(one)) for one in held],
        "seats": await sessions_of(door.desk, sign_in),
        "confirms": bool(sign_in.person.roles & {"admin", "supervisor"}),
        "said": SAID.get(request.query_params.get("said", ""), ""),
        "problem": problem,
    }
    return door.render.page("my_sign_in.html", values, status=200 if problem is None else problem.status)
