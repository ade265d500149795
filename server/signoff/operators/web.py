"""All pages as one ASGI app, with what surrounds them: errors as pages, static files, health, public proof."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from signoff.audit.keys import load_public
from signoff.desk.desk import Desk
from signoff.desk.heartbeat import silence
from signoff.domain.errors import SignoffError
from signoff.operators import (
    admin_alerts,
    case,
    hand,
    links,
    my_sign_in,
    passkey_doors,
    questions,
    set_up,
    settings,
    sign_in,
    their_sign_in,
)
from signoff.operators.admin import admin_routes
from signoff.operators.alerting import Alerting
from signoff.operators.audit_page import audit_routes
from signoff.operators.canaries import canary_routes
from signoff.operators.case_parts import part_routes
from signoff.operators.follow import follow_routes
from signoff.operators.guard import Guard, Site
from signoff.operators.inbox import inbox_routes
from signoff.operators.installed import installed_routes
from signoff.operators.live import live_routes
from signoff.operators.problems import problem_of
from signoff.operators.render import load
from signoff.operators.sign_in import Door, NotSignedIn, how_to_sign_in, who_if_anybody
from signoff.operators.stats import stats_routes
from signoff.operators.streams import Streams
from signoff.operators.style import style_routes
from signoff.operators.together import together_routes
from signoff.store.unit import Unit


def build_pages(desk: Desk, alerting: Alerting | None = None, *, streams: Streams | None = None) -> Guard:
    """Return the pages for people, to be mounted at `/` after every other route.

    Args:
        alerting: What sends test alerts and subscribes browsers; without it the pages offer neither.
        streams: Ended by whoever stops the server; without it, streams end with their pages.

    Raises:
        InvalidRequest: `base_url` is neither https nor http on localhost.
    """
    render = load(lambda: desk.store.read_only)
    door = Door(desk, render, Site(desk.settings.base_url), alerting, streams or Streams())
    pages = Starlette(
        routes=[
            *inbox_routes(door),
            *live_routes(door),
            *together_routes(door),
            Route("/cases/{escalation_id}", partial(case.show, door)),
            Route("/cases/{escalation_id}/attachments/{number}", partial(case.attachment, door)),
            Route("/cases/{escalation_id}/preview", partial(case.preview, door), methods=["POST"]),
            Route("/cases/{escalation_id}/form", partial(case.form, door), methods=["POST"]),
            Route("/cases/{escalation_id}/changes", partial(case.live, door), methods=["POST"]),
            Route("/cases/{escalation_id}/decide", partial(case.decide, door), methods=["POST"]),
            Route("/cases/{escalation_id}/challenge", partial(case.challenge, door), methods=["POST"]),
            Route("/cases/{escalation_id}/undo", partial(case.undo, door), methods=["POST"]),
            Route("/cases/{escalation_id}/acknowledge", partial(hand.acknowledge, door), methods=["POST"]),
            Route("/cases/{escalation_id}/hand-over", partial(hand.hand_over, door), methods=["POST"]),
            Route("/cases/{escalation_id}/reassign", partial(hand.reassign, door), methods=["POST"]),
            Route("/cases/{escalation_id}/override", partial(hand.override, door), methods=["POST"]),
            Route("/cases/{escalation_id}/pause-agent", partial(hand.pause_agent, door), methods=["POST"]),
            Route("/d/{link_id}", partial(links.show, door)),
            Route("/d/{link_id}", partial(links.use, door), methods=["POST"]),
            Route("/d/{link_id}/fresh", partial(links.renew, door), methods=["POST"]),
            Route("/sign-in", partial(sign_in.show, door)),
            Route("/sign-in/link", partial(sign_in.ask, door), methods=["POST"]),
            Route("/sign-in/passkey/challenge", partial(passkey_doors.challenge, door), methods=["POST"]),
            Route("/sign-in/passkey", partial(passkey_doors.enter, door), methods=["POST"]),
            Route("/sign-out", partial(sign_in.leave, door), methods=["POST"]),
            Route("/settings", partial(settings.show, door)),
            Route("/settings/test", partial(settings.test, door), methods=["POST"]),
            Route("/settings/browsers", partial(settings.add_browser, door), methods=["POST"]),
            Route("/settings/browsers/remove", partial(settings.remove_browser, door), methods=["POST"]),
            Route("/admin/alerts", partial(admin_alerts.show, door)),
            Route("/admin/alerts/test", partial(admin_alerts.test, door), methods=["POST"]),
            Route("/set-up", partial(set_up.show, door)),
            Route("/set-up/name", partial(set_up.rename, door), methods=["POST"]),
            Route("/set-up/address", partial(set_up.add_address, door), methods=["POST"]),
            Route("/settings/sign-in", partial(my_sign_in.show, door)),
            Route("/settings/passkeys", partial(my_sign_in.add, door), methods=["POST"]),
            Route("/settings/passkeys/challenge", partial(my_sign_in.challenge, door), methods=["POST"]),
            Route("/settings/passkeys/revoke", partial(my_sign_in.revoke, door), methods=["POST"]),
            Route("/settings/sessions/end", partial(my_sign_in.end, door), methods=["POST"]),
            Route("/people/sign-in", partial(their_sign_in.show, door)),
            Route("/people/passkeys/confirm", partial(their_sign_in.confirm, door), methods=["POST"]),
            Route("/people/passkeys/revoke", partial(their_sign_in.revoke, door), methods=["POST"]),
            Route("/people/sessions/end", partial(their_sign_in.end, door), methods=["POST"]),
            Route("/static/{digest}/{name}", door.render.file),
            Route("/healthz", _healthz),
            Route("/readyz", partial(_readyz, door)),
            Route("/.well-known/jwks.json", partial(_jwks, door)),
            *questions.question_routes(door),
            *follow_routes(door),
            *part_routes(door),
            *installed_routes(door),
            *style_routes(door),
            *audit_routes(door),
            *canary_routes(door),
            *stats_routes(door),
            *admin_routes(door),
        ],
        exception_handlers={
            SignoffError: partial(_on_error, door),
            NotSignedIn: partial(_on_stranger, door),
            HTTPException: partial(_on_http_error, door),
            Exception: partial(_on_failure, door),
        },
    )
    render.lead_to(
        route.path for route in pages.routes if isinstance(route, Route) and "GET" in (route.methods or ())
    )
    return Guard(pages, site=door.site, refuse=partial(_refuse, door))


def _refuse(door: Door, request: Request, status: int, code: str) -> Response:
    return door.render.page("error.html", {"code": code, "message": ""}, status=status)


async def _on_error(door: Door, request: Request, error: Exception) -> Response:
    if not isinstance(error, SignoffError):
        raise error
    problem = problem_of(error)
    values = {"code": problem.code, "message": problem.message, "field": problem.field}
    response = door.render.page("error.html", values, status=problem.status)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response


async def _on_stranger(door: Door, request: Request, error: Exception) -> Response:
    asked = str(request.path_params.get("escalation_id", ""))
    return how_to_sign_in(door, status=401, host=request.headers.get("host"), back_to=asked)


async def _on_http_error(door: Door, request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    codes = {404: "not_found", 405: "method", 408: "too_slow", 413: "limit_exceeded"}
    with suppress(SignoffError):
        await who_if_anybody(door, request)  # whose navigation stays on the page
    response = _refuse(door, request, error.status_code, codes.get(error.status_code, "invalid_request"))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def _on_failure(door: Door, request: Request, error: Exception) -> Response:
    """Return the page for what nobody foresaw; Starlette raises the error again, and the guard logs it."""
    return _refuse(door, request, 500, "internal")


async def _healthz(request: Request) -> Response:
    """Answer GET /healthz: this process answers."""
    return PlainTextResponse("ok\n")


async def _readyz(door: Door, request: Request) -> Response:
    """Answer GET /readyz: the store can be read and written, a policy is in force, alerts are sent; 503 otherwise."""
    if door.desk.store.read_only is not None:
        return PlainTextResponse(f"not ready: read_only: {door.desk.store.read_only}\n", status_code=503)

    async def touch(unit: Unit) -> None:
        await unit.head()

    try:
        async with door.desk.store.reading() as reader:
            await reader.head()
            silent = await silence(door.desk, reader)
        await door.desk.store.write(touch)
        door.desk.policy.current()
    except SignoffError as error:
        return PlainTextResponse(f"not ready: {error.code}\n", status_code=503)
    if silent is not None:
        return PlainTextResponse("not ready: alerts are due and no worker sends them\n", status_code=503)
    return PlainTextResponse("ready\n")


async def _jwks(door: Door, request: Request) -> Response:
    """Answer GET /.well-known/jwks.json: the keys that check receipts, older ones included, revoked ones not."""
    held = door.desk.keys.jwks()
    with suppress(SignoffError):  # it would name a path of this machine to whoever asks
        held = (await anyio.to_thread.run_sync(load_public, door.desk.keys.directory)).receipts_in_use
    # Who meets a `kid` that is not there asks again; a rotation is seen within five minutes.
    return JSONResponse(held, headers={"Cache-Control": "public, max-age=300"})
