"""The inbox: what waits, most urgent first, and what ended lately."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signoff.desk.inbox import inbox
from signoff.desk.passkeys import passkeys_to_confirm
from signoff.operators.sign_in import Door, who


async def show(door: Door, request: Request) -> Response:
    """Answer GET /."""
    sign_in = await who(door, request)
    if sign_in.only_case is not None:
        return RedirectResponse(f"/cases/{sign_in.only_case}", status_code=303)
    seen = await inbox(door.desk, sign_in)
    # A trigger that is no longer in the policy goes by its id.
    titles = {one.id: one.title or one.id for one in door.desk.policy.current().policy.triggers}
    values = {
        "inbox": seen,
        "now": seen.now,
        "person": sign_in.person,
        "titles": titles,
        "passkeys_to_confirm": await passkeys_to_confirm(door.desk, sign_in),
    }
    return door.render.page("inbox.html", values)
