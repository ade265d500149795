"""Pages that follow what happens: `GET /live`, server-sent events of the inbox, or of one case.

An event says where things stand now, never what to show: the page fetches itself again, or offers to. Nothing is
replayed; a page that was away asks again and is told the present. While a page of a case is open, its person counts as
looking at it. Without script there is no stream, and every page is as true as when it was loaded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import anyio
import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from signoff.desk.inbox import pulse_of
from signoff.desk.presence import SEEN_AGAIN_S, come, leave, standing
from signoff.domain.errors import SignoffError
from signoff.domain.people import SignIn
from signoff.operators.sign_in import Door, NotSignedIn, who

GATHER_S = 1.0
"""What happens within this time is told at once, so that a busy queue does not tell a page of every case."""
EVENT_STREAM = "text/event-stream"


def live_routes(door: Door) -> list[Route]:
    """Return the route of the stream."""
    return [Route("/live", partial(live, door))]


async def live(door: Door, request: Request) -> Response:
    """Answer GET /live: follow the inbox; with `?case=…`, one case.

    Raises:
        Forbidden: The inbox, by a link that opens one case.
        NotFound: The case is not this person's to see.
    """
    sign_in = await who(door, request)
    if EVENT_STREAM not in request.headers.get("accept", ""):
        return PlainTextResponse("This address is for pages that follow what happens.\n", status_code=406)
    case_id = request.query_params.get("case")
    state = partial(_state, door, case_id)
    await state(sign_in)  # what is refused is refused as a page, before anything streams
    if door.streams.ending.is_set() or not door.streams.take(sign_in.session_id):
        return PlainTextResponse("Too many pages are open.\n", status_code=429, headers={"Retry-After": "30"})
    return _Stream(door, request, sign_in, case_id, state)


async def _state(door: Door, case_id: str | None, sign_in: SignIn) -> dict[str, Any]:
    if case_id is None:
        return asdict(await pulse_of(door.desk, sign_in))
    return asdict(await standing(door.desk, sign_in, case_id))


class _Stream(Response):
    """Server-sent events until the page goes, the session ends or the server stops."""

    def __init__(
        self,
        door: Door,
        request: Request,
        sign_in: SignIn,
        case_id: str | None,
        state: Callable[[SignIn], Awaitable[dict[str, Any]]],
    ) -> None:
        super().__init__(
            headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"}, media_type=EVENT_STREAM
        )
        del self.headers["content-length"]
        self._door = door
        self._request = request
        self._sign_in = sign_in
        self._case_id = case_id
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            async with anyio.create_task_group() as tasks:

                async def until_gone() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    tasks.cancel_scope.cancel()

                async def until_stopped() -> None:
                    await self._door.streams.ending.wait()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(until_gone)
                tasks.start_soon(until_stopped)
                await self._told(send)
                tasks.cancel_scope.cancel()
        finally:
            self._door.streams.give_back(self._sign_in.session_id)
            with anyio.CancelScope(shield=True):
                await self._left()
        with anyio.move_on_after(1):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _told(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        told: dict[str, Any] | None = None
        came_at = -float(SEEN_AGAIN_S)
        async with self._door.desk.store.watch(None) as watch:
            while True:
                try:
                    # Asked every time: a session that ends, or a person who is disabled, is told nothing more.
                    sign_in = await who(self._door, self._request)
                    if self._case_id is not None and anyio.current_time() - came_at >= SEEN_AGAIN_S:
                        came_at = anyio.current_time()
                        await come(self._door.desk, sign_in, self._case_id)
                    state = await self._state(sign_in)
                except (NotSignedIn, SignoffError):
                    await _send(send, "event: end\ndata: {}\n\n")
                    return
                if state != told:
                    told = state
                    await _send(send, f"event: state\ndata: {orjson.dumps(state).decode()}\n\n")
                else:
                    await _send(send, ":\n\n")
                if await watch.wait(SEEN_AGAIN_S):
                    await anyio.sleep(GATHER_S)

    async def _left(self) -> None:
        if self._case_id is not None:
            try:
                await leave(self._door.desk, self._sign_in, self._case_id)
            except SignoffError:
                return  # it is forgotten by itself


async def _send(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
