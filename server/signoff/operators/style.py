"""The design system, as a page: every component of every area in every state, made by the same templates and styles.

An area adds its part as a template `style/NAME.html`; it stands there without being listed anywhere.
"""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signoff.domain.errors import Forbidden
from signoff.operators.sign_in import Door, who_fully
from signoff.operators.style_samples import samples

PARTS = "style/"
PRINTED = "evidence.css"
"""It goes into evidence files alone, beside none of the others."""


def style_routes(door: Door) -> list[Route]:
    """Return the routes of the design system."""
    return [Route("/style", partial(show, door))]


async def show(door: Door, request: Request) -> Response:
    """Answer GET /style, to admins.

    Raises:
        Forbidden: Somebody else.
    """
    sign_in = await who_fully(door, request)
    if "admin" not in sign_in.person.roles:
        raise Forbidden("Only admins see the design system.")
    values = {
        **samples(door.desk.clock.now()),
        "person": sign_in.person,
        "parts": door.render.environment.list_templates(filter_func=lambda name: name.startswith(PARTS)),
        "sheets": [name for name in door.render.static if name.endswith(".css") and name != PRINTED],
        "colours": door.render.colours(),
    }
    return door.render.page("style.html", values)
