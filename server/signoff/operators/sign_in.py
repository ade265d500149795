"""Who stands before a page: the cookie, the page that says how to sign in, and signing out.

The cookie is the only credential that is ever read: a bearer key in a header counts for nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk.desk import Desk
from signoff.desk.sign_in import sign_out, signed_in
from signoff.domain.errors import Forbidden
from signoff.domain.people import SignIn
from signoff.operators.alerting import Alerting
from signoff.operators.guard import Site
from signoff.operators.render import Render

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
        return await signed_in(door.desk, token)
    except Forbidden:
        raise NotSignedIn from None


def set_cookie(door: Door, response: Response, token: str, *, expires_at: datetime) -> None:
    """Give a browser its new sign-in session."""
    response.set_cookie(
        door.cookie,
        token,
        max_age=max(0, int((expires_at - door.desk.clock.now()).total_seconds())),
        path="/",
        secure=door.site.secure,
        httponly=True,
        samesite="strict",
    )


def how_to_sign_in(door: Door, *, status: int, signed_out: bool = False) -> Response:
    """Return the page that says how to sign in; the same for everybody who is not."""
    return door.render.page("sign_in.html", {"signed_out": signed_out, "asked": status == 401}, status=status)


async def show(door: Door, request: Request) -> Response:
    """Answer GET /sign-in."""
    return how_to_sign_in(door, status=200, signed_out="out" in request.query_params)


async def leave(door: Door, request: Request) -> Response:
    """Answer POST /sign-out: end the session here and on the server."""
    token = request.cookies.get(door.cookie)
    if token:
        await sign_out(door.desk, token)
    response = RedirectResponse(SIGNED_OUT, status_code=303)
    response.delete_cookie(door.cookie, path="/", secure=door.site.secure, httponly=True, samesite="strict")
    return response
