"""Who stands before a page: the cookie, and the doors by which one comes to it: links that are asked for, and out.

The cookie is the only credential that is ever read: a bearer key in a header counts for nothing here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk.desk import Desk
from signoff.desk.people import check_role
from signoff.desk.sessions import Opened, sign_out, signed_in
from signoff.desk.sign_in_requests import ask_for_link
from signoff.domain.errors import Forbidden
from signoff.domain.people import Role, SignIn, check_full
from signoff.operators.alerting import Alerting
from signoff.operators.areas import note_sign_in
from signoff.operators.browsers import source_of
from signoff.operators.forms import fields_of
from signoff.operators.guard import Site
from signoff.operators.problems import Problem
from signoff.operators.render import Render
from signoff.operators.streams import Streams

_CASE = re.compile(r"esc_[0-9A-Z]{26}")
SIGNED_OUT = "/sign-in?out=1"


class NotSignedIn(Exception):
    """The page is for people who are signed in, and the cookie signs nobody in."""


@dataclass(frozen=True)
class Door:
    """What every page needs."""

    desk: Desk
    render: Render
    site: Site
    alerting: Alerting | None = None
    streams: Streams = field(default_factory=Streams)

    @property
    def cookie(self) -> str:
        """Return the cookie's name; `__Host-` ties it to this host and to TLS, which plain localhost lacks."""
        return "__Host-signoff" if self.site.secure else "signoff"


async def who(door: Door, request: Request) -> SignIn:
    """Return the person before the page.

    Raises:
        NotSignedIn: Nobody who is known.
    """
    token = request.cookies.get(door.cookie)
    if not token:
        raise NotSignedIn
    try:
        sign_in = await signed_in(door.desk, token)
    except Forbidden:
        raise NotSignedIn from None
    note_sign_in(sign_in)
    return sign_in


async def who_fully(door: Door, request: Request) -> SignIn:
    """Return the person before a page that a magic link of one case does not open.

    Raises:
        NotSignedIn: Nobody who is known, or somebody who came by such a link.
    """
    sign_in = await who(door, request)
    if sign_in.only_case is not None:
        raise NotSignedIn
    return sign_in


async def who_holds(door: Door, request: Request, roles: frozenset[Role]) -> SignIn:
    """Return the person before a page that is for some roles.

    Raises:
        NotSignedIn: Nobody who is known, or somebody who came by the link of one case.
        Forbidden: They have none of the roles.
    """
    sign_in = await who_fully(door, request)
    check_full(sign_in)
    check_role(sign_in.person, roles)
    return sign_in


async def who_if_anybody(door: Door, request: Request) -> SignIn | None:
    """Return the person before a page that is for strangers, too."""
    try:
        return await who(door, request)
    except NotSignedIn:
        return None


async def let_in(door: Door, request: Request, opened: Opened, *, go_to: str) -> Response:
    """Go on to a page with a new session; the one that the browser had before ends."""
    old = request.cookies.get(door.cookie)
    if old:
        await sign_out(door.desk, old)
    response = RedirectResponse(go_to, status_code=303)
    response.set_cookie(
        door.cookie,
        opened.token,
        max_age=max(0, int((opened.expires_at - door.desk.clock.now()).total_seconds())),
        path="/",
        secure=door.site.secure,
        httponly=True,
        samesite="strict",
    )
    return response


def case_page(case_id: str | None) -> str:
    """Return the page of a case that a form names, or the inbox: a form leads nowhere else."""
    return f"/cases/{case_id}" if case_id and _CASE.fullmatch(case_id) else "/"


def how_to_sign_in(
    door: Door,
    *,
    status: int,
    signed_out: bool = False,
    problem: Problem | None = None,
    host: str | None = None,
    back_to: str = "",
) -> Response:
    """Return the page that says how to sign in; the same for everybody who is not.

    Args:
        back_to: The case that was asked for, to which every way in leads back.
    """
    values = {
        "signed_out": signed_out,
        "asked": status == 401,
        "problem": problem,
        "by_alert": door.desk.settings.sign_in_by_alert,
        "passkeys": door.site.passkeys(host),
        "host": host or "",
        "back_to": back_to if _CASE.fullmatch(back_to) else "",
    }
    return door.render.page("sign_in.html", values, status=status)


async def show(door: Door, request: Request) -> Response:
    """Answer GET /sign-in."""
    host = request.headers.get("host")
    return how_to_sign_in(door, status=200, signed_out="out" in request.query_params, host=host)


async def ask(door: Door, request: Request) -> Response:
    """Answer POST /sign-in/link, alike for every name; whoever is signed in asks for themselves."""
    form = await fields_of(request)
    here = await who_if_anybody(door, request)
    name = here.person.name if here is not None else form.get("name", "")
    await ask_for_link(door.desk, name, source=source_of(request), back_to=form.get("back_to", ""))
    return door.render.page("sign_in_sent.html", {})


async def leave(door: Door, request: Request) -> Response:
    """Answer POST /sign-out: end the session here and on the server."""
    token = request.cookies.get(door.cookie)
    if token:
        await sign_out(door.desk, token)
    response = RedirectResponse(SIGNED_OUT, status_code=303)
    response.delete_cookie(door.cookie, path="/", secure=door.site.secure, httponly=True, samesite="strict")
    return response
