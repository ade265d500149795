"""The case page and the forms on it; what the page says is made in `case_page.py`.

Everything works without JavaScript. What the person sent is shown again when it could not be taken.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from signoff.audit.passkey import base64url
from signoff.desk import decide as desk_decide
from signoff.desk import signing
from signoff.desk.answering import check_changed
from signoff.desk.look import CaseView, look
from signoff.desk.passkeys import has_passkey
from signoff.desk.presence import come
from signoff.domain.canonical import parse_json
from signoff.domain.decision import Answer, Choice
from signoff.domain.errors import (
    AlreadyDecided,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    SignoffError,
    Stale,
)
from signoff.domain.escalation import already_decided
from signoff.domain.people import SignIn
from signoff.operators.arguments_form import FINAL, read_arguments
from signoff.operators.case_page import page_of, tool_schema
from signoff.operators.diff import changes
from signoff.operators.form_edit import edited
from signoff.operators.forms import first_of, values_of
from signoff.operators.passkey_doors import read_proof
from signoff.operators.present import json_text
from signoff.operators.problems import problem_of
from signoff.operators.response_form import Sent, read_response, response_field, was_filled
from signoff.operators.sign_in import Door, who

RESPONSE = "response_json"
"""Name of the field in which the preview carries the response that was filled in before it."""


async def show(door: Door, request: Request) -> Response:
    """Answer GET /cases/{id}."""
    sign_in = await who(door, request)
    view = await look(door.desk, sign_in, request.path_params["escalation_id"])
    await come(door.desk, sign_in, view.case.id)
    return await page_of(door, sign_in, view, sent={}, taken_back="back" in request.query_params)


async def preview(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/preview: show what a modification would change; nothing is decided."""
    sign_in = await who(door, request)
    sent = await values_of(request)
    view = await look(door.desk, sign_in, request.path_params["escalation_id"])
    sent = {**sent, "choice": ("modify",)}
    try:
        _check_current(view, sent)
        answer = _answer(view, sent)
    except SignoffError as error:
        return await page_of(door, sign_in, view, sent=sent, problem=problem_of(error))
    signs = await _signs(door, sign_in, view)
    changed = [] if answer.arguments is None else changes(view.proposed_arguments, answer.arguments)
    carried = {
        "version": str(view.case.version),
        "view_digest": view.view_digest,
        "choice": "modify",
        "note": answer.note,
    }
    if answer.arguments is not None:
        carried[FINAL] = json_text(answer.arguments)
    if answer.response is not None:
        carried[RESPONSE] = json_text(answer.response)
    values = {
        "person": sign_in.person, "now": view.now, "view": view, "case": view.case, "changed": changed,
        "arguments": answer.arguments, "answer": answer, "carried": carried, "signs": signs,
    }  # fmt: skip
    return door.render.page("preview.html", values)


async def form(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/form: the case with an item more or less in a form; without a script, and nothing is decided."""
    sign_in = await who(door, request)
    sent = await values_of(request)
    view = await look(door.desk, sign_in, request.path_params["escalation_id"])
    return await page_of(door, sign_in, view, sent=edited(sent), form=True)


async def live(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/changes: what a modification changes as it stands in the form, or why it cannot be read."""
    sign_in = await who(door, request)
    sent = await values_of(request)
    view = await look(door.desk, sign_in, request.path_params["escalation_id"])
    try:
        _check_current(view, sent)
        arguments = read_arguments(view.proposed_arguments, sent, tool_schema(view))
        changed = changes(view.proposed_arguments, arguments)
        if changed:
            await check_changed(view, arguments)
    except SignoffError as error:
        problem = problem_of(error)
        said = {"field": problem.field, "message": problem.message}
        return JSONResponse({"changes": [], "problem": said})
    return JSONResponse({"changes": [one.as_json() for one in changed], "problem": None})


async def decide(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/decide: take the decision, then show the case by GET."""
    sign_in = await who(door, request)
    escalation_id = request.path_params["escalation_id"]
    sent = await values_of(request)
    view = await look(door.desk, sign_in, escalation_id)
    try:
        version = _check_current(view, sent)
        answer = _answer(view, sent)
        await desk_decide.decide(
            door.desk,
            sign_in,
            escalation_id,
            answer,
            version=version,
            view_digest=first_of(sent, "view_digest"),
            proof=read_proof({name: values[0] for name, values in sent.items()}),
        )
    except (AlreadyDecided, Conflict, Forbidden, InvalidRequest) as error:
        view = await look(door.desk, sign_in, escalation_id)
        return await page_of(door, sign_in, view, sent=sent, problem=problem_of(error))
    return RedirectResponse(f"/cases/{view.case.id}", status_code=303)


async def challenge(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/challenge: what a passkey signs so that this very decision is taken; nothing is stored.

    What is wrong with the decision itself is told by a page: the browser then sends it without a signature.
    """
    sign_in = await who(door, request)
    sent = await values_of(request)
    view = await look(door.desk, sign_in, request.path_params["escalation_id"])
    version = _check_current(view, sent)
    asked = await signing.challenge(
        door.desk,
        sign_in,
        view.case.id,
        _answer(view, sent),
        version=version,
        view_digest=first_of(sent, "view_digest"),
    )
    return JSONResponse(
        {
            "statement": asked.statement.as_json(),
            "salt": base64url(asked.salt),
            "challenge": asked.challenge,
            "rp_id": asked.statement.rp_id,
            "credentials": asked.credentials,
            "timeout_ms": asked.timeout_ms,
        }
    )


async def _signs(door: Door, sign_in: SignIn, view: CaseView) -> bool:
    """Say whether this person decides by signing: a passkey is all that is missing, and they hold one."""
    return view.step_up == "passkey" and await has_passkey(door.desk, sign_in.person)


async def undo(door: Door, request: Request) -> Response:
    """Answer POST /cases/{id}/undo: take one's own decision back."""
    sign_in = await who(door, request)
    escalation_id = request.path_params["escalation_id"]
    try:
        await desk_decide.undo(door.desk, sign_in, escalation_id)
    except (Conflict, Forbidden) as error:
        view = await look(door.desk, sign_in, escalation_id)
        return await page_of(door, sign_in, view, sent={}, problem=problem_of(error))
    return RedirectResponse(f"/cases/{escalation_id}?back=1", status_code=303)


async def attachment(door: Door, request: Request) -> Response:
    """Answer GET /cases/{id}/attachments/{n}: an image that the agent sent, as that type and no other.

    Raises:
        NotFound: No such image, or one that is hidden from this person.
    """
    sign_in = await who(door, request)
    view = await look(door.desk, sign_in, request.path_params["escalation_id"])
    bundle = view.document.get("bundle")
    blobs = bundle.get("attachments", []) if isinstance(bundle, dict) else []
    by_number = {str(at): blob for at, blob in enumerate(blobs)} if isinstance(blobs, list) else {}
    blob = by_number.get(request.path_params["number"])
    if not isinstance(blob, dict) or blob.get("media_type") not in ("image/png", "image/jpeg", "image/webp"):
        raise NotFound("There is no such image.")
    try:
        data = base64.b64decode(str(blob["data"]), validate=True)
    except (binascii.Error, ValueError):
        raise NotFound("This image cannot be read.") from None
    return Response(data, media_type=blob["media_type"])


def _check_current(view: CaseView, sent: Sent) -> int:
    """Return the version the form was made for, after checking that it is still the one that stands.

    The desk checks again, in the transaction; here it keeps a form from being read against another case.

    Raises:
        AlreadyDecided: The case has ended.
        Stale: It changed.
        InvalidRequest: The form has lost its version.
    """
    if not view.case.is_open:
        names = ", ".join(view.names.get(one, one) for one in view.case.decided_by)
        raise already_decided(view.case, decided_by=names)
    text = first_of(sent, "version")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InvalidRequest("This form is incomplete. Load the case again.")
    if int(text) != view.case.version:
        raise Stale("The case changed after this page was shown. Look at it again, then decide.")
    return int(text)


def _answer(view: CaseView, sent: Sent) -> Answer:
    """Return the answer that a form stands for.

    Raises:
        InvalidRequest: Names the field at fault.
    """
    choice = first_of(sent, "choice")
    if choice not in ("approve", "modify", "reject"):
        raise InvalidRequest("Choose approve, modify or reject.")
    note = first_of(sent, "note").replace("\r\n", "\n").strip()
    response = _response(view, sent, choice)
    if choice != "modify":
        return Answer(cast(Choice, choice), response=response, note=note)
    arguments = read_arguments(view.proposed_arguments, sent, tool_schema(view))
    if not changes(view.proposed_arguments, arguments):
        if response is None:
            raise InvalidRequest(
                "nothing was changed; approve the action, or change a value.", field="arguments"
            )
        return Answer("modify", response=response, note=note)
    return Answer("modify", arguments, response, note)


def _response(view: CaseView, sent: Sent, choice: str) -> Any:
    schema = view.document.get("response_schema")
    if not isinstance(schema, dict):
        return None
    if RESPONSE in sent:
        return parse_json(first_of(sent, RESPONSE), field="response")
    field = response_field(schema, sent)
    if choice == "reject" and not was_filled(field):
        return None
    return read_response(field)
