"""Parts of a case that do not fit on its page: one value, earlier steps, the whole conversation, the exact JSON.

Each is a page of its own, reached by a link; with script the case page fetches it and puts it in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signoff.desk.look import CaseView, look
from signoff.desk.masks import is_hidden
from signoff.domain.errors import NotFound
from signoff.domain.people import SignIn
from signoff.operators.case_page import masked_of, page_of
from signoff.operators.present import Room, json_text, looks_like, rows
from signoff.operators.response_form import AT as SCHEMA_AT
from signoff.operators.sign_in import Door, who
from signoff.operators.trace import STEPS_PAGE, TURNS_PAGE, timeline

CHUNK = 60_000
"""Characters of one text on a page; a hidden character takes eight of the page's."""
LEAD = 600
"""Characters shown before the place that a link names."""
EVENTS_PAGE = 200
PART_ROOM = 500_000
_MOST = 10**7


def part_routes(door: Door) -> list[Route]:
    """Return the routes of what is loaded on demand."""
    return [
        Route("/cases/{escalation_id}/parts/{part}", partial(show_part, door)),
        Route("/cases/{escalation_id}/modify", partial(show_form, door)),
    ]


async def show_part(door: Door, request: Request) -> Response:
    """Answer GET /cases/{id}/parts/{part}: one part of a case, for whoever may see the case, with the same masks.

    Raises:
        NotFound: No such part, or a place that is not there.
    """
    sign_in = await who(door, request)
    view = await look(door.desk, sign_in, request.path_params["escalation_id"])
    make = PARTS.get(request.path_params["part"])
    if make is None:
        raise NotFound("A case has no such part.")
    at, start = request.query_params.get("at", ""), _number(request.query_params.get("from", "0"))
    return await anyio.to_thread.run_sync(partial(_made, door, sign_in, view, make, at, start))


async def show_form(door: Door, request: Request) -> Response:
    """Answer GET /cases/{id}/modify: the case with the form to modify it, however large the arguments are."""
    sign_in = await who(door, request)
    view = await look(door.desk, sign_in, request.path_params["escalation_id"])
    return await page_of(door, sign_in, view, sent={"choice": ("modify",)}, form=True)


Part = Callable[[CaseView, str, int], dict[str, Any]]


def _made(door: Door, sign_in: SignIn, view: CaseView, make: Part, at: str, start: int) -> Response:
    values = {
        "person": sign_in.person,
        "now": view.now,
        "view": view,
        "case": view.case,
        "masked": masked_of(view),
        "room": Room(PART_ROOM),
        **make(view, at, start),
    }
    return door.render.page("case_part.html", values)


def _number(text: str) -> int:
    return min(int(text), _MOST) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _value(view: CaseView, at: str, start: int) -> dict[str, Any]:
    value = _resolved(view, at)
    made: dict[str, Any] = {"kind": "value", "at": at, "ours": at.startswith("/arguments")}
    if is_hidden(value):
        return {**made, "shape": "hidden"}
    if isinstance(value, str):
        return {**made, "shape": "text", **_chunk(value, at, start)}
    if isinstance(value, (dict, list)) and not at.startswith(SCHEMA_AT):
        found = rows(value, masked=masked_of(view), prefix=_dotted(at), at=at, room=Room(PART_ROOM))
        if found is not None and not any(row.value is not None and row.value.apart for row in found):
            return {**made, "shape": "rows", "rows": found}
    return {**made, "shape": "json", **_chunk(json_text(value), at, start)}


def _chunk(text: str, at: str, start: int) -> dict[str, Any]:
    """Return a stretch of a text around a place, with where the stretches before and after begin."""
    what, where = looks_like(text)
    begin = max(0, start - LEAD) if start < len(text) else 0
    end = min(len(text), begin + CHUNK)
    here = start if begin < start < end else begin
    return {
        "before": text[begin:here],
        "after": text[here:end],
        "named": here > begin,
        "begin": begin,
        "end": end,
        "chars": len(text),
        "looks": what,
        "looks_at": where if what and not begin <= where < end else None,
        "earlier": None if begin == 0 else max(0, begin - CHUNK),
        "later": None if end == len(text) else end + (LEAD if end + LEAD < len(text) else 0),
        "address": f"/cases/{{}}/parts/value?at={quote(at, safe='/')}",
    }


def _resolved(view: CaseView, at: str) -> Any:
    """Return the value at a JSON pointer (RFC 6901) into what this person may see of the case.

    Raises:
        NotFound: Nothing is there.
    """
    value: Any = {
        "arguments": view.proposed_arguments,
        "bundle": view.document.get("bundle", {}),
        "response_schema": view.document.get("response_schema"),
    }
    steps = at.split("/")
    if len(at) > 20_000 or steps[0] != "" or len(steps) < 2:
        raise NotFound("A case has no such part.")
    for step in steps[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif (
            isinstance(value, list)
            and key.isascii()
            and key.isdecimal()
            and len(key) < 8
            and int(key) < len(value)
        ):
            value = value[int(key)]
        else:
            raise NotFound("A case has no such part.")
    return value


def _dotted(at: str) -> str:
    """Return a pointer as the dotted path under which masked secrets are listed."""
    made = ""
    for step in at.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        made += f"[{key}]" if key.isdecimal() else f".{key}"
    made = made.lstrip(".")
    return f"action.{made}" if made.startswith("arguments") else made


def _action(view: CaseView, at: str, start: int) -> dict[str, Any]:
    """Return the JSON that the fingerprint is made of."""
    action: dict[str, Any] = {"tool": view.case.tool, "arguments": view.proposed_arguments}
    if view.case.server is not None:
        action["server"] = view.case.server
    shown = view.document.get("action")
    if not isinstance(shown, dict) or not isinstance(shown.get("arguments"), dict):
        raise NotFound("The action is hidden from you, or was erased.")
    chunk = _chunk(json_text(dict(sorted(action.items()))), "", start)
    return {"kind": "action", "at": "", "ours": True, **chunk, "address": "/cases/{}/parts/action?"}


def _steps(view: CaseView, at: str, start: int) -> dict[str, Any]:
    steps = _listed(view, "reasoning")
    start = min(start, len(steps) - 1)
    return {
        "kind": "steps",
        "ours": False,
        "steps": timeline(steps, start=start, stop=start + STEPS_PAGE),
        "page": STEPS_PAGE,
    }


def _messages(view: CaseView, at: str, start: int) -> dict[str, Any]:
    turns = _listed(view, "messages")
    start = min(start, len(turns) - 1)
    return {
        "kind": "messages",
        "ours": False,
        "turns_here": turns[start : start + TURNS_PAGE],
        "first": start,
        "total": len(turns),
        "page": TURNS_PAGE,
    }


def _events(view: CaseView, at: str, start: int) -> dict[str, Any]:
    total = len(view.events)
    start = min(start, max(0, total - 1))
    events = view.events[start : start + EVENTS_PAGE]
    return {
        "kind": "events",
        "ours": True,
        "events": events,
        "first": start,
        "total": total,
        "page": EVENTS_PAGE,
    }


def _listed(view: CaseView, name: str) -> list[Any]:
    bundle = view.document.get("bundle")
    found = bundle.get(name) if isinstance(bundle, dict) else None
    if not isinstance(found, list) or not found:
        raise NotFound("A case has no such part.")
    return found


PARTS: dict[str, Part] = {
    "value": _value,
    "action": _action,
    "steps": _steps,
    "messages": _messages,
    "events": _events,
}
