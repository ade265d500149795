"""The inbox: what waits, most urgent first, what ended lately, and what a search finds; filters stand in the address."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from signoff.desk.inbox import LOOK_THROUGH, Filters, Show, inbox, pulse_of
from signoff.desk.passkeys import passkeys_to_confirm
from signoff.desk.reasons import strictest_first
from signoff.desk.views import read_filters, remove_view, save_view
from signoff.domain.verdict import URGENCIES
from signoff.operators.forms import fields_of
from signoff.operators.sign_in import Door, who, who_fully

MOST_SEARCHED_CHARS = 200


def inbox_routes(door: Door) -> list[Route]:
    """Return the routes of the inbox."""
    return [
        Route("/", partial(show, door)),
        Route("/views", partial(keep_view, door), methods=["POST"]),
        Route("/views/remove", partial(forget_view, door), methods=["POST"]),
    ]


async def show(door: Door, request: Request) -> Response:
    """Answer GET /."""
    sign_in = await who(door, request)
    if sign_in.only_case is not None:
        return RedirectResponse(f"/cases/{sign_in.only_case}", status_code=303)
    filters = filters_of(request.query_params)
    after = request.query_params.get("after", "")
    pulse = await pulse_of(door.desk, sign_in)  # before the list, so that no change falls between
    seen = await inbox(door.desk, sign_in, filters, after=after)
    values = {
        "inbox": seen,
        "filters": filters,
        "narrowed_to": _narrowed_to(filters),
        "query": partial(query_of, filters),
        "is_later_page": bool(after),
        "looked_through": LOOK_THROUGH,
        "urgencies": tuple(reversed(URGENCIES)),
        "view_queries": {one.id: "/?" + urlencode(read_filters(one.filters)) for one in seen.views},
        "current_query": query_of(filters),
        "pulse": pulse,
        "now": seen.now,
        "person": sign_in.person,
        "titles": titles_of(door),
        "strictest_first": partial(strictest_first, door.desk),
        "passkeys_to_confirm": await passkeys_to_confirm(door.desk, sign_in),
    }
    return door.render.page("inbox.html", values)


async def keep_view(door: Door, request: Request) -> Response:
    """Answer POST /views: keep the filters that stand in the form under a name."""
    sign_in = await who_fully(door, request)
    form = await fields_of(request)
    filters = filters_of(form)
    await save_view(door.desk, sign_in, name=form.get("name", ""), filters=filters)
    return RedirectResponse(query_of(filters), status_code=303)


async def forget_view(door: Door, request: Request) -> Response:
    """Answer POST /views/remove."""
    sign_in = await who_fully(door, request)
    await remove_view(door.desk, sign_in, (await fields_of(request)).get("view", ""))
    return RedirectResponse("/", status_code=303)


def titles_of(door: Door) -> dict[str, str]:
    """Return the titles of triggers by id; one that is no longer in the policy goes by its id."""
    return {one.id: one.title or one.id for one in door.desk.policy.current().policy.triggers}


def filters_of(given: Mapping[str, str]) -> Filters:
    """Read filters from an address or a form; what is unknown there filters nothing."""
    show, urgency = given.get("show", ""), given.get("urgency", "")
    return Filters(
        show=cast(Show, show) if show in get_args(Show) else "all",
        queue=given.get("queue", "")[:100],
        urgency=urgency if urgency in URGENCIES else None,
        agent=given.get("agent", "")[:100],
        unread=given.get("unread") == "1",
        words=given.get("q", "")[:MOST_SEARCHED_CHARS].strip(),
    )


def query_of(filters: Filters, **changes: str | bool | None) -> str:
    """Return the address of the inbox under filters, some of them changed; a page further on with `after`."""
    given: dict[str, str | bool | None] = {
        "show": filters.show,
        "queue": filters.queue,
        "urgency": filters.urgency,
        "agent": filters.agent,
        "unread": filters.unread,
        "q": filters.words,
        **changes,
    }
    if given["show"] == "all":
        given["show"] = ""
    pairs = {name: "1" if value is True else str(value) for name, value in given.items() if value}
    return "/?" + urlencode(pairs) if pairs else "/"


def _narrowed_to(filters: Filters) -> list[tuple[str, str]]:
    """Return what the list is narrowed to: the name of each filter, and its value."""
    there = {
        "queue": filters.queue,
        "urgency": filters.urgency or "",
        "agent": filters.agent,
        "unread": "1" if filters.unread else "",
    }
    return [(name, value) for name, value in there.items() if value]
