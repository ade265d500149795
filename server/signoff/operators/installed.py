"""signoff as an app of the phone or the desk: its worker, and the page that says that there is no connection.

The manifest and the icons are static files. The worker shows what is pushed and keeps one page, the one below;
cases are never kept, for a case that is read late is a case that is read wrongly.
"""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signoff.operators.sign_in import Door

WORKER = "push-worker.js"


def installed_routes(door: Door) -> list[Route]:
    """Return the routes of an installed app."""
    return [
        Route("/push-worker.js", partial(worker, door)),
        Route("/offline", partial(offline, door)),
    ]


async def worker(door: Door, request: Request) -> Response:
    """Answer GET /push-worker.js: under a path that stays, for a browser keeps asking for it.

    It names the static files of this version, so that a new one is fetched, and with it the page below, after an upgrade.
    """
    text = door.render.static[WORKER].replace(b'"/static/"', f'"/static/{door.render.digest}/"'.encode())
    return Response(text, media_type="text/javascript")


async def offline(door: Door, request: Request) -> Response:
    """Answer GET /offline: what the worker shows where the server cannot be reached; alike for everybody."""
    return door.render.page("offline.html", {"person": None, "read_only": None})
