"""Signing in with a passkey, stepping up with one, and what a passkey signs for a decision.

Browsers fetch what is to be signed as JSON; the answer comes back in a form's field, so that what follows is a page.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from signoff.audit.passkey import (
    CHALLENGE_VALID_FOR,
    PasskeyInvalid,
    base64url,
    from_base64url,
    read_assertion,
    read_signed,
)
from signoff.desk.passkey_sign_in import (
    Answered,
    PasskeyRefused,
    sign_in_statement,
    sign_in_with_passkey,
)
from signoff.desk.signing import Proof, pages_of
from signoff.domain.canonical import parse_json
from signoff.domain.errors import InvalidRequest
from signoff.domain.people import SignIn
from signoff.operators.browsers import browser_of, source_of
from signoff.operators.forms import fields_of
from signoff.operators.problems import problem_of
from signoff.operators.sign_in import Door, case_page, how_to_sign_in, let_in, who

PASSKEY = "passkey"
SALT = "salt"
STEP_UP = "step_up"
TIMEOUT_MS = int(CHALLENGE_VALID_FOR.total_seconds() * 1000)


async def challenge(door: Door, request: Request) -> Response:
    """Answer POST /sign-in/passkey/challenge: what a passkey signs to sign its person in, or to step up."""
    form = await fields_of(request)
    asked = await sign_in_statement(door.desk, await _stepping_up(door, request, form))
    _, rp_id = pages_of(door.desk)
    return JSONResponse(
        {
            "statement": asked.statement,
            "seal": asked.seal,
            "challenge": asked.challenge,
            "rp_id": rp_id,
            "credentials": asked.credentials,
            "timeout_ms": TIMEOUT_MS,
        }
    )


async def enter(door: Door, request: Request) -> Response:
    """Answer POST /sign-in/passkey: sign in, or step up, under a new session."""
    form = await fields_of(request)
    stepping_up = await _stepping_up(door, request, form)
    try:
        opened = await sign_in_with_passkey(
            door.desk,
            _answered(form.get(PASSKEY, "")),
            source=source_of(request),
            browser=browser_of(request),
            stepping_up=stepping_up,
        )
    except (PasskeyRefused, PasskeyInvalid):
        refused = problem_of(PasskeyRefused())
        host = request.headers.get("host")
        back_to = form.get("back_to", "")
        return how_to_sign_in(door, status=403, problem=refused, host=host, back_to=back_to)
    return await let_in(door, request, opened, go_to=case_page(form.get("back_to")))


async def _stepping_up(door: Door, request: Request, form: dict[str, str]) -> SignIn | None:
    """Return who steps up, None for whoever signs in.

    Raises:
        NotSignedIn: Nobody stands there who could.
    """
    return await who(door, request) if STEP_UP in form else None


def _answered(text: str) -> Answered:
    """Read what a browser sends back.

    Raises:
        PasskeyInvalid: It cannot be read.
    """
    value = _json(text)
    if not isinstance(value, dict) or value.keys() != {"statement", "seal", "assertion", "user_handle"}:
        raise _unreadable()
    statement, seal, handle = value["statement"], value["seal"], value["user_handle"]
    if not isinstance(statement, dict) or not isinstance(seal, str):
        raise _unreadable()
    return Answered(
        statement, seal, read_assertion(value["assertion"]), None if handle is None else _handle(handle)
    )


def _handle(text: Any) -> str:
    return from_base64url(text).decode("utf-8", "replace")


def read_proof(form: dict[str, str]) -> Proof | None:
    """Return what a person signed with their decision, None where the form holds no signature.

    Raises:
        PasskeyInvalid: It cannot be read.
    """
    if not form.get(PASSKEY):
        return None
    return Proof(read_signed(_json(form[PASSKEY])), from_base64url(form.get(SALT)))


def _json(text: str) -> Any:
    try:
        return parse_json(text, field=PASSKEY)
    except InvalidRequest:
        raise _unreadable() from None


def _unreadable() -> PasskeyInvalid:
    return PasskeyInvalid("malformed", "The passkey's answer cannot be read.")


def user_handle_of(sign_in: SignIn) -> str:
    """Return what a passkey remembers of its person (WebAuthn's user.id): the id, which says nothing about them."""
    return base64url(sign_in.person.id.encode("ascii"))
