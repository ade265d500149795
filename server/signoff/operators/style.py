"""The design system, as a page: every component of every area in every state, made by the same templates and styles.

An area adds its part as a template `style/NAME.html`; it stands there without being listed anywhere.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signoff.desk.masks import HIDDEN
from signoff.domain.errors import Forbidden
from signoff.operators.diff import changes
from signoff.operators.present import rows
from signoff.operators.sign_in import Door, who_fully

PARTS = "style/"
PRINTED = "evidence.css"
"""It goes into evidence files alone, beside none of the others."""
VALUES: dict[str, Any] = {
    "amount_eur": 1240,
    "notify_customer": True,
    "coupon": None,
    "comment": "",
    "payee": "p\u0430ypal\u202e",
    "customer": "דנה ויטפילד (Dana)",
    "note": " two spaces at the end  ",
    "query": "DELETE FROM carts\nWHERE age > 90",
    "command": "rm -rf build && make",
    "attachment": "TWFuIGlzIGRpc3Rpbmd1aXNoZWQsIG5vdCBvbmx5IGJ5IGhpcyByZWFzb24s",
    "letter": "Dear Dana, your March invoice was charged twice. " * 20,
    "salary": HIDDEN,
    "api_key": "[masked]",
    "lines": [{"invoice": "2026-0311", "tax": {"rate": {"percent": {"of": 19}}}}, {}],
}
"""Every kind of value that an argument can have, and everything that can be wrong with one."""
OTHER: dict[str, Any] = {**VALUES, "amount_eur": 620, "reason": "duplicate"}


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
    now = door.desk.clock.now()
    before = {name: value for name, value in OTHER.items() if name != "coupon"}
    values = {
        "person": sign_in.person,
        "now": now,
        "later": now + timedelta(minutes=29, seconds=30),
        "soon": now + timedelta(seconds=45),
        "values_shown": rows(
            VALUES, masked=frozenset({"action.arguments.api_key"}), prefix="action.arguments"
        ),
        "changed": changes(VALUES, before),
        "parts": door.render.environment.list_templates(filter_func=lambda name: name.startswith(PARTS)),
        "sheets": [name for name in door.render.static if name.endswith(".css") and name != PRINTED],
        "colours": door.render.colours(),
    }
    return door.render.page("style.html", values)
