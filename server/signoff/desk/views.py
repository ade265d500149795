"""Filters of the inbox that a person keeps under a name."""

from __future__ import annotations

import orjson

from signoff.desk.desk import Desk
from signoff.desk.inbox import Filters, check_may_list
from signoff.domain.errors import InvalidRequest, LimitExceeded, NotFound
from signoff.domain.people import SignIn
from signoff.store.inbox import View
from signoff.store.unit import Unit

MOST_VIEWS = 20
MOST_NAME_CHARS = 40


async def save_view(desk: Desk, sign_in: SignIn, *, name: str, filters: Filters) -> str:
    """Keep filters under a name and return their id; those that were kept under it before are replaced.

    What is searched for is not kept: it may name a customer, and would outlive the erasure of all about them.

    Raises:
        Forbidden: A magic link shows its case only.
        InvalidRequest: An empty or unprintable name, filters that filter nothing, or words of a search.
        LimitExceeded: Too many are kept.
    """
    check_may_list(sign_in)
    name = " ".join(name.split())
    if not name or len(name) > MOST_NAME_CHARS or not name.isprintable():
        raise InvalidRequest(f"write a name of 1 to {MOST_NAME_CHARS} letters.", field="name")
    if filters.words:
        raise InvalidRequest(
            "what you search for is not kept; clear the search and save the filters.", field="q"
        )
    if not filters.narrowed and filters.show == "all":
        raise InvalidRequest("choose a filter first: this is the whole inbox.", field="filters")

    async def move(unit: Unit) -> str:
        held = await unit.inbox.views(sign_in.person.id)
        if len(held) >= MOST_VIEWS and name not in {one.name for one in held}:
            raise LimitExceeded("views", f"{MOST_VIEWS} saved views", f"{len(held) + 1} of them")
        view = View(unit.new_id("viw"), name, orjson.dumps(_as_json(filters)).decode())
        return await unit.inbox.save_view(view, sign_in.person.id)

    return await desk.store.write(move)


async def remove_view(desk: Desk, sign_in: SignIn, view_id: str) -> None:
    """Forget filters.

    Raises:
        NotFound: This person keeps none of that id.
    """
    check_may_list(sign_in)

    async def move(unit: Unit) -> None:
        if not view_id.isascii() or not await unit.inbox.remove_view(view_id, sign_in.person.id):
            raise NotFound("You keep no such view.")

    await desk.store.write(move)


def read_filters(text: str) -> dict[str, str]:
    """Return kept filters as they stand in an address."""
    given: dict[str, str] = orjson.loads(text)
    return given


def _as_json(filters: Filters) -> dict[str, str]:
    made = {
        "show": "" if filters.show == "all" else filters.show,
        "queue": filters.queue,
        "urgency": filters.urgency or "",
        "agent": filters.agent,
        "unread": "1" if filters.unread else "",
    }
    return {name: value for name, value in made.items() if value}
