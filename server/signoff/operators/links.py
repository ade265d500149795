"""Magic links: GET shows a page that knows nothing, only a click's POST carries the secret.

Mail scanners open links in real browsers and run their scripts. So opening the page decides nothing, signs
nobody in, sets no cookie and asks the store nothing; and whatever is wrong with a link, its holder sees one and
the same page.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk.sign_in import Opened, fresh_link, open_link, sign_out
from signoff.domain.errors import LinkSpent
from signoff.domain.people import SignIn
from signoff.operators.forms import fields_of
from signoff.operators.sign_in import Door, NotSignedIn, set_cookie, who


async def show(door: Door, request: Request) -> Response:
    """Answer GET /d/{id}, alike for every id."""
    return door.render.page("link.html", {"link_id": request.path_params["link_id"], "dead": False})


async def use(door: Door, request: Request) -> Response:
    """Answer POST /d/{id}: use the link, once."""
    link_id = request.path_params["link_id"]
    form = await fields_of(request)
    source = request.client.host if request.client else "unknown"
    before = await _already(door, request)
    try:
        opened = await open_link(door.desk, link_id, form.get("secret", ""), source=source)
    except LinkSpent:
        return door.render.page("link.html", {"link_id": link_id, "dead": True}, status=403)
    only_case = opened.sign_in.only_case
    response = RedirectResponse(f"/cases/{only_case}" if only_case else "/", status_code=303)
    await _give_session(door, request, response, opened, before=before)
    return response


async def _already(door: Door, request: Request) -> SignIn | None:
    try:
        return await who(door, request)
    except NotSignedIn:
        return None


async def _give_session(
    door: Door, request: Request, response: Response, opened: Opened, *, before: SignIn | None
) -> None:
    """Give the browser its new session and end the one before.

    A full sign-in session of the same person outranks what a case's link gives and is kept: whoever is signed in
    and follows an alert stays signed in.
    """
    same = before is not None and before.person.id == opened.sign_in.person.id
    if same and before is not None and before.only_case is None and opened.sign_in.only_case is not None:
        await sign_out(door.desk, opened.token)
        return
    old = request.cookies.get(door.cookie)
    if before is not None and old:
        await sign_out(door.desk, old)
    set_cookie(door, response, opened.token, expires_at=opened.expires_at)


async def renew(door: Door, request: Request) -> Response:
    """Answer POST /d/{id}/fresh, alike for every id and however often it is asked."""
    await fresh_link(door.desk, request.path_params["link_id"])
    return door.render.page("link_sent.html", {})
