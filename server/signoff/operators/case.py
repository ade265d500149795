"""The case page: what happens on approval, why it was stopped, how long there is; then deciding it.

Everything works without JavaScript. What the person sent is shown again when it could not be taken.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, cast

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from signoff.audit.passkey import base64url
from signoff.desk import decide as desk_decide
from signoff.desk import signing
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
from signoff.operators.arguments_form import FINAL, RAW, argument_fields, read_arguments
from signoff.operators.diff import changes
from signoff.operators.forms import values_of
from signoff.operators.passkey_doors import read_proof
from signoff.operators.present import MAX_ROWS, json_text, rows
from signoff.operators.problems import Problem, problem_of
from signoff.operators.response_form import Sent, read_response, response_field, was_filled
from signoff.operators.sign_in import Door, who

RESPONSE = "response_json"
"""Name of the field in which the preview carries the response that was filled in before it."""


async def show(door: Door, request: Request) -> Response:
    """Answer GET /cases/{id}."""
    sign_in = await who(door, request)
    view = await look(door.desk, sign_in, request.path_params["escalation_id"])
    await come(door.desk, sign_in, view.case.id)
    return await page_of(door, sign_in, view, sent={})


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
            view_digest=_first(sent, "view_digest"),
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
        view_digest=_first(sent, "view_digest"),
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
    return RedirectResponse(f"/cases/{escalation_id}", status_code=303)


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


def _first(sent: Sent, name: str) -> str:
    values = sent.get(name, ())
    return values[0] if values else ""


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
    text = _first(sent, "version")
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
    choice = _first(sent, "choice")
    if choice not in ("approve", "modify", "reject"):
        raise InvalidRequest("Choose approve, modify or reject.")
    note = _first(sent, "note").replace("\r\n", "\n").strip()
    response = _response(view, sent, choice)
    if choice != "modify":
        return Answer(cast(Choice, choice), response=response, note=note)
    form = {name: values[0] for name, values in sent.items()}
    arguments = read_arguments(view.proposed_arguments, form)
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
        return parse_json(_first(sent, RESPONSE), field="response")
    field = response_field(schema, sent)
    if choice == "reject" and not was_filled(field):
        return None
    return read_response(field)


async def page_of(
    door: Door,
    sign_in: SignIn,
    view: CaseView,
    *,
    sent: Sent,
    problem: Problem | None = None,
    problem_title: str = "",
) -> Response:
    """Return the case page.

    Args:
        sent: What the person sent, shown again.
        problem: Why it could not be taken.
        problem_title: What stands over it, where it was about something else than a decision.
    """
    holds_passkey = view.step_up is not None and await has_passkey(door.desk, sign_in.person)
    # A bundle of 2 MB takes a second to show; in a thread it holds up nobody else.
    made = partial(
        _made,
        door,
        sign_in,
        view,
        sent=sent,
        problem=problem,
        problem_title=problem_title,
        holds_passkey=holds_passkey,
    )
    return await anyio.to_thread.run_sync(made)


def _made(
    door: Door,
    sign_in: SignIn,
    view: CaseView,
    *,
    sent: Sent,
    problem: Problem | None,
    problem_title: str,
    holds_passkey: bool,
) -> Response:
    document = view.document
    schema = document.get("response_schema")
    given = {name: texts[0] for name, texts in sent.items()}
    values = {
        "person": sign_in.person,
        "now": view.now,
        "view": view,
        "case": view.case,
        "erased": "verdict" not in document,
        "fired": _fired(document),
        "bundle": _bundle(document),
        "claim": _claim(document),
        "masked": frozenset(document.get("masked", ())),
        "rows": rows(
            view.proposed_arguments, masked=frozenset(document.get("masked", ())), prefix="action.arguments"
        ),
        "max_rows": MAX_ROWS,
        "changed_before": _changed_before(view),
        "response": response_field(schema, sent) if isinstance(schema, dict) else None,
        "no_modify": _no_modify(view),
        "arguments": argument_fields(view.proposed_arguments, given),
        "raw": given.get(RAW, given.get(FINAL, json_text(view.proposed_arguments))),
        "raw_original": json_text(view.proposed_arguments),
        "given": given,
        "problem": problem,
        "problem_title": problem_title,
        "holds_passkey": holds_passkey,
        "signs": holds_passkey and view.step_up == "passkey",
        "signed_in_fully": sign_in.only_case is None,
        "by_alert": door.desk.settings.sign_in_by_alert,
    }
    return door.render.page("case.html", values, status=200 if problem is None else problem.status)


def _fired(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    verdict = document.get("verdict")
    fired = verdict.get("fired", []) if isinstance(verdict, dict) else []
    return [{**one, "rows": rows(one.get("values", {})) or []} for one in fired if isinstance(one, dict)]


def _bundle(document: Mapping[str, Any]) -> Any:
    """Return the bundle; a text where the policy hides all of it."""
    return document.get("bundle", {})


def _claim(document: Mapping[str, Any]) -> str:
    action = document.get("action")
    return str(action.get("summary", "")) if isinstance(action, dict) else ""


def _changed_before(view: CaseView) -> list[Any]:
    """Return what earlier approvers changed, or what was changed in the end."""
    action = view.document.get("action")
    first = action.get("arguments") if isinstance(action, dict) else None
    return changes(first, view.proposed_arguments) if isinstance(first, dict) else []


def _no_modify(view: CaseView) -> Literal["", "masked", "hidden"]:
    """Say why the arguments of a case cannot be changed here, empty where they can."""
    if any(path.startswith("action.arguments") for path in view.case.masked):
        return "masked"
    if any(path.startswith("action.arguments") or path == "action" for path in view.hidden):
        return "hidden"
    return ""
