"""Magic links: GET shows a page that knows nothing, only a click's POST carries the secret.

Mail scanners open links in real browsers and run their scripts. So opening the page decides nothing, signs
nobody in, sets no cookie and asks the store nothing; and whatever is wrong with a link, its holder sees one and
the same page.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk.sessions import Opened, sign_out
from signoff.desk.sign_in import fresh_link, open_link
from signoff.domain.errors import LinkSpent
from signoff.operators.browsers import browser_of, source_of
from signoff.operators.forms import fields_of
from signoff.operators.sign_in import Door, case_page, let_in, who_if_anybody


async def show(door: Door, request: Request) -> Response:
    """Answer GET /d/{id}, alike for every id."""
    return door.render.page("link.html", {"link_id": request.path_params["link_id"], "dead": False})


async def use(door: Door, request: Request) -> Response:
    """Answer POST /d/{id}: use the link, once.

    A full sign-in session of the same person outranks what a case's link gives and is kept: whoever is signed in
    and follows an alert stays signed in.
    """
    link_id = request.path_params["link_id"]
    form = await fields_of(request)
    before = await who_if_anybody(door, request)
    try:
        opened = await open_link(
            door.desk,
            link_id,
            form.get("secret", ""),
            source=source_of(request),
            browser=browser_of(request),
        )
    except LinkSpent:
        return door.render.page("link.html", {"link_id": link_id, "dead": True}, status=403)
    go_to = _where_to(opened)
    same = before is not None and before.person.id == opened.sign_in.person.id
    if same and before is not None and before.only_case is None and opened.sign_in.only_case is not None:
        await sign_out(door.desk, opened.token)
        return RedirectResponse(go_to, status_code=303)
    return await let_in(door, request, opened, go_to=go_to)


def _where_to(opened: Opened) -> str:
    if opened.sign_in.way == "set_up":
        return "/set-up"
    return case_page(opened.sign_in.only_case or opened.back_to)


async def renew(door: Door, request: Request) -> Response:
    """Answer POST /d/{id}/fresh, alike for every id and however often it is asked."""
    await fresh_link(door.desk, request.path_params["link_id"])
    return door.render.page("link_sent.html", {})
